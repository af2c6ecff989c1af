"""Import statements put into a text: joined to one that is there, or sorted into the block.

The style is that of the file: quotes, semicolons, order, and blank lines between groups.
"""

import re
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from tree_sitter import Node

from .grammars import grammar_of, in_steps, text_of
from .retrieval.unimported import Way

# Where a file does not show how long its lines may be; most formatters' limit.
LONGEST = 88

Key = tuple[int, bool, int, str]


@dataclass(frozen=True, slots=True)
class Statement:
    """An import at the top level: its first and last line, from 0, and where it is sorted.

    `names` says where the names that it takes out of its module stand: where the first
    begins, and each as written; None where none can be added.
    """

    start: int
    end: int
    module: str
    rank: int
    plain: bool
    names: tuple[int, int, tuple[str, ...]] | None


def added(language: str, text: str, way: Way, local: Callable[[str], bool]) -> str:
    """The text with one more import.

    `local` says whether a module, as an import writes it, is of the same repository.
    """
    newline = "\r\n" if "\r\n" in text else "\n"
    plain = text.replace("\r\n", "\n")
    script = language != "python"
    root, found = _statements(language, plain, local)
    made = _joined(language, plain, found, way)
    if made is None:
        line = _script_line(plain, found, way) if script else _python_line(way)
        made = _inserted(plain, root, found, line, _new(way, local, script))
    return made.replace("\n", newline)


def statement(language: str, text: str, way: Way) -> str:
    """The import as a line of its own, in the style of the text."""
    if language == "python":
        return _python_line(way)
    _root, found = _statements(language, text, lambda _module: False)
    return _script_line(text, found, way)


def _statements(
    language: str, text: str, local: Callable[[str], bool]
) -> tuple[Node, list[Statement]]:
    source = text.encode()
    root = in_steps(grammar_of(language).parser, source).root_node
    read = _python if language == "python" else _script
    return root, [one for node in root.children if (one := read(source, node, local))]


def _python_line(way: Way) -> str:
    if not way.name:
        return f"import {_renamed(way.module, way.alias)}"
    return f"from {way.module} import {_renamed(way.name, way.alias)}"


def _script_line(text: str, found: Sequence[Statement], way: Way) -> str:
    lines = text.split("\n")
    said = "\n".join(lines[one.end] for one in found) or text
    quote = '"' if (said.count('"') >= said.count("'") and '"' in said) or "'" not in said else "'"
    end = ";" if not found or any(lines[one.end].rstrip().endswith(";") for one in found) else ""
    typed = "type " if way.typed and re.search(r"^import type\b", text, re.MULTILINE) else ""
    if way.name == "default":
        what = way.alias
    elif not way.name:
        what = f"* as {way.alias}"
    else:
        what = f"{{ {_renamed(way.name, way.alias)} }}"
    if not found and re.search(r"\brequire\(", text) and way.name:
        what = what.replace(" as ", ": ")
        return f"const {what} = require({quote}{way.module}{quote}){end}"
    return f"import {typed}{what} from {quote}{way.module}{quote}{end}"


def _renamed(name: str, alias: str) -> str:
    return name if alias == name else f"{name} as {alias}"


# Statements as they are


def _python(source: bytes, node: Node, local: Callable[[str], bool]) -> Statement | None:
    start, end = node.start_point[0], node.end_point[0]
    if node.type == "future_import_statement":
        return Statement(start, end, "__future__", 0, False, None)
    if node.type == "import_statement":
        module = text_of(source, node.named_children[0]).split(" as ")[0]
        return Statement(start, end, module, _python_rank(module, local), True, None)
    if node.type != "import_from_statement":
        return None
    named = node.child_by_field_name("module_name")
    module = text_of(source, named) if named else ""
    names = node.children_by_field_name("name")
    texts = tuple(text_of(source, name) for name in names)
    inside = (names[0].start_byte, names[-1].end_byte, texts) if names else None
    return Statement(start, end, module, _python_rank(module, local), False, inside)


