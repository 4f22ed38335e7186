from __future__ import annotations

import argparse
import json
import math

import pytest
import torch
from torch import nn

from tests.unit.networks import room_for
from tpcav_core.commands import probe
from tpcav_core.errors import InputError
from tpcav_core.layer_checks import check_layer, list_layers
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
    with pytest.raises(InputError, match=r"deeplift is not complete, .*no rule for gru in memory"):
        probe_layer(build(gate=True), "block", X, B, output=readout(0), method="deeplift")
    found = probe_layer(build(gate=True), "block", X, B, output=readout(0))
    assert found.method == "integrated_gradients"
    assert "no rule for gru in memory" in found.reason


def test_an_output_that_never_changes():
    model = build()
    nn.init.zeros_(model.last.weight)
    found = probe_layer(model, "block", X, B, output=readout(0))
    assert (found.error, found.around) == (0, 0)


@pytest.mark.parametrize("gate", [False, True])
def test_it_is_the_same_in_parts(gate):
    model = build(gate)
    whole = probe_layer(model, "block", X, B, output=readout(0))
    with room_for(3, model) as called:
        parts = probe_layer(model, "block", X, B, output=readout(0), batch_size=3)
    with room_for(3, model):
        halved = probe_layer(model, "block", X, B, output=readout(0))
    assert max(called) == 3
    for found in (parts, halved):
        assert found.method == whole.method
        assert found.around == pytest.approx(whole.around, abs=1e-6)


def test_a_layer_is_checked_and_listed_in_parts_that_fit():
    model = build()
    checked, listed = check_layer(model, "block", X, 0), list_layers(model, X)
    with room_for(3, model) as called:
        assert check_layer(model, "block", X, 0, batch_size=3) == checked
    assert called == [3, 3, 2]
    with room_for(3, model):
        assert check_layer(model, "block", X, 0) == checked
        assert list_layers(model, X) == listed
    with room_for(0, model), pytest.raises(InputError, match="one example at a time"):
        check_layer(model, "block", X, 0)


SMALL = """
import torch
from torch import nn


class Small(nn.Module):
    def __init__(self, rows):
        super().__init__()
        self.rows, self.first, self.last = rows, nn.Linear(6, 5), nn.Linear(5, 2)

    def forward(self, x):
        assert len(x) <= self.rows
        return self.last(torch.relu(self.first(x)))


def examples(n, seed):
    yield (torch.randn(n, 6, generator=torch.Generator().manual_seed(seed)),)
"""


@pytest.mark.parametrize("batch_size", [2, 64])
def test_the_step_takes_no_more_than_a_batch_at_a_time(tmp_path, batch_size):
    file = tmp_path / "small.py"
    file.write_text(SMALL)
    model = {"factory": f"{file}:Small", "kwargs": {"rows": min(batch_size, 16)}, "window": None}
    model |= {"weights": None, "batch_size": batch_size, "device": "cpu"}
    call = {"function": f"{file}:examples", "n": 20, "seed": 1, "kwargs": {}}
    parser = argparse.ArgumentParser()
    probe.add_arguments(parser)
    given = {"model": json.dumps(model), "layer": "first", "call": json.dumps(call)}
    given |= {"sampling": "{}", "examples": "20", "seed": "1", "output": str(tmp_path / "p.tsv")}
    given |= {"cav-memory": json.dumps({"replicates": 1, "variants": 1})}
    probe.run(parser.parse_args([word for key in given for word in (f"--{key}", given[key])]))
    assert "deeplift" in (tmp_path / "p.tsv").read_text()
