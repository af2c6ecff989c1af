"""Graphics processors: those llama.cpp computes on, those it was not built for, what to type.

llama.cpp's own list is asked for in a process of its own, because drivers crash.  What it
was not built for it cannot see, so the system is looked at as well.
"""

import json
import platform
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..completion.devices import Device
from . import processes

LIST_SECONDS = 30.0
LISTING = (
    "import json; from dataclasses import asdict; from wicket.completion import devices; "
    "print(json.dumps([asdict(device) for device in devices.devices()]))"
)
# PCI vendors, as in /sys/class/drm/card*/device/vendor.
VENDORS = {"0x10de": "NVIDIA", "0x1002": "AMD", "0x8086": "Intel"}


@dataclass(frozen=True, slots=True)
class Way:
    """A backend of llama.cpp: how it is built, and with what."""

    name: str
    flag: str
    tool: str
    get: str


CUDA = Way("CUDA", "GGML_CUDA", "nvcc", "install NVIDIA's CUDA toolkit (nvcc)")
VULKAN = Way(
    "Vulkan",
    "GGML_VULKAN",
    "glslc",
    "install Vulkan's headers and compiler (Debian: apt-get install libvulkan-dev glslc)",
)
METAL = Way("Metal", "GGML_METAL", "xcrun", "run xcode-select --install")
WAYS = {"NVIDIA": CUDA, "AMD": VULKAN, "Intel": VULKAN, "Apple": METAL}


@dataclass(frozen=True, slots=True)
class Seen:
    """A graphics processor that the system knows."""

    vendor: str
    about: str

    @property
    def worth_it(self) -> bool:
        """Intel's share the memory of the processor, which is mostly no slower."""
        return self.vendor != "Intel"


@dataclass(frozen=True, slots=True)
class Advice:
    """`ok` is whether nothing lies idle that would be much faster."""

    ok: bool
    detail: str
    fix: str | None = None


def llamas() -> tuple[Device, ...]:
    """What llama.cpp lists in this environment; empty where its drivers fail."""
    try:
        said = subprocess.run(
            [sys.executable, "-I", "-c", LISTING],
            capture_output=True,
            timeout=LIST_SECONDS,
            env=processes.own_environment(),
            cwd="/",
            check=True,
        ).stdout
        # Drivers may print lines of their own before.
        return tuple(Device(**row) for row in json.loads(said.splitlines()[-1]))
    except (OSError, subprocess.SubprocessError, ValueError, TypeError, IndexError):
        return ()


def look(root: Path = Path("/"), system: str = platform.system()) -> tuple[Seen, ...]:
    """What the system knows, without any vendor's tool.  Never raises."""
    if system == "Darwin":
        return (Seen("Apple", "Apple GPU"),) if platform.machine() == "arm64" else ()
    found: list[Seen] = []
    for file in sorted(root.glob("proc/driver/nvidia/gpus/*/information")):
        words = [line.partition(":") for line in _text(file).splitlines()]
        name = next((value.strip() for key, _, value in words if key == "Model"), "NVIDIA GPU")
        found.append(Seen("NVIDIA", name))
    if not found and (root / "usr/lib/wsl/lib/libcuda.so.1").exists():
        found.append(Seen("NVIDIA", "NVIDIA GPU of Windows"))
    for card in sorted(root.glob("sys/class/drm/card[0-9]*/device/vendor")):
        vendor = VENDORS.get(_text(card).strip(), "")
        if vendor and not (vendor == "NVIDIA" and any(s.vendor == vendor for s in found)):
            memory = _text(card.parent / "mem_info_vram_total").strip()
            size = f", {int(memory) / 1e9:.0f} GB" if memory.isdecimal() else ""
            found.append(Seen(vendor, f"{vendor} GPU{size}"))
    return tuple(dict.fromkeys(found))


def advice(
    seen: Sequence[Seen],
    listed: Sequence[Device],
    layers: int,
    has: Callable[[str], str | None] = shutil.which,
) -> Advice:
    """What to say of the graphics processors; `layers` go to them, a negative number is all."""
    gpus = [device for device in listed if device.is_gpu]
    if gpus:
        names = ", ".join(_shown(device) for device in gpus)
        if layers == 0:
            fix = "choose a smaller model, close what fills the GPU, or set engine.gpu_layers"
            return Advice(False, f"{names}: unused, the model does not fit or is kept off", fix)
        many = "all layers" if layers < 0 else f"{layers} layers"
        return Advice(True, f"{names}: {many} of the model")
    if not seen:
        return Advice(True, "none seen; the model runs on the CPU")
    best = next((one for one in seen if one.worth_it), seen[0])
    way = WAYS[best.vendor]
    build = f'CMAKE_ARGS="-D{way.flag}=on" wicket engine build'
    fix = build if has(way.tool) else f"{way.get}, then: {build}"
    detail = f"{best.about} is unused: llama-cpp-python was built without {way.name}"
    return Advice(not best.worth_it, detail, fix)


def _shown(device: Device) -> str:
    size = f", {device.free / 1e9:.1f} of {device.total / 1e9:.1f} GB free" if device.total else ""
    return f"{device.name} ({device.about}{size})"


def _text(file: Path) -> str:
    try:
        return file.read_text("utf-8", "replace")
    except OSError:
        return ""
