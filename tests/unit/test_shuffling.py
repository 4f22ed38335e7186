from __future__ import annotations

from collections import Counter
from itertools import pairwise, permutations

import numpy as np
import pytest
from scipy.stats import binomtest, chisquare

from tpcav_core import shuffling
from tpcav_core.errors import InputError
from tpcav_core.genome import decode, encode
from tpcav_core.motifs import Motif
from tpcav_core.shuffling import dinucleotide_shuffle, permute_columns, random_sequences


def dinucleotides(codes):
    pairs = codes[:, :-1].astype(int) * 5 + codes[:, 1:]
    return np.stack([np.bincount(row, minlength=25) for row in pairs])


def random_codes(n=60, length=200, letters=5, seed=0):
    return np.random.default_rng(seed).integers(0, letters, (n, length)).astype(np.uint8)


LOW_COMPLEXITY = {
    "one base": "A" * 50,
    "repeat": "AC" * 25,
    "left once": "A" * 49 + "C",
    "two bases in turn, left once": "AC" * 24 + "AG",
    "run of N": "ACGT" + "N" * 40 + "TTGCA",
    "all N": "N" * 50,
    "N at both ends": "NNACGTTGCATNN",
    "cycle": "ACGTN" * 9 + "A",
}


# dinucleotide_shuffle


@pytest.mark.parametrize("letters", [2, 4, 5])
def test_dinucleotides_and_ends_are_kept_exactly(letters):
    codes = random_codes(letters=letters)
    before = codes.copy()
    shuffled = dinucleotide_shuffle(codes, np.arange(60))
    np.testing.assert_array_equal(dinucleotides(shuffled), dinucleotides(codes))
    np.testing.assert_array_equal(shuffled[:, [0, -1]], codes[:, [0, -1]])
    np.testing.assert_array_equal(codes, before)
    assert shuffled.dtype == np.uint8
    assert (shuffled != codes).any(axis=1).all()


@pytest.mark.parametrize("sequence", LOW_COMPLEXITY.values(), ids=LOW_COMPLEXITY)
def test_sequences_of_low_complexity(sequence):
    codes = np.tile(encode(sequence), (20, 1))
    shuffled = dinucleotide_shuffle(codes, np.arange(20))
    np.testing.assert_array_equal(dinucleotides(shuffled), dinucleotides(codes))
    np.testing.assert_array_equal(shuffled[:, [0, -1]], codes[:, [0, -1]])


def all_shuffles(sequence):
    pairs = Counter(pairwise(sequence))
    middles = set(permutations(sequence[1:-1]))
    found = (sequence[0] + "".join(middle) + sequence[-1] for middle in middles)
    return [one for one in found if Counter(pairwise(one)) == pairs]


@pytest.mark.parametrize("sequence", ["ACACGTAGA", "AACAGATAC", "ACGNACTNGAC", "AACCAGACA"])
def test_every_shuffle_is_equally_likely(sequence):
    expected = all_shuffles(sequence)
    assert len(expected) >= 5
    codes = np.tile(encode(sequence), (20_000, 1))
    seen = Counter(map(decode, dinucleotide_shuffle(codes, np.arange(20_000))))
    assert set(seen) == set(expected)
    assert chisquare([seen[one] for one in expected]).pvalue > 1e-3


def test_a_row_depends_only_on_itself_and_its_seed(monkeypatch):
    codes, seeds = random_codes(), np.arange(60) - 7
    together = dinucleotide_shuffle(codes, seeds)
    order = np.random.default_rng(1).permutation(60)
    np.testing.assert_array_equal(dinucleotide_shuffle(codes[order], seeds[order]), together[order])
    np.testing.assert_array_equal(dinucleotide_shuffle(codes[5:6], seeds[5:6])[0], together[5])
    monkeypatch.setattr(shuffling, "_CHUNK", 7 * 200)
    np.testing.assert_array_equal(dinucleotide_shuffle(codes, seeds), together)


def test_seeds_differ():
    codes = np.tile(random_codes(1), (30, 1))
    shuffled = dinucleotide_shuffle(codes, np.arange(30))
    assert len(np.unique(shuffled, axis=0)) == 30


@pytest.mark.parametrize("shape", [(0, 10), (3, 0), (3, 1), (3, 2)])
def test_nothing_to_shuffle(shape):
    codes = np.ones(shape, np.uint8)
    shuffled = dinucleotide_shuffle(codes, np.arange(shape[0]))
    np.testing.assert_array_equal(shuffled, codes)
    assert shuffled is not codes


