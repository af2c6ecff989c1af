"""Claude in Google's Vertex AI, through Anthropic's SDK.

The key is an access token, or a service account's key file in base64: then each request
carries a token of its own that the account signs when it leaves (RFC 7523, Google's
"self-signed JWT"), so that no other host has to be asked for one.  See `envelope` for what is
recorded.
"""

import base64
import json
import time
from collections.abc import AsyncGenerator, Mapping
from typing import Any, cast

import httpx2
from anthropic.lib.vertex import AsyncAnthropicVertex
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from ..conversation import Conversation
from . import anthropic
from .provider import Event, Provider, ProviderError, headers, key_of

SCOPE = "https://www.googleapis.com/auth/cloud-platform"
# A token is used once, at once; Google takes up to an hour.
TOKEN_SECONDS = 300


async def converse(
    provider: Provider, conversation: Conversation, agent: str, http: httpx2.AsyncClient
) -> AsyncGenerator[Event, None]:
    """One request and the events of its answer.  Raises ProviderError."""
    key = key_of(provider)
    sdk = AsyncAnthropicVertex(
        region=provider.region or "",
        project_id=provider.project or "",
        access_token=key,
        base_url=provider.base_url,
        **anthropic.quiet(http),
    )
    async for event in anthropic.through(sdk, provider, conversation, headers(agent, key)):
        yield event


def sign(provider: Provider, _request: httpx2.Request, _body: bytes) -> Mapping[str, str] | None:
    """A fresh token of the service account; None for a key that is sent as it is.

    Raises ProviderError for an account whose key cannot be used.
    """
    account = service_account(provider.key or "")
    if account is None:
        return None
    now = int(time.time())
    claims = {"iss": account["client_email"], "sub": account["client_email"], "scope": SCOPE}
    claims |= {"iat": now, "exp": now + TOKEN_SECONDS}
    head = {"alg": "RS256", "typ": "JWT", "kid": account["private_key_id"]}
    said = b".".join(_base64(json.dumps(part).encode()) for part in (head, claims))
    try:
        key = serialization.load_pem_private_key(account["private_key"].encode(), None)
    except (ValueError, TypeError, AttributeError):
        key = None
    if not isinstance(key, rsa.RSAPrivateKey):
        raise ProviderError(f"the service account of {provider.name} has no RSA key")
    signature = _base64(key.sign(said, padding.PKCS1v15(), hashes.SHA256()))
    return {"Authorization": f"Bearer {(said + b'.' + signature).decode()}"}


def service_account(key: str) -> Mapping[str, Any] | None:
    """What a key in base64 holds; None for an access token."""
    try:
        said: object = json.loads(base64.b64decode(key, validate=True))
    except ValueError:
        return None
    if not isinstance(said, dict):
        return None
    found = cast(Mapping[str, Any], said)
    wanted = ("client_email", "private_key", "private_key_id")
    return found if all(name in found for name in wanted) else None


def _base64(content: bytes) -> bytes:
    return base64.urlsafe_b64encode(content).rstrip(b"=")
