"""A request that waits for its yes: what is shown of it, and what the log will say of it."""

import base64
import json
import re
import secrets
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import PurePosixPath
from typing import Any, cast

from .approval import MINUTES, Offer, Scope
from .audit import AuditLog
from .audit.records import (
    Approval,
    Client,
    Consent,
    Decision,
    Endpoint,
    Intent,
    Source,
    Workspace,
)
from .audit.records import Provider as Recorded
from .choosing import BYTES_PER_TOKEN, price
from .conversation import Conversation
from .editing import Shown
from .envelope import Envelope
from .house import House
from .outgoing import Considered, Denial
from .policy import digest as digest_of
from .providers.provider import Provider
from .routing import Route
from .task import Document, Task
from .way import Way

# What a record has room for.
LONGEST_REASON = 1000
# Members of a body that the log names in clear; none of them holds content.
PARAMETERS = ("max_completion_tokens", "max_output_tokens", "max_tokens", "store", "stream")


@dataclass(frozen=True, slots=True)
class Prepared:
    """`due` is until when it is good, by the monotonic clock; `judged` is what somebody
    else's program said of it."""

    conversation: Conversation
    way: Way
    envelope: Envelope
    considered: Considered
    scope: Scope
    route: Route
    budget_left: int | None = None
    judged: str | None = None
    due: float = field(default_factory=lambda: time.monotonic() + MINUTES * 60)

    @property
    def provider(self) -> Provider:
        return self.way.provider

    @property
    def offer(self) -> Offer:
        whom, sent = self.provider, self.envelope
        return Offer(sent.digest, whom.name, whom.model, sent.url, whom.region)

    @property
    def shown(self) -> tuple[Shown, ...]:
        """The documents with the way back to what was handed in."""
        documents = self.conversation.task.documents
        return tuple(map(Shown, documents, self.considered.masked))


def summary(prepared: Prepared) -> dict[str, Any]:
    """What the caller is shown of a prepared request."""
    provider, envelope = prepared.provider, prepared.envelope
    tokens = tokens_of(envelope)
    return {
        "digest": envelope.digest,
        "provider": provider.name,
        "model": provider.model,
        "endpoint": envelope.url,
        "host": provider.host,
        "tier": provider.tier,
        "region": provider.region,
        "retention": provider.retention,
        "contract": provider.contract,
        "why": prepared.route.reason,
        "route": prepared.route.as_json(),
        "budget_left": prepared.budget_left,
        "hook": prepared.judged,
        "request_base64": base64.b64encode(envelope.exact).decode(),
        "bytes": len(envelope.body),
        "redactions": [
            {"rule": row.rule, "kind": row.kind, "count": row.count}
            for row in prepared.considered.redactions
        ],
        "decision": prepared.considered.decision,
        "rule": prepared.considered.rule,
        "tokens": tokens,
        "cost": price(provider)(tokens, 0),
        "prices": provider.prices.since if provider.prices else None,
        "manifest": [
            {"path": d.path, "lines": [d.start, d.end], "bytes": len(d.text.encode())}
            for d in prepared.conversation.task.documents
        ],
        "tools": list(prepared.conversation.task.tools),
        "scope": prepared.scope.as_json(),
        "expires": prepared.scope.expires.isoformat(timespec="seconds"),
    }


def question(
    house: House,
    task: Task,
    provider: Provider,
    envelope: Envelope,
    considered: Considered,
    paths: Iterable[str] = (),
    turn: int = 1,
) -> dict[str, Any]:
    """What the hook is asked about a body; the bytes alone are added where it may see them."""
    asked: dict[str, Any] = {
        "wicket": house.version,
        "digest": envelope.digest,
        "kind": task.kind,
        "provider": provider.name,
        "model": provider.model,
        "endpoint": envelope.url,
        "tier": provider.tier,
        "region": provider.region,
        "user": house.user,
        "turn": turn,
        "bytes": len(envelope.body),
        "paths": sorted({*paths, *(document.path for document in task.documents)}),
        "classes": list(considered.classes),
        "redactions": {row.rule: row.count for row in considered.redactions},
        "decision": considered.decision,
    }
    if house.hook is not None and house.hook.sees_bytes:
        asked["request_base64"] = base64.b64encode(envelope.exact).decode()
    return asked


def consented(said: Mapping[str, Any], user: str, decision: str) -> Consent:
    """Raises Denial for a mode that is none, and for auto where a person has to be asked."""
    mode = said.get("mode")
    if mode not in ("user", "standing", "auto"):
        raise Denial("approval", "the approval's mode must be user, standing or auto")
    if mode == "auto" and decision != "allow":
        raise Denial("approval", "nobody was asked, and the policy says that somebody must be")
    when = datetime.now(UTC).isoformat(timespec="milliseconds")
    return Consent(secrets.token_hex(8), str(mode), user, when)


