from __future__ import annotations

import numpy as np
import pytest

from tpcav_core.controls import control_recipes
from tpcav_core.errors import InputError
from tpcav_core.motifs import Motif
from tpcav_core.regions import Regions
from tpcav_core.seeds import generator
from tpcav_core.sources.base import Setting
from tpcav_core.sources.motifs import MotifConcept
from tpcav_core.splits import (
    TEST,
    assign_chromosomes,
    assign_folds,
    block_length,
    fold_of,
    redivided,
    split_by_chromosomes,
    split_regions,
)
from tpcav_core.splits import (
    test_size as size_of_test,
)
from tpcav_core.starts import StartRanges, available_starts

WINDOW = 64


def draw(sampling, n, *purpose, test_fraction=0.25):
    rng = generator(1, "test", *purpose)
    return split_regions(
        sampling.starts, sampling.folds, n, WINDOW, rng, test_fraction=test_fraction
    )


def overlapping_pairs_of_different_folds(regions, folds):
    """Neighbours along the genome that overlap; of windows of one width they decide."""
    order = np.lexsort((regions.start, regions.contig))
    contig, start, fold = regions.contig[order], regions.start[order], folds[order]
    overlap = (np.diff(contig) == 0) & (np.diff(start) < WINDOW)
    return int((overlap & (np.diff(fold) != 0)).sum()), int(overlap.sum())


def test_no_window_overlaps_one_of_another_side_whoever_drew_it(toy_sampling, toy_genome):
    setting = Setting(toy_genome, toy_sampling(n=400))
    pwm = np.full((5, 4), 0.25)
    recipes = [
        recipe
        for name in ("x", "y", "z")
        for _, recipe in MotifConcept(
            id=name, label=name, set="set", copies=(2, 4), motif=Motif(name, (pwm,))
        ).recipes(setting)
    ]
    recipes += [recipe for _, recipe in control_recipes("random", 3, setting)]
    regions = Regions(
        *(np.concatenate(columns) for columns in zip(*(r.regions for r in recipes), strict=True))
    )
    folds = np.concatenate([recipe.folds for recipe in recipes])
    wrong, overlapping = overlapping_pairs_of_different_folds(regions, folds)
    assert wrong == 0
    assert overlapping > 1000  # else the law would hold by emptiness


def test_the_check_above_sees_a_split_that_ignores_places(toy_sampling):
    regions, folds = draw(toy_sampling(), 2000)
    shuffled = generator(3, "shuffle").permutation(folds)
    assert overlapping_pairs_of_different_folds(regions, shuffled)[0] > 0


