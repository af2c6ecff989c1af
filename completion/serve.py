"""The engine's front: editors on one side, the engine's thread on the other.

`serve` is given a bound socket and runs until nobody has needed it for a while.
"""

import asyncio
import contextlib
import socket
from collections.abc import Callable
from functools import partial

from .engine import Answer, Engine, Job
from .wire import (
    LINE_LIMIT,
    Cancel,
    Complete,
    Done,
    Learn,
    Malformed,
    State,
    Status,
    hello,
    read_hello,
    read_request,
    to_line,
    write_answer,
    write_state,
)

# A client that does not read its answers is dropped once this much waits for it.
UNREAD_LIMIT = 4 << 20

# Answers the request to run, or why it is refused.
Admit = Callable[[Complete], Complete | str]
# Keeps a text under a key.
Keep = Callable[[str, str], None]
# A line, the answer that it holds, and whether it was sent.
Noted = Callable[[bytes, Answer | None, bool], None]


async def serve(
    listening: socket.socket,
    engine: Engine,
    *,
    version: str,
    idle_seconds: float,
    allowed: Callable[[socket.socket], bool],
    stop: asyncio.Event,
    leave: Callable[[], None],
    keep: Keep = lambda _key, _text: None,
) -> None:
    """Answer every connection that `allowed` lets in.

    Returns after `idle_seconds` without a connection, or when `stop` is set.
    `leave` is called before connections end, so that leaving is not taken for a crash.
    """
    loop = asyncio.get_running_loop()
    connections: set[asyncio.Task[None]] = set()
    # A timer, not a loop that looks: an engine that nobody uses does not wake up.
    idle = loop.call_later(idle_seconds, stop.set)

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal idle
        task = asyncio.current_task()
        if task is None or not allowed(writer.get_extra_info("socket")):
            writer.close()
            return
        idle.cancel()
        connections.add(task)
        try:
            writer.write(hello(version, engine.state()))
            read_hello(await reader.readline())
            await converse(reader, writer, engine, keep=keep)
        except Malformed as error:
            writer.write(to_line({"error": str(error)}))
        except (ConnectionError, ValueError, asyncio.CancelledError):
            pass
        finally:
            writer.close()
            connections.discard(task)
            if not connections:
                idle = loop.call_later(idle_seconds, stop.set)

    server = await asyncio.start_unix_server(connected, sock=listening, limit=LINE_LIMIT)
    await stop.wait()
    idle.cancel()
    leave()
    server.close()
    for task in connections:
        task.cancel()


async def converse(
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
    engine: Engine,
    admit: Admit = lambda request: request,
    noted: Noted = lambda _line, _answer, _sent: None,
    keep: Keep = lambda _key, _text: None,
) -> None:
    """One connection from after the hellos to its end; its jobs end with it.

    Texts to look things up in are handed to `keep`; who gives none wants none.
    `noted` sees every line that comes, and every one that is sent with its answer.
    """
    loop = asyncio.get_running_loop()
    jobs: dict[int, Job] = {}
    deadlines: dict[int, asyncio.TimerHandle] = {}
    told = _outline(engine.state())

    def send(line: bytes, answer: Answer | None = None) -> None:
        writer.write(line)
        noted(line, answer, True)

    def answered(number: int, answer: Answer) -> None:
        nonlocal told
        if writer.is_closing():
            return
        if isinstance(answer, Done):
            jobs.pop(number, None)
            if timer := deadlines.pop(number, None):
                timer.cancel()
            if (now := _outline(state := engine.state())) != told:
                # Another tier speaks: said before the end of its first answer.
                told = now
                send(write_state(0, state))
        send(write_answer(answer), answer)
        if writer.transport.get_write_buffer_size() > UNREAD_LIMIT:
            writer.transport.abort()

    def from_engine(number: int, answer: Answer) -> None:
        # The engine's thread may still answer while the loop is closing.
        with contextlib.suppress(RuntimeError):
            loop.call_soon_threadsafe(answered, number, answer)

    try:
        while line := await reader.readline():
            noted(line, None, False)
            match read_request(line):
                case Complete() as request:
                    if request.id in jobs:
                        raise Malformed(f"id {request.id} is in use")
                    admitted = admit(request)
                    if isinstance(admitted, str):
                        refused = Done(request.id, "failed", admitted)
                        send(write_answer(refused), refused)
                        continue
                    job = Job(admitted, partial(from_engine, request.id))
                    jobs[request.id] = job
                    if admitted.deadline_ms is not None:
                        deadlines[request.id] = loop.call_later(
                            admitted.deadline_ms / 1000, engine.cancel, job, "deadline"
                        )
                    engine.submit(job)
                case Cancel(target=target):
                    if target in jobs:
                        engine.cancel(jobs[target])
                case Learn(key=key, text=text):
                    keep(key, text)
                case Status(id=number):
                    send(write_state(number, engine.state()))
    except Malformed as error:
        writer.write(to_line({"error": str(error)}))
    except (ConnectionError, ValueError, asyncio.CancelledError):
        # A dead client, a line over the limit, or our own end.
        pass
    finally:
        for timer in deadlines.values():
            timer.cancel()
        for job in jobs.values():
            engine.cancel(job)
        writer.close()


def _outline(state: State) -> tuple[object, ...]:
    """What a client must be told of when it changes."""
    return state.model, state.state, state.reason, state.family, state.languages, state.held
