"""Trees of half-typed source: the lines that break it are taken out, and nothing moves.

One open bracket can make a grammar give up on a whole file.  Where that happens the lines
at which errors start or end are replaced by an empty statement of the same length, and
what stands open is closed behind the end, as long as that helps.
"""

from collections.abc import Callable, Iterable, Iterator

from tree_sitter import Node, Tree

from .languages import Language

# Rounds of mending, and bytes of the largest file for which it is tried: of one that is being
# typed, and of another, which costs as much for each of thousands.
ROUNDS = 4
LARGEST, LARGEST_UNTYPED = 1 << 18, 1 << 16
# Of a file that nobody is typing, the share that must be broken.  In four repositories (Python,
# TypeScript, Go, Rust) mending those with more found definitions, those with less lost some:
# what the grammar does not know yet breaks little, and the lines taken out hold more.
BROKEN = 0.1


def mend(
    tree_of: Callable[[bytes], Tree], root: Node, source: bytes, row: Language, typed: int | None
) -> tuple[Node, bytes]:
    """The best tree that is found for about the same source, and that source."""
    if typed is not None:
        text = without(source, (typed,), row.filler)
        other = tree_of(text).root_node
        if broken(other) < broken(root) or not other.has_error:
            root, source = other, text
    lost = broken(root)
    if typed is None:
        worthwhile = lost > BROKEN * len(source) and len(source) <= LARGEST_UNTYPED
    else:
        worthwhile = lost > 0 and len(source) <= LARGEST
    for _ in range(ROUNDS if worthwhile else 0):
        better = None
        # Some attempts come to the same text, or to the one that is there.
        for text in dict.fromkeys(_attempts(root, source, row)):
            if text == source:
                continue
            other = tree_of(text).root_node
            if (left := broken(other)) < lost:
                lost, better = left, (other, text)
        if better is None:
            break
        root, source = better
    return root, source


def _attempts(root: Node, source: bytes, row: Language) -> Iterator[bytes]:
    errors = _errors(root)
    starts = {error.start_point[0] for error in errors}
    ends = {(error.children or [error])[-1].start_point[0] for error in errors}
    stops = {error.end_point[0] for error in errors}
    for rows in (set[int](), ends, starts, _and_before(ends), _and_before(ends | stops)):
        text = without(source, rows, row.filler)
        if row.braces:
            code = row.prose.sub(b" ", text)
            text += b"\n" + b"}" * (code.count(b"{") - code.count(b"}"))
        yield text


def broken(root: Node) -> int:
    """Bytes that the grammar made no sense of."""
    return sum(error.end_byte - error.start_byte for error in _errors(root))


def without(source: bytes, rows: Iterable[int], filler: bytes) -> bytes:
    """The source with `filler`, one byte, in place of what stands on these lines."""
    lines = source.split(b"\n")
    for row in rows:
        line = lines[row]
        if text := line.strip():
            start = line.find(text)
            lines[row] = line[:start] + filler + b" " * (len(text) - 1) + line[start + len(text) :]
        elif line.endswith(b" "):
            lines[row] = line[:-1] + filler
    return b"\n".join(lines)


def _and_before(rows: set[int]) -> set[int]:
    """A statement that ends in an error often began on the line before."""
    return rows | {max(row - 1, 0) for row in rows}


def _errors(root: Node) -> list[Node]:
    found: list[Node] = []
    waiting = [root] if root.has_error else []
    while waiting:
        node = waiting.pop()
        if node.is_error:
            found.append(node)
        else:
            waiting += [child for child in node.children if child.has_error]
    return found
