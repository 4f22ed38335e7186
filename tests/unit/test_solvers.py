from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from scipy.optimize import minimize
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.linear_model import SGDClassifier

from tests.unit.cases import CASES, case, cosine
from tpcav_core.coordinates import Dual, Primal, Rows
from tpcav_core.solvers import (
    balance,
    best_intercept,
    logistic,
    pattern,
    ridge,
    ridge_out_of_fold,
    sgd,
    svm,
)

LOSSES = {
    "ridge": lambda margin: 0.5 * (1 - margin) ** 2,
    "svm": lambda margin: np.maximum(0, 1 - margin),
    "logistic": lambda margin: np.logaddexp(0, -margin),
}
#: penalties on the scale of these examples, whose squared length is about 40
PENALTIES = [1e-4, 1e-2, 1.0]


def rng(seed=0):
    return np.random.default_rng(seed)


def rows_of(z, kind):
    every = np.arange(len(z))
    return (Dual(z @ z.T) if kind == "dual" else Primal(z)).rows(every)


def solved(name, rows, is_concept, penalty):
    if name == "ridge":
        path = ridge(rows, is_concept, [penalty], balance(is_concept))
        return path.weights[0], path.intercepts[0]
    if name == "svm":
        return svm(rows, is_concept, penalty)
    path = logistic(rows, is_concept, [penalty], "l2", rng())
    return path.weights[0], path.intercepts[0]


def objectives(name, features, is_concept, penalty, solutions):
    """Return the objective of each of the solutions (s, r + 1), the last column the intercept."""
    signs = np.where(is_concept, 1.0, -1.0)
    decisions = solutions[:, :-1] @ features.T + solutions[:, -1:]
    losses = LOSSES[name](signs * decisions) @ balance(is_concept)
    return 0.5 * np.square(solutions[:, :-1]).sum(axis=1) + penalty * losses


@pytest.mark.parametrize("kind", ["primal", "dual"])
@pytest.mark.parametrize("penalty", PENALTIES)
@pytest.mark.parametrize("name", LOSSES)
@pytest.mark.parametrize("data", CASES)
def test_no_other_classifier_has_a_lower_objective(data, name, penalty, kind):
    z, is_concept, _ = case(data)
    rows = rows_of(z, kind)
    weights, intercept = solved(name, rows, is_concept, penalty)
    solution = np.append(weights, intercept)

    def of(solutions):
        return objectives(name, rows.features, is_concept, penalty, np.atleast_2d(solutions))

    found = of(solution)[0]
    tolerance = 1e-3 if name == "svm" else 1e-6
    # the objectives are convex: no step in any direction may lower them
    steps = rng(1).normal(size=(200, len(solution)))
    steps *= np.linalg.norm(weights) / np.linalg.norm(steps, axis=1, keepdims=True)
    for scale in (1e-3, 1e-2, 0.1):
        assert (of(solution + scale * steps) >= found * (1 - tolerance)).all()
    if name != "svm":  # smooth: a general optimiser that starts there finds nothing better either
        better = minimize(lambda x: of(x)[0], solution, options={"maxiter": 3})
        assert found <= better.fun * (1 + 1e-5)


@pytest.mark.parametrize("data", CASES)
def test_ridge_is_discriminant_analysis_with_a_shrunken_covariance(data):
    z, is_concept, _ = case(data)
    penalty, signs = 0.05, np.where(is_concept, 1, -1)
    path = ridge(Primal(z).rows(np.arange(len(z))), is_concept, [penalty], balance(is_concept))
    means = [z[is_concept].mean(axis=0), z[~is_concept].mean(axis=0)]
    weight = balance(is_concept)
    within = sum(
        (z[side] - mean).T @ ((z[side] - mean) * weight[side, None])
        for side, mean in zip((is_concept, ~is_concept), means, strict=True)
    )
    direction = np.linalg.solve(within + np.eye(len(within)) / penalty, means[0] - means[1])
    assert cosine(direction, path.weights[0]) == pytest.approx(1, abs=1e-9)
    middle = (means[0] + means[1]) / 2
    assert path.intercepts[0] == pytest.approx(-middle @ path.weights[0], abs=1e-9)
    assert (weight * signs).sum() == pytest.approx(0, abs=1e-9)


def test_ridge_without_penalty_is_the_discriminant_analysis_of_scikit_learn():
    z, is_concept, _ = case("overlapping")
    path = ridge(Primal(z).rows(np.arange(160)), is_concept, [1e9], balance(is_concept))
    other = LinearDiscriminantAnalysis(solver="lsqr").fit(z, is_concept)
    assert cosine(other.coef_[0], path.weights[0]) == pytest.approx(1, abs=1e-6)


@pytest.mark.parametrize("data", CASES)
def test_leaving_folds_out_of_one_decomposition_is_fitting_without_them(data):
    z, is_concept, folds = case(data)
    weight = balance(is_concept)
    expected = np.empty((len(PENALTIES), len(z)))
    for fold in np.unique(folds):
        held_out, fitted = folds == fold, np.flatnonzero(folds != fold)
        part = Primal(z).rows(fitted)
        path = ridge(part, is_concept[fitted], PENALTIES, weight[fitted])
        expected[:, held_out] = path.decisions(z[held_out])
    found = ridge_out_of_fold(z @ z.T, is_concept, folds, PENALTIES)
    np.testing.assert_allclose(found, expected, atol=1e-7)