def _python_rank(module: str, local: Callable[[str], bool]) -> int:
    """The groups of isort: the future, the standard library, others, this project, relative."""
    if module.startswith("."):
        return 4
    if module.split(".", maxsplit=1)[0] in sys.stdlib_module_names:
        return 1
    return 3 if local(module) else 2


def _script(source: bytes, node: Node, local: Callable[[str], bool]) -> Statement | None:
    quoted = node.child_by_field_name("source") if node.type == "import_statement" else None
    if quoted is None:
        return None
    module = text_of(source, quoted)[1:-1]
    waiting, names = list(node.children), None
    while waiting:
        one = waiting.pop()
        if one.type == "named_imports" and one.named_children and not _types_only(node):
            inside = [child for child in one.named_children if child.type == "import_specifier"]
            if inside:
                texts = tuple(text_of(source, child) for child in inside)
                names = inside[0].start_byte, inside[-1].end_byte, texts
        elif one.type == "import_clause":
            waiting += one.children
    rank = _script_rank(module, local)
    return Statement(node.start_point[0], node.end_point[0], module, rank, False, names)


def _types_only(node: Node) -> bool:
    return any(child.type == "type" for child in node.children)


def _script_rank(module: str, local: Callable[[str], bool]) -> int:
    if module.startswith("."):
        return 4
    return 1 if module.startswith("node:") else 3 if local(module) else 2


def _new(way: Way, local: Callable[[str], bool], script: bool) -> Statement:
    rank = (_script_rank if script else _python_rank)(way.module, local)
    return Statement(0, 0, way.module, rank, not script and not way.name, None)


# Joined to a statement


def _joined(language: str, text: str, found: Sequence[Statement], way: Way) -> str | None:
    """With the name added to an import of the same module; None where there is none."""
    if way.name in ("", "default"):
        return None
    one = next((one for one in found if one.module == way.module and one.names), None)
    if one is None or one.names is None:
        return None
    start, end, names = one.names
    source = text.encode()
    inside = source[start:end].decode()
    new = _renamed(way.name, way.alias)
    at = _place([_name_key(name) for name in names], _name_key(new))
    if "\n" in inside:
        return _on_lines(source, start, names, at, new)
    if "/*" in inside:
        return None
    every = [*names[:at], new, *names[at:]]
    lines = text.split("\n")
    line = source[:start].decode().rpartition("\n")[2] + ", ".join(every)
    longest = max(LONGEST, *(len(lines[n]) for s in found for n in range(s.start, s.end + 1)))
    if len(line) <= longest:
        return (source[:start] + ", ".join(every).encode() + source[end:]).decode()
    head = f"from {way.module} import "
    if language != "python" or lines[one.start] != head + inside:
        return None
    lines[one.start : one.end + 1] = [f"{head}(", *(f"    {name}," for name in every), ")"]
    return "\n".join(lines)


def _on_lines(source: bytes, start: int, names: Sequence[str], at: int, new: str) -> str:
    """With the name before the one numbered `at`, on a line of its own where those are."""
    position = start
    for name in names[:at]:
        position = source.index(name.encode(), position) + len(name.encode())
    if at < len(names):
        position = source.index(names[at].encode(), position)
    head, tail = source[:position].decode(), source[position:].decode()
    indent = re.match(r"\s*", source[:start].decode().rpartition("\n")[2])
    pad = indent[0] if indent else ""
    if at < len(names):
        alone = not head.rpartition("\n")[2].strip()
        return f"{head}{new},\n{pad}{tail}" if alone else f"{head}{new}, {tail}"
    comma, rest = re.match(r"(\s*,)?", tail), tail
    ended = comma[0] if comma and comma[1] else ""
    rest = tail.removeprefix(ended)
    return f"{head},\n{pad}{new}{',' if ended else ''}{rest}"


def _name_key(name: str) -> str:
    return name.split(" as ", maxsplit=1)[0].rsplit(maxsplit=1)[-1]


def _place(names: Sequence[str], new: str) -> int:
    """Where `new` goes among names in the order they have: at the end where they have none."""
    for key in (_by_kind, _any_case, _exact):
        keys = [key(name) for name in names]
        if all(a <= b for a, b in pairwise(keys)):
            return sum(one < key(new) for one in keys)
    return len(names)


