"""The card of a model: what it is, what it was made of, what it can and cannot do.

What was not measured is said to be not measured.
"""

# PyTorch's annotations are too loose for the strict checker, and it may not be installed.
# pyright: basic, reportMissingImports=false

import json
import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from . import corpus, memory, train, weights
from .manifest import HELD, Row
from .memory import Memory
from .samples import Sampler
from .sizes import Size
from .tokens import MARKERS, SPLIT, Tokens, of_gguf

# Places of each kind where it is tried what a model says by heart.
PLACES = 300


@dataclass(frozen=True, slots=True)
class Card:
    """Everything a card says; `data` are rows of what, licence and characters.

    `size` is None for a model of somebody else, whose own card tells its shape.
    `base` names what the weights began as, with its licence.  `figures` are lines that were
    measured, each with what it was measured by.
    """

    name: str
    file: str
    bytes: int
    sha256: str
    licence: str
    languages: Sequence[str]
    size: Size | None
    tokens: int
    data: Sequence[tuple[str, str, int]]
    way: Sequence[str]
    memory: Memory | None = None
    base: str = ""
    figures: Sequence[str] = ()
    limits: Sequence[str] = ()
    held: Sequence[str] = field(default_factory=lambda: tuple(HELD))


def text(card: Card) -> str:
    """The card as Markdown.  Pure."""
    size = card.size
    lines = [
        f"# {card.name}",
        f"A {'decoder of the Llama architecture' if size else 'model'} for fill-in-the-middle "
        f"completion of {', '.join(card.languages) or 'many languages'}. Weights: {card.licence}.",
        "",
        "| | |",
        "|---|---|",
        f"| file | `{card.file}`, {card.bytes:,} bytes, sha256 `{card.sha256}` |",
        *(_shape(size, card.tokens) if size else ()),
    ]
    if card.base:
        lines.append(f"| trained from | {card.base} |")
    if card.held:
        lines.append(
            f"| never trained on | {', '.join(card.held)}, what is made from them, and files like "
            "theirs |"
        )
    lines += ["", "## Training", *(f"- {said}" for said in card.way)]
    lines += ["", "## Figures", *([f"- {said}" for said in card.figures] or ["Not measured yet."])]
    lines += ["", "## What it knows by heart", *_by_heart(card.memory)]
    lines += ["", "## Limits", *(f"- {said}" for said in (*LIMITS, *card.limits))]
    characters = sum(row[2] for row in card.data)
    lines += [
        "",
        "## Data",
        f"{characters:,} characters of {len(card.data)} sources, after vendored, generated, "
        "held-out and nearly equal files were left out.",
        "",
        "| source | licence | characters |",
        "|---|---|---|",
        *(f"| {name} | {licence} | {count:,} |" for name, licence, count in card.data),
    ]
    return "\n".join(lines) + "\n"


def _shape(size: Size, tokens: int) -> Sequence[str]:
    return (
        f"| shape | {size.parameters / 1e6:.2f} M parameters: {size.layers} layers, width "
        f"{size.width}, {size.heads} heads / {size.kv_heads} KV heads, feed-forward "
        f"{size.hidden}, tied embeddings, context {size.context:,}, interleaved RoPE |",
        f"| tokenizer | byte-level BPE, {tokens:,} entries, split as llama.cpp's `{SPLIT}` |",
        f"| markers | {', '.join(f'{n} `{_cell(m)}`' for n, m in enumerate(MARKERS))}; no BOS |",
        '| prompt | `6 path "\\n" 3 SUFFIX 1 PREFIX 2`, then the answer, ended by 0; before it '
        'any number of `6 path "\\n" text` of other files |',
        "| text | tabs become four spaces, CRLF becomes LF; the suffix begins with the rest of "
        "the line |",
    )


LIMITS = (
    "It writes what is plausible, not what is true: names that do not exist among them.",
    "It copies names poorly; a search of the repository beats it there, which is why Wicket "
    "asks both.",
    "Other languages than those named above: do not ask it.",
)


