"""A log as some weeks of a team leave it behind: sent, masked, denied, failed, crashed, anchored.

    python audit_story.py HOME DAYS

writes one into an empty home directory.  The picture in the manual is `wicket audit report` of
40 days of it, in Chromium at 1100 x 1330 pixels.
"""

import asyncio
import hashlib
import random
import sys
from pathlib import Path

from wicket.escalation.audit.anchors import anchor
from wicket.escalation.audit.erasing import wipe
from wicket.escalation.audit.files import Disk
from wicket.escalation.audit.frame import ReaderKey
from wicket.escalation.audit.layout import Layout
from wicket.escalation.audit.log import AuditLog, Options
from wicket.escalation.audit.reading import leaves
from wicket.escalation.audit.records import (
    Access,
    Actor,
    Anchor,
    Client,
    Config,
    Consent,
    Decision,
    Denied,
    Endpoint,
    Erasure,
    Hold,
    Intent,
    Open,
    Outcome,
    Provider,
    Redaction,
    Source,
    Workspace,
)

LIMITS = "Landlock 6, seccomp"
POLICY = hashlib.sha256(b"policy").hexdigest()
PACK = hashlib.sha256(b"rules").hexdigest()
PROVIDERS = (
    (Provider("anthropic", Endpoint("https", "api.anthropic.com", 443, "/v1/messages"), "eu",
              "none", "DPA 2026-04"), "claude-sonnet"),
    (Provider("in-house", Endpoint("https", "llm.bank.example", 8443, "/v1/chat/completions"),
              "on site", "none", None), "qwen3-coder"),
)  # fmt: skip
PEOPLE = ("ada", "barbara", "edsger", "grace")
WHY = ("explain", "refactor", "ask", "review")
MASKS = (("aws-access-key", "secret"), ("known value of .env", "secret"), ("iban", "personal"))
FAILURES = (
    Outcome("http_error", sent=4100, received=180, http_status=529, error="overloaded"),
    Outcome("timeout", sent=5200, received=0, error="the provider did not answer in time"),
    Outcome("cancelled", sent=3900, received=700),
)
DAY_MS = 86_400_000


class Hours:
    """A clock that the story moves, the machine's two clocks alike."""

    def __init__(self, wall_ms: int) -> None:
        self.wall, self.mono = wall_ms, 1_000_000

    def pass_(self, milliseconds: int) -> None:
        self.wall, self.mono = self.wall + milliseconds, self.mono + milliseconds * 1000

    def wall_ms(self) -> int:
        return self.wall

    def mono_us(self) -> int:
        return self.mono

    def boot(self) -> str:
        return "b" * 32