@pytest.mark.parametrize("data", [name for name in CASES if name != "n < d"])
@pytest.mark.parametrize("penalty", PENALTIES)
def test_the_machine_from_inner_products_is_the_machine_from_features(data, penalty, monkeypatch):
    z, is_concept, _ = case(data)
    dual, primal = rows_of(z, "dual"), rows_of(z, "primal")
    others, other_intercept = svm(dual, is_concept, penalty)
    monkeypatch.setattr("tpcav_core.solvers.GRAM_ROWS", 0)
    weights, intercept = svm(primal, is_concept, penalty)
    decisions = z @ weights + intercept
    np.testing.assert_allclose(
        dual.features @ others + other_intercept, decisions, atol=2e-2 * np.abs(decisions).max()
    )
    back = Dual(z @ z.T).direction(dual, np.arange(len(z)), others).dual @ z
    assert cosine(back, weights) > 0.9999


def test_lasso_sets_weights_to_zero_and_more_so_at_a_stronger_penalty():
    z, is_concept, _ = case("overlapping")
    path = logistic(Rows(z), is_concept, [1.0, 0.05], "l1", rng())
    numbers = (path.weights != 0).sum(axis=1)
    assert 0 < numbers[1] < numbers[0] <= z.shape[1]
    # what is left is where the classes differ
    assert np.abs(path.weights[1])[:5].sum() > 0.8 * np.abs(path.weights[1]).sum()


def test_solutions_come_in_the_order_of_the_penalties():
    z, is_concept, _ = case("overlapping")
    there = logistic(Rows(z), is_concept, PENALTIES, "l2", rng())
    back = logistic(Rows(z), is_concept, PENALTIES[::-1], "l2", rng())
    np.testing.assert_allclose(there.weights, back.weights[::-1], atol=1e-9)
    assert (np.diff(np.linalg.norm(there.weights, axis=1)) > 0).all()


@pytest.mark.parametrize("norm", ["l2", "l1"])
def test_sgd_is_the_published_procedure_with_a_seed(norm):
    z, is_concept, _ = case("overlapping")
    weights, intercept = sgd(Rows(z), is_concept, 1e-2, norm, rng(5))
    machine = SGDClassifier(
        loss="hinge",
        penalty=norm,
        alpha=1e-2,
        max_iter=1000,
        early_stopping=True,
        validation_fraction=0.1,
        n_iter_no_change=10,
        average=True,
        random_state=int(rng(5).integers(2**31)),
    ).fit(z, is_concept)
    np.testing.assert_array_equal(weights, machine.coef_[0])
    assert intercept == machine.intercept_[0]


@pytest.mark.parametrize("alpha", [1e-2, 1e-6])
@pytest.mark.parametrize("data", ["n < d", "overlapping", "unbalanced"])
def test_sgd_takes_the_same_path_in_any_coordinates(data, alpha):
    z, is_concept, _ = case(data)
    dual = rows_of(z, "dual")
    weights, _ = sgd(Rows(z), is_concept, alpha, "l2", rng(3))
    others, _ = sgd(dual, is_concept, alpha, "l2", rng(3))
    back = Dual(z @ z.T).direction(dual, np.arange(len(z)), others).dual @ z
    assert cosine(back, weights) > 0.9999


def test_the_pattern_ignores_a_distractor_that_a_filter_cancels():
    # two features: signal + distractor, and the distractor alone
    noise = rng(2)
    is_concept = np.arange(2000) < 1000
    distractor = noise.normal(size=2000)
    signal = np.where(is_concept, 1.0, -1.0) + 0.3 * noise.normal(size=2000)
    z = np.column_stack([signal + distractor, distractor])
    weights, intercept = pattern(Rows(z), is_concept)
    assert abs(weights[1]) < 0.1 * weights[0]
    np.testing.assert_allclose(weights, z[is_concept].mean(0) - z[~is_concept].mean(0))
    ends = z[is_concept].mean(0) @ weights, z[~is_concept].mean(0) @ weights
    assert ends[0] + intercept == pytest.approx(-(ends[1] + intercept))
    filter_weights = ridge(Rows(z), is_concept, [1.0], balance(is_concept)).weights[0]
    assert filter_weights[1] < -0.8 * filter_weights[0]


def hinge_loss(projection, is_concept, intercept):
    signs = np.where(is_concept, 1, -1)
    return (balance(is_concept) * np.maximum(0, 1 - signs * (projection + intercept))).sum()


@pytest.mark.parametrize(
    ("n", "m", "scale"), list(product([2, 5, 30], [2, 7, 90], [0.01, 1.0, 30.0]))
)
def test_the_intercept_minimises_the_balanced_hinge_loss(n, m, scale):
    noise = rng(n * 100 + m)
    is_concept = noise.permutation(np.arange(n + m) < n)
    projection = scale * (noise.normal(size=n + m) + 0.5 * is_concept) + noise.normal()
    intercept = best_intercept(projection, is_concept)
    best = hinge_loss(projection, is_concept, intercept)
    # the loss is convex and piecewise linear: its minimum is at a kink
    kinks = np.where(is_concept, 1, -1) - projection
    brute = min(hinge_loss(projection, is_concept, kink) for kink in kinks)
    assert best == pytest.approx(brute, rel=1e-9, abs=1e-9)


def test_of_equally_good_intercepts_the_middle_one_is_taken():
    # all margins are violated on either side: the loss is flat between the outer kinks
    is_concept = np.array([True, True, False, False])
    projection = np.array([0.3, 0.1, 0.0, -0.1]) + 5
    assert best_intercept(projection, is_concept) == pytest.approx(-5.075)
    # no violation at all, and the middle of the means is outside of the flat part
    wide = np.array([4.0, 400.0, -3.0, -3.0])
    assert best_intercept(wide, is_concept) == pytest.approx(-3.0)


def test_balanced_weights_give_both_classes_the_same_sum():
    is_concept = np.arange(50) < 7
    weight = balance(is_concept)
    assert weight[is_concept].sum() == pytest.approx(25)
    assert weight[~is_concept].sum() == pytest.approx(25)
