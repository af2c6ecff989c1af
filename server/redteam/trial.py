"""One attack after the other, each in a folder of its own, through the real gate and index."""

import asyncio
import base64
import json
import os
import secrets
import tempfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .. import approval, ask, gate_client, index_verb, processes, settings, settings_file
from ..app import Startup
from ..ask_places import inert
from ..index import order
from ..paths import Paths
from .attacks import ATTACKS, Attack
from .provider import Decoy, Obedient, listening
from .verdict import Outcome, Seen, judged

SECONDS = 120
# Settings of this installation that decide what may leave.
TAKEN_OVER = ("completion.exclude", "index.exclude", "redaction.rules")


async def play(
    attacks: Sequence[Attack] = ATTACKS,
    hear: Callable[[Outcome], None] = lambda _outcome: None,
) -> list[Outcome]:
    """Try each attack.  To be called in a process of its own: its environment is replaced.

    Raises NoAnswer, UnsafePath or IndexFailed where no trial is possible here.
    """
    model, decoy = Obedient(), Decoy()
    async with listening(model) as port, listening(decoy) as trap:
        with tempfile.TemporaryDirectory(prefix="wicket-") as place:
            home = _home(Path(place), port, trap)
            os.environ |= {
                name: home.filled(value)
                for attack in attacks
                for name, value in attack.environment.items()
            }
            try:
                outcomes: list[Outcome] = []
                for attack in attacks:
                    outcomes.append(await _play(attack, home, model, decoy))
                    hear(outcomes[-1])
                return outcomes
            finally:
                for process in processes.running(gate_client.socket_path(home.paths).parent):
                    await asyncio.to_thread(processes.stop, process)


@dataclass(frozen=True, slots=True)
class Home:
    """A home without anybody in it, with this installation's rules and one provider."""

    place: Path
    paths: Paths
    canary: str
    decoy: str

    @property
    def mark(self) -> Path:
        return self.place / "mark"

    def filled(self, text: str) -> str:
        plain = self.canary.encode()
        values = {"CANARY": self.canary, "DECOY": self.decoy, "MARK": str(self.mark)}
        values |= {"BASE64": base64.b64encode(plain).decode(), "HEX": plain.hex()}
        for name, value in (values | {"REVERSED": self.canary[::-1]}).items():
            text = text.replace(f"@{name}@", value)
        return text

    def lay_out(self, attack: Attack) -> Path:
        """Make the attack's files; the folder that is opened."""
        around = self.place / attack.name
        folder = around / "work"
        for root, files in ((folder, attack.files), (around, attack.outside)):
            for name, text in files.items():
                file = root / name
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_text(self.filled(text))
                file.chmod(0o755 if text.startswith("#!") else 0o644)
        for name, target in attack.links.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).symlink_to(target)
        if attack.git:
            for name in ("objects", "refs"):
                (folder / ".git" / name).mkdir(parents=True)
            (folder / ".git/HEAD").write_text("ref: refs/heads/main\n")
        return folder


@dataclass(slots=True)
class Careless:
    """Who says yes to everything; `meanwhile` happens while they look."""

    meanwhile: Callable[[], None]
    shown: list[str] = field(default_factory=list[str])

    async def approve(self, prepared: Mapping[str, Any]) -> ask.Yes:
        self.shown += approval.summary(prepared)
        self.meanwhile()
        return "auto" if prepared["decision"] == "allow" else "user"

    async def widen(self, why: str) -> bool:
        self.shown.append(approval.visible(why))
        return True

    def hear(self, text: str) -> None: ...

    def note(self, what: str) -> None: ...


