"""Azure, Bedrock and Vertex: the same gate, their own addresses, keys and signatures."""

import base64
import json
import os
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from wicket.escalation.providers.provider import Provider
from wicket.escalation.task import read

from .aws_wire import signature
from .gate_world import TASK, World, approved

# AWS's own example pair, which opens nothing.
ACCESS, SECRET = "AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
ENTRA = "eyJ0eXAiOiJKV1QifQ.eyJhIjoxfQ.c2ln"
PRIVATE = rsa.generate_private_key(65537, 2048)
PEM = PRIVATE.private_bytes(
    serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
).decode()
ACCOUNT = {"type": "service_account", "client_email": "w@p.example", "private_key_id": "k1"}
ACCOUNT |= {"private_key": PEM}


def sealed(account: dict[str, str]) -> str:
    return base64.b64encode(json.dumps(account).encode()).decode()


# kind, path of the base URL, fields, the answers' names, the request line, the key's header.
CLOUDS: dict[str, tuple[str, str, dict[str, Any], str, str, str]] = {
    "azure": (
        *("azure", "/openai/v1", {"key": "k" * 32}, "openai"),
        *("/openai/v1/responses", "api-key"),
    ),
    "azure entra": (
        *("azure", "/openai/v1", {"key": ENTRA}, "openai"),
        *("/openai/v1/responses", "authorization"),
    ),
    "azure dated": (
        *("azure", "", {"key": "k" * 32, "api_version": "2025-04-01-preview"}, "openai"),
        *("/openai/responses?api-version=2025-04-01-preview", "api-key"),
    ),
    "azure claude": (
        *("azure", "/anthropic", {"key": "k" * 32}, "claude"),
        *("/anthropic/v1/messages", "x-api-key"),
    ),
    "bedrock": (
        *("bedrock", "", {"key": f"{ACCESS}:{SECRET}", "region": "eu-central-1"}, "aws"),
        *("/model/m:0/invoke-with-response-stream", "authorization"),
    ),
    "bedrock session": (
        *("bedrock", "", {"key": f"{ACCESS}:{SECRET}:{'t' * 99}", "region": "us-east-1"}, "aws"),
        *("/model/m:0/invoke-with-response-stream", "authorization"),
    ),
    "bedrock key": (
        *("bedrock", "", {"key": "ABSKabc", "region": "eu-central-1"}, "aws"),
        *("/model/m:0/invoke-with-response-stream", "authorization"),
    ),
    "vertex": (
        *("vertex", "/v1", {"key": "ya29.abc", "region": "eu", "project": "p"}, "claude"),
        "/v1/projects/p/locations/eu/publishers/anthropic/models/m:0:streamRawPredict",
        "authorization",
    ),
    "vertex account": (
        *("vertex", "/v1", {"key": sealed(ACCOUNT), "region": "eu", "project": "p"}, "claude"),
        "/v1/projects/p/locations/eu/publishers/anthropic/models/m:0:streamRawPredict",
        "authorization",
    ),
}


class Cloud(World):
    async def open(self, name: str) -> None:
        kind, path, fields, self.speaks, self.line, self.header = CLOUDS[name]
        await self.start()
        url = f"http://127.0.0.1:{self.server.port}{path}"
        made = Provider("home", kind, url, "m:0", "on-prem", answers_as="m", **fields)
        self.gate.house = replace(self.gate.house, providers={"home": made})
        self.row = made
        self.server.answer = f"{self.speaks} whole"


@pytest.fixture
async def cloud(tmp_path: Path) -> AsyncIterator[Cloud]:
    made = Cloud(tmp_path)
    yield made
    await made.stop()
    assert made.unrecorded == [], "bytes came without a durable intent"


def headers(head: bytes) -> dict[str, str]:
    rows = (line.split(":", 1) for line in head.decode().split("\r\n")[1:])
    return {name.lower(): value.strip() for name, value in rows}


@pytest.mark.parametrize("name", CLOUDS)
async def test_what_was_shown_is_recorded_and_sent(cloud: Cloud, name: str) -> None:
    """The body byte for byte; of the headers all but the key, or what is signed with it."""
    await cloud.open(name)
    prepared = await cloud.gate.prepare(read(TASK))
    shown = base64.b64decode(prepared["request_base64"])
    exchange = await cloud.gate.begin(prepared["digest"], approved(prepared))
    events: list[tuple[str, Any]] = []
    await exchange.start(lambda kind, members: events.append((kind, members)))
    assert events[-1][1]["status"] == "ok", events
    assert "".join(m["text"] for kind, m in events if kind == "text") == "Hello world"
    ((head, body),) = cloud.server.requests
    assert head.split(b" ")[1].decode() == cloud.line
    told, _, rest = shown.partition(b"\n\n")
    assert rest == body
    recorded = dict(line.split(": ", 1) for line in told.decode().split("\n")[1:])
    sent = headers(head)
    for secret in filter(None, (cloud.row.key or "").split(":")):
        assert secret not in shown.decode()
    assert recorded[cloud.header].startswith("key ")
    assert set(recorded) <= set(sent)
    free = {"host", "content-length", "x-amz-date", "x-amz-security-token", cloud.header}
    assert set(sent) - set(recorded) <= free
    assert {k: sent[k] for k in recorded if k != cloud.header} == {
        k: v for k, v in recorded.items() if k != cloud.header
    }
    (outcome,) = cloud.records("outcome")
    names = ("status", "tokens_in", "tokens_out", "request_id", "sent")
    told_by = (outcome["data"][key] for key in names)
    assert tuple(told_by) == ("ok", 11, 7, "req-1", len(body))


