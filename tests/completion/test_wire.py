"""Both ends of the line protocol: what one writes the other reads, and nothing else."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from wicket.completion import wire
from wicket.completion.cursor import Snippet
from wicket.completion.wire import (
    Cancel,
    Complete,
    Done,
    Learn,
    Malformed,
    Piece,
    State,
    Status,
)

SMALL = st.text(max_size=40)
NUMBER = st.integers(0, 10**6)
REQUESTS = st.one_of(
    st.builds(
        Complete,
        NUMBER,
        SMALL,
        SMALL,
        SMALL,
        SMALL,
        st.sampled_from(wire.PRIORITIES),
        st.none() | NUMBER,
        st.integers(1, 20),
        st.lists(st.builds(Snippet, SMALL, SMALL), max_size=3).map(tuple),
        NUMBER,
    ),
    st.builds(
        Complete,
        NUMBER,
        SMALL,
        SMALL,
        SMALL,
        SMALL,
        decoding=st.sampled_from(("mixed", "drafted")),
        texts=st.lists(SMALL, max_size=3).map(tuple),
    ),
    st.builds(Cancel, NUMBER, NUMBER),
    st.builds(Status, NUMBER),
    st.builds(Learn, NUMBER, SMALL, SMALL),
)


@given(REQUESTS)
def test_a_request_survives_the_wire(request_: wire.Request) -> None:
    line = wire.write_request(request_)
    assert line.count(b"\n") == 1
    assert wire.read_request(line) == request_


@pytest.mark.parametrize(
    "answer",
    [
        Piece(1, "x\n\u2028", -0.5),
        Piece(1, "y", -1.5, alternative=2),
        Done(2, "stop", None, {"prefill": 1}, {"queue": 0.1}),
        Done(3, "failed", "why"),
    ],
)
def test_an_answer_survives_the_wire(answer: Piece | Done) -> None:
    assert wire.read_answer(json.loads(wire.write_answer(answer))) == answer


def test_a_hello_survives_the_wire() -> None:
    state = State("m", "0f", "ready", languages=("python",), rates={"decode": 1})
    assert wire.read_hello(wire.hello("1.0", state)) == ("1.0", state)
    assert wire.read_hello(wire.hello("1.0")) == ("1.0", None)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (b"", "not JSON"),
        (b"[1]", "not a JSON object"),
        (b'{"do":"status"}', "id is not an integer"),
        (b'{"id":true,"do":"status"}', "id is not an integer"),
        (b'{"id":1,"do":"erase"}', "unknown request 'erase'"),
        (b'{"id":1,"do":"cancel"}', "target is not an integer"),
        (b'{"id":1,"do":"complete","path":3}', "path is not a text"),
        (b"\xff\xfe", "not JSON"),
    ],
)
def test_a_malformed_line_is_named(line: bytes, said: str) -> None:
    with pytest.raises(Malformed, match=said):
        wire.read_request(line)


def test_another_protocol_is_refused() -> None:
    with pytest.raises(Malformed, match="speaks protocol 99"):
        wire.read_hello(b'{"wicket":"9.9","protocol":99}')
