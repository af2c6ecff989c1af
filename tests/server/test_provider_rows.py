"""Rows of `[providers]`: what each kind needs, and what a price may be."""

from typing import Any

import pytest
from wicket.server.gate import _provider
from wicket.server.settings_checks import Unfit
from wicket.server.settings_rows import provider_source

CLOUD = {"kind": "anthropic", "base_url": "https://api.anthropic.com", "model": "m"}


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({}, None),
        ({"kind": "openai"}, None),
        ({"kind": "mystery"}, "knows the kinds"),
        ({"kind": "azure", "api_version": "2025-04-01-preview"}, None),
        ({"kind": "azure", "api_version": 2025}, "all text"),
        ({"kind": "bedrock", "region": "eu-central-1"}, None),
        ({"kind": "bedrock"}, "must have a region"),
        ({"kind": "vertex", "region": "eu"}, "must have a project"),
        ({"kind": "vertex", "region": "eu", "project": "p"}, None),
        ({"kind": "openai", "base_url": "http://api.openai.com/v1"}, "must be https"),
        ({"prices": {"input": 1, "output": 2}}, None),
        ({"prices": {"input": 1, "output": 2, "cached": 0.1}}, None),
        ({"prices": {"input": 1, "output": 2, "hidden": 0.1}}, "must have prices"),
        ({"prices": {"input": 1}}, "must have prices"),
        ({"prices": {"input": True, "output": 2}}, "must have prices"),
        ({"prices": {"input": 1, "output": float("nan")}}, "must have prices"),
        ({"prices": 3}, "must have prices"),
        ({"answers_as": "m-2026"}, None),
        ({"answer_as": "m-2026"}, "not answer_as"),
    ],
)
def test_what_a_row_must_have(changes: dict[str, Any], why: str | None) -> None:
    if why is None:
        assert provider_source(CLOUD | changes)
    else:
        with pytest.raises(Unfit, match=why):
            provider_source(CLOUD | changes)


@pytest.mark.parametrize(
    ("changes", "wanted"),
    [
        ({}, None),
        ({"model": "claude-sonnet-4-20250514"}, (3_000_000, 300_000, 3_750_000, "2025-12-01")),
        ({"prices": {"input": 1, "output": 2}}, (1_000_000, 1_000_000, 1_000_000, "settings")),
        (
            {"prices": {"input": 1, "output": 2, "cached": 0.1}},
            (1_000_000, 100_000, 1_000_000, "settings"),
        ),
        (
            {"model": "claude-sonnet-4-20250514", "prices": {"input": 0, "output": 0}},
            (0, 0, 0, "settings"),
        ),
    ],
)
def test_settings_win_over_the_table(changes: dict[str, Any], wanted: Any) -> None:
    prices = _provider("x", provider_source(CLOUD | changes), None).prices
    found = prices and (prices.input, prices.cached, prices.written, prices.since)
    assert found == wanted
