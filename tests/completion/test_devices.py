"""How much of a model goes to a GPU: a decision, tried without any GPU."""

from pathlib import Path

import pytest
from wicket.completion import devices, gguf
from wicket.completion.devices import ALL, RESERVE, Device, layers_on_gpu
from wicket.completion.gguf import Gguf, Tensor
from wicket.completion.models import shipped
from wicket.completion.models.catalogue import MODELS, SHIPPED, recommended
from wicket.completion.models.licences import ALLOWED, question

GB = 1 << 30
CPU = Device("CPU", "a processor", "cpu", 16 * GB, 16 * GB)


def gpu(free: int, total: int = 24 * GB, kind: str = "gpu", name: str = "CUDA0") -> Device:
    return Device(name, "a card", kind, free, total)


def model(layers: int = 32, layer_bytes: int = 128 << 20, rest: int = 256 << 20) -> Gguf:
    """A model of 4 GB and more; 8,192 tokens take another gigabyte of cache."""
    tensors = [Tensor("output.weight", "Q8_0", (1,), 0, rest)]
    tensors += [Tensor(f"blk.{i}.w", "Q8_0", (1,), 0, layer_bytes) for i in range(layers)]
    keys = {"block_count": layers, "embedding_length": 4096, "attention.head_count": 32}
    keys |= {"attention.head_count_kv": 8, "context_length": 8192}
    metadata: dict[str, gguf.Scalar] = {f"llama.{key}": value for key, value in keys.items()}
    metadata["general.architecture"] = "llama"
    return Gguf(Path("m.gguf"), 3, 5 * GB, 5 * GB, metadata, {}, {}, tuple(tensors))


# A layer with its share of the cache: 128 MB and 32 MB.
LAYER = 160 << 20


@pytest.mark.parametrize(
    ("found", "wanted", "layers"),
    [
        ([CPU], "auto", 0),
        ([], "auto", 0),
        ([CPU, gpu(20 * GB)], "auto", ALL),
        ([CPU, gpu(RESERVE + 10 * LAYER)], "auto", 10),
        ([CPU, gpu(RESERVE + 10 * LAYER - 1)], "auto", 9),
        ([CPU, gpu(RESERVE)], "auto", 0),
        ([CPU, gpu(100 << 20)], "auto", 0),
        # All layers fit, the output and the computation do not.
        ([CPU, gpu(RESERVE + 32 * LAYER)], "auto", 32),
        # Two cards together; one that shares the machine's memory counts as it is.
        ([gpu(RESERVE + 5 * LAYER), gpu(RESERVE + 6 * LAYER, name="CUDA1")], "auto", 11),
        ([gpu(RESERVE + 3 * LAYER, kind="igpu", name="Vulkan0")], "auto", 3),
        # It does not say, so llama.cpp's own default holds.
        ([gpu(0, 0)], "auto", ALL),
        # Who sets a number gets it.
        ([gpu(100 << 20)], 99, 99),
        ([gpu(20 * GB)], 0, 0),
        ([CPU], 7, 7),
    ],
)
def test_layers_by_free_memory(found: list[Device], wanted: int | str, layers: int) -> None:
    assert layers_on_gpu(model(), 8192, found, wanted) == layers


def test_more_context_leaves_room_for_fewer_layers() -> None:
    card = [gpu(RESERVE + 10 * LAYER)]
    assert layers_on_gpu(model(), 4 * 8192, card) < layers_on_gpu(model(), 8192, card) == 10


def test_the_shipped_model_and_a_file_without_layers() -> None:
    header = gguf.read(shipped() / SHIPPED.file)
    assert layers_on_gpu(header, 4096, [gpu(8 * GB)]) == ALL
    assert layers_on_gpu(model(layers=0, rest=64 * GB), 8192, [gpu(8 * GB)]) == 0


def test_llama_cpp_lists_this_machine() -> None:
    """The real library, through its own interface: there is always a processor."""
    found = devices.devices()
    assert [device for device in found if device.kind == "cpu"]
    assert all(device.name and device.about for device in found)
    assert all(0 <= device.free <= device.total or not device.total for device in found)


@pytest.mark.parametrize(
    ("cores", "memory", "gpu_memory", "name"),
    [
        (2, 4 * GB, 0, "wicket-base"),
        (4, 8 * GB, 0, "qwen2.5-coder-0.5b"),
        (8, 1 * GB, 0, "wicket-base"),
        (8, 16 * GB, 0, "qwen2.5-coder-1.5b"),
        (64, 512 * GB, 0, "qwen2.5-coder-1.5b"),
        (4, 16 * GB, 8 * GB, "qwen2.5-coder-7b"),
        (4, 16 * GB, 16 * GB, "qwen2.5-coder-14b"),
        (16, 64 * GB, 24 * GB, "qwen3-coder-30b-a3b"),
        (0, 0, 0, "wicket-base"),
    ],
)
def test_what_fits_a_machine(cores: int, memory: int, gpu_memory: int, name: str) -> None:
    found = recommended(cores, memory, gpu_memory, lambda said: not question(said, ALLOWED))
    assert found.name == name


def test_only_what_is_free_is_recommended() -> None:
    for row in MODELS:
        if row.cores or row.gpu:
            assert question(row.licence, ALLOWED) == ""
    assert recommended(8, 16 * GB, 24 * GB, lambda said: said == "MIT") is SHIPPED
