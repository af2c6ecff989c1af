"""What drafts save and what they cost: the same holes, written plainly and with drafts.

    python tests/benchmarks/drafts.py --folders werkzeug,flask,fastapi,click --holes 250

Each prompt is evaluated beforehand, and what is looked into is sorted, so that only the
writing counts; `sorting_cpu_s` tells what the sorting takes besides.  Processor time is that
of this process, looking up included.  `other` texts are not those of plain decoding;
`far` are those of them where the two first tokens that differ are further than 0.05 apart
in log-probability: no tie that another size of batch could decide.
"""

import argparse
import time
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import frame
from wicket.completion import holes
from wicket.completion.corpus import Corpus
from wicket.completion.local import LocalBackend
from wicket.completion.wire import PREFIX_LIMIT, SUFFIX_LIMIT, Complete, Decoding, Piece
from wicket.server import app
from wicket.server.engine import threads_for
from wicket.server.evaluation import repositories

TIE = 0.05
# Of each kind, the share of the holes and the lines that are asked for.
KINDS = {"rest": (0.5, 1), "line": (0.25, 1), "block": (0.25, 6)}


class Counting:
    """A backend that counts what it is asked; `spent` goes by the way of decoding."""

    def __init__(self, corpus: Corpus) -> None:
        path = app.chosen_model(app.start()).path
        self.backend = LocalBackend(path, threads=threads_for(path), slots=1, corpus=corpus)
        self.backend.load(lambda _share: None)
        self.spent = Counter[str]()
        self.way = ""
        llama = self.backend._llama
        decode = llama.decode

        def counted(context: Any, batch: Any) -> int:
            self.spent[f"{self.way}_calls"] += 1
            self.spent[f"{self.way}_tokens"] += batch.n_tokens
            return decode(context, batch)

        llama.decode = counted

    def write(self, request: Complete, way: Decoding) -> list[Piece]:
        self.way = "warm"
        warm = replace(request, priority="warm", decoding=way)
        began = time.process_time_ns()
        self.backend._guides.of(warm, b"")
        self.spent["sorting_cpu"] += time.process_time_ns() - began
        list(self.backend.complete(warm, lambda: None))
        self.way = way
        began = time.process_time_ns()
        *pieces, done = self.backend.complete(replace(request, decoding=way), lambda: None)
        self.spent[f"{way}_cpu"] += time.process_time_ns() - began
        self.spent["guessed"] += done.tokens.get("guessed", 0)  # pyright: ignore
        return [piece for piece in pieces if isinstance(piece, Piece)]


def measure(asked: argparse.Namespace) -> dict[str, float]:
    corpus = Corpus()
    counting = Counting(corpus)
    found = Counter[str]()
    for folder in asked.folders.split(","):
        repository = repositories.read(Path(folder))
        if asked.repository:
            for path, text in repository.texts.items():
                corpus.learn(f"{repository.name}/{path}", text)
        for kind, (share, lines) in KINDS.items():
            count = round(asked.holes * share)
            for hole in holes.choose(repository.sources, kind, count, asked.seed):  # pyright: ignore
                others = (path for path in repository.texts if path != hole.path)
                request = Complete(
                    1, hole.path, "python", hole.cursor.prefix[-PREFIX_LIMIT:],
                    hole.cursor.suffix[:SUFFIX_LIMIT], "manual", lines=lines,
                    texts=tuple(f"{repository.name}/{path}" for path in others),
                )  # fmt: skip
                # By turns, so that neither always comes second.
                ways: list[Decoding] = ["plain", "drafted"]
                ways = ways if found["holes"] % 2 else ways[::-1]
                said = {way: counting.write(request, way) for way in ways}
                found["holes"] += 1
                found.update(judged(said["plain"], said["drafted"]))
    spent = counting.spent
    return {
        "holes": found["holes"],
        "other": found["other"],
        "far": found["far"],
        "guessed": spent["guessed"],
        **{
            f"{way}_{what}": spent[f"{way}_{what}"]
            for way in ("plain", "drafted")
            for what in ("calls", "tokens")
        },
        "plain_cpu_s": spent["plain_cpu"] / 1e9,
        "drafted_cpu_s": spent["drafted_cpu"] / 1e9,
        "sorting_cpu_s": spent["sorting_cpu"] / 1e9,
    }


def judged(plain: list[Piece], drafted: list[Piece]) -> list[str]:
    """What is to be counted of two texts."""
    if [piece.text for piece in plain] == [piece.text for piece in drafted]:
        return []
    pairs = zip(plain, drafted, strict=False)
    apart = next((abs(a.logprob - b.logprob) for a, b in pairs if a.text != b.text), 1.0)
    return ["other", "far"] if apart > TIE else ["other"]


if __name__ == "__main__":
    frame.main(
        __doc__ or "",
        measure,
        ("--folders", ".", "repositories, with commas between them"),
        ("--holes", 250, "in each of them"),
        ("--repository", 1, "whether other files are looked into, 0 or 1"),
        runs=1,
    )
