"""A distant engine, from request to answer: `sudo python tests/benchmarks/remote.py`.

Two network namespaces with a link of 5, 20 and 60 ms round trip, without and with 1 % of
the packets lost (`far_link.py`).  At the far end stand an inference server that thinks for
a fixed time, and a team's door before it; at the near end the backends that Wicket's engine
uses.  `steady` lets each answer come; `typing` cancels one request before each measured
one.  Then the link is cut and mended while somebody types; the next tier answers at once
there, so that the switching is measured and no model.
"""

import argparse
import asyncio
import json
import os
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import far_link

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "tests" / "completion"))
from certificates import Authority  # noqa: E402
from fake_server import WORDS, FakeServer  # noqa: E402
from wicket.completion.door import Door, digest  # noqa: E402
from wicket.completion.engine import Answer, Backend, BackendError, Engine, Halted  # noqa: E402
from wicket.completion.remote import RemoteBackend  # noqa: E402
from wicket.completion.team import TeamBackend  # noqa: E402
from wicket.completion.tiers import Tier, Tiers  # noqa: E402
from wicket.completion.wire import Complete, Done, Piece, State  # noqa: E402

SOURCE = (ROOT / "completion" / "engine.py").read_text()
HTTP, TLS = 8000, 7411
TOKEN = "token-of-the-benchmark"
# What the server takes for a prompt and for its words, the same in every row.
THINKS_SECONDS = 0.03
KEY_SECONDS = 0.2


def serve(folder: Path) -> None:
    """The far end, until its standard input ends."""
    server = FakeServer()
    server.delay, server.host, server.port = THINKS_SECONDS, "0.0.0.0", HTTP
    authority = Authority(folder, f"subjectAltName=IP:{far_link.FAR_ADDRESS}")
    with server:
        first = RemoteBackend(f"http://127.0.0.1:{HTTP}")
        engine = Engine(first, State("far", "", "loading"), [first.sibling()])
        engine.start()
        listening = socket.create_server(("0.0.0.0", TLS))
        door = Door(engine, lambda: {digest(TOKEN): "ann"}, "bench")

        async def until_end() -> None:
            stop = asyncio.Event()
            loop = asyncio.get_running_loop()
            loop.add_reader(0, stop.set)
            print("ready", flush=True)
            await door.serve(listening, authority.server(), stop)

        asyncio.run(until_end())
        engine.close()


def backends(folder: Path) -> dict[str, RemoteBackend | TeamBackend]:
    url = f"{far_link.FAR_ADDRESS}"
    door = f"wicket+tls://{url}:{TLS}"
    return {
        "http": RemoteBackend(f"http://{url}:{HTTP}"),
        "door": TeamBackend(door, lambda _fresh: TOKEN, folder / "ca.pem", "bench"),
    }


def request(number: int) -> Complete:
    at = 2000 + number
    return Complete(number, "a.py", "python", SOURCE[:at], SOURCE[at : at + 500], deadline_ms=3000)


def answered(backend: Backend, number: int, cancel_after: float | None = None) -> float:
    """Milliseconds until the whole answer; those of a cancelled request say nothing."""
    halted = threading.Event()
    timer = None
    if cancel_after is not None:

        def cancel() -> None:
            halted.set()
            backend.interrupt()

        timer = threading.Timer(cancel_after, cancel)
        timer.start()
    began = time.perf_counter()
    try:
        for answer in backend.complete(
            request(number), lambda: "cancelled" if halted.is_set() else None
        ):
            last = answer
    finally:
        spent = (time.perf_counter() - began) * 1000
        if timer:
            timer.cancel()
            timer.join()
        backend.resume()
    assert isinstance(last, Done)
    return spent


def latencies(folder: Path, times: int) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, backend in backends(folder).items():
        load(backend)
        for way in ("steady", "typing"):
            spent, failed = [], 0
            for number in range(times):
                try:
                    if way == "typing":
                        answered(backend, number, cancel_after=0.015)
                    spent.append(answered(backend, number))
                except BackendError:
                    # As the chain of tiers would: somebody else answers, then it is probed.
                    failed += 1
                    load(backend)
            found[f"{name} {way}"] = percentiles(spent) | {"failed": failed}
        backend.close()
    return found


def load(backend: Backend) -> None:
    """A lost packet may end one attempt to connect."""
    for attempt in range(10):
        try:
            backend.load(lambda _share: None)
        except BackendError:
            if attempt == 9:
                raise
            time.sleep(0.5)
        else:
            return


def percentiles(spent: list[float]) -> dict[str, float]:
    spent = sorted(spent)
    cuts = statistics.quantiles(spent, n=20)
    return {
        "p50_ms": round(statistics.median(spent), 1),
        "p95_ms": round(cuts[18], 1),
        "min_ms": round(spent[0], 1),
        "max_ms": round(spent[-1], 1),
        "n": len(spent),
    }


