from __future__ import annotations

import time

import numpy as np
import pytest

from tests.conftest import WINDOW, contig
from tpcav_core.errors import InputError
from tpcav_core.genome import read_genome
from tpcav_core.matching import gc_matched_windows, window_gc
from tpcav_core.placing import place
from tpcav_core.regions import Regions
from tpcav_core.sampling import (
    draw_folds,
    draw_in_folds,
    draw_windows,
    orient,
    placeless_sampling,
    sample_rows,
    window_sampling,
)
from tpcav_core.splits import TEST, fold_of


def regions(*rows):
    """Regions of (contig, start, end) or (contig, start, end, strand)."""
    columns = np.array([(*row, 0)[:4] for row in rows], np.int64).reshape(-1, 4).T
    contig, start, end, strand = columns
    return Regions(contig.astype(np.int32), start, end, strand.astype(np.int8))


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


# --- by chromosomes, and other splits -----------------------------------------------------------

NAMES = [*"abcdefgh", "tiny"]


@pytest.fixture(scope="module")
def eight(tmp_path_factory):
    """Eight contigs of 2 to 9 kb, and one that is shorter than a window."""
    rng = np.random.default_rng(30)
    lengths = [*range(2_000, 10_000, 1_000), 50]
    path = tmp_path_factory.mktemp("genome") / "eight.fa"
    path.write_text("".join(map(contig, NAMES, lengths, [rng] * 9)))
    return read_genome(path)


def of(genome, n=100, **options):
    options = {"seed": 1, "test_fraction": 0.25, "folds": 3, **options}
    return window_sampling(genome, WINDOW, n, **options)


def places(drawn):
    return np.column_stack([drawn.contig, drawn.start])


def fold_of_contig(contigs, folds):
    """The fold of each contig, which has only one."""
    found = {}
    for number, fold in zip(contigs.tolist(), folds.tolist(), strict=True):
        assert found.setdefault(number, fold) == fold
    return found


@pytest.mark.parametrize("seed", range(10))
def test_every_contig_is_on_one_side_and_no_start_is_lost(eight, seed):
    sampling = of(eight, seed=seed, by="chromosomes")
    known = fold_of_contig(sampling.starts.contig, sampling.folds)
    assert set(known) == set(range(8))
    assert set(known.values()) == {TEST, 0, 1, 2}
    assert sampling.lost["block boundary"] == 0
    assert sampling.starts.count.sum() == sum(range(2_000, 10_000, 1_000)) - 8 * (WINDOW - 1)
    tests = sampling.starts.count[sampling.folds == TEST].sum() / sampling.starts.count.sum()
    assert 0.2 <= tests <= 0.3125
    drawn, folds = draw_windows(sampling, "a")
    assert (folds == TEST).sum() == 25
    assert fold_of_contig(drawn.contig, folds).items() <= known.items()
    partners = draw_in_folds(sampling, folds, np.random.default_rng(1))
    assert fold_of_contig(partners.contig, folds).items() <= known.items()
    gc = window_gc(drawn, eight)
    rng = np.random.default_rng(2)
    matched, parts, _ = gc_matched_windows(gc, folds, eight, sampling, rng, tolerance=0.1)
    assert fold_of_contig(matched.contig, parts).items() <= known.items()
    np.testing.assert_array_equal(parts == TEST, folds == TEST)
    given = regions(*((number, 1_000, 1_010) for number in range(8)), (3, 1_020, 1_030), (8, 1, 9))
    placed = place(given, sampling, eight, 0.9)
    assert placed.rejected == {"too near the contig's end": 1}
    assert fold_of_contig(placed.regions.contig, placed.folds) == known


@pytest.mark.parametrize("named", [["c"], ["h", "a"]])
def test_named_chromosomes_are_the_test_part(eight, named):
    sampling = of(eight, test_chromosomes=named)
    known = fold_of_contig(sampling.starts.contig, sampling.folds)
    assert {NAMES[number] for number, fold in known.items() if fold == TEST} == set(named)
    assert set(known.values()) == {TEST, 0, 1, 2}
    _, folds = draw_windows(sampling, "a")
    assert (folds == TEST).sum() == 25


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"test_chromosomes": ["A"]}, r"chromosomes: chromosome 'A' .*did you mean 'a'"),
        ({"test_chromosomes": ["tiny"]}, r"'tiny' \(50 bp\) has no acceptable window of 64 bp"),
        ({"test_chromosomes": ["b"], "chromosomes": ["a", "h"]}, "'b' is not among the 2"),
        ({"by": "chromosomes", "folds": 8}, r"there are 8 chromosomes .* at least 9 \(8 folds"),
        ({"by": "chromosomes", "chromosomes": ["a", "b", "c"]}, "there are 3 chromosomes"),
        ({"test_chromosomes": list("abcdef")}, r"at least 9 \(3 folds and 6 for testing"),
        ({"by": "chromosomes", "block": 640}, r"split\.block_length is 640 bp"),
    ],
)
def test_a_split_by_chromosomes_that_cannot_be(eight, options, expected):
    with pytest.raises(InputError, match=expected) as caught:
        of(eight, **options)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("by", ["blocks", "chromosomes"])