def test_one_seed_per_row():
    with pytest.raises(InputError, match=r"seeds of shape \(2,\) for 3 sequences"):
        dinucleotide_shuffle(random_codes(3), np.arange(2))


# permute_columns


def pwm_of(sequence):
    return np.eye(4)[encode(sequence)]


def columns(pwm):
    return sorted(map(tuple, pwm.tolist()))


def test_columns_are_the_same_in_another_order():
    pwms = tuple(np.random.default_rng(0).dirichlet(np.ones(4), width) for width in (6, 9))
    motif = Motif("x y", pwms)
    permuted = permute_columns(motif, np.random.default_rng(1))
    assert permuted.label == "x y"
    assert permuted.information_content == pytest.approx(motif.information_content)
    for one, other in zip(permuted.pwms, pwms, strict=True):
        assert columns(one) == columns(other)
        assert not np.array_equal(one, other)


@pytest.mark.parametrize("sequence", ["AACG", "AATT", "ACGT", "AAC"])
def test_every_order_but_two_is_equally_likely(sequence):
    turned = decode(3 - encode(sequence)[::-1])
    allowed = {"".join(order) for order in permutations(sequence)} - {sequence, turned}
    rng = np.random.default_rng(2)
    motif = Motif("x", (pwm_of(sequence),))
    drawn = (permute_columns(motif, rng).pwms[0].argmax(axis=1) for _ in range(2000))
    seen = Counter(decode(codes.astype(np.uint8)) for codes in drawn)
    assert set(seen) == allowed
    assert chisquare([seen[one] for one in allowed]).pvalue > 1e-3


def test_equal_up_to_rounding_is_equal():
    row = np.array([0.5, 0.2, 0.2, 0.1])
    nearly = np.vstack([row, row + np.array([1e-13, -1e-13, 0, 0])])
    with pytest.raises(InputError, match="no other order"):
        permute_columns(Motif("x", (nearly,)), np.random.default_rng(0))


@pytest.mark.parametrize("sequence", ["A", "AAAA"])
def test_no_other_order(sequence):
    motif = Motif("m", (pwm_of("ACGGT"), pwm_of(sequence)))
    with pytest.raises(
        InputError, match=f"motif 'm': .* of {len(sequence)} bp have no other order"
    ):
        permute_columns(motif, np.random.default_rng(0))


@pytest.mark.parametrize("sequence", ["CG", "AT", "AG"])
def test_two_positions_change_places(sequence):
    permuted = permute_columns(Motif("m", (pwm_of(sequence),)), np.random.default_rng(0))
    np.testing.assert_array_equal(permuted.pwms[0], pwm_of(sequence[::-1]))


def test_the_only_other_order_is_the_reverse_complement():
    symmetric = np.array([[0.5, 0, 0, 0.5], [0, 0.5, 0.5, 0]])
    with pytest.raises(InputError, match="of 2 bp have no other order"):
        permute_columns(Motif("m", (symmetric,)), np.random.default_rng(0))


# random_sequences


@pytest.mark.parametrize("gc", [0.0, 0.3, 0.5, 1.0])
def test_base_frequencies(gc):
    codes = random_sequences(100, 300, gc, np.random.default_rng(3))
    assert codes.shape == (100, 300)
    assert codes.dtype == np.uint8
    counts = np.bincount(codes.ravel(), minlength=4)
    expected = np.array([(1 - gc) / 2, gc / 2, gc / 2, (1 - gc) / 2]) * codes.size
    assert (counts[expected == 0] == 0).all()
    assert chisquare(counts[expected > 0], expected[expected > 0]).pvalue > 1e-3


def test_bases_are_independent():
    codes = random_sequences(200, 300, 0.5, np.random.default_rng(4))
    same = int((codes[:, 1:] == codes[:, :-1]).sum())
    assert binomtest(same, codes[:, 1:].size, 0.25).pvalue > 1e-3


def test_more_sequences_do_not_change_the_first():
    few, many = (random_sequences(n, 50, 0.4, np.random.default_rng(5)) for n in (3, 9))
    np.testing.assert_array_equal(many[:3], few)


@pytest.mark.parametrize("gc", [-0.1, 1.1, float("nan"), 41])
def test_gc_is_a_fraction(gc):
    with pytest.raises(InputError, match="expected a fraction from 0 to 1"):
        random_sequences(1, 1, gc, np.random.default_rng(0))
