from __future__ import annotations

import numpy as np
import pytest

from tests.unit.cases import CASES, case
from tpcav_core.coordinates import Dual, Primal


@pytest.mark.parametrize("name", CASES)
def test_a_factor_has_the_inner_products_of_the_training_rows(name):
    z, _, folds = case(name)
    training = np.flatnonzero(folds != -1)
    rows = Dual(z @ z.T).rows(training)
    assert rows.features.shape == (len(training), len(training))
    products = z[training] @ z[training].T
    np.testing.assert_allclose(rows.gram, products, atol=1e-9)
    scale = np.diag(products).mean()
    np.testing.assert_allclose(rows.features @ rows.features.T, products, atol=1e-6 * scale)


@pytest.mark.parametrize("name", CASES)
def test_weights_in_either_coordinates_are_the_same_direction(name):
    z, _, folds = case(name)
    training = np.flatnonzero(folds != -1)
    dual, primal = Dual(z @ z.T), Primal(z)
    rows = dual.rows(training)
    # a direction in the span of the training rows, as all with an L2 penalty are
    coefficients = np.random.default_rng(1).normal(size=len(training))
    found = dual.direction(rows, training, coefficients @ rows.features)
    assert (np.delete(found.dual, training) == 0).all()
    expected = primal.direction(primal.rows(training), training, coefficients @ z[training])
    np.testing.assert_allclose(found.dual @ z, expected.weights, atol=1e-5)
    np.testing.assert_allclose(
        dual.project(found), primal.project(expected), atol=1e-4 * len(training)
    )


def test_some_rows_are_taken_with_their_inner_products():
    z, _, _ = case("overlapping")
    rows = Dual(z @ z.T).rows(np.arange(len(z)))
    part = rows.take(np.array([3, 1, 100]))
    np.testing.assert_array_equal(part.features, rows.features[[3, 1, 100]])
    np.testing.assert_array_equal(part.gram, rows.gram[np.ix_([3, 1, 100], [3, 1, 100])])
    assert Primal(z).rows(np.arange(5)).take(np.array([0, 2])).gram is None


@pytest.mark.parametrize("gram", [np.zeros((6, 6)), np.ones((6, 6)), np.diag([1.0, 0, 0, 0, 0, 0])])
def test_inner_products_without_full_rank_have_a_factor(gram):
    rows = Dual(gram).rows(np.arange(6))
    np.testing.assert_allclose(rows.features @ rows.features.T, gram, atol=1e-5)


def test_rounding_below_zero_is_made_up_for():
    z = np.random.default_rng(3).normal(size=(30, 4))
    gram = z @ z.T
    gram -= 1e-5 * np.trace(gram) / 30 * np.eye(30)  # eigenvalues below 0, as float32 can leave
    rows = Dual(gram).rows(np.arange(30))
    np.testing.assert_allclose(rows.features @ rows.features.T, z @ z.T, atol=1e-3)