def test_a_fold_is_a_property_of_the_place(toy_sampling):
    sampling = toy_sampling()
    known = {}
    for purpose in range(4):
        regions, folds = draw(sampling, 500, purpose)
        blocks = regions.start // (16 * WINDOW)
        assert (blocks == (regions.end - 1) // (16 * WINDOW)).all()
        for place, fold in zip(zip(regions.contig, blocks, strict=True), folds, strict=True):
            assert known.setdefault(place, fold) == fold
    assert set(known.values()) == {TEST, 0, 1, 2}


@pytest.mark.parametrize("n", [1, 7, 20, 333])
@pytest.mark.parametrize("test_fraction", [0.1, 0.25, 0.5])
def test_as_many_as_asked_come_and_the_test_part_is_exact(toy_sampling, n, test_fraction):
    regions, folds = draw(toy_sampling(), n, test_fraction=test_fraction)
    assert {len(column) for column in (*regions, folds)} == {n}
    assert (folds == TEST).sum() == size_of_test(n, test_fraction) == round(n * test_fraction)
    places = set(zip(regions.contig.tolist(), regions.start.tolist(), strict=True))
    assert len(places) == n
    assert (regions.end - regions.start == WINDOW).all()


def test_windows_are_known_bases_of_the_genome(toy_sampling, toy_genome):
    regions, _ = draw(toy_sampling(), 2000)
    assert (toy_genome.windows(regions.contig, regions.start, WINDOW) < 4).all()


def test_the_order_is_random_and_the_same_each_time(toy_sampling):
    sampling = toy_sampling()
    regions, folds = draw(sampling, 200)
    again, folds_again = draw(sampling, 200)
    for left, right in zip((*regions, folds), (*again, folds_again), strict=True):
        np.testing.assert_array_equal(left, right)
    positions = np.flatnonzero(folds == TEST)
    assert 60 < positions.mean() < 140
    assert np.corrcoef(np.arange(200), regions.start)[0, 1] < 0.3
    other, _ = draw(sampling, 200, "other")
    assert not np.array_equal(regions.start, other.start)


def test_folds_are_balanced_over_blocks_and_depend_on_the_seed_only(toy_genome):
    starts, _ = available_starts(toy_genome, WINDOW, block_length=1024)
    folds = assign_folds(starts, seed=4, test_fraction=0.2, folds=5)
    blocks, first = np.unique(starts.block, return_index=True)
    sizes = {fold: int((folds[first] == fold).sum()) for fold in range(-1, 5)}
    assert sizes[TEST] == round(0.2 * len(blocks))
    assert max(sizes[f] for f in range(5)) - min(sizes[f] for f in range(5)) <= 1
    for block in blocks:
        assert len(set(folds[starts.block == block])) == 1
    again = assign_folds(starts, seed=4, test_fraction=0.2, folds=5)
    np.testing.assert_array_equal(folds, again)
    other = assign_folds(starts, seed=5, test_fraction=0.2, folds=5)
    assert not np.array_equal(folds, other)


def test_a_block_in_pieces_is_on_one_side(toy_genome):
    # an excluded region every 300 bp cuts each block of 1024 bp into several ranges
    start = np.arange(0, 40_000, 300)
    zeros = np.zeros(len(start), np.int32)
    exclude = Regions(zeros, start, start + 10, np.ones(len(start), np.int8))
    starts, _ = available_starts(toy_genome, WINDOW, exclude=exclude, block_length=1024)
    folds = assign_folds(starts, seed=4, test_fraction=0.2, folds=5)
    blocks, pieces = np.unique(starts.block, return_counts=True)
    assert (pieces > 1).sum() > 20
    for block in blocks:
        assert len(set(folds[starts.block == block])) == 1


def blocks_of_one_range(n):
    index = np.arange(n)
    return StartRanges(np.zeros(n, np.int32), index * 100, np.full(n, 10), index)


def test_too_few_blocks_say_what_to_do():
    assign_folds(blocks_of_one_range(4), seed=1, test_fraction=0.2, folds=3)
    with pytest.raises(
        InputError,
        match=r"3 blocks with .* the split needs at least 4",
    ) as caught:
        assign_folds(blocks_of_one_range(3), seed=1, test_fraction=0.2, folds=3)
    assert "split.block_length or split.folds" in str(caught.value)


def test_more_windows_than_there_are_is_an_error(toy_sampling):
    starts = blocks_of_one_range(10)
    folds = assign_folds(starts, seed=1, test_fraction=0.2, folds=2)
    regions, _ = split_regions(starts, folds, 100, 5, generator(1), test_fraction=0.2)
    assert len(regions.start) == 100
    with pytest.raises(InputError, match="only 80 start positions"):
        split_regions(starts, folds, 110, 5, generator(1), test_fraction=0.2)


def test_block_length_defaults_to_sixteen_windows_and_holds_a_window():
    assert block_length(1024) == 16 * 1024
    assert block_length(100, 100) == 100
    with pytest.raises(InputError, match=r"split\.block_length is 99 bp.*window of 100 bp"):
        block_length(100, 99)


def test_fold_of_finds_the_range_of_every_start():
    starts = StartRanges(
        contig=np.array([1, 0, 1, 0], np.int32),
        first=np.array([50, 10, 5, 40]),
        count=np.array([3, 5, 2, 1]),
        block=np.arange(4),
    )
    folds = np.array([0, 1, 2, TEST], np.int16)
    contig = np.repeat(starts.contig, starts.count)
    start = np.concatenate(
        [f + np.arange(c) for f, c in zip(starts.first, starts.count, strict=True)]
    )
    regions = Regions(contig, start, start + 9, np.ones(len(start), np.int8))
    np.testing.assert_array_equal(fold_of(regions, starts, folds), np.repeat(folds, starts.count))


def draw_nothing():
    starts = blocks_of_one_range(4)
    folds = assign_folds(starts, seed=1, test_fraction=0.2, folds=2)
    return split_regions(starts, folds, 0, 5, generator(1), test_fraction=0.2)[0]


def test_no_windows_are_no_windows():
    assert [len(column) for column in draw_nothing()] == [0, 0, 0, 0]


# --- by chromosomes ----------------------------------------------------------------------------

#: chromosomes 1 … 22, X and Y of hg38, in Mb
HUMAN = [
    *(249, 242, 198, 190, 182, 171, 159, 145, 138, 134, 135, 133),
    *(114, 107, 102, 90, 83, 80, 59, 64, 47, 51, 156, 57),
]


def contigs(sizes, pieces=1):
    """As many acceptable starts on each contig, in so many pieces."""
    contig = np.repeat(np.arange(len(sizes), dtype=np.int32), pieces)
    count = np.repeat(np.array(sizes) // pieces, pieces)
    first = np.tile(np.arange(pieces) * 10_000, len(sizes))
    return StartRanges(contig, first, count, contig.astype(np.int64))


def by_chromosomes(sizes, *, seed=1, test_fraction=0.2, folds=5, **options):
    starts = contigs(sizes, **options)
    return assign_chromosomes(starts, seed=seed, test_fraction=test_fraction, folds=folds)


def test_the_largest_chromosome_goes_to_the_smallest_fold():
    starts = contigs([20, 40, 5, 50, 10, 30])
    folds = assign_chromosomes(starts, seed=1, test_fraction=0.2, folds=2, tests=[1])
    # 50 | 30, then 20 and 10 make 50 | 50 and 60 | 50, and 5 the last
    assert folds.tolist() == [1, TEST, 1, 0, 0, 1]
    both = assign_chromosomes(starts, seed=1, test_fraction=0.2, folds=2, tests=[3, 0])
    assert both.tolist() == [TEST, 0, 0, TEST, 1, 1]


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("share", [0.1, 0.2, 0.5])
def test_chromosomes_are_on_one_side_and_parts_near_their_sizes(seed, share):
    folds = by_chromosomes([1000 * size for size in HUMAN], seed=seed, test_fraction=share)
    assert set(folds) == {TEST, 0, 1, 2, 3, 4}
    sizes = np.bincount(folds + 1, HUMAN)
    assert 0.8 * share <= sizes[0] / sum(HUMAN) <= 1.25 * share
    # without its smallest chromosome the largest fold is no longer larger than another
    largest = sizes[1:].argmax()
    smallest = min(size for size, fold in zip(HUMAN, folds, strict=True) if fold == largest)
    assert sizes[1:].max() - smallest <= sizes[1:].min()
    in_pieces = by_chromosomes(
        [1000 * size for size in HUMAN], seed=seed, test_fraction=share, pieces=4
    )
    np.testing.assert_array_equal(in_pieces, np.repeat(folds, 4))


def test_chromosomes_test_by_the_lot_of_the_seed():
    drawn = [by_chromosomes(HUMAN, seed=seed) == TEST for seed in range(100)]
    np.testing.assert_array_equal(by_chromosomes(HUMAN, seed=7) == TEST, drawn[7])
    assert len({tests.tobytes() for tests in drawn}) > 90
    assert np.array(drawn).any(axis=0).all()


@pytest.mark.parametrize("seed", range(10))
def test_a_test_part_of_few_chromosomes_is_as_near_as_they_allow(seed):
    # one of the six at most can test, and a tiny one makes no test part
    assert by_chromosomes([17, 18, 20, 23, 1, 17], seed=seed)[4] != TEST
    # three in a row, each far above the share
    assert (by_chromosomes([30, 30, 30], seed=seed, test_fraction=0.05, folds=2) == TEST).sum() == 1
    # more than half of the genome is too much
    folds = by_chromosomes([600, *([40] * 10)], seed=seed, folds=2)
    assert folds[0] != TEST
    assert (folds == TEST).sum() == 5


@pytest.mark.parametrize(("tests", "needed"), [([], 4), ([0], 4), ([0, 2], 5)])
def test_too_few_chromosomes_say_what_to_do(tests, needed):
    options = {"seed": 1, "test_fraction": 0.2, "folds": 3, "tests": tests}
    assert set(assign_chromosomes(contigs([10] * needed), **options)) == {TEST, 0, 1, 2}
    with pytest.raises(InputError, match=f"there are {needed - 1} chromosomes with") as caught:
        assign_chromosomes(contigs([10] * (needed - 1)), **options)
    assert f"needs at least {needed} (3 folds and {needed - 3} for testing)" in str(caught.value)
    assert "lower split.folds or use split.by: blocks" in str(caught.value)


def test_options_of_a_split_by_chromosomes():
    assert not split_by_chromosomes("blocks", [], 5000, ["a"])
    assert split_by_chromosomes("chromosomes", [], None, None)
    assert split_by_chromosomes("blocks", ["a"], None, ["a", "b"])
    for by, named in (("chromosomes", []), ("blocks", ["a"])):
        with pytest.raises(InputError, match=r"block_length is 5000 bp, .* leave it out"):
            split_by_chromosomes(by, named, 5000, None)
    with pytest.raises(InputError, match=r"'chr8' is not among the 2 of .*did you mean 'chr18'"):
        split_by_chromosomes("blocks", ["chr8"], None, ["chr18", "X"])
    with pytest.raises(InputError, match=r"'Y' is not among the 1 of .*; add it there"):
        split_by_chromosomes("blocks", ["Y"], None, ["chr18"])


# --- another split -----------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(2, 12))
def test_only_what_the_share_demands_is_replaced_in_another_split(toy_sampling, seed):
    sampling = toy_sampling(400)
    regions, _ = draw(sampling, 400)
    other = assign_folds(sampling.starts, seed=seed, test_fraction=0.25, folds=3)
    before = fold_of(regions, sampling.starts, other)
    given = [column.copy() for column in regions]
    after, folds = redivided(regions, sampling.starts, other, generator(1), test_fraction=0.25)
    for column, copy in zip(regions, given, strict=True):
        np.testing.assert_array_equal(column, copy)
    assert (folds == TEST).sum() == 100
    np.testing.assert_array_equal(folds, fold_of(after, sampling.starts, other))
    assert len(set(zip(after.contig.tolist(), after.start.tolist(), strict=True))) == 400
    changed = (after.start != regions.start) | (after.contig != regions.contig)
    assert changed.sum() == abs((before == TEST).sum() - 100)
    assert ((before == TEST) != (folds == TEST)).sum() == changed.sum()
    assert (after.end - after.start == WINDOW).all()


def test_replaced_windows_are_distinct_where_there_are_hardly_enough():
    # 40 starts on either side, of which about half are drawn and all are wanted
    starts = blocks_of_one_range(8)
    first, other = np.repeat([TEST, 0], 4), np.tile([TEST, 0], 4)
    regions, _ = split_regions(starts, first, 40, 5, generator(1), test_fraction=0.75)
    after, folds = redivided(regions, starts, other, generator(2), test_fraction=1.0)
    assert (folds == TEST).all()
    assert sorted(after.start) == sorted(
        100 * block + start for block in (0, 2, 4, 6) for start in range(10)
    )
    more, _ = split_regions(starts, first, 41, 5, generator(1), test_fraction=0.75)
    with pytest.raises(InputError, match=r"41 random windows .* only 40 start positions"):
        redivided(more, starts, other, generator(2), test_fraction=1.0)
