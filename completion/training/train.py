"""The training itself: batches in, weights out, every step on record."""

# PyTorch's annotations are too loose for the strict checker, and it may not be installed.
# pyright: basic, reportMissingImports=false

import contextlib
import json
import math
import os
import platform
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ..gguf import BadModel
from .network import Network
from .rows import batches
from .samples import Rows, Sampler
from .sizes import SHORT, Size
from .tokens import END

# Steps until the full rate, the share of the way from which it falls, and its last value.
WARM, FALL, LAST = 60, 0.65, 0.02
# Only what Muon does not see is clipped; Muon's steps have one length anyway.
CLIP = 1.0
# A step that takes so many times what the others took, and so many seconds at least, was
# stopped in between: a suspended machine, or a signal.
STOPPED, STOPPED_SECONDS = 10.0, 60.0
# The seed of what the loss is measured on: never that of a training.
VALIDATION_SEED, VALIDATION_ROWS = -1, 64
# How much an average over steps forgets at each.
FORGET = 0.05


class CannotTrain(BadModel):
    """A training that cannot begin or go on; the message is one line."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What to train and how far.

    The way ends after `tokens`, or after so many `seconds` of training, those before a
    restart counted in and those in which the process stood still left out, whichever comes
    first; rates and row lengths follow it.  `until`
    seconds after this process began, it stops with everything saved, to be gone on with.
    `rate` multiplies both learning rates, which fall from the share `fall` of the way on.
    A token of hidden text weighs `hidden` times as much as one around it.
    `every` so many steps the loss is measured and everything saved.  Of each `batch` so many
    tokens are computed at a time as `at_once` says; 0 means all.
    """

    size: Size
    tokens: float
    seconds: float = math.inf
    until: float = math.inf
    seed: int = 1
    every: int = 200
    rate: float = 1.0
    fall: float = FALL
    hidden: float = 1.0
    at_once: int = 0
    processes: int = 0
    compiled: bool = False
    device: str = "cpu"


@dataclass(frozen=True, slots=True)
class Way:
    """How far a training came: steps and tokens done, seconds taken."""

    step: int = 0
    tokens: int = 0
    seconds: float = 0.0

    def share(self, plan: Plan) -> float:
        """Of the whole way; 1 and more where it ends.  Pure."""
        return max(self.seconds / plan.seconds, self.tokens / plan.tokens)


@dataclass(frozen=True, slots=True)
class Loss:
    """Nats per token: of everything, and of the hidden text alone, over how many."""

    all: float
    answers: float
    count: int


def rate_at(share: float, step: int, fall: float = FALL) -> float:
    """What the learning rates are multiplied by: up, level, and linearly down.  Pure."""
    level = 1.0 if share < fall else max(LAST, (1 - share) / (1 - fall))
    return min(1.0, (step + 1) / WARM) * level


def counted(took: float, seconds: float, steps: int) -> float:
    """What a step that `took` so long adds to the `seconds` of the steps before it.  Pure."""
    most = max(STOPPED_SECONDS, STOPPED * seconds / steps) if steps else took
    return min(took, most)


