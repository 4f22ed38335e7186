"""The CTCF network of the real data, as its README describes it."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn


class CtcfNetwork(nn.Module):
    """Two convolutions over one-hot DNA (n, 4, 1024), two linear layers, one logit (n, 1)."""

    def __init__(self) -> None:
        super().__init__()
        self.conv_layer_1 = nn.Sequential(
            nn.Conv1d(4, 64, 25, padding=12), nn.BatchNorm1d(64), nn.LeakyReLU()
        )
        self.conv_layer_2 = nn.Sequential(
            nn.Conv1d(64, 128, 3, padding=1, stride=2), nn.BatchNorm1d(128), nn.LeakyReLU()
        )
        self.linear_layer_1 = nn.Sequential(nn.Linear(512, 1), nn.LeakyReLU())
        self.linear_layer_2 = nn.Linear(128, 1)

    def forward(self, one_hot: Tensor) -> Tensor:
        """Return the logit (n, 1) of binding."""
        positions = self.conv_layer_2(self.conv_layer_1(one_hot))
        logit: Tensor = self.linear_layer_2(self.linear_layer_1(positions).squeeze(-1))
        return logit

    def up_to(self, layer: str, one_hot: Tensor) -> Tensor:
        """Return the output of one of the layers, computing nothing after it."""
        for name, module in self.named_children():
            one_hot = module(one_hot)
            if name == layer:
                return one_hot
        raise ValueError(f"no layer {layer!r}")


def load(data: Path) -> CtcfNetwork:
    """Return the trained network."""
    network = CtcfNetwork()
    weights = torch.load(data / "models" / "mcf7_ctcf.state_dict.pt", weights_only=True)
    network.load_state_dict(weights)
    return network.eval().requires_grad_(False)
