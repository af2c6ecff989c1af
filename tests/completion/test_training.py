"""The toy recipe: from texts to a model that our engine loads, in a minute, on any machine."""

import json
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from random import Random
from types import SimpleNamespace

import pytest
import wicket.completion.models as models_folder
from wicket.completion import families, gguf, prompt
from wicket.completion.cursor import Snippet
from wicket.completion.gguf import BadModel
from wicket.completion.local import LocalBackend
from wicket.completion.prompt import Anchors, Budget
from wicket.completion.wire import Complete

WHY = "training needs the extra [train], which is not installed here"
torch = pytest.importorskip("torch", reason=WHY)
pytest.importorskip("tokenizers", reason=WHY)
format = pytest.importorskip("gguf", reason=WHY)

from wicket.completion.training import (  # noqa: E402
    card,
    corpus,
    match,
    memory,
    spans,
    tokens,
    train,
    verify,
    weights,
)
from wicket.completion.training.__main__ import main  # noqa: E402
from wicket.completion.training.corpus import Document  # noqa: E402
from wicket.completion.training.rows import batches  # noqa: E402
from wicket.completion.training.samples import Sampler  # noqa: E402
from wicket.completion.training.sizes import SIZES  # noqa: E402

# Two threads that wait for each other on a busy machine are slower than one.
torch.set_num_threads(1)

SHIPPED = Path(models_folder.__file__).parent / "wicket-base-q8_0.gguf"
ROOT = Path(__file__).parents[2]
TOY = replace(SIZES["toy"], batch=512)


@pytest.fixture(scope="module")
def words() -> tokens.Tokens:
    return tokens.of_gguf(SHIPPED)


@pytest.fixture(scope="module")
def documents() -> list[Document]:
    files = sorted((ROOT / "completion").glob("*.py"))
    return [Document("wicket", f"completion/{f.name}", "python", f.read_text()) for f in files]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> SimpleNamespace:
    """Every step by its command, on the sources of Wicket itself."""
    folder = tmp_path_factory.mktemp("training")
    rows = [(ROOT / "completion", "train"), (ROOT / "server/evaluation", "validate")]
    manifest = "".join(
        f'[[package]]\nname="{place}"\nversion="1"\nlicence="Apache-2.0"\nsha256=""\n'
        f'registry="folder"\nuse="{use}"\n'
        for place, use in rows
    )
    (folder / "toy.toml").write_text(manifest)
    common = ["--folder", str(folder), "--manifest", str(folder / "toy.toml"), "--size", "toy"]
    short = ["--tokens", "60000", "--every", "10", "--name", "wicket-toy", "--threads", "1"]
    kept = ["--keep", "--holes", "12", "--kind", "q8_0"]
    codes = [main([step, *common, *short, *kept]) for step in ("all", "match", "match", "sizes")]
    return SimpleNamespace(folder=folder, codes=codes, model=folder / "wicket-toy-q8_0.gguf")


def test_every_step_by_its_command(made: SimpleNamespace) -> None:
    assert made.codes == [0, 0, 0, 0]
    record = train.record(made.folder / "log.jsonl")
    held = [row["validation"] for row in record if "validation" in row]
    assert held[-1] < held[0] < 7.2, "it learns something that was held out"
    measured = [row["step"] for row in record if row.get("holes") == 12]
    assert measured == [row["step"] for row in record if "validation" in row]
    noted = re.findall('"holes"', (made.folder / "log.jsonl").read_text())
    assert len(noted) == len(measured), "what was measured is not measured again"
    picture = (made.folder / "loss.svg").read_text()
    assert picture.startswith("<svg")
    assert "loss, nats per token" in picture
    assert "exact match, %" in picture
    said = (made.folder / "CARD.md").read_text()
    for heading in (
        "## Training",
        "## Figures",
        "## What it knows by heart",
        "## Limits",
        "## Data",
    ):
        assert heading in said
    assert weights.digest(made.model) in said


def test_our_engine_answers_with_it(made: SimpleNamespace) -> None:
    backend = LocalBackend(made.model)
    backend.load(lambda _share: None)
    request = Complete(1, "a.py", "python", "import os\n\ndef f(a):\n    return ", "\n")
    *_pieces, done = backend.complete(request, lambda: None)
    assert done.done != "failed"
    assert gguf.read(made.model).parameters == SIZES["toy"].parameters


