"""Read the header of a GGUF model file without trusting a single number in it.

The layout is the GGUF specification, versions 2 and 3, little endian.  llama.cpp aborts
or prints pages about a file it dislikes; this reader comes first and says one line.
"""

import math
import os
import stat
import struct
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

from .bounded import AGAIN, Damaged, Source

Scalar = str | int | float | bool

# Limits far above any real model (the largest vocabularies have 262,144 entries): they
# bound the time that a hostile file can take.
MAX_PAIRS = 1 << 16
MAX_TENSORS = 1 << 16
MAX_ITEMS = 1 << 22
MAX_KEY = 1 << 16
MAX_DIMENSIONS = 4

# GGUF value types: number -> struct format.  8 is a string, 9 an array.
NUMBERS = dict(zip((0, 1, 2, 3, 4, 5, 6, 7, 10, 11, 12), "BbHhIif?Qqd", strict=True))
STRING, ARRAY = 8, 9

# Tensor types as in ggml: number -> (name, elements per block, bytes per block).
# fmt: off
TENSOR_TYPES = {
    0: ("F32", 1, 4), 1: ("F16", 1, 2), 30: ("BF16", 1, 2), 28: ("F64", 1, 8),
    24: ("I8", 1, 1), 25: ("I16", 1, 2), 26: ("I32", 1, 4), 27: ("I64", 1, 8),
    2: ("Q4_0", 32, 18), 3: ("Q4_1", 32, 20), 6: ("Q5_0", 32, 22), 7: ("Q5_1", 32, 24),
    8: ("Q8_0", 32, 34), 9: ("Q8_1", 32, 36), 10: ("Q2_K", 256, 84),
    11: ("Q3_K", 256, 110), 12: ("Q4_K", 256, 144), 13: ("Q5_K", 256, 176),
    14: ("Q6_K", 256, 210), 15: ("Q8_K", 256, 292), 16: ("IQ2_XXS", 256, 66),
    17: ("IQ2_XS", 256, 74), 18: ("IQ3_XXS", 256, 98), 19: ("IQ1_S", 256, 50),
    20: ("IQ4_NL", 32, 18), 21: ("IQ3_S", 256, 110), 22: ("IQ2_S", 256, 82),
    23: ("IQ4_XS", 256, 136), 29: ("IQ1_M", 256, 56), 34: ("TQ1_0", 256, 54),
    35: ("TQ2_0", 256, 66), 39: ("MXFP4", 32, 17), 40: ("NVFP4", 64, 36),
    41: ("Q1_0", 128, 18), 42: ("Q2_0", 64, 18),
}
# fmt: on


class BadModel(Exception):
    """A model file that cannot be used; the message is one line for a person."""


@dataclass(frozen=True, slots=True)
class Tensor:
    """`start` and `size` are bytes in the file; `shape` counts elements."""

    name: str
    type: str
    shape: tuple[int, ...]
    start: int
    size: int


@dataclass(frozen=True, slots=True)
class Gguf:
    """What a model file says about itself.

    `metadata` has the scalars and strings; `lengths` has the length of every array, and
    `arrays` the content of those that were asked for.  `size` is the file's size in
    bytes, `size_needed` where its last tensor ends.
    """

    path: Path
    version: int
    size: int
    size_needed: int
    metadata: Mapping[str, Scalar]
    lengths: Mapping[str, int]
    arrays: Mapping[str, tuple[Scalar, ...]]
    tensors: tuple[Tensor, ...]

    @property
    def architecture(self) -> str:
        return str(self.metadata.get("general.architecture", ""))

    @property
    def name(self) -> str:
        return str(self.metadata.get("general.name", ""))

    @property
    def context(self) -> int:
        """The context length in tokens the model was trained for; 0 where not said."""
        return self.number("context_length")

    @property
    def parameters(self) -> int:
        return sum(math.prod(tensor.shape) for tensor in self.tensors)

    @property
    def vocabulary_size(self) -> int:
        return self.lengths.get("tokenizer.ggml.tokens", self.number("vocab_size"))

    def number(self, key: str, default: int = 0) -> int:
        """An integer among the architecture's own keys."""
        value = self.metadata.get(f"{self.architecture}.{key}", default)
        return value if isinstance(value, int) else default


