"""Tune a model of somebody else: a low-rank adapter by peft, merged into a copy of its file.

PyTorch computes with the very weights of the GGUF (transformers reads them), samples are made
by the engine's own tokenizer and prompt, and what was learnt is written back matrix by matrix,
each in its kind of numbers; nothing else in the file changes.  Before and after, logits are
compared with the engine's: a model that the two read differently is refused.
"""

# PyTorch's annotations are too loose for the strict checker, and it may not be installed.
# pyright: basic, reportMissingImports=false, reportAttributeAccessIssue=false

import contextlib
import io
import os
import shutil
import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

# Everything is on this machine already, and nothing is asked for elsewhere.
os.environ["HF_HUB_OFFLINE"] = "1"

import gguf as format
import numpy as np
import peft
import torch
import transformers
from gguf import quants
from torch import Tensor, nn

from .. import gguf
from ..gguf import BadModel, Gguf
from ..llama import Llama
from . import memory, train, verify, weights
from .corpus import Document
from .network import costs
from .samples import Sampler
from .train import Way
from .tune import PASSES, Tuned

# The rate is the usual one of a model of 7 billion parameters, whose width is 4,096; a narrower
# one takes longer steps.
RANK, ALPHA, DROPOUT, RATE, WIDTH = 16, 32, 0.05, 2e-4, 4_096
WARM = 10
# Tokens of a row, at most, and of a step.
LENGTH, BATCH = 1_024, 2_048
HELD_ROWS, PLACES = 8, 40
# How often PyTorch and the engine must name the same token first, for 4 bits and more.
ALIKE = 0.8
# Kinds of numbers that can be written here.
KINDS = frozenset(("F32", "F16", "BF16", "Q8_0", "Q4_0", "Q4_1", "Q5_0", "Q5_1"))


class Words:
    """The engine's own tokens as a `families.Vocabulary` that can also be read."""

    def __init__(self, llama: Llama) -> None:
        self._llama = llama
        self.metadata, self.size = llama.metadata, llama.size
        self.id_of, self.tokenize = llama.id_of, llama.tokenize

    def text_of(self, ids: Sequence[int]) -> str:
        return b"".join(self._llama.pieces[i] for i in ids).decode("utf-8", "replace")


class Reader(nn.Module):
    """A model of transformers, asked as `Network` is."""

    def __init__(self, model: nn.Module, context: int) -> None:
        super().__init__()
        self.model, self.size = model, SimpleNamespace(context=context)

    def forward(self, tokens: Tensor) -> Tensor:
        return self.model(input_ids=tokens, use_cache=False).logits

    def loss(self, rows: Tensor) -> Tensor:
        return costs(self(rows[:, :-1]), rows[:, 1:])


def tune(
    base: Path,
    texts: Sequence[Document],
    held: Sequence[Document],
    folder: Path,
    seconds: float,
    say: Callable[[str], None] = lambda _said: None,
) -> Tuned:
    """As `tune.tune` does for models of ours; on a GPU where PyTorch has one."""
    header = gguf.read(base)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    length = min(header.context or LENGTH, LENGTH)
    words = Words(Llama(base, context=length, slots=1, threads=1))
    reading, unseen = Sampler(texts, words), Sampler(held, words)
    rows = unseen.rows(train.VALIDATION_SEED, 0, HELD_ROWS, length)
    reader = Reader(loaded(base), length).to(device)
    places = matrices(header, reader.model)
    agree(base, reader, rows)

    def measured() -> train.Loss:
        return train.validation(reader.eval(), rows, unseen.fim.mid, device, unseen.end)

    before = measured()
    reader.model = peft.get_peft_model(
        reader.model,
        peft.LoraConfig(r=RANK, lora_alpha=ALPHA, lora_dropout=DROPOUT, target_modules=[*places]),
    )
    whole = PASSES * sum(len(words.tokenize(document.text)) for document in texts)
    (folder / "log.jsonl").unlink(missing_ok=True)
    rate = RATE * WIDTH / header.number("embedding_length")
    way = learn(reader.train(), reading, whole, seconds, length, rate, folder, say)
    reader.model = reader.model.merge_and_unload()
    path = folder / f"{folder.name}.gguf"
    write(base, path, header, reader.model, places)
    # What is measured is what was written, not what it was rounded from.
    reader = Reader(loaded(path), length).to(device)
    agree(path, reader, rows)
    machine = train.machine(device)["machine"]
    return Tuned(
        path,
        weights.digest(path),
        None,
        words.size,
        before,
        measured(),
        memory.recall(reader.eval(), reading, unseen, PLACES, device=device),
        train.record(folder / "log.jsonl"),
        [
            f"{way.tokens:,} tokens in {way.step:,} steps, in rows of {length}, as an adapter of "
            f"rank {RANK} beside {len(places)} matrices (LoRA), merged; AdamW, bf16",
            f"{way.seconds / 60:,.0f} minutes on {machine}; energy: not measured",
        ],
    )


