"""From a task to a request that waits for its yes: chosen, masked, judged; nothing is sent."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from . import abilities, recorded, standing
from .approval import GROWTH, LEAST_BYTES, MINUTES, TURNS, Scope
from .audit import AuditLog
from .choosing import Choosing
from .conversation import Conversation
from .house import Closed, House
from .outgoing import Considered, Denial, consider
from .policy import Destination
from .prepared import Prepared, question, rewritten, tokens_of
from .providers.provider import Converse, Provider, ProviderError
from .redaction.known import known
from .redaction.masking import Masks
from .routing import Route
from .task import Document, Task
from .tools import EDIT
from .way import Way


@dataclass(frozen=True, slots=True)
class Preparing:
    """What a request is prepared with, as things stand now."""

    house: House
    log: AuditLog
    choosing: Choosing

    async def request(self, task: Task) -> Prepared:
        """Raises Closed, and Denial, which is on record by then."""
        house = self.house
        if "tools" in house.off:
            task = replace(task, tools=tuple(tool for tool in task.tools if tool == EDIT))
        masks = Masks(house.rules, known(task.known_secrets))
        provider: Provider | None = None
        try:
            # A large text takes seconds: meanwhile others are served.
            route, provider = await asyncio.to_thread(self.choosing.provider, task)
            considered = await asyncio.to_thread(self.considered, task, provider, masks)
        except Denial as denial:
            await recorded.denial(self.log, house, task, provider, denial)
            raise
        task = replace(task, tools=abilities.offered(task.tools, house.abilities().of(provider)))
        conversation = Conversation(rewritten(task, considered), masks=masks)
        way = self._way(provider)
        try:
            envelope = await way.rehearse(conversation)
        except ProviderError as error:
            raise Closed(str(error), error.fix or f"wicket key set {provider.name}") from None
        try:
            if why := self.choosing.outgrown(provider, tokens_of(envelope)):
                raise Denial("abilities", why)
            judged = await self.judged(question(house, task, provider, envelope, considered))
        except Denial as denial:
            await recorded.denial(self.log, house, task, provider, denial)
            raise
        scope = Scope(
            paths=frozenset(document.path for document in task.documents),
            globs=task.readable if task.tools else (),
            bytes_max=max(GROWTH * len(envelope.body), LEAST_BYTES),
            turns_max=TURNS if task.tools else 1,
            expires=datetime.now(UTC) + timedelta(minutes=MINUTES),
            classes=considered.classes,
        )
        left = self.choosing.meter(task, provider, house.user).left
        made = Prepared(conversation, way, envelope, considered, scope, route, left, judged)
        return self._covered(made)

    async def asked(
        self,
        task: Task,
        route: Route,
        provider: Provider,
        considered: Considered,
        converse: Converse,
    ) -> Prepared:
        """A request of our own making, in this wire format, with nothing of anybody's in it.

        Raises Denial.
        """
        way = self._way(provider, converse)
        conversation = Conversation(task)
        envelope = await way.rehearse(conversation)
        judged = await self.judged(question(self.house, task, provider, envelope, considered))
        expires = datetime.now(UTC) + timedelta(minutes=MINUTES)
        scope = Scope(frozenset(), (), max(len(envelope.body), 1), 1, expires)
        return Prepared(conversation, way, envelope, considered, scope, route, judged=judged)

    def considered(self, task: Task, provider: Provider, masks: Masks) -> Considered:
        """What of a task may leave: all words of it go through `consider`.  Raises Denial."""
        earlier = [text for turn in task.earlier for text in (turn.question, turn.answer)]
        texts = (task.instruction, *earlier)
        return self.result(task, provider, task.documents, texts, masks)

    def result(
        self,
        task: Task,
        provider: Provider,
        rows: Sequence[Document],
        texts: Sequence[str],
        masks: Masks,
    ) -> Considered:
        """What may leave of these files and words.  Raises Denial."""
        house = self.house
        to = Destination(task.kind, provider.name, provider.tier, provider.region)
        return consider(rows, texts, masks, house.forbidden, house.policies, to)

    async def judged(self, asked: Mapping[str, Any]) -> str | None:
        """What the hook says of it, where there is one.  Raises Denial."""
        if self.house.hook is None:
            return None
        said = await self.house.hook.judge(dict(asked))
        if not said.allowed:
            raise Denial("hook", said.shown)
        return said.shown

    def compared(self, prepared: Prepared, scope: Scope) -> standing.Request | None:
        """What a standing yes is compared with; None for a request that is about no folder, or
        whose caller does not say what lies in it."""
        task, pseudonym = prepared.conversation.task, self.log.pseudonym
        if not task.folder or not task.identity:
            return None
        reach = (*task.tools, *scope.globs)
        return standing.Request(
            pseudonym(task.folder), pseudonym(task.identity), task.kind, prepared.offer,
            prepared.considered, reach, len(prepared.envelope.body),
        )  # fmt: skip

    def _covered(self, prepared: Prepared) -> Prepared:
        """The request as it is, or allowed by a yes that holds on."""
        asked = self.compared(prepared, prepared.scope)
        kept = self.house.standing() if asked else ()
        if not asked or not (yes := standing.covering(kept, asked, datetime.now(UTC))):
            return prepared
        allowed = replace(
            prepared.considered, decision="allow", rule=f"{standing.RULE} {yes.id}"
        )  # fmt: skip
        return replace(prepared, considered=allowed, scope=yes.bounded(prepared.scope))

    def _way(self, provider: Provider, wire: Converse | None = None) -> Way:
        return Way(provider, f"wicket/{self.house.version}", self.house.network, self._key, wire)

    def _key(self, value: str) -> str:
        return f"key {self.log.pseudonym(value)[:16]}"
