"""Weights between PyTorch and GGUF, both ways, and their kinds of numbers.

What is read from a file is exactly what llama.cpp computes with; written again in the same
kind, it is the same bytes (a test compares).
"""

# The bindings carry no usable types, and they may not be installed.
# pyright: basic, reportMissingImports=false, reportAttributeAccessIssue=false

import ctypes
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import gguf as format
import numpy as np
import torch
from gguf import quants

from .. import gguf
from ..gguf import BadModel, Gguf
from ..models import LANGUAGES
from .network import Network
from .sizes import Size
from .tokens import END, MARKERS, NAME, SPLIT, Tokens

# Kinds that are written here: of matrices; norms are always F32.
OURS = {
    "f32": format.GGMLQuantizationType.F32,
    "f16": format.GGMLQuantizationType.F16,
    "q8_0": format.GGMLQuantizationType.Q8_0,
}
FILE_TYPES = {
    "f32": format.LlamaFileType.ALL_F32,
    "f16": format.LlamaFileType.MOSTLY_F16,
    "q8_0": format.LlamaFileType.MOSTLY_Q8_0,
}
# Kinds that llama.cpp's own quantiser makes, by its numbers (llama.h, `llama_ftype`).
THEIRS = {"q4_0": 2, "q4_k_m": 15, "iq4_nl": 25, "q5_k_m": 17}
KINDS = (*OURS, *THEIRS)
# The role of each marker in the metadata, in the order of `MARKERS`.
ROLES = ("eos", "fim_pre", "fim_mid", "fim_suf", "fim_pad", "fim_rep", "fim_sep")
NAME_BEGINS = "wicket"
KEEP = ("tokenizer.ggml.tokens", "tokenizer.ggml.merges", LANGUAGES)


@dataclass(frozen=True, slots=True)
class About:
    """What a file says of itself besides its numbers."""

    name: str = NAME
    description: str = "Wicket's embedded completion model (fill in the middle)"
    licence: str = "Apache-2.0"
    languages: tuple[str, ...] = ("python",)
    base: str = ""


def write(path: Path, network: Network, tokens: Tokens, kind: str, about: About) -> str:
    """Write a model that our engine loads; its sha256.  Raises BadModel."""
    if kind in THEIRS:
        whole = path.with_name(f"{path.name}.f32")
        write(whole, network, tokens, "f32", about)
        try:
            quantise(whole, path, kind)
        finally:
            whole.unlink(missing_ok=True)
        return digest(path)
    part = path.with_name(f"{path.name}.part")
    writer = format.GGUFWriter(part, "llama")
    _describe(writer, network.size, tokens, kind, about)
    for name, tensor in network.state_dict().items():
        values = tensor.detach().float().cpu().numpy()
        if values.ndim == 1 or kind == "f32":
            writer.add_tensor(name, np.ascontiguousarray(values))
        elif kind == "f16":
            writer.add_tensor(name, values.astype(np.float16))
        else:
            packed = quants.quantize(values, OURS[kind])
            writer.add_tensor(name, packed, raw_dtype=OURS[kind])
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    part.rename(path)
    return digest(path)


def quantise(source: Path, target: Path, kind: str) -> None:
    """Have llama.cpp make a smaller kind of a file.  Raises BadModel."""
    import llama_cpp  # noqa: PLC0415

    wanted = llama_cpp.llama_model_quantize_default_params()
    wanted.ftype = THEIRS[kind]
    wanted.nthread = 2
    llama_cpp.llama_log_set(_SILENT, ctypes.c_void_p(0))
    part = target.with_name(f"{target.name}.part")
    said = llama_cpp.llama_model_quantize(
        str(source).encode(),
        str(part).encode(),
        ctypes.byref(wanted),  # pyright: ignore[reportArgumentType]
    )
    if said != 0:
        part.unlink(missing_ok=True)
        raise BadModel(f"{source}: llama.cpp cannot make {kind} of it (code {said})")
    part.rename(target)