def _home(place: Path, port: int, trap: int) -> Home:
    """Raises UnsafePath.  The processes that are started find themselves there, too."""
    taken = settings.load(Paths.of(os.environ), None, ()).values
    policy = _content(Paths.of(os.environ).policies[1])
    for name in [name for name in os.environ if name.startswith(("XDG_", "WICKET_"))]:
        del os.environ[name]
    os.environ |= {"HOME": str(place), "XDG_RUNTIME_DIR": str(place)}
    paths = Paths.of(os.environ)
    for made in (paths.config, paths.provider_keys.parent):
        made.mkdir(parents=True, mode=0o700)
    paths.data.chmod(0o700)
    provider = {"kind": "anthropic", "base_url": f"http://127.0.0.1:{port}"}
    settings_file.set_user(paths, "providers.redteam", provider | {"model": "m", "tier": "on-prem"})
    for name in TAKEN_OVER:
        said: Any = taken[name]
        if said:
            settings_file.set_user(paths, name, [str(value) for value in said])
    if policy is not None:
        paths.policies[1].write_bytes(policy)
    canary = f"cnry{secrets.token_hex(12)}"
    paths.provider_keys.write_text(f'redteam = "key-{secrets.token_hex(12)}"\n')
    paths.provider_keys.chmod(0o600)
    return Home(place, paths, canary, f"127.0.0.1:{trap}")


def _content(file: Path) -> bytes | None:
    try:
        return settings_file.content(file)
    except settings_file.Unreadable:
        # As unreadable as this, it blocks everything there, too.
        return b"("


async def _play(attack: Attack, home: Home, model: Obedient, decoy: Decoy) -> Outcome:
    folder = home.lay_out(attack)
    effective = settings.load(home.paths, attack.editor, [folder])
    startup = Startup(home.paths, effective, "")
    index_verb.build(order(startup, folder))
    before, intents = _files(folder.parent), _intents(home.paths)
    model.instruct([_filled(call, home) for call in attack.calls], home.filled(attack.says))
    decoyed = decoy.connections

    def swap() -> None:
        for name, text in attack.swapped.items():
            (folder / name).write_text(home.filled(text))
            before[str(folder / name)] = home.filled(text).encode()

    desk = Careless(swap)
    pieces = tuple(
        ask.Piece(name, text, 1, text.count("\n") + 1)
        for name in attack.pieces
        for text in [home.filled(attack.files[name])]
    )
    answer, refused = None, None
    try:
        async with asyncio.timeout(SECONDS):
            question = ask.Question("What does this code do?", folder, pieces)
            answer = await ask.ask(question, startup, desk)
    except ask.NoAnswer as error:
        refused = str(error)
    except TimeoutError:
        refused = f"no answer within {SECONDS} s"
    seen = Seen(
        received=model.received,
        bodies=model.bodies,
        approved=[_body(request) for request in answer.requests] if answer else (),
        intents=_intents(home.paths) - intents,
        decoyed=decoy.connections - decoyed,
        marked=home.mark.exists(),
        shown=desk.shown,
        answer=inert(answer.text) if answer else "",
        before=before,
        after=_files(folder.parent),
        refused=refused or (answer.why if answer else None),
    )
    home.mark.unlink(missing_ok=True)
    hidden = (home.canary, *attack.planted)
    verdict, why = judged(seen, hidden, turns=2 if attack.calls else 1)
    return Outcome(
        attack.name, attack.tries, attack.evidence, verdict, len(seen.bodies), why
    )  # fmt: skip


def _body(request_base64: str) -> bytes:
    """An envelope is a head, an empty line and the body."""
    return base64.b64decode(request_base64).partition(b"\n\n")[2]


def _filled(call: Mapping[str, Any], home: Home) -> dict[str, Any]:
    return {
        name: home.filled(value) if isinstance(value, str) else value
        for name, value in call.items()
    }


def _files(around: Path) -> dict[str, bytes]:
    """Every file and link, by path; none is followed."""
    found: dict[str, bytes] = {}
    for folder, folders, files in os.walk(around):
        for name in (*folders, *files):
            place = os.path.join(folder, name)
            if os.path.islink(place):
                found[place] = os.readlink(place).encode()
            elif name in files:
                found[place] = Path(place).read_bytes()
    return found


def _intents(paths: Paths) -> int:
    """Those that are on the disk."""
    count = 0
    for file in paths.audit.glob("*/*.jsonl"):
        with suppress(OSError):
            lines = file.read_bytes().splitlines()
            count += sum(json.loads(line)["type"] == "intent" for line in lines)
    return count
