"""A model that does what it is told, to the letter, with the text that it received.

Its instruction is one change as JSON.  It sees placeholders where something was masked, as
any model does, and answers in the format of the gate; what should have come of it is the same
change of the same lines with nothing masked.
"""

import ast
import json
import random
import re
import sysconfig
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import SequenceMatcher
from pathlib import Path
from typing import Any

from ..escalation import anthropic_wire, planted_secrets
from ..escalation.provider import ANSWERS, ProviderServer

# Lines of a selected function.
SHORTEST, LONGEST = 6, 60
NAMES = ("db_password", "api_key", "client_secret", "contact", "account")
# As people write them in Python; the first ones with a value in quotes of its own.
WAYS = (
    '{name} = "{}"',
    "{name}: str = '{}'",
    'client = connect("{}")',
    'headers = {"Authorization": "{}"}',
    'os.environ["{NAME}"] = "{}"',
    'url = f"https://{host}/v2?key={}&page=1"',
    "# remove before release: {}",
)
STRING = re.compile(r"\"\"\".*?\"\"\"|\"[^\"\n]*\"|'[^'\n]*'", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Case:
    """One change of one file.  `where` the masked value stands: on the line that is changed,
    inside of what is selected, near it, or far."""

    name: str
    where: str
    kind: str
    text: str = field(repr=False)
    first: int
    last: int
    change: Mapping[str, Any]
    style: str

    @property
    def instruction(self) -> str:
        return json.dumps(dict(self.change))

    @property
    def wanted(self) -> str:
        """The file after the same change, with nothing masked."""
        lines = self.text.split("\n")
        return "\n".join(changed(lines, self.first, self.last, self.change))


def changed(lines: Sequence[str], first: int, last: int, said: Mapping[str, Any]) -> list[str]:
    """What becomes of all lines where `first` to `last`, from 1, are selected."""
    before, inside, after = lines[: first - 1], list(lines[first - 1 : last]), lines[last:]
    return [*before, *CHANGES[said["do"]](inside, said), *after]


def _rename(inside: list[str], said: Mapping[str, Any]) -> list[str]:
    return [re.sub(rf"\b{said['name']}\b", said["to"], line) for line in inside]


def _insert(inside: list[str], said: Mapping[str, Any]) -> list[str]:
    at = said["line"]
    return [*inside[:at], indent(inside[at]) + said["text"], *inside[at:]]


def _docstring(inside: list[str], said: Mapping[str, Any]) -> list[str]:
    at = said["line"]
    return [*inside[:at], f'{indent(inside[at])}"""{said["text"]}"""', *inside[at:]]


def _delete(inside: list[str], said: Mapping[str, Any]) -> list[str]:
    return [*inside[: said["line"]], *inside[said["end"] :]]


def _move(inside: list[str], said: Mapping[str, Any]) -> list[str]:
    start, end, to = said["line"], said["end"], said["to"]
    rest = [*inside[:start], *inside[end:]]
    at = to if to <= start else to - (end - start)
    return [*rest[:at], *inside[start:end], *rest[at:]]


def _wrap(inside: list[str], said: Mapping[str, Any]) -> list[str]:
    start, end = said["line"], said["end"]
    body = [f"    {line}" if line.strip() else line for line in inside[start:end]]
    return [*inside[:start], f"{indent(inside[start])}if {said['test']}:", *body, *inside[end:]]


def _replace(inside: list[str], said: Mapping[str, Any]) -> list[str]:
    at = said["line"]
    return [*inside[:at], inside[at].replace(said["old"], said["new"], 1), *inside[at + 1 :]]


def _extract(inside: list[str], said: Mapping[str, Any]) -> list[str]:
    """The text on a line, or on several, becomes a constant above the function."""
    start, end = said["line"], said["end"]
    found = STRING.search("\n".join(inside[start:end]))
    assert found
    piece = "\n".join(inside[start:end])
    rest = piece[: found.start()] + said["to"] + piece[found.end() :]
    above = f"{indent(inside[0])}{said['to']} = {found[0]}"
    return [*above.split("\n"), *inside[:start], *rest.split("\n"), *inside[end:]]


def _split(inside: list[str], said: Mapping[str, Any]) -> list[str]:
    """The right side of an assignment into parentheses on lines of its own."""
    start, end = said["line"], said["end"]
    piece, space = "\n".join(inside[start:end]), indent(inside[start])
    left, _, right = piece.partition(" = ")
    return [
        *inside[:start],
        *f"{left} = (\n{space}    {right}\n{space})".split("\n"),
        *inside[end:],
    ]


CHANGES: dict[str, Callable[[list[str], Mapping[str, Any]], list[str]]] = {
    "rename": _rename,
    "insert": _insert,
    "docstring": _docstring,
    "delete": _delete,
    "move": _move,
    "wrap": _wrap,
    "replace": _replace,
    "extract": _extract,
    "split": _split,
}


def indent(line: str) -> str:
    return line[: len(line) - len(line.lstrip())]


# How a model may put the same change.
STYLES = ("selection", "one", "hunks", "short")


def rows(before: str, after: str, first: int, last: int, style: str, path: str) -> list[Any]:
    """The edits of one answer, as `escalation.editing` takes them."""
    old, new = before.split("\n"), after.split("\n")
    if style == "selection":
        count = len(new) - len(old)
        return [{"path": path, "new": "\n".join([*new[first - 1 : last + count], ""])}]
    matched = SequenceMatcher(None, old, new, autojunk=False).get_opcodes()
    spans = [(a, b, c, d) for tag, a, b, c, d in matched if tag != "equal"]
    if style == "one":
        spans = [(spans[0][0], spans[-1][1], spans[0][2], spans[-1][3])]
    around = 0 if style == "short" else 1
    wide: list[tuple[int, int, int, int]] = []
    for a, b, c, d in spans:
        while True:
            up, down = min(around, a, c), min(around, len(old) - b, len(new) - d)
            text = "\n".join(old[a - up : b + down])
            if text.strip() and before.count(text) == 1:
                break
            a, b, c, d = max(0, a - 1), min(len(old), b + 1), max(0, c - 1), min(len(new), d + 1)
        one = (a - up, b + down, c - up, d + down)
        if wide and one[0] <= wide[-1][1]:
            one = (wide[-1][0], max(one[1], wide[-1][1]), wide[-1][2], max(one[3], wide[-1][3]))
            wide.pop()
        wide.append(one)
    # Lines that go away take a line break along.
    texts = [("\n".join([*old[a:b], *[""] * (c == d)]), "\n".join(new[c:d])) for a, b, c, d in wide]
    return [{"path": path, "old": one, "new": other} for one, other in texts]


class Obedient:
    """Answers each request of a server by what stands in it.  `twist` makes it disobey."""

    def __init__(self, server: ProviderServer, style: str = "one") -> None:
        self.server, self.style = server, style
        self.twist: Callable[[list[Any]], list[Any]] = lambda made: made
        # Told that an edit does not fit, it says so, or tries once more.
        self.gives_up = True
        self.received = self.told = ""
        server.answer, server.answers = "obeys", self._answer

    def _answer(self) -> None:
        body = json.loads(self.server.requests[-1][1])
        said = body["messages"]
        self.told = json.dumps(said[1:])
        if len(said) > 1 and self.gives_up:
            ANSWERS["obeys"] = ANSWERS["claude whole"]
            return
        self.received = content = said[0]["content"]
        shown = re.search(r"<<<document (.+):(\d+)-\d+\n(.*?)\n>>>end of", content, re.DOTALL)
        lines = re.search(r"about the lines .+?:(\d+)-(\d+)", content)
        assert shown
        assert lines
        told = json.loads(content[shown.end() :].split("\n\n")[1])
        begin = int(shown[2]) - 1
        first, last = int(lines[1]) - begin, int(lines[2]) - begin
        before = shown[3]
        after = "\n".join(changed(before.split("\n"), first, last, told))
        made = self.twist(rows(before, after, first, last, self.style, shown[1]))
        call = anthropic_wire.tool(0, "toolu_1", "edit", json.dumps({"edits": made}))
        start = anthropic_wire.HEAD + anthropic_wire.start()
        ANSWERS["obeys"] = [start + call + anthropic_wire.end("tool_use")]
        self.server.received.clear()


def cases(seed: int, count: int) -> Iterator[Case]:
    """`count` changes of real modules with made-up secrets and personal data planted in them."""
    dice = random.Random(seed)
    sources = list(modules(dice, min(400, 3 * count)))
    wanted = [(do, where, style) for do in CHANGES for where in WHERE for style in STYLES]
    dice.shuffle(wanted)
    number = 0
    while number < count:
        do, where, style = wanted[number % len(wanted)]
        made = _case(dice, *sources[dice.randrange(len(sources))], do, where, style)
        if made is not None:
            number += 1
            yield made


WHERE = ("line", "inside", "near", "far")


def modules(dice: random.Random, most: int) -> Iterator[tuple[str, str]]:
    """Sources of the standard library and of what is installed, by name; those that parse."""
    places = {Path(sysconfig.get_path(name)) for name in ("stdlib", "purelib")}
    found = sorted(path for place in places for path in place.rglob("*.py")
                   if not {"test", "tests", "idlelib"} & set(path.parts))  # fmt: skip
    dice.shuffle(found)
    kept = 0
    for path in found:
        text = path.read_bytes().decode("utf-8", "replace")
        if 2_000 < len(text) < 40_000 and "\ufffd" not in text and "\r" not in text:
            if not _parses(text):
                continue
            yield "/".join(path.parts[-2:]), text
            kept += 1
            if kept == most:
                return


def _case(
    dice: random.Random, name: str, text: str, do: str, where: str, style: str
) -> Case | None:
    """Something is planted into a function of the file, or beside it, and asked for; None
    where the file has no place for that."""
    functions = [
        one for one in ast.walk(ast.parse(text))
        if isinstance(one, ast.FunctionDef) and len(one.body) > 2
        and SHORTEST <= _last(one) - one.lineno <= LONGEST and one.body[0].lineno > one.lineno
    ]  # fmt: skip
    if not functions:
        return None
    chosen = dice.choice(functions)
    kind = dice.choice(list(planted_secrets.KINDS))
    lines = text.split("\n")
    value = planted_secrets.KINDS[kind](dice)
    planted = _planted(dice, kind, value).split("\n")
    # A whole statement of the body, not its docstring, is where lines go in and out.
    body = chosen.body[1:]
    spot = dice.choice(body)
    if where in ("line", "inside"):
        at, space = spot.lineno - 1, indent(lines[spot.lineno - 1])
    elif where == "near":
        at, space = chosen.lineno - 1 - len(chosen.decorator_list), indent(lines[chosen.lineno - 1])
    else:
        at, space = _far(text, chosen, lines), ""
    if at is None or lines[at - 1].endswith("\\"):
        return None
    # Lines of a value in a text of several lines are not indented.
    lines[at:at] = [space + planted[0], *planted[1:]]
    text = "\n".join(lines)
    if not _parses(text):
        return None
    tree = ast.parse(text)
    now = next((one for one in ast.walk(tree) if isinstance(one, ast.FunctionDef)
                and one.name == chosen.name and _last(one) - one.lineno
                == _last(chosen) - chosen.lineno + len(planted) * (where in ("line", "inside"))),
               None)  # fmt: skip
    if now is None:
        return None
    first, last = now.lineno, _last(now)
    on = (at, at + len(planted)) if where == "line" else None
    said = _said(dice, do, lines[first - 1 : last], now, on, value)
    if said is None or value in json.dumps(said):
        return None
    case = Case(name, where, kind, text, first, last, said, style)
    return case if case.wanted != text and _parses(case.wanted) else None


def _parses(text: str) -> bool:
    try:
        ast.parse(text)
    except SyntaxError:
        return False
    return True


def _planted(dice: random.Random, kind: str, value: str) -> str:
    name = dice.choice(NAMES)
    if kind == "pem":
        return f'{name} = """{value}"""'
    way = dice.choice(WAYS[:2] if kind in ("password", "hex-key", "aws-secret") else WAYS)
    if kind in ("password", "hex-key", "aws-secret"):
        name = {"password": "db_password", "hex-key": "api_key"}.get(kind, "aws_secret_access_key")
    return way.replace("{name}", name).replace("{NAME}", name.upper()).replace("{}", value)


def _far(text: str, chosen: ast.FunctionDef, lines: list[str]) -> int | None:
    """Between two statements of the module, at least twenty lines away."""
    tops = [one.lineno - 1 for one in ast.parse(text).body[1:]
            if not getattr(one, "decorator_list", None)]  # fmt: skip
    away = [at for at in tops if at < chosen.lineno - 20 or at > _last(chosen) + 20]
    return away[len(away) // 2] if away else None


def _last(one: ast.stmt) -> int:
    return one.end_lineno or one.lineno


def _said(
    dice: random.Random, do: str, inside: list[str], now: ast.FunctionDef,
    on: tuple[int, int] | None, value: str,
) -> dict[str, Any] | None:  # fmt: skip
    """A change of this kind, on the lines `on` of the file where they are given."""
    base = now.lineno - 1
    spans = [(one.lineno - 1 - base, _last(one) - base) for one in now.body[1:]
             if not inside[one.lineno - 1 - base].lstrip().startswith("@")]  # fmt: skip
    spans = [(a, b) for a, b in spans if indent(inside[a]) == indent(inside[spans[0][0]])]
    here = (on[0] - base, on[1] - base) if on else dice.choice(spans)
    start, end = here
    piece = "\n".join(inside[start:end])
    match do:
        case "rename":
            names = {n.id for n in ast.walk(now) if isinstance(n, ast.Name)} | {now.name}
            names = {n for n in names if len(n) > 1 and not re.search(rf"\b{n}\b", value)}
            mine = sorted(n for n in names if re.search(rf"\b{n}\b", piece)) or sorted(names)
            return {"do": do, "name": dice.choice(mine), "to": "renamed_here"} if mine else None
        case "insert":
            return {"do": do, "line": start, "text": 'log.debug("step %d", 1)'}
        case "docstring":
            return {"do": do, "line": now.body[0].lineno - 1 - base, "text": "Say what it does."}
        case "delete":
            return {"do": do, "line": start, "end": end} if len(spans) > 1 else None
        case "move":
            others = [b for a, b in spans if not start <= a < end and b != start]
            to = dice.choice(others) if others else None
            return to and {"do": do, "line": start, "end": end, "to": to}  # type: ignore[return-value]
        case "wrap":
            whole = '"""' not in piece and "'''" not in piece
            return {"do": do, "line": start, "end": end, "test": "enabled"} if whole else None
        case "replace":
            words = [w for w in re.findall(r"[A-Za-z_]{3,}", inside[start]) if w not in value]
            return {"do": do, "line": start, "old": words[0], "new": "other"} if words else None
        case "extract":
            found = STRING.search(piece)
            if found is None or piece.lstrip().startswith("#") or piece[found.start() - 1] == "f":
                return None
            return {"do": do, "line": start, "end": end, "to": "EXTRACTED"}
        case _:
            plain = isinstance(next((s for s in now.body if s.lineno - 1 - base == start), None),
                               ast.Assign) and " = " in inside[start]  # fmt: skip
            return {"do": do, "line": start, "end": end} if plain else None
