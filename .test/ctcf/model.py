"""The MCF-7 CTCF network of seqcode/TPCAV: one-hot DNA (batch, 4, 1024) to one logit (batch, 1)."""

from __future__ import annotations

from torch import Tensor, nn


class DummyModelSeq(nn.Module):
    """Two convolutions, a linear layer over positions and one over channels.

    The class keeps the name under which its authors pickled it, so that their whole-module file
    finds it here (``pickled_classes``) as well.
    """

    def __init__(self) -> None:
        super().__init__()
        self.conv_layer_1 = nn.Sequential(
            nn.Conv1d(4, 64, kernel_size=25, padding=12), nn.BatchNorm1d(64), nn.LeakyReLU()
        )
        self.conv_layer_2 = nn.Sequential(
            nn.Conv1d(64, 128, kernel_size=3, padding=1, stride=2),
            nn.BatchNorm1d(128),
            nn.LeakyReLU(),
        )
        self.linear_layer_1 = nn.Sequential(nn.Linear(512, 1), nn.LeakyReLU())
        self.linear_layer_2 = nn.Linear(128, 1)

    def forward(self, sequence: Tensor) -> Tensor:
        """Return one logit (batch, 1) for one-hot sequences (batch, 4, 1024) float32."""
        features = self.conv_layer_2(self.conv_layer_1(sequence))
        return self.linear_layer_2(self.linear_layer_1(features).squeeze(-1))


def build() -> DummyModelSeq:
    """Return the network, untrained."""
    return DummyModelSeq()
