"""From the bytes of one file to its facts."""

import re
from collections import Counter
from collections.abc import Callable
from functools import partial
from operator import itemgetter

from tree_sitter import Node, Parser, QueryCursor, Tree

from .facts import Definition, Facts, Import, Reference, made
from .grammars import Grammar, grammar_of, in_steps, text_of
from .languages import LANGUAGES, Language
from .manifests import READERS
from .mend import broken, mend, without

# Bytes of a signature; longer ones are cut.  A prompt has room for a few dozen of this size.
SIGNATURE = 300
DOC = 120
LONGEST_DOC = 4096  # Of a string that is closed at all.
NEAR = 2000  # Bytes above a definition in which the comment on it begins.
# Levels of a tree at which a definition is found.  A method in a class in a namespace is at
# the seventh; below the ninth there are functions in branches of functions.
DEEPEST = 9

CLASSES = frozenset(("class", "interface", "struct", "trait", "enum", "type"))
VALUES = frozenset(("field", "variable"))

# All bytes that no name has, as spaces.  Beyond ASCII all are letters.
_WORDS = bytes(b if b > 127 or chr(b).isalnum() or b in b"_$" else 32 for b in range(256))
_INTERPOLATED = re.compile(rb"\{([A-Za-z_]\w*)")
_QUOTE = re.compile(rb"""[rRuU]?("{3}|'{3}|"|')""")
# Only what stands at the start of a value: it may be a table of many kilobytes.
_CALLED = re.compile(
    rb"(?:new\s+|await\s+)*([A-Za-z_$][\w.$\x80-\xff]*)\s*(?:<[\w\s,.\x80-\xff]*>)?\("
)
_ANNOTATED = re.compile(rb"[?!]?[ \t]*:\s*([^=;{]+)")
_RETURNS = re.compile(r"\)\s*(?:->|:)\s*(\S.*?)\s*(?::|=>)?$")
_WORD = re.compile(r"[^\W\d][\w$]*")
_DECLARED = re.compile(r"([~\w:]*(?:operator\W+)?)\s*(?:[(\[=]|$)")
_INHERITS = re.compile(r"\b(?:extends|implements)\b|[{:+]")
_ARGUMENTS = re.compile(r"\[[^\[\]]*(?:\[[^\[\]]*\][^\[\]]*)*\]|<[^<>]*(?:<[^<>]*>[^<>]*)*>")

Parts = dict[str, list[Node]]
Found = tuple[int, int, bool, str, Node, Parts]


def parse(
    language: str,
    source: bytes,
    typed: int | None = None,
    tree_of: Callable[[Parser, bytes], Tree] = in_steps,
) -> Facts:
    """What `source` says, as far as it is understood; it may be broken anywhere.

    `language` is the name of a row of `languages.LANGUAGES`; another one gives no rows.
    `typed` is the line that is being typed, where that is known: it is the first suspect.
    `tree_of` is `grammars.at_once` where no other thread waits for its turn.
    """
    row = LANGUAGES.get(language)
    if row is None:
        return Facts(language, source.count(b"\n") + 1, 0.0)
    lines = source.count(b"\n") + 1
    packages, aliases = READERS[language](source) if language in READERS else ((), ())
    if not row.grammar[0]:
        return Facts(language, lines, 1.0, packages, aliases)
    grammar = grammar_of(language)
    if typed is not None and not source.split(b"\n")[typed].strip():
        # A grammar ends a body at its last line that is not blank.
        source = without(source, (typed,), row.filler)
    references = () if row.outline else _references(row, grammar.keywords, source)
    root = tree_of(grammar.parser, source).root_node
    understood = 1 - broken(root) / len(source) if root.has_error else 1.0
    if row.outline:
        rows, _imports = _rows(row, grammar, root, source)
        # Last, as parents are named by their numbers.
        return Facts(language, lines, understood, (*rows, *packages), aliases)
    if not root.has_error:
        return Facts(language, lines, 1.0, *_rows(row, grammar, root, source), references)
    mended, text = mend(partial(tree_of, grammar.parser), root, source, row, typed)
    definitions, imports = _rows(row, grammar, mended, text)
    # What was mended may end behind the source.
    inside = tuple(
        one._replace(end=min(one.end, len(source)), last=min(one.last, lines - 1))
        for one in definitions
    )
    return Facts(language, lines, understood, inside, imports, references)