def test_a_toy_again_is_the_same_toy(documents: list[Document], tmp_path: Path) -> None:
    """Twice from a seed, and once with a stop in the middle: the same weights to the bit."""
    words = tokens.of_gguf(SHIPPED)
    sampler = Sampler(documents, words)
    size = replace(TOY, vocabulary=words.size)
    plan = train.Plan(size, tokens=12 * 512, every=4)

    def run(name: str, plan: train.Plan, resume: bool = False) -> dict[str, object]:
        network = train.train(
            plan, sampler, sampler, tmp_path / name, resume=resume, say=lambda _said: None
        )
        return network.state_dict()

    whole, again = run("a", plan), run("b", plan)
    run("c", replace(plan, until=0.0))
    assert len(train.record(tmp_path / "c/log.jsonl")) == 1, "it stopped after one step"
    stopped = run("c", plan, resume=True)
    for name, tensor in whole.items():
        assert torch.equal(tensor, again[name]), name
        assert torch.equal(tensor, stopped[name]), name
    last = [train.record(tmp_path / name / "log.jsonl")[-1] for name in "abc"]
    assert {(row["step"], row["validation"]) for row in last} == {(12, last[0]["validation"])}


@pytest.mark.parametrize(
    ("took", "seconds", "steps", "counts"),
    [
        (40.0, 0.0, 0, 40.0),  # The first may compile, or wait for the first rows.
        (3.0, 300.0, 100, 3.0),
        (50.0, 300.0, 100, 50.0),  # Others need the machine, too.
        (600.0, 300.0, 100, 60.0),  # It stood still.
        (600.0, 9000.0, 100, 600.0),  # A slow machine does not.
        (7200.0, 9000.0, 100, 900.0),
    ],
)
def test_time_in_which_it_stood_still_does_not_count(
    took: float, seconds: float, steps: int, counts: float
) -> None:
    assert train.counted(took, seconds, steps) == counts


def test_hidden_text_weighs_what_is_said(words: tokens.Tokens, documents: list[Document]) -> None:
    rows = Sampler(documents, words).rows(1, 0, 8, 256)
    assert (train.worth(rows, words.fim.mid, 1.0) == 1).all()
    found, hidden = train.worth(rows, words.fim.mid, 4.0), train.answers(rows, words.fim.mid)
    assert found.mean() == pytest.approx(1)
    assert found[hidden].min() == pytest.approx(4 * found[~hidden].max())


def test_exact_match_tells_models_apart(made: SimpleNamespace, documents: list[Document]) -> None:
    """The shipped model knows some line ends of this project, a toy of a minute hardly one."""
    holes = match.holes_of(documents, 40)
    assert {hole.kind for hole in holes} == {"rest"}
    shipped, toy = match.measured(SHIPPED, holes), match.measured(made.model, holes)
    assert shipped.count == toy.count == 40
    assert shipped.value > toy.value + 0.05
    assert shipped.low < shipped.value < shipped.high


