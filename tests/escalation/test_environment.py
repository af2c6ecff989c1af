"""What the SDKs would read from the environment: none of it changes what is sent, or where."""

import importlib.util
import re
import socket
from pathlib import Path

import pytest
from wicket.escalation.conversation import Conversation
from wicket.escalation.providers.provider import Provider
from wicket.escalation.reach import Network
from wicket.escalation.task import read
from wicket.escalation.way import Way

from .gate_world import KEY, TASK

# Headers that are set for every request, whoever is asked.
OTHERS = ("accept", "Content-Type", "api-key", "x-api-key")
PACKAGES = ("anthropic", "openai", "httpx2", "httpcore2", "opentelemetry", "botocore")
ROWS = (
    Provider("home", "anthropic", "https://api.anthropic.com", "m", "frontier", key=KEY),
    Provider("home", "openai", "https://api.openai.com/v1", "m", "frontier", key=KEY),
    Provider("home", "azure", "https://r.openai.azure.com/openai/v1", "m", "frontier", key=KEY),
    Provider(
        "home", "azure", "https://r.openai.azure.com", "m", "frontier", key=KEY,
        api_version="2025-04-01-preview",
    ),
    Provider(
        "home", "azure", "https://r.services.ai.azure.com/anthropic", "m", "frontier", key=KEY
    ),
    Provider(
        "home", "bedrock", "https://bedrock-runtime.eu-central-1.amazonaws.com", "m", "frontier",
        region="eu-central-1", key="AKIA:SECRET",
    ),
    Provider(
        "home", "vertex", "https://eu-aiplatform.googleapis.com/v1", "m", "frontier",
        region="eu", project="p", key=KEY,
    ),
)  # fmt: skip


def environment_of_the_sdks() -> list[str]:
    """Every name that the SDKs, and what traces and sends for them, ask the environment for."""
    found: set[str] = set()
    for package in PACKAGES:
        spec = importlib.util.find_spec(package)
        assert spec
        assert spec.submodule_search_locations
        for place in spec.submodule_search_locations:
            for file in Path(place).rglob("*.py"):
                source = file.read_text()
                if "environ" not in source and "ENV_" not in source:
                    continue
                found |= set(re.findall(r"environ[^\n]*?[\"']([A-Z][A-Z0-9_]{3,})[\"']", source))
                found |= set(re.findall(r"^ENV_\w+ = \"([A-Z0-9_]+)\"", source, re.MULTILINE))
                found |= set(re.findall(r"^(OTEL_\w+) = ", source, re.MULTILINE))
    return sorted(found)


ROGUE = environment_of_the_sdks()


def test_the_table_knows_what_the_sdks_ask_for() -> None:
    known = {"ANTHROPIC_BASE_URL", "ANTHROPIC_API_KEY", "ANTHROPIC_CUSTOM_HEADERS"}
    known |= {"ANTHROPIC_PROFILE", "ANTHROPIC_IDENTITY_TOKEN_FILE", "ANTHROPIC_LOG"}
    known |= {"ANTHROPIC_OPEN_TELEMETRY_TRACES_CONTENT_MODE", "OTEL_PYTHON_TRACER_PROVIDER"}
    known |= {"OPENAI_BASE_URL", "OPENAI_API_KEY", "OPENAI_ADMIN_KEY", "OPENAI_CUSTOM_HEADERS"}
    known |= {"OPENAI_ORG_ID", "OPENAI_PROJECT_ID", "AZURE_OPENAI_ENDPOINT", "OPENAI_API_VERSION"}
    known |= {"AWS_REGION", "AWS_BEARER_TOKEN_BEDROCK", "AWS_BEDROCK_BASE_URL"}
    assert known <= set(ROGUE)
    assert len(ROGUE) >= 45


@pytest.mark.parametrize("name", ROGUE)
async def test_nothing_in_the_environment_changes_what_is_sent_or_where(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Even where the gate had not emptied its environment, as it does."""
    ways = [Way(row, "wicket/1", Network(_nowhere), str) for row in ROWS]
    before = [await way.rehearse(Conversation(read(TASK))) for way in ways]
    with socket.create_server(("127.0.0.1", 0)) as decoy:
        decoy.setblocking(False)
        where = f"http://127.0.0.1:{decoy.getsockname()[1]}"
        headers = "\n".join(
            f"{header}: evil"
            for header in ("user-agent", "Authorization", "anthropic-version", *OTHERS)
        )
        monkeypatch.setenv(name, headers if name.endswith("CUSTOM_HEADERS") else where)
        for way, envelope in zip(ways, before, strict=True):
            after = await way.rehearse(Conversation(read(TASK)))
            assert after.exact == envelope.exact
        with pytest.raises(BlockingIOError):
            decoy.accept()


async def _nowhere(_host: str, _port: int) -> list[str]:
    return []
