"""Time and identifiers of records: clocks that can be replaced, UUIDs that sort by time."""

import secrets
import time
import uuid
from pathlib import Path
from typing import Protocol

# A difference between the wall clock and the clock since boot that is not drift.
JUMP_MS = 5_000


class Clock(Protocol):
    def wall_ms(self) -> int:
        """Milliseconds since 1970, UTC, as the machine believes."""
        ...

    def mono_us(self) -> int:
        """Microseconds since boot, time asleep included."""
        ...

    def boot(self) -> str:
        """32 hexadecimal digits that change with every boot."""
        ...


class MachineClock:
    """The clocks of this machine."""

    def wall_ms(self) -> int:
        return time.time_ns() // 1_000_000

    def mono_us(self) -> int:
        # CLOCK_MONOTONIC stands still while a laptop sleeps; that is no jump.
        which = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
        return time.clock_gettime_ns(which) // 1_000

    def boot(self) -> str:
        try:
            text = Path("/proc/sys/kernel/random/boot_id").read_text()
            return uuid.UUID(text.strip()).hex
        except (OSError, ValueError):
            return "0" * 32  # Not Linux: boots cannot be told apart.


def identifier(wall_ms: int) -> str:
    """A UUID of version 7 (RFC 9562): its first 48 bits are the time."""
    random = secrets.randbits(74)
    value = (wall_ms & (1 << 48) - 1) << 80 | 7 << 76 | (random >> 62) << 64
    return str(uuid.UUID(int=value | 2 << 62 | random & (1 << 62) - 1))