def read(path: Path | str, keep: Collection[str] = ()) -> Gguf:
    """Read the header of the model at `path`, with the arrays named in `keep`.

    Raises BadModel: not there, not a regular file, not a GGUF, of another byte order or
    version, cut off, or with numbers that contradict each other or the file's size.
    Memory use is bounded by the file's size and by the limits above.
    """
    path = Path(path)
    try:
        # Without O_NONBLOCK, opening a named pipe would wait for a writer for ever.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        raise BadModel(
            f"{shown(path)}: no such file; check the path or list models with `wicket model list`"
        ) from None
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else "not a valid path"
        raise BadModel(
            f"{shown(path)}: cannot be opened ({why}); check path and permissions"
        ) from None
    try:
        state = os.fstat(descriptor)
        if not stat.S_ISREG(state.st_mode):
            kind = "a directory" if stat.S_ISDIR(state.st_mode) else "not a regular file"
            raise BadModel(f"{shown(path)}: is {kind}; give the path of a .gguf file")
        return _read(path, Source(descriptor, state.st_size), keep)
    except Damaged as error:
        what = shown(error.what)
        raise BadModel(f"{shown(path)}: {what}; {error.do}") from None
    except OSError as error:
        why = error.strerror
        raise BadModel(f"{shown(path)}: cannot be read ({why}); {AGAIN}") from None
    finally:
        os.close(descriptor)


# Bytes that llama.cpp needs beside weights and KV cache: graphs, buffers, thread pools.
FIXED_MARGIN = 48 << 20


def memory_needed(gguf: Gguf, context_tokens: int, batch_tokens: int = 128) -> int:
    """Estimate the bytes that running the model takes: weights, KV cache, computation.

    The KV cache is counted in f16 for every layer, which is too much for sliding-window
    and recurrent models; the computation is one batch through the widest part of the
    network and the vocabulary, in f32, with attention scores not fused.
    """
    layers = gguf.number("block_count")
    width = gguf.number("embedding_length")
    heads = max(gguf.number("attention.head_count"), 1)
    head = width // heads
    key = gguf.number("attention.key_length", head)
    value = gguf.number("attention.value_length", head)
    per_layer = gguf.arrays.get(f"{gguf.architecture}.attention.head_count_kv")
    if per_layer is not None:
        kv_heads = sum(n for n in per_layer if isinstance(n, int))
    else:
        kv_heads = layers * gguf.number("attention.head_count_kv", heads)
    weights = sum(tensor.size for tensor in gguf.tensors)
    cache = context_tokens * kv_heads * (key + value) * 2
    row = (
        gguf.vocabulary_size
        + 3 * gguf.number("feed_forward_length")
        + 8 * width
        + heads * context_tokens
    )
    return weights + cache + batch_tokens * row * 4 + FIXED_MARGIN


def shown(text: object) -> str:
    """`text` as one printable line: names in files and paths may hold anything."""
    line = "".join(c if c.isprintable() else "?" for c in str(text))
    return line if len(line) <= 300 else line[:297] + "..."


