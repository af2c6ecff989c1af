"""Models on Azure, by the address: OpenAI's in both forms of its API, and Claude in Foundry.

https://RESOURCE.openai.azure.com/openai/v1             OpenAI's Responses API
https://RESOURCE.openai.azure.com, with `api_version`   the same, by a dated version
https://RESOURCE.services.ai.azure.com/anthropic        Anthropic's Messages API
"""

from collections.abc import AsyncGenerator

import httpx2

from ..conversation import Conversation
from .provider import Event, Provider, headers, key_of

# How a token of Entra ID begins: the base64 of a JSON object.  All else is a resource's key.
JWT = "eyJ"


async def converse(
    provider: Provider, conversation: Conversation, agent: str, http: httpx2.AsyncClient
) -> AsyncGenerator[Event, None]:
    """One request and the events of its answer.  Raises ProviderError."""
    key = key_of(provider)
    wanted = headers(agent, key)
    claude = provider.base_url.endswith("/anthropic")
    if not key.startswith(JWT):
        del wanted["Authorization"]
        wanted["x-api-key" if claude else "api-key"] = key
    events = (
        _claude(provider, key, conversation, wanted, http)
        if claude
        else _openai(provider, key, conversation, wanted, http)
    )
    async for event in events:
        yield event


async def _claude(
    provider: Provider,
    key: str,
    conversation: Conversation,
    wanted: dict[str, str],
    http: httpx2.AsyncClient,
) -> AsyncGenerator[Event, None]:
    # An SDK takes a second to import, and only one of the two is needed.
    from anthropic import AsyncAnthropicFoundry  # noqa: PLC0415

    from . import anthropic  # noqa: PLC0415

    sdk = AsyncAnthropicFoundry(
        api_key=key, base_url=provider.base_url, webhook_key="", **anthropic.quiet(http)
    )
    wanted["anthropic-version"] = anthropic.VERSION
    async for event in anthropic.through(sdk, provider, conversation, wanted):
        yield event


async def _openai(
    provider: Provider,
    key: str,
    conversation: Conversation,
    wanted: dict[str, str],
    http: httpx2.AsyncClient,
) -> AsyncGenerator[Event, None]:
    from . import openai  # noqa: PLC0415

    # By a dated version a deployment is asked through the resource, not through `/v1`.
    dated = {"api-version": provider.api_version} if provider.api_version else None
    base = f"{provider.base_url}/openai" if dated else provider.base_url
    sdk = openai.client(key, base, http, dated)
    async for event in openai.through(sdk, provider, conversation, wanted):
        yield event
