"""The network in PyTorch, as llama.cpp computes the architecture it calls `llama`."""

# PyTorch's annotations are too loose for the strict checker, and it may not be installed.
# pyright: basic, reportMissingImports=false

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .sizes import Size


class Layer(nn.Module):
    """Attention and a gated feed-forward network, each with its norm before it."""

    def __init__(self, size: Size) -> None:
        super().__init__()
        width, shared = size.width, size.kv_heads * size.head
        self.size = size
        self.attn_norm = nn.RMSNorm(width, eps=size.epsilon)
        self.attn_q = nn.Linear(width, width, bias=False)
        self.attn_k = nn.Linear(width, shared, bias=False)
        self.attn_v = nn.Linear(width, shared, bias=False)
        self.attn_output = nn.Linear(width, width, bias=False)
        self.ffn_norm = nn.RMSNorm(width, eps=size.epsilon)
        self.ffn_gate = nn.Linear(width, size.hidden, bias=False)
        self.ffn_up = nn.Linear(width, size.hidden, bias=False)
        self.ffn_down = nn.Linear(size.hidden, width, bias=False)

    def forward(self, x: Tensor, cosine: Tensor, sine: Tensor) -> Tensor:
        """`x` is batch x tokens x width."""
        batch, tokens, _ = x.shape
        normed = self.attn_norm(x)

        def heads(projected: Tensor, count: int) -> Tensor:
            return projected.view(batch, tokens, count, self.size.head).transpose(1, 2)

        q = rotated(heads(self.attn_q(normed), self.size.heads), cosine, sine)
        k = rotated(heads(self.attn_k(normed), self.size.kv_heads), cosine, sine)
        v = heads(self.attn_v(normed), self.size.kv_heads)
        each = self.size.heads // self.size.kv_heads
        k, v = k.repeat_interleave(each, 1), v.repeat_interleave(each, 1)
        seen = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        x = x + self.attn_output(seen.transpose(1, 2).reshape(batch, tokens, -1))
        normed = self.ffn_norm(x)
        return x + self.ffn_down(F.silu(self.ffn_gate(normed)) * self.ffn_up(normed))


class Network(nn.Module):
    """Tokens in, logits out; what a token is read as it is also written as."""

    def __init__(self, size: Size) -> None:
        super().__init__()
        self.size = size
        self.token_embd = nn.Embedding(size.vocabulary, size.width)
        self.blk = nn.ModuleList(Layer(size) for _ in range(size.layers))
        self.output_norm = nn.RMSNorm(size.width, eps=size.epsilon)
        inverse = 1.0 / size.rope ** (torch.arange(0, size.head, 2).float() / size.head)
        angles = torch.outer(torch.arange(size.context).float(), inverse)
        self.cosine = nn.Buffer(angles.cos(), persistent=False)
        self.sine = nn.Buffer(angles.sin(), persistent=False)
        for parameter in self.parameters():
            if parameter.ndim == 2:
                nn.init.normal_(parameter, std=0.02)
        # What is added to the stream grows with depth; smaller beginnings keep it level.
        for name, parameter in self.named_parameters():
            if name.endswith(("attn_output.weight", "ffn_down.weight")):
                nn.init.normal_(parameter, std=0.02 / (2 * size.layers) ** 0.5)

    def forward(self, tokens: Tensor) -> Tensor:
        """Logits, batch x tokens x vocabulary, of batch x tokens."""
        x = self.token_embd(tokens)
        count = tokens.shape[1]
        cosine, sine = self.cosine[:count].to(x.dtype), self.sine[:count].to(x.dtype)
        for layer in self.blk:
            x = layer(x, cosine, sine)
        return F.linear(self.output_norm(x), self.token_embd.weight)

    def loss(self, rows: Tensor) -> Tensor:
        """Nats that each token of `rows` but the first costs; batch x tokens."""
        return costs(self(rows[:, :-1]), rows[:, 1:])


def costs(logits: Tensor, wanted: Tensor) -> Tensor:
    """Nats that each of the `wanted` tokens costs; batch x tokens."""
    found = F.cross_entropy(logits.float().flatten(0, 1), wanted.flatten(), reduction="none")
    return found.view(wanted.shape)


def rotated(x: Tensor, cosine: Tensor, sine: Tensor) -> Tensor:
    """Positions as rotations of neighbouring pairs; batch x heads x tokens x head."""
    even, odd = x[..., 0::2], x[..., 1::2]
    turned = torch.stack((even * cosine - odd * sine, even * sine + odd * cosine), -1)
    return turned.flatten(-2)