def intent(
    log: AuditLog, house: House, exchange: str, prepared: Prepared, consent: Consent
) -> Intent:
    """What is recorded before the first request leaves."""
    provider, task = prepared.provider, prepared.conversation.task
    path = "/" + prepared.envelope.url.split("://", 1)[1].partition("/")[2]
    return Intent(
        exchange=exchange,
        actor=house.actor,
        client=Client(*task.editor),
        workspace=Workspace(log.pseudonym(task.folder)) if task.folder else None,
        purpose=task.kind,
        provider=Recorded(
            provider.name,
            Endpoint(provider.scheme, provider.host, provider.port, path),
            provider.region,
            provider.retention,
            provider.contract,
            tls="system" if provider.scheme == "https" else None,
        ),
        model=provider.model,
        decision=decided(
            house, prepared.considered.decision, prepared.considered.rule, prepared.judged
        ),
        consent=consent,
        bytes=len(prepared.envelope.body),
        server_version=house.version,
        parameters=(*_parameters(prepared.envelope), *_routed(log, task, prepared.route)),
        tools=task.tools,
        manifest=_sources(log, task.documents, prepared.considered.classified),
        redactions=prepared.considered.redactions,
        tokens_estimated=tokens_of(prepared.envelope),
        cost_estimated=price(provider)(tokens_of(prepared.envelope), 0),
        budget_left=prepared.budget_left,
    )


def approval(log: AuditLog, prepared: Prepared, consent: Consent, scope: Scope) -> Approval:
    offer = prepared.offer
    return Approval(
        consent.id, consent.mode, True, consent.who,
        offer.provider, offer.model, offer.endpoint, offer.region,
        _pseudonyms(log, scope), scope.classes, scope.bytes_max, scope.turns_max,
        scope.cost_max, scope.expires.isoformat(timespec="seconds"),
    )  # fmt: skip


def widened(log: AuditLog, user: str, scope: Scope) -> Approval:
    """The same person said yes again, to more."""
    classes = (*scope.classes, *(f"masked by {rule}" for rule in scope.masked or ()))
    return Approval(
        secrets.token_hex(8), "user", True, user,
        paths=_pseudonyms(log, scope), classes=classes, bytes_max=scope.bytes_max,
        turns_max=scope.turns_max, expires=scope.expires.isoformat(timespec="seconds"),
    )  # fmt: skip


def rewritten(task: Task, considered: Considered) -> Task:
    """The task with what `consider` made of its texts."""
    instruction, *earlier = considered.texts
    pairs = zip(earlier[::2], earlier[1::2], strict=True)
    turns = tuple(
        replace(turn, question=question, answer=answer)
        for turn, (question, answer) in zip(task.earlier, pairs, strict=True)
    )
    return replace(task, instruction=instruction, documents=considered.documents, earlier=turns)


def decided(house: House, decision: str, rule: str | None, reason: str | None = None) -> Decision:
    return Decision(digest_of(house.policies), decision, rule, reason)


def _sources(
    log: AuditLog, rows: Sequence[Document], classified: Mapping[str, tuple[str, ...]]
) -> tuple[Source, ...]:
    return tuple(
        Source(
            log.pseudonym(row.path),
            row.start,
            row.end,
            len(row.text.encode()),
            classification=", ".join(classified.get(row.path, ())) or None,
        )
        for row in rows
    )


def _pseudonyms(log: AuditLog, scope: Scope) -> tuple[str, ...]:
    names: Iterable[str] = (*sorted(scope.paths), *scope.globs)
    return tuple(log.pseudonym(name) for name in names)


def tokens_of(envelope: Envelope) -> int:
    """An estimate, of what is not counted by a tokenizer."""
    return len(envelope.body) // BYTES_PER_TOKEN


def veiled(log: AuditLog, task: Task, text: str) -> str:
    """A reason for the record, in which files and folders have their stand-ins."""
    known = {document.path for document in task.documents if document.path.strip()}
    if task.folder:
        # Frozen may be the folder or one around it.
        place = PurePosixPath(task.folder)
        known |= {str(one) for one in (place, *place.parents)}
    names = "|".join(re.escape(name) for name in sorted(known, key=len, reverse=True))
    if not names:
        return text
    whole = rf"(?<!\S)(?:{names})(?=[\s:;,]|$)"
    return re.sub(whole, lambda found: f"[{log.pseudonym(found[0])[:16]}]", text)


def _routed(log: AuditLog, task: Task, route: Route) -> tuple[tuple[str, str], ...]:
    """Why this provider, and why no other, for the record."""
    rows = (("route", route.reason), ("passed", veiled(log, task, route.others)))
    return tuple((name, text[:LONGEST_REASON]) for name, text in rows if text)


def _parameters(envelope: Envelope) -> tuple[tuple[str, str], ...]:
    """What a request asks for besides its words: whether it is kept, and how long it may be."""
    told = cast(Mapping[str, object], json.loads(envelope.body or b"{}"))
    return tuple((name, json.dumps(told[name])) for name in PARAMETERS if name in told)
