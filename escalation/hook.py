"""A decision of somebody else's program before anything leaves: allow, or else it is denied.

It is asked about every body, of later requests too.  What it does not clearly allow is
denied: a failure, silence, and an answer that makes no sense.
"""

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, cast
from urllib.parse import urlsplit

import httpx2

from .reach import Network, PinnedTransport, Reach, Refused

LONGEST_REASON = 200
LARGEST_ANSWER = 1 << 16

# Hands a question over and gives the answer, both JSON.  Raises HookFailed.
Ask = Callable[[bytes], Awaitable[bytes]]


class HookFailed(Exception):
    """There was no answer; the message is one line."""


@dataclass(frozen=True, slots=True)
class Hook:
    """`seconds` is how long it may take; with `sees_bytes` it is shown the whole request."""

    ask: Ask
    seconds: float
    sees_bytes: bool = False

    async def judge(self, question: dict[str, Any]) -> "Judgement":
        """Never raises: what goes wrong is a denial."""
        try:
            async with asyncio.timeout(self.seconds):
                return read(await self.ask(json.dumps(question).encode()))
        except TimeoutError:
            return Judgement(False, f"no answer in {self.seconds:g} s")
        except HookFailed as error:
            return Judgement(False, str(error))


@dataclass(frozen=True, slots=True)
class Judgement:
    allowed: bool
    reason: str

    @property
    def shown(self) -> str:
        return f"the hook {'allows' if self.allowed else 'denies'} it: {self.reason}"


def read(answer: bytes) -> Judgement:
    """`{"decision": "allow" or "deny", "reason": text}`; anything else is a denial.  Pure."""
    try:
        said: object = json.loads(answer) if len(answer) <= LARGEST_ANSWER else None
    except (ValueError, RecursionError):
        said = None
    row = cast(dict[str, Any], said) if isinstance(said, dict) else {}
    decision, reason = row.get("decision"), row.get("reason", "")
    if decision not in ("allow", "deny") or not isinstance(reason, str):
        return Judgement(False, "its answer is not understood")
    shown = "".join(c if c.isprintable() else " " for c in reason[:LONGEST_REASON]).strip()
    return Judgement(decision == "allow", shown or "no reason given")


def over_http(url: str, network: Network) -> Ask:
    """A server that is asked by POST and answers with status 200.

    Its host is looked up once for each question and connected to by the number, as a
    provider's is; it may be in the network of the house.
    """
    parts = urlsplit(url)
    host, port = parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)
    reach = Reach(parts.scheme, host, port, private=True)

    async def ask(question: bytes) -> bytes:
        headers = {"content-type": "application/json"}
        try:
            async with (
                PinnedTransport(reach, network) as way,
                httpx2.AsyncClient(transport=way, trust_env=False, timeout=None) as client,
                client.stream("POST", url, content=question, headers=headers) as response,
            ):
                if response.status_code != 200:
                    raise HookFailed(f"it answered with status {response.status_code}")
                said = bytearray()
                async for chunk in response.aiter_raw():
                    said += chunk
                    if len(said) > LARGEST_ANSWER:
                        raise HookFailed("its answer is too long")
                return bytes(said)
        except (httpx2.HTTPError, OSError, Refused) as error:
            why = (str(error).splitlines() or [""])[0][:200] or type(error).__name__
            raise HookFailed(f"{host} cannot be asked: {why}") from None

    return ask
