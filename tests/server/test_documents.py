"""The document store against a slow and obvious model of what an editor means."""

import re
from dataclasses import dataclass

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lsprotocol import types
from lsprotocol.types import PositionEncodingKind
from wicket.server.documents import Document, Documents, file_path

UTF8, UTF16, UTF32 = (
    PositionEncodingKind.Utf8,
    PositionEncodingKind.Utf16,
    PositionEncodingKind.Utf32,
)
ENCODINGS = (UTF8, UTF16, UTF32)


def document(text: str) -> Document:
    return Document("file:///t/a.py", "python", 1, text)


def at(line: int, character: int) -> types.Position:
    return types.Position(line, character)


def edit(
    start: types.Position, end: types.Position, text: str
) -> types.TextDocumentContentChangePartial:
    return types.TextDocumentContentChangePartial(types.Range(start, end), text)


def width(character: str, encoding: PositionEncodingKind) -> int:
    codec = {UTF8: "utf-8", UTF16: "utf-16-le", UTF32: "utf-32-le"}[encoding]
    per_unit = {UTF8: 1, UTF16: 2, UTF32: 4}[encoding]
    return len(character.encode(codec)) // per_unit


def reference_lines(text: str) -> list[str]:
    """The lines with their breaks; the last one has none and may be empty."""
    return re.split(r"(?<=\n)|(?<=\r)(?!\n)", text)


def reference_offset(text: str, line: int, character: int, encoding: PositionEncodingKind) -> int:
    """Walk the text character by character, as the specification tells it."""
    lines = reference_lines(text)
    if line >= len(lines):
        return len(text)
    offset, units = sum(len(before) for before in lines[:line]), 0
    for each in lines[line].rstrip("\r\n"):
        units += width(each, encoding)
        if units > character:
            break
        offset += 1
    return offset


# Breaks, what Python but no editor takes for a break, and characters of 1 to 4 bytes.
ALPHABET = [
    "a",
    " ",
    "\n",
    "\r",
    "\r\n",
    "\f",
    "\v",
    "\x1c",
    "\x85",
    "\u2028",
    "\u2029",
]
ALPHABET += ["é", "e\u0301", "√", "\N{GRINNING FACE}", "\U00020000", "\ufffd", "\0"]
texts = st.lists(st.sampled_from(ALPHABET), max_size=20).map("".join)
positions = st.builds(at, st.integers(0, 8), st.integers(0, 12))
edits = st.builds(edit, positions, positions, texts)


@given(texts, st.lists(edits, max_size=8), st.sampled_from(ENCODINGS))
@settings(max_examples=500)
def test_edits_do_what_they_do_in_the_reference(
    text: str,
    changes: list[types.TextDocumentContentChangePartial],
    encoding: PositionEncodingKind,
) -> None:
    """After any edits text and line starts are those of a model that rescans all."""
    here = document(text)
    for version, change in enumerate(changes, 2):
        bounds = [
            reference_offset(text, p.line, p.character, encoding)
            for p in (change.range.start, change.range.end)
        ]
        text = text[: bounds[0]] + change.text + text[max(bounds) :]
        here = here.changed([change], version, encoding)
        assert here.text == text
        assert here.version == version
        starts = [here.lines.start(line) for line in range(here.lines.count)]
        assert starts == [here.lines.start(here.lines.at(start)) for start in starts]
        lengths = [len(line) for line in reference_lines(text)]
        assert starts == [sum(lengths[:n]) for n in range(len(lengths))]
    assert document(text).changed([], 1, encoding).text == here.text


@given(texts, st.lists(edits, max_size=6), st.sampled_from(ENCODINGS))
@settings(max_examples=150)
def test_several_changes_at_once_are_the_same_one_by_one(
    text: str,
    changes: list[types.TextDocumentContentChangePartial],
    encoding: PositionEncodingKind,
) -> None:
    one_by_one = document(text)
    for change in changes:
        one_by_one = one_by_one.changed([change], 2, encoding)
    assert document(text).changed(changes, 2, encoding).text == one_by_one.text


@given(texts, st.lists(edits, max_size=3), st.sampled_from(ENCODINGS), st.data())
@settings(max_examples=300)
def test_offsets_and_positions_undo_each_other(
    text: str,
    changes: list[types.TextDocumentContentChangePartial],
    encoding: PositionEncodingKind,
    data: st.DataObject,
) -> None:
    """Only between CR and LF is there an offset without a position of its own."""
    here = document(text).changed(changes, 2, encoding)
    offset = data.draw(st.integers(0, len(here.text)))
    back = here.offset_at(here.position_at(offset, encoding), encoding)
    inside_break = here.text[offset - 1 : offset + 1] == "\r\n" and offset > 0
    assert back == (offset - 1 if inside_break else offset)


@dataclass(frozen=True)
class Case:
    """Typing X at (line, character); `want` in utf-8, utf-16 and utf-32."""

    name: str
    text: str
    line: int
    character: int
    want: tuple[str, str, str]


def same(name: str, text: str, line: int, character: int, want: str) -> Case:
    return Case(name, text, line, character, (want, want, want))


