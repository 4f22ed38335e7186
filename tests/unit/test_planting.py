from __future__ import annotations

from collections import Counter
from itertools import combinations_with_replacement

import numpy as np
import pytest
from scipy.stats import binomtest, chisquare

from tpcav_core.errors import InputError
from tpcav_core.genome import decode, encode, reverse_complement
from tpcav_core.motifs import Motif
from tpcav_core.planting import (
    ORIENTATIONS,
    MotifPair,
    Sites,
    plant,
    sample_pair_sites,
    sample_sites,
)

WINDOW = 100


def pwm_of(sequence):
    return np.eye(4)[encode(sequence)]


def random_motif(width, seed=0):
    return Motif("random", (np.random.default_rng(seed).dirichlet(np.full(4, 0.5), width),))


SEVERAL = Motif("several", (pwm_of("AACCGG"), pwm_of("TTT"), pwm_of("ACACACAC")))
MOTIFS = {"one": random_motif(7), "several": SEVERAL}


def backgrounds(n, window=WINDOW, seed=0):
    return np.random.default_rng(seed).integers(0, 4, (n, window)).astype(np.uint8)


def sites_of(motif, n=200, copies=5, window=WINDOW, seed=1, **options):
    return sample_sites(motif, n, copies, window, np.random.default_rng(seed), **options)


@pytest.mark.parametrize("motif", MOTIFS.values(), ids=MOTIFS)
def test_bases_are_where_sites_say_and_nothing_else_changes(motif):
    before = backgrounds(200)
    sites = sites_of(motif)
    after = plant(before, sites)
    expected = before.copy()
    for example in range(200):
        for site in range(5):
            width = sites.width[example, site]
            start = sites.start[example, site]
            expected[example, start : start + width] = sites.bases[example, site, :width]
            assert (sites.bases[example, site, :width] < 4).all()
            assert (sites.bases[example, site, width:] == 4).all()
    np.testing.assert_array_equal(after, expected)
    np.testing.assert_array_equal(before, backgrounds(200))


def test_shapes_and_types():
    sites = sites_of(SEVERAL)
    assert sites.start.dtype == np.int32
    assert sites.strand.dtype == np.int8
    assert sites.width.dtype == np.int16
    assert sites.bases.dtype == np.uint8
    assert sites.start.shape == sites.strand.shape == sites.width.shape == (200, 5)
    assert sites.bases.shape == (200, 5, 8)
    assert plant(backgrounds(200), sites).dtype == np.uint8


@pytest.mark.parametrize("motif", MOTIFS.values(), ids=MOTIFS)
@pytest.mark.parametrize(("copies", "margins"), [(1, (0, 0)), (5, (20, 3)), (12, (0, 4))])
def test_sites_are_in_order_apart_and_inside_the_margins(motif, copies, margins):
    sites = sites_of(motif, copies=copies, start_margin=margins[0], end_margin=margins[1])
    ends = sites.start + sites.width
    assert (sites.start[:, 1:] >= ends[:, :-1]).all()
    assert sites.start.min() >= margins[0]
    assert ends.max() <= WINDOW - margins[1]


def test_sites_reach_both_margins():
    sites = sites_of(random_motif(7), n=5000, copies=2, start_margin=30, end_margin=30)
    assert sites.start.min() == 30
    assert (sites.start + sites.width).max() == WINDOW - 30


def test_a_window_that_is_just_long_enough():
    sites = sites_of(random_motif(10), copies=10)
    assert (sites.start == np.arange(0, 100, 10)).all()


@pytest.mark.parametrize(("window", "copies", "width"), [(9, 2, 3), (8, 3, 2), (5, 1, 2)])
def test_every_arrangement_is_equally_likely(window, copies, width):
    free = window - copies * width
    arrangements = [
        tuple(gap + i * width for i, gap in enumerate(gaps))
        for gaps in combinations_with_replacement(range(free + 1), copies)
    ]
    sites = sites_of(random_motif(width), n=20_000, copies=copies, window=window)
    seen = Counter(map(tuple, sites.start.tolist()))
    assert set(seen) == set(arrangements)
    assert chisquare([seen[a] for a in arrangements]).pvalue > 1e-3


def test_every_arrangement_of_the_same_widths_is_equally_likely():
    motif = Motif("two", (pwm_of("A"), pwm_of("CCC")))
    sites = sites_of(motif, n=40_000, copies=2, window=7)
    for widths in ((1, 1), (1, 3), (3, 1), (3, 3)):
        chosen = (sites.width == widths).all(axis=1)
        assert binomtest(int(chosen.sum()), 40_000, 0.25).pvalue > 1e-3
        seen = Counter(map(tuple, sites.start[chosen].tolist()))
        places = 7 - sum(widths)
        assert len(seen) == (places + 1) * (places + 2) // 2
        assert chisquare(list(seen.values())).pvalue > 1e-3


