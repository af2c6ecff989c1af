"""`python -m wicket.completion.training STEP`: each step of making a model, or all of them."""

# PyTorch's annotations are too loose for the strict checker, and it may not be installed.
# pyright: basic, reportMissingImports=false

import argparse
import math
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from ..gguf import BadModel
from . import corpus, curve, manifest
from .manifest import BadManifest
from .sizes import SIZES

# The manifest of the embedded model.
MANIFEST = Path(__file__).parent / "python.toml"
# Characters that the tokenizer is made from: more of them change few merges.
TOKENIZER_CHARACTERS = 60_000_000


def main(argv: list[str] | None = None) -> int:
    arguments = parser().parse_args(argv)
    steps = ALL if arguments.step == "all" else (arguments.step,)
    try:
        if arguments.threads:
            import torch  # noqa: PLC0415

            torch.set_num_threads(arguments.threads)
        for step in steps:
            began = time.monotonic()
            STEPS[step](arguments)
            print(f"{step}: {time.monotonic() - began:.0f} s", flush=True)
    except ImportError as error:
        print(
            f"training {arguments.step}: {error.name} is not installed; "
            "`pip install wicket[train,llama]` brings what training needs",
            file=sys.stderr,
        )
        return 1
    except KeyboardInterrupt:
        return 130
    except (BadManifest, BadModel) as error:
        print(f"training {arguments.step}: {error}", file=sys.stderr)
        return 1
    except Exception as error:
        # The last resort: a person gets one line; what was saved is still there.
        reason = (str(error).splitlines() or [""])[0]
        print(f"training {arguments.step}: {type(error).__name__}: {reason}", file=sys.stderr)
        return 1
    return 0


def parser() -> argparse.ArgumentParser:
    whole = argparse.ArgumentParser(
        prog="python -m wicket.completion.training",
        description="Make the embedded model: corpus, tokenizer, train, export, verify, card.",
    )
    add = whole.add_argument
    add("step", choices=(*STEPS, "all"), help="one step, or all but `sizes` in their order")
    add("--folder", type=Path, default=Path("training"), help="where everything is kept")
    add("--manifest", type=Path, default=MANIFEST, help="packages (default: the shipped model's)")
    add("--archives", type=Path, help="packages as archives (default: FOLDER/archives)")
    add("--fetch", action="store_true", help="let pip and npm fetch archives that are missing")
    add("--language", action="append", help="may be said several times (default: python)")
    add("--size", choices=tuple(SIZES), default="7m", help="of the model (default: 7m)")
    add("--tokens", type=int, help="to train on (default: what the size's row says)")
    add(
        "--seconds",
        type=float,
        default=math.inf,
        help="of training in all, if --tokens last longer",
    )
    add("--until", type=float, default=math.inf, metavar="SECONDS", help="stop then, to go on")
    add("--resume", action="store_true", help="go on from the last saved state")
    add("--start", type=Path, metavar="GGUF", help="begin with this model, of whatever size")
    add("--rate", type=float, default=1.0, help="multiplies both learning rates")
    add("--fall", type=float, default=0.65, help="share of the way from which rates fall to 0")
    add("--hidden", type=float, default=1.0, help="what a token of hidden text weighs in the loss")
    add("--keep", action="store_true", help="keep the model of each measuring, in FOLDER/kept")
    add("--holes", type=int, default=300, help="that `match` asks each kept model to fill")
    add("--batch", type=int, help="tokens of a step (default: what the size's row says)")
    add("--at-once", type=int, default=0, help="tokens that are computed at a time (default: all)")
    add("--every", type=int, default=200, help="steps between measuring and saving")
    add("--seed", type=int, default=1)
    add("--processes", type=int, default=0, help="that make samples beside the training")
    add("--threads", type=int, default=0, help="that compute (default: as PyTorch finds best)")
    add("--compile", action="store_true", help="let PyTorch compile the network first")
    add("--device", default="cpu", help="cpu or cuda")
    add("--kind", default="q8_0", help="f32, f16, q8_0, q4_0, q4_k_m, iq4_nl, q5_k_m")
    add("--name", default="wicket-base", help="of the model; it begins with wicket")
    add("--shard-size", type=int, default=0, metavar="BYTES", help="write files in parts")
    return whole


