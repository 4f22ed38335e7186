"""Networks of one-hot DNA (n, 4, positions) that several tests explain."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn


class Constant(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = nn.Conv1d(4, 3, 3)
        self.last = nn.Linear(3, 1)
        nn.init.zeros_(self.last.weight)

    def forward(self, x):
        return self.last(torch.relu(self.layer(x)).mean(-1))


class Recurrent(nn.Module):
    """A network with an operation that DeepLIFT has no rule for."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv1d(4, 6, 7, padding=3)
        self.memory = nn.GRU(6, 5, batch_first=True)
        self.last = nn.Linear(5, 1)

    def forward(self, x):
        states, _ = self.memory(3 * self.conv(x).transpose(1, 2))
        return self.last(3 * states[:, -1])


@contextmanager
def room_for(rows: int, model: nn.Module) -> Iterator[list[int]]:
    """Let a model run out of memory above so many rows; give the rows of its calls."""
    called: list[int] = []

    def check(module, inputs):
        called.append(len(inputs[0]))
        if len(inputs[0]) > rows:
            raise torch.OutOfMemoryError("CUDA out of memory")

    handle = model.register_forward_pre_hook(check)
    try:
        yield called
    finally:
        handle.remove()
