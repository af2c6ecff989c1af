"""Graphics processors: seen in the system, listed by llama.cpp, and what to type."""

from pathlib import Path

import pytest
from wicket.completion.devices import Device
from wicket.server.accelerators import Advice, Seen, advice, llamas, look

CARD = Device("CUDA0", "NVIDIA RTX 4060", "gpu", 7_000_000_000, 8_000_000_000)
NVIDIA, AMD, INTEL = Seen("NVIDIA", "NVIDIA RTX 4060"), Seen("AMD", "AMD GPU"), Seen("Intel", "x")
APPLE = Seen("Apple", "Apple GPU")


@pytest.mark.parametrize(
    ("files", "found"),
    [
        ({}, ()),
        (
            {"proc/driver/nvidia/gpus/0000:01:00.0/information": "Model: \t H200\nIRQ: 1\n"},
            (Seen("NVIDIA", "H200"),),
        ),
        (
            {
                "proc/driver/nvidia/gpus/0000:01:00.0/information": "Model: RTX\n",
                "sys/class/drm/card0/device/vendor": "0x10de\n",
                "sys/class/drm/card1/device/vendor": "0x8086\n",
            },
            (Seen("NVIDIA", "RTX"), Seen("Intel", "Intel GPU")),
        ),
        (
            {
                "sys/class/drm/card0/device/vendor": "0x1002\n",
                "sys/class/drm/card0/device/mem_info_vram_total": "17163091968\n",
            },
            (Seen("AMD", "AMD GPU, 17 GB"),),
        ),
        # The driver of NVIDIA is not loaded; a virtual screen is no processor.
        ({"sys/class/drm/card0/device/vendor": "0x10de\n"}, (Seen("NVIDIA", "NVIDIA GPU"),)),
        ({"sys/class/drm/card0/device/vendor": "0x1234\n"}, ()),
        ({"usr/lib/wsl/lib/libcuda.so.1": ""}, (Seen("NVIDIA", "NVIDIA GPU of Windows"),)),
    ],
)
def test_what_the_system_knows(
    files: dict[str, str], found: tuple[Seen, ...], tmp_path: Path
) -> None:
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    assert look(tmp_path, "Linux") == found


@pytest.mark.parametrize(
    ("seen", "listed", "layers", "tools", "ok", "parts"),
    [
        ((), (), 0, "", True, ("none seen; the model runs on the CPU",)),
        ((NVIDIA,), (CARD,), -1, "", True, ("CUDA0 (NVIDIA RTX 4060, 7.0 of 8.0 GB free)", "all")),
        ((NVIDIA,), (CARD,), 12, "", True, ("12 layers of the model",)),
        ((NVIDIA,), (CARD,), 0, "", False, ("unused", "engine.gpu_layers")),
        (
            (NVIDIA,),
            (),
            0,
            "nvcc",
            False,
            (
                "RTX 4060 is unused",
                "without CUDA",
                'CMAKE_ARGS="-DGGML_CUDA=on" wicket engine build',
            ),
        ),
        ((NVIDIA,), (), 0, "", False, ("CUDA toolkit (nvcc), then: CMAKE_ARGS",)),
        ((INTEL, AMD), (), 0, "glslc", False, ("AMD GPU is unused", "-DGGML_VULKAN=on")),
        ((AMD,), (), 0, "", False, ("apt-get install libvulkan-dev glslc",)),
        # Not much faster than the processor: said, and nothing is wrong.
        ((INTEL,), (), 0, "glslc", True, ("-DGGML_VULKAN=on",)),
        ((APPLE,), (), 0, "xcrun", False, ("without Metal", "-DGGML_METAL=on")),
    ],
)
def test_what_to_type(
    seen: tuple[Seen, ...],
    listed: tuple[Device, ...],
    layers: int,
    tools: str,
    ok: bool,
    parts: tuple[str, ...],
) -> None:
    said: Advice = advice(seen, listed, layers, lambda tool: tool if tool in tools else None)
    assert said.ok == ok
    line = f"{said.detail} -> {said.fix}"
    assert line.isprintable()
    for part in parts:
        assert part in line


def test_llama_cpp_is_asked_in_a_process_of_its_own() -> None:
    assert any(device.kind == "cpu" for device in llamas())
