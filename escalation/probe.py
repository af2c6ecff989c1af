"""A provider is asked what it can do, one recorded request after the other, and it is kept."""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from . import abilities, probing, recorded
from .choosing import Choosing
from .exchange import Emit
from .house import House
from .kinds import AWAY, PROBE
from .outgoing import Denial
from .prepared import Prepared
from .preparing import Preparing
from .redaction.known import known
from .redaction.masking import Masks
from .task import Malformed, Task

# Sends what is prepared, as the yes of who asked for the probe, and returns at its end.
Send = Callable[[Prepared, Emit], Awaitable[None]]


async def probe(preparing: Preparing, send: Send, name: str, any_tier: bool) -> dict[str, Any]:
    """Only because somebody said so now; `any_tier` also where the settings would not route to.

    Raises Closed, Denial, and Malformed for a provider that cannot be asked so.
    """
    house = preparing.house
    if (wanted := house.providers.get(name)) is None:
        raise Malformed(f"there is no provider {name[:80]}")
    if wanted.kind != probing.ASKABLE:
        raise Malformed(f"{name} is of kind {wanted.kind}, whose abilities are documented")
    task = Task(PROBE, "", (), prefer=name, editor=("wicket", house.version))
    choosing = replace(preparing.choosing, house=_reaching(house, any_tier))
    done: list[probing.Heard] = []
    while (question := probing.following(done, wanted.model)) is not None:
        heard = probing.Heard(question)
        try:
            asked = await _asked(preparing, choosing, task, heard)
        except Denial as denial:
            await recorded.denial(preparing.log, house, task, wanted, denial)
            raise

        def emit(event: str, members: dict[str, Any], into: probing.Heard = heard) -> None:
            if event == "error":
                into.error = str(members["reason"])

        await send(asked, emit)
        done.append(heard)
    when = datetime.now(UTC).isoformat(timespec="seconds")
    if (found := probing.found(done, wanted, when)) is not None:
        rows = house.abilities().rows
        house.keep_abilities(abilities.Kept({**rows, name: found}))
    why = next((one.error for one in reversed(done) if one.error), None)
    return {
        "provider": name,
        "requests": len(done),
        "abilities": abilities.as_json(abilities.Kept({name: found}))[name] if found else None,
        "shown": found.shown if found else f"nothing is known: {why}",
    }


async def _asked(
    preparing: Preparing, choosing: Choosing, task: Task, heard: probing.Heard
) -> Prepared:
    """One question, ready to be sent.  Raises Denial."""
    route, provider = choosing.provider(task)
    considered = preparing.considered(task, provider, Masks(preparing.house.rules, known(())))
    return await preparing.asked(task, route, provider, considered, heard.converse)


def _reaching(house: House, any_tier: bool) -> House:
    tiers = {PROBE: AWAY} if any_tier else {}
    return replace(house, routes=tiers | dict(house.routes))
