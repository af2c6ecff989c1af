"""How soon the engine is idle after a cancel.

Cancels cold requests at random moments of their prefill and decode, and times from the
call of `cancel` to the request's `Done`, after which the next request can run.
"""

import argparse
import os
import queue
import random
import time
from pathlib import Path

import frame
import wicket.completion.models as models_folder
from wicket.completion.engine import Answer, Engine, Job
from wicket.completion.local import LocalBackend
from wicket.completion.metrics import quantile
from wicket.completion.wire import Complete, Done, State

MODEL = Path(models_folder.__file__).parent / "wicket-base-q8_0.gguf"
SOURCE = Path(os.__file__).read_text()


def measure(asked: argparse.Namespace) -> dict[str, float]:
    engine = Engine(LocalBackend(MODEL), State("m", "0", "loading"))
    engine.start()
    while engine.state().state == "loading":
        time.sleep(0.01)
    chance = random.Random(asked.seed)
    answers: queue.Queue[Answer] = queue.Queue()
    spent: list[float] = []
    for number in range(asked.times):
        at = chance.randrange(6000, len(SOURCE) - 2000)
        request = Complete(number, f"{number}.py", "python", SOURCE[:at], SOURCE[at:], lines=20)
        job = Job(request, answers.put)
        engine.submit(job)
        time.sleep(chance.uniform(0.001, 0.15))
        began = time.perf_counter()
        engine.cancel(job)
        while not isinstance(answer := answers.get(timeout=30), Done):
            pass
        # The others met no running request.
        if answer.done == "cancelled":
            spent.append((time.perf_counter() - began) * 1000)
    engine.close()
    return {
        "cancelled": len(spent),
        "ended_before": asked.times - len(spent),
        "idle_p50_ms": quantile(spent, 0.5),
        "idle_p95_ms": quantile(spent, 0.95),
        "idle_max_ms": max(spent, default=0.0),
    }


if __name__ == "__main__":
    frame.main(__doc__, measure, ("--times", 200, "requests that are cancelled"))
