from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from tpcav_core import matching
from tpcav_core.composition import gc_content
from tpcav_core.errors import InputError
from tpcav_core.genome import read_genome
from tpcav_core.matching import (
    gc_matched_windows,
    match_values,
    matched_low,
    split_by_signal,
    window_gc,
)
from tpcav_core.regions import Regions
from tpcav_core.sampling import Sampling
from tpcav_core.splits import TEST, assign_folds, fold_of, split_regions
from tpcav_core.starts import available_starts
from tpcav_core.tracks import Track, Tracks


def rng(seed=0):
    return np.random.default_rng(seed)


def places(n):
    start = np.arange(n, dtype=np.int64) * 100
    return Regions(np.zeros(n, np.int32), start, start + 50, np.ones(n, np.int8))


# GC content


def test_window_gc_does_not_depend_on_chunks_or_strand(toy_genome, toy_sampling, monkeypatch):
    sampling = toy_sampling(50)
    regions, _ = split_regions(sampling.starts, sampling.folds, 50, 64, rng(), test_fraction=0.2)
    whole = gc_content(toy_genome.windows(*regions[:2], 64, regions.strand))
    monkeypatch.setattr(matching, "_CHUNK", 64 * 7)
    assert (window_gc(regions, toy_genome) == whole).all()
    assert window_gc(regions.take(slice(0)), toy_genome).shape == (0,)


# matching of values


def test_match_by_hand():
    found = match_values(np.array([0.5, 0.1, 0.9]), np.array([0.88, 0.3, 0.5, 0.12]), rng(), 0.05)
    assert found.tolist() == [2, 3, 0]


def test_the_tolerance_itself_is_near_enough():
    wanted, candidates = np.array([0.5]), np.array([0.52])
    assert match_values(wanted, candidates, rng(), 0.02).tolist() == [0]
    assert match_values(wanted, candidates, rng(), 0.0199).tolist() == [-1]


def test_nan_and_nothing_match_nothing():
    assert match_values(np.array([np.nan]), np.array([0.5]), rng(), 1).tolist() == [-1]
    assert match_values(np.array([0.5]), np.array([np.nan, np.nan]), rng(), 1).tolist() == [-1]
    assert match_values(np.array([0.5]), np.array([]), rng(), 1).tolist() == [-1]
    assert match_values(np.array([]), np.array([0.5]), rng(), 1).tolist() == []


@pytest.mark.parametrize("grid", [None, 20])
@pytest.mark.parametrize(("n", "m"), [(100, 60), (60, 100), (200, 1_000)])
def test_matching_laws(n, m, grid):
    wanted, candidates = rng(1).random(n), rng(2).random(m)
    if grid:
        wanted, candidates = np.round(wanted * grid) / grid, np.round(candidates * grid) / grid
    found = match_values(wanted, candidates, rng(3), 0.03)
    got = found[found >= 0]
    assert len(np.unique(got)) == len(got)
    assert (np.abs(wanted[found >= 0] - candidates[got]) <= 0.03 + 1e-9).all()
    # greedy: nothing that is still free would do for an unmatched value
    free = np.setdiff1d(np.arange(m), got)
    missed = wanted[found < 0]
    assert (np.abs(missed[:, None] - candidates[free]) > 0.03).all()
    assert (found == match_values(wanted, candidates, rng(3), 0.03)).all()


def test_greedy_equals_the_plain_algorithm():
    """With distinct values the choice is the nearest free candidate, in the order drawn."""
    wanted, candidates = rng(4).random(80), rng(5).random(90)
    stream = rng(6)
    found = match_values(wanted, candidates, stream, 0.1)
    again = rng(6)
    again.random(90), again.random(80)
    free = np.ones(90, bool)
    for row in again.permutation(80):
        distance = np.where(free, np.abs(candidates - wanted[row]), np.inf)
        nearest = int(np.argmin(distance))
        expected = nearest if distance[nearest] <= 0.1 else -1
        assert found[row] == expected
        free[nearest] &= expected < 0


