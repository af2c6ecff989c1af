"""Tokens per second of the engine beside llama.cpp's own bench, and what is our own per token.

The bench is built, once, around the libraries that llama-cpp-python brings:

    .ci/llama-bench .venv/bin/python VERSION

Both evaluate as many tokens with the same batches and threads, in turns, then generate
behind as many.  Rates by the clock are worth reading on a quiet machine; those by CPU
second hold on a busy one too.  Without `--model` the weights are random, in the shape of a
model of 0.5 billion.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import frame
import numpy as np

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "tests" / "completion"))
import wicket.completion.models as models_folder  # noqa: E402
from gguf_files import Weights, byte_level, header  # noqa: E402
from wicket.completion.budget import UNMEASURED  # noqa: E402
from wicket.completion.llama import BATCH, UBATCH  # noqa: E402
from wicket.completion.local import LocalBackend  # noqa: E402
from wicket.completion.wire import Complete, Done  # noqa: E402

CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "wicket-dev"
EMBEDDED = Path(models_folder.__file__).parent / "wicket-base-q8_0.gguf"
SOURCE = (ROOT / "completion" / "engine.py").read_text()
# Qwen2.5-Coder-0.5B: https://huggingface.co/Qwen/Qwen2.5-Coder-0.5B/blob/main/config.json
LAYERS, WIDTH, WIDE, HEADS, KV_HEADS, VOCABULARY = 24, 896, 4864, 14, 2, 151_936
Q8_0, BLOCK, BLOCK_BYTES = 8, 32, 34
# Tokens of the embedded model, by which our own cost is told.
OWN_TOKENS = 300


def measure(asked: argparse.Namespace) -> dict[str, float]:
    path = Path(asked.model) if asked.model else shaped(CACHE / "shapes" / "half-a-billion.gguf")
    bench = next(iter(sorted(CACHE.glob("llama-bench/*/llama-bench"), reverse=True)), None)
    if bench is None:
        sys.exit("no llama-bench in the cache; build it as this file's first lines say")
    backend = LocalBackend(path, threads=asked.threads, slots=1)
    backend.load(lambda _share: None)
    # Markers and the path belong to a prompt; the bench gets as many tokens.
    count = generate(backend, prompt(backend, asked.prompt), "warm").tokens["prefill"]
    figures: dict[str, float] = {}
    for what in ("prefill", "decode"):
        turns: list[Callable[[], tuple[float, float]]] = [
            lambda what=what: benched(bench, path, asked, what, count),
            lambda what=what: ours(backend, asked, what),
        ]
        # Whose turn is first changes with the seed.
        order = (0, 1) if asked.seed % 2 else (1, 0)
        (bench_wall, bench_cpu), (wall, cpu) = (
            found for _, found in sorted((index, turns[index]()) for index in order)
        )
        figures |= {
            f"bench_{what}_per_s": 1 / bench_wall,
            f"{what}_per_s": 1 / wall,
            f"{what}_ratio": bench_wall / wall,
            f"{what}_ratio_by_cpu": bench_cpu / cpu,
        }
    return figures | {"own_ms_per_token": own_ms()}


def benched(
    bench: Path, model: Path, asked: argparse.Namespace, what: str, count: int
) -> tuple[float, float]:
    """Seconds and CPU seconds per token by llama-bench, with prompts of `count` tokens.

    CPU seconds are told by the difference of a short and a long run, which holds no start,
    no warm-up and no prompt.
    """
    command: list[object] = [bench, "-m", model, "-t", asked.threads, "-ngl", 0, "-o", "json"]
    command += ["-b", BATCH, "-ub", UBATCH]
    cpu: list[float] = []
    walls: list[float] = []
    for times in (1, 3):
        if what == "prefill":
            tokens, words = count, ["-p", count, "-n", 0, "-r", times]
        else:
            tokens = asked.generate * times
            words = ["-p", 0, "-n", tokens, "-d", count, "-r", 1]
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        called = [str(word) for word in (*command, *words)]
        said = subprocess.run(called, capture_output=True, text=True, check=True).stdout
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        walls += [ns / 1e9 / tokens for ns in json.loads(said)[0]["samples_ns"]]
        cpu.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    more = 2 * (count if what == "prefill" else asked.generate)
    return sorted(walls)[len(walls) // 2], (cpu[1] - cpu[0]) / more


def ours(backend: LocalBackend, asked: argparse.Namespace, what: str) -> tuple[float, float]:
    """Seconds and CPU seconds per token by the path that requests take."""
    spent: list[tuple[float, float]] = []
    for _ in range(4):
        request = prompt(backend, asked.prompt)
        if what == "decode":
            generate(backend, request, "warm")
        began = time.perf_counter(), time.process_time()
        done = generate(backend, request, "manual" if what == "decode" else "warm", asked.generate)
        tokens = done.tokens["decoded" if what == "decode" else "prefill"]
        assert tokens > (asked.generate if what == "decode" else asked.prompt) / 2, done.tokens
        taken = time.perf_counter() - began[0], time.process_time() - began[1]
        spent.append((taken[0] / tokens, taken[1] / tokens))
    walls, cpus = sorted(wall for wall, _ in spent), sorted(cpu for _, cpu in spent)
    return walls[len(walls) // 2], cpus[len(cpus) // 2]


def counting() -> Iterator[int]:
    number = 1_000_000
    while True:
        yield number
        number += 1


NUMBERS = counting()


def prompt(backend: LocalBackend, tokens: int) -> Complete:
    """A prompt of about so many tokens that shares its beginning with none before."""
    number = next(NUMBERS)
    ids = backend._llama.tokenize(f"{number}\n{SOURCE}")[:tokens]
    text = b"".join(backend._llama.pieces[i] for i in ids).decode("utf-8", "ignore")
    return Complete(number, f"{number}.py", "python", text + "\n", "", "manual", lines=200)


def generate(backend: LocalBackend, request: Complete, priority: Any, tokens: int = 0) -> Done:
    """The end of an answer that is stopped after so many tokens.

    The backend forgets how fast it is: on a slow machine it would shorten the prompt.
    """
    backend._rates, backend._assumed = dict(UNMEASURED), dict(UNMEASURED)
    asked: list[None] = []

    def halted() -> Any:
        asked.append(None)
        return "cancelled" if len(asked) >= tokens else None

    *_, done = backend.complete(Complete(**fields(request, priority)), halted)
    assert isinstance(done, Done)
    return done


def fields(request: Complete, priority: str) -> dict[str, Any]:
    said = {name: getattr(request, name) for name in Complete.__dataclass_fields__}
    return said | {"priority": priority}


def own_ms() -> float:
    """CPU milliseconds per generated token that are not llama.cpp's, embedded model."""
    backend = LocalBackend(EMBEDDED, slots=1)
    backend.load(lambda _share: None)
    decode, inside = backend._llama.decode, 0.0

    def timed(context: Any, batch: Any) -> int:
        nonlocal inside
        began = time.thread_time()
        code = decode(context, batch)
        inside += time.thread_time() - began
        return code

    backend._llama.decode = timed
    tokens, whole = 0, 0.0
    while tokens < OWN_TOKENS:
        request = prompt(backend, 200)
        generate(backend, request, "warm")
        inside, began = 0.0, time.thread_time()
        done = generate(backend, request, "manual", 40)
        whole += time.thread_time() - began - inside
        tokens += done.tokens["decoded"]
    return whole / tokens * 1000


