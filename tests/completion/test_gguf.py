"""Headers of model files: real ones, cut ones, and lies."""

import ctypes
import os
import struct
import tracemalloc
from pathlib import Path

import llama_cpp
import pytest
from hypothesis import given
from hypothesis import strategies as st
from wicket.completion import gguf
from wicket.completion.gguf import BadModel

from .gguf_files import F32, Q8_0, Raw, Value, Weights, byte_level, header, write
from .vocabularies import real

EMBEDDED = Path(gguf.__file__).parent / "models" / "wicket-base-q8_0.gguf"
TOKENS = "tokenizer.ggml.tokens"

# The shape of Qwen2.5-Coder-1.5B.
QWEN: dict[str, Value | Raw] = {
    "general.architecture": "qwen2",
    "general.name": "Qwen2.5 Coder 1.5B",
    "qwen2.block_count": 28,
    "qwen2.context_length": 32768,
    "qwen2.embedding_length": 1536,
    "qwen2.feed_forward_length": 8960,
    "qwen2.attention.head_count": 12,
    "qwen2.attention.head_count_kv": 2,
    "qwen2.vocab_size": 151936,
}
# A small file with a value of every kind.
SMALL: dict[str, Value | Raw] = {
    "general.architecture": "llama",
    "general.name": "tiny",
    "llama.context_length": 64,
    "llama.rope.freq_base": 10000.0,
    "tokenizer.ggml.add_bos_token": True,
    TOKENS: ["a", "bc", ""],
    "tokenizer.ggml.scores": [0.0, -1.0, -2.0],
    "tokenizer.ggml.token_type": [1, 1, 3],
}
TENSORS = (
    Weights("token_embd.weight", (32, 3), Q8_0, size=102),
    Weights("output_norm.weight", (32,), F32, size=128),
)


def refusal(path: Path) -> str:
    """Why `path` is refused: one printable line that ends in what to do."""
    with pytest.raises(BadModel) as error:
        gguf.read(path)
    line = str(error.value)
    assert line.isprintable()
    assert path.name.replace("\n", "?") in line
    assert "; " in line
    return line


def file(folder: Path, data: bytes) -> Path:
    path = folder / "model.gguf"
    path.write_bytes(data)
    return path


def test_the_embedded_model() -> None:
    model = gguf.read(EMBEDDED)
    assert (model.architecture, model.name, model.version) == (
        "llama",
        "wicket-base",
        3,
    )
    assert (model.context, model.vocabulary_size) == (1024, 8192)
    assert model.size == model.size_needed == 7_519_328
    assert len(model.tensors) == 56
    assert {tensor.type for tensor in model.tensors} == {"F32", "Q8_0"}
    assert sum(t.shape[0] * (*t.shape, 1)[1] for t in model.tensors) == 6_819_072
    assert model.metadata["general.license"] == "Apache-2.0"
    assert model.metadata["tokenizer.ggml.add_bos_token"] is False
    assert model.arrays == {}


def test_arrays_are_kept_where_asked_for() -> None:
    model = gguf.read(real("starcoder"), keep=(TOKENS,))
    assert model.lengths[TOKENS] == len(model.arrays[TOKENS]) == 49152
    assert model.arrays[TOKENS][:3] == ("<|endoftext|>", "<fim_prefix>", "<fim_middle>")
    assert set(model.arrays) == {TOKENS}
    assert model.tensors == ()
    assert model.size == model.size_needed


def test_every_kind_of_value(tmp_path: Path) -> None:
    path = write(tmp_path / "a.gguf", SMALL, TENSORS)
    model = gguf.read(path, keep=(TOKENS, "tokenizer.ggml.scores"))
    assert model.metadata["llama.rope.freq_base"] == 10000.0
    assert model.metadata["tokenizer.ggml.add_bos_token"] is True
    assert model.arrays[TOKENS] == ("a", "bc", "")
    assert model.arrays["tokenizer.ggml.scores"] == (0.0, -1.0, -2.0)
    assert model.lengths["tokenizer.ggml.token_type"] == 3
    assert [(t.name, t.type, t.shape, t.size) for t in model.tensors] == [
        ("token_embd.weight", "Q8_0", (32, 3), 102),
        ("output_norm.weight", "F32", (32,), 128),
    ]
    first, second = model.tensors
    assert first.start % 32 == 0
    assert second.start == first.start + 128
    assert second.start + second.size == model.size_needed == model.size


