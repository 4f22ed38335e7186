from __future__ import annotations

import numpy as np
import pytest
import torch

from tpcav_core.attributions import average, concatenate
from tpcav_core.baselines import Baselines, given_regions
from tpcav_core.errors import InputError
from tpcav_core.explain import RegionPairs, attribute_source
from tpcav_core.imports import load_object
from tpcav_core.inputs import input_adapter
from tpcav_core.regions import Regions
from tpcav_core.starts import available_starts
from tpcav_core.targets import pair_with_random

WINDOW, N = 64, 12
ONE_HOT = input_adapter("one_hot")


@pytest.fixture
def pairs(toy_genome):
    starts, _ = available_starts(toy_genome, WINDOW)
    return pair_with_random(N, starts, WINDOW, 1, "t")


@pytest.fixture
def model(toy_network):
    return load_object(f"{toy_network}:build", "factory")().eval().requires_grad_(False)


def source(toy_genome, pairs, baselines, adapt=ONE_HOT):
    return RegionPairs(toy_genome, pairs, adapt, None, baselines)


def sides(found, number=0, size=5):
    pairs = [(x[0], b[0]) for x, b in found.batches(size, number)]
    return [torch.cat(side) for side in zip(*pairs, strict=True)]


def dinucleotides(one_hot):
    codes = one_hot.argmax(1).numpy()
    return [np.bincount(4 * row[:-1] + row[1:], minlength=16).tolist() for row in codes]


def test_shuffled_copies_keep_the_dinucleotides_of_their_target(toy_genome, pairs):
    found = source(toy_genome, pairs, Baselines("shuffled", 3, seed=1, name="t"))
    x, first = sides(found)
    _, second = sides(found, 1)
    assert dinucleotides(first) == dinucleotides(x) == dinucleotides(second)
    assert not torch.equal(first, x)
    assert not torch.equal(first, second)
    # whatever the batch
    assert torch.equal(sides(found, 1, size=1)[1], second)
    other = source(toy_genome, pairs, Baselines("shuffled", 3, seed=2, name="t"))
    assert not torch.equal(sides(other)[1], first)


def test_zeros_and_uniform(toy_genome, pairs):
    x, zeros = sides(source(toy_genome, pairs, Baselines("zeros")))
    _, uniform = sides(source(toy_genome, pairs, Baselines("uniform")))
    assert zeros.shape == uniform.shape == x.shape
    assert (zeros == 0).all()
    assert (uniform == 0.25).all()

    def ids(codes, tracks=None):
        return (torch.from_numpy(codes.astype(np.int64)),)

    assert (sides(source(toy_genome, pairs, Baselines("zeros"), ids))[1] == 4).all()
    with pytest.raises(InputError, match="inputs are whole numbers"):
        sides(source(toy_genome, pairs, Baselines("uniform"), ids))


def test_given_regions_are_all_taken_before_one_is_taken_again(toy_genome):
    start = np.arange(5) * 100
    choice = Regions(np.zeros(5, np.int32), start, start + WINDOW, np.ones(5, np.int8))
    found = given_regions(choice, N, 2, 1, "t")
    for regions in found.regions:
        counts = np.unique(regions.start, return_counts=True)[1]
        assert sorted(counts.tolist()) == [2, 2, 2, 3, 3]
    assert not np.array_equal(found.regions[0].start, found.regions[1].start)
    assert found.per_target == 2


def test_several_baselines_give_the_mean_of_each(model, toy_genome, pairs):
    starts, _ = available_starts(toy_genome, WINDOW)
    regions = tuple(pair_with_random(N, starts, WINDOW, s, "t").baselines for s in (1, 2, 3))
    together, _ = attribute_source(
        model, "2", source(toy_genome, pairs, Baselines("regions", 3, regions)), batch_size=5
    )
    each = [
        attribute_source(model, "2", source(toy_genome, pairs._replace(baselines=one), None))[0]
        for one in regions
    ]
    expected = average(each)
    for name, left, right in zip(together._fields, together, expected, strict=True):
        np.testing.assert_allclose(left, right, rtol=1e-4, atol=1e-6, err_msg=name)
    assert len(together.multipliers) == N
    worst = np.max([one.completeness_error for one in each], axis=0)
    np.testing.assert_allclose(expected.completeness_error, worst)
    np.testing.assert_allclose(
        expected.multipliers, np.mean([one.multipliers for one in each], axis=0), rtol=1e-5
    )


def test_one_baseline_is_its_own_mean(model, toy_genome, pairs):
    one, _ = attribute_source(model, "2", source(toy_genome, pairs, None))
    for left, right in zip(average([one]), one, strict=True):
        np.testing.assert_array_equal(left, right)
    rows = pairs.targets.take(slice(0, 3))
    part, _ = attribute_source(
        model,
        "2",
        source(
            toy_genome,
            pairs._replace(targets=rows, baselines=pairs.baselines.take(slice(3))),
            None,
        ),
    )
    assert len(concatenate([part, one]).output) == N + 3
