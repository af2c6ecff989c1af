"""A model of somebody else, tuned by an adapter: the real libraries, on a very small model."""

import sys
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import wicket.completion.models as models_folder
from wicket.completion.gguf import BadModel
from wicket.completion.local import LocalBackend
from wicket.completion.wire import Complete

WHY = "tuning models of others needs the extra [train], which is not installed here"
torch = pytest.importorskip("torch", reason=WHY)
pytest.importorskip("tokenizers", reason=WHY)
format = pytest.importorskip("gguf", reason=WHY)
pytest.importorskip("transformers", reason=WHY)
pytest.importorskip("peft", reason=WHY)

from wicket.completion.training import lora, tokens, tune, weights  # noqa: E402
from wicket.completion.training.corpus import Document  # noqa: E402

SHIPPED = Path(models_folder.__file__).parent / "wicket-base-q8_0.gguf"
ROOT = Path(__file__).parents[2]

torch.set_num_threads(1)


def other(path: Path, kind: str = "q8_0") -> Path:
    """The shipped weights as a model that nobody here trained: by another name, and so asked
    in another family's format."""
    network, _header = weights.read(SHIPPED)
    weights.write(path, network, tokens.of_gguf(SHIPPED), kind, weights.About(name="tiny-coder"))
    return path


def documents(names: Sequence[str]) -> list[Document]:
    texts = {name: (ROOT / f"completion/{name}.py").read_text() for name in names}
    return [Document("w", f"{name}.py", "python", text) for name, text in texts.items()]


def content(path: Path) -> dict[str, Any]:
    """What a file holds: its tensors' bytes, and everything that it says before them."""
    reader = format.GGUFReader(path)
    found = {tensor.name: tensor.data.tobytes() for tensor in reader.tensors}
    head = path.read_bytes()[: reader.data_offset]
    return found | {"head": head}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> SimpleNamespace:
    folder = tmp_path_factory.mktemp("lora")
    base = other(folder / "tiny.gguf")
    (folder / "mine").mkdir()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(lora, "LENGTH", 256)
        patch.setattr(lora, "PLACES", 4)
        patch.setattr(lora, "BATCH", 512)
        patch.setattr(lora, "PASSES", 2)
        found = tune.tune(
            base,
            documents(("holes", "families")),
            documents(("copies",)),
            folder / "mine",
            weights.About(),
            seconds=1e9,
        )
    return SimpleNamespace(base=base, tuned=found)


def test_an_adapter_is_trained_and_merged_into_a_copy(made: SimpleNamespace) -> None:
    tuned = made.tuned
    assert tuned.after.all < tuned.before.all - 0.05, "held-out text of the same hand"
    assert (tuned.size, tuned.entries) == (None, 8192)
    assert "rank 16 beside 42 matrices" in tuned.way[0]
    assert tuned.sha256 == weights.digest(tuned.path)
    before, after = content(made.base), content(tuned.path)
    changed = {name for name in before if before[name] != after[name]}
    kinds = ("attn_q", "attn_k", "attn_v", "attn_output", "ffn_gate", "ffn_up", "ffn_down")
    assert changed == {f"blk.{n}.{kind}.weight" for n in range(6) for kind in kinds}


def test_the_engine_answers_with_it(made: SimpleNamespace) -> None:
    backend = LocalBackend(made.tuned.path)
    backend.load(lambda _share: None)
    request = Complete(1, "a.py", "python", "import os\n\ndef f(a):\n    return ", "\n")
    *_pieces, done = backend.complete(request, lambda: None)
    assert done.done != "failed"


def test_what_the_engine_reads_otherwise_is_refused(
    made: SimpleNamespace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With heads left in halves the file is as good as before, and says something else."""
    header = lora.gguf.read(made.base)
    reader = lora.Reader(lora.loaded(made.base), 256)
    places = lora.matrices(header, reader.model)
    words = tokens.of_gguf(SHIPPED)
    ids = words.tokenize((ROOT / "completion/holes.py").read_text())[:2000]
    rows = torch.tensor(ids).view(8, 250).numpy()
    lora.write(made.base, tmp_path / "same.gguf", header, reader.model, places)
    lora.agree(tmp_path / "same.gguf", reader, rows)
    assert content(tmp_path / "same.gguf") == content(made.base), "nothing was learnt"
    monkeypatch.setattr(lora, "paired", lambda values, _heads: values)
    lora.write(made.base, tmp_path / "wrong.gguf", header, reader.model, places)
    with pytest.raises(BadModel, match="so it cannot be tuned here"):
        lora.agree(tmp_path / "wrong.gguf", reader, rows)


def test_kinds_of_numbers_that_cannot_be_written_are_named(tmp_path: Path) -> None:
    base = other(tmp_path / "k.gguf", "q4_k_m")
    with pytest.raises(BadModel, match=r"Q4_K cannot be written here; take the model's Q8_0"):
        lora.matrices(lora.gguf.read(base), lora.loaded(base))


def test_without_the_libraries_it_says_what_to_install(
    made: SimpleNamespace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delitem(sys.modules, lora.__name__)
    monkeypatch.delattr("wicket.completion.training.lora")
    monkeypatch.setitem(sys.modules, "peft", None)
    with pytest.raises(BadModel, match=r'peft is not installed; `pip install "wicket\[train\]"`'):
        tune.tune(made.base, [], [], tmp_path, weights.About(), 1.0)
