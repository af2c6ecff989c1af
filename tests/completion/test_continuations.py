"""What followed the same tokens elsewhere, wherever a text is cut into tokens."""

import pytest
from wicket.completion.continuations import Continuations, Here, Lexicon
from wicket.completion.corpus import MOST_BYTES, Corpus
from wicket.completion.llama import Llama

from .test_local import MODEL

OTHER = """
class Shelf:
    def unload(self, name):
        self.members[name].close()
        return self.members[name]

    def reload(self, name):
        self.members[name].close()
        raise ValueError("no such member")
"""


@pytest.fixture(scope="module")
def lexicon() -> Lexicon:
    llama = Llama(MODEL, context=64, slots=1)
    return Lexicon(llama.pieces, llama.spell)


def cursor(lexicon: Lexicon, before: str, after: str = "", texts: str = "") -> Here:
    corpus = Corpus()
    corpus.learn("other", texts)
    return Continuations(lexicon, corpus).begin(before, after, ["other"], str)


def text(lexicon: Lexicon, tokens) -> str:
    return b"".join(lexicon.pieces[token] for token in tokens if token >= 0).decode()


@pytest.mark.parametrize(
    ("before", "begins"),
    [
        # After a whole token, inside a run of spaces, and inside what is one token elsewhere.
        ("        self.members[name]", ".close()"),
        ("def f(self, name):\n        self.members[name].close()\n    ", "    r"),
        ("        self.members[name].close()\n        ", "r"),
        ("        raise ValueError(", '"no such'),
        ("        raise ValueError", '("no such'),
    ],
)
def test_what_followed_is_found(lexicon: Lexicon, before: str, begins: str) -> None:
    found = cursor(lexicon, before, texts=OTHER).followed(b"")
    assert found.length >= 1
    assert text(lexicon, found.ahead).startswith(begins)
    assert found.counts[found.ahead[0]] >= 1


def test_both_places_count(lexicon: Lexicon) -> None:
    found = cursor(lexicon, "        self.members[name].close()\n", texts=OTHER).followed(b"")
    assert sum(found.counts.values()) == 2
    found = cursor(lexicon, "        self.members[name].close()\n        ", texts=OTHER)
    nexts = {text(lexicon, [token]) for token in found.followed(b"").counts}
    assert nexts == {"return", "raise"}
    (token,) = found.followed(b"", b"ret").counts
    assert text(lexicon, [token]) == "return"
    assert text(lexicon, found.followed(b"return").ahead).startswith(" self.members")


def test_the_file_itself_is_looked_at_but_for_the_line_of_the_cursor(lexicon: Lexicon) -> None:
    file = "def f():\n    spam(egg)\n    spam("
    found = cursor(lexicon, file, "\n    spam(ham)\n").followed(b"")
    assert {text(lexicon, [token])[:1] for token in found.counts} == {"e", "h"}
    assert not cursor(lexicon, "zq", "zqx\n").followed(b"").counts


def test_only_texts_that_are_named_count(lexicon: Lexicon) -> None:
    corpus = Corpus()
    known = Continuations(lexicon, corpus)
    for key, line in (("a", "spam(egg)\n"), ("b", "spam(ham)\n")):
        corpus.learn(key, line)

    def nexts(*keys: str) -> set[str]:
        counts = known.begin("spam(", "", keys, str).followed(b"").counts
        return {text(lexicon, [token])[:1] for token in counts}

    assert nexts("a", "b") == {"e", "h"}
    assert nexts("a") == {"e"}
    assert nexts("b", "never told") == {"h"}
    assert nexts() == set()


def test_the_texts_named_longest_ago_are_dropped() -> None:
    corpus = Corpus()
    for key in "abc":
        corpus.learn(key, "x" * (MOST_BYTES // 3))
    corpus.texts(["a"])
    corpus.learn("d", "x" * (MOST_BYTES // 3))
    assert set(corpus.texts(list("abcd"))) == {"a", "c", "d"}