def read(path: Path) -> tuple[Network, Gguf]:
    """The network of a model that was trained here, its weights as exact as the file's.

    Raises BadModel for other models: their architecture may differ in what no number says.
    """
    header = gguf.read(path, KEEP)
    size = size_of(header)
    network = Network(size)
    wanted = network.state_dict()
    found: dict[str, torch.Tensor] = {}
    for tensor in format.GGUFReader(path).tensors:
        values = quants.dequantize(tensor.data, tensor.tensor_type)
        found[tensor.name] = torch.from_numpy(np.array(values, np.float32))
    if set(found) != set(wanted):
        odd = sorted(set(found) ^ set(wanted))[0]
        raise BadModel(f"{path}: {odd} is not as in the models that are trained here")
    network.load_state_dict({name: found[name].view(wanted[name].shape) for name in wanted})
    return network, header


def ours(header: Gguf) -> bool:
    """Whether a file says that its model was trained here."""
    name = str(header.metadata.get("general.name", ""))
    return header.architecture == "llama" and name.startswith(NAME_BEGINS)


def size_of(header: Gguf) -> Size:
    """The shape that a file says it has.  Raises BadModel where it is none of ours."""
    name = str(header.metadata.get("general.name", ""))
    if not ours(header):
        raise BadModel(f"{header.path}: {name or header.architecture} was not trained here")
    context = header.context
    return Size(
        name=name,
        layers=header.number("block_count"),
        width=header.number("embedding_length"),
        heads=header.number("attention.head_count"),
        kv_heads=header.number("attention.head_count_kv"),
        hidden=header.number("feed_forward_length"),
        vocabulary=header.vocabulary_size,
        # What is trained further knows short rows already.
        lengths=(context, context),
        batch=8_192,
        tokens=1,
        rope=float(header.metadata.get("llama.rope.freq_base", 10_000.0)),
        # Kept as a 32-bit number: as a double it is not what was meant.
        epsilon=float(f"{float(header.metadata['llama.attention.layer_norm_rms_epsilon']):.6g}"),
    )


def kind_of(header: Gguf) -> str:
    """The kind of its matrices, as it is named here."""
    kinds = {tensor.type for tensor in header.tensors if len(tensor.shape) == 2}
    return next(iter(kinds)).lower() if len(kinds) == 1 else "q4_k_m"


def digest(path: Path) -> str:
    with path.open("rb") as reading:
        return hashlib.file_digest(reading, "sha256").hexdigest()


def _describe(
    writer: format.GGUFWriter, size: Size, tokens: Tokens, kind: str, about: About
) -> None:
    writer.add_name(about.name)
    writer.add_description(about.description)
    writer.add_license(about.licence)
    writer.add_array(LANGUAGES, list(about.languages))
    if about.base:
        writer.add_string("wicket.base", about.base)
    writer.add_context_length(size.context)
    writer.add_embedding_length(size.width)
    writer.add_block_count(size.layers)
    writer.add_feed_forward_length(size.hidden)
    writer.add_head_count(size.heads)
    writer.add_head_count_kv(size.kv_heads)
    writer.add_rope_dimension_count(size.head)
    writer.add_rope_freq_base(size.rope)
    writer.add_layer_norm_rms_eps(size.epsilon)
    writer.add_vocab_size(size.vocabulary)
    writer.add_file_type(FILE_TYPES[kind])
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre(SPLIT)
    # A row of the matrix without a token would be one that nobody can name.
    spare = [f"<|unused_{n}|>" for n in range(size.vocabulary - tokens.size)]
    texts = [*tokens.texts, *spare]
    writer.add_token_list(texts)
    writer.add_token_types(_types(texts))
    writer.add_token_merges([f"{left} {right}" for left, right in tokens.merges])
    for number, role in enumerate(ROLES):
        writer.add_uint32(f"tokenizer.ggml.{role}_token_id", number)
    writer.add_bos_token_id(END)
    writer.add_pad_token_id(MARKERS.index("<|fim_pad|>"))
    writer.add_add_bos_token(False)


def _types(texts: Sequence[str]) -> list[int]:
    """Markers are control tokens: llama.cpp never finds those in plain text."""
    kinds: Mapping[bool, int] = {
        True: int(format.TokenType.CONTROL),
        False: int(format.TokenType.NORMAL),
    }
    return [kinds[n < len(MARKERS) or t.startswith("<|unused_")] for n, t in enumerate(texts)]


@ctypes.CFUNCTYPE(None, ctypes.c_int, ctypes.c_char_p, ctypes.c_void_p)
def _SILENT(_level: int, _text: bytes, _data: object) -> None:
    """llama.cpp prints pages about every tensor."""
