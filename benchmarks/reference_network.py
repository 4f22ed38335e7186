"""A small network that captum's DeepLIFT is right for, and the layer that is looked at."""

from __future__ import annotations

from torch import nn

LAYER = "1"


def build() -> nn.Sequential:
    """Return the network, of one-hot DNA (n, 4, 40) and with one output, (n, 1)."""
    return nn.Sequential(
        nn.Conv1d(4, 6, 7),
        nn.LeakyReLU(0.1),
        nn.Conv1d(6, 5, 5, stride=2),
        nn.BatchNorm1d(5),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(75, 8),
        nn.LeakyReLU(0.1),
        nn.Linear(8, 1),
    )