def switching(folder: Path, patience_ms: int) -> dict[str, Any]:
    """A key every 200 ms through a cut and its mending; the outer program obeys our lines."""
    found: dict[str, Any] = {}
    for name, backend in backends(folder).items():
        box = Tier("box", backend, distant=True)
        here = Tier("here", AtOnce(), distant=False)
        tiers = Tiers([box, here], patience_ms)
        load(tiers)
        while box.probed:
            time.sleep(0.01)
        said = {"answers": 0, "unanswered": 0}

        def key(
            number: int, tiers: Tiers = tiers, said: dict[str, int] = said
        ) -> tuple[float, str]:
            began = time.perf_counter()
            *_pieces, done = tiers.complete(request(number), lambda: None)
            assert isinstance(done, Done)
            said["answers" if done.done in ("stop", "length") else "unanswered"] += 1
            spent = (time.perf_counter() - began) * 1000
            time.sleep(max(0.0, KEY_SECONDS - spent / 1000))
            return spent, done.model

        for number in range(5):
            assert key(number)[1] == "box"
        obey("cut")
        cut, slow, number = time.perf_counter(), [], 5
        while (last := key(number))[0] > 50 or last[1] != "here":
            slow.append(round(last[0], 1))
            number += 1
        local = time.perf_counter() - cut - KEY_SECONDS
        for _ in range(10):
            number += 1
            assert key(number)[1] == "here"
        obey("mend")
        mended = time.perf_counter()
        while key(number)[1] != "box":
            number += 1
        found[name] = {
            "answers_waited_for_ms": slow,
            "until_local_s": round(local, 2),
            "until_box_again_s": round(time.perf_counter() - mended, 2),
            **said,
        }
        backend.close()
    return found


class AtOnce:
    """The next tier, without a model."""

    def load(self, progress: Callable[[float], None]) -> None: ...

    def describe(self, state: State) -> State:
        return state

    def complete(self, request: Complete, halted: Halted) -> Iterator[Answer]:
        yield Piece(request.id, "here", -0.1)
        yield Done(request.id, "stop")

    def interrupt(self) -> None: ...

    def resume(self) -> None: ...


def obey(word: str) -> None:
    print(word, flush=True)
    if not sys.stdin.readline():
        sys.exit("the outer program has gone")


def across(folder: Path, link: far_link.Link, *arguments: str) -> dict[str, Any]:
    """Run this program at both ends of the link; what its near end found."""

    def end(name: str, *what: str) -> "subprocess.Popen[str]":
        command = far_link.inside(name, sys.executable, __file__, *what)
        return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    far = end(far_link.FAR, "--serve", str(folder))
    assert far.stdin
    assert far.stdout
    assert far.stdout.readline() == "ready\n"
    near = None
    try:
        near = end(far_link.NEAR, *arguments, "--folder", str(folder))
        assert near.stdin
        assert near.stdout
        found: dict[str, Any] = {}
        for line in near.stdout:
            match line.strip():
                case "cut":
                    link.cut()
                case "mend":
                    link.mend()
                case other:
                    found = json.loads(other)
                    break
            near.stdin.write("done\n")
            near.stdin.flush()
        near.wait(30)
    finally:
        if near:
            near.kill()
        far.stdin.close()
        far.wait(30)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--times", type=int, default=100, help="of each; 0: only cut and mend")
    parser.add_argument("--patience-ms", type=int, default=600)
    parser.add_argument("--json", action="store_true")
    for inner in ("--serve", "--folder", "--measure"):
        parser.add_argument(inner, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.serve:
        serve(Path(arguments.serve))
        return
    if arguments.measure:
        folder = Path(arguments.folder)
        if arguments.measure == "latencies":
            print(json.dumps(latencies(folder, arguments.times)), flush=True)
        else:
            print(json.dumps(switching(folder, arguments.patience_ms)), flush=True)
        return
    # Whoever ends us leaves no namespace and no process behind.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    if why := far_link.missing():
        print(f"skipped: {why}")
        return
    found: dict[str, Any] = {
        "machine": f"{os.cpu_count()} cores",
        "load_before": round(os.getloadavg()[0], 2),
        "server_thinks_ms": THINKS_SECONDS * 1000,
        "words": len(WORDS),
    }
    times = ("--times", str(arguments.times))
    for round_trip in (5, 20, 60) if arguments.times else ():
        for loss in (0.0, 0.01):
            with tempfile.TemporaryDirectory() as folder, far_link.link(round_trip, loss) as link:
                rows = across(Path(folder), link, "--measure", "latencies", *times)
            found[f"{round_trip} ms, {loss:.0%} lost"] = rows
            if not arguments.json:
                for name, row in rows.items():
                    print(f"{round_trip:>3} ms {loss:>4.0%} lost  {name:12} {row}", flush=True)
    with tempfile.TemporaryDirectory() as folder, far_link.link(20, 0) as link:
        patience = ("--patience-ms", str(arguments.patience_ms))
        found["cut and mended at 20 ms"] = across(
            Path(folder), link, "--measure", "switching", *patience
        )
    if arguments.json:
        print(json.dumps(found))
    else:
        print(json.dumps({k: v for k, v in found.items() if "lost" not in k}, indent=1))


if __name__ == "__main__":
    main()