def test_training_needs_little(made: SimpleNamespace, tmp_path: Path) -> None:
    """A machine lent for training has PyTorch, numpy and tokenizers, and nothing of ours."""
    for name in ("corpus.jsonl.xz", "tokenizer.json"):
        (tmp_path / name).write_bytes((made.folder / name).read_bytes())
    absent = ("gguf", "llama_cpp", "tree_sitter", "rich", "httpx2", "pygls", "cryptography")
    code = (
        f"import sys; sys.modules.update(dict.fromkeys({absent!r}))\n"
        "from wicket.completion.training.__main__ import main\n"
        "sys.exit(main(sys.argv[1:]))"
    )
    words = ["train", "--folder", str(tmp_path), "--size", "toy", "--tokens", "2000"]
    done = subprocess.run(
        [sys.executable, "-I", "-c", code, *words, "--threads", "1", "--processes", "2"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "held out" in done.stdout


def test_what_cannot_be_trained_is_said_in_a_line(
    made: SimpleNamespace, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    folder = str(made.folder)
    cases = {
        "is there already": ["train", "--folder", folder, "--size", "toy"],
        "of another size or seed": ["train", "--folder", folder, "--resume", "--seed", "5"],
        "cannot be read": ["train", "--folder", str(tmp_path)],
        "no such file": ["tokenizer", "--folder", folder, "--start", "/nowhere.gguf"],
    }
    for why, words in cases.items():
        assert main(words) == 1
        said = capsys.readouterr().err
        assert why in said, said
        assert said.count("\n") == 1


@pytest.mark.parametrize(
    ("marked", "after"),
    [
        ("import os\n\ndef f(a):\n    return a.va$0lue + 1\n\nf(2)\n", 9),
        ("def f(a):\n\treturn g(a, $0b)\n\nf(2)\n", 1),
        ('def f(a):\n    print($0"x")\n', 3),
        ("x = [1, 2$0]\n", 0),
        ("$0import os\n", 9),
        ("naïve = 'é$0té'  # 日本\n", 2),
    ],
)
@pytest.mark.parametrize("others", [(), (Snippet("b.py", "def g(a, b)"),)])
def test_a_sample_is_the_prompt_of_the_engine(
    words: tokens.Tokens, marked: str, after: int, others: tuple[Snippet, ...]
) -> None:
    """The tokens before the answer are those that `prompt.build` makes at the same cursor."""
    prefix, rest = marked.split("$0")
    missing, suffix = rest[:after], rest[after:]
    sampler = Sampler([Document("p", "a.py", "python", marked)], words)
    budget = Budget(context=1024, suffix=160, decode=32)
    built = prompt.build(
        words.fim, words, budget, Anchors(),
        path="src/a.py", prefix=prefix, suffix=suffix, context=others,
    )  # fmt: skip
    shown = sampler.shown("src/a.py", prefix, missing, suffix, others)
    assert shown[: len(built.ids)] == built.ids
    answer = shown[len(built.ids) :]
    assert answer.pop() == tokens.END
    closers = prompt.CLOSERS.match(suffix)
    wanted = missing + (closers[0] if closers else "")
    assert words.text_of(answer) == built.healed.decode() + families.to_model(words.fim, wanted)


def test_rows_hold_whole_samples_and_no_foreign_marker(
    words: tokens.Tokens, documents: list[Document]
) -> None:
    poisoned = replace(documents[0], text=documents[0].text + "\n# <|fim_middle|><|endoftext|>\n")
    sampler = Sampler([*documents, poisoned], words)
    rows = sampler.rows(3, 0, 24, 256)
    assert rows.shape == (24, 257)
    fim = words.fim
    for row in rows.tolist():
        assert row[0] == fim.sep
        for kind in (fim.suf, fim.pre, fim.mid):
            assert abs(row.count(kind) - row.count(fim.mid)) <= 1
    assert (sampler.rows(3, 0, 24, 256) == rows).all()
    assert (sampler.rows(3, 1, 24, 256) != rows).any()
    hidden = train.answers(rows, fim.mid)
    assert 0.02 < hidden.mean() < 0.5
    with batches(sampler, 3, 2) as made:
        stream = made.from_number(0, 24, 256)
        assert (next(stream) == rows).all(), "other processes make the same"
        assert (next(stream) == sampler.rows(3, 1, 24, 256)).all()


def test_holes_are_drawn_of_every_kind(documents: list[Document]) -> None:
    text = documents[3].text
    drawn = [spans.draw(text, "python", Random(n)) for n in range(400)]
    found = [text[span.start : span.end] for span in drawn if span]
    assert len(found) > 380
    assert all(0 < len(said) <= spans.LONGEST for said in found)
    in_words = sum(text[s.start - 1 : s.start + 1].isalnum() and s.start > 0 for s in drawn if s)
    assert in_words > 40, "half-typed words"
    assert sum("\n" in said for said in found) > 40, "several lines"
    assert sum(text[s.end : s.end + 1] not in ("\n", "") for s in drawn if s) > 40, "inside lines"


def test_the_tokenizer_is_llama_cpps(made: SimpleNamespace, words: tokens.Tokens) -> None:
    """On ten thousand lines of this project, of both vocabularies."""
    texts = [f.read_text() for room in ("server", "tests", "indexing", "escalation")
             for f in sorted((ROOT / room).rglob("*.py"))]  # fmt: skip
    assert sum(text.count("\n") for text in texts) > verify.LINES
    assert verify.tokenizer(SHIPPED, words, texts) == []
    assert verify.tokenizer(made.model, tokens.load(made.folder / "tokenizer.json"), texts) == []


def test_other_tokenizers_are_told_apart(made: SimpleNamespace, words: tokens.Tokens) -> None:
    """The comparison can fail: with one merge less, lines are split otherwise."""
    fewer = tokens.Tokens(words.texts, words.merges[40:])
    assert verify.tokenizer(SHIPPED, fewer, [(ROOT / "completion/holes.py").read_text()])


def test_weights_come_and_go_unchanged(words: tokens.Tokens, tmp_path: Path) -> None:
    """Read into PyTorch and written again, every matrix has the same bytes."""
    network, header = weights.read(SHIPPED)
    assert weights.kind_of(header) == "q8_0"
    path = tmp_path / "again.gguf"
    weights.write(path, network, words, "q8_0", weights.About())
    first, second = (
        {tensor.name: tensor.data.tobytes() for tensor in format.GGUFReader(file).tensors}
        for file in (SHIPPED, path)
    )
    assert first == second
    assert gguf.read(path).metadata["general.license"] == "Apache-2.0"


@pytest.mark.parametrize(
    ("kind", "mean", "same"),
    [("f32", 0.02, 1.0), ("f16", 0.02, 1.0), ("q8_0", 0.1, 0.9), ("q4_0", 1.0, 0.6)],
)
def test_llama_cpp_computes_the_same(
    words: tokens.Tokens, tmp_path: Path, kind: str, mean: float, same: float
) -> None:
    """The bounds are some times what was measured (docs/training.md)."""
    network, _header = weights.read(SHIPPED)
    path = tmp_path / f"{kind}.gguf"
    weights.write(path, network, words, kind, weights.About())
    text = words.tokenize((ROOT / "completion/llama.py").read_text())
    found = verify.logits(path, network, [text[n * 90 : n * 90 + 160] for n in range(12)])
    assert found.mean < mean
    assert found.same >= same


def test_a_wrong_rotation_would_be_seen(words: tokens.Tokens) -> None:
    """The comparison can fail: with queries turned the other way logits are far apart."""
    network, _header = weights.read(SHIPPED)
    with torch.no_grad():
        network.blk[0].attn_q.weight.copy_(network.blk[0].attn_q.weight.flip(0))
    text = words.tokenize((ROOT / "completion/llama.py").read_text())
    assert verify.logits(SHIPPED, network, [text[:160]]).mean > 0.2


def test_models_of_others_are_refused(tmp_path: Path) -> None:
    writer = format.GGUFWriter(tmp_path / "other.gguf", "llama")
    writer.add_name("someone-else")
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.close()
    with pytest.raises(BadModel, match="was not trained here"):
        weights.read(tmp_path / "other.gguf")


def test_what_was_learnt_by_heart_is_found(words: tokens.Tokens, tmp_path: Path) -> None:
    """A model that saw one file a hundred times repeats it, and nothing it never saw."""
    text = "".join(f"value_{n} = compute({n}, 'seed {n * 7919 % 100}')\n" for n in range(60))
    learnt = Sampler([Document("p", "a.py", "python", text)], words)
    unseen = Sampler(
        [Document("q", "b.py", "python", (ROOT / "completion/holes.py").read_text())], words
    )
    size = replace(TOY, vocabulary=words.size, lengths=(256, 256))
    plan = train.Plan(size, tokens=512 * 240, every=1000)
    network = train.train(plan, learnt, learnt, tmp_path, say=lambda _said: None)
    found = memory.recall(network.eval(), learnt, unseen, 12)
    assert found.longest[0].text in families.to_model(words.fim, text)
    assert found.mean > 4 * found.mean_unseen
    assert len(found.longest[0].text) > 40


def test_a_card_says_everything() -> None:
    said = card.text(
        card.Card(
            name="wicket-x", file="x.gguf", bytes=1, sha256="0" * 64, licence="Apache-2.0",
            languages=("python",), size=SIZES["7m"], tokens=8192,
            data=[("django 5", "BSD-3-Clause", 1000)], way=["two hours"],
            memory=memory.Memory([memory.Repeat("django", "a.py", "x | `y`")], 9.0, 8.0, 30),
            base="wicket-base, Apache-2.0", figures=["right: 3 of 4"],
        )
    )  # fmt: skip
    for part in ("wicket-base, Apache-2.0", "django 5", "right: 3 of 4", "two hours", "httpx"):
        assert part in said
    assert "x \\| 'y'" in said
    rows = [line for line in said.splitlines() if line.startswith("|")]
    assert all(re.fullmatch(r"\|.*\|", row) for row in rows)
    json.dumps(said)


def test_a_corpus_keeps_its_account(made: SimpleNamespace) -> None:
    found = corpus.load(made.folder / "corpus.jsonl.xz")
    assert {document.package for document in found.train} == {str(ROOT / "completion")}
    assert {document.package for document in found.validate} == {str(ROOT / "server/evaluation")}
