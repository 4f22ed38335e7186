from __future__ import annotations

import numpy as np
import pytest

from tests.unit.cases import case
from tpcav_core.classifiers import GRIDS, Classifier, out_of_fold, scale, solve
from tpcav_core.coordinates import Dual, Primal
from tpcav_core.errors import InputError
from tpcav_core.splits import TEST

KINDS = list(GRIDS)


def training(name="overlapping"):
    z, is_concept, folds = case(name)
    train = folds != TEST
    return z[train], is_concept[train], folds[train]


def rng():
    return np.random.default_rng(4)


@pytest.mark.parametrize(("kind", "norm"), KINDS)
def test_a_row_is_never_judged_by_a_classifier_that_saw_its_label(kind, norm):
    z, is_concept, folds = training()
    classifier = Classifier(kind, norm)
    rows = Primal(z).rows(np.arange(len(z)))
    penalties = [scale(classifier, rows, is_concept) * one for one in classifier.grid()]
    before = out_of_fold(classifier, rows, is_concept, folds, penalties, rng())
    flipped = is_concept.copy()
    flipped[folds == 0] = ~flipped[folds == 0]  # as many of either class as before
    after = out_of_fold(classifier, rows, flipped, folds, penalties, rng())
    np.testing.assert_allclose(after[:, folds == 0], before[:, folds == 0], atol=1e-6)
    assert not np.allclose(after[:, folds == 1], before[:, folds == 1], atol=1e-3)


@pytest.mark.parametrize("kind", ["ridge", "svm", "logistic", "sgd", "pattern"])
def test_both_coordinates_give_the_same_decisions_out_of_fold(kind):
    z, is_concept, folds = training()
    classifier = Classifier(kind)
    found = []
    for coordinates in (Primal(z), Dual(z @ z.T)):
        rows = coordinates.rows(np.arange(len(z)))
        penalties = [scale(classifier, rows, is_concept) * one for one in classifier.grid()]
        found.append(out_of_fold(classifier, rows, is_concept, folds, penalties, rng()))
    largest = np.abs(found[0]).max(axis=1, keepdims=True)
    np.testing.assert_allclose(found[1] / largest, found[0] / largest, atol=2e-2)


@pytest.mark.parametrize(("kind", "norm"), KINDS)
def test_every_penalty_of_the_grid_gives_a_direction_towards_the_concept(kind, norm):
    z, is_concept, _ = training("separable")
    classifier = Classifier(kind, norm)
    rows = Primal(z).rows(np.arange(len(z)))
    unit = scale(classifier, rows, is_concept)
    path = solve(classifier, rows, is_concept, [unit * one for one in classifier.grid()], rng())
    towards = path.weights @ (z[is_concept].mean(axis=0) - z[~is_concept].mean(axis=0))
    # the published grid of the l1 norm starts where nothing is left
    assert (towards > 0).all() or (kind, norm) == ("sgd", "l1")
    assert np.isfinite(path.intercepts).all()


@pytest.mark.parametrize("kind", ["ridge", "svm", "logistic"])
def test_penalties_are_relative_to_the_squared_length_of_a_row(kind):
    z, is_concept, _ = training()
    classifier = Classifier(kind)
    found = []
    for factor in (1.0, 7.0):
        rows = Primal(factor * z).rows(np.arange(len(z)))
        penalty = 0.1 * scale(classifier, rows, is_concept)
        assert scale(classifier, rows, is_concept) == pytest.approx(
            1 / np.square(factor * z).sum(axis=1).mean()
        )
        path = solve(classifier, rows, is_concept, [penalty], rng())
        found.append(path.decisions(factor * z))
    np.testing.assert_allclose(found[1], found[0], atol=2e-3 * np.abs(found[0]).max())


def test_given_penalties_replace_the_grid_but_for_the_pattern():
    assert Classifier("svm", penalties=[3.0]).grid() == (3.0,)
    assert Classifier("pattern", penalties=[3.0]).grid() == (1.0,)
    # the strongest constraint first, however they are listed: of equally good ones it is taken
    assert Classifier("svm", penalties=[10.0, 1.0, 0.01]).grid() == (0.01, 1.0, 10.0)
    assert Classifier("sgd", penalties=[1e-6, 1e-2]).grid() == (1e-2, 1e-6)
    assert Classifier("ridge").grid() == GRIDS["ridge", "l2"]


def test_the_published_grid():
    assert Classifier("sgd").grid() == (1e-2, 1e-4, 1e-6, 1e-8)
    assert set(Classifier("sgd", "l1").grid()) == {1e-1, 1.0}


@pytest.mark.parametrize(("kind", "norm"), [("ridge", "l1"), ("pattern", "l1"), ("svn", "l2")])
@pytest.mark.parametrize("penalties", [None, [1.0]])
def test_a_kind_without_the_norm_is_an_error_that_lists_those_there_are(kind, norm, penalties):
    expected = f"classifier '{kind}' with norm '{norm}', there are ridge l2, .*; choose one of them"
    with pytest.raises(InputError, match=expected):
        Classifier(kind, norm, penalties).grid()


def test_an_unknown_kind_is_refused():
    z, is_concept, _ = training()
    with pytest.raises(ValueError, match="no classifier 'svn'"):
        solve(Classifier("svn"), Primal(z).rows(np.arange(4)), is_concept[:4], [1.0], rng())