def loaded(path: Path) -> nn.Module:
    """The model of a file in PyTorch, in 32 bits.  Raises BadModel."""
    # It reports pages, with bars, about what goes well.
    warnings.filterwarnings("ignore", module="transformers")
    transformers.utils.logging.set_verbosity_error()
    try:
        with contextlib.redirect_stderr(io.StringIO()):
            return transformers.AutoModelForCausalLM.from_pretrained(
                str(path.parent), gguf_file=path.name, dtype=torch.float32, local_files_only=True
            )
    except (ValueError, KeyError, NotImplementedError, OSError, RuntimeError) as error:
        reason = (str(error).splitlines() or [""])[0][:200]
        raise BadModel(f"{path.name}: transformers cannot read it: {reason}") from None


def matrices(header: Gguf, model: nn.Module) -> dict[str, str]:
    """The linear layers between, and the tensor of the file that each is.  Raises BadModel."""
    kinds = {tensor.name: tensor.type for tensor in header.tensors}
    known = {name: kind for kind, name in format.MODEL_ARCH_NAMES.items()}
    if header.architecture not in known:
        raise BadModel(f"{header.path.name}: {header.architecture} is not known to gguf-py")
    table = format.get_tensor_name_map(known[header.architecture], header.number("block_count"))
    found: dict[str, str] = {}
    for name, module in model.named_modules():
        tensor = f"{table.get_name(name)}.weight"
        if isinstance(module, nn.Linear) and tensor.startswith("blk.") and tensor in kinds:
            if kinds[tensor] not in KINDS:
                raise BadModel(
                    f"{header.path.name}: {kinds[tensor]} cannot be written here; "
                    "take the model's Q8_0 file"
                )
            found[name] = tensor
    if not found:
        raise BadModel(f"{header.path.name}: none of its matrices is known by its name")
    return found


def agree(path: Path, reader: Reader, rows: np.ndarray) -> None:
    """Raises BadModel where the engine computes something else than PyTorch."""
    device = next(reader.parameters()).device
    asked = [row[: len(row) // 4].tolist() for row in rows]
    found = verify.logits(path, reader.cpu(), asked)
    reader.to(device)
    if found.same < ALIKE:
        raise BadModel(
            f"{path.name}: PyTorch and the engine name the same token first at only "
            f"{found.same:.0%} of {found.positions} places, so it cannot be tuned here"
        )


def learn(
    reader: Any,
    sampler: Sampler,
    tokens: int,
    seconds: float,
    length: int,
    rate: float,
    folder: Path,
    say: Callable[[str], None],
) -> Way:
    """Train the adapter on so many tokens, or as long as there is time."""
    free = [parameter for parameter in reader.parameters() if parameter.requires_grad]
    device = free[0].device.type
    optimiser = torch.optim.AdamW(free, lr=rate, weight_decay=0.0)
    way, at = Way(), time.monotonic()
    count = max(1, BATCH // length)
    while (share := max(way.seconds / seconds, way.tokens / tokens)) < 1:
        rows = sampler.rows(1, way.step, count, length)
        for group in optimiser.param_groups:
            group["lr"] = rate * min(1.0, (way.step + 1) / WARM) * (1 - share)
        lost = 0.0
        for row in train.tensor(rows, device).split(1):
            with torch.autocast(device, dtype=torch.bfloat16):
                loss = reader.loss(row).mean() / count
            loss.backward()
            lost += float(loss.detach())
        nn.utils.clip_grad_norm_(free, train.CLIP)
        optimiser.step()
        optimiser.zero_grad(set_to_none=True)
        now = time.monotonic()
        took = way.seconds + train.counted(now - at, way.seconds, way.step)
        way, at = Way(way.step + 1, way.tokens + rows[:, 1:].size, took), now
        said = {"step": way.step, "tokens": way.tokens, "seconds": took, "loss": round(lost, 4)}
        train.note(folder, said)
        if way.step % 10 == 0:
            say(f"step {way.step}, {share:.0%} of the way, loss {lost:.3f}")
    return way


def write(base: Path, path: Path, header: Gguf, model: Any, places: Mapping[str, str]) -> None:
    """A copy of `base` with other numbers in these matrices, each in the kind that it had."""
    part = path.with_name(f"{path.name}.part")
    shutil.copyfile(base, part)
    file = format.GGUFReader(part, "r+")
    tensors = {tensor.name: tensor for tensor in file.tensors}
    for name, place in places.items():
        values = model.get_submodule(name).weight.detach().float().cpu().numpy()
        # Of this architecture alone the files hold heads as neighbouring pairs.
        if header.architecture == "llama" and place.endswith((".attn_q.weight", ".attn_k.weight")):
            kind = "head_count" if ".attn_q." in place else "head_count_kv"
            values = paired(values, header.number(f"attention.{kind}"))
        tensor = tensors[place]
        packed = quants.quantize(np.ascontiguousarray(values), tensor.tensor_type)
        tensor.data.view(np.uint8).reshape(-1)[:] = packed.view(np.uint8).reshape(-1)
    file.data.flush()
    part.rename(path)


def paired(values: np.ndarray, heads: int) -> np.ndarray:
    """Rows of queries or keys, from halves that turn together to neighbours that do."""
    rows, columns = values.shape
    halves = values.reshape(heads, 2, rows // heads // 2, columns)
    return halves.swapaxes(1, 2).reshape(rows, columns)