@pytest.mark.parametrize("strand", [1, -1])
def test_bases_follow_the_pwm(strand):
    motif = random_motif(6, seed=3)
    sites = sites_of(motif, n=10_000, copies=2)
    bases = sites.bases[sites.strand == strand]
    pwm = motif.pwms[0] if strand > 0 else motif.pwms[0][::-1, ::-1]
    pvalues = [
        chisquare(np.bincount(bases[:, position], minlength=4), pwm[position] * len(bases)).pvalue
        for position in range(6)
    ]
    assert min(pvalues) > 1e-3


@pytest.mark.parametrize(
    "row", [[1, 0, 0, 0], [0, 0, 0, 1], [0, 0.3, 0.7, 0], [0.1, 0, 0, 0.9], [0.3, 0.7, 0, 0]]
)
def test_impossible_bases_are_never_drawn(row):
    class Extremes:
        """A stream whose uniform numbers are the smallest and the largest that are possible."""

        def __init__(self):
            self.integers = np.random.default_rng(0).integers

        def random(self, shape):
            return np.resize([0.0, np.nextafter(1, 0)], shape)

    motif = Motif("x", (np.array([row, row], float),))
    sites = sample_sites(motif, 50, 3, WINDOW, Extremes(), both_strands=False)
    assert set(sites.bases.ravel()) <= set(np.flatnonzero(row).tolist())


def test_half_of_the_sites_are_reverse_complements():
    motif = Motif("x", (pwm_of("AACG"),))
    sites = sites_of(motif, n=2000, copies=3)
    forward = (sites.bases == encode("AACG")).all(axis=2)
    np.testing.assert_array_equal(forward, sites.strand == 1)
    np.testing.assert_array_equal((sites.bases == encode("CGTT")).all(axis=2), sites.strand == -1)
    assert binomtest(int(forward.sum()), forward.size).pvalue > 1e-3


@pytest.mark.parametrize("motif", MOTIFS.values(), ids=MOTIFS)
def test_one_strand(motif):
    assert (sites_of(motif, both_strands=False).strand == 1).all()


def test_the_window_read_from_the_other_strand_has_the_sites_turned_round():
    windows = plant(backgrounds(200), sites_of(SEVERAL))
    sites = sites_of(SEVERAL)
    there = Sites(
        start=(WINDOW - sites.start - sites.width)[:, ::-1],
        strand=-sites.strand[:, ::-1],
        width=sites.width[:, ::-1],
        bases=turned(sites)[:, ::-1],
    )
    other = plant(reverse_complement(backgrounds(200)), there)
    np.testing.assert_array_equal(other, reverse_complement(windows))


def turned(sites):
    bases = np.full_like(sites.bases, 4)
    for place in np.ndindex(sites.start.shape):
        width = sites.width[place]
        bases[place][:width] = reverse_complement(sites.bases[place][:width])
    return bases


def test_each_pwm_is_used_with_its_own_bases():
    sites = sites_of(SEVERAL, n=3000, copies=3, both_strands=False)
    counts = []
    for pwm in SEVERAL.pwms:
        chosen = sites.width == len(pwm)
        counts.append(int(chosen.sum()))
        assert (sites.bases[chosen][:, : len(pwm)] == pwm.argmax(axis=1)).all()
    assert chisquare(counts).pvalue > 1e-3


