"""The tools that a model may ask for while it answers, run over the index and the folder.

They only read, and only what `repositories` lets through: files of the index that the path
policy does not exclude, never behind a symbolic link.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from ..indexing.research import bodies, references, search
from ..indexing.research.named import Found
from ..indexing.research.repository import Passage, Repository
from .languages import language_of

# Lines of one reading, and hits of one search.
MOST_LINES, MOST_HITS = 400, 60
# Definitions of one name that are shown.
MOST_DEFINITIONS = 8

Answer = Mapping[str, Any]


def run(name: str, arguments: Mapping[str, Any], repository: Repository) -> Answer:
    """What the gate is handed: `documents`, each with its path and lines, and `text`."""
    tool = TOOLS.get(name)
    if tool is None:
        return {"text": f"there is no tool {name[:40]}"}
    return tool(arguments, repository)


def document(path: str, text: str, first: int, last: int) -> dict[str, Any]:
    language = language_of(path.rpartition("/")[2])
    return {"path": path, "language": language, "text": text, "range": [first, max(first, last)]}


def of_passages(passages: Iterable[Passage]) -> list[dict[str, Any]]:
    return [document(one.path, one.text, *one.lines) for one in passages]


def _read(arguments: Mapping[str, Any], repository: Repository) -> Answer:
    path = _text(arguments, "path")
    if (text := repository.text(path)) is None:
        return _nothing(f"{path} is not a file that may be read here")
    lines = text.split("\n")
    first = min(max(_number(arguments, "first", 1), 1), len(lines))
    last = min(_number(arguments, "last", first + MOST_LINES - 1), first + MOST_LINES - 1)
    kept = lines[first - 1 : last]
    more = len(lines) - first - len(kept) + 1
    after = f"{more} more lines follow" if more > 0 else ""
    found = document(path, "\n".join(kept), first, first + len(kept) - 1)
    return {"documents": [found], "text": after}


def _outline(arguments: Mapping[str, Any], repository: Repository) -> Answer:
    path = _text(arguments, "path")
    # The policy is asked by reading: what may not be read is not outlined.
    facts = repository.facts(path) if repository.text(path) is not None else None
    if facts is None or not facts.definitions:
        return _nothing(f"nothing is known to be defined in {path}")
    rows = [f"{one.line + 1}: {one.signature}" for one in facts.definitions[:MOST_LINES]]
    lines = [one.line + 1 for one in facts.definitions[:MOST_LINES]]
    return {"documents": [document(path, "\n".join(rows), min(lines), max(lines))]}


def _symbols(arguments: Mapping[str, Any], repository: Repository) -> Answer:
    name = _text(arguments, "name")
    found: list[dict[str, Any]] = []
    for path in repository.index.definers(name):
        facts = repository.facts(path)
        for number, one in enumerate(facts.definitions if facts else ()):
            if one.name == name and len(found) < MOST_DEFINITIONS:
                passage = bodies.body(repository, Found(path, number, one, 1.0, "asked for"))
                found += of_passages([passage] if passage else [])
    return {"documents": found} if found else _nothing(f"{name} is defined nowhere here")


def _references(arguments: Mapping[str, Any], repository: Repository) -> Answer:
    name = _text(arguments, "name")
    rows = references.references(repository, name, most=MOST_HITS)
    by_file: dict[str, list[tuple[int, str]]] = {}
    for row in rows:
        by_file.setdefault(row.path, []).append((row.line, row.text))
    return _by_file(by_file) or _nothing(f"{name} is used nowhere here")


def _search(arguments: Mapping[str, Any], repository: Repository) -> Answer:
    text = _text(arguments, "text")
    hits = search.search([repository], text, most=MOST_HITS)
    by_file: dict[str, list[tuple[int, str]]] = {}
    for one in hits.passages:
        by_file.setdefault(one.path, []).append((one.lines[0], one.text))
    return _by_file(by_file) or _nothing("no line holds that text")


TOOLS: Mapping[str, Callable[[Mapping[str, Any], Repository], Answer]] = {
    "read": _read,
    "outline": _outline,
    "symbols": _symbols,
    "references": _references,
    "search": _search,
}


def _by_file(rows: Mapping[str, list[tuple[int, str]]]) -> Answer:
    if not rows:
        return {}
    return {
        "documents": [
            document(
                path,
                "\n".join(f"{line}: {text}" for line, text in sorted(found)),
                min(found)[0],
                max(found)[0],
            )
            for path, found in rows.items()
        ]
    }


def _nothing(why: str) -> Answer:
    return {"text": why[:400]}


def _text(arguments: Mapping[str, Any], name: str) -> str:
    value = arguments.get(name)
    return value if isinstance(value, str) else ""


def _number(arguments: Mapping[str, Any], name: str, default: int) -> int:
    value = arguments.get(name)
    return value if type(value) is int else default
