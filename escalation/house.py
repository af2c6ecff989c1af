"""What the gate is told at its start by who starts it: names, keys, rules and effects."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field

from .abilities import Kept
from .audit.records import Actor, Record
from .budgets import UNLIMITED, Ledger, Limits, user_of
from .freezes import Frozen
from .hook import Hook
from .kinds import Tier
from .outgoing import Forbidden
from .policy import UNWRITTEN, Policy
from .providers.provider import Provider
from .reach import Network
from .redaction.rules import Pack, shipped
from .retries import Retries
from .standing import Standing


class Closed(Exception):
    """Nothing can be sent.  `fix` is what to do."""

    def __init__(self, reason: str, fix: str) -> None:
        super().__init__(reason)
        self.fix = fix


def never_frozen() -> tuple[Frozen, ...]:
    return ()


def _nothing(_frozen: bool, _reason: str, _scope: Mapping[str, str]) -> None:
    """A house without a brake."""


def _unhindered() -> Closed | None:
    return None


def _unheard(_record: Record) -> None:
    """Nobody listens."""


def _none() -> Sequence[Standing]:
    return ()


def _forgotten(_standing: Sequence[Standing]) -> None:
    """A house in which every request is asked about."""


def _unknown() -> Kept:
    return Kept()


def _unkept(_kept: Kept) -> None:
    """A house in which every provider is asked anew."""


@dataclass(frozen=True, slots=True)
class House:
    """What the gate is told at its start.  `forbidden` answers the rule that keeps a path
    from leaving, or None; `frozen` what may not be sent just now, and `freeze`
    makes it so or undoes it; `hindrance` says why the log binds nothing just now, or None;
    `noted` hears of every note of readers and owners; `standing` are the yeses that hold on,
    and `keep_standing` replaces them.  `routes` are tiers by kind of task, where the settings
    name them; `off` the features that are switched off; `abilities` what providers can do, as
    far as they were asked, and `keep_abilities` replaces that."""

    version: str
    providers: Mapping[str, Provider]
    actor: Actor
    forbidden: Forbidden
    network: Network
    limits: str
    frozen: Callable[[], tuple[Frozen, ...]] = never_frozen
    freeze: Callable[[bool, str, Mapping[str, str]], None] = _nothing
    policies: tuple[Policy, ...] = (UNWRITTEN,)
    rules: Pack = field(default_factory=shipped)
    hindrance: Callable[[], Closed | None] = _unhindered
    noted: Callable[[Record], None] = _unheard
    standing: Callable[[], Sequence[Standing]] = _none
    keep_standing: Callable[[Sequence[Standing]], None] = _forgotten
    retries: Retries = field(default_factory=Retries)
    routes: Mapping[str, tuple[Tier, ...]] = field(default_factory=dict[str, tuple[Tier, ...]])
    budget: Limits = UNLIMITED
    ledger: Ledger = field(default_factory=Ledger)
    off: frozenset[str] = frozenset()
    hook: Hook | None = None
    abilities: Callable[[], Kept] = _unknown
    keep_abilities: Callable[[Kept], None] = _unkept

    @property
    def user(self) -> str:
        """Whose budget counts."""
        return user_of(asdict(self.actor))
