"""The embedded model through llama.cpp: reuse, healing, cancelling, refusals."""

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import wicket.completion.models as models_folder
from wicket.completion import local
from wicket.completion.decoding import Words
from wicket.completion.engine import BackendError, Halted
from wicket.completion.lines import Text
from wicket.completion.local import LocalBackend
from wicket.completion.wire import Complete, Done, Piece, Reason

from .gguf_files import Weights, write

MODEL = Path(models_folder.__file__).parent / "wicket-base-q8_0.gguf"
# Kept as it is: which of two nearly equal tokens wins hangs on every character before it.
SOURCE = Path(__file__).with_name("typed_source.txt").read_text()


# Twenty megabytes each: `conftest.py` closes those of a test, a fixture its own.
LOADED: list[LocalBackend] = []


def load(path: Path = MODEL, slots: int = 4) -> LocalBackend:
    backend = LocalBackend(path, slots=slots)
    backend.load(lambda _share: None)
    LOADED.append(backend)
    return backend


@pytest.fixture(scope="module")
def warm() -> Iterator[LocalBackend]:
    yield (backend := load())
    LOADED.remove(backend)
    backend.close()


def ask(
    backend: LocalBackend,
    prefix: str,
    suffix: str = "",
    path: str = "a.py",
    lines: int = 1,
) -> tuple[str, Done]:
    # By hand: what an automatic request may cost depends on how fast the machine is just now.
    request = Complete(1, path, "python", prefix, suffix, "manual", lines=lines)
    *pieces, done = backend.complete(request, lambda: None)
    assert isinstance(done, Done)
    assert all(isinstance(p, Piece) and p.logprob <= 0 for p in pieces)
    return "".join(p.text for p in pieces if isinstance(p, Piece)), done


def typing(source: str, start: int, keys: int) -> Iterator[tuple[str, str]]:
    """Prefix and suffix before each of `keys` keys; the line being typed is new."""
    end = source.index("\n", start + keys)
    for i in range(keys):
        yield source[: start + i], source[end:]


def test_a_key_evaluates_a_few_tokens(warm: LocalBackend) -> None:
    start = SOURCE.index("def submit")
    counts: list[int] = []
    for prefix, suffix in typing(SOURCE, start, 200):
        done = ask(warm, prefix, suffix)[1]
        counts.append(done.tokens["prefill"])
    first, *later = counts
    assert first > 300
    assert sum(later) / len(later) <= 3
    assert sorted(later)[int(len(later) * 0.95)] <= 6


def test_the_window_is_cut_seldom(warm: LocalBackend) -> None:
    """A file far longer than the context is typed into without re-reading it each key."""
    long = SOURCE * 6
    counts = [
        ask(warm, prefix, suffix, "long.py")[1].tokens["prefill"]
        for prefix, suffix in typing(long, len(long) - 3000, 400)
    ]
    assert sum(count > 100 for count in counts) <= 4


def test_files_do_not_evict_each_other(warm: LocalBackend) -> None:
    texts = {f"{n}.py": f"# file {n}\n" + SOURCE[n * 500 :] for n in range(4)}
    for path, text in texts.items():
        ask(warm, text, path=path)
    for path, text in texts.items():
        assert ask(warm, text + "x", path=path)[1].tokens["prefill"] <= 6


