"""What the gate is told at its start by who starts it: names, keys, rules and effects."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from .audit.records import Actor, Record
from .outgoing import Forbidden
from .policy import UNWRITTEN, Policy
from .providers.provider import Provider
from .redaction.rules import Pack, shipped
from .retries import Retries
from .standing import Standing
from .transport import Network


class Closed(Exception):
    """Nothing can be sent.  `fix` is what to do."""

    def __init__(self, reason: str, fix: str) -> None:
        super().__init__(reason)
        self.fix = fix


def never_frozen() -> str | None:
    return None


def _nothing(_frozen: bool, _reason: str) -> None:
    """A house without a brake."""


def _unhindered() -> Closed | None:
    return None


def _unheard(_record: Record) -> None:
    """Nobody listens."""


def _none() -> Sequence[Standing]:
    return ()


def _forgotten(_standing: Sequence[Standing]) -> None:
    """A house in which every request is asked about."""


@dataclass(frozen=True, slots=True)
class House:
    """What the gate is told at its start.  `forbidden` answers the rule that keeps a path
    from leaving, or None; `frozen` why nothing may be sent just now, or None, and `freeze`
    makes it so or undoes it; `hindrance` says why the log binds nothing just now, or None;
    `noted` hears of every note of readers and owners; `standing` are the yeses that hold on,
    and `keep_standing` replaces them."""

    version: str
    providers: Mapping[str, Provider]
    actor: Actor
    forbidden: Forbidden
    network: Network
    limits: str
    frozen: Callable[[], str | None] = never_frozen
    freeze: Callable[[bool, str], None] = _nothing
    policies: tuple[Policy, ...] = (UNWRITTEN,)
    rules: Pack = field(default_factory=shipped)
    hindrance: Callable[[], Closed | None] = _unhindered
    noted: Callable[[Record], None] = _unheard
    standing: Callable[[], Sequence[Standing]] = _none
    keep_standing: Callable[[Sequence[Standing]], None] = _forgotten
    retries: Retries = field(default_factory=Retries)