def write(folder: Path, texts: Path, model: Path) -> str:
    """Write `CARD.md` of what was trained in a folder; its path as text."""
    network, header = weights.read(model)
    made = of_gguf(model)
    found = corpus.load(texts)
    recalled = memory.recall(
        network.eval(),
        Sampler(found.train, made),
        Sampler(found.validate or found.train, made),
        PLACES,
    )
    card = Card(
        name=header.name,
        file=model.name,
        bytes=header.size,
        sha256=weights.digest(model),
        licence=str(header.metadata.get("general.license", "not said")),
        languages=tuple(map(str, header.arrays.get("wicket.languages", ()))),
        size=network.size,
        tokens=made.size,
        data=rows_of(found.rows, found.account.characters),
        way=way_of(train.record(folder / "log.jsonl"), network.size, made),
        figures=figures_of(train.record(folder / "log.jsonl")),
        memory=recalled,
        base=str(header.metadata.get("wicket.base", "")),
    )
    path = folder / "CARD.md"
    path.write_text(text(card), "utf-8")
    return str(path)


def rows_of(rows: Sequence[Row], characters: Mapping[str, int]) -> list[tuple[str, str, int]]:
    return [
        (f"{row.name} {row.version}", row.licence, characters.get(row.name, 0))
        for row in rows
        if row.use == "train" and characters.get(row.name)
    ]


def way_of(record: Sequence[Mapping[str, Any]], size: Size, made: Tokens) -> list[str]:
    """What is known of a training from its record."""
    if not record:
        return ["There is no record of it."]
    last = record[-1]
    lengths = " and then ".join(str(length) for length in dict.fromkeys(size.lengths))
    watts = [row["watts"] for row in record if "watts" in row]
    energy = (
        f"about {sum(watts) / len(watts) * last['seconds'] / 3.6e6:.3f} kWh of the accelerator"
        if watts
        else "not measured"
    )
    return [
        f"{last['tokens'] / 1e6:.1f} M tokens in {last['step']:,} steps of {size.batch:,}, in rows "
        f"of {lengths} tokens; {made.size:,} tokens are known",
        "Muon for the hidden matrices, AdamW for the rest; warm-up, level, linear decay; bf16",
        f"{last['seconds'] / 60:,.0f} minutes, {last['tokens'] / last['seconds']:,.0f} tokens a "
        f"second on {last.get('machine', platform.machine())}; energy: {energy}",
    ]


def figures_of(record: Sequence[Mapping[str, Any]]) -> list[str]:
    held = [row for row in record if "validation" in row]
    if not held:
        return []
    said = [
        f"Loss on held-out packages: {held[-1]['validation']:.3f} nats per token, "
        f"{held[-1]['answers']:.3f} on the hidden text alone",
    ]
    if "exact" in (last := held[-1]):
        said.append(
            f"Line ends of held-out packages: {100 * last['exact']:.1f} % "
            f"[{100 * last['low']:.1f}, {100 * last['high']:.1f}] of {last['holes']} word for word"
        )
    return said


def _by_heart(found: Memory | None) -> list[str]:
    if found is None:
        return ["Not measured."]
    lines = [
        f"Shown {memory.SHOWN} tokens from the middle of a file and nothing behind them, it goes "
        f"on word for word for {found.mean} characters on average in text it was trained on, and "
        f"for {found.mean_unseen} in text it never saw ({found.places} places of each). The "
        "longest stretches of trained text:",
        "",
    ]
    for one in found.longest:
        where = f"{one.package}, {one.path}" if one.package else one.path
        said = json.dumps(one.text[: memory.LONG], ensure_ascii=False)
        more = " ..." if len(one.text) > memory.LONG else ""
        lines.append(f"- {len(one.text)} characters of {where}: `{_cell(said)}`{more}")
    return lines


def _cell(said: str) -> str:
    return said.replace("|", "\\|").replace("`", "'")
