"""The sizes of models that can be trained: rows of data, and what training one costs.  Pure."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Size:
    """A decoder of the Llama architecture, and how it is trained.

    `lengths` are the tokens of a row of training data: the first for most of the way, the
    last, which is the model's context, for the rest.  `batch` counts tokens of one step,
    `tokens` those of a whole training; the rates are Muon's and AdamW's.
    """

    name: str
    layers: int
    width: int
    heads: int
    kv_heads: int
    hidden: int
    vocabulary: int
    lengths: tuple[int, int]
    batch: int
    tokens: int
    muon: float = 0.02
    adam: float = 3e-3
    rope: float = 10_000.0
    epsilon: float = 1e-5

    @property
    def context(self) -> int:
        return self.lengths[-1]

    @property
    def head(self) -> int:
        return self.width // self.heads

    @property
    def parameters(self) -> int:
        attention = 2 * self.width * self.width + 2 * self.width * self.kv_heads * self.head
        layer = attention + 3 * self.width * self.hidden + 2 * self.width
        return self.vocabulary * self.width + self.layers * layer + self.width

    def flops(self, length: int) -> float:
        """Floating-point operations of training on one token in rows of `length`: six for
        each parameter (Kaplan et al. 2020, table 1), and attention's, of which causality
        saves half."""
        return 6.0 * self.parameters + 6.0 * self.layers * self.width * length

    def seconds(self, rate: float) -> float:
        """How long the whole training takes at `rate` floating-point operations a second."""
        first, last = (self.tokens * share for share in (SHORT, 1 - SHORT))
        work = first * self.flops(self.lengths[0]) + last * self.flops(self.lengths[1])
        return work / rate


# The share of a training that is done in rows of the shorter length.
SHORT = 0.75
M, B = 10**6, 10**9

# Tokens: the embedded model is trained for as many as a machine without an accelerator
# reads in some hours, the others for what one such machine reads in half an hour (the
# time of each, and from which measured rate it follows, is in docs/training.md).
SIZES = {
    size.name: size
    for size in (
        Size("toy", 2, 64, 2, 1, 192, 1024, (128, 256), 2_048, M // 2),
        Size("7m", 6, 256, 4, 2, 768, 8192, (512, 1024), 8_192, 100 * M),
        Size("30m", 7, 512, 8, 4, 1536, 16384, (1024, 2048), 262_144, 2 * B),
        Size("50m", 12, 512, 8, 4, 1536, 16384, (1024, 2048), 262_144, B),
        Size("90m", 12, 768, 12, 4, 2048, 16384, (1024, 2048), 262_144, B),
    )
}
