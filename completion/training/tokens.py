"""The tokenizer: byte-level BPE that llama.cpp splits in the same way.

It is kept as the JSON of the `tokenizers` library.  Markers are the first ids; no text
ever becomes one, whatever it says.
"""

# The library's stubs leave most types open, and it may not be installed.
# pyright: basic, reportMissingImports=false

import json
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from .. import families, gguf
from ..families import Fim
from ..gguf import BadModel

# Every sample is a call of its own, from processes that are many already.
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")

# As in the first model, whose ids later ones keep: end, prefix, middle, suffix, padding,
# repository (never trained) and file.
MARKERS = (
    "<|endoftext|>",
    "<|fim_prefix|>",
    "<|fim_middle|>",
    "<|fim_suffix|>",
    "<|fim_pad|>",
    "<|repo_name|>",
    "<|file_sep|>",
)
END = 0
# llama.cpp's name of the pattern by which text is split first, and the pattern
# (`LLAMA_VOCAB_PRE_TYPE_QWEN2` in its llama-vocab.cpp); `verify` compares what both make
# of real lines.
SPLIT = "qwen2"
PATTERN = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*"
    r"|\s*[\r\n]+|\s+(?!\S)|\s+"
)
# The name that makes `families` see one of ours.
NAME = "wicket-base"


class NoTokenizer(BadModel):
    """A tokenizer that cannot be had; the message is one line."""


class Tokens:
    """A vocabulary with its merges.  Satisfies `families.Vocabulary`."""

    def __init__(self, texts: Sequence[str], merges: Sequence[tuple[str, str]]) -> None:
        from tokenizers import Tokenizer, decoders, models  # noqa: PLC0415

        self.texts = tuple(texts)
        self.merges = tuple(merges)
        self._ids = {text: number for number, text in enumerate(texts)}
        self._tokenizer = Tokenizer(models.BPE(self._ids, list(merges)))
        self._tokenizer.pre_tokenizer = _split()
        self._tokenizer.decoder = decoders.ByteLevel()

    @property
    def size(self) -> int:
        return len(self.texts)

    @property
    def metadata(self) -> Mapping[str, str]:
        return {"general.name": NAME, "general.architecture": "llama"}

    def id_of(self, token_text: str, /) -> int | None:
        return self._ids.get(token_text)

    def tokenize(self, text: str, /) -> list[int]:
        return self._tokenizer.encode(text).ids

    def text_of(self, ids: Sequence[int]) -> str:
        return self._tokenizer.decode(list(ids), skip_special_tokens=False)

    @property
    def fim(self) -> Fim:
        """The markers and the layout of the family, as the engine finds them."""
        return families.fim_for(self)

    def save(self, path: Path) -> None:
        merges = [f"{left} {right}" for left, right in self.merges]
        said = {"split": SPLIT, "tokens": self.texts, "merges": merges}
        part = path.with_name(f"{path.name}.part")
        part.write_text(json.dumps(said, ensure_ascii=False), "utf-8")
        os.replace(part, path)


def load(path: Path) -> Tokens:
    """What `save` wrote.  Raises NoTokenizer."""
    try:
        said = json.loads(path.read_text("utf-8"))
        texts, merges, split = said["tokens"], said["merges"], said["split"]
    except OSError as error:
        raise NoTokenizer(f"{path}: cannot be read ({error.strerror})") from None
    except (ValueError, KeyError, TypeError):
        raise NoTokenizer(f"{path}: is no tokenizer of ours; make it again") from None
    if split != SPLIT:
        raise NoTokenizer(f"{path}: splits as {split}, only {SPLIT} is known here")
    return Tokens(texts, [_pair(merge) for merge in merges])


def of_gguf(path: Path) -> Tokens:
    """The tokenizer of a model of ours.  Raises NoTokenizer, and BadModel."""
    keep = ("tokenizer.ggml.tokens", "tokenizer.ggml.merges")
    header = gguf.read(path, keep)
    split = header.metadata.get("tokenizer.ggml.pre")
    if split != SPLIT or not all(name in header.arrays for name in keep):
        raise NoTokenizer(f"{path}: its tokenizer is not the kind that is trained here")
    texts, merges = (list(map(str, header.arrays[name])) for name in keep)
    if tuple(texts[: len(MARKERS)]) != MARKERS:
        raise NoTokenizer(f"{path}: has other markers than the models that are trained here")
    return Tokens(texts, [_pair(merge) for merge in merges])


def train(texts: Iterable[str], size: int) -> Tokens:
    """A vocabulary of `size` tokens, markers and all 256 bytes among them."""
    from tokenizers import Tokenizer, models, pre_tokenizers, trainers  # noqa: PLC0415

    learning = Tokenizer(models.BPE())
    learning.pre_tokenizer = _split()
    trainer = trainers.BpeTrainer(
        vocab_size=size,
        special_tokens=list(MARKERS),
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        min_frequency=2,
        show_progress=False,
    )
    learning.train_from_iterator(texts, trainer)
    said = json.loads(learning.to_str())["model"]
    texts_of = sorted(said["vocab"], key=said["vocab"].__getitem__)
    # Rows of a matrix come in blocks of 32 when they are quantised, and so do tokens.
    filled = [*texts_of, *(f"<|unused_{n}|>" for n in range(-len(texts_of) % 32))]
    return Tokens(filled, [_pair(merge) for merge in said["merges"]])


def _split():
    from tokenizers import Regex, pre_tokenizers  # noqa: PLC0415

    return pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(PATTERN), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )


def _pair(merge: str | Sequence[str]) -> tuple[str, str]:
    left, right = merge.split(" ") if isinstance(merge, str) else merge
    return left, right