def test_equally_near_candidates_are_drawn_evenly():
    candidates = np.array([0.4, 0.6, 0.6, 0.4])
    wanted = np.array([0.5])
    counts = Counter(int(match_values(wanted, candidates, rng(s), 0.2)[0]) for s in range(400))
    assert sorted(counts) == [0, 1, 2, 3]
    assert min(counts.values()) > 60


# windows of like GC content


@pytest.fixture
def rich(toy_genome, toy_sampling):
    """Random windows of the toy genome whose GC content is above the average, with folds."""
    sampling = toy_sampling(120)
    regions, folds = split_regions(
        sampling.starts, sampling.folds, 1_000, 64, rng(7), test_fraction=0.25
    )
    gc = window_gc(regions, toy_genome)
    rows = np.flatnonzero(gc > 0.55)[:120]
    assert {TEST, 0} <= set(folds[rows].tolist())
    return gc[rows], folds[rows], sampling


def key(regions):
    return list(zip(regions.contig.tolist(), regions.start.tolist(), strict=True))


def test_gc_matched_windows(toy_genome, rich):
    gc, folds, sampling = rich
    regions, found, tried = gc_matched_windows(gc, folds, toy_genome, sampling, rng(8))
    matched = window_gc(regions, toy_genome)
    assert np.abs(matched - gc).max() <= 0.02 + 1e-9
    assert ((found == TEST) == (folds == TEST)).all()
    assert (found == fold_of(regions, sampling.starts, sampling.folds)).all()
    assert (regions.end - regions.start == 64).all()
    assert len(set(key(regions))) == len(gc)
    assert set(regions.strand.tolist()) == {-1, 1}
    assert tried >= 2 * 1_024
    assert [c.dtype for c in (*regions, found)] == [np.int32, np.int64, np.int64, np.int8, np.int16]
    # what matching is for: random windows have another mean
    random, _ = split_regions(
        sampling.starts, sampling.folds, len(gc), 64, rng(9), test_fraction=0.25
    )
    assert abs(matched.mean() - gc.mean()) < 0.005
    assert abs(window_gc(random, toy_genome).mean() - gc.mean()) > 0.05


def test_same_seed_same_windows(toy_genome, rich):
    gc, folds, sampling = rich
    first, second, third = (
        gc_matched_windows(gc, folds, toy_genome, sampling, rng(seed))[0] for seed in (1, 1, 2)
    )
    assert key(first) == key(second) != key(third)


@pytest.mark.parametrize("side", [True, False])
def test_examples_of_one_side_only(toy_genome, rich, side):
    gc, folds, sampling = rich
    rows = (folds == TEST) == side
    _, found, _ = gc_matched_windows(gc[rows], folds[rows], toy_genome, sampling, rng(1))
    assert ((found == TEST) == side).all()


def test_no_examples(toy_genome, toy_sampling):
    none = np.empty(0)
    regions, folds, tried = gc_matched_windows(none, none, toy_genome, toy_sampling(), rng(1))
    assert (len(regions.start), len(folds), tried) == (0, 0, 0)


def test_rare_contents_are_found_in_later_rounds(toy_genome, toy_sampling):
    sampling = toy_sampling()
    training = sampling.folds != TEST
    starts = type(sampling.starts)(*(column[training] for column in sampling.starts))
    every = np.concatenate(
        [
            np.arange(first, first + count) + toy_genome.offsets[contig]
            for contig, first, count in zip(starts.contig, starts.first, starts.count, strict=True)
        ]
    )
    windows = np.lib.stride_tricks.sliding_window_view(toy_genome.codes, 64)[every]
    top = np.sort(gc_content(windows))[-3:]
    folds = np.zeros(3, np.int16)
    regions, _, tried = gc_matched_windows(
        top, folds, toy_genome, sampling, rng(1), tolerance=1e-6, max_rounds=20
    )
    assert (window_gc(regions, toy_genome) == top).all()
    assert 1_024 < tried <= len(every)
    with pytest.raises(InputError, match=r"of 3 examples .* among 1024 random windows"):
        gc_matched_windows(top, folds, toy_genome, sampling, rng(1), tolerance=1e-6, max_rounds=1)


