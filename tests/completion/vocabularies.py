"""Real tokenizers for tests: llama.cpp loads a file's vocabulary and nothing else."""

import ctypes
import os
from collections.abc import Mapping
from pathlib import Path

import llama_cpp.llama_cpp as api
import pytest
from wicket.completion import gguf


@api.llama_log_callback
def _silent(_level: int, _text: bytes, _user: object) -> None:
    """llama.cpp reports pages about each file that it loads."""


class LlamaVocabulary:
    """A `families.Vocabulary`."""

    def __init__(self, path: Path) -> None:
        api.llama_log_set(_silent, ctypes.c_void_p(0))
        params = api.llama_model_default_params()
        params.vocab_only = True
        self._model = api.llama_model_load_from_file(str(path).encode(), params)
        assert self._model, f"llama.cpp cannot load {path}"
        self._vocab = api.llama_model_get_vocab(self._model)
        self.size: int = api.llama_vocab_n_tokens(self._vocab)
        self.texts = [
            api.llama_vocab_get_text(self._vocab, i).decode(errors="replace")
            for i in range(self.size)
        ]
        self._ids = {text: i for i, text in reversed(list(enumerate(self.texts)))}
        self.metadata: Mapping[str, str] = {
            key: str(value).lower() if isinstance(value, bool) else str(value)
            for key, value in gguf.read(path).metadata.items()
        }

    def id_of(self, token_text: str) -> int | None:
        return self._ids.get(token_text)

    def tokenize(self, text: str) -> list[int]:
        data = text.encode()
        ids = (api.llama_token * (len(data) + 8))()
        count = api.llama_tokenize(self._vocab, data, len(data), ids, len(ids), False, False)
        assert count >= 0
        return ids[:count]

    def spelled(self, ids: list[int]) -> str:
        """The text of `ids`, markers included."""
        data = b""
        buffer = ctypes.create_string_buffer(1024)
        for token in ids:
            count = api.llama_token_to_piece(self._vocab, token, buffer, 1024, 0, True)
            assert count >= 0
            data += buffer.raw[:count]
        return data.decode()

    def detected(self) -> tuple[int, int, int]:
        """Prefix, suffix and middle marker as llama.cpp finds them by itself."""
        return (
            api.llama_vocab_fim_pre(self._vocab),
            api.llama_vocab_fim_suf(self._vocab),
            api.llama_vocab_fim_mid(self._vocab),
        )

    def close(self) -> None:
        api.llama_model_free(self._model)


def real(name: str) -> Path:
    """One of the vocabularies in the source distribution of llama-cpp-python."""
    cache = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    folder = os.environ.get("WICKET_TEST_VOCABULARIES") or (f"{cache}/wicket-dev/vocabularies")
    path = Path(folder).expanduser() / f"ggml-vocab-{name}.gguf"
    if not path.is_file():
        pytest.fail(f"{path.name} is missing: run `make test`", pytrace=False)
    return path
