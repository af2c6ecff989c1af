"""Fit the weights of `completion/mixture.py` on repositories: prints them, to be put there.

    python tests/evaluation/fit_mixture.py anyio cattrs markdown_it tomlkit watchdog

Hidden texts are spelled token by token; before each the model is asked, and what followed
the same tokens in the file and the repository is counted.  The weights are those that make
the hidden tokens likeliest, by gradient ascent with a small penalty.  What a hidden token
costs is told of files that the weights did not see.
"""

import argparse
import zlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from wicket.completion import families, holes, mixture, prompt
from wicket.completion.continuations import Continuations, Lexicon
from wicket.completion.corpus import Corpus
from wicket.completion.decoding import Greedy
from wicket.completion.scoring import Scorer
from wicket.completion.wire import PREFIX_LIMIT, SUFFIX_LIMIT, Complete
from wicket.server import app
from wicket.server.evaluation import repositories

Numbers = NDArray[np.float64]
FOLDS, PENALTY, STEPS, RATE = 5, 1.0, 3000, 0.02


def collect(folders: list[Path], count: int) -> tuple[Numbers, Numbers, Numbers, Numbers]:
    """Features, the model's chance of the hidden token, its share elsewhere, and the fold."""
    scorer = Scorer(app.chosen_model(app.start()).path)
    greedy, corpus = Greedy(scorer.words), Corpus()
    rows: list[tuple[float, ...]] = []
    own: list[float] = []
    shares: list[float] = []
    folds: list[int] = []
    for repository in map(repositories.read, folders):
        known = Continuations(Lexicon(scorer.llama.pieces, scorer.llama.spell), corpus)
        for path, text in repository.texts.items():
            corpus.learn(f"{repository.name}/{path}", text)
        chosen = [
            *holes.choose(repository.sources, "rest", count, 1),
            *holes.choose(repository.sources, "line", count // 2, 1),
        ]
        for hole in chosen:
            cursor = hole.cursor
            prefix, suffix = cursor.prefix[-PREFIX_LIMIT:], cursor.suffix[:SUFFIX_LIMIT]
            request = Complete(1, hole.path, "python", prefix, suffix, "manual")
            fim = scorer.fim
            before, _healed = prompt.split_partial_word(families.to_model(fim, prefix))
            keys = [f"{repository.name}/{path}" for path in repository.texts if path != hole.path]
            here = known.begin(before, families.to_model(fim, suffix), keys, str)
            written = b""
            for token, rest in scorer.steps(request, hole.gold):
                logits = scorer.llama.logits()
                best, top = greedy.choose(logits, rest, 0, written)
                found = here.followed(written, rest)
                if found.counts:
                    said = mixture.opinions(logits, found, best, top)
                    rows.append(mixture.features(found, said, top))
                    own.append(np.exp(float(logits[token]) - float(logits[best]) + top))
                    shares.append(found.counts[token] / found.counts.total())
                    folds.append(zlib.crc32(f"{repository.name}/{hole.path}".encode()) % FOLDS)
                written += scorer.llama.pieces[token]
    return np.array(rows), np.array(own), np.array(shares), np.array(folds)


def chance(weights: Numbers, features: Numbers, own: Numbers, share: Numbers) -> Numbers:
    weight = 1 / (1 + np.exp(-features @ weights))
    return np.maximum((1 - weight) * own + weight * share, 1e-9)


def fit(features: Numbers, own: Numbers, share: Numbers) -> Numbers:
    """Adam, on features that are brought to one scale meanwhile."""
    mean, spread = features.mean(0), features.std(0)
    mean[0], spread[spread == 0] = 0, 1
    scaled = (features - mean) / spread
    weights, first, second = (np.zeros(features.shape[1]) for _ in range(3))
    for step in range(1, STEPS + 1):
        weight = 1 / (1 + np.exp(-scaled @ weights))
        slope = (share - own) / np.maximum((1 - weight) * own + weight * share, 1e-9)
        slope = scaled.T @ (slope * weight * (1 - weight)) - PENALTY * weights
        first = 0.9 * first + 0.1 * slope
        second = 0.999 * second + 0.001 * slope**2
        rates = np.sqrt(second / (1 - 0.999**step)) + 1e-9
        weights += RATE * first / (1 - 0.9**step) / rates
    weights /= spread
    weights[0] -= weights[1:] @ mean[1:]
    return weights


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("folders", nargs="+", type=Path)
    parser.add_argument("--holes", type=int, default=200, help="in each, of the rest of a line")
    arguments = parser.parse_args()
    features, own, share, fold = collect(arguments.folders, arguments.holes)
    cost = np.zeros(len(own))
    for number in range(FOLDS):
        seen = fold != number
        weights = fit(features[seen], own[seen], share[seen])
        cost[~seen] = -np.log(chance(weights, features[~seen], own[~seen], share[~seen]))
    alone = -np.log(np.maximum(own, 1e-9))
    print(f"{len(own)} tokens: {alone.mean():.3f} nats by the model, {cost.mean():.3f} mixed")
    print("   ", ", ".join(f"{weight:.3f}" for weight in fit(features, own, share)))


if __name__ == "__main__":
    main()