def _rows(
    row: Language, grammar: Grammar, root: Node, source: bytes
) -> tuple[tuple[Definition, ...], tuple[Import, ...]]:
    cursor = QueryCursor(grammar.query)
    cursor.set_max_start_depth(DEEPEST)
    definitions: list[Found] = []
    imports: list[Import] = []
    wholes: dict[int, int] = {}
    for pattern, parts in cursor.matches(root):
        kind = grammar.finds[pattern]
        node = parts[kind][0]
        if kind == "import":
            imports.append(_import(row, node, parts, source))
        elif kind == "whole":
            target = parts["target"][0].start_byte
            wholes[target] = min(node.start_byte, wholes.get(target, target))
        else:
            value = kind in VALUES  # Of a value that is a function, the function comes first.
            definitions.append((node.start_byte, -node.end_byte, value, kind, node, parts))
    return _definitions(row, definitions, wholes, source), tuple(imports)


def _references(row: Language, keywords: frozenset[bytes], source: bytes) -> tuple[Reference, ...]:
    counts = Counter(row.prose.sub(b" ", source).translate(_WORDS).split())
    # Strings may hold expressions: f"{name}".
    for name in _INTERPOLATED.findall(source):
        counts.setdefault(name, 1)
    for keyword in keywords & counts.keys():
        del counts[keyword]
    kept = [name for name in counts if not b"0" <= name < b":"]
    names = b"\0".join(kept).decode("utf-8", "replace").split("\0") if kept else []
    return made(Reference, zip(names, map(counts.__getitem__, kept), strict=True))


def _import(row: Language, node: Node, parts: Parts, source: bytes) -> Import:
    module = text_of(source, parts["module"][0]).strip("\"'`<>") if "module" in parts else ""
    name = text_of(source, parts["name"][0]) if "name" in parts else ""
    alias = text_of(source, parts["alias"][0]) if "alias" in parts else ""
    if "default" in parts:
        name, alias = name or "default", alias or "default"
    elif "all" in parts:
        name = "*"
    elif name == "self":  # Rust's word for the module itself.
        name = ""
    if name != "*":
        alias = alias or name or (module.split(row.separator)[-1] if row.separator else module)
    return Import(module, name, alias, node.start_point[0], "export" in parts)


def _definitions(
    row: Language,
    found: list[Found],
    wholes: dict[int, int],
    source: bytes,
) -> tuple[Definition, ...]:
    found.sort(key=itemgetter(0, 1, 2))
    rows: list[Definition] = []
    around: list[tuple[int, int]] = []  # End and index of the definitions that are open.
    known: dict[tuple[int, str], int] = {}  # Values by parent and name.
    for start, end, value, kind, node, parts in found:
        end = -end
        while around and around[-1][0] <= start:
            around.pop()
        parent = around[-1][1] if around else -1
        outside = (
            _ARGUMENTS.sub("", text_of(source, parts["receiver"][0])) if "receiver" in parts else ""
        )
        if kind == "implementation":
            # None for a slice or a tuple.
            words = _WORD.findall(outside)
            owner = known.get((parent, words[-1])) if words else None
            if owner is not None:
                around.append((end, owner))
                if "bases" in parts:
                    bases = filter(None, (rows[owner].bases, _bases(parts, source)))
                    rows[owner] = rows[owner]._replace(bases=", ".join(bases))
            continue
        named = parts["name" if "name" in parts else "declared"][0]
        name = text_of(source, named).strip("\"'` \n")
        if "declared" in parts:
            if "(" in name and kind in VALUES:
                kind = "function"
            outside, _, name = _declared(name)
        if outside and (words := _WORD.findall(outside)):
            owner = known.get((parent, words[-1]))
            parent, kind = (parent if owner is None else owner), "method"
        if not name:
            continue
        if kind in VALUES:
            while parent >= 0 and rows[parent].kind not in CLASSES:
                parent = rows[parent].parent
            if parent < 0 and kind == "field":
                continue  # Of a class that is not in this file.
            earlier = known.get((parent, name))
            if earlier is not None and (rows[earlier].type or rows[earlier].kind not in VALUES):
                continue  # Assigned again; two of three assignments are.
        elif kind == "function" and parent >= 0 and rows[parent].kind in CLASSES:
            kind = "method"
        whole = wholes.get(start, start)
        body = parts["body"][0].start_byte if "body" in parts else end
        if row.outline and (line := source.find(b"\n", named.end_byte)) >= 0:
            body = min(body, line)
        signature = _signature(source, whole, start, body)
        definition = Definition(
            name,
            kind,
            parent,
            signature,
            _doc(row, source, whole, body) if row.comment or not value else "",
            _type(
                kind,
                signature,
                source,
                named.end_byte,
                min(end, named.end_byte + SIGNATURE),
                parts,
            ),
            _bases(parts, source) if "bases" in parts else "",
            whole,
            end,
            named.start_point[0],
            node.end_point[0],
            row.exported(name, signature, parent >= 0),
        )
        if kind in VALUES:
            earlier = known.setdefault((parent, name), len(rows))
            if earlier < len(rows):
                if definition.type and not rows[earlier].type and rows[earlier].kind in VALUES:
                    rows[earlier] = definition
                continue
        else:
            known[parent, name] = len(rows)
            around.append((end, len(rows)))
        rows.append(definition)
    return tuple(rows)