def test_types_are_as_large_as_ggml_says() -> None:
    """The table of tensor types agrees with the library that will load them."""
    library = Path(llama_cpp.__file__).parent / "lib" / "libggml-base.so"
    ggml = ctypes.CDLL(str(library))
    ggml.ggml_type_name.restype = ctypes.c_char_p
    ggml.ggml_type_size.restype = ctypes.c_size_t
    ggml.ggml_blck_size.restype = ctypes.c_int64
    for number, (name, block, size) in gguf.TENSOR_TYPES.items():
        assert ggml.ggml_type_name(number).decode().lower() == name.lower()
        assert (ggml.ggml_blck_size(number), ggml.ggml_type_size(number)) == (
            block,
            size,
        )


def test_a_file_cut_anywhere_is_refused(tmp_path: Path) -> None:
    """Every length from nothing to one byte too few."""
    path = write(tmp_path / "model.gguf", SMALL, TENSORS)
    gguf.read(path)
    for length in reversed(range(path.stat().st_size)):
        os.truncate(path, length)
        line = refusal(path)
        assert "truncated" in line or "not a GGUF" in line or "claims" in line


def test_any_changed_byte_is_read_or_refused(tmp_path: Path) -> None:
    """Damage leads to BadModel or to other values, never to another exception."""
    data = header(SMALL, TENSORS)
    path = file(tmp_path, data + bytes(256))
    outcomes = {"read": 0, "refused": 0}
    with path.open("r+b", buffering=0) as changed:
        for at, byte in enumerate(data):
            for value in (0, 1, 0x7F, 0xFF, byte ^ 0x10, byte):
                os.pwrite(changed.fileno(), bytes([value]), at)
                try:
                    gguf.read(path, keep=(TOKENS,))
                    outcomes["read"] += 1
                except BadModel:
                    outcomes["refused"] += 1
    assert min(outcomes.values()) > len(data)


