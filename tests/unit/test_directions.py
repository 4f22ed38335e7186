from __future__ import annotations

import numpy as np
import pytest

from tpcav_core.directions import consensus, replicate_cosine, unit


def test_unit_rows_have_length_one_and_zeros_stay():
    rows = np.array([[3.0, 4.0], [0.0, 0.0], [-1e-100, 0.0]])
    np.testing.assert_allclose(unit(rows), [[0.6, 0.8], [0, 0], [-1, 0]])


def test_the_consensus_is_the_mean_direction():
    cavs = np.array([[10.0, 0.0], [0.0, 0.1]])
    np.testing.assert_allclose(consensus(cavs), np.full(2, 0.5**0.5))
    np.testing.assert_allclose(consensus(cavs[:1]), [1, 0])
    np.testing.assert_array_equal(consensus(np.array([[1.0, 0.0], [-2.0, 0.0]])), [0, 0])


def test_the_cosine_between_replicates_is_the_mean_over_pairs():
    assert np.isnan(replicate_cosine(np.ones((1, 3))))
    assert replicate_cosine(np.array([[1.0, 0], [5, 0], [0, 2]])) == pytest.approx(1 / 3)
    assert replicate_cosine(np.array([[1.0, 1], [-3, -3]])) == pytest.approx(-1)


@pytest.mark.parametrize("seed", range(3))
def test_lengths_and_the_order_of_replicates_do_not_count(seed):
    rng = np.random.default_rng(seed)
    cavs, lengths = rng.normal(size=(4, 7)), rng.uniform(0.01, 100, (4, 1))
    other = rng.permutation(lengths * cavs)
    np.testing.assert_allclose(consensus(other), consensus(cavs))
    assert np.linalg.norm(consensus(cavs)) == pytest.approx(1)
    assert replicate_cosine(other) == pytest.approx(replicate_cosine(cavs))
    # the mean of all cosines is the squared length of the mean direction, the n of 1 included
    mean = np.square(unit(cavs).mean(axis=0)).sum()
    assert replicate_cosine(cavs) == pytest.approx((16 * mean - 4) / 12)


def test_many_concepts_at_once_are_each_alone():
    cavs = np.random.default_rng(3).normal(size=(5, 4, 7))
    np.testing.assert_allclose(consensus(cavs), [consensus(part) for part in cavs])
    np.testing.assert_allclose(unit(cavs), [unit(part) for part in cavs])
