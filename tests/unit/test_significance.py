from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import kstest

from tpcav_core.significance import (
    fewest_callable,
    large_enough,
    p_values,
    q_values,
    saturation,
)

NULL = np.array([-3.0, -1.0, 0.5, 2.0])


def by_counting(observed, null, side):
    """The formula, value by value."""
    if not np.isfinite(observed) or not np.isfinite(null).any():
        return np.nan
    size = abs if side == "both" else float
    values = [value for value in null if np.isfinite(value)]
    return (1 + sum(size(value) >= size(observed) for value in values)) / (1 + len(values))


def adjusted(p):
    """Benjamini and Hochberg by their definition: the smallest level at which a test is called."""
    q = np.full(len(p), np.nan)
    tested = np.flatnonzero(np.isfinite(p))
    for index in tested:
        # called at a level a if for some k at least as large as its rank p_(k) <= k a / m
        levels = [p[other] * len(tested) / np.sum(p[tested] <= p[other]) for other in tested]
        larger = [levels[place] for place, other in enumerate(tested) if p[other] >= p[index]]
        q[index] = min([1.0, *larger])
    return q


@pytest.mark.parametrize(
    ("observed", "both", "greater"),
    [
        (0.0, 1.0, 3 / 5),
        (0.5, 1.0, 3 / 5),  # a null of equal size counts as extreme
        (-0.5, 1.0, 3 / 5),
        (-1.0, 4 / 5, 4 / 5),
        (1.5, 3 / 5, 2 / 5),
        (2.0, 3 / 5, 2 / 5),
        (2.5, 2 / 5, 1 / 5),
        (-2.5, 2 / 5, 4 / 5),
        (-3.0, 2 / 5, 1.0),
        (9.0, 1 / 5, 1 / 5),
        (-9.0, 1 / 5, 1.0),
    ],
)
def test_p_by_hand(observed, both, greater):
    assert p_values([observed], NULL) == pytest.approx(both)
    assert p_values([observed], NULL, "greater") == pytest.approx(greater)


@pytest.mark.parametrize("side", ["both", "greater"])
@pytest.mark.parametrize("decimals", [1, 9])
def test_p_is_the_share_of_nulls_as_extreme_the_observed_one_counted(side, decimals):
    rng = np.random.default_rng(0)
    observed, null = (rng.normal(size=n).round(decimals) for n in (60, 37))
    observed[3], null[5], null[7] = np.nan, np.nan, np.inf
    found = p_values(observed, null, side)
    np.testing.assert_allclose(found, [by_counting(one, null, side) for one in observed])


@pytest.mark.parametrize("side", ["both", "greater"])
def test_p_is_never_0_and_falls_as_the_value_grows(side):
    rng = np.random.default_rng(1)
    null = rng.standard_cauchy(99)
    observed = np.sort(np.abs(rng.standard_cauchy(300)) * 10)
    p = p_values(observed, null, side)
    assert p.min() == 1 / 100
    assert (np.diff(p) <= 0).all()
    assert ((p >= 1 / 100) & (p <= 1)).all()
    # more nulls, all of them less extreme, make it smaller
    assert (p_values(observed, np.append(null, np.zeros(50)), side) <= p).all()


def test_which_side_is_extreme():
    rng = np.random.default_rng(2)
    observed, null = rng.normal(size=50), rng.normal(size=80)
    np.testing.assert_array_equal(p_values(observed, null), p_values(-observed, null))
    np.testing.assert_array_equal(p_values(observed, null), p_values(observed, -null))
    np.testing.assert_array_equal(
        p_values(observed, null), p_values(np.abs(observed), np.abs(null), "greater")
    )
    assert p_values([-5.0], null, "greater") == 1


@pytest.mark.parametrize("scale", [1e-12, 3.0, 1e9])
def test_p_does_not_depend_on_units(scale):
    rng = np.random.default_rng(3)
    observed, null = rng.normal(size=50), rng.normal(size=80)
    np.testing.assert_array_equal(
        p_values(scale * observed, scale * null), p_values(observed, null)
    )


def test_what_is_missing_is_left_out():
    null = np.array([1.0, np.nan, 3.0, np.inf, -np.inf])
    np.testing.assert_allclose(p_values([2.0, np.nan, np.inf], null), [2 / 3, np.nan, np.nan])
    for none in (np.array([]), np.array([np.nan, np.inf])):
        assert np.isnan(p_values([1.0, 2.0], none)).all()
    assert len(p_values([], null)) == 0


def exchangeable(seed, tests, nulls, kind):
    """Observed values and as many nulls of each, of one distribution, correlated by a shared part.

    Returns:
        (tests, 1 + nulls), the observed values first.
    """
    rng = np.random.default_rng(seed)
    values = {
        "normal": rng.normal(size=(tests, 1 + nulls)),
        "cauchy": rng.standard_cauchy((tests, 1 + nulls)),
        "discrete": rng.integers(0, 6, (tests, 1 + nulls)).astype(float),
    }[kind]
    return values + rng.normal(size=(tests, 1))


@pytest.mark.parametrize("side", ["both", "greater"])
@pytest.mark.parametrize("kind", ["normal", "cauchy", "discrete"])
@pytest.mark.parametrize("nulls", [19, 200])
def test_p_of_what_is_like_its_nulls_is_valid_and_without_ties_uniform(kind, nulls, side):
    values = exchangeable(5, 4000, nulls, kind)
    p = np.array([p_values(row[:1], row[1:], side)[0] for row in values])
    for level in (0.05, 0.1, 0.25, 0.5, 0.9):
        share, error = (p <= level).mean(), np.sqrt(level * (1 - level) / len(p))
        assert share <= level + 3.5 * error
        if kind != "discrete":
            # the largest level that there is below this one is reached exactly
            exact = np.floor(level * (1 + nulls) + 1e-9) / (1 + nulls)
            assert share == pytest.approx(exact, abs=3.5 * error)
    if kind != "discrete":
        # p has steps; spread evenly over its step it is uniform
        spread = p - np.random.default_rng(6).uniform(size=len(p)) / (1 + nulls)
        assert kstest(spread, "uniform").pvalue > 0.01