def test_reuse_changes_no_answer(warm: LocalBackend) -> None:
    """A token evaluated after a rewind says what it says in a fresh cache.

    Batches of different sizes add up in a different order, hence not bit by bit.
    """
    llama = warm._llama
    ids = llama.tokenize(SOURCE)[:600]
    apart: list[float] = []
    for length in range(300, 600, 20):
        llama.keep(0, 0)
        llama.evaluate(0, ids[:length], 0)
        fresh = llama.logits().copy()
        llama.keep(0, length - 1)
        llama.evaluate(0, [ids[length - 1]], length - 1)
        apart.append(float(abs(fresh - llama.logits()).max()))
    warm._slots.forget()
    assert sorted(apart)[len(apart) // 2] < 0.05, apart


@pytest.mark.parametrize(
    ("prefix", "begins"),
    [
        ("def f(self):\n    retur", "n"),
        ("class A:\n    def __in", "it__"),
        ("x = Non", "e"),
    ],
)
def test_half_a_word_is_healed(warm: LocalBackend, prefix: str, begins: str) -> None:
    assert ask(warm, prefix)[0].startswith(begins)


@pytest.mark.parametrize(
    "prefix",
    [
        "",
        "\n",
        "    ",
        "x = 'é̀😀\u2028\f",
        "\ud83d",
        "\tif x:\r\n\t\t",
        "<|fim_middle|>",
        "0" * 30_000,
        "日本語" * 500,
    ],
    ids=range(9),
)
def test_any_text_is_answered(warm: LocalBackend, prefix: str) -> None:
    text, done = ask(warm, prefix, "\n", lines=3)
    assert done.done in ("stop", "length")
    assert text.count("\n") < 3


def test_cancelling_inside_prefill(warm: LocalBackend) -> None:
    """The computation stops between two graph nodes; what it finished is kept."""
    prefix = "# cancel\n" + SOURCE
    threading.Timer(0.01, warm.interrupt).start()
    request = Complete(1, "c.py", "python", prefix, "")
    (done,) = warm.complete(request, lambda: "cancelled")
    warm.resume()
    assert isinstance(done, Done)
    assert done.done == "cancelled"
    kept = done.tokens["prefill"]
    assert kept % 64 == 0
    again = ask(warm, prefix, path="c.py")[1]
    assert again.tokens["reused"] >= kept
    assert again.tokens["prefill"] + again.tokens["reused"] > kept + 64


def test_cancelling_between_tokens(warm: LocalBackend) -> None:
    asked: list[None] = []

    def halted() -> str | None:
        asked.append(None)
        return "cancelled" if len(asked) == 3 else None

    request = Complete(1, "d.py", "python", "def f():\n", "", lines=6)
    *pieces, done = warm.complete(request, halted)  # type: ignore[arg-type]
    assert isinstance(done, Done)
    assert (done.done, done.tokens["decoded"]) == ("cancelled", 3)
    assert len(pieces) <= 3


def alternatives(backend: LocalBackend, halted: Halted = lambda: None) -> tuple[list[str], Done]:
    """The texts of an answer that may have three of them."""
    prefix = SOURCE[: SOURCE.index("self._waiting.append")]
    request = Complete(1, "alt.py", "python", prefix, "\n", "manual", alternatives=3)
    *pieces, done = backend.complete(request, halted)
    assert isinstance(done, Done)
    texts = dict[int, str]()
    for piece in pieces:
        assert isinstance(piece, Piece)
        texts[piece.alternative] = texts.get(piece.alternative, "") + piece.text
    assert list(texts) == sorted(texts)
    return list(texts.values()), done


def test_alternatives_begin_differently_and_evaluate_no_prompt_again(
    warm: LocalBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(local, "ALTERNATIVES_SECONDS", 60.0)
    alone = ask(warm, SOURCE[: SOURCE.index("self._waiting.append")], "\n", "alt.py")[0]
    texts, done = alternatives(warm)
    assert texts[0] == alone
    assert len({text[:1] for text in texts}) == len(texts) == 3
    assert done.tokens["prefill"] <= 2
    # The cache says what it holds: the next answer is the first one again.
    assert alternatives(warm)[0] == texts


def test_an_alternative_is_whole_or_not_there(
    warm: LocalBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(local, "ALTERNATIVES_SECONDS", 60.0)
    texts, whole = alternatives(warm)
    asked: list[None] = []

    def halted() -> Reason | None:
        asked.append(None)
        return "deadline" if len(asked) == whole.tokens["decoded"] else None

    cut, done = alternatives(warm, halted)
    assert done.done == "stop"
    assert cut == texts[: len(cut)]
    assert 1 <= len(cut) < 3


def without_fim_tokens(folder: Path) -> Path:
    data = MODEL.read_bytes().replace(b".fim_", b".fix_").replace(b"<|fim_", b"<|fix_")
    (folder / "plain.gguf").write_bytes(data)
    return folder / "plain.gguf"


def truncated(folder: Path) -> Path:
    (folder / "short.gguf").write_bytes(MODEL.read_bytes()[:-1000])
    return folder / "short.gguf"


def text_file(folder: Path) -> Path:
    (folder / "text.gguf").write_text("hello")
    return folder / "text.gguf"


def missing(folder: Path) -> Path:
    return folder / "missing.gguf"


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (missing, "missing.gguf"),
        (truncated, "truncated"),
        (text_file, "GGUF"),
        (without_fim_tokens, "fill-in-the-middle"),
    ],
)
def test_a_bad_model_is_refused_in_one_line(make, said: str, tmp_path: Path) -> None:
    with pytest.raises(BackendError, match=said) as raised:
        load(make(tmp_path))
    assert "\n" not in str(raised.value)


def test_too_little_memory_is_said_before_it_hurts(tmp_path: Path) -> None:
    """A model of half a terabyte, all of it a hole in the file."""
    shape = (1 << 20, 1 << 17)
    metadata = {"general.architecture": "llama", "llama.context_length": 1024}
    weights = [Weights("w", shape, size=4 << 37)]
    path = write(tmp_path / "big.gguf", metadata, weights)
    with pytest.raises(BackendError, match=r"needs \d+ MB of memory and \d+ MB are free"):
        load(path)


def test_words_agree_with_a_beginning() -> None:
    words = Words([b"", b"s", b"se", b"self", b"set", b"x", b"e", b"\xff"])
    assert sorted(words.agreeing(b"se")) == [1, 2, 3, 4]
    assert sorted(words.agreeing(b"\xff")) == [7]


def test_text_keeps_characters_whole_and_lines_counted() -> None:
    text = Text(2)
    assert [text.add(b) for b in (b"\xc3", b"\xa9\n", b"b\nc")] == ["", "é\n", "b"]
    assert text.full
