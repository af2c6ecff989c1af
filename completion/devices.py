"""The processors that llama.cpp can compute on here, and how much of a model goes to a GPU.

The list is llama.cpp's own, read from its library without the bindings: this works before
any model is loaded, and says what the library in this environment was built for.
"""

import ctypes
import importlib.util
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .gguf import FIXED_MARGIN, Gguf, cache_needed, memory_needed

# ggml_backend_dev_type of ggml-backend.h: the processor, a GPU with memory of its own,
# one that shares the machine's, and helpers of the processor (BLAS, AMX).
KINDS = {0: "cpu", 1: "gpu", 2: "igpu", 3: "helper"}

# What a GPU keeps free for the screen, the driver and the computation's buffers.
RESERVE = 512 << 20
# A negative number of layers means all of them, whatever their number (llama.h).
ALL = -1


@dataclass(frozen=True, slots=True)
class Device:
    """`name` is llama.cpp's, such as CUDA0, Metal or Vulkan0; `free` and `total` are bytes,
    0 where the backend does not say."""

    name: str
    about: str
    kind: str
    free: int
    total: int

    @property
    def is_gpu(self) -> bool:
        return self.kind in ("gpu", "igpu")


def devices() -> tuple[Device, ...]:
    """What llama.cpp finds; empty where it is not installed or too different.

    It loads the drivers of graphics processors, which has been seen to crash: to be
    called in a process that may end.
    """
    spec = importlib.util.find_spec("llama_cpp")
    if spec is None or spec.origin is None:
        return ()
    folder = Path(spec.origin).parent / "lib"
    for suffix in ("so", "dylib"):
        registry, base = folder / f"libggml.{suffix}", folder / f"libggml-base.{suffix}"
        if registry.exists() and base.exists():
            try:
                return tuple(_listed(ctypes.CDLL(str(registry)), ctypes.CDLL(str(base))))
            except (OSError, AttributeError):
                return ()
    return ()


def layers_on_gpu(
    header: Gguf, context_tokens: int, found: Sequence[Device], wanted: int | str = "auto"
) -> int:
    """How many layers of a model to compute on the GPUs; 0 is none, ALL is all of them.

    `wanted` is a number from the settings, or "auto".  A GPU that does not say how much of
    it is free is given everything: that is what llama.cpp's own default does.
    """
    gpus = [device for device in found if device.is_gpu]
    if isinstance(wanted, int):
        return wanted
    if not gpus:
        return 0
    if not all(device.total for device in gpus):
        return ALL
    room = sum(max(0, device.free - RESERVE) for device in gpus)
    if memory_needed(header, context_tokens) - FIXED_MARGIN <= room:
        return ALL
    layers = header.number("block_count")
    blocks = sum(t.size for t in header.tensors if t.name.startswith("blk."))
    if not layers or not blocks:
        return 0
    # Rounded up: what does not fit fails at its first use, and one layer less costs little.
    each = -(-(blocks + cache_needed(header, context_tokens)) // layers)
    return min(layers, room // each)


def _listed(registry: Any, base: Any) -> list[Device]:
    registry.ggml_backend_dev_count.restype = ctypes.c_size_t
    registry.ggml_backend_dev_get.restype = ctypes.c_void_p
    registry.ggml_backend_dev_get.argtypes = [ctypes.c_size_t]
    for name in ("name", "description"):
        say = getattr(base, f"ggml_backend_dev_{name}")
        say.restype, say.argtypes = ctypes.c_char_p, [ctypes.c_void_p]
    base.ggml_backend_dev_type.argtypes = [ctypes.c_void_p]
    size = ctypes.POINTER(ctypes.c_size_t)
    base.ggml_backend_dev_memory.restype = None
    base.ggml_backend_dev_memory.argtypes = [ctypes.c_void_p, size, size]
    found: list[Device] = []
    for number in range(registry.ggml_backend_dev_count()):
        device = registry.ggml_backend_dev_get(number)
        free, total = ctypes.c_size_t(), ctypes.c_size_t()
        base.ggml_backend_dev_memory(device, ctypes.byref(free), ctypes.byref(total))
        kind = KINDS.get(base.ggml_backend_dev_type(device), "helper")
        name, about = (
            say(device).decode("utf-8", "replace")
            for say in (base.ggml_backend_dev_name, base.ggml_backend_dev_description)
        )
        found.append(Device(name, about, kind, free.value, total.value))
    return found
