"""The network of the demo: DNA of 512 bp in, the logit of being a peak out."""

from __future__ import annotations

from collections import OrderedDict

from torch import nn

#: bp of sequence the network sees
WINDOW = 512


def build() -> nn.Sequential:
    """Return the untrained network.

    It takes one-hot DNA (n, 4, 512) float32 and returns logits (n, 1). Layers, with the shape of
    their output: ``conv_1`` (32, 64), ``conv_2`` (32, 8), ``dense_1`` (32,), ``output`` (1,).
    Every activation is a module of its own, as DeepLIFT needs it.
    """
    conv_1 = nn.Sequential(
        nn.Conv1d(4, 32, 15, padding=7), nn.BatchNorm1d(32), nn.ReLU(), nn.MaxPool1d(8)
    )
    conv_2 = nn.Sequential(nn.Conv1d(32, 32, 1), nn.BatchNorm1d(32), nn.ReLU(), nn.AvgPool1d(8))
    dense_1 = nn.Sequential(
        nn.AvgPool1d(8), nn.Flatten(), nn.Linear(32, 32), nn.BatchNorm1d(32), nn.ReLU()
    )
    return nn.Sequential(
        OrderedDict(conv_1=conv_1, conv_2=conv_2, dense_1=dense_1, output=nn.Linear(32, 1))
    )
