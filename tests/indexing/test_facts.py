"""Facts of a file as bytes between processes."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st
from wicket.indexing.facts import Definition, Facts, Import, Reference, pack, unpack

TEXT = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]))
NUMBER = st.integers(-1, 2**31 - 1)
COLUMN = {str: TEXT, int: NUMBER, bool: st.booleans()}


def rows(kind):
    columns = [COLUMN[field] for field in kind.__annotations__.values()]
    return st.lists(st.builds(kind, *columns), max_size=4).map(tuple)


FACTS = st.builds(
    Facts,
    TEXT,
    st.integers(0, 2**31 - 1),
    st.integers(0, 1_000_000).map(lambda share: share / 1_000_000),
    rows(Definition),
    rows(Import),
    rows(Reference),
)


@given(FACTS)
def test_unpacking_gives_what_was_packed(facts: Facts) -> None:
    assert unpack(pack(facts)) == facts


@given(FACTS, st.data())
def test_other_bytes_are_refused_and_never_read_wrong(facts: Facts, data) -> None:
    """Bytes cut anywhere raise ValueError or still are facts; nothing else happens."""
    packed = pack(facts)
    cut = packed[: data.draw(st.integers(0, len(packed) - 1))]
    with suppress(ValueError):
        assert isinstance(unpack(cut), Facts)


def test_a_nul_in_a_name_does_not_move_the_other_columns() -> None:
    facts = Facts("python", 1, 1.0, imports=(Import("a\0b", "c", "d", 0, False),))
    assert unpack(pack(facts)).imports == (Import("ab", "c", "d", 0, False),)


@pytest.mark.parametrize("packed", [b"", b"\0\0\0\0", b"\xff" * 8])
def test_what_nobody_packed_is_refused(packed: bytes) -> None:
    with pytest.raises(ValueError, match="packed facts"):
        unpack(packed)
