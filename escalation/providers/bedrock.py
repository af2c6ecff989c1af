"""Claude in Amazon Bedrock, through Anthropic's SDK: Messages in AWS's own framing.

The key is an API key of Bedrock's, or `ACCESS-KEY-ID:SECRET[:SESSION-TOKEN]`, with which the
request is signed (Signature Version 4) when it leaves: see `envelope` for what is recorded.
"""

import importlib.util
from collections.abc import AsyncGenerator, Mapping
from typing import Any, cast

import httpx2
from anthropic.lib.bedrock import AsyncAnthropicBedrock

from ..conversation import Conversation
from . import anthropic
from .provider import Event, Provider, ProviderError, headers, key_of

SERVICE = "bedrock"


async def converse(
    provider: Provider, conversation: Conversation, agent: str, http: httpx2.AsyncClient
) -> AsyncGenerator[Event, None]:
    """One request and the events of its answer.  Raises ProviderError."""
    key = key_of(provider)
    if importlib.util.find_spec("botocore") is None:
        # It reads AWS's framing.
        why = "botocore is not installed"
        raise ProviderError(why, fix="pip install 'wicket[bedrock]'")
    sdk = AsyncAnthropicBedrock(
        api_key=key,
        aws_region=provider.region,
        base_url=provider.base_url,
        **anthropic.quiet(http),
    )
    wanted = {**headers(agent, key), "Accept": "application/json"}
    # No type stubs, and imported late: it takes a third of a second.
    from botocore import eventstream, parsers  # pyright: ignore  # noqa: PLC0415

    framing, parsing = cast(Any, (eventstream, parsers))
    try:
        async for event in anthropic.through(sdk, provider, conversation, wanted):
            yield event
    except (framing.ParserError, parsing.ResponseParserError):
        raise ProviderError("an event of the stream has an unknown form") from None


def sign(provider: Provider, request: httpx2.Request, body: bytes) -> Mapping[str, str] | None:
    """The headers that sign this request; None for a key that is sent as it is."""
    identifier, colon, rest = (provider.key or "").partition(":")
    if not colon:
        return None
    from botocore import auth, awsrequest, credentials  # pyright: ignore  # noqa: PLC0415

    secret, _, session = rest.partition(":")
    signing, wrapping, holding = cast(Any, (auth, awsrequest, credentials))
    known = holding.Credentials(identifier, secret, session or None)
    made = wrapping.AWSRequest(
        method=request.method,
        url=str(request.url),
        headers={"content-type": request.headers["content-type"]},
        data=body,
    )
    signing.SigV4Auth(known, SERVICE, provider.region).add_auth(made)
    names = ("Authorization", "X-Amz-Date", "X-Amz-Security-Token")
    return {name: made.headers[name] for name in names if name in made.headers}
