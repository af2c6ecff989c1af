"""What providers ask for their models: a dated table, for where the settings say nothing."""

import tomllib
from collections.abc import Mapping
from functools import cache
from importlib import resources
from typing import Any

from .provider import MILLION, Prices

TABLE = "prices.toml"


def listed(host: str, model: str) -> Prices | None:
    """None for a model that the table does not know: a guess would be worse."""
    return table().get((host, model))


def models(host: str) -> tuple[str, ...]:
    """The models of a host whose prices are known, those first that the table has first."""
    return tuple(model for at, model in table() if at == host)


@cache
def table() -> Mapping[tuple[str, str], Prices]:
    """By host and model."""
    file = resources.files(__package__ or "").joinpath(TABLE)
    said: dict[str, Any] = tomllib.loads(file.read_text("utf-8"))
    since = str(said.pop("as_of"))
    return {
        (host, model): _row(row, since)
        for host, section in said.items()
        for row in section["rows"]
        for model in row["models"]
    }


def _row(row: Mapping[str, Any], since: str) -> Prices:
    into = row["input"]
    numbers = (into, row["output"], row.get("cached", into), row.get("written", into))
    return Prices(*(round(number * MILLION) for number in numbers), since=since)
