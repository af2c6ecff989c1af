"""Is what Wicket infers what was really done?  `python tests/benchmarks/events.py`

Drives editors that report nothing but their changes, requests and the accept command, with
the real server and model, and does to each suggestion what a person may do to it.  What the
server's log then says of that suggestion is compared with what was done.  Prints the share
of suggestions it was wrong about, by what was done.

    --rounds N    of everything (default 5)
    --client ...  plugin (Neovim with our plugin), native (Neovim 0.12 without), node (a client
                  of Microsoft's library); all where they are installed
"""

import argparse
import json
import os
import platform
import random
import re
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))
from tests.editors.neovim import SAMPLE, Home, Neovim, home, neovim
from tests.server.test_node_client import TOOLS, WICKET

NODE_CLIENT = Path(__file__).parents[1] / "server/node_client/events.js"
EVENT = re.compile(r"suggestion (\d+): (\w+) (\d+) (\d+)$")
# Longer than the server takes for shown; how long a suggestion is waited for on each key.
LOOK_SECONDS, GHOST_SECONDS = 0.45, 0.8
# Every 30 s check of the server is done by then.
KEPT_SECONDS = 32
# A suggestion needs that many characters for everything that is done to it.
ENOUGH = 6

BEFORE = SAMPLE
TYPED = (
    "\n    def save(self) -> None:\n        text = json.dumps(self.values)\n",
    "\n    def set(self, name: str, value: str) -> None:\n        self.values[name] = value\n",
    "\n    def clear(self) -> None:\n        self.values = {}\n        self.path.unlink()\n",
    "\n    def names(self) -> list[str]:\n        return sorted(self.values)\n",
    "\n    def remove(self, name: str) -> None:\n        if name in self.values:\n            del ",
    "\n\ndef main() -> None:\n    settings = Settings(Path('a.json'))\n    settings.load()\n",
)


@dataclass(frozen=True, slots=True)
class Done:
    """What was done to a suggestion, and what was said of it."""

    client: str
    what: str
    expected: str
    inferred: str


# What the log says


class Log:
    """Events of suggestions in their order: (number, "kind:characters@seconds")."""

    def __init__(self, place: Home) -> None:
        self.file = Path(place.environment["XDG_STATE_HOME"]) / "wicket/log/lsp.log"
        folder = Path(place.environment["XDG_CONFIG_HOME"]) / "wicket"
        folder.mkdir(mode=0o700, exist_ok=True)
        (folder / "wicket.toml").write_text('[log]\nlevel = "debug"\n')

    def events(self, since: int = 0) -> Iterator[tuple[str, str]]:
        """Those from the byte `since` on."""
        if not self.file.exists():
            return
        for line in self.file.read_bytes()[since:].decode().splitlines():
            if found := EVENT.search(line):
                number, kind, characters, after = found.groups()
                size = f":{characters}" if kind in ("accepted", "partial") else ""
                yield number, kind + size + (f"@{after}" if after != "0" else "")

    @property
    def end(self) -> int:
        return self.file.stat().st_size if self.file.exists() else 0

    def of(self, number: str) -> str:
        """All events of one suggestion, without those that only time brings."""
        found = [event for one, event in self.events() if one == number]
        return " ".join(event for event in found if event != "shown" and "@" not in event)


# What is done in Neovim

# Each takes the ghost text it finds and answers which events are true of it.
Act = Callable[[Neovim, str], str]


def whole(editor: Neovim, ghost: str) -> str:
    editor.press("<Plug>(wicket-accept)")
    return f"accepted:{len(ghost)}"


def piece(key: str) -> Act:
    def act(editor: Neovim, ghost: str) -> str:
        editor.press(key)
        left = len(editor.ghost) if ghost.endswith(editor.ghost) else 0
        if not left:
            return f"accepted:{len(ghost)}"
        size = len(ghost) - left
        contradict(editor, editor.ghost)
        return f"partial:{size}"

    return act


def word_by_word(editor: Neovim, ghost: str) -> str:
    events, left = list[str](), len(ghost)
    while left:
        editor.press("<Plug>(wicket-accept-word)")
        time.sleep(0.05)
        now = len(editor.ghost) if ghost.endswith(editor.ghost) else 0
        events.append(f"partial:{left - now}" if now else f"accepted:{len(ghost)}")
        left = now
    return " ".join(events)


def contradict(editor: Neovim, ghost: str) -> str:
    editor.type("#" if not ghost.startswith("#") else "~")
    return "rejected"


def through(editor: Neovim, ghost: str, gap: float = 0.08) -> str:
    """Typed to the end, as long as what is on the screen does not change."""
    while editor.ghost:
        editor.type("\r" if editor.ghost[0] == "\n" else editor.ghost[0])
        time.sleep(gap)
    return "typed"


def into_then_accept(editor: Neovim, ghost: str) -> str:
    for key in ghost[:3]:
        editor.type(key)
        time.sleep(0.08)
    return whole(editor, ghost[3:])


def into_then_contradict(editor: Neovim, ghost: str) -> str:
    for key in ghost[:3]:
        editor.type(key)
        time.sleep(0.08)
    return contradict(editor, ghost[3:])


