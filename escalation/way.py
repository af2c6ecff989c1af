"""How one provider is spoken to: rehearsed without a network, then with a receipt."""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass
from functools import partial

import httpx2

from .audit import AuditLog, Receipt
from .conversation import Conversation
from .envelope import Envelope, StandIn
from .providers import signer, wire
from .providers.provider import Converse, Event, Provider
from .reach import Network, Reach
from .transport import Captured, CapturingTransport, ReceiptTransport, unsigned

# A provider that says nothing for so long is taken to be gone.
SILENCE_SECONDS = 120.0
CONNECT_SECONDS = 10.0
TIMEOUT = httpx2.Timeout(SILENCE_SECONDS, connect=CONNECT_SECONDS)


@dataclass(frozen=True, slots=True)
class Way:
    """`agent` is who we say we are; `stand_in` hides the key in what is recorded.

    `wire` is how it is spoken to, where that is not the way of its kind.
    """

    provider: Provider
    agent: str
    network: Network
    stand_in: StandIn
    wire: Converse | None = None

    async def rehearse(self, conversation: Conversation) -> Envelope:
        """The request that `converse` would send, byte for byte.  Raises ProviderError."""
        nowhere = CapturingTransport(self.stand_in)
        try:
            async with aclosing(self.converse(conversation, nowhere)) as events:
                await anext(events, None)
        except Captured:
            pass
        if nowhere.envelope is None:
            raise AssertionError("this kind of provider makes no request")
        return nowhere.envelope

    def transport(self, log: AuditLog, receipt: Receipt) -> ReceiptTransport:
        provider = self.provider
        private = provider.tier == "on-prem"
        reach = Reach(provider.scheme, provider.host, provider.port, private)
        made = signer(provider.kind)
        sign = partial(made, provider) if made else unsigned
        return ReceiptTransport(log, receipt, reach, self.network, self.stand_in, sign)

    async def converse(
        self, conversation: Conversation, transport: httpx2.AsyncBaseTransport
    ) -> AsyncGenerator[Event, None]:
        """One request over `transport`, and the events of its answer.

        Raises ProviderError and whatever the transport raises.
        """
        async with httpx2.AsyncClient(
            transport=transport, trust_env=False, follow_redirects=False, timeout=TIMEOUT
        ) as http:
            speak = self.wire or wire(self.provider.kind)
            made = speak(self.provider, conversation, self.agent, http)
            async with aclosing(made) as events:
                async for event in events:
                    yield event