class Story:
    """`head` is the log's second place, `elsewhere` where it is anchored."""

    def __init__(
        self, directory: Path, head: Path, reader: ReaderKey, elsewhere: Path, end_ms: int
    ) -> None:
        self.directory, self.head, self.elsewhere = directory, head, elsewhere
        self.options = Options(recipients=(reader.public,), reserve_bytes=1 << 16)
        self.dice, self.end_ms = random.Random(5), end_ms
        self.intents: list[int] = []

    async def tell(self, days: int) -> None:
        clock = Hours(self.end_ms - days * DAY_MS)
        for day in range(days):
            working = (clock.wall // DAY_MS + 4) % 7 < 5
            if working or day in (days // 2, days - 1):
                log = await self.open(clock)
                await self.morning(log, clock, day)
                if day == days // 2:
                    await self.crash(log, clock)
                else:
                    await log.close("idle")
                    copied = anchor(self.directory, str(self.elsewhere), self.elsewhere)
                    log = await self.open(clock)
                    size, root = copied.checkpoint.size, copied.checkpoint.root.hex()
                    place = "git@vault.bank.example:wicket-anchors"
                    await log.note(Anchor("git", place, size, root))
                    await log.close("idle")
            clock.pass_(DAY_MS - (clock.wall % DAY_MS) + 8 * 3_600_000)
        log = await self.open(clock)
        why = "case 2026-117"
        first, last = self.intents[0], self.intents[-1]
        await log.note(Access("auditor", "quarterly review", (first, last)))
        await log.note(Hold(why, "legal", "preserve for the inquiry", seqs=(last,)))
        await log.note(Config("providers.cheap", "repository", None, False, "may not be set there"))
        await log.note(Erasure("ada", "asked under GDPR article 17", (first,)))
        await log.close("idle")
        [pay] = [one.tail.pay for one, _line in leaves(self.directory) if one.tail.seq == first]
        assert pay
        wipe(Disk(), Layout(self.directory, self.head), [pay])

    async def open(self, clock: Hours) -> AuditLog:
        record = Open("0.1.0", policy_sha256=POLICY, limits=LIMITS)
        return await AuditLog.open(self.directory, self.head, record, self.options, clock=clock)

    async def morning(self, log: AuditLog, clock: Hours, day: int) -> None:
        for number in range(self.dice.randint(1, 6)):
            clock.pass_(self.dice.randint(60_000, 3_000_000))
            name = self.dice.choice(PEOPLE)
            if self.dice.random() < 0.12:
                await self.denied(log, name)
                continue
            body = b"POST /v1/messages\n\n" + self.dice.randbytes(1500).hex().encode()
            receipt = await log.intent(self.intent(log, name, day, number, len(body)), body)
            self.intents.append(receipt.position.seq)
            clock.pass_(self.dice.randint(900, 20_000))
            ended = Outcome(
                "ok", sent=len(body), received=self.dice.randint(500, 9000), http_status=200,
                tokens_in=len(body) // 4, tokens_out=self.dice.randint(40, 900),
                cost=self.dice.randint(2000, 90_000), duration_ms=self.dice.randint(900, 20_000),
            )  # fmt: skip
            if self.dice.random() < 0.12:
                ended = self.dice.choice(FAILURES)
            await log.outcome(receipt, ended, {"response": b"data: {}"})

    def intent(self, log: AuditLog, name: str, day: int, number: int, size: int) -> Intent:
        provider, model = self.dice.choice(PROVIDERS)
        files = tuple(
            Source(log.pseudonym(f"src/{n}.py"), 1, 40, 1200)
            for n in range(self.dice.randint(1, 5))
        )
        masks = ()
        if self.dice.random() < 0.4:
            rule, kind = self.dice.choice(MASKS)
            masks = (Redaction(rule, PACK, kind, self.dice.randint(1, 3)),)
        return Intent(
            f"{day}-{number}", Actor(name, 1000, "laptop", "authenticated(SO_PEERCRED)"),
            Client("neovim", "0.11"), Workspace(log.pseudonym("/home/ada/payments")),
            self.dice.choice(WHY), provider, model, Decision(POLICY, "ask", "source code"),
            Consent("c1", self.dice.choice(("user", "auto"))), size, "0.1.0",
            manifest=files, redactions=masks,
        )  # fmt: skip

    async def denied(self, log: AuditLog, name: str) -> None:
        rule = self.dice.choice(("secrets by custom", "customer data"))
        said = Decision(POLICY, "never", rule, "deploy/prod.env may not leave this machine")
        await log.note(Denied(Actor(name, 1000, "laptop"), "explain", said))

    async def crash(self, log: AuditLog, clock: Hours) -> None:
        """The process ends with a request under way."""
        clock.pass_(60_000)
        receipt = await log.intent(self.intent(log, "grace", 0, 99, 4096), b"x" * 4096)
        log.redeem(receipt, b"x" * 4096)
        log._heart.cancel()
        if log._seal_timer:
            log._seal_timer.cancel()
        log._thread.shutdown()
        log._opened.release()


if __name__ == "__main__":
    import time

    from wicket.server import audit_place
    from wicket.server.paths import Paths

    paths = Paths.of({"HOME": sys.argv[1]})
    key, place = audit_place.reader_key(paths, make=True), audit_place.current(paths)
    away = Path(sys.argv[1]) / "elsewhere"
    away.mkdir()
    assert key
    assert place.head
    story = Story(place.directory, place.head, key, away, int(time.time() * 1000))
    asyncio.run(story.tell(int(sys.argv[2])))