def _by_kind(name: str) -> tuple[int, str]:
    """CONSTANTS, then Classes, then the rest, as isort has them."""
    constant = name.isupper() and len(name) > 1
    return (0 if constant else 1 if name[:1].isupper() else 2), name.casefold()


def _any_case(name: str) -> tuple[int, str]:
    return 0, name.casefold()


def _exact(name: str) -> tuple[int, str]:
    return 0, name


# A statement of its own


def _inserted(text: str, root: Node, found: Sequence[Statement], line: str, new: Statement) -> str:
    lines = text.split("\n")
    if not found:
        at = _top(root, lines)
        definition = at < len(lines) and re.match(r"@|class |def |async def ", lines[at])
        lines[at:at] = [line, *([""] * (2 if definition else 1))]
        if at and lines[at - 1].strip():
            lines.insert(at, "")
        return "\n".join(lines)
    groups: list[list[Statement]] = []
    for one in found:
        if groups and one.start <= groups[-1][-1].end + 1:
            groups[-1].append(one)
        else:
            groups.append([one])
    # Of imports below other code, none is a place for one more.
    head = [group for group in groups if _together(lines, groups[0][-1].end, group[0].start)]
    own = [group for group in head if any(one.rank == new.rank for one in group)]
    if not own:
        # A group that knows no kinds holds all of them; of one kind each, a new kind gets its own.
        own = [group for group in head if len({one.rank for one in group} - {0}) > 1]
    before = [group for group in head if max(one.rank for one in group) < new.rank]
    if own:
        lines.insert(_line_in(own[-1], new), line)
    elif before:
        at = before[-1][-1].end + 1
        lines[at:at] = ["", line]
    else:
        at = head[0][0].start
        lines[at:at] = [line, ""]
    return "\n".join(lines)


def _together(lines: Sequence[str], end: int, start: int) -> bool:
    """Whether nothing but blank lines, comments and imports is between two lines."""
    between = [line for line in lines[end + 1 : start] if line.strip()]
    return all(re.match(r"\s|#|//|import |from |[)}]", line) for line in between)


def _line_in(group: Sequence[Statement], new: Statement) -> int:
    """The line before which `new` goes, by the order that the group has."""
    for key in (_plain_first, _near_first, _by_module):
        keys = [key(one) for one in group]
        if all(a <= b for a, b in pairwise(keys)):
            later = next((one for one in group if key(one) > key(new)), None)
            return later.start if later else group[-1].end + 1
    alike = [one for one in group if one.rank == new.rank] or group
    return alike[-1].end + 1


def _plain_first(one: Statement) -> Key:
    """As isort has it: `import a` before `from a import b`, far relative names first."""
    dots = len(one.module) - len(one.module.lstrip("."))
    return one.rank, not one.plain, -dots, one.module.casefold()


def _near_first(one: Statement) -> Key:
    dots = len(one.module) - len(one.module.lstrip("."))
    return one.rank, not one.plain, dots, one.module.casefold()


def _by_module(one: Statement) -> Key:
    return one.rank, False, 0, one.module.casefold()


def _top(root: Node, lines: Sequence[str]) -> int:
    """The first line behind a shebang, comments of the file and what documents it."""
    end = -1
    for node in root.children:
        first = node.named_children[0] if node.named_children else None
        said = node.type == "expression_statement" and first and first.type == "string"
        if node.type not in ("comment", "hash_bang_line") and not said:
            break
        # A comment right above code belongs to that.
        end = node.end_point[0]
    if end >= 0 and end + 1 < len(lines) and lines[end + 1].strip():
        above = next((n for n in range(end, -1, -1) if not lines[n].strip()), -1)
        end = above if lines[end].lstrip().startswith(("#", "//")) and above >= 0 else end
        if lines[0].startswith("#!") and end < 0:
            end = 0
    at = end + 1
    while at < len(lines) and not lines[at].strip():
        at += 1
    return min(at, len(lines))
