"""The way out: without a receipt for exactly these bytes, from this log, nothing connects."""

import ssl
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import httpx2
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from wicket.escalation.audit import Receipt
from wicket.escalation.audit.errors import BadReceipt, Poisoned
from wicket.escalation.audit.records import Consent
from wicket.escalation.envelope import Envelope, seal
from wicket.escalation.prepared import intent
from wicket.escalation.providers.provider import Provider
from wicket.escalation.reach import CLOUDS, Network, Reach, Refused, is_loopback
from wicket.escalation.task import read
from wicket.escalation.transport import ReceiptTransport

from .gate_world import TASK, World, running

BODY = b'{"model":"m"}'
HEADERS = {"content-type": "application/json", "authorization": "Bearer key"}


def hidden(value: str) -> str:
    return f"key {len(value)}"


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with running(tmp_path) as made:
        yield made


def request(world: World, **changes: Any) -> httpx2.Request:
    url = f"http://127.0.0.1:{world.server.port}/v1/chat/completions"
    given = {"method": "POST", "url": url, "headers": HEADERS, "content": BODY} | changes
    return httpx2.Request(**given)


async def recorded(world: World, wanted: httpx2.Request) -> Receipt:
    """The receipt of an intent for this request."""
    prepared = await world.gate.prepare(read(TASK))
    exact = _envelope(wanted).exact
    waiting = world.gate._prepared[prepared["digest"]]
    first = intent(world.log, world.gate.house, "e", waiting, Consent("c", "user"))
    return await world.log.intent(first, exact)


def transport(world: World, receipt: Receipt, **reach: Any) -> ReceiptTransport:
    async def resolve(host: str, _port: int) -> Sequence[str]:
        return [host]

    given = {"scheme": "http", "host": "127.0.0.1", "port": world.server.port, "private": True}
    return ReceiptTransport(world.log, receipt, Reach(**(given | reach)), Network(resolve), hidden)


async def test_the_recorded_request_passes_once(world: World) -> None:
    receipt = await recorded(world, request(world))
    way = transport(world, receipt)
    response = await way.handle_async_request(request(world))
    await response.aread()
    assert (way.sent, bytes(way.answer)) == (len(BODY), response.content)
    for again in (way, transport(world, receipt)):
        with pytest.raises(BadReceipt, match="used before"):
            await again.handle_async_request(request(world))
    assert world.server.connections == 1


@pytest.mark.parametrize(
    "changes",
    [
        {"content": BODY + b" "},
        {"content": b""},
        {"method": "PUT"},
        {"headers": HEADERS | {"authorization": "Bearer a longer key"}},
        {"headers": HEADERS | {"accept": "text/plain"}},
        {"headers": {"authorization": "Bearer key"}},
        {"path": "/v1/other"},
        {"path": "/v1/chat/completions?x=1"},
    ],
)
async def test_any_other_request_is_refused(world: World, changes: dict[str, Any]) -> None:
    receipt = await recorded(world, request(world))
    if path := changes.pop("path", None):
        changes["url"] = f"http://127.0.0.1:{world.server.port}{path}"
    with pytest.raises(BadReceipt):
        await transport(world, receipt).handle_async_request(request(world, **changes))
    assert world.server.connections == 0


async def test_headers_off_the_list_do_not_leave(world: World) -> None:
    """An SDK's telemetry, cookies, a proxy's credentials: recorded as absent, and absent."""
    more = HEADERS | {"x-stainless-os": "Linux", "cookie": "a=1", "proxy-authorization": "x"}
    receipt = await recorded(world, request(world))
    response = await transport(world, receipt).handle_async_request(request(world, headers=more))
    await response.aclose()
    ((head, _),) = world.server.requests
    assert not any(word in head.lower() for word in (b"stainless", b"cookie", b"proxy"))


@pytest.mark.parametrize("part", ["position", "digest", "tag"])
async def test_a_forged_receipt_is_seen_through(world: World, part: str) -> None:
    receipt = await recorded(world, request(world))
    other = request(world, content=b"{}")
    forged = {
        "position": replace(receipt, position=replace(receipt.position, seq=1)),
        "digest": replace(receipt, digest=_envelope(other).digest),
        "tag": replace(receipt, tag=b"x" * 32),
    }[part]
    sent = other if part == "digest" else request(world)
    with pytest.raises(BadReceipt):
        await transport(world, forged).handle_async_request(sent)
    assert world.server.connections == 0


async def test_a_log_that_failed_since_refuses_its_receipts(world: World) -> None:
    receipt = await recorded(world, request(world))
    world.disk.broken = True
    with pytest.raises(Poisoned):
        await recorded(world, request(world))
    with pytest.raises(Poisoned):
        await transport(world, receipt).handle_async_request(request(world))
    assert world.server.connections == 0


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:1/v1/chat/completions",
        "http://localhost:{port}/v1/chat/completions",
        "http://user:pass@127.0.0.1:{port}/v1/chat/completions",
        "http://127.0.0.1@evil.example:{port}/",
        "https://127.0.0.1:{port}/v1/chat/completions",
        "http://127.0.0.1.evil.example:{port}/",
    ],
)
async def test_another_place_is_refused_whatever_the_receipt(world: World, url: str) -> None:
    asked = request(world, url=url.format(port=world.server.port))
    receipt = await recorded(world, asked)
    with pytest.raises(Refused, match="not the provider's host"):
        await transport(world, receipt).handle_async_request(asked)
    assert world.server.connections == 0


