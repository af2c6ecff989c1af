"""What the settings say about routes, budgets and features, as the gate is told it."""

from typing import Any

from ..escalation.budgets import MILLION, Limits
from .settings import BudgetSettings, FeaturesSettings, GateSettings, Settings


def limits(said: BudgetSettings) -> Limits:
    """Micro-USD and tokens."""
    day, month, tokens = said.day_usd, said.month_usd, said.day_tokens
    return Limits(
        None if day == "unlimited" else round(day * MILLION),
        None if month == "unlimited" else round(month * MILLION),
        None if tokens == "unlimited" else tokens,
    )


def rules(wanted: Settings | None) -> dict[str, Any]:
    """Members of the gate's house; none where the settings could not be read."""
    if wanted is None:
        return {}
    return {
        "routes": wanted.routes,
        "budget": limits(wanted.budget),
        "off": off(wanted.features),
    }


def off(said: FeaturesSettings) -> frozenset[str]:
    """The features that are switched off."""
    return frozenset(name for name in ("ask", "edit", "tools") if not getattr(said, name))


def tightened(wanted: Settings) -> dict[str, int | None]:
    """The budget of a folder, which its repository may have tightened, as a task's member."""
    found = limits(wanted.budget)
    return {name: getattr(found, name) for name in Limits.__dataclass_fields__}


def refusal(gate: GateSettings, features: FeaturesSettings, feature: str) -> str | None:
    """Why a folder wants nothing of this to leave, or None."""
    if not gate.enabled:
        return "gate.enabled is false here; `wicket config` says where"
    if feature in off(features):
        return f"features.{feature} is false here; `wicket config` says where"
    return None