def make_corpus(arguments: Any) -> None:
    rows = manifest.read(arguments.manifest)
    archives = arguments.archives or arguments.folder / "archives"
    arguments.folder.mkdir(parents=True, exist_ok=True)
    made = corpus.build(
        rows,
        archives,
        fetch=arguments.fetch,
        languages=arguments.language or ["python"],
        progress=lambda said: print(said, flush=True),
    )
    written = corpus.save(made, _corpus(arguments), arguments.shard_size)
    characters = sum(made.account.characters.values())
    print(f"{len(made.train)} files, {characters / 1e6:.1f} M characters to train on,")
    print(f"{len(made.validate)} files to validate on; in {len(written)} parts")
    for reason, count in made.account.left_out.most_common():
        print(f"left out, {reason}: {count}")


def make_tokenizer(arguments: Any) -> None:
    from . import tokens  # noqa: PLC0415

    if arguments.start:
        made = tokens.of_gguf(arguments.start)
    else:
        found, left = [], TOKENIZER_CHARACTERS
        for document in corpus.load(_corpus(arguments)).train:
            found.append(document.text.replace("\t", "    "))
            if (left := left - len(document.text)) < 0:
                break
        made = tokens.train(found, SIZES[arguments.size].vocabulary)
    made.save(arguments.folder / "tokenizer.json")
    print(f"{made.size} tokens")


def run_training(arguments: Any) -> None:
    from . import tokens, train  # noqa: PLC0415
    from .samples import Sampler  # noqa: PLC0415

    start = _weights(arguments.start) if arguments.start else None
    size = start.size if start else SIZES[arguments.size]
    size = replace(size, batch=arguments.batch or size.batch)
    made = tokens.load(arguments.folder / "tokenizer.json")
    texts = corpus.load(_corpus(arguments))
    plan = train.Plan(
        size=size,
        tokens=arguments.tokens or SIZES[arguments.size].tokens,
        seconds=arguments.seconds,
        until=arguments.until,
        seed=arguments.seed,
        every=arguments.every,
        rate=arguments.rate,
        fall=arguments.fall,
        hidden=arguments.hidden,
        at_once=arguments.at_once,
        processes=arguments.processes,
        compiled=arguments.compile,
        device=arguments.device,
    )
    train.train(
        plan,
        Sampler(texts.train, made),
        Sampler(texts.validate or texts.train, made),
        arguments.folder,
        start=start,
        resume=arguments.resume,
        say=lambda said: print(said, flush=True),
        **({"keep": _keeper(arguments, made)} if arguments.keep else {}),
    )
    draw_curve(arguments)


def match_kept(arguments: Any) -> None:
    """Exact match of each kept model that has none on record; a training may still go on."""
    from . import match, train  # noqa: PLC0415

    texts = corpus.load(_corpus(arguments))
    holes = match.holes_of(texts.validate or texts.train, arguments.holes)
    known = {row["step"] for row in _record(arguments) if row.get("holes") == len(holes)}
    for path in sorted((arguments.folder / "kept").glob("*.gguf")):
        step = int(path.stem)
        if step in known:
            continue
        found = match.measured(path, holes)
        said = {"step": step, "exact": found.value, "low": found.low, "high": found.high}
        train.note(arguments.folder, said | {"holes": found.count})
        print(
            f"step {step}: {found.value:.1%} of {found.count} hidden line ends word for word, "
            f"[{found.low:.1%}, {found.high:.1%}]",
            flush=True,
        )
    draw_curve(arguments)


def draw_curve(arguments: Any) -> None:
    (arguments.folder / "loss.svg").write_text(
        curve.drawn(_record(arguments), arguments.name), "utf-8"
    )


