"""The engine as the LSP process sees it: ask, and be answered or told why not."""

import asyncio
import contextlib
import hashlib
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from .earlier import Text
from .wire import (
    Cancel,
    Complete,
    Done,
    Learn,
    Malformed,
    Piece,
    Request,
    State,
    Status,
    from_line,
    hello,
    read_answer,
    read_hello,
    read_state,
    write_request,
)

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]
Connect = Callable[[], Awaitable[Streams]]

# The engine keeps deadlines itself; one that is so late hangs.
GRACE_SECONDS = 5.0
# A hello and a state need no computation.
HELLO_SECONDS = 10.0
# Bytes of a text that are sent at once: a line on the wire has an end.
PART = 256 << 10
HANGS = "the engine does not answer; run `wicket stop engine`"


def ignore(_piece: str) -> None:
    """Nobody wants to know before the end."""


class EngineGone(Exception):
    """There is no engine to ask.  The message is one line for the status."""


@dataclass(frozen=True, slots=True)
class Generated:
    """A whole answer: its pieces, the log-probability of each, and how it ended.

    `others` are alternatives to it, which are always whole.
    """

    pieces: tuple[str, ...]
    logprobs: tuple[float, ...]
    done: Done
    others: tuple["Generated", ...] = ()

    @property
    def text(self) -> str:
        return "".join(self.pieces)


def gathered(pieces: Sequence[Piece], done: Done) -> Generated:
    def of(number: int) -> Generated:
        mine = [piece for piece in pieces if piece.alternative == number]
        return Generated(tuple(p.text for p in mine), tuple(p.logprob for p in mine), done)

    others = sorted({piece.alternative for piece in pieces} - {0})
    return replace(of(0), others=tuple(map(of, others)))


class EngineClient:
    """One connection to the engine, made when needed and made anew after a loss.

    `connect` answers streams to a running engine, starting one where there is none.
    """

    def __init__(self, connect: Connect, version: str) -> None:
        self._connect = connect
        self._version = version
        self._writer: asyncio.StreamWriter | None = None
        self._listening: asyncio.Task[None] | None = None
        self._opening = asyncio.Lock()
        self._answers: dict[int, asyncio.Queue[Piece | Done | State]] = {}
        self._number = 0
        self._learned: set[str] = set()
        self.state: State | None = None

    @property
    def connected(self) -> bool:
        """Whether `state` is that of an engine which still listens."""
        return self._writer is not None

    async def open(self) -> State:
        """Connect and exchange hellos.  Raises EngineGone."""
        async with self._opening:
            if self._writer is not None and self.state is not None:
                return self.state
            reader, writer = await self._connect()
            try:
                writer.write(hello(self._version))
                async with asyncio.timeout(HELLO_SECONDS):
                    version, state = read_hello(await reader.readline())
                if version != self._version or state is None:
                    raise Malformed(f"is version {version}")
            except TimeoutError:
                writer.close()
                raise EngineGone(HANGS) from None
            except (Malformed, OSError) as error:
                writer.close()
                raise EngineGone(f"the engine {error}; run `wicket stop engine`") from None
            self._writer, self.state = writer, state
            self._learned.clear()
            self._listening = asyncio.create_task(self._listen(reader))
            return state

    async def complete(self, request: Complete, hear: Callable[[str], None] = ignore) -> Generated:
        """Ask and gather; `hear` gets each piece of text when it comes.

        A cancelled caller cancels the request in the engine.

        Raises EngineGone where no engine can be reached; an engine that dies on the way
        gives a Done of "failed".
        """
        await self.open()
        number = self._next_number()
        answers = self._answers[number] = asyncio.Queue()
        pieces: list[Piece] = []
        try:
            self._send(replace(request, id=number))
            limit = None
            if request.deadline_ms is not None:
                limit = request.deadline_ms / 1000 + GRACE_SECONDS
            async with asyncio.timeout(limit):
                while not isinstance(answer := await answers.get(), Done):
                    if isinstance(answer, Piece):
                        pieces.append(answer)
                        if not answer.alternative:
                            hear(answer.text)
        except TimeoutError:
            await self.close()
            raise EngineGone(HANGS) from None
        except asyncio.CancelledError:
            self._send(Cancel(self._next_number(), number))
            raise
        finally:
            self._answers.pop(number, None)
        return gathered(pieces, answer)

    async def learn(self, texts: Sequence[Text]) -> tuple[str, ...]:
        """Have the engine keep these texts; the keys to name them by.  Raises EngineGone.

        What it has learned already is not sent again.
        """
        await self.open()
        keys: list[str] = []
        for part in (part for text in texts for part in _parts(bytes(text.data[:]))):
            key = hashlib.sha256(part).hexdigest()[:16]
            if key not in self._learned:
                self._learned.add(key)
                self._send(Learn(0, key, part.decode("utf-8", "replace")))
            keys.append(key)
        return tuple(keys)

    async def refresh(self) -> State:
        """The engine's state now.  Raises EngineGone."""
        await self.open()
        number = self._next_number()
        answers = self._answers[number] = asyncio.Queue()
        try:
            self._send(Status(number))
            async with asyncio.timeout(HELLO_SECONDS):
                answer = await answers.get()
        except TimeoutError:
            await self.close()
            raise EngineGone(HANGS) from None
        finally:
            self._answers.pop(number, None)
        if not isinstance(answer, State):
            raise EngineGone("the engine stopped")
        self.state = answer
        return answer

    async def ended(self) -> None:
        """Return once the connection is lost."""
        if self._listening is not None:
            await asyncio.wait([self._listening])

    async def close(self) -> None:
        writer, self._writer = self._writer, None
        if writer is not None:
            writer.close()
        if self._listening is not None:
            self._listening.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._listening

    def _next_number(self) -> int:
        self._number += 1
        return self._number

    def _send(self, request: Request) -> None:
        if self._writer is not None and not self._writer.is_closing():
            self._writer.write(write_request(request))

    async def _listen(self, reader: asyncio.StreamReader) -> None:
        """Hand every answer to who waits for it; at the end everybody learns of it."""
        why = "the engine stopped"
        try:
            while line := await reader.readline():
                said = from_line(line)
                if "error" in said:
                    why = f"the engine refused a request: {said['error']}"
                waiting = self._answers.get(said.get("id", 0))
                if waiting is not None:
                    waiting.put_nowait(read_answer(said))
                elif said.get("id") == 0:
                    # The engine's own word that another model speaks from now on.
                    self.state = read_state(said)
        except (OSError, ValueError, TypeError, Malformed) as error:
            why = f"the engine's answer is damaged: {type(error).__name__}"
        finally:
            if self._writer is not None:
                self._writer.close()
                self._writer = None
            for number, waiting in self._answers.items():
                waiting.put_nowait(Done(number, "failed", why))


def _parts(data: bytes) -> Iterator[bytes]:
    """A text in parts that end with a line, where one does."""
    at = 0
    while at < len(data):
        end = min(at + PART, len(data))
        end = end if end == len(data) else data.rfind(b"\n", at, end) + 1 or end
        yield data[at:end]
        at = end
