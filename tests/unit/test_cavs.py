from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from sklearn.svm import SVC

from tpcav_core.basis import Scaling, embed, fit_components
from tpcav_core.cavs import (
    GRID,
    _best_intercept,
    consensus,
    fit_cav,
    replicate_cosine,
    unit,
)
from tpcav_core.errors import InputError
from tpcav_core.splits import TEST

D = 40


def folds_of(n):
    """A quarter tests, three training folds; every fold has rows of both classes."""
    return np.resize([TEST, 0, 1, 2], n)


def separable(rng, n, m):
    shift = np.zeros(D)
    shift[:5] = 3.0
    return np.concatenate([rng.normal(size=(n, D)) + shift, rng.normal(size=(m, D))])


def overlapping(rng, n, m):
    shift = np.zeros(D)
    shift[:5] = 0.5
    return np.concatenate([rng.normal(size=(n, D)) + shift, rng.normal(size=(m, D))])


def constant_features(rng, n, m):
    z = overlapping(rng, n, m)
    z[:, 10:30] = 0.0
    z[:, 35] = 2.0
    return z


def duplicated(rng, n, m):
    z = overlapping(rng, -(-n // 4), -(-m // 4))
    half = -(-n // 4)
    return np.concatenate([np.repeat(z[:half], 4, 0)[:n], np.repeat(z[half:], 4, 0)[:m]])


CASES = {
    "separable": (separable, 80, 80),
    "overlapping": (overlapping, 80, 80),
    "unbalanced": (overlapping, 40, 160),
    "other way": (overlapping, 160, 40),
    "constant features": (constant_features, 80, 80),
    "tiny": (separable, 8, 8),
    "duplicated": (duplicated, 80, 80),
    "n < d": (overlapping, 16, 16),
}


def case(name, seed=0):
    make, n, m = CASES[name]
    z = make(np.random.default_rng(seed), n, m).astype(np.float32).astype(float)
    is_concept = np.arange(n + m) < n
    return z, is_concept, np.concatenate([folds_of(n), folds_of(m)])


def fitted(name, **options):
    z, is_concept, folds = case(name)
    return z, is_concept, folds, fit_cav(z @ z.T, is_concept, folds, **options)


def cosine(left, right):
    return float(unit(left[None])[0] @ unit(right[None])[0])


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("number", [0, 5, "full"])
def test_the_cav_is_the_classifier_on_explicit_embeddings(name, number):
    z, is_concept, folds, fit = fitted(name)
    plain = Scaling(np.zeros(D, np.float32), np.ones(D, np.float32))
    vectors = fit_components(z[folds != TEST], plain, number).vectors.astype(float)
    e = embed(z, vectors)
    training = folds != TEST
    machine = SVC(kernel="linear", C=fit.penalty, class_weight="balanced", tol=1e-8)
    machine.fit(e[training], is_concept[training])
    cav = embed((z.T @ fit.dual)[None], vectors)[0]
    assert cosine(machine.coef_[0], cav) > 0.9999
    assert np.linalg.norm(cav) == pytest.approx(np.linalg.norm(machine.coef_), rel=1e-2)


@pytest.mark.parametrize("name", CASES)
def test_decisions_are_those_of_the_cav(name):
    z, _, folds, fit = fitted(name)
    decision = z @ (z.T @ fit.dual) + fit.intercept
    np.testing.assert_allclose(fit.train_decision, decision, atol=1e-9)
    np.testing.assert_allclose(fit.decision[folds == TEST], decision[folds == TEST], atol=1e-9)
    assert (fit.dual[folds == TEST] == 0).all()


@pytest.mark.parametrize("name", CASES)
def test_the_cav_points_to_the_concept(name):
    z, is_concept, folds, fit = fitted(name)
    cav = z.T @ fit.dual
    training = folds != TEST
    difference = z[training & is_concept].mean(axis=0) - z[training & ~is_concept].mean(axis=0)
    assert cav @ difference > 0
    # and towards the other class when the two are exchanged
    swapped = fit_cav(z @ z.T, ~is_concept, folds)
    np.testing.assert_allclose(z.T @ swapped.dual, -cav, atol=2e-3 * np.abs(cav).max())
    assert (fit.dual[is_concept] >= 0).all()
    assert (fit.dual[~is_concept] <= 0).all()


@pytest.mark.parametrize("name", CASES)
def test_the_order_of_rows_does_not_matter(name):
    z, is_concept, folds, fit = fitted(name)
    order = np.random.default_rng(8).permutation(len(z))
    mixed = fit_cav((z @ z.T)[np.ix_(order, order)], is_concept[order], folds[order])
    assert mixed.relative_penalty == fit.relative_penalty
    assert cosine(z[order].T @ mixed.dual, z.T @ fit.dual) > 0.99999
    scale = np.abs(fit.train_decision).max()
    np.testing.assert_allclose(mixed.train_decision, fit.train_decision[order], atol=5e-3 * scale)


def test_a_rotation_and_a_scale_of_the_space_change_nothing_but_the_length():
    z, is_concept, folds, fit = fitted("overlapping")
    rotation = np.linalg.qr(np.random.default_rng(4).normal(size=(D, D)))[0]
    turned = 7 * z @ rotation
    other = fit_cav(turned @ turned.T, is_concept, folds)
    assert other.relative_penalty == fit.relative_penalty
    assert cosine(turned.T @ other.dual, (z.T @ fit.dual) @ rotation) > 0.9999
    np.testing.assert_allclose(other.decision, fit.decision, atol=1e-2)


def test_the_test_part_has_no_influence():
    z, is_concept, folds, fit = fitted("overlapping")
    changed = z.copy()
    changed[folds == TEST] = np.random.default_rng(2).normal(size=(int((folds == TEST).sum()), D))
    other = fit_cav(changed @ changed.T, is_concept, folds)
    np.testing.assert_allclose(other.dual, fit.dual, atol=1e-9)
    assert other.intercept == pytest.approx(fit.intercept)
    np.testing.assert_allclose(
        other.decision[folds != TEST], fit.decision[folds != TEST], atol=1e-9
    )


def test_a_row_that_validates_does_not_train_its_own_decision():
    z, is_concept, folds = case("overlapping")
    gram = z @ z.T
    first = fit_cav(gram, is_concept, folds, grid=[0.1])
    flipped = is_concept.copy()
    fold_0 = np.flatnonzero(folds == 0)
    flipped[fold_0] = ~flipped[fold_0]
    # the mean diagonal is that of all training rows, so the penalty is unchanged
    second = fit_cav(gram, flipped, folds, grid=[0.1])
    np.testing.assert_allclose(second.decision[fold_0], first.decision[fold_0], atol=1e-9)
    assert not np.allclose(second.decision[folds == 1], first.decision[folds == 1], atol=1e-3)


def test_the_penalty_is_the_best_out_of_fold():
    z, is_concept, folds, fit = fitted("overlapping")
    gram, training = z @ z.T, folds != TEST
    accuracies = []
    for relative in GRID:
        alone = fit_cav(gram, is_concept, folds, grid=[relative])
        accuracies.append(((alone.decision > 0) == is_concept)[training].mean())
    assert len(set(accuracies)) > 1
    assert fit.relative_penalty == GRID[int(np.argmax(accuracies))]
    scale = np.diag(gram)[training].mean()
    assert fit.penalty == pytest.approx(fit.relative_penalty / scale)


def test_of_equally_good_penalties_the_strongest_is_taken():
    z, is_concept, folds = case("separable")
    fit = fit_cav(z @ z.T, is_concept, folds, grid=[1e-2, 1.0, 10.0])
    assert fit.relative_penalty == 1e-2


def test_the_classifier_finds_a_concept_and_none_between_two_random_sets():
    _, is_concept, folds, fit = fitted("separable")
    test = folds == TEST
    assert ((fit.decision > 0) == is_concept)[test].all()
    z = np.random.default_rng(6).normal(size=(400, D))
    halves = np.arange(400) < 200
    both = np.concatenate([folds_of(200), folds_of(200)])
    null = fit_cav(z @ z.T, halves, both)
    assert abs(((null.decision > 0) == halves)[both == TEST].mean() - 0.5) < 0.2


def hinge_loss(projection, is_concept, intercept):
    signs = np.where(is_concept, 1, -1)
    weights = np.where(is_concept, 0.5 / is_concept.mean(), 0.5 / (~is_concept).mean())
    return (weights * np.maximum(0, 1 - signs * (projection + intercept))).sum()


@pytest.mark.parametrize(
    ("n", "m", "scale"), list(product([2, 5, 30], [2, 7, 90], [0.01, 1.0, 30.0]))
)
def test_the_intercept_minimises_the_balanced_hinge_loss(n, m, scale):
    rng = np.random.default_rng(n * 100 + m)
    is_concept = rng.permutation(np.arange(n + m) < n)
    projection = scale * (rng.normal(size=n + m) + 0.5 * is_concept) + rng.normal()
    intercept = _best_intercept(projection, is_concept)
    best = hinge_loss(projection, is_concept, intercept)
    # the loss is convex and piecewise linear: its minimum is at a kink
    kinks = np.where(is_concept, 1, -1) - projection
    brute = min(hinge_loss(projection, is_concept, kink) for kink in kinks)
    assert best == pytest.approx(brute, rel=1e-9, abs=1e-9)


def test_of_equally_good_intercepts_the_middle_one_is_taken():
    # all margins are violated on either side: the loss is flat between the outer kinks
    is_concept = np.array([True, True, False, False])
    projection = np.array([0.3, 0.1, 0.0, -0.1]) + 5
    assert _best_intercept(projection, is_concept) == pytest.approx(-5.075)
    # no violation at all, and the middle of the means is outside of the flat part
    wide = np.array([4.0, 400.0, -3.0, -3.0])
    assert _best_intercept(wide, is_concept) == pytest.approx(-3.0)


def test_the_intercept_moves_with_the_origin():
    z, is_concept, folds, fit = fitted("overlapping")
    cav = z.T @ fit.dual
    training = folds != TEST
    moved = _best_intercept(z[training] @ cav + 3, is_concept[training])
    assert moved == pytest.approx(fit.intercept - 3)


def test_a_constant_set_gives_a_zero_cav_and_no_error():
    is_concept = np.arange(32) < 16
    folds = np.concatenate([folds_of(16), folds_of(16)])
    fit = fit_cav(np.zeros((32, 32)), is_concept, folds)
    assert np.isfinite(fit.decision).all()
    assert (np.zeros((5, 32)) @ fit.dual == 0).all()


@pytest.mark.parametrize(
    ("n", "m", "part"),
    [(4, 40, "the test part has 1 concept and 10 control"), (40, 4, "1 control examples")],
)
def test_too_few_examples_are_an_error(n, m, part):
    z = np.random.default_rng(0).normal(size=(n + m, D))
    folds = np.concatenate([folds_of(n), folds_of(m)])
    with pytest.raises(InputError) as caught:
        fit_cav(z @ z.T, np.arange(n + m) < n, folds, name="CTCF")
    assert str(caught.value).startswith("concept 'CTCF': ")
    assert part in str(caught.value)
    assert "raise examples.per_concept or lower split.folds" in str(caught.value)


def test_a_fold_with_too_few_of_a_class_is_joined_with_a_neighbour():
    z, is_concept, folds = case("overlapping")
    for fold, neighbour in ((1, 2), (2, 1)):
        thinned = np.where(is_concept & (folds == fold), 0, folds)
        assert (is_concept & (thinned == fold)).sum() == 0
        joined = np.where(thinned == fold, neighbour, thinned)
        found, expected = (fit_cav(z @ z.T, is_concept, part) for part in (thinned, joined))
        for one, other in zip(found, expected, strict=True):
            np.testing.assert_array_equal(one, other)


def test_one_fold_that_is_left_is_too_few():
    z, is_concept, folds = case("overlapping")
    folds = np.where(is_concept & (folds > 0), 0, folds)
    with pytest.raises(InputError, match="at least 2 training folds are needed"):
        fit_cav(z @ z.T, is_concept, folds)


@pytest.mark.parametrize("present", [[TEST, 0], [0, 1, 2]])
def test_a_test_part_and_two_folds_are_needed(present):
    z, is_concept, _ = case("overlapping")
    with pytest.raises(InputError, match="a test part and at least 2 training folds are needed"):
        fit_cav(z @ z.T, is_concept, np.resize(present, 160))


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