def shaped(path: Path) -> Path:
    """A GGUF of half a billion random weights, written once."""
    if path.is_file():
        return path
    names = ["<|fim_prefix|>", "<|fim_suffix|>", "<|fim_middle|>", "<|endoftext|>"]
    metadata = byte_level(names, name="qwen2.5-coder", eos_token_id=3)
    tokens: list[str] = metadata["tokenizer.ggml.tokens"]  # type: ignore[assignment]
    types: list[int] = metadata["tokenizer.ggml.token_type"]  # type: ignore[assignment]
    missing = VOCABULARY - len(tokens)
    metadata["tokenizer.ggml.tokens"] = [*tokens, *(f"<unused{n}>" for n in range(missing))]
    metadata["tokenizer.ggml.token_type"] = [*types, *([1] * missing)]
    metadata |= {
        "llama.context_length": 8192,
        "llama.block_count": LAYERS,
        "llama.embedding_length": WIDTH,
        "llama.feed_forward_length": WIDE,
        "llama.attention.head_count": HEADS,
        "llama.attention.head_count_kv": KV_HEADS,
        "llama.attention.layer_norm_rms_epsilon": 1e-6,
        "llama.rope.dimension_count": WIDTH // HEADS,
        "llama.rope.freq_base": 1e6,
    }
    narrow = WIDTH // HEADS * KV_HEADS
    layer = {
        "attn_norm": (WIDTH,),
        "attn_q": (WIDTH, WIDTH),
        "attn_k": (WIDTH, narrow),
        "attn_v": (WIDTH, narrow),
        "attn_output": (WIDTH, WIDTH),
        "ffn_norm": (WIDTH,),
        "ffn_gate": (WIDTH, WIDE),
        "ffn_up": (WIDTH, WIDE),
        "ffn_down": (WIDE, WIDTH),
    }
    shapes: dict[str, tuple[int, ...]] = {"token_embd": (WIDTH, VOCABULARY)}
    shapes |= {f"blk.{n}.{part}": shape for n in range(LAYERS) for part, shape in layer.items()}
    shapes["output_norm"] = (WIDTH,)
    tensors = [weights(f"{name}.weight", shape) for name, shape in shapes.items()]
    chance = np.random.default_rng(1)
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(".part")
    with part.open("wb") as file:
        file.write(header(metadata, tensors))
        for tensor in tensors:
            data = numbers(tensor, chance)
            file.write(data + bytes(-len(data) % 32))
    # Moved when whole: a run that was interrupted leaves no half a file.
    return part.rename(path)


def weights(name: str, shape: tuple[int, ...]) -> Weights:
    if len(shape) == 1:
        return Weights(name, shape, size=4 * shape[0])
    return Weights(name, shape, Q8_0, size=shape[0] * shape[1] // BLOCK * BLOCK_BYTES)


def numbers(tensor: Weights, chance: np.random.Generator) -> bytes:
    """Ones for a norm, else blocks of a scale and as many small random numbers."""
    if tensor.type != Q8_0:
        return np.ones(tensor.shape, np.float32).tobytes()
    blocks = chance.integers(-127, 128, (tensor.size // BLOCK_BYTES, BLOCK_BYTES), np.int8)
    # What is multiplied `width` times over shall neither vanish nor grow.
    scale = np.float16(1 / 73 / tensor.shape[0] ** 0.5)
    blocks[:, :2] = np.frombuffer(scale.tobytes(), np.int8)
    return blocks.tobytes()


if __name__ == "__main__":
    frame.main(
        __doc__,
        measure,
        ("--model", "", "a GGUF for both"),
        ("--prompt", 256, "tokens that are evaluated"),
        ("--generate", 32, "tokens that are generated behind them"),
        ("--threads", 1, "of both"),
    )
