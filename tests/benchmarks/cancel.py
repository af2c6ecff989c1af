"""How soon the engine is idle after a cancel: `python tests/benchmarks/cancel.py`.

Cancels cold requests at random moments of their prefill and decode, and times from the
call of `cancel` to the request's `Done`, after which the next request can run.
"""

import argparse
import json
import os
import queue
import random
import time
from pathlib import Path

import wicket.completion.models as models_folder
from wicket.completion.engine import Answer, Engine, Job
from wicket.completion.local import LocalBackend
from wicket.completion.wire import Complete, Done, State

MODEL = Path(models_folder.__file__).parent / "wicket-base-q8_0.gguf"
SOURCE = Path(os.__file__).read_text()


def measure(times: int, seed: int) -> tuple[list[float], int]:
    """Milliseconds of each cancel that met a running request, and how many met none."""
    engine = Engine(LocalBackend(MODEL), State("m", "0", "loading"))
    engine.start()
    chance = random.Random(seed)
    answers: queue.Queue[Answer] = queue.Queue()
    spent: list[float] = []
    late = 0
    for number in range(times):
        at = chance.randrange(6000, len(SOURCE) - 2000)
        request = Complete(number, f"{number}.py", "python", SOURCE[:at], SOURCE[at:], lines=20)
        job = Job(request, answers.put)
        engine.submit(job)
        time.sleep(chance.uniform(0.001, 0.15))
        began = time.perf_counter()
        engine.cancel(job)
        while not isinstance(answer := answers.get(timeout=30), Done):
            pass
        if answer.done == "cancelled":
            spent.append((time.perf_counter() - began) * 1000)
        else:
            late += 1
    engine.close()
    return sorted(spent), late


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--times", type=int, default=200)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    load = os.getloadavg()[0]
    spent, late = measure(arguments.times, 1)
    figures = {
        "cancelled": len(spent),
        "ended_before": late,
        "p50_ms": round(spent[len(spent) // 2], 2),
        "p95_ms": round(spent[int(len(spent) * 0.95)], 2),
        "max_ms": round(spent[-1], 2),
        "load_before": round(load, 2),
    }
    print(json.dumps(figures) if arguments.json else figures)


if __name__ == "__main__":
    main()
