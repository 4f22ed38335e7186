from __future__ import annotations

import numpy as np
import pytest

from tests.conftest import WINDOW
from tpcav_core.annotations import Annotations
from tpcav_core.errors import InputError
from tpcav_core.placing import ABSENT, OVERLAP, on_genome, place
from tpcav_core.regions import Regions
from tpcav_core.sampling import window_sampling


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