FACE = "\N{GRINNING FACE}"  # 4 bytes, 2 units of utf-16.
ACCENT = "e\u0301"  # 1 + 2 bytes, 2 code points that look like one.
CASES = [
    same("form feed is no break", "a\fb\nc", 1, 0, "a\fb\nXc"),
    same("vertical tab is no break", "a\vb\nc", 1, 0, "a\vb\nXc"),
    same("file separator is no break", "a\x1cb\nc", 1, 0, "a\x1cb\nXc"),
    same("next line is no break", "a\x85b\nc", 1, 0, "a\x85b\nXc"),
    same("line separator is no break", "a\u2028b\nc", 1, 0, "a\u2028b\nXc"),
    same("paragraph separator is no break", "a\u2029b\nc", 1, 0, "a\u2029b\nXc"),
    same("lone CR is a break", "a\rb\nc", 1, 0, "a\rXb\nc"),
    same("CRLF is one break", "a\r\nb", 1, 0, "a\r\nXb"),
    same("CR CR LF are two breaks", "a\r\r\nb", 2, 0, "a\r\r\nXb"),
    same("LF CR are two breaks", "a\n\rb", 2, 0, "a\n\rXb"),
    same("past the end of a line", "abc\nd", 0, 10, "abcX\nd"),
    same("past the end of a CRLF line", "abc\r\nd", 0, 4, "abcX\r\nd"),
    same("past the end of the last line", "abc", 0, 10, "abcX"),
    same("past the last line", "abc\nd", 7, 0, "abc\ndX"),
    same("on the empty line after the last break", "abc\n", 1, 5, "abc\nX"),
    same("in an empty document", "", 0, 0, "X"),
    same("past the end of an empty document", "", 3, 3, "X"),
    Case("before an astral", f"a{FACE}b", 0, 1, (f"aX{FACE}b",) * 3),
    Case(
        "in an astral",
        f"a{FACE}b",
        0,
        2,
        (f"aX{FACE}b", f"aX{FACE}b", f"a{FACE}Xb"),
    ),
    Case(
        "in an astral, at its last byte",
        f"a{FACE}b",
        0,
        4,
        (f"aX{FACE}b", f"a{FACE}bX", f"a{FACE}bX"),
    ),
    Case(
        "after an astral",
        f"a{FACE}b",
        0,
        5,
        (f"a{FACE}Xb", f"a{FACE}bX", f"a{FACE}bX"),
    ),
    Case("in two bytes", "éa", 0, 1, ("Xéa", "éXa", "éXa")),
    Case(
        "between a letter and its accent",
        f"{ACCENT}a",
        0,
        1,
        (f"eX{ACCENT[1]}a",) * 3,
    ),
    Case("in an accent", f"{ACCENT}a", 0, 2, ("eX\u0301a", "e\u0301Xa", "e\u0301Xa")),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_where_typing_lands(case: Case) -> None:
    for encoding, want in zip(ENCODINGS, case.want, strict=True):
        place = at(case.line, case.character)
        before = document(case.text)
        typed = before.changed([edit(place, place, "X")], 2, encoding)
        assert typed.text == want, encoding
        assert place == at(case.line, case.character), "the caller's value is its own"
        assert before.text == case.text


SPLIT_BREAKS = [
    # text, offset, text typed there, number of lines then
    ("a\r\nb", 2, "x", 3),
    ("a\rb", 2, "\n", 2),
    ("a\nb", 1, "\r", 2),
    ("a\r", 2, "\n", 2),
    ("\n", 0, "\r", 2),
    ("\r", 1, "\r\n", 3),
]


@pytest.mark.parametrize(("text", "offset", "typed", "count"), SPLIT_BREAKS)
def test_a_break_can_be_split_and_joined(text: str, offset: int, typed: str, count: int) -> None:
    """CR and LF that come together or part are counted anew, on either side."""
    after = text[:offset] + typed + text[offset:]
    moved = document(text).lines.after(after, offset, offset, len(typed))
    assert moved.count == count
    assert moved.count == document(after).lines.count


def test_a_deletion_joins_cr_and_lf() -> None:
    here = document("a\rxx\nb").changed([edit(at(1, 0), at(1, 2), "")], 2, UTF16)
    assert here.text == "a\r\nb"
    assert here.lines.count == 2


def test_an_edit_that_ends_before_it_starts_inserts() -> None:
    here = document("abc").changed([edit(at(0, 2), at(0, 1), "X")], 2, UTF16)
    assert here.text == "abXc"


def test_a_full_change_replaces_everything_and_edits_go_on_from_it() -> None:
    changes = [
        edit(at(0, 0), at(0, 0), "lost"),
        types.TextDocumentContentChangeWholeDocument("one\r\ntwo"),
        edit(at(1, 3), at(1, 3), "!"),
    ]
    assert document("x").changed(changes, 5, UTF8).text == "one\r\ntwo!"


def test_lone_surrogates_are_replaced_and_keep_their_width() -> None:
    """Half of a pair cannot be encoded; U+FFFD is as wide and can."""
    documents = Documents()
    item = types.TextDocumentItem("file:///a", "python", 1, "a\ud83db\n")
    documents.open(item)
    here = documents.get("file:///a")
    assert here is not None
    here = here.changed([edit(at(0, 2), at(0, 2), "\ude00")], 2, UTF16)
    assert here.text == "a\ufffd\ufffdb\n"
    assert here.text.encode()


def test_an_edit_looks_at_its_neighbourhood_only() -> None:
    """Typing twice in the middle of five megabytes computes no line start below."""
    line = "    value = compute(1) + 1\n"
    here = document(line * 200_000)
    assert here.lines.count == 200_001
    middle = at(100_000, 4)
    first = here.changed([edit(middle, middle, "x")], 2, UTF16)
    again = first.changed([edit(middle, middle, "y")], 3, UTF16)
    assert again.text[100_000 * len(line) :].startswith("    yxvalue")
    assert again.lines.start(100_001) == 100_001 * len(line) + 2
    # The very same objects, not equal ones.
    shared = zip(here.lines.starts[100_001:], again.lines.starts[100_001:], strict=True)
    assert all(old is new for old, new in shared)


def test_the_text_is_in_no_repr() -> None:
    assert "secret" not in repr(document("secret"))


def test_documents_follow_the_editor() -> None:
    """Opening, editing and closing; whoever keeps a moment keeps it."""
    documents = Documents()
    documents.encoding = UTF8
    uri = "file:///t/a.py"
    documents.open(types.TextDocumentItem(uri, "python", 1, "é\n"))
    moment = documents.open_now
    documents.change(
        types.DidChangeTextDocumentParams(
            types.VersionedTextDocumentIdentifier(version=2, uri=uri),
            [edit(at(0, 2), at(0, 2), "X")],
        )
    )
    newest = documents.get(uri)
    assert newest is not None
    assert (newest.text, newest.version, newest.language) == ("éX\n", 2, "python")
    assert moment[uri].text == "é\n"
    documents.close(uri)
    assert documents.get(uri) is None
    assert moment[uri].version == 1


def test_a_change_to_a_document_that_is_not_open_is_passed_over() -> None:
    documents = Documents()
    identifier = types.VersionedTextDocumentIdentifier(version=2, uri="file:///t/a.py")
    whole = types.TextDocumentContentChangeWholeDocument("x")
    documents.change(types.DidChangeTextDocumentParams(identifier, [whole]))
    documents.close("file:///t/a.py")
    assert documents.get("file:///t/a.py") is None


PATHS = [
    ("file:///home/repo/a/b.py", "a/b.py"),
    ("file:///home/repo/inner/b.py", "b.py"),
    ("file:///home/repo/inner", "inner"),
    ("file:///home/repo", "repo"),
    ("file:///home/repository/b.py", "b.py"),
    ("file:///elsewhere/secret/b.py", "b.py"),
    ("file:///home/repo/../other/b.py", "b.py"),
    ("file:///home/repo/./x/../b.py", "b.py"),
    ("file:///home/repo/a%20b/%C3%A9%23%3F%25.py", "a b/é#?%.py"),
    ("file:///home/repo/a%2520b.py", "a%20b.py"),
    ("file:///home/repo/a;b=1.py", "a;b=1.py"),
    ("file:///home/sp%61ce%20d/a.py", "a.py"),
    ("file:///home/sp%61ce%20d/sub/a.py", "sub/a.py"),
    ("file://localhost/home/repo/a.py", "a.py"),
    ("vscode-notebook-cell:/home/repo/n.ipynb#W0sZmlsZQ%3D%3D", "n.ipynb"),
    ("untitled:Untitled-1", "Untitled-1"),
    ("untitled:/home/repo/sub/new.py", "sub/new.py"),
    ("untitled:", "untitled"),
    ("", "untitled"),
]


@pytest.mark.parametrize(("uri", "want"), PATHS)
def test_relative_paths(uri: str, want: str) -> None:
    documents = Documents()
    documents.change_folders(
        ["file:///home/repo", "file:///home/repo/inner/", "file:///home/space%20d"]
    )
    assert documents.relative_path(uri) == want


def test_folders_come_and_go() -> None:
    documents = Documents()
    documents.change_folders(["file:///a", "file:///a/b"])
    documents.change_folders(["file:///c"], ["file:///a/b", "file:///unknown"])
    assert documents.folders == ("file:///a", "file:///c")
    assert documents.relative_path("file:///a/b/x.py") == "b/x.py"


FILES = [
    ("file:///a%20b/%E2%88%9A.py", "/a b/√.py"),
    ("file://localhost/a.py", "/a.py"),
    ("file:///bytes-%FF", "/bytes-\udcff"),
    ("file://server/share/a.py", None),
    ("untitled:/a.py", None),
    ("file:a.py", None),
]


@pytest.mark.parametrize(("uri", "want"), FILES)
def test_files_on_this_machine(uri: str, want: str | None) -> None:
    found = file_path(uri)
    assert (str(found) if found else None) == want
