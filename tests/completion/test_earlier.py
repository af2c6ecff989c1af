"""What followed the same text the last time; `$0` is the cursor."""

import mmap
import time
from pathlib import Path

import pytest
from wicket.completion.earlier import LONGEST_MATCH, Earlier, Text, earlier, in_file

OTHERS = (
    Text("near.py", b"import near\nreturn total(near, far)\n"),
    Text("far.py", b"import far\nreturn total(far)\n"),
)


def found(marked: str, texts: tuple[Text, ...] = (), lines: int = 1) -> Earlier | None:
    before, after = marked.split("$0")
    return earlier(before.encode(), [*in_file(before, after), *texts], lines)


@pytest.mark.parametrize(
    ("marked", "text", "length"),
    [
        # The longest end of what is typed decides.
        ("a = one(1)\nb = one(2)\nb = one($0\n", "2)", 10),
        ("b = one(2)\na = one(1)\nb = one($0\n", "2)", 8),
        # Of two alike the later one.
        ("x = f(1)\nx = f(2)\nx = f($0\n", "2)", 8),
        # What stands behind the cursor counts too, with less weight.
        ("y = f($0\nz = f(3)\n", "3)", 5),
        ("z = f(1)\n\ny = f($0\nz = f(3)\n", "1)", 5),
        # A line end is text like any other.
        ("if a:\n    go()\n\nif a:\n    $0\n", "go()", 10),
        # The cursor's own line is not looked at: where it ends is not known yet.
        ("f(a, f($0\n", None, 0),
        # The line ends where the match does: nothing follows.
        ("done\ndone$0\n", "", 4),
        ("größe = 1\ngröße$0\n", " = 1", 7),
        ("$0", None, 0),
    ],
)
def test_in_one_file(marked: str, text: str | None, length: int) -> None:
    hit = found(marked)
    if text is None:
        assert hit is None
    else:
        assert hit is not None
        assert (hit.text, hit.length, hit.where) == (text, length, "")


@pytest.mark.parametrize(
    ("marked", "text", "where"),
    [
        ("return total($0\n", "near, far)", "near.py"),
        ("import far\nreturn total($0\n", "far)", "far.py"),
        # Only a longer match is worth another file.
        ("    return total(mine)\n    return total($0\n", "mine)", ""),
        ("    return total(mine)\nimport far\nreturn total($0\n", "far)", "far.py"),
    ],
)
def test_in_others(marked: str, text: str, where: str) -> None:
    hit = found(marked, OTHERS)
    assert hit is not None
    assert (hit.text, hit.where) == (text, where)


def test_it_goes_on_over_lines() -> None:
    hit = found("def f():\n    one\n    two\n    three\n\ndef f():$0\n", lines=3)
    assert hit is not None
    assert hit.text == "\n    one\n    two"
    assert hit.at == len("def f():")


def test_the_offset_leads_to_the_text() -> None:
    hit = found("import far\nreturn total($0\n", OTHERS)
    assert hit is not None
    data = dict((text.where, text.data) for text in OTHERS)[hit.where]
    assert data[hit.at : hit.at + len(hit.text)] == hit.text.encode()


def test_a_mapped_file_will_do(tmp_path: Path) -> None:
    file = tmp_path / "text"
    file.write_bytes(b"return total(1)\n" * 2000)
    with file.open("rb") as opened, mmap.mmap(opened.fileno(), 0, access=mmap.ACCESS_READ) as data:
        hit = earlier(b"x\nreturn tot", [Text("all", data)])
        assert hit is not None
        assert hit.text == "al(1)"


def test_a_match_beyond_measure_is_cut_off() -> None:
    """A file that is a copy costs no more than any other."""
    text = "".join(f"line {number} of a long text\n" for number in range(3000))
    began = time.process_time()
    hit = earlier(text[:60_000].encode(), [Text("copy", text.encode())])
    assert hit is not None
    assert hit.length == LONGEST_MATCH
    assert (text[:60_000] + hit.text + "\n") == text[: 60_001 + len(hit.text)]
    # Not a measure of speed: a search that went wrong would take minutes.
    assert time.process_time() - began < 10