def test_unmatched_error_names_the_numbers(toy_genome, rich):
    gc, folds, sampling = rich
    gc, folds = np.append(gc, [0.95, 0.99]), np.append(folds, [0, 1])
    total = int(sampling.starts.count[sampling.folds != TEST].sum())
    expected = (
        rf"2 of {(folds != TEST).sum()} examples of the training part found no window within 0.02"
        rf" of their GC content among {total} random windows; the most extreme has 0.990; allow a"
        " wider tolerance or more of the genome, or use another control"
    )
    with pytest.raises(InputError, match=expected):
        gc_matched_windows(gc, folds, toy_genome, sampling, rng(1), max_rounds=12)


def test_part_without_any_window(toy_genome, toy_sampling):
    sampling = toy_sampling()
    nowhere = sampling._replace(folds=np.zeros_like(sampling.folds))
    with pytest.raises(InputError, match=r"1 of 1 examples of the test part .* among 0 random"):
        gc_matched_windows(np.array([0.5]), np.array([TEST]), toy_genome, nowhere, rng(1))


def test_example_without_known_bases(toy_genome, toy_sampling):
    gc, folds = np.array([0.5, np.nan]), np.zeros(2, np.int16)
    with pytest.raises(InputError, match=r"1 of 2 examples have no known base.* number 2; leave"):
        gc_matched_windows(gc, folds, toy_genome, toy_sampling(), rng(1))


# sets of high and low signal


def test_split_by_hand():
    signal = np.array([5.0, 1.0, 4.0, 2.0, 3.0, 9.0, 7.0, 8.0, 6.0, 0.0])
    folds = np.arange(10, dtype=np.int16)
    sets = split_by_signal(signal, places(10), folds, top=0.2, low=0.3)
    assert sets.high.start.tolist() == [500, 700]
    assert sets.high_folds.tolist() == [5, 7]
    assert sets.low.start.tolist() == [100, 300, 900]
    assert sets.low_folds.tolist() == [1, 3, 9]
    assert (sets.high_threshold, sets.low_threshold, sets.candidates) == (8.0, 2.0, 10)


@pytest.mark.parametrize(("top", "low"), [(0.5, 0.5), (0.7, 0.3), (0.01, 0.01), (1 / 3, 2 / 3)])
@pytest.mark.parametrize("m", [2, 3, 7, 101])
def test_shares(m, top, low):
    signal = rng(m).permutation(m).astype(float)
    sets = split_by_signal(signal, places(m), np.zeros(m, np.int16), top=top, low=low)
    assert len(sets.high_folds) == max(1, int(top * m + 1e-9))
    assert len(sets.low_folds) == max(1, int(low * m + 1e-9))
    assert not set(sets.high.start) & set(sets.low.start)


def test_ties_are_treated_alike_in_any_order():
    signal = np.array([0.0, 0, 0, 0, 0, 0, 1, 2, 2, 2])
    for order in (np.arange(10), rng(1).permutation(10)):
        regions = places(10).take(order)
        sets = split_by_signal(signal[order], regions, np.zeros(10), top=0.1, low=0.2)
        assert sorted(sets.low.start.tolist()) == [0, 100, 200, 300, 400, 500]
        assert sorted(sets.high.start.tolist()) == [700, 800, 900]


@pytest.mark.parametrize("signal", [[3.0] * 10, [0.0] * 9 + [1.0]])
def test_signal_that_cannot_be_split(signal):
    share = {1: "100.0%", 2: "90.0%"}[len(set(signal))]
    with pytest.raises(InputError, match=rf"cannot be told apart: {share} of 10 regions"):
        split_by_signal(np.array(signal), places(10), np.zeros(10), top=0.2, low=0.5)


@pytest.mark.parametrize(("top", "low"), [(0, 0.5), (0.5, 0), (1, 0.5), (0.6, 0.5), (-0.1, 0.2)])
def test_bad_shares(top, low):
    with pytest.raises(InputError, match=f"top is {top:g} and low {low:g}; expected two shares"):
        split_by_signal(np.arange(10.0), places(10), np.zeros(10), top=top, low=low)


