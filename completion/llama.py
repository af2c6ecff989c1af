"""One GGUF in memory and its KV cache: the only module that imports llama.cpp.

The low-level API is used throughout: the high-level class of llama-cpp-python renders
fill-in-the-middle prompts wrongly and drops tokens longer than 32 bytes.
"""

# ctypes bindings carry no usable types; everything public below is typed by hand.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false, reportPrivateUsage=false

import ctypes
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import llama_cpp.llama_cpp as api
import numpy as np
from numpy.typing import NDArray

from .slots import CannotLoad, DecodeFailed, Interrupted

# One llama_decode call takes at most BATCH tokens; the abort flag is looked at between
# graph nodes, and a finished micro-batch of UBATCH tokens survives an abort.
BATCH = 512
UBATCH = 64
# Texts whose tokens are remembered.
TOKENIZED_TEXTS = 64


class Llama:
    """A model with `slots` sequences of `context` tokens each.

    Not thread-safe: one thread owns it, except `interrupt`, which any thread may call.
    Satisfies `families.Vocabulary`.
    """

    def __init__(
        self,
        path: Path,
        *,
        context: int,
        slots: int = 4,
        threads: int = 1,
        gpu_layers: int = 0,
        progress: Callable[[float], None] = lambda _share: None,
    ) -> None:
        """Raises CannotLoad."""
        api.llama_log_set(_SILENT, ctypes.c_void_p(0))
        api.llama_backend_init()

        def on_progress(share: float, _user: Any) -> bool:
            progress(share)
            return True

        params = api.llama_model_default_params()
        params.n_gpu_layers = gpu_layers
        params.progress_callback = api.llama_progress_callback(on_progress)
        self._model: Any = api.llama_model_load_from_file(str(path).encode(), params)
        if not self._model:
            raise CannotLoad(
                f"llama.cpp cannot load {path.name}: damaged or of an unknown "
                "architecture; run `wicket model verify`"
            )
        self._vocabulary: Any = api.llama_model_get_vocab(self._model)
        self.size: int = api.llama_vocab_n_tokens(self._vocabulary)
        self.context = context
        self.slots = slots
        self._threads = threads
        # Context and batch to a return code; a test puts one here that fails on purpose.
        self.decode: Callable[[Any, Any], int] = api.llama_decode
        self._tokenized: dict[str, list[int]] = {}
        self._metadata = self._read_metadata()
        # The abort callback is libc's strlen over this buffer: an empty string means go
        # on, a non-empty one means stop.  No Python runs inside the computation.
        self._stop = ctypes.create_string_buffer(64)
        self._batch = _Batch(BATCH)
        try:
            self._context = self._new_context()
        except CannotLoad:
            api.llama_model_free(self._model)
            raise
        self._memory: Any = api.llama_get_memory(self._context)

    def renew(self) -> None:
        """Compute in a new context, whose slots are empty.

        Raises CannotLoad where there is no memory for one; the old one then stays.
        """
        context = self._new_context()
        api.llama_free(self._context)
        self._context, self._memory = context, api.llama_get_memory(context)

    def _new_context(self) -> Any:
        params = api.llama_context_default_params()
        params.n_ctx = self.context * self.slots
        params.n_seq_max = self.slots
        params.kv_unified = False
        params.n_batch = BATCH
        params.n_ubatch = UBATCH
        params.n_threads = params.n_threads_batch = self._threads
        params.no_perf = True
        strlen: Any = ctypes.cast(ctypes.CDLL(None).strlen, ctypes.c_void_p).value
        params.abort_callback = api.ggml_abort_callback(strlen)
        params.abort_callback_data = ctypes.cast(self._stop, ctypes.c_void_p)
        context = api.llama_init_from_model(self._model, params)
        if not context:
            raise CannotLoad(
                f"no memory for a context of {self.context} tokens; close other programs "
                "or choose a smaller model with `wicket model use NAME`"
            )
        return context

    @property
    def metadata(self) -> Mapping[str, str]:
        """Scalar GGUF metadata as text."""
        return self._metadata

    def _read_metadata(self) -> dict[str, str]:
        buffer = ctypes.create_string_buffer(4096)
        found: dict[str, str] = {}
        for i in range(api.llama_model_meta_count(self._model)):
            api.llama_model_meta_key_by_index(self._model, i, buffer, len(buffer))
            key = buffer.value.decode("utf-8", "replace")
            api.llama_model_meta_val_str_by_index(self._model, i, buffer, len(buffer))
            found[key] = buffer.value.decode("utf-8", "replace")
        return found

    def tokenize(self, text: str) -> list[int]:
        """Token ids of `text`; markers inside it stay plain text.

        The latest texts are remembered: of a prompt, one key changes only the prefix.
        """
        found = self._tokenized.get(text)
        if found is None:
            if len(self._tokenized) >= TOKENIZED_TEXTS:
                self._tokenized.clear()
            found = self._tokenized[text] = self._tokenize(text, special=False)
        return list(found)

    def _tokenize(self, text: str, *, special: bool) -> list[int]:
        return self._ids(text.encode("utf-8", "replace"), special=special)

    def _ids(self, data: bytes, *, special: bool) -> list[int]:
        room = len(data) + 8
        ids = (api.llama_token * room)()
        count = api.llama_tokenize(self._vocabulary, data, len(data), ids, room, False, special)
        return ids[: max(count, 0)]

    def spell(self, data: bytes) -> list[int]:
        """Token ids of bytes, which may begin or end inside a character; not remembered."""
        return self._ids(data, special=False)

    def id_of(self, token_text: str) -> int | None:
        ids = self._tokenize(token_text, special=True)
        if len(ids) != 1:
            return None
        text: bytes = api.llama_vocab_get_text(self._vocabulary, ids[0])
        return ids[0] if text.decode("utf-8", "replace") == token_text else None

    @cached_property
    def pieces(self) -> list[bytes]:
        """The bytes of every token; control tokens are empty."""
        return [self._piece(token) for token in range(self.size)]

    def _piece(self, token: int) -> bytes:
        buffer = ctypes.create_string_buffer(64)
        size = api.llama_token_to_piece(self._vocabulary, token, buffer, 64, 0, False)
        if size < 0:  # The buffer was too small and the size is the one needed.
            buffer = ctypes.create_string_buffer(-size)
            size = api.llama_token_to_piece(self._vocabulary, token, buffer, -size, 0, False)
        return buffer.raw[:size]

    @cached_property
    def ends(self) -> frozenset[int]:
        """Tokens that end a generation."""
        return frozenset(t for t in range(self.size) if api.llama_vocab_is_eog(self._vocabulary, t))

    def evaluate(self, slot: int, tokens: Sequence[int], position: int, rows: int = 1) -> None:
        """Append `tokens` to `slot` at `position`; `logits` then speaks of the last `rows`,
        which are in one batch.

        Raises Interrupted (`length` says how much was kept) or DecodeFailed (`forget` or
        `renew` makes the state known again).
        """
        start = 0
        while start < len(tokens):
            # All rows are in the last batch.
            end = min(start + BATCH, len(tokens))
            end = end if end == len(tokens) else min(end, len(tokens) - rows)
            last = rows if end == len(tokens) else 0
            self._batch.fill(tokens[start:end], position + start, slot, rows=last)
            start = end
            code = self.decode(self._context, self._batch.struct)
            if code == 2:
                raise Interrupted("interrupted")
            if code != 0:
                raise DecodeFailed(_DECODE_CODES.get(code, f"llama_decode gave {code}"))

    def logits(self, but: int = 0) -> NDArray[np.float32]:
        """One number per token of the vocabulary, of what comes behind the last row but so
        many; valid until the next `evaluate`."""
        pointer = api.llama_get_logits_ith(self._context, -1 - but)
        return np.ctypeslib.as_array(pointer, shape=(self.size,))

    def length(self, slot: int) -> int:
        """Tokens that the KV cache holds for `slot`."""
        return api.llama_memory_seq_pos_max(self._memory, slot) + 1

    def keep(self, slot: int, length: int) -> int:
        """Forget `slot` from `length` on; answers what remains.

        Recurrent models cannot rewind: for them nothing remains.
        """
        if api.llama_memory_seq_rm(self._memory, slot, length, -1):
            return length
        api.llama_memory_seq_rm(self._memory, slot, -1, -1)
        return 0

    def copy(self, source: int, target: int, length: int) -> int:
        """Have `target` hold the first `length` tokens of `source`, which keeps them.

        Answers what it holds.  Slots are buffers of their own, so llama.cpp copies a whole
        one, before the next computation: some milliseconds for a large model.  In one
        common buffer nothing would be copied, but each token would attend to the cells of
        every document.
        """
        api.llama_memory_seq_cp(self._memory, source, target, -1, -1)
        return self.keep(target, length)

    def forget(self) -> None:
        """Empty every slot."""
        api.llama_memory_clear(self._memory, True)

    def interrupt(self) -> None:
        """Make a running `evaluate` raise Interrupted within one graph node."""
        self._stop[0] = b"x"

    def resume(self) -> None:
        self._stop[0] = b"\0"

    def close(self) -> None:
        api.llama_free(self._context)
        api.llama_model_free(self._model)


