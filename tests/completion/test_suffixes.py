"""The sorted array of token suffixes says what looking everywhere says."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from wicket.completion.suffixes import LONGEST, Suffixes

# Few different tokens, so that much agrees; -1 ends a text.
TOKENS = st.lists(st.sampled_from([-1, 0, 1, 2]), max_size=120)
CONTEXT = st.lists(st.sampled_from([0, 1, 2]), max_size=LONGEST + 8)


def naive(tokens: list[int], context: list[int]) -> list[list[int]]:
    """For each length, the places before which the last tokens of `context` stand."""
    found: list[list[int]] = []
    for length in range(1, min(len(context), LONGEST) + 1):
        wanted = context[-length:]
        ends = range(length, len(tokens) + 1)
        places = [end for end in ends if tokens[end - length : end] == wanted]
        if not places:
            break
        found.append(places)
    return found


def looked_up(tokens: list[int], context: list[int]) -> list[list[int]]:
    suffixes = Suffixes(tokens)
    every = len(tokens) + 1
    parts = suffixes.agreeing(context)
    return [sorted((suffixes.places(part, every) - LONGEST).tolist()) for part in parts]


@given(TOKENS, CONTEXT)
def test_places_are_those_that_agree(tokens: list[int], context: list[int]) -> None:
    assert looked_up(tokens, context) == naive(tokens, context)


@given(TOKENS, st.data())
def test_long_agreements_are_found(tokens: list[int], data: st.DataObject) -> None:
    """A context out of the tokens themselves agrees as far as it can."""
    end = data.draw(st.integers(0, len(tokens)))
    context = tokens[:end]
    if -1 in context:
        context = context[len(context) - context[::-1].index(-1) :]
    found = looked_up(tokens, context)
    assert found == naive(tokens, context)
    assert len(found) == min(len(context), LONGEST)


def test_no_more_places_than_wanted() -> None:
    suffixes = Suffixes([1, 2] * 500)
    (ones, *_rest) = suffixes.agreeing([1])
    places = suffixes.places(ones, 64)
    assert 32 <= len(places) <= 64
    assert (suffixes.tokens[places] == 2).all()


def test_what_comes_next_is_read_from_the_tokens() -> None:
    suffixes = Suffixes([5, 6, 7, -1, 5, 6, 8])
    both = suffixes.agreeing([5, 6])[1]
    assert sorted(suffixes.tokens[suffixes.places(both, 9)].tolist()) == [7, 8]
    assert suffixes.agreeing([9]) == []
    assert Suffixes([]).agreeing([1]) == []
    assert len(Suffixes(np.arange(40)).agreeing(list(range(40)))) == LONGEST
