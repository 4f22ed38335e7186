from __future__ import annotations

import re

import numpy as np
import pytest
import torch
from torch import nn

from tpcav_core.attributions import attribute
from tpcav_core.errors import InputError
from tpcav_core.explain import attribute_pairs
from tpcav_core.imports import load_object
from tpcav_core.inputs import input_adapter
from tpcav_core.regions import available_starts
from tpcav_core.targets import pair_with_random

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
def smooth():
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        return Smooth().eval().requires_grad_(False)


def test_auto_is_complete_where_deeplift_is_not(smooth, toy_genome, pairs):
    result, chosen = attribute_pairs(smooth, "conv", ONE_HOT, toy_genome, pairs)
    assert chosen.method == "integrated_gradients"
    assert result.relative_error() <= 0.01


def test_deeplift_asked_for_where_it_is_not_complete_is_an_error_unless_forced(
    smooth, toy_genome, pairs
):
    arguments = (smooth, "conv", ONE_HOT, toy_genome, pairs)
    expected = re.escape("deeplift is not complete at layer 'conv': error ")
    with pytest.raises(InputError, match=expected + ".*attributions.force"):
        attribute_pairs(*arguments, method="deeplift")
    forced, _ = attribute_pairs(*arguments, method="deeplift", force=True)
    assert forced.relative_error() > 0.01


def test_gradients_are_never_complete_and_not_refused(smooth, toy_genome, pairs):
    result, chosen = attribute_pairs(smooth, "conv", ONE_HOT, toy_genome, pairs, method="gradient")
    assert chosen.method == "gradient"
    assert result.relative_error() > 0.01


@pytest.mark.parametrize("method", ["deeplift", "gradient"])
def test_nan_is_an_error_even_when_forced(model, toy_genome, pairs, method):
    with torch.no_grad():
        model[0].bias[1] = float("nan")
    with pytest.raises(InputError, match="NaN or infinite"):
        attribute_pairs(model, "4", ONE_HOT, toy_genome, pairs, method=method, force=True)