@given(data=st.binary(max_size=300))
def test_noise_behind_the_magic_number(
    data: bytes, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("noise") / "model.gguf"
    path.write_bytes(b"GGUF\3\0\0\0" + data)
    assert refusal(path)


def test_missing_bytes_are_counted(tmp_path: Path) -> None:
    """Four gigabytes of weights, the last 1,000 bytes of which did not arrive."""
    tensor = Weights("blk.0.weight", (1 << 15, 1 << 15), F32, size=1 << 32)
    path = write(tmp_path / "model.gguf", QWEN, [tensor])
    assert gguf.read(path).size_needed == path.stat().st_size
    os.truncate(path, path.stat().st_size - 1000)
    line = refusal(path)
    assert "truncated: 1000 bytes of 4294967" in line
    assert "download or copy it again" in line


BIG = 1 << 60


def array(kind: int, count: int, data: bytes = b"") -> Raw:
    return Raw(struct.pack("<IIQ", 9, kind, count) + data)


def string(length: int) -> Raw:
    return Raw(struct.pack("<IQ", 8, length))


# What is wrong -> the file's first bytes, and a part of what is said about it.
LIES: dict[str, tuple[bytes, str]] = {
    "empty": (b"", "not a GGUF"),
    "short": (b"GG", "not a GGUF"),
    "another format": (b"PK\3\4" + bytes(100), "not a GGUF"),
    "big endian": (b"GGUF\0\0\0\3" + bytes(16), "big-endian"),
    "version 1": (header({}, version=1), "version 1, and only 2 and 3"),
    "version 4": (header({}, version=4), "version 4"),
    "pairs": (header(SMALL, pairs=BIG), f"claims {BIG} metadata pairs"),
    "tensors": (header(SMALL, count=BIG), f"claims {BIG} tensors"),
    "negative": (header({}, pairs=-1 & (1 << 64) - 1), "metadata pairs"),
    "string": (header({"a": string(BIG)}), f"claims {BIG} bytes"),
    "long string": (header({"a": string(1000)}), "truncated"),
    "strings": (header({"a": array(8, BIG)}), f"claims {BIG} items"),
    "string in array": (
        header({"a": array(8, 1, struct.pack("<Q", BIG))}),
        f"claims {BIG} bytes",
    ),
    "numbers": (header({"a": array(4, BIG)}), f"claims {BIG} items"),
    "empty strings": (header({"a": array(8, 1 << 23)}) + bytes(1 << 26), "items"),
    "nested array": (header({"a": array(9, 1)}), "unknown type 9"),
    "unknown type": (header({"a": Raw(struct.pack("<IQ", 99, 0))}), "unknown type 99"),
    "empty key": (header({"": 1}), "empty or there twice"),
    "same key": (header({"a": 1}, pairs=2) + header({"a": 1})[24:], "there twice"),
    "alignment 0": (header({"general.alignment": 0}), "not a power of two"),
    "alignment 3": (header({"general.alignment": 3}), "not a power of two"),
    "alignment text": (header({"general.alignment": "x"}), "not a power of two"),
    "dimensions": (header({}, [Weights("w", (1,) * 5)]), "claims 5 dimensions"),
    "shape": (header({}, [Weights("w", (BIG, BIG), size=4)]), f"{BIG}x{BIG}"),
    "huge": (header({}, [Weights("w", (BIG,), size=4)]), "truncated"),
    "row": (header({}, [Weights("w", (33, 2), Q8_0)]), "type Q8_0 has shape 33x2"),
    "tensor type": (header({}, [Weights("w", (1,), 4)]), "type 4, which is not known"),
    "same tensor": (
        header({}, [Weights("w", (8,), size=32), Weights("w", (8,))]),
        "'w' is there twice",
    ),
    "overlap": (
        header({}, [Weights("v", (8,), size=32), Weights("w", (8,), offset=0)]),
        "'w' starts at 0, not at 32",
    ),
    "gap": (header({}, [Weights("w", (8,), offset=64)]), "starts at 64, not at 0"),
    "no data": (header({}, [Weights("w", (8,))]), "32 bytes of"),
}


@pytest.mark.parametrize("name", LIES)
def test_lies_are_refused_without_believing_them(name: str, tmp_path: Path) -> None:
    """No number from the file decides how much memory is taken."""
    data, why = LIES[name]
    path = file(tmp_path, data)
    tracemalloc.start()
    line = refusal(path)
    _now, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert why in line
    assert peak < 2_000_000


def test_names_from_the_file_cannot_write_lines(tmp_path: Path) -> None:
    """Control characters and endless keys stay out of the message."""
    key = "\n\x1b[31m" + "k" * 5000
    line = refusal(file(tmp_path, header({key: Raw(struct.pack("<IQ", 99, 0))})))
    assert len(line) < 800
    odd = tmp_path / "two\nlines.gguf"
    odd.write_bytes(b"no")
    assert "two?lines.gguf" in refusal(odd)


def test_what_is_not_a_file_is_refused(tmp_path: Path) -> None:
    assert "no such file" in refusal(tmp_path / "missing.gguf")
    assert "a directory" in refusal(tmp_path)
    pipe = tmp_path / "pipe.gguf"
    os.mkfifo(pipe)
    assert "not a regular file" in refusal(pipe)
    (tmp_path / "plain").write_text("x")
    assert "cannot be opened" in refusal(tmp_path / "plain" / "model.gguf")
    loop = tmp_path / "loop.gguf"
    loop.symlink_to(loop)
    assert "cannot be opened" in refusal(loop)


def test_memory_is_weights_and_cache_and_margin(tmp_path: Path) -> None:
    """A 1.5B Qwen takes 28 KiB of KV cache per token."""
    weights = Weights("blk.0.weight", (1 << 10, 1 << 10), F32, size=1 << 22)
    model = gguf.read(write(tmp_path / "model.gguf", QWEN, [weights]))
    one, two = (gguf.memory_needed(model, n, batch_tokens=0) for n in (1000, 2000))
    assert two - one == 1000 * 28 * 1024
    assert one - 1000 * 28 * 1024 == (1 << 22) + gguf.FIXED_MARGIN
    assert gguf.memory_needed(model, 1000) - one > 128 * 151936 * 4


def test_memory_with_heads_of_each_layer(tmp_path: Path) -> None:
    """Some architectures say the number of KV heads layer by layer."""
    heads: list[int] = [2, 0, 4]
    made = QWEN | {"qwen2.block_count": 3, "qwen2.attention.head_count_kv": heads}
    model = gguf.read(write(tmp_path / "model.gguf", made))
    one, two = (gguf.memory_needed(model, n, batch_tokens=0) for n in (0, 1))
    assert two - one == 6 * 2 * 128 * 2


def test_memory_of_a_file_that_says_nothing(tmp_path: Path) -> None:
    path = write(tmp_path / "model.gguf", {"general.architecture": "llama"})
    assert gguf.memory_needed(gguf.read(path), 4096) > gguf.FIXED_MARGIN


def test_context_and_vocabulary_are_read_from_the_header(tmp_path: Path) -> None:
    model = gguf.read(write(tmp_path / "model.gguf", QWEN))
    assert (model.context, model.vocabulary_size) == (32768, 151936)
    made = byte_level(["<x>"], architecture="llama")
    assert gguf.read(write(tmp_path / "b.gguf", made)).vocabulary_size == 258
    silent = gguf.read(write(tmp_path / "c.gguf", {}))
    assert (silent.architecture, silent.name, silent.context) == ("", "", 0)