@pytest.mark.parametrize("m", [0, 1])
def test_too_few_regions(m):
    with pytest.raises(InputError, match=f"{m} regions cannot be split"):
        split_by_signal(np.arange(float(m)), places(m), np.zeros(m), top=0.5, low=0.5)


# low signal of like GC content


def test_matched_low_laws():
    folds = rng(1).integers(-1, 3, 40)
    low_folds = rng(2).integers(-1, 3, 900)
    high_gc, low_gc = rng(3).uniform(0.4, 0.6, 40), rng(4).random(900)
    rows = matched_low(high_gc, folds, places(900), low_folds, low_gc, rng(5), 0.05)
    assert len(np.unique(rows)) == 40
    assert (np.abs(low_gc[rows] - high_gc) <= 0.05).all()
    assert ((low_folds[rows] == TEST) == (folds == TEST)).all()
    again = matched_low(high_gc, folds, places(900), low_folds, low_gc, rng(5), 0.05)
    assert (rows == again).all()


def test_a_place_is_used_once():
    twice = places(2).take(np.array([0, 0, 1]))
    zeros = np.zeros(3)
    with pytest.raises(InputError, match=r"1 of 3 regions of high signal .* among 2;"):
        matched_low(zeros + 0.5, zeros, twice, zeros, zeros + 0.5, rng(1), 0.05)
    rows = matched_low(zeros[:2] + 0.5, zeros[:2], twice, zeros, zeros + 0.5, rng(1), 0.05)
    assert sorted(rows.tolist()) == [0, 2]


def test_low_regions_on_the_other_side_do_not_count():
    expected = (
        "2 of 2 regions of high signal in the test part found no low one within 0.1 of their GC"
        " content among 0; the most extreme has 0.900; allow a wider tolerance or more"
    )
    gc = np.array([0.5, 0.9])
    with pytest.raises(InputError, match=expected):
        matched_low(gc, np.array([-1, -1]), places(2), np.array([0, 1]), gc, rng(1), 0.1)


def test_no_low_region():
    none = np.empty(0)
    with pytest.raises(InputError, match="1 of 1 regions of high signal in the training part"):
        matched_low(np.array([0.5]), np.zeros(1), places(0), none, none, rng(1), 0.1)


# real data


@pytest.mark.real
def test_accessible_windows_and_their_controls(real_data):
    """Accessible windows are GC-rich; matched controls are as rich, and far less accessible."""
    genome = read_genome(real_data / "genome" / "hg38.chr22_partial.fa.gz")
    starts, lost = available_starts(genome, 1_024, block_length=16 * 1_024)
    parts = assign_folds(starts, seed=1, test_fraction=0.2, folds=5)
    sampling = Sampling(starts, parts, lost, 1_024, 200, 0.2, 1)
    regions, folds = split_regions(starts, parts, 4_000, 1_024, rng(1), test_fraction=0.2)
    path = str(real_data / "signal" / "MCF7_accessibility.hg38.chr22.bw")
    with Tracks([Track("MCF-7", path, 0.0)], genome) as tracks:
        signal = tracks.means("MCF-7", regions)
        sets = split_by_signal(signal, regions, folds, top=0.02, low=0.5)
        gc, low_gc = window_gc(sets.high, genome), window_gc(sets.low, genome)
        near = gc <= 0.6
        rows = matched_low(
            gc[near], sets.high_folds[near], sets.low, sets.low_folds, low_gc, rng(2), 0.05
        )
        low = tracks.means("MCF-7", sets.low.take(rows))
        matched, _, _ = gc_matched_windows(gc, sets.high_folds, genome, sampling, rng(3))
        control = tracks.means("MCF-7", matched)
    all_gc = window_gc(regions, genome)
    assert gc.mean() - all_gc.mean() > 0.03
    assert abs(window_gc(matched, genome).mean() - gc.mean()) < 0.005
    assert abs(low_gc[rows].mean() - gc[near].mean()) < 0.02
    assert low.max() <= sets.low_threshold < sets.high_threshold
    assert control.mean() < sets.high_threshold / 2