def train(
    plan: Plan,
    train_on: Sampler,
    validate_on: Sampler,
    folder: Path,
    *,
    start: Network | None = None,
    resume: bool = False,
    say: Callable[[str], None] = print,
    keep: Callable[[Network, int], None] = lambda _network, _step: None,
) -> Network:
    """Train in `folder`: `state.pt` is where it goes on from, `log.jsonl` its record.

    `start` is what to begin with instead of noise.  With `resume` it goes on, with the same
    batches in the same order as if it had never stopped.  `keep` is given the network and the
    step wherever the loss is measured.  Raises CannotTrain.
    """
    began = at = time.monotonic()
    folder.mkdir(parents=True, exist_ok=True)
    state = folder / "state.pt"
    if resume and not state.exists():
        raise CannotTrain(f"{state} is not there: leave --resume out")
    if not resume and state.exists():
        raise CannotTrain(f"{state} is there already: say --resume, or another folder")
    if not hasattr(torch.optim, "Muon"):
        raise CannotTrain(f"torch {torch.__version__} has no Muon: install torch 2.9 or newer")
    if plan.size.vocabulary < train_on.vocabulary.size:
        raise CannotTrain("the tokenizer has more tokens than the model has rows for")
    torch.manual_seed(plan.seed)
    with batches(train_on, plan.seed, plan.processes) as made:
        network = (start or Network(plan.size)).to(plan.device)
        optimisers = _optimisers(network, plan)
        way = _restored(state, network, optimisers, plan) if resume else Way()
        _forget(folder, way)
        loss_of = torch.compile(network.loss) if plan.compiled else network.loss
        held = validation_rows(validate_on, plan.size)
        if start and not resume:
            found = validation(network, held, train_on.fim.mid, plan.device)
            note(folder, asdict(way) | _held(found))
            keep(network, 0)
        mean: float | None = None
        stream, streamed = None, 0
        while (share := way.share(plan)) < 1:
            length = plan.size.lengths[share >= SHORT]
            count = max(1, plan.size.batch // length)
            if stream is None or streamed != length:
                stream, streamed = made.from_number(way.step, count, length), length
            rows = next(stream)
            for optimiser, rate in optimisers:
                for group in optimiser.param_groups:
                    group["lr"] = rate * plan.rate * rate_at(share, way.step, plan.fall)
            weights = worth(rows, train_on.fim.mid, plan.hidden)
            lost = _step(plan, network, loss_of, optimisers, rows, weights)
            mean = lost if mean is None else (1 - FORGET) * mean + FORGET * lost
            now = time.monotonic()
            seconds = way.seconds + counted(now - at, way.seconds, way.step)
            way = Way(way.step + 1, way.tokens + rows[:, 1:].size, seconds)
            at, stop = now, now - began >= plan.until
            last = way.share(plan) >= 1 or stop
            if way.step % 20 == 0 or last:
                said = {
                    "step": way.step,
                    "tokens": way.tokens,
                    "seconds": round(way.seconds, 1),
                    "loss": round(mean, 4),
                    "rate": round(rate_at(share, way.step, plan.fall) * plan.rate, 4),
                }
                if way.step % plan.every == 0 or last:
                    found = validation(network, held, train_on.fim.mid, plan.device)
                    said |= _held(found) | machine(plan.device)
                    _save(state, network, optimisers, way, plan)
                    keep(network, way.step)
                note(folder, said)
                say(_sentence(said, share))
            if stop:
                break
    return network


def machine(device: str) -> dict[str, object]:
    """What computes, and the watts it draws where that can be told."""
    if not device.startswith("cuda"):
        return {"machine": f"{torch.get_num_threads()} CPU threads, {platform.machine()}"}
    found: dict[str, object] = {"machine": torch.cuda.get_device_name()}
    with contextlib.suppress(OSError, ValueError, subprocess.SubprocessError):
        asked = ("nvidia-smi", "--query-gpu=power.draw", "--format=csv,noheader,nounits")
        said = subprocess.run(asked, capture_output=True, check=True, timeout=5)
        found["watts"] = float(said.stdout.split()[0])
    return found


def validation_rows(sampler: Sampler, size: Size) -> Rows:
    """Always the same, so that all trainings of one size and tokenizer are compared."""
    count = max(4, min(VALIDATION_ROWS, 32_768 // size.context))
    return sampler.rows(VALIDATION_SEED, 0, count, size.context)


@torch.no_grad()
def validation(network: Any, rows: Rows, middle: int | None, device: str, end: int = END) -> Loss:
    costs: list[np.ndarray] = []
    for at in range(0, len(rows), 4):
        some = tensor(rows[at : at + 4], device)
        with torch.autocast(device.split(":", maxsplit=1)[0], dtype=torch.bfloat16):
            costs.append(network.loss(some).float().cpu().numpy())
    cost = np.concatenate(costs)
    hidden = answers(rows, middle, end)
    return Loss(float(cost.mean()), float(cost[hidden].mean()), int(hidden.sum()))


def answers(rows: Rows, middle: int | None, end: int = END) -> np.ndarray:
    """Which of the tokens after the first belong to hidden text, its end among them.  Pure."""
    inside = np.zeros(rows.shape, bool)
    for number, row in enumerate(rows):
        open_ = False
        for at, token in enumerate(row):
            inside[number, at] = open_
            open_ = (open_ and token != end) or token == middle
    return inside[:, 1:]


def worth(rows: Rows, middle: int | None, hidden: float) -> np.ndarray:
    """What the loss of each token after the first is multiplied by; 1 on average.  Pure."""
    found = np.where(answers(rows, middle), hidden, 1.0).astype(np.float32)
    return found / found.mean()


def load(state: Path) -> tuple[Network, Way]:
    """The network of a training, and how far it came.  Raises CannotTrain."""
    said = _read(state)
    network = Network(Size(**{**said["size"], "lengths": tuple(said["size"]["lengths"])}))
    network.load_state_dict(said["weights"])
    return network, Way(**said["way"])


def _step(
    plan: Plan,
    network: Network,
    loss_of: Callable[[Tensor], Tensor],
    optimisers: Sequence[tuple[torch.optim.Optimizer, float]],
    rows: Rows,
    weights: np.ndarray,
) -> float:
    """One step on one batch, computed in as many pieces as memory needs; its mean loss."""
    length = rows.shape[1] - 1
    piece = max(1, plan.at_once // length) if plan.at_once else len(rows)
    lost = torch.zeros((), device=plan.device)
    for at in range(0, len(rows), piece):
        some = tensor(rows[at : at + piece], plan.device)
        with torch.autocast(plan.device.split(":")[0], dtype=torch.bfloat16):
            costs = loss_of(some)
        here = torch.from_numpy(weights[at : at + piece]).to(plan.device)
        (costs * here).mean().mul(len(some) / len(rows)).backward()
        lost += costs.detach().mean() * (len(some) / len(rows))
    nn.utils.clip_grad_norm_(_others(network), CLIP)
    for optimiser, _rate in optimisers:
        optimiser.step()
        optimiser.zero_grad(set_to_none=True)
    found = float(lost)
    if not math.isfinite(found):
        raise CannotTrain("the loss is no number any more: go on from the last state, slower")
    return found


def _optimisers(network: Network, plan: Plan) -> list[tuple[torch.optim.Optimizer, float]]:
    """Muon for the matrices between, AdamW for embeddings and norms."""
    muon = torch.optim.Muon(
        _hidden(network),
        lr=plan.size.muon,
        momentum=0.95,
        weight_decay=0.01,
        adjust_lr_fn="original",
    )
    adam = torch.optim.AdamW(
        _others(network), lr=plan.size.adam, betas=(0.9, 0.95), weight_decay=0.0
    )
    return [(muon, plan.size.muon), (adam, plan.size.adam)]


def _hidden(network: Network) -> list[nn.Parameter]:
    return [p for layer in network.blk for p in layer.parameters() if p.ndim == 2]


def _others(network: Network) -> list[nn.Parameter]:
    hidden = {id(p) for p in _hidden(network)}
    return [p for p in network.parameters() if id(p) not in hidden]


def tensor(rows: Rows, device: str) -> Tensor:
    found = torch.from_numpy(rows.astype(np.int64))
    return found.to(device, non_blocking=True)


def _save(
    state: Path,
    network: Network,
    optimisers: Sequence[tuple[torch.optim.Optimizer, float]],
    way: Way,
    plan: Plan,
) -> None:
    part = state.with_name(f"{state.name}.part")
    said = {
        "size": asdict(plan.size),
        "seed": plan.seed,
        "way": asdict(way),
        "weights": network.state_dict(),
        "optimisers": [optimiser.state_dict() for optimiser, _rate in optimisers],
    }
    torch.save(said, part)
    os.replace(part, state)


def _restored(
    state: Path,
    network: Network,
    optimisers: Sequence[tuple[torch.optim.Optimizer, float]],
    plan: Plan,
) -> Way:
    said = _read(state, plan.device)
    if said["size"] != asdict(plan.size) or said["seed"] != plan.seed:
        raise CannotTrain(f"{state} is of another size or seed: go on as it began")
    network.load_state_dict(said["weights"])
    for (optimiser, _rate), kept in zip(optimisers, said["optimisers"], strict=True):
        optimiser.load_state_dict(kept)
    return Way(**said["way"])


def _read(state: Path, device: str = "cpu") -> dict:
    try:
        # Only tensors and plain values: nothing in the file is run.
        return torch.load(state, map_location=device, weights_only=True)
    except OSError as error:
        raise CannotTrain(f"{state}: cannot be read ({error.strerror})") from None
    except Exception as error:
        raise CannotTrain(f"{state}: is no state of a training ({type(error).__name__})") from None


def note(folder: Path, said: Mapping[str, object]) -> None:
    """Add to the record what is known of a step; a training may do so at the same time."""
    with (folder / "log.jsonl").open("a", encoding="utf-8") as log:
        log.write(json.dumps(said) + "\n")


def _forget(folder: Path, way: Way) -> None:
    """Take out of the record what came after the saved state, or belongs to another run."""
    log = folder / "log.jsonl"
    kept = [row for row in record(log) if row["step"] <= way.step] if way.step else []
    log.write_text("".join(json.dumps(row) + "\n" for row in kept), "utf-8")


def record(log: Path) -> list[dict[str, float]]:
    """What is known of each step, in their order; the torn last line of a crash is left out."""
    found: dict[int, dict[str, float]] = {}
    if log.exists():
        for line in log.read_text("utf-8").splitlines():
            with contextlib.suppress(ValueError):
                said = json.loads(line)
                found.setdefault(said["step"], {}).update(said)
    return [found[step] for step in sorted(found)]


def _held(found: Loss) -> dict[str, float]:
    return {"validation": round(found.all, 4), "answers": round(found.answers, 4)}


def _sentence(said: dict[str, float], share: float) -> str:
    rate = said["tokens"] / max(said["seconds"], 1e-9)
    held = f", held out {said['validation']:.3f}" if "validation" in said else ""
    held += f" (hidden text {said['answers']:.3f})" if held else ""
    return (
        f"step {said['step']}, {share:.0%} of the way, {said['tokens'] / 1e6:.2f} M tokens, "
        f"{rate:,.0f} a second, loss {said['loss']:.3f}{held}"
    )
