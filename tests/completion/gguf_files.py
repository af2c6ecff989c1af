"""Writes small GGUF files: vocabularies that llama.cpp loads, models that are lies."""

import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

NORMAL, UNKNOWN, CONTROL, USER_DEFINED, BYTE = 1, 2, 3, 4, 6
F32, Q8_0 = 0, 8

Value = str | bool | int | float | list[str] | list[int] | list[float]


@dataclass(frozen=True)
class Raw:
    """A value as bytes, its type first: for files that no writer would make."""

    data: bytes


@dataclass(frozen=True)
class Weights:
    """A tensor.  `offset` and `dimensions` default to the truth."""

    name: str
    shape: tuple[int, ...]
    type: int = F32
    size: int = 0
    offset: int | None = None


def text(value: str) -> bytes:
    data = value.encode()
    return struct.pack("<Q", len(data)) + data


def encoded(value: Value | Raw) -> bytes:
    """Type number and value: integers as uint32, in arrays int32."""
    match value:
        case Raw(data):
            return data
        case bool():
            return struct.pack("<I?", 7, value)
        case int():
            return struct.pack("<II", 4, value)
        case float():
            return struct.pack("<If", 6, value)
        case str():
            return struct.pack("<I", 8) + text(value)
        case [str(), *_]:
            items = b"".join(text(str(item)) for item in value)
            return struct.pack("<IIQ", 9, 8, len(value)) + items
        case [float(), *_]:
            return struct.pack(f"<IIQ{len(value)}f", 9, 6, len(value), *value)
        case _:
            return struct.pack(f"<IIQ{len(value)}i", 9, 5, len(value), *value)


def header(
    metadata: Mapping[str, Value | Raw],
    tensors: Sequence[Weights] = (),
    *,
    magic: bytes = b"GGUF",
    version: int = 3,
    pairs: int | None = None,
    count: int | None = None,
    alignment: int = 32,
) -> bytes:
    """Everything before the data section, padded; counts default to the truth."""
    data = magic + struct.pack(
        "<IQQ",
        version,
        len(tensors) if count is None else count,
        len(metadata) if pairs is None else pairs,
    )
    for key, value in metadata.items():
        data += text(key) + encoded(value)
    offset = 0
    for tensor in tensors:
        data += text(tensor.name) + struct.pack("<I", len(tensor.shape))
        data += struct.pack(f"<{len(tensor.shape)}Q", *tensor.shape)
        place = offset if tensor.offset is None else tensor.offset
        data += struct.pack("<IQ", tensor.type, place)
        offset += -(-tensor.size // alignment) * alignment
    if tensors:
        data += bytes(-len(data) % alignment)
    return data


def write(
    path: Path,
    metadata: Mapping[str, Value | Raw],
    tensors: Sequence[Weights] = (),
    *,
    alignment: int = 32,
) -> Path:
    """A whole file; the weights are a hole, so that large ones take no room on disk."""
    head = header(metadata, tensors, alignment=alignment)
    end = len(head)
    for tensor in tensors:
        end = len(head) + -(-(end - len(head)) // alignment) * alignment + tensor.size
    with path.open("wb") as file:
        file.write(head)
        file.truncate(end)
    return path


def byte_characters() -> list[str]:
    """The printable character that stands for each byte in a byte-level vocabulary."""
    plain = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = iter(range(256, 512))
    return [chr(b) if b in plain else chr(next(others)) for b in range(256)]


def byte_level(
    markers: Sequence[str],
    *,
    name: str = "",
    architecture: str = "llama",
    merges: Sequence[str] = ("Ġ Ġ",),
    user_defined: Sequence[str] = (),
    **keys: Value,
) -> dict[str, Value | Raw]:
    """Metadata of a byte-level BPE vocabulary: markers, bytes, merges, in this order.

    `merges` are pairs such as "Ġ Ġ"; `keys` are put below tokenizer.ggml.
    """
    tokens = [*markers, *user_defined, *byte_characters()]
    types = [CONTROL] * len(markers) + [USER_DEFINED] * len(user_defined)
    tokens += [merge.replace(" ", "") for merge in merges]
    types += [NORMAL] * (len(tokens) - len(types))
    return {
        "general.architecture": architecture,
        "general.name": name,
        f"{architecture}.context_length": 2048,
        "tokenizer.ggml.model": "gpt2",
        "tokenizer.ggml.pre": "qwen2",
        "tokenizer.ggml.tokens": tokens,
        "tokenizer.ggml.token_type": types,
        "tokenizer.ggml.merges": list(merges),
        "tokenizer.ggml.add_bos_token": False,
        **{f"tokenizer.ggml.{key}": value for key, value in keys.items()},
    }


def sentencepiece(
    markers: Sequence[str], pieces: Sequence[str], *, name: str = "", **keys: Value
) -> dict[str, Value | Raw]:
    """Metadata of a SentencePiece vocabulary: unk, s, /s, bytes, pieces, markers."""
    tokens = ["<unk>", "<s>", "</s>", *(f"<0x{b:02X}>" for b in range(256))]
    types = [UNKNOWN, CONTROL, CONTROL] + [BYTE] * 256
    tokens += [*pieces, *markers]
    types += [NORMAL] * len(pieces) + [CONTROL] * len(markers)
    scores = [float(-i) for i in range(len(tokens))]
    return {
        "general.architecture": "llama",
        "general.name": name,
        "llama.context_length": 2048,
        "tokenizer.ggml.model": "llama",
        "tokenizer.ggml.tokens": tokens,
        "tokenizer.ggml.token_type": types,
        "tokenizer.ggml.scores": scores,
        "tokenizer.ggml.bos_token_id": 1,
        "tokenizer.ggml.eos_token_id": 2,
        **{f"tokenizer.ggml.{key}": value for key, value in keys.items()},
    }
