"""The two kinds of network; in each, ``early``, ``middle`` and ``late`` are interpreted."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import scaled_dot_product_attention

LAYERS = ("early", "middle", "late")
CHANNELS = 48
KERNEL = 15
DENSE = 64


def _stem(activation: nn.Module) -> nn.Sequential:
    """Return the first layer: (n, 4, 512) to (n, CHANNELS, 64).

    In two dimensions, of which one is 1, with channels last: nearly three times as fast on a CPU.
    """
    convolution = nn.Conv2d(4, CHANNELS, (1, KERNEL), padding=(0, KERNEL // 2))
    weight = convolution.weight
    weight.data = weight.data.contiguous(memory_format=torch.channels_last)
    return nn.Sequential(
        nn.Unflatten(2, (1, -1)),
        convolution,
        nn.MaxPool2d((1, 8)),
        nn.BatchNorm2d(CHANNELS),
        activation,
        nn.Flatten(2),
    )


class Cnn(nn.Module):
    """Convolutions with ReLU; every activation is a module of its own, as DeepLIFT needs it."""

    def __init__(self) -> None:
        super().__init__()
        self.early = _stem(nn.ReLU())
        self.middle = nn.Sequential(
            nn.Conv1d(CHANNELS, CHANNELS, 1),
            nn.BatchNorm1d(CHANNELS),
            nn.ReLU(),
            nn.AvgPool1d(8),
        )
        self.late = nn.Sequential(
            nn.AvgPool1d(8),
            nn.Flatten(),
            nn.Linear(CHANNELS, DENSE),
            nn.BatchNorm1d(DENSE),
            nn.ReLU(),
        )
        self.output = nn.Linear(DENSE, 2)

    def forward(self, x: Tensor) -> Tensor:
        """Return the logits of both labels, (n, 2), of one-hot DNA (n, 4, 512)."""
        logits: Tensor = self.output(self.late(self.middle(self.early(x))))
        return logits


class Attention(nn.Module):
    """Self-attention between tokens."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.projections = nn.Linear(width, 3 * width)
        self.joined = nn.Linear(width, width)

    def forward(self, x: Tensor) -> Tensor:
        """Return (n, tokens, width)."""
        parts = self.projections(x).unflatten(2, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
        attended = scaled_dot_product_attention(parts[0], parts[1], parts[2])
        result: Tensor = self.joined(attended.transpose(1, 2).flatten(2))
        return result


class Block(nn.Module):
    """Attention and a feed-forward part, each after a LayerNorm."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.attention = nn.Sequential(nn.LayerNorm(width), Attention(width, heads))
        self.dense = nn.Sequential(
            nn.LayerNorm(width), nn.Linear(width, 2 * width), nn.GELU(), nn.Linear(2 * width, width)
        )

    def forward(self, x: Tensor) -> Tensor:
        """Return (n, tokens, width)."""
        x = x + self.attention(x)
        result: Tensor = x + self.dense(x)
        return result


class Swap(nn.Module):
    """Swap channels and positions."""

    def forward(self, x: Tensor) -> Tensor:
        """Return (n, b, a) of (n, a, b)."""
        return x.transpose(1, 2)


class Transformer(nn.Module):
    """A convolution with GELU that makes 64 tokens, two blocks, a dense layer with GELU."""

    def __init__(self) -> None:
        super().__init__()
        self.early = _stem(nn.GELU())
        self.middle = nn.Sequential(
            Swap(), Block(CHANNELS, 2), Block(CHANNELS, 2), Swap(), nn.AvgPool1d(8)
        )
        self.late = nn.Sequential(
            nn.AvgPool1d(8),
            nn.Flatten(),
            nn.LayerNorm(CHANNELS),
            nn.Linear(CHANNELS, DENSE),
            nn.GELU(),
        )
        self.output = nn.Linear(DENSE, 2)

    def forward(self, x: Tensor) -> Tensor:
        """Return the logits of both labels, (n, 2), of one-hot DNA (n, 4, 512)."""
        logits: Tensor = self.output(self.late(self.middle(self.early(x))))
        return logits


NETWORKS: dict[str, type[Cnn] | type[Transformer]] = {"cnn": Cnn, "transformer": Transformer}