def back_then_accept(editor: Neovim, ghost: str) -> str:
    editor.type(ghost[:2])
    time.sleep(0.1)
    editor.press("<BS>", "<BS>")
    return whole(editor, editor.until("the ghost text again", lambda: editor.ghost))


def burst(editor: Neovim, ghost: str) -> str:
    """Four keys faster than the editor tells of them."""
    editor.nvim.input(ghost[:4].replace("<", "<lt>"))
    editor.nvim.api.get_mode()
    time.sleep(0.1)
    return contradict(editor, ghost[4:])


def dismiss_then_type(editor: Neovim, ghost: str) -> str:
    editor.press("<Plug>(wicket-dismiss)")
    time.sleep(0.1)
    return contradict(editor, ghost)


def dismiss_and_leave(editor: Neovim, ghost: str) -> str:
    editor.press("<Plug>(wicket-dismiss)", "<Esc>")
    return "ignored"


def move_away(editor: Neovim, ghost: str) -> str:
    editor.press("<Up>")
    return "ignored"


def paste(editor: Neovim, ghost: str) -> str:
    editor.nvim.api.paste("self.pasted = from_elsewhere(1)", False, -1)
    return "rejected"


def paste_elsewhere(editor: Neovim, ghost: str) -> str:
    editor.nvim.current.buffer.append("import os", 0)
    time.sleep(0.1)
    return "ignored"


def erase(editor: Neovim, ghost: str) -> str:
    editor.press("<BS>", "<BS>")
    return "rejected"


def accept_and_undo(editor: Neovim, ghost: str) -> str:
    said = whole(editor, ghost)
    time.sleep(0.1)
    editor.press("<Esc>", "u")
    return said


def accept_undo_redo(editor: Neovim, ghost: str) -> str:
    said = accept_and_undo(editor, ghost)
    editor.press("<C-r>")
    return said


PLUGIN: dict[str, Act] = {
    "accept": whole,
    "accept a word": piece("<Plug>(wicket-accept-word)"),
    "accept a line": piece("<Plug>(wicket-accept-line)"),
    "accept word by word": word_by_word,
    "type something else": contradict,
    "type through": through,
    "type into, then accept": into_then_accept,
    "type into, then something else": into_then_contradict,
    "type into, back, accept": back_then_accept,
    "four keys at once": burst,
    "dismiss, type something else": dismiss_then_type,
    "dismiss and leave": dismiss_and_leave,
    "move away": move_away,
    "paste something else": paste,
    "change another line": paste_elsewhere,
    "erase": erase,
    "accept, undo": accept_and_undo,
    "accept, undo, redo": accept_undo_redo,
}
STAYS = {"accept": "kept@30", "accept, undo": "lost@30", "accept, undo, redo": "kept@30"}

NATIVE_GHOST = """
local namespace = vim.api.nvim_create_namespace('nvim.lsp.inline_completion')
local mark = vim.api.nvim_buf_get_extmarks(0, namespace, 0, -1, { details = true })[1]
if not mark then return '' end
local lines = { mark[4].virt_text[1][1] }
for _, line in ipairs(mark[4].virt_lines or {}) do lines[#lines + 1] = line[1][1] end
return table.concat(lines, '\\n')
"""
NATIVE_START = """
vim.lsp.enable('wicket', false)
vim.lsp.config('plain', { cmd = { ... }, root_dir = vim.fn.getcwd() })
vim.lsp.enable('plain')
vim.lsp.inline_completion.enable()
vim.keymap.set('i', '<Plug>(wicket-accept)', function() vim.lsp.inline_completion.get() end)
"""


class Native(Neovim):
    """Neovim's own client draws the ghost text; it asks 200 ms after the last key."""

    @property
    def ghost(self) -> str:
        return self.lua(NATIVE_GHOST)


def through_fast(editor: Neovim, ghost: str) -> str:
    for key in ghost:
        editor.type("\r" if key == "\n" else key)
        time.sleep(0.07)
    return "typed"


NATIVE: dict[str, Act] = {
    "accept": whole,
    "type something else": contradict,
    "type through": through_fast,
    "type into, then something else": into_then_contradict,
    "four keys at once": burst,
    "erase": erase,
    "paste something else": paste,
}


def in_neovim(place: Home, client: str, arguments: argparse.Namespace) -> Iterator[Done]:
    log, chance = Log(place), random.Random(arguments.seed)
    with neovim(arguments.version, place.environment) as editor:
        if client == "native":
            editor = Native(editor.nvim, editor.screen)
            program = json.dumps([sys.executable, "-I", "-m", "wicket.server", "lsp"])
            editor.lua(NATIVE_START.replace("...", program.strip("[]")))
        yield from session(client, editor, place, log, chance, arguments.rounds)