def test_the_same_seed_gives_the_same_sites():
    for one, other in zip(sites_of(SEVERAL), sites_of(SEVERAL), strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize(("n", "copies"), [(0, 3), (4, 0)])
def test_nothing_to_plant(n, copies):
    sites = sites_of(random_motif(7), n=n, copies=copies)
    assert sites.bases.shape == (n, copies, 7)
    np.testing.assert_array_equal(plant(backgrounds(n), sites), backgrounds(n))


def test_unknown_bases_of_the_background_stay():
    sites = sites_of(random_motif(7), n=3, copies=2)
    planted = plant(np.full((3, WINDOW), 4, np.uint8), sites)
    assert ((planted < 4).sum(axis=1) == 14).all()


def test_copies_that_do_not_fit():
    with pytest.raises(
        InputError, match=r"motif 'random': 11 copies of 10 bp need 110 bp, .*window of 100 bp; "
    ):
        sites_of(random_motif(10), copies=11)
    with pytest.raises(InputError, match=r"window of 100 bp less margins of 1 and 0 bp; plant"):
        sites_of(random_motif(10), copies=10, start_margin=1)
    with pytest.raises(InputError, match=r"'several': 13 copies of 8 bp"):
        sites_of(SEVERAL, copies=13)


def test_sites_of_other_windows():
    sites = sites_of(random_motif(10), n=3, copies=10)
    with pytest.raises(InputError, match="sites of 3 examples for 4 windows"):
        plant(backgrounds(4), sites)
    with pytest.raises(InputError, match="over an end of windows of 99 bp"):
        plant(backgrounds(3, window=99), sites)


# the consensus instead of drawn bases


def test_the_consensus_is_planted_on_both_strands():
    pwm = np.array([[0.4, 0.3, 0.2, 0.1], [0.1, 0.2, 0.3, 0.4], [0, 0.4, 0.4, 0.2], [0.25] * 4])
    sites = sites_of(Motif("x", (pwm,)), consensus=True)
    for strand, expected in ((1, "ATCA"), (-1, "TGAT")):
        bases = sites.bases[sites.strand == strand]
        assert len(bases) > 100
        assert (bases == encode(expected)).all()


def test_each_pwm_has_its_own_consensus():
    motif = Motif("two", (random_motif(4).pwms[0], random_motif(7, seed=2).pwms[0]))
    sites = sites_of(motif, consensus=True, both_strands=False)
    for pwm in motif.pwms:
        bases = sites.bases[sites.width == len(pwm)]
        assert len(bases) > 100
        assert (bases[:, : len(pwm)] == pwm.argmax(axis=1)).all()
        assert (bases[:, len(pwm) :] == 4).all()


def test_the_consensus_is_planted_where_drawn_bases_would_be():
    drawn, consensus = (sites_of(SEVERAL, consensus=consensus) for consensus in (False, True))
    for one, other in zip(drawn[:3], consensus[:3], strict=True):
        np.testing.assert_array_equal(one, other)


# pairs

LEFT = Motif("left", (pwm_of("AACG"),))
RIGHT = Motif("right", (pwm_of("TTGCCA"),))


def pairs_of(pair, n=300, copies=3, window=WINDOW, seed=1, **options):
    return sample_pair_sites(pair, n, copies, window, np.random.default_rng(seed), **options)


def turned_text(text):
    return text[::-1].translate(str.maketrans("ACGT", "TGCA"))


@pytest.mark.parametrize("spacing", [0, 3])
@pytest.mark.parametrize("orientation", ORIENTATIONS)
def test_spacing_and_orientation_on_both_strands(orientation, spacing):
    # "N" as background shows the bases between the two: they stay
    sites = pairs_of(MotifPair(LEFT, RIGHT, spacing, orientation))
    planted = plant(np.full((300, WINDOW), 4, np.uint8), sites)
    first, second = (
        text if own == "+" else turned_text(text)
        for text, own in zip(("AACG", "TTGCCA"), orientation, strict=True)
    )
    forward = f"{first}{'N' * spacing}{second}"
    signs = [1 if own == "+" else -1 for own in orientation]
    turned_round = 0
    for example in range(300):
        text = decode(planted[example])
        for left in range(0, 6, 2):
            start = sites.start[example, left]
            strands = sites.strand[example, left : left + 2].tolist()
            widths = sites.width[example, left : left + 2].tolist()
            assert sites.start[example, left + 1] == start + widths[0] + spacing
            is_turned = widths == [6, 4]
            assert widths in ([4, 6], [6, 4])
            assert strands == ([-signs[1], -signs[0]] if is_turned else signs)
            expected = turned_text(forward) if is_turned else forward
            assert text[start : start + 10 + spacing] == expected
            turned_round += is_turned
    assert binomtest(turned_round, 900).pvalue > 1e-3
    assert ((planted < 4).sum(axis=1) == 30).all()


def test_pairs_on_one_strand():
    sites = pairs_of(MotifPair(LEFT, RIGHT, 2, "+-"), both_strands=False)
    assert (sites.strand == [1, -1] * 3).all()
    assert (sites.width == [4, 6] * 3).all()
    assert (sites.bases[:, ::2] == encode("AACGNN")).all()
    assert (sites.bases[:, 1::2] == encode("TGGCAA")).all()


def test_types_of_pairs():
    sites = pairs_of(MotifPair(SEVERAL, LEFT, 2, "+-"))
    assert [column.dtype for column in sites] == [np.int32, np.int8, np.int16, np.uint8]
    assert sites.start.shape == sites.strand.shape == sites.width.shape == (300, 6)
    assert sites.bases.shape == (300, 6, 8)


@pytest.mark.parametrize(("copies", "margins"), [(1, (0, 0)), (3, (20, 7)), (5, (0, 5))])
def test_pairs_are_in_order_apart_and_inside_the_margins(copies, margins):
    pair = MotifPair(SEVERAL, random_motif(5), 4, "-+")
    sites = pairs_of(pair, 2000, copies, start_margin=margins[0], end_margin=margins[1])
    ends = sites.start + sites.width
    assert (sites.start[:, 1:] >= ends[:, :-1]).all()
    assert (sites.start[:, 1::2] - ends[:, ::2] == 4).all()
    assert sites.start.min() == margins[0]
    assert ends.max() == WINDOW - margins[1]
    for row, column in np.ndindex(sites.start.shape):
        width = sites.width[row, column]
        assert (sites.bases[row, column, :width] < 4).all()
        assert (sites.bases[row, column, width:] == 4).all()


def test_every_arrangement_of_pairs_is_equally_likely():
    pair = MotifPair(Motif("a", (pwm_of("A"),)), Motif("c", (pwm_of("CC"),)), 1, "++")
    sites = pairs_of(pair, 40_000, 2, window=11)
    left = Counter(map(tuple, sites.start[:, ::2].tolist()))
    arrangements = [(a, b + 4) for a, b in combinations_with_replacement(range(4), 2)]
    assert set(left) == set(arrangements)
    assert chisquare(list(left.values())).pvalue > 1e-3
    both = Counter(map(tuple, sites.width[:, ::2].tolist()))
    assert len(both) == 4
    assert chisquare(list(both.values())).pvalue > 1e-3


@pytest.mark.parametrize("orientation", ORIENTATIONS)
def test_bases_of_pairs_follow_the_pwms(orientation):
    first, second = random_motif(4, seed=3), random_motif(6, seed=4)
    sites = pairs_of(MotifPair(first, second, 1, orientation), 10_000, 1)
    pvalues = []
    for motif in (first, second):
        (pwm,) = motif.pwms
        for strand, matrix in ((1, pwm), (-1, pwm[::-1, ::-1])):
            bases = sites.bases[(sites.width == len(pwm)) & (sites.strand == strand)]
            assert len(bases) > 4000
            pvalues += [
                chisquare(np.bincount(bases[:, at], minlength=4), row * len(bases)).pvalue
                for at, row in enumerate(matrix)
            ]
    assert min(pvalues) > 1e-4


def test_a_motif_paired_with_itself():
    sites = pairs_of(MotifPair(LEFT, LEFT, 0, "+-"))
    assert (sites.strand == [1, -1] * 3).all()
    assert (sites.bases == np.tile(np.stack([encode("AACG"), encode("CGTT")]), (3, 1))).all()


def test_consensus_of_pairs():
    first, second = random_motif(4, seed=3), random_motif(6, seed=4)
    sites = pairs_of(MotifPair(first, second, 1, "+-"), consensus=True)
    for motif in (first, second):
        best = motif.pwms[0].argmax(axis=1).astype(np.uint8)
        for strand, expected in ((1, best), (-1, reverse_complement(best))):
            bases = sites.bases[(sites.width == len(best)) & (sites.strand == strand)]
            assert len(bases) > 100
            assert (bases[:, : len(best)] == expected).all()


def test_what_a_pair_says_of_itself():
    pair = MotifPair(SEVERAL, RIGHT, 3, "+-")
    assert pair.label == "several + right, 3 bp, +-"
    assert pair.length == 8 + 3 + 6
    assert pair.information_content == pytest.approx(SEVERAL.information_content + 12)
    assert pair.information_content_gc == pytest.approx(SEVERAL.information_content_gc + 6)
    assert pair == MotifPair(SEVERAL, RIGHT, 3, "+-")
    assert len({pair, MotifPair(SEVERAL, RIGHT, 3, "+-"), MotifPair(RIGHT, SEVERAL, 3, "+-")}) == 2


def test_bad_pairs():
    with pytest.raises(InputError, match=r"motif pair 'left .*: spacing -1 bp; expected 0 or more"):
        MotifPair(LEFT, RIGHT, -1, "++")
    with pytest.raises(InputError, match=r"orientation '\+'; expected \+\+, \+-, -\+, --"):
        MotifPair(LEFT, RIGHT, 0, "+")
    with pytest.raises(
        InputError,
        match=r"'left \+ right, 3 bp, \+\+': 8 copies of 13 bp need 104 bp, .* of 100 bp",
    ):
        pairs_of(MotifPair(LEFT, RIGHT, 3, "++"), copies=8)


@pytest.mark.parametrize(("n", "copies"), [(0, 3), (4, 0)])
def test_no_pairs_to_plant(n, copies):
    sites = pairs_of(MotifPair(LEFT, RIGHT, 3, "++"), n, copies)
    assert sites.bases.shape == (n, 2 * copies, 6)
    np.testing.assert_array_equal(plant(backgrounds(n), sites), backgrounds(n))
