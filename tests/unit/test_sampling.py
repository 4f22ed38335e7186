from __future__ import annotations

import time

import numpy as np
import pytest

from tests.conftest import WINDOW
from tpcav_core.annotations import Annotations
from tpcav_core.errors import InputError
from tpcav_core.genome import read_genome
from tpcav_core.regions import Regions
from tpcav_core.sampling import (
    ABSENT,
    OVERLAP,
    draw_folds,
    draw_in_folds,
    draw_windows,
    on_genome,
    orient,
    place,
    placeless_sampling,
    sample_rows,
    window_sampling,
)
from tpcav_core.splits import TEST


def regions(*rows):
    """Regions of (contig, start, end) or (contig, start, end, strand)."""
    columns = np.array([(*row, 0)[:4] for row in rows], np.int64).reshape(-1, 4).T
    contig, start, end, strand = columns
    return Regions(contig.astype(np.int32), start, end, strand.astype(np.int8))


def random_given(genome, n, seed, widest=200):
    rng = np.random.default_rng(seed)
    contig = rng.integers(0, 2, n)
    start = rng.integers(0, genome.lengths[contig])
    end = np.minimum(start + rng.integers(1, widest, n), genome.lengths[contig])
    return Regions(contig.astype(np.int32), start, end, np.zeros(n, np.int8))


@pytest.fixture
def strict(toy_genome):
    """Windows of the toy genome that keep away from chrB:5000-5100."""
    exclude = regions((1, 5000, 5100, 1))
    return window_sampling(
        toy_genome, WINDOW, 20, seed=1, exclude=exclude, test_fraction=0.25, folds=3
    )


# --- random windows ---------------------------------------------------------------------------


