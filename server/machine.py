"""What a measurement ran on, and what a process takes of it."""

import contextlib
import os
import platform
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any


def described() -> dict[str, Any]:
    """What every report begins with; the load is that of the minute before."""
    return {
        "machine": platform.machine(),
        "processor": _processor(),
        "cores": os.cpu_count(),
        "load_before": round(os.getloadavg()[0], 2),
    }


def in_words(said: Mapping[str, Any]) -> str:
    """What `described` said, for a person."""
    known = [str(said[name]) for name in ("machine", "processor") if said.get(name)]
    return f"{', '.join(known)}, {said['cores']} cores, load before {said['load_before']}"


def memory_bytes() -> int:
    """All of this machine's memory; 0 where the system does not say."""
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError):
        return 0


def cpu_seconds(pid: int) -> float:
    """What a process has used of the processors so far (Linux; 0 elsewhere)."""
    with contextlib.suppress(OSError, IndexError, ValueError):
        # The name, second, is in brackets and may hold spaces (proc(5)).
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    return 0.0


def private_bytes(pid: int) -> int:
    """Memory that a process shares with no other (Linux; 0 elsewhere)."""
    with contextlib.suppress(OSError):
        said = Path(f"/proc/{pid}/smaps_rollup").read_text()
        return sum(int(kb) << 10 for kb in re.findall(r"^Private_\w+:\s+(\d+) kB", said, re.M))
    return 0


def _processor() -> str:
    """The model of the processor as Linux names it, "" where it does not."""
    with contextlib.suppress(OSError):
        if found := re.search(r"^model name\s*:\s*(.+)$", Path("/proc/cpuinfo").read_text(), re.M):
            return " ".join(found[1].split())
    return ""
