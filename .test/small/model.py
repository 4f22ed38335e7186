"""A small network for the tests of the workflow: two convolutions and a linear output."""

from __future__ import annotations

from collections import OrderedDict

from torch import nn


def build() -> nn.Sequential:
    """Return the network: one-hot DNA (n, 4, 128) to two outputs (n, 2)."""
    conv_1 = nn.Sequential(nn.Conv1d(4, 8, 9, padding=4), nn.ReLU(), nn.MaxPool1d(4))
    conv_2 = nn.Sequential(nn.Conv1d(8, 6, 3, padding=1), nn.ReLU(), nn.AvgPool1d(8))
    return nn.Sequential(
        OrderedDict(conv_1=conv_1, conv_2=conv_2, flat=nn.Flatten(), output=nn.Linear(24, 2))
    )