def test_an_envelope_cannot_be_read_two_ways() -> None:
    whole = seal("POST", "http://a/b", [("Accept", "x"), ("Authorization", "k")], b"body", hidden)
    assert whole.exact == b"POST http://a/b\naccept: x\nauthorization: key 1\n\nbody"
    for url, headers in (("http://a/\nb", ()), ("http://a", (("accept", "x\r\ny: z"),))):
        with pytest.raises(ValueError, match="line break"):
            _ = Envelope("POST", url, headers, b"").exact


def test_what_loopback_is() -> None:
    hosts = ("localhost", "127.0.0.1", "127.9.9.9", "::1")
    assert all(is_loopback(host) for host in hosts)
    others = ("localhost.evil", "128.0.0.1", "0.0.0.0", "::", "127.0.0.1.nip.io", "")
    assert not any(is_loopback(host) for host in others)


# Whether a provider in the wide world and one of one's own may have the address.
ADDRESSES = [
    ("8.8.8.8", True, True),
    ("2001:4860:4860::8888", True, True),
    ("10.1.2.3", False, True),
    ("192.168.0.9", False, True),
    ("100.64.0.1", False, True),
    ("127.0.0.1", False, True),
    ("::1", False, True),
    ("fd12:3456::1", False, True),
    # Where clouds keep their credentials.
    ("169.254.169.254", False, False),
    ("169.254.170.2", False, False),
    ("fe80::a9fe:a9fe", False, False),
    ("fe80::1%eth0", False, False),
    ("fd00:ec2::254", False, False),
    ("fd00:ec2::23", False, False),
    ("fd20:ce::254", False, False),
    ("168.63.129.16", False, False),
    ("100.100.100.200", False, False),
    # No host at all.
    ("0.0.0.0", False, False),
    ("::", False, False),
    ("224.0.0.1", False, False),
    ("ff02::1", False, False),
    ("localhost", False, False),
    ("", False, False),
    # Another address inside: mapped, compatible, translated, NAT64, 6to4, Teredo.
    ("::ffff:8.8.8.8", True, True),
    ("::ffff:10.0.0.1", False, True),
    ("::ffff:169.254.169.254", False, False),
    ("::127.0.0.1", False, True),
    ("::169.254.169.254", False, False),
    ("::ffff:0:127.0.0.1", False, True),
    ("::ffff:0:169.254.169.254", False, False),
    ("64:ff9b::8.8.8.8", True, True),
    ("64:ff9b::10.0.0.1", False, True),
    ("64:ff9b::127.0.0.1", False, True),
    ("64:ff9b::169.254.169.254", False, False),
    ("64:ff9b::168.63.129.16", False, False),
    ("64:ff9b:1::8.8.8.8", False, False),
    ("64:ff9b:1:fffe::a9fe:a9fe", False, False),
    ("2002:808:808::1", True, True),
    ("2002:a00:1::1", False, True),
    ("2002:a9fe:a9fe::1", False, False),
    ("2001:0:a9fe:a9fe::1", False, False),
    # Teredo writes the bits of its client the other way round: 169.254.169.254.
    ("2001:0:808:808::5601:5601", False, False),
]


@pytest.mark.parametrize(("number", "public", "own"), ADDRESSES)
def test_which_addresses_a_host_may_have(number: str, public: bool, own: bool) -> None:
    found = [Reach("https", "h", 443, private).admits(number) for private in (False, True)]
    assert found == [public, own]


def test_every_row_of_the_clouds_is_tried() -> None:
    refused = [ip_address(n) for n, _, own in ADDRESSES if n and not own and n[0] in "01fe"
               and "%" not in n]  # fmt: skip
    assert all(any(number in cloud for number in refused) for cloud in CLOUDS)


def authority(folder: Path, name: str) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """A server's context with a certificate for `name`, and a client's that believes it."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = certificate.public_bytes(serialization.Encoding.PEM)
    form = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    file = folder / "server.pem"
    file.write_bytes(key.private_bytes(serialization.Encoding.PEM, *form) + pem)
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(file)
    return server, ssl.create_default_context(cadata=pem.decode())


@pytest.mark.parametrize(
    ("certified", "believed", "status", "error"),
    [
        ("models.example", True, "ok", None),
        ("models.example", False, "failed", "CERTIFICATE_VERIFY_FAILED"),
        ("other.example", True, "failed", "CERTIFICATE_VERIFY_FAILED"),
    ],
)
async def test_a_pinned_number_must_prove_the_name(
    tmp_path: Path, certified: str, believed: bool, status: str, error: str | None
) -> None:
    """The connection goes to a number, the certificate is checked for the name, and the
    provider sees the name as its host."""
    server, client = authority(tmp_path, certified)

    async def resolve(_host: str, _port: int) -> Sequence[str]:
        return ["127.0.0.1"]

    world = World(tmp_path)
    world.server.tls = server
    await world.start(network=Network(resolve, client if believed else None))
    url = f"https://models.example:{world.server.port}/v1"
    row = Provider("home", "compatible", url, "m", "on-prem")
    world.gate.house = replace(world.gate.house, providers={"home": row})
    await world.send()
    (outcome,) = world.records("outcome")
    assert outcome["data"]["status"] == status
    assert (error or "") in (outcome["data"]["error"] or "")
    assert outcome["data"]["sent"] == (0 if error else world.records("intent")[0]["data"]["bytes"])
    if error is None:
        assert f"host: models.example:{world.server.port}".encode() in world.server.requests[0][0]
    else:
        assert bytes(world.server.received) == b""
    await world.stop()


def _envelope(wanted: httpx2.Request) -> Envelope:
    headers = wanted.headers.items()
    return seal(wanted.method, str(wanted.url), headers, wanted.content, hidden)