def _declared(text: str) -> tuple[str, str, str]:
    """The class and the name in a declarator: "*Store::find(int n) const", "rows[3]"."""
    found = _DECLARED.search(text)
    return found[1].rpartition("::") if found else ("", "", "")


def _signature(source: bytes, whole: int, start: int, body: int) -> str:
    """The text up to the body; decorators keep lines of their own."""
    header = _line(source[start : min(body, start + SIGNATURE)])
    if whole == start:
        return header
    before = _line(source[whole : min(start, whole + SIGNATURE)])
    return f"{before}\n{header}" if before.startswith("@") else f"{before} {header}"


def _line(text: bytes) -> str:
    line = text.decode("utf-8", "replace")
    if "\n" in line:
        line = " ".join(line.split())
        line = line.replace("( ", "(").replace(", )", ")").replace(" )", ")")
    return line.strip().rstrip("{;").rstrip()


def _doc(row: Language, source: bytes, start: int, body: int) -> str:
    """The first line of what documents a definition."""
    text = b""
    if row.comment:
        text = _above(source, start, row.comment)
    elif opened := _QUOTE.match(source, body):
        said, quote = opened.span()[1], opened[1]
        text = source[said : max(said, source.find(quote, said, body + LONGEST_DOC))]
    return text.strip().split(b"\n", 1)[0][:DOC].decode("utf-8", "replace").strip()


def _above(source: bytes, start: int, comment: bytes) -> bytes:
    """The comment that ends on the line before."""
    above = source[max(0, start - NEAR) : start].rstrip(b" \t")
    if not above.endswith(b"\n"):
        return b""
    above = above[:-1].rstrip(b" \t\r")
    if above.endswith(b"*/"):
        return above[above.rfind(b"/*") : -2].lstrip(b"/*! \t\r\n")
    said, end = b"", len(above)
    while end >= 0:
        start = above.rfind(b"\n", 0, end) + 1
        line = above[start:end].strip()
        if not line.startswith(comment):
            break
        said = line.lstrip(b"/!#- ")
        end = start - 1
    return said


def _type(kind: str, signature: str, source: bytes, after: int, end: int, parts: Parts) -> str:
    """What the value is, or what a call gives, as far as it is said behind its name."""
    if "typed" in parts:
        return text_of(source, parts["typed"][0])
    if kind in VALUES:
        if said := _ANNOTATED.match(source, after, end):
            return _line(said[1])
        if "value" not in parts:
            return ""
        value = parts["value"][0]
        called = _CALLED.match(source, value.start_byte, value.end_byte)
        return f"{called[1].decode('utf-8', 'replace')}()" if called else ""
    said = _RETURNS.search(signature) if kind in ("function", "method") else None
    return said[1].strip() if said else ""


def _bases(parts: Parts, source: bytes) -> str:
    """The names in "(A, B[T], metaclass=C)" or "extends A<T> implements B"."""
    text = ",".join(text_of(source, node).strip("()") for node in parts["bases"])
    plain = _INHERITS.sub(",", _ARGUMENTS.sub("", text))
    names = [part.split() for part in plain.split(",") if "=" not in part]
    return ", ".join(words[-1] for words in names if words)
