from __future__ import annotations

import json
import re

import numpy as np
import pytest
import torch
from torch import nn

from tests.unit.networks import Recurrent, room_for
from tpcav_core.attributions import attribute
from tpcav_core.errors import InputError
from tpcav_core.explain import RegionPairs, attribute_pairs, attribute_source
from tpcav_core.imports import load_object
from tpcav_core.inputs import input_adapter
from tpcav_core.starts import available_starts
from tpcav_core.targets import pair_with_random
from tpcav_core.user_inputs import FunctionPairs

WINDOW = 64
ONE_HOT = input_adapter("one_hot")


@pytest.fixture
def model(toy_network):
    return load_object(f"{toy_network}:build", "factory")().eval().requires_grad_(False)


@pytest.fixture
def pairs(toy_genome):
    starts, _ = available_starts(toy_genome, WINDOW, block_length=10**6)
    return pair_with_random(37, starts, WINDOW, 1, "t")


def codes(genome, regions):
    return genome.windows(regions.contig, regions.start, WINDOW, regions.strand)


@pytest.mark.parametrize("batch_size", [1, 10, 37, 64])
def test_all_pairs_come_back_in_order_whatever_the_batch_size(model, toy_genome, pairs, batch_size):
    result, chosen = attribute_pairs(model, "4", ONE_HOT, toy_genome, pairs, batch_size=batch_size)
    assert chosen.method == "deeplift"
    whole = attribute(
        model,
        "4",
        ONE_HOT(codes(toy_genome, pairs.targets)),
        ONE_HOT(codes(toy_genome, pairs.baselines)),
    )
    for left, right in zip(result, whole, strict=True):
        assert len(left) == 37
        np.testing.assert_allclose(left, right, rtol=1e-4, atol=1e-6)


def test_the_output_asked_for_is_explained(model, toy_genome, pairs):
    first, second = (
        attribute_pairs(model, "4", ONE_HOT, toy_genome, pairs, output=column)[0]
        for column in (0, 1)
    )
    with torch.no_grad():
        outputs = model(*ONE_HOT(codes(toy_genome, pairs.targets))).numpy()
    np.testing.assert_allclose(first.output, outputs[:, 0], rtol=1e-5, atol=1e-7)
    np.testing.assert_allclose(second.output, outputs[:, 1], rtol=1e-5, atol=1e-7)