def test_q_by_hand():
    # 5 tests: 5 p / rank is 0.05, 0.1, 0.15, 0.25, 0.9; from the largest down the running minimum
    p = np.array([0.04, 0.01, 0.04, 0.2, 0.9])
    np.testing.assert_allclose(q_values(p), [0.2 / 3, 0.05, 0.2 / 3, 0.25, 0.9])
    np.testing.assert_allclose(q_values([0.02, 0.015]), [0.02, 0.02])
    np.testing.assert_allclose(q_values([0.7]), [0.7])


@pytest.mark.parametrize("seed", range(4))
def test_q_is_the_smallest_level_at_which_a_test_is_called(seed):
    rng = np.random.default_rng(seed)
    p = np.round(rng.uniform(size=25) ** 3, 2 if seed % 2 else 9) + 1e-9
    p[rng.random(25) < 0.2] = np.nan
    np.testing.assert_allclose(q_values(p), adjusted(p))


def test_q_does_not_count_what_is_missing():
    p = np.array([0.01, np.nan, 0.02, 0.5, np.nan])
    found = q_values(p)
    assert np.isnan(found[[1, 4]]).all()
    np.testing.assert_allclose(found[[0, 2, 3]], q_values(p[[0, 2, 3]]))
    assert np.isnan(q_values(np.full(3, np.nan))).all()
    assert len(q_values([])) == 0


def test_q_is_no_smaller_than_p_keeps_its_order_and_grows_with_the_number_of_tests():
    p = np.random.default_rng(3).uniform(size=40)
    q = q_values(p)
    assert (q >= p).all()
    assert (q <= 1).all()
    assert (np.diff(q[np.argsort(p)]) >= 0).all()
    np.testing.assert_allclose(q_values(p[::-1])[::-1], q)
    assert (q_values(np.append(p, np.ones(10)))[:40] >= q).all()


@pytest.mark.parametrize("share", [0.0, 0.3])
def test_of_what_is_called_no_larger_share_is_false(share):
    """The false discovery rate of tests of which ``share`` have something to find."""
    rng = np.random.default_rng(8)
    false = []
    for _ in range(600):
        null = rng.normal(size=199)
        there = np.arange(40) < share * 40
        q = q_values(p_values(rng.normal(size=40) + 4 * there, null))
        called = q <= 0.1
        false.append((called & ~there).sum() / max(1, called.sum()))
    assert np.mean(false) <= 0.1 + 3.5 * np.std(false) / len(false) ** 0.5


def test_a_value_is_large_enough_by_its_share_of_the_largest():
    values = [10.0, -1.0, 0.99, -20.0, np.nan, 2.0]
    np.testing.assert_array_equal(
        large_enough(values, 0.1), [True, False, False, True, False, True]
    )
    np.testing.assert_array_equal(large_enough(values, 0.0), [True] * 4 + [False, True])
    np.testing.assert_array_equal(large_enough(values, 0.9), [False] * 3 + [True] + [False] * 2)
    # exactly the minimum is enough
    np.testing.assert_array_equal(large_enough([4.0, 1.0], 0.25), [True, True])


@pytest.mark.parametrize("scale", [1e-9, -1.0, 1e9])
def test_large_enough_does_not_depend_on_units_and_sign(scale):
    values = np.random.default_rng(4).normal(size=30)
    np.testing.assert_array_equal(large_enough(scale * values, 0.3), large_enough(values, 0.3))


@pytest.mark.parametrize("values", [[], [np.nan, np.nan], [0.0, 0.0], [0.0, np.nan]])
def test_where_there_is_nothing_nothing_is_large_enough(values):
    assert not large_enough(values, 0.0).any()
    assert len(large_enough(values, 0.0)) == len(values)


def test_saturation_is_the_share_of_extreme_fractions():
    assert saturation([0.05, 0.1, 0.5, 0.9, 0.95]) == pytest.approx(2 / 5)
    assert saturation([0.0, 1.0, 0.99, np.nan]) == 1
    assert saturation([0.5, np.nan]) == 0
    assert np.isnan(saturation([]))
    assert np.isnan(saturation([np.nan]))
    fractions = np.random.default_rng(5).uniform(size=100)
    assert saturation(1 - fractions) == pytest.approx(saturation(fractions))


def fewest_by_trying(tests, nulls, level):
    """The smallest number of tests with the smallest p there is whose q reaches the level."""
    for k in range(1, tests + 1):
        q = q_values(np.array([1 / (1 + nulls)] * k + [1.0] * (tests - k)))
        if q[0] <= level:
            return k
    return None


@pytest.mark.parametrize("level", [0.01, 0.05, 0.1, 0.2])
@pytest.mark.parametrize("nulls", [1, 4, 9, 19, 59, 99, 199, 200])
def test_the_fewest_that_can_be_called(nulls, level):
    for tests in (1, 2, 3, 7, 20, 40, 64):
        found = fewest_callable(tests, nulls, level)
        expected = fewest_by_trying(tests, nulls, level)
        assert found == expected if expected else found > tests


def test_without_nulls_none_can_be_called():
    assert fewest_callable(5, 0, 0.05) == 6