@pytest.mark.parametrize("name", ["bedrock", "bedrock session"])
async def test_aws_signs_exactly_what_is_sent(cloud: Cloud, name: str) -> None:
    """As checked by an implementation of its own; the secret is in nothing that leaves."""
    await cloud.open(name)
    await cloud.send()
    ((head, body),) = cloud.server.requests
    said = headers(head)
    region = cloud.row.region or ""
    assert said["authorization"].startswith(f"AWS4-HMAC-SHA256 Credential={ACCESS}/")
    assert said["authorization"].endswith(f"Signature={signature(head, body, SECRET, region)}")
    assert SECRET.encode() not in cloud.server.received
    assert said.get("x-amz-security-token") == ("t" * 99 if name == "bedrock session" else None)
    assert signature(head, body + b" ", SECRET, region) not in said["authorization"]


async def test_google_gets_a_token_that_the_account_signed(cloud: Cloud) -> None:
    await cloud.open("vertex account")
    await cloud.send()
    token = headers(cloud.server.requests[0][0])["authorization"].removeprefix("Bearer ")
    said, _, signed = token.rpartition(".")
    parts = [json.loads(base64.urlsafe_b64decode(part + "==")) for part in said.split(".")]
    assert parts[0] == {"alg": "RS256", "typ": "JWT", "kid": "k1"}
    assert (parts[1]["iss"], parts[1]["scope"].rsplit("/", 1)[1]) == (
        "w@p.example",
        "cloud-platform",
    )
    assert 0 < parts[1]["exp"] - time.time() <= 300
    PRIVATE.public_key().verify(
        base64.urlsafe_b64decode(signed + "=="), said.encode(), padding.PKCS1v15(), hashes.SHA256()
    )
    assert sealed(ACCOUNT).encode() not in cloud.server.received


async def test_an_account_without_a_key_sends_nothing(cloud: Cloud) -> None:
    await cloud.open("vertex account")
    row = replace(cloud.row, key=sealed(ACCOUNT | {"private_key": "none"}))
    cloud.gate.house = replace(cloud.gate.house, providers={"home": row})
    events = await cloud.send()
    assert events[-1][1]["status"] == "failed"
    assert "has no RSA key" in cloud.records("outcome")[0]["data"]["error"]
    assert cloud.server.connections == 0


@pytest.mark.parametrize(
    ("answer", "status", "error", "text"),
    [
        ("in pieces", "ok", None, "Hello world"),
        ("overload", "http_error", "status 503", ""),
        ("unauthorized", "http_error", "status 403", ""),
        ("exception", "failed", "broke off (throttlingException)", "Hel"),
        ("spoilt", "failed", "unknown form", None),
        ("no framing", "failed", "unknown form", ""),
        ("cut", "failed", "broke off before its end", "Hel"),
        ("cut frame", "failed", "broke off before its end", None),
    ],
)
async def test_aws_streams_whole_and_broken(
    cloud: Cloud, answer: str, status: str, error: str | None, text: str | None
) -> None:
    await cloud.open("bedrock")
    cloud.server.answer = f"aws {answer}"
    events = await cloud.send()
    (outcome,) = cloud.records("outcome")
    assert outcome["data"]["status"] == status, outcome["data"]
    assert error is None or error in outcome["data"]["error"]
    if text is not None:
        assert "".join(m["text"] for kind, m in events if kind == "text") == text


@pytest.mark.parametrize(
    ("kind", "model", "wanted"),
    [
        ("bedrock", "eu.anthropic.claude-sonnet-4-20250514-v1:0", "claude-sonnet-4-20250514"),
        ("bedrock", "anthropic.claude-3-5-haiku-20241022-v1:0", "claude-3-5-haiku-20241022"),
        ("vertex", "claude-sonnet-4@20250514", "claude-sonnet-4-20250514"),
        ("azure", "my-deployment", "my-deployment"),
    ],
)
def test_clouds_name_models_their_own_way(kind: str, model: str, wanted: str) -> None:
    row = Provider("home", kind, "https://x.example", model, "frontier")
    assert row.expected == wanted
    assert replace(row, answers_as="other").expected == "other"


async def test_nothing_of_the_users_files_is_read(
    cloud: Cloud, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not even where the environment names profiles and credentials of AWS."""
    await cloud.open("bedrock")
    rogue = tmp_path / "rogue"
    rogue.write_text("[default]\nregion = mars\naws_access_key_id = AKIAROGUE\n")
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, os.fspath(rogue))
    monkeypatch.setenv("AWS_PROFILE", "nobody")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAROGUE")
    await cloud.send()
    said = headers(cloud.server.requests[0][0])
    assert "mars" not in said["authorization"]
    assert "AKIAROGUE" not in said["authorization"]