class Smooth(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv1d(4, 8, 7, padding=3)
        self.last = nn.Linear(8, 1)

    def forward(self, x):
        return self.last(nn.functional.gelu(5 * self.conv(x)).mean(-1))


@pytest.fixture
def recurrent():
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        return Recurrent().eval().requires_grad_(False)


@pytest.fixture
def smooth():
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        return Smooth().eval().requires_grad_(False)


def test_auto_is_complete_where_deeplift_is_not(recurrent, toy_genome, pairs):
    result, chosen = attribute_pairs(recurrent, "conv", ONE_HOT, toy_genome, pairs)
    assert chosen.method == "integrated_gradients"
    assert result.relative_error() <= 0.01


def test_deeplift_asked_for_where_it_is_not_complete_is_an_error_unless_forced(
    recurrent, toy_genome, pairs
):
    arguments = (recurrent, "conv", ONE_HOT, toy_genome, pairs)
    expected = re.escape("deeplift is not complete at layer 'conv': error ")
    with pytest.raises(InputError, match=expected + ".*no rule for gru in memory.*force"):
        attribute_pairs(*arguments, method="deeplift")
    forced, _ = attribute_pairs(*arguments, method="deeplift", force=True)
    assert forced.relative_error() > 0.01


def test_gradients_are_never_complete_and_not_refused(smooth, toy_genome, pairs):
    result, chosen = attribute_pairs(smooth, "conv", ONE_HOT, toy_genome, pairs, method="gradient")
    assert chosen.method == "gradient"
    assert result.relative_error() > 0.01


class Branching(Smooth):
    """Makes other operations, of the same value, where a sequence has an unknown base."""

    def forward(self, x):
        y = self.conv(x)
        unknown = (x.sum(1) == 0).any()
        y = y * torch.sigmoid(y) if unknown else nn.functional.silu(y)
        return self.last(y.mean(-1))


class OneUnknown(RegionPairs):
    """Target 30 begins with an unknown base."""

    def batches(self, size, number=0):
        for first, (targets, baselines) in enumerate(super().batches(size, number)):
            row = 30 - first * size
            if 0 <= row < len(targets[0]):
                targets[0][row, :, 0] = 0
            yield targets, baselines


def test_auto_takes_another_method_where_deeplift_fails_after_the_probe(toy_genome, pairs):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        model = Branching().eval().requires_grad_(False)
    source = OneUnknown(toy_genome, pairs, ONE_HOT)
    result, chosen = attribute_source(model, "conv", source, batch_size=16)
    assert chosen.method == "integrated_gradients"
    assert "can be used on a probe only: target and baseline do not make the same" in chosen.reason
    assert len(result.output) == 37
    with pytest.raises(InputError, match="the network branches on values"):
        attribute_source(model, "conv", source, batch_size=16, method="deeplift")


@pytest.mark.parametrize("method", ["deeplift", "gradient"])
def test_nan_is_an_error_even_when_forced(model, toy_genome, pairs, method):
    with torch.no_grad():
        model[0].bias[1] = float("nan")
    with pytest.raises(InputError, match="NaN or infinite"):
        attribute_pairs(model, "4", ONE_HOT, toy_genome, pairs, method=method, force=True)


YIELDS = """
import torch


def saved(n, seed, file):
    inputs = torch.load(file, weights_only=True)
    for first in range(0, n, 11):
        yield tuple(tensor[first : first + 11] for tensor in inputs)
"""


@pytest.fixture
def yielded(tmp_path, toy_genome, pairs):
    """Calls that yield the inputs of the pairs."""
    (tmp_path / "own.py").write_text(YIELDS)
    calls = []
    for side, regions in pairs._asdict().items():
        torch.save(ONE_HOT(codes(toy_genome, regions)), tmp_path / side)
        kwargs = {"file": str(tmp_path / side)}
        call = {"function": f"{tmp_path}/own.py:saved", "n": 37, "seed": 1, "kwargs": kwargs}
        calls.append(json.dumps(call))
    return FunctionPairs(37, calls[0], (calls[1],))


@pytest.mark.parametrize("batch_size", [5, 64])
def test_inputs_of_a_function_are_attributed_as_those_of_regions(
    model, toy_genome, pairs, yielded, batch_size
):
    expected, how = attribute_pairs(model, "4", ONE_HOT, toy_genome, pairs, batch_size=batch_size)
    found, chosen = attribute_source(model, "4", yielded, batch_size=batch_size)
    assert chosen == how
    for left, right in zip(found, expected, strict=True):
        np.testing.assert_array_equal(left, right)


class Signal:
    """Stands for tracks: a smooth signal along the genome."""

    def values(self, regions):
        positions = regions.start[:, None] + np.arange(WINDOW)
        return np.sin(positions / 9.0 + regions.contig[:, None])[:, None].astype(np.float32)


STACKED = input_adapter("one_hot_stacked_tracks")


@pytest.mark.parametrize("batch_size", [10, 37])
def test_the_signal_of_targets_and_baselines_is_read_where_they_are(toy_genome, pairs, batch_size):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(2)
        model = nn.Sequential(
            nn.Conv1d(5, 6, 7), nn.ReLU(), nn.AvgPool1d(8), nn.Flatten(), nn.Linear(42, 1)
        )
    model.eval().requires_grad_(False)
    result, _ = attribute_pairs(
        model, "0", STACKED, toy_genome, pairs, tracks=Signal(), batch_size=batch_size
    )
    assert result.relative_error() < 1e-4
    sides = [STACKED(codes(toy_genome, side), Signal().values(side)) for side in pairs]
    whole = attribute(model, "0", *sides)
    for left, right in zip(result, whole, strict=True):
        np.testing.assert_allclose(left, right, rtol=1e-4, atol=1e-6)


def test_a_source_of_pairs_knows_its_size_and_ends(toy_genome, pairs, yielded):
    for source in (RegionPairs(toy_genome, pairs, ONE_HOT), yielded):
        assert source.size == 37
        for targets, baselines in source.batches(10):
            assert len(targets[0]) == len(baselines[0])
        assert [len(sides[0][0]) for sides in source.batches(10)] == [10, 10, 10, 7]
        assert len(next(iter(source.batches(64)))[0][0]) == 37


@pytest.mark.parametrize("batch_size", [1, 3, 64])
def test_no_more_than_a_batch_goes_through_the_model_the_probe_included(
    model, toy_genome, pairs, batch_size
):
    with room_for(10**9, model) as called:
        attribute_pairs(model, "4", ONE_HOT, toy_genome, pairs, batch_size=batch_size)
    assert max(called) <= batch_size


def test_what_does_not_fit_the_memory_goes_in_parts_the_probe_included(model, toy_genome, pairs):
    expected, how = attribute_pairs(model, "4", ONE_HOT, toy_genome, pairs)
    with room_for(4, model):
        found, chosen = attribute_pairs(model, "4", ONE_HOT, toy_genome, pairs)
    assert chosen.method == how.method == "deeplift"
    assert chosen.output_change == pytest.approx(how.output_change)
    for left, right in zip(found, expected, strict=True):
        np.testing.assert_allclose(left, right, rtol=1e-4, atol=1e-6)
