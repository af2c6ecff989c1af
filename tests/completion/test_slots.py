"""What the KV cache keeps between requests, shares between documents, and survives."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from wicket.completion.budget import budget_for
from wicket.completion.cursor import Snippet
from wicket.completion.engine import BackendError, resident_bytes
from wicket.completion.local import LocalBackend, sizes
from wicket.completion.slots import common
from wicket.completion.wire import Complete, Done, Piece

from .gguf_files import Weights, byte_level, write
from .test_local import LOADED, SOURCE, load, typing

A, B = SOURCE[:2500], SOURCE[3000:5500]
# Together they take more than half of the embedded model's context.
SHARED = (Snippet("shared.py", SOURCE[6000:7400]),)
SHORT = (Snippet("shared.py", SOURCE[6000:6300]),)


@pytest.fixture(scope="module")
def fresh() -> Iterator[LocalBackend]:
    yield (backend := load())
    LOADED.remove(backend)
    backend.close()


def complete(backend: LocalBackend, request: Complete) -> tuple[str, Done]:
    *pieces, done = backend.complete(request, lambda: None)
    assert isinstance(done, Done)
    check(backend)
    return "".join(piece.text for piece in pieces if isinstance(piece, Piece)), done


def check(backend: LocalBackend) -> None:
    """The bookkeeping says of every slot what llama.cpp says."""
    held = backend._slots.held()
    assert held == [backend._llama.length(number) for number in range(len(held))]


def asked(path: str, prefix: str, context: tuple[Snippet, ...] = (), lines: int = 1) -> Complete:
    # By hand: what an automatic request may cost depends on how fast the machine is just now.
    return Complete(1, path, "python", prefix, "\n", "manual", context=context, lines=lines)


def evaluated(backend: LocalBackend, request: Complete) -> int:
    return complete(backend, request)[1].tokens["prefill"]


def test_what_two_documents_begin_with_is_evaluated_once(fresh: LocalBackend) -> None:
    backend = load()
    common = len(backend._llama.tokenize(SHARED[0].text))
    first = evaluated(backend, asked("a.py", A[:1500], SHARED))
    second = evaluated(backend, asked("b.py", B[:1500], SHARED))
    alone = evaluated(fresh, asked("b.py", B[:1500], SHARED))
    assert common > 300
    assert first > common
    assert second <= alone - common
    for keys in range(1, 10):
        for path, text in (("a.py", A), ("b.py", B)):
            assert evaluated(backend, asked(path, text[: 1500 + keys], SHARED)) <= 6


def test_a_copied_beginning_says_what_an_evaluated_one_says(fresh: LocalBackend) -> None:
    backend = load()
    complete(backend, asked("a.py", A, SHARED))
    for end in range(300, 2400, 600):
        fresh._slots.forget()
        request = asked("b.py", B[:end], SHARED, lines=2)
        assert complete(backend, request)[0] == complete(fresh, request)[0]


def test_the_document_unused_for_longest_gives_way() -> None:
    backend = load(slots=2)
    for path, few in (("a", False), ("b", False), ("a", True), ("c", False), ("a", True)):
        count = evaluated(backend, asked(f"{path}.py", f"# {path}\n" + A))
        assert (count <= 6) == few, path
    assert evaluated(backend, asked("b.py", "# b\n" + A)) > 100


def test_less_memory_means_fewer_documents_and_then_less_context() -> None:
    assert list(sizes(8192, 4)) == [(8192, 4), (8192, 2), (8192, 1), (4096, 1), (2048, 1)]
    assert list(sizes(1024, 1)) == [(1024, 1)]


class Failing:
    """`llama_decode` that answers `codes`, call by call, and then does its work.

    Where llama.h says that processed micro-batches remain, some are processed.
    """

    def __init__(self, decode: Callable[[Any, Any], int], codes: Sequence[int]) -> None:
        self._decode = decode
        self._codes = list(codes)

    def __call__(self, context: Any, batch: Any) -> int:
        code = self._codes.pop(0) if self._codes else 0
        if code in (0, 1, -1):
            return code or self._decode(context, batch)
        count, batch.n_tokens = batch.n_tokens, batch.n_tokens // 2
        if batch.n_tokens:
            assert self._decode(context, batch) == 0
        batch.n_tokens = count
        return code


# Requests of two documents, and one that goes on in the first.
EARLIER = [asked("a.py", A[:500], SHORT), asked("b.py", B[:500], SHORT)]
NEXT = asked("a.py", A[:560], SHORT, lines=2)


@pytest.fixture(scope="module")
def right(fresh: LocalBackend) -> list[str]:
    """What an engine says that has seen nothing before."""
    said: list[str] = []
    for request in (NEXT, *EARLIER):
        fresh._slots.forget()
        said.append(complete(fresh, request)[0])
    return said


@pytest.mark.parametrize("code", [1, 2, -1, -2, -3])
@pytest.mark.parametrize("times", [1, 2, 3])
@pytest.mark.parametrize("generating", [False, True])
def test_no_return_code_outlives_its_request(
    right: list[str], code: int, times: int, generating: bool
) -> None:
    backend = load()
    for request in EARLIER:
        complete(backend, request)
    real = backend._llama.decode
    # The first call of a request evaluates its prompt, the second its first token.
    backend._llama.decode = Failing(real, [0] * generating + [code] * times)
    failed = ""
    try:
        text, done = complete(backend, NEXT)
    except BackendError as error:
        text, done, failed = "", None, str(error)
        check(backend)
    backend._llama.decode = real
    assert [complete(backend, request)[0] for request in (NEXT, *EARLIER)] == right
    if code == 2:
        # Aborted: the engine asks again or does not, as whoever interrupted wants it.
        assert done is not None
        assert done.done == "cancelled"
    elif times < 3:
        assert done is not None
        assert (text, done.done) == (right[0], "stop")
    else:
        assert failed
        assert "\n" not in failed


def test_failures_take_no_memory() -> None:
    backend = load()
    real = backend._llama.decode

    def fail() -> None:
        backend._llama.decode = Failing(real, [-3, -3])
        complete(backend, asked("a.py", A[:200]))

    fail()
    before = resident_bytes()
    for _ in range(20):
        fail()
    # A context takes 12 MB and more, and 20 of them were made.
    assert resident_bytes() - before < 100 << 20


def psm(path: Path) -> Path:
    """A model of the order prefix, suffix, middle; its weights are all zero."""
    markers = ["<|fim_prefix|>", "<|fim_suffix|>", "<|fim_middle|>", "<|endoftext|>"]
    metadata = byte_level(markers, name="qwen2.5-coder", eos_token_id=3)
    width, wide, size = 32, 64, len(metadata["tokenizer.ggml.tokens"])  # type: ignore[arg-type]
    metadata |= {
        "llama.block_count": 1,
        "llama.embedding_length": width,
        "llama.feed_forward_length": wide,
        "llama.attention.head_count": 1,
        "llama.attention.layer_norm_rms_epsilon": 1e-5,
        "llama.rope.dimension_count": width,
    }
    shapes = {
        "token_embd": (width, size),
        "output_norm": (width,),
        "blk.0.attn_norm": (width,),
        "blk.0.attn_q": (width, width),
        "blk.0.attn_k": (width, width),
        "blk.0.attn_v": (width, width),
        "blk.0.attn_output": (width, width),
        "blk.0.ffn_norm": (width,),
        "blk.0.ffn_gate": (width, wide),
        "blk.0.ffn_up": (width, wide),
        "blk.0.ffn_down": (wide, width),
    }
    tensors = [
        Weights(f"{name}.weight", shape, size=4 * shape[0] * (shape[1:] or (1,))[0])
        for name, shape in shapes.items()
    ]
    return write(path, metadata, tensors)


def closed(prefix: str, suffix: str) -> str:
    """`suffix` as it is in an editor that closes brackets and quotes by itself."""
    line = prefix[prefix.rfind("\n") + 1 :]
    return '"' * (line.count('"') % 2) + ")" * max(0, line.count("(") - line.count(")")) + suffix


def test_brackets_that_close_themselves_cost_nothing() -> None:
    backend = load()
    start = SOURCE.index("def submit")
    counts: list[int] = []
    behind: set[str] = set()
    for prefix, suffix in typing(SOURCE, start, 300):
        suffix = closed(prefix, suffix)
        behind.add(suffix[:2])
        request = Complete(1, "a.py", "python", prefix, suffix, "manual")
        counts.append(evaluated(backend, request))
    first, *later = counts
    assert len(behind) == 2
    assert first > 300
    assert sum(later) / len(later) <= 3
    assert max(later) <= 20


@pytest.mark.parametrize("rate", [400.0, 2000.0])
def test_a_key_costs_a_psm_model_its_suffix(rate: float, tmp_path: Path) -> None:
    """The suffix stands behind the prefix: it is capped by what its evaluation takes."""
    backend = load(psm(tmp_path / "psm.gguf"))
    counts: list[int] = []
    caps: set[int] = set()
    start = SOURCE.index("def submit")
    for at, (prefix, suffix) in enumerate(typing(SOURCE, start, 200)):
        # This machine would be too fast to have a cap that can be felt.
        backend._rates = {"prefill": rate, "decode": 100.0}
        # An edit far below now and then.
        suffix = closed(prefix, suffix)
        suffix = suffix[:3000] + "# changed\n" * (at // 50) + suffix[3000:]
        request = Complete(1, "a.py", "python", prefix, suffix)
        caps.add(budget_for(request, backend._context, backend._steady_rates(), "psm").suffix)
        counts.append(evaluated(backend, request))
    (cap,) = caps
    first, *later = counts
    assert first > 3 * cap
    assert max(later) <= cap + 6


def test_common_beginning() -> None:
    assert [common(a, b) for a, b in (("", "x"), ("ab", "ab"), ("abc", "abd"))] == [
        0,
        2,
        2,
    ]  # type: ignore[arg-type]