def test_the_seed_of_the_split_changes_the_split_and_few_windows(eight, by):
    usual = of(eight, by=by)
    drawn, _ = draw_windows(usual, "a")
    same = of(eight, by=by, split_seed=1)
    np.testing.assert_array_equal(same.folds, usual.folds)
    splits = {usual.folds.tobytes()}
    for seed in range(2, 8):
        other = of(eight, by=by, split_seed=seed)
        # the places are those of the split that has this seed throughout
        np.testing.assert_array_equal(other.folds, of(eight, by=by, seed=seed).folds)
        splits.add(other.folds.tobytes())
        again, parts = draw_windows(other, "a")
        np.testing.assert_array_equal(parts, fold_of(again, other.starts, other.folds))
        assert (parts == TEST).sum() == 25
        moved = (fold_of(drawn, other.starts, other.folds) == TEST).sum() - 25
        changed = (places(again) != places(drawn)).any(axis=1)
        assert changed.sum() == abs(moved)
        np.testing.assert_array_equal(again.strand[~changed], drawn.strand[~changed])
        np.testing.assert_array_equal(
            places(again), places(draw_windows(of(eight, by=by, split_seed=seed), "a")[0])
        )
    # of eight contigs there are few good test parts
    assert len(splits) >= (4 if by == "chromosomes" else 7)


def test_a_split_with_the_same_test_part_changes_no_window(eight):
    drawn, _ = draw_windows(of(eight, test_chromosomes=["d"]), "a")
    for seed in range(2, 6):
        again, _ = draw_windows(of(eight, test_chromosomes=["d"], split_seed=seed), "a")
        for column, other in zip(drawn, again, strict=True):
            np.testing.assert_array_equal(column, other)


@pytest.mark.parametrize("by", ["blocks", "chromosomes"])
def test_as_many_windows_can_be_drawn_as_are_said_to_be(eight, by):
    for options in ({}, {"split_seed": 2}, {"split_seed": 3}):
        sampling = of(eight, by=by, **options)
        most = sampling.most_windows()
        _, folds = draw_windows(sampling._replace(n=most), "a")
        assert len(folds) == most
        parts = [(side == TEST) for side in (sampling.folds, sampling.drawing_folds)]
        few = min(
            min(
                sampling.starts.count[tests].sum() / 0.25,
                sampling.starts.count[~tests].sum() / 0.75,
            )
            for tests in parts
        )
        assert most == int(few)


def test_lots_are_drawn_by_the_seed_of_the_split(eight):
    purpose = ("concepts", "x")
    drawn = [
        sampling.lots(np.random.default_rng(1), *purpose).integers(0, 2**60)
        for sampling in (
            of(eight),
            of(eight, split_seed=1),
            placeless_sampling(9, seed=1, split_seed=1),
            of(eight, split_seed=2),
            placeless_sampling(9, seed=1, split_seed=2),
            placeless_sampling(9, seed=3, split_seed=2),
        )
    ]
    assert drawn[0] == drawn[1] == drawn[2] == np.random.default_rng(1).integers(0, 2**60)
    assert drawn[0] != drawn[3] == drawn[4] == drawn[5]


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


@pytest.mark.parametrize(
    ("train", "test", "expected"),
    [(100, 5, (16, 5)), (40, 100, (40, 14)), (9, 11, (9, 3)), (45, 15, (45, 15))],
)
def test_fewer_rows_will_do_down_to_a_minimum(train, test, expected):
    folds = np.repeat([0, TEST], [train, test])
    sampling = placeless_sampling(60, seed=1, test_fraction=0.25)
    rng = np.random.default_rng(1)
    rows = sample_rows(folds, sampling, rng, minimum=10, name="x")
    # what is lacking on one side is left out on the other, so that the share stays
    assert ((folds[rows] != TEST).sum(), (folds[rows] == TEST).sum()) == expected
    # as many as there are will do, as long as the share leaves half of them
    n = sum(expected)
    most = min(min(train, 45) + min(test, 15), 2 * n)
    assert len(sample_rows(folds, sampling, rng, minimum=most, name="x")) == n
    if n == sampling.n:
        return
    with pytest.raises(InputError) as caught:
        sample_rows(folds, sampling, rng, minimum=most + 1, name="concept 'x'")
    assert str(caught.value).startswith(
        f"concept 'x': {n} examples can be used ({expected[0]} to train and {expected[1]} to test,"
        f" of {train} and {test} available), expected {most + 1}, 2 or more of either; lower min_ex"
    )


def test_one_side_alone_is_no_set_of_examples():
    for folds in (np.zeros(50, int), np.full(50, TEST), np.repeat([0, TEST], [50, 1])):
        with pytest.raises(InputError, match="expected 10, 2 or more of either"):
            sample_rows(
                folds,
                placeless_sampling(60, seed=1, test_fraction=0.25),
                np.random.default_rng(1),
                minimum=10,
                name="x",
            )


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
