"""Reading without a parser: line by line is what it is at once."""

from hypothesis import given
from hypothesis import strategies as st
from wicket.completion.syntax import WORTH, Quote, Reading, read, syntax_of

LANGUAGES = ("python", "rust", "typescript", "cpp", "go", "markdown")
PIECES = ("x", " ", "(", ")", "[", "]", "{", "}", "'", '"', '"""', "`", "#", "//", "/*", "*/", "\\",
          "\n", "\r\n", "\\\n", "# a\n", 'R"(', ')"', "'a", "b'", "a/b", "= /(/")  # fmt: skip
# As long as what is remembered: every prefix that ends with it is read from there.
FILLER = "y\n" * (WORTH // 2)
# Languages and what may be open in them over a line end.
BEGUN = [(name, quote) for name in LANGUAGES for quote in syntax_of(name).quotes if quote.lines]


def moved(reading: Reading, by: int) -> Reading:
    """What is read of a text with so much more before it."""
    return Reading(
        reading.inside,
        reading.opened,
        tuple((at + by, closer) for at, closer in reading.closers),
        tuple((one + by, other + by) for one, other in reading.pairs),
        # Nothing but a comment has no code to end.
        reading.end and reading.end + by,
    )


@given(language=st.sampled_from(LANGUAGES), pieces=st.lists(st.sampled_from(PIECES), max_size=40))
def test_lines_that_were_read_before_change_nothing(language: str, pieces: list[str]) -> None:
    """Lines of plain code before a text make it too long to be read at once, nothing else."""
    text, syntax = "".join(pieces), syntax_of(language)
    got, want = read(f"{FILLER}x{text}", syntax), read(f"\nx{text}", syntax)
    assert got == moved(want, len(FILLER) - 1)


@given(begun=st.sampled_from(BEGUN), pieces=st.lists(st.sampled_from(PIECES), max_size=20))
def test_nor_does_a_string_that_began_before(begun: tuple[str, Quote], pieces: list[str]) -> None:
    language, inside = begun
    text, syntax = "".join(pieces), syntax_of(language)
    got, want = read(f"{FILLER}x{text}", syntax, inside), read(f"\nx{text}", syntax, inside)
    assert got == moved(want, len(FILLER) - 1)
