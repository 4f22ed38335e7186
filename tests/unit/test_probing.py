from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from tpcav_core.errors import InputError
from tpcav_core.probing import probe_layer
from tpcav_core.readouts import readout

NUMBERS = torch.Generator().manual_seed(2)
X, B = ((torch.randn(8, 6, generator=NUMBERS),) for _ in range(2))


class Skip(nn.Module):
    def __init__(self, gate=False):
        super().__init__()
        self.first, self.branch, self.block = nn.Linear(6, 5), nn.Linear(5, 5), nn.Identity()
        self.memory = nn.GRU(5, 5, batch_first=True) if gate else None
        self.last = nn.Linear(5, 2)

    def forward(self, x):
        y = self.first(x)
        y = self.block(y + torch.relu(self.branch(y)))
        if self.memory is not None:
            y = self.memory(y[:, None])[0][:, 0]
        return self.last(y)


def build(gate=False):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        return Skip(gate).eval().requires_grad_(False)


def test_a_layer_that_everything_passes_through():
    found = probe_layer(build(), "block", X, B, output=readout(1))
    assert found.method == "deeplift"
    assert found.error < 1e-5
    assert found.around < 1e-6


@pytest.mark.parametrize("method", ["auto", "deeplift", "integrated_gradients"])
def test_a_branch_beside_a_skip_connection_is_refused(method):
    with pytest.raises(InputError, match="% of the change of the output goes around it"):
        probe_layer(build(), "branch", X, B, output=readout(0), method=method)
    forced = probe_layer(build(), "branch", X, B, output=readout(0), method=method, force=True)
    assert forced.around > 0.1
    gradient = probe_layer(build(), "branch", X, B, output=readout(0), method="gradient")
    assert gradient.method == "gradient"
    assert math.isnan(gradient.error)


def test_an_operation_without_a_rule_is_named():
    with pytest.raises(InputError, match="deeplift is not complete, .*no rule for gru in memory"):
        probe_layer(build(gate=True), "block", X, B, output=readout(0), method="deeplift")
    found = probe_layer(build(gate=True), "block", X, B, output=readout(0))
    assert found.method == "integrated_gradients"
    assert "no rule for gru in memory" in found.reason


def test_an_output_that_never_changes():
    model = build()
    nn.init.zeros_(model.last.weight)
    found = probe_layer(model, "block", X, B, output=readout(0))
    assert (found.error, found.around) == (0, 0)