def session(
    client: str, editor: Neovim, place: Home, log: Log, chance: random.Random, rounds: int
) -> Iterator[Done]:
    stays = list[tuple[str, str, str]]()
    acts = PLUGIN if client == "plugin" else NATIVE
    for count in range(rounds):
        for number, (what, act) in enumerate(acts.items()):
            ghost = suggested(editor, place, f"{count}_{number}.py", chance)
            if ghost is None:
                continue
            shown = [one for one, event in log.events() if event == "shown"]
            tracked, begun = (shown or ["0"])[-1], log.end
            expected = act(editor, ghost)
            time.sleep(0.1)
            editor.press("<Esc>")
            settle(editor)
            others = {
                one: event
                for one, event in log.events(begun)
                if one != tracked and event.startswith(("accepted", "partial"))
            }
            if expected == "ignored":
                leave(editor, place)
            inferred = log.of(tracked) + "".join(f" and {e} of another" for e in others.values())
            yield Done(client, what, expected, inferred)
            if what in STAYS:
                stays.append((what, tracked, STAYS[what]))
    if stays:
        time.sleep(KEPT_SECONDS)
        checks = Counter((one, event) for one, event in log.events() if "@30" in event)
        for what, tracked, expected in stays:
            inferred = next((e for one, e in checks if one == tracked), "")
            yield Done(client, f"{what}: 30 s later", expected, inferred)


def suggested(editor: Neovim, place: Home, name: str, chance: random.Random) -> str | None:
    """Type in a new file until something is suggested and look at it."""
    typed = chance.choice(TYPED)
    path = place.project / name
    path.write_text(BEFORE.rstrip("\n"))
    editor.edit(path)
    if not isinstance(editor, Native):
        editor.ready()
    editor.nvim.command("setlocal indentkeys= indentexpr= noautoindent | $")
    editor.press("A")
    for count, key in enumerate(typed):
        editor.type("\r" if key == "\n" else key)
        if count < 8 or chance.random() < 0.6:
            continue
        end = time.monotonic() + GHOST_SECONDS
        while time.monotonic() < end:
            if len(editor.ghost) >= ENOUGH and editor.ghost.strip():
                time.sleep(LOOK_SECONDS)
                return editor.ghost
            time.sleep(0.02)
    return None


def settle(editor: Neovim) -> None:
    """Until the server has taken in everything."""
    editor.lua("""
        local client = vim.lsp.get_clients({ bufnr = 0 })[1]
        if client then vim.lsp.buf_request_sync(0, 'wicket/explainSuggestion', {}, 5000) end""")


def leave(editor: Neovim, place: Home) -> None:
    """Ask for something in another file."""
    editor.edit(place.project / "other.py")
    editor.press("i")
    time.sleep(0.4)
    editor.press("<Esc>")
    settle(editor)


# What is done by the other client


def in_node(place: Home, rounds: int) -> Iterator[Done]:
    log = Log(place)
    environment = place.environment | {"NODE_PATH": str(TOOLS / "clients/node_modules")}
    done = subprocess.run(
        [TOOLS / "node/runtime/bin/node", NODE_CLIENT, str(rounds), *WICKET, "lsp"],
        env=environment | {"HOME": str(place.path)},
        capture_output=True,
        text=True,
        timeout=600,
    )
    if done.returncode:
        raise LookupError(done.stderr)
    for one in json.loads(done.stdout):
        yield Done("node", one["what"], one["expected"], log.of(one["number"]))


# What comes of it


def report(found: Sequence[Done]) -> dict[str, object]:
    clients = dict.fromkeys(one.client for one in found)
    wrong = [one for one in found if one.expected != one.inferred]
    return {
        "machine": platform.processor() or platform.machine(),
        "load": round(os.getloadavg()[0], 2),
        "suggestions": len(found),
        "wrong": len(wrong),
        "error_rate": round(len(wrong) / max(1, len(found)), 4),
        "by_client": {
            client: {
                what: {
                    "done": len(of),
                    "wrong": [[o.expected, o.inferred] for o in of if o in wrong],
                }
                for what in dict.fromkeys(o.what for o in found if o.client == client)
                if (of := [o for o in found if (o.client, o.what) == (client, what)])
            }
            for client in clients
        },
    }


def show(figures: dict[str, object]) -> None:
    by_client: dict[str, dict[str, dict[str, list[list[str]]]]] = figures["by_client"]  # type: ignore[assignment]
    for client, whats in by_client.items():
        print(client)
        for what, counts in whats.items():
            wrong = counts["wrong"]
            said = "; ".join(f"{a} taken for {b or 'nothing'}" for a, b in wrong[:3])
            print(f"  {what:34}{counts['done']:4} done{len(wrong):4} wrong  {said}")
    print(
        f"{figures['wrong']} of {figures['suggestions']} suggestions wrong, "
        f"{100 * float(str(figures['error_rate'])):.1f} %; load {figures['load']}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--client", action="append", choices=("plugin", "native", "node"))
    parser.add_argument("--version", default="0.12", help="of Neovim")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    found = list[Done]()
    for client in arguments.client or ("plugin", "native", "node"):
        with home() as place:
            if client == "node":
                found += in_node(place, arguments.rounds)
            else:
                found += in_neovim(place, client, arguments)
    figures = report(found)
    print(json.dumps(figures)) if arguments.json else show(figures)


if __name__ == "__main__":
    try:
        main()
    except LookupError as error:
        sys.exit(str(error))