def _read(path: Path, source: Source, keep: Collection[str]) -> Gguf:
    magic = source.take(4, "the magic number") if source.size >= 4 else b""
    if magic != b"GGUF":
        raise Damaged("not a GGUF file", "give a model in GGUF format")
    version = source.number("I", "the version")
    if version & 0xFFFF == 0:
        raise Damaged(
            "written for big-endian machines",
            "download the little-endian file or convert it",
        )
    if version not in (2, 3):
        raise Damaged(
            f"GGUF version {version}, and only 2 and 3 are known",
            "convert the model again with a current llama.cpp",
        )
    tensor_count = source.number("Q", "the number of tensors")
    pair_count = source.number("Q", "the number of metadata pairs")
    # A pair takes at least 13 bytes and a tensor 24: more than fit is a lie.
    if pair_count > min(MAX_PAIRS, source.left // 13):
        raise Damaged(f"damaged header: it claims {pair_count} metadata pairs")
    if tensor_count > min(MAX_TENSORS, source.left // 24):
        raise Damaged(f"damaged header: it claims {tensor_count} tensors")

    metadata: dict[str, Scalar] = {}
    lengths: dict[str, int] = {}
    arrays: dict[str, tuple[Scalar, ...]] = {}
    for _ in range(pair_count):
        key = source.text("a metadata key", MAX_KEY)
        if not key or key in metadata or key in lengths:
            raise Damaged(f"damaged header: key '{key}' is empty or there twice")
        kind = source.number("I", f"the type of '{key}'")
        if kind == ARRAY:
            wanted = key in keep or key.endswith(".attention.head_count_kv")
            lengths[key], items = _array(source, key, wanted)
            if wanted:
                arrays[key] = items
        else:
            metadata[key] = _scalar(source, kind, key)

    tensors, size_needed = _tensors(source, tensor_count, metadata)
    if size_needed > source.size:
        raise Damaged(
            f"the file is truncated: {size_needed - source.size} bytes of {size_needed} are missing"
        )
    return Gguf(
        path=path,
        version=version,
        size=source.size,
        size_needed=size_needed,
        metadata=metadata,
        lengths=lengths,
        arrays=arrays,
        tensors=tensors,
    )


def _scalar(source: Source, kind: int, key: str) -> Scalar:
    what = f"the value of '{key}'"
    if kind == STRING:
        return source.text(what)
    if kind not in NUMBERS:
        raise Damaged(f"damaged header: '{key}' has unknown type {kind}")
    return source.number(NUMBERS[kind], what)


def _array(source: Source, key: str, wanted: bool) -> tuple[int, tuple[Scalar, ...]]:
    kind = source.number("I", f"the type of '{key}'")
    count = source.number("Q", f"the length of '{key}'")
    what = f"array '{key}'"
    if kind == STRING:
        least = 8
    elif kind in NUMBERS:
        least = struct.calcsize(NUMBERS[kind])
    else:
        raise Damaged(f"damaged header: {what} has unknown type {kind}")
    if count > MAX_ITEMS or count * least > source.left:
        raise Damaged(f"damaged header: {what} claims {count} items")
    if kind == STRING:
        return count, source.texts(count, what, wanted)
    if wanted:
        return count, struct.unpack(f"<{count}{NUMBERS[kind]}", source.take(count * least, what))
    source.skip(count * least, what)
    return count, ()


def _tensors(
    source: Source, count: int, metadata: Mapping[str, Scalar]
) -> tuple[tuple[Tensor, ...], int]:
    """The tensors and the byte where the last one ends.

    Offsets in the file count from the data section.  Tensors must follow each other
    without gap or overlap, each start rounded up to the alignment, as in llama.cpp.
    """
    alignment = metadata.get("general.alignment", 32)
    if (
        not isinstance(alignment, int)
        or not 0 < alignment <= 1 << 20
        or alignment & (alignment - 1)
    ):
        raise Damaged(f"damaged header: alignment {alignment} is not a power of two")
    found: list[tuple[str, str, tuple[int, ...], int, int]] = []
    names: set[str] = set()
    expected = 0
    for _ in range(count):
        name = source.text("a tensor's name", MAX_KEY)
        if name in names:
            raise Damaged(f"damaged header: tensor '{name}' is there twice")
        names.add(name)
        dimensions = source.number("I", f"the shape of tensor '{name}'")
        if dimensions > MAX_DIMENSIONS:
            raise Damaged(f"damaged header: tensor '{name}' claims {dimensions} dimensions")
        shape = tuple(
            source.number("Q", f"the shape of tensor '{name}'") for _ in range(dimensions)
        )
        kind = source.number("I", f"the type of tensor '{name}'")
        offset = source.number("Q", f"the place of tensor '{name}'")
        if kind not in TENSOR_TYPES:
            raise Damaged(
                f"tensor '{name}' has type {kind}, which is not known here",
                "use another quantisation of the model (Q8_0, Q4_K_M)",
            )
        type_name, block, block_bytes = TENSOR_TYPES[kind]
        elements = 1
        for extent in shape:
            elements *= extent
        row = shape[0] if shape else 1
        if elements >= 1 << 62 or row % block:
            raise Damaged(
                f"damaged header: tensor '{name}' of type {type_name} has shape "
                f"{'x'.join(map(str, shape))}"
            )
        if offset != expected:
            raise Damaged(f"damaged header: tensor '{name}' starts at {offset}, not at {expected}")
        size = elements // block * block_bytes
        found.append((name, type_name, shape, offset, size))
        expected = _round_up(offset + size, alignment)
    data = _round_up(source.position, alignment)
    tensors = tuple(
        Tensor(name, kind, shape, data + offset, size) for name, kind, shape, offset, size in found
    )
    # A vocabulary-only file ends with its header; there is nothing to align.
    end = tensors[-1].start + tensors[-1].size if tensors else source.position
    return tensors, end


def _round_up(number: int, to: int) -> int:
    return -(-number // to) * to
