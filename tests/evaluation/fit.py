"""Fit the weights of `completion/chances.py` on repositories: prints them, to be put there.

    python tests/evaluation/fit.py flask click rich

Holes of one line are filled by the embedded model and by copies; what each of the three
functions is told about a text is set against whether the text was right.  Logistic
regression with a small penalty, by Newton's method.  How well each tells right from wrong
is measured on files that its weights did not see.
"""

import argparse
import asyncio
import zlib
from collections import defaultdict
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from wicket import __version__
from wicket.completion import chances, holes, metrics, trim
from wicket.completion.arbiter import CONSIDERED
from wicket.completion.complete import by_model
from wicket.completion.copies import copies
from wicket.completion.earlier import in_file
from wicket.completion.wire import DECODINGS, Decoding
from wicket.server import app
from wicket.server.evaluation import engines, repositories
from wicket.server.evaluation.contenders import Listening, ready, terms_for

Numbers = NDArray[np.float64]
FOLDS, PENALTY, STEPS = 5, 1.0, 30


class Table:
    """Features of texts, whether each was right, and the part of the files it is from."""

    def __init__(self) -> None:
        self.features: list[tuple[float, ...]] = []
        self.right: list[float] = []
        self.fold: list[int] = []

    def add(self, features: tuple[float, ...], right: bool, path: str) -> None:
        self.features.append(features)
        self.right.append(float(right))
        self.fold.append(zlib.crc32(path.encode()) % FOLDS)


async def collect(folders: list[Path], count: int, decoding: Decoding) -> dict[str, Table]:
    tables: defaultdict[str, Table] = defaultdict(Table)
    startup = app.start()
    wanted = replace(startup.effective.settings.completion, decoding=decoding)
    with engines.apart() as paths:
        startup = app.Startup(paths, startup.effective, "")
        async with engines.connections(startup) as connect:
            client = Listening(connect, __version__)
            await ready(client)
            for repository in map(repositories.read, folders):
                for kind, number in (("rest", count), ("line", count // 2)):
                    for hole in holes.choose(repository.sources, kind, number, 1):
                        terms = terms_for(hole, wanted, tuple(repository.others(hole)))
                        own = await by_model(hole.cursor, client, terms)
                        logprob = sum(client.heard.logprobs) if client.heard else 0.0
                        look(tables, hole, terms.texts, own.text, logprob)
            await client.close()
    return tables


def look(tables: dict[str, Table], hole: holes.Hole, texts, own: str, logprob: float) -> None:
    """A row for each text that could be suggested for `hole`."""
    cursor, path = hole.cursor, f"{hole.repository}/{hole.path}"
    before = cursor.prefix.encode("utf-8", "replace")
    found = copies(before, [*in_file(cursor.prefix, cursor.suffix), *texts])
    likely = sorted(found, key=lambda copy: -chances.of_copy(copy, copy.text))[:CONSIDERED]
    drafts = [(copy, trim.trim(cursor, copy.text, 1).text) for copy in likely]
    for copy, text in drafts:
        if text:
            said = chances.copy_features(copy, text)
            beside = chances.opinion(logprob if text == own else None)
            right = metrics.exact(text, hole.gold)
            tables["COPY_ALONE"].add(said, right, path)
            tables["COPY"].add((*said, *beside), right, path)
    if own:
        same = next((copy for copy, text in drafts if text == own), None)
        right = metrics.exact(own, hole.gold)
        tables["MODELS"].add(chances.model_features(logprob, same), right, path)


def fit(features: Numbers, right: Numbers) -> Numbers:
    """Weights of a logistic regression; features are brought to one scale meanwhile."""
    mean, spread = features.mean(0), features.std(0)
    mean[0], spread[spread == 0] = 0, 1
    scaled = (features - mean) / spread
    penalty = np.eye(features.shape[1]) * PENALTY
    penalty[0, 0] = 1e-6
    weights = np.zeros(features.shape[1])
    for _ in range(STEPS):
        chance = 1 / (1 + np.exp(-scaled @ weights))
        slope = scaled.T @ (right - chance) - penalty @ weights
        curve = (scaled * (chance * (1 - chance))[:, None]).T @ scaled + penalty
        weights += np.linalg.solve(curve, slope)
    weights /= spread
    weights[0] -= weights[1:] @ mean[1:]
    return weights


def separation(features: Numbers, right: Numbers, fold: Numbers) -> float:
    """The chance that a right text is held likelier than a wrong one, on unseen files."""
    said = np.zeros(len(right))
    for number in range(FOLDS):
        seen = fold != number
        said[~seen] = features[~seen] @ fit(features[seen], right[seen])
    ranks = said.argsort().argsort()
    good, bad = right.sum(), len(right) - right.sum()
    return float((ranks[right == 1].sum() - good * (good - 1) / 2) / (good * bad))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("folders", nargs="+", type=Path)
    parser.add_argument("--holes", type=int, default=800, help="in each, of the rest of a line")
    parser.add_argument("--decoding", choices=DECODINGS, default="plain")
    arguments = parser.parse_args()
    collected = collect(arguments.folders, arguments.holes, arguments.decoding)
    for name, table in asyncio.run(collected).items():
        features, right = np.array(table.features), np.array(table.right)
        told = separation(features, right, np.array(table.fold))
        print(f"{name}: {len(right)} texts, {right.mean():.1%} right, separation {told:.3f}")
        print("   ", ", ".join(f"{weight:.3f}" for weight in fit(features, right)))


if __name__ == "__main__":
    main()
