from __future__ import annotations

import numpy as np
import pytest

from tpcav_core.errors import InputError
from tpcav_core.regions import Regions
from tpcav_core.starts import StartRanges
from tpcav_core.targets import pair_with_random, sample_given

WINDOW = 10


def regions(n):
    start = np.arange(n) * 100
    strand = np.where(np.arange(n) % 2, 1, -1)
    return Regions(np.arange(n, dtype=np.int32) % 3, start, start + WINDOW, strand.astype(np.int8))


STARTS = StartRanges(
    np.array([0, 1], np.int32), np.array([0, 50]), np.array([200, 100]), np.array([0, 1])
)


def same(left, right):
    return all(np.array_equal(a, b) for a, b in zip(left, right, strict=True))


@pytest.mark.parametrize("n", [None, 20])
def test_all_regions_are_all_regions(n):
    assert same(sample_given(regions(20), n, 1, "t"), regions(20))


def test_a_sample_is_distinct_in_order_and_reproducible():
    sample = sample_given(regions(50), 12, 1, "t")
    assert len(sample.start) == 12
    assert (np.diff(sample.start) > 0).all()
    assert same(sample, sample_given(regions(50), 12, 1, "t"))
    assert not same(sample, sample_given(regions(50), 12, 2, "t"))
    assert not same(sample, sample_given(regions(50), 12, 1, "other"))
    assert sample.start.max() > 1200  # not the first rows of the file


def test_more_regions_than_the_file_has_is_an_error():
    with pytest.raises(InputError, match=r"'peaks': 21 regions asked.*has 20.*targets\.peaks\.n"):
        sample_given(regions(20), 21, 1, "peaks")


def test_every_target_gets_one_baseline_of_its_width():
    pairs = pair_with_random(regions(30), STARTS, WINDOW, 1, "t")
    assert same(pairs.targets, regions(30))
    assert len(pairs.baselines.start) == 30
    assert (pairs.baselines.end - pairs.baselines.start == WINDOW).all()
    assert len(set(zip(pairs.baselines.contig, pairs.baselines.start, strict=True))) == 30


def test_random_targets_and_baselines_are_different_windows():
    pairs = pair_with_random(150, STARTS, WINDOW, 1, "t")
    places = [set(zip(side.contig.tolist(), side.start.tolist(), strict=True)) for side in pairs]
    assert len(places[0]) == len(places[1]) == 150
    assert not places[0] & places[1]


def test_pairs_depend_on_seed_and_name_only():
    first = pair_with_random(20, STARTS, WINDOW, 1, "t")
    assert same(first.baselines, pair_with_random(20, STARTS, WINDOW, 1, "t").baselines)
    for seed, name in ((2, "t"), (1, "u")):
        other = pair_with_random(20, STARTS, WINDOW, seed, name)
        assert not same(first.baselines, other.baselines)


def test_too_few_starts_are_an_error_that_says_where_they_went():
    lost = {"unknown bases": 70, "total": 400}
    with pytest.raises(InputError, match=r"302 random windows.*only 300 start.*70 unknown bases"):
        pair_with_random(151, STARTS, WINDOW, 1, "t", lost=lost)