def test_windows_have_the_folds_of_their_places(toy_genome, toy_sampling):
    sampling = toy_sampling(200)
    drawn, folds = draw_windows(sampling, "a")
    assert len(drawn.start) == len(folds) == 200
    assert (folds == TEST).sum() == 50
    block = drawn.start // (16 * WINDOW)
    np.testing.assert_array_equal(block, (drawn.end - 1) // (16 * WINDOW))
    fold_of_block = {}
    for key, fold in zip(zip(drawn.contig, block, strict=True), folds, strict=True):
        assert fold_of_block.setdefault(key, fold) == fold
    assert (toy_genome.windows(drawn.contig, drawn.start, WINDOW) < 4).all()


def test_windows_depend_on_seed_and_purpose_only(toy_sampling):
    first, _ = draw_windows(toy_sampling(), "a", 1)
    draw_windows(toy_sampling(), "b")
    again, _ = draw_windows(toy_sampling(), "a", 1)
    np.testing.assert_array_equal(first.start, again.start)
    for other, _ in (
        draw_windows(toy_sampling(), "a", 2),
        draw_windows(toy_sampling(seed=2), "a", 1),
    ):
        assert (first.start == other.start).mean() < 0.1


def test_a_window_per_fold_is_in_that_fold(toy_sampling):
    sampling = toy_sampling(100)
    _, folds = draw_windows(sampling, "a")
    drawn = draw_in_folds(sampling, folds, np.random.default_rng(3))
    folds_of_blocks = {}
    for row in range(len(sampling.folds)):
        key = (int(sampling.starts.contig[row]), int(sampling.starts.first[row]) // (16 * WINDOW))
        folds_of_blocks[key] = sampling.folds[row]
    blocks = zip(drawn.contig.tolist(), (drawn.start // (16 * WINDOW)).tolist(), strict=True)
    np.testing.assert_array_equal([folds_of_blocks[key] for key in blocks], folds)
    np.testing.assert_array_equal(drawn.end - drawn.start, WINDOW)
    assert set(drawn.strand) == {1, -1}
    assert len(set(zip(drawn.contig, drawn.start, strict=True))) == 100


def test_start_positions_are_available_or_lost_for_a_reason(toy_genome, strict):
    lost = {reason: n for reason, n in strict.lost.items() if reason != "total"}
    assert strict.lost["total"] == len(toy_genome.codes)
    assert sum(lost.values()) + strict.starts.count.sum() == len(toy_genome.codes)
    assert lost["excluded"] == 100 + WINDOW - 1
    assert lost["unknown bases"] == 2000 + WINDOW - 1


# --- examples without a place -----------------------------------------------------------------


@pytest.mark.parametrize("seed", range(5))
def test_groups_are_on_one_side(seed):
    rng = np.random.default_rng(seed)
    groups = rng.integers(0, 300, 1000)
    sampling = placeless_sampling(1000, seed=1, test_fraction=0.2, folds=4)
    folds = draw_folds(groups, sampling, rng)
    for group in np.unique(groups):
        assert len(set(folds[groups == group])) == 1
    assert set(folds) == {TEST, 0, 1, 2, 3}
    assert 200 <= (folds == TEST).sum() < 200 + np.bincount(groups).max()
    sizes = np.bincount(folds[folds != TEST])
    assert sizes.max() < 1.35 * sizes.min()


def test_examples_of_their_own_have_the_exact_test_share():
    sampling = placeless_sampling(203, seed=1, test_fraction=0.3, folds=3)
    folds = draw_folds(np.arange(203), sampling, np.random.default_rng(1))
    assert (folds == TEST).sum() == 61
    sizes = np.bincount(folds[folds != TEST])
    assert sizes.max() - sizes.min() <= 1
    other = draw_folds(np.arange(203), sampling, np.random.default_rng(2))
    assert (folds != other).mean() > 0.5


def test_a_study_without_a_genome_has_no_windows():
    sampling = placeless_sampling(5, seed=1)
    with pytest.raises(InputError, match="only 0 start positions"):
        draw_windows(sampling, "a")


# --- windows around given regions --------------------------------------------------------------


def test_every_region_is_placed_or_rejected_for_its_reason(toy_genome, strict):
    given = regions(
        (-1, 100, 200),
        (0, 0, 10),
        (0, 39_990, 40_000),
        (2, 20, 30),
        (0, 10_000, 10_100),
        (0, 9_970, 9_972),
        (0, 9_955, 9_965),
        (1, 5_060, 5_080),
        (1, 5_128, 5_140),
        (0, 1_020, 1_028),
        (0, 2_110, 2_200),
        (0, 2_100, 2_200),
        (1, 100, 141, -1),
    )
    placed = place(given, strict, toy_genome, 0.5)
    assert placed.candidates == 13
    assert placed.rejected == {
        ABSENT: 1,
        "too near the contig's end": 3,
        "unknown bases": 2,
        "excluded": 1,
        "block boundary": 2,
        OVERLAP: 1,
    }
    kept = list(zip(*(column.tolist() for column in placed.regions), strict=True))
    assert kept == [(0, 2_118, 2_182, 0), (0, 9_928, 9_992, 0), (1, 88, 152, -1)]


def test_regions_on_contigs_that_are_not_chosen_are_counted(toy_genome):
    sampling = window_sampling(
        toy_genome, WINDOW, 20, seed=1, chromosomes=["chrA"], test_fraction=0.25, folds=3
    )
    placed = place(regions((0, 100, 200), (1, 100, 200)), sampling, toy_genome, 0.5)
    assert placed.rejected == {"contig not chosen": 1}
    assert placed.regions.contig.tolist() == [0]


@pytest.mark.parametrize("overlap", [0.0, 0.1, 0.3, 0.4, 0.45, 0.5, 0.9])
def test_no_two_windows_share_more_than_allowed(toy_genome, strict, overlap):
    placed = place(random_given(toy_genome, 3000, 4), strict, toy_genome, overlap)
    contig, start = placed.regions.contig, placed.regions.start
    apart = np.diff(start)[contig[1:] == contig[:-1]]
    shared = WINDOW - apart.min()
    assert shared <= overlap * WINDOW
    # not stricter than asked: some share as much as a whole number of bases allows
    assert shared >= np.floor(overlap * WINDOW) - 1
    assert len(start) + sum(placed.rejected.values()) == placed.candidates == 3000
    reasons = set(placed.rejected)
    assert reasons == {
        "too near the contig's end",
        "unknown bases",
        "excluded",
        "block boundary",
        OVERLAP,
    }


def test_windows_that_may_overlap_wholly_are_all_kept(toy_genome, strict):
    given = regions((0, 100, 200), (0, 100, 200), (0, 101, 201))
    placed = place(given, strict, toy_genome, 1.0)
    assert placed.regions.start.tolist() == [118, 118, 119]
    assert placed.rejected == {}


@pytest.mark.parametrize("window", [63, 64])
def test_windows_are_centred_and_in_the_fold_of_their_block(toy_genome, window):
    sampling = window_sampling(toy_genome, window, 20, seed=1, test_fraction=0.25, folds=3)
    given = random_given(toy_genome, 400, 5)
    placed = place(given, sampling, toy_genome, 0.2)
    rule = given.start + (given.end - given.start) // 2 - window // 2
    expected = set(zip(given.contig.tolist(), rule.tolist(), strict=True))
    found = list(zip(placed.regions.contig.tolist(), placed.regions.start.tolist(), strict=True))
    assert len(found) > 100
    assert set(found) <= expected
    length = 16 * window
    fold_of_block = {
        (int(contig), int(first) // length): int(fold)
        for contig, first, fold in zip(
            sampling.starts.contig, sampling.starts.first, sampling.folds, strict=True
        )
    }
    assert [fold_of_block[c, s // length] for c, s in found] == placed.folds.tolist()


def test_a_placed_window_is_one_that_could_have_been_drawn(toy_genome, strict):
    placed = place(random_given(toy_genome, 3000, 6), strict, toy_genome, 0.5)
    starts = strict.starts
    for contig, start in zip(placed.regions.contig, placed.regions.start, strict=True):
        there = (starts.contig == contig) & (starts.first <= start)
        assert (start < (starts.first + starts.count)[there]).any()


def test_no_region_at_all_is_no_error(toy_genome, strict):
    placed = place(regions((-1, 1, 2)), strict, toy_genome, 0.5)
    assert len(placed.folds) == len(placed.regions.start) == 0
    assert placed.rejected == {ABSENT: 1}


def annotations(contigs):
    return Annotations(
        labels=("x", "y"),
        label=np.array([0, 1, 0], np.int32),
        contigs=contigs,
        contig=np.array([0, 1, 1], np.int32),
        start=np.array([1, 2, 3]),
        end=np.array([11, 12, 13]),
        strand=np.array([1, 0, -1], np.int8),
    )


def test_regions_get_the_numbers_of_the_genome(toy_genome):
    found = on_genome(annotations(("chrB", "chrQ")), toy_genome)
    assert found.contig.tolist() == [1, -1, -1]
    only = on_genome(annotations(("chrB", "chrA")), toy_genome, 0)
    assert (only.contig.tolist(), only.start.tolist(), only.strand.tolist()) == (
        [1, 0],
        [1, 3],
        [1, -1],
    )
    with pytest.raises(InputError, match=r"'A' is not in the genome .*did you mean 'chrA'"):
        on_genome(annotations(("A", "B")), toy_genome)


# --- choosing and orienting --------------------------------------------------------------------


def test_chosen_rows_are_distinct_and_keep_the_test_share():
    folds = np.repeat([TEST, 0, 1, 2], 100)
    sampling = placeless_sampling(60, seed=1, test_fraction=0.25)
    rows = sample_rows(folds, sampling, np.random.default_rng(1), minimum=60, name="x")
    assert len(set(rows.tolist())) == 60
    assert (folds[rows] == TEST).sum() == 15
    # in random order: neither sorted by row nor by side
    assert 0 < (folds[rows[:30]] == TEST).sum() < 15
    assert (np.diff(rows) < 0).any()
    other = sample_rows(folds, sampling, np.random.default_rng(2), minimum=60, name="x")
    assert len(set(rows) & set(other)) < 30


@pytest.mark.parametrize(("train", "test", "expected"), [(100, 5, 50), (40, 100, 55), (9, 11, 20)])
def test_fewer_rows_will_do_down_to_a_minimum(train, test, expected):
    folds = np.repeat([0, TEST], [train, test])
    sampling = placeless_sampling(60, seed=1, test_fraction=0.25)
    rng = np.random.default_rng(1)
    assert len(sample_rows(folds, sampling, rng, minimum=20, name="x")) == expected
    with pytest.raises(InputError) as caught:
        sample_rows(folds, sampling, rng, minimum=expected + 1, name="concept 'x'")
    text = str(caught.value)
    assert text.startswith(
        f"concept 'x': {expected} examples can be used ({min(train, 45)} to train"
    )
    assert f"{min(test, 15)} to test, of {train + test} available), expected {expected + 1}" in text
    assert "min_examples" in text


def test_strands_are_annotated_drawn_or_forward():
    given = regions(*[(0, 1, 2, strand) for strand in (1, -1, 0) * 100])
    annotated = orient(given, "annotated", np.random.default_rng(1)).strand
    np.testing.assert_array_equal(annotated[given.strand != 0], given.strand[given.strand != 0])
    assert 25 < (annotated[given.strand == 0] == 1).sum() < 75
    both = orient(given, "both", np.random.default_rng(1)).strand
    assert 0.4 < (both[given.strand == 1] == 1).mean() < 0.6
    assert set(both) == {1, -1}
    assert set(orient(given, "+", np.random.default_rng(1)).strand) == {1}


@pytest.mark.real
def test_a_genome_that_is_mostly_unknown_says_what_was_lost(real_data):
    genome = read_genome(real_data / "genome" / "hg38.chr22_partial.fa.gz")
    begin = time.perf_counter()
    sampling = window_sampling(genome, 1024, 5000, seed=1)
    drawn, folds = draw_windows(sampling, "a")
    assert time.perf_counter() - begin < 5
    assert len(set(drawn.start.tolist())) == 5000
    assert (folds == TEST).sum() == 1000
    assert (genome.windows(drawn.contig, drawn.start, 1024) < 4).all()
    lost = dict(sampling.lost)
    assert lost.pop("total") == 50_818_468
    assert sum(lost.values()) + sampling.starts.count.sum() == 50_818_468
    # 3.7 Mb are known, all else is N
    assert 47_118_468 < lost["unknown bases"] < 47_125_000