# llama.h, llama_decode: 1 no KV slot, 2 aborted, -1 bad batch, below -1 a fatal error.
_DECODE_CODES = {
    1: "the KV cache is full",
    -1: "llama.cpp refused the batch",
    -2: "llama.cpp could not allocate memory",
    -3: "llama.cpp failed in the computation",
}


class _Batch:
    """A llama_batch over numpy arrays, reused for every call."""

    def __init__(self, room: int) -> None:
        self._tokens = np.zeros(room, np.int32)
        self._positions = np.zeros(room, np.int32)
        self._logits = np.zeros(room, np.int8)
        self._ones = np.ones(room, np.int32)
        self._slot = api.llama_seq_id(0)
        pointer = ctypes.POINTER(api.llama_seq_id)
        self._slots = (pointer * room)(*[ctypes.pointer(self._slot)] * room)
        self.struct: Any = api.llama_batch()
        self.struct.token = _pointer(self._tokens, api.llama_token)
        self.struct.pos = _pointer(self._positions, api.llama_pos)
        self.struct.n_seq_id = _pointer(self._ones, ctypes.c_int32)
        self.struct.seq_id = ctypes.cast(self._slots, ctypes.POINTER(pointer))
        self.struct.logits = _pointer(self._logits, ctypes.c_int8)

    def fill(self, tokens: Sequence[int], position: int, slot: int, *, rows: int) -> None:
        count = len(tokens)
        self.struct.n_tokens = count
        self._tokens[:count] = tokens
        self._positions[:count] = np.arange(position, position + count)
        self._logits[:count] = 0
        self._logits[max(0, count - rows) : count] = 1
        self._slot.value = slot


def _pointer(array: NDArray[Any], kind: Any) -> Any:
    return array.ctypes.data_as(ctypes.POINTER(kind))


@api.llama_log_callback
def _SILENT(_level: int, _text: bytes, _user: Any) -> None:
    """llama.cpp writes several lines per abort; none says more than the return code."""
