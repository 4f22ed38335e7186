from __future__ import annotations

import numpy as np
import pytest

from tpcav_core.basis import fit_components, fit_scaling
from tpcav_core.decorrelation import CORRELATED, decorrelation, variance_table


def correlated(n=400, d=20, seed=0):
    rng = np.random.default_rng(seed)
    return (rng.normal(size=(n, 3)) @ rng.normal(size=(3, d)) + rng.normal(size=(n, d)) / 4).astype(
        "f4"
    )


def test_components_of_the_sample_itself_are_uncorrelated_and_features_are_as_numpy_says():
    y = correlated()
    scaling = fit_scaling(y)
    z = scaling.apply(y)
    found = decorrelation(z, fit_components(y, scaling).vectors)
    matrix = np.abs(np.corrcoef(z.T))
    off = matrix[~np.eye(20, dtype=bool)].mean()
    assert found["feature_correlation"] == pytest.approx(off, rel=1e-5)
    assert found["component_correlation"] < 1e-4


def test_independent_features_have_what_chance_gives():
    z = np.random.default_rng(1).normal(size=(50, 60)).astype("f4")
    found = decorrelation(z, np.eye(60, dtype="f4"))
    assert found["feature_correlation"] == pytest.approx(found["component_correlation"], rel=1e-5)
    assert found["feature_correlation"] == pytest.approx(found["correlation_by_chance"], rel=0.05)


def test_of_many_features_some_are_looked_at():
    z = np.random.default_rng(2).normal(size=(10, 4 * CORRELATED)).astype("f4")
    found = decorrelation(z, np.zeros((4 * CORRELATED, 0), "f4"))
    assert 0 < found["feature_correlation"] < 1
    assert found["component_correlation"] is None


@pytest.mark.parametrize("z", [np.ones((1, 4), "f4"), np.ones((5, 4), "f4")], ids=["one", "same"])
def test_nothing_is_said_where_nothing_varies(z):
    found = decorrelation(z, np.eye(4, dtype="f4"))
    assert found["feature_correlation"] is None
    assert found["component_correlation"] is None


@pytest.mark.parametrize("number", ["full", 5, 0])
def test_shares_of_variance_sum_to_what_the_components_hold(number):
    y = correlated()
    components = fit_components(y, fit_scaling(y), number)
    table = variance_table(components)
    assert len(table) == components.vectors.shape[1]
    assert table["share"].is_monotonic_decreasing
    assert table["cumulative_share"].max() <= 1 + 1e-9 or number == 0
    if number == "full":
        assert table["cumulative_share"].iloc[-1] == pytest.approx(1, rel=1e-5)
