from __future__ import annotations

import numpy as np
import pytest

from tpcav_core import grams


def rows(n, d, seed=0):
    return np.random.default_rng(seed).normal(size=(n, d)).astype(np.float32)


def streamed(matrix, size):
    return (matrix[first : first + size] for first in range(0, len(matrix), size))


@pytest.mark.parametrize("d", [1, 100, grams.BLOCK, grams.BLOCK + 1, 3 * grams.BLOCK + 5])
def test_inner_products_are_those_of_the_whole(d):
    left, right = rows(6, d, 1), rows(9, d, 2)
    product = grams.inner_products(left, right)
    assert product.dtype == np.float64
    expected = left.astype(float) @ right.astype(float).T
    np.testing.assert_allclose(product, expected, atol=1e-5 * d**0.5)


def test_a_gram_matrix_is_symmetric_with_squared_lengths():
    z = rows(7, 500)
    gram = grams.inner_products(z, z)
    np.testing.assert_allclose(gram, gram.T, rtol=1e-6)
    np.testing.assert_allclose(np.diag(gram), (z.astype(float) ** 2).sum(axis=1), rtol=1e-6)


@pytest.mark.parametrize("size", [1, 4, 11, 50])
def test_streamed_products_equal_dense_ones(size):
    z, others = rows(5, 300, 1), rows(11, 300, 2)
    cross = grams.cross_gram(z, streamed(others, size))
    np.testing.assert_allclose(cross, z.astype(float) @ others.astype(float).T, atol=1e-4)


@pytest.mark.parametrize("size", [1, 4, 11, 50])
def test_streamed_combinations_equal_dense_ones(size):
    z = rows(11, 300)
    weights = np.random.default_rng(3).normal(size=(11, 4))
    combined = grams.combine(weights, streamed(z, size))
    assert combined.shape == (4, 300)
    np.testing.assert_allclose(combined, weights.T @ z.astype(float), rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("n", [10, 12])
def test_weights_for_another_number_of_rows_are_refused(n):
    with pytest.raises(ValueError, match=r"weights|mismatch|dimension"):
        grams.combine(np.ones((n, 2)), streamed(rows(11, 4), 5))


def test_no_rows_are_refused():
    with pytest.raises(ValueError, match="2 weights for 0 rows"):
        grams.combine(np.ones((2, 1)), iter(()))