def export(arguments: Any) -> None:
    from . import parts, tokens, train, weights  # noqa: PLC0415

    network, _way = train.load(arguments.folder / "state.pt")
    made = tokens.load(arguments.folder / "tokenizer.json")
    languages = tuple(arguments.language or ["python"])
    start = arguments.start
    base = f"{start.name}, sha256 {weights.digest(start)}" if start else ""
    about = weights.About(arguments.name, languages=languages, base=base)
    path = _model(arguments)
    digest = weights.write(path, network, made, arguments.kind, about)
    print(f"{path}: {path.stat().st_size} bytes, sha256 {digest}")
    if arguments.shard_size:
        parts.write(path, path.read_bytes(), arguments.shard_size)


def verify(arguments: Any) -> None:
    from . import parts, tokens, train, verify, weights  # noqa: PLC0415
    from .samples import Sampler  # noqa: PLC0415

    path = _model(arguments)
    if not path.exists():
        path.write_bytes(parts.read(path))
    made = tokens.load(arguments.folder / "tokenizer.json")
    texts = corpus.load(_corpus(arguments))
    held = texts.validate or texts.train
    wrong = verify.tokenizer(path, made, (document.text for document in held))
    if wrong:
        raise BadModel(f"llama.cpp splits {len(wrong)} lines otherwise, first {wrong[0]!r}")
    state = arguments.folder / "state.pt"
    network = train.load(state)[0] if state.exists() else weights.read(path)[0]
    sampler = Sampler(held, made)
    rows = sampler.rows(train.VALIDATION_SEED, 1, 32, network.size.context // 2)
    found = verify.logits(path, network, rows.tolist())
    print(f"tokenizer: the same as llama.cpp's on {verify.LINES} lines")
    print(
        f"logits: {found.mean:.4f} apart on average, {found.most:.3f} at most, the same token "
        f"first at {found.same:.0%} of {found.positions} places"
    )


def write_card(arguments: Any) -> None:
    from . import card  # noqa: PLC0415

    print(card.write(arguments.folder, _corpus(arguments), _model(arguments)))


def show_sizes(_arguments: Any) -> None:
    """What a training of each size takes at two rates."""
    rates = {"2 cores, 60 GFLOP/s": 60e9, "one data-centre GPU, 200 TFLOP/s": 200e12}
    for size in SIZES.values():
        told = ", ".join(
            f"{size.seconds(rate) / 60:,.0f} min on {on}" for on, rate in rates.items()
        )
        print(f"{size.name}: {size.parameters / 1e6:.1f} M parameters, {size.tokens / 1e6:,.0f} M")
        print(f"    tokens: {told}")


STEPS: dict[str, Callable[[Any], None]] = {
    "corpus": make_corpus,
    "tokenizer": make_tokenizer,
    "train": run_training,
    "export": export,
    "verify": verify,
    "card": write_card,
    "match": match_kept,
    "curve": draw_curve,
    "sizes": show_sizes,
}
ALL = ("corpus", "tokenizer", "train", "export", "verify", "card")


def _weights(path: Path) -> Any:
    # Training from nothing needs neither the format's library nor llama.cpp.
    from . import weights  # noqa: PLC0415

    return weights.read(path)[0]


def _record(arguments: Any) -> Any:
    from . import train  # noqa: PLC0415

    return train.record(arguments.folder / "log.jsonl")


def _keeper(arguments: Any, made: Any) -> Callable[[Any, int], None]:
    from . import weights  # noqa: PLC0415

    folder = arguments.folder / "kept"
    folder.mkdir(exist_ok=True)

    def keep(network: Any, step: int) -> None:
        weights.write(folder / f"{step:06}.gguf", network, made, "q8_0", weights.About())

    return keep


def _corpus(arguments: Any) -> Path:
    return arguments.folder / "corpus.jsonl.xz"


def _model(arguments: Any) -> Path:
    return arguments.folder / f"{arguments.name}-{arguments.kind}.gguf"


if __name__ == "__main__":
    sys.exit(main())
