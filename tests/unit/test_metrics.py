from __future__ import annotations

import numpy as np
import pytest
from sklearn import metrics as reference

from tpcav_core.bootstrap import DRAWS, interval
from tpcav_core.metrics import (
    KEPT,
    NAMES,
    classification_metrics,
    metric_draws,
    metric_intervals,
)

# 3 concept, 5 control; called the concept: 2 right, 1 wrong
LABELS = np.array([1, 1, 1, 0, 0, 0, 0, 0], bool)
DECISION = np.array([2.0, 1.0, -1.0, 0.5, -0.5, -2.0, -3.0, -4.0])


def test_values_computed_by_hand():
    found = classification_metrics(LABELS, DECISION)
    assert tuple(found) == NAMES
    assert found["precision"] == pytest.approx(2 / 3)
    assert found["recall"] == pytest.approx(2 / 3)
    assert found["f1"] == pytest.approx(2 / 3)
    assert found["accuracy"] == pytest.approx(6 / 8)
    # of 15 pairs the concept -1.0 loses to 0.5 and -0.5
    assert found["auroc"] == pytest.approx(13 / 15)
    # hits at ranks 1, 2 and 5
    assert found["average_precision"] == pytest.approx((1 + 1 + 3 / 5) / 3)
    assert found["mcc"] == pytest.approx((2 * 4 - 1 * 1) / np.sqrt(3 * 3 * 5 * 5))


def test_the_concept_is_the_positive_class():
    # published values are those of the control class; on unbalanced data the two differ
    right = classification_metrics(LABELS, DECISION)
    swapped = classification_metrics(~LABELS, -DECISION)
    assert right["f1"] == pytest.approx(2 / 3)
    assert swapped["f1"] == pytest.approx(0.8)
    for name in ("accuracy", "auroc", "mcc"):
        assert right[name] == pytest.approx(swapped[name])


def test_zero_is_not_the_concept():
    found = classification_metrics(np.array([True, False]), np.zeros(2))
    assert (found["recall"], found["precision"], found["accuracy"]) == (0, 0, 0.5)
    assert found["auroc"] == 0.5


def test_a_perfect_and_an_inverted_classifier():
    perfect = classification_metrics(LABELS, np.where(LABELS, 1.0, -1.0))
    assert set(perfect.values()) == {1.0}
    inverted = classification_metrics(LABELS, np.where(LABELS, -1.0, 1.0))
    assert inverted["mcc"] == -1
    assert inverted["auroc"] == inverted["f1"] == 0


@pytest.mark.parametrize("label", [True, False])
def test_one_class_gives_nan_where_undefined_and_no_warning(label):
    found = classification_metrics(np.full(4, label), np.array([1.0, -1.0, 2.0, 3.0]))
    for name in ("auroc", "average_precision", "mcc"):
        assert np.isnan(found[name])
    assert found["accuracy"] == (0.75 if label else 0.25)


def test_the_scale_of_decisions_does_not_matter():
    assert classification_metrics(LABELS, DECISION) == classification_metrics(
        LABELS, 1e6 * DECISION
    )


def references(is_concept, decision):
    called = decision > 0
    return {
        "precision": reference.precision_score(is_concept, called, zero_division=0.0),
        "recall": reference.recall_score(is_concept, called, zero_division=0.0),
        "f1": reference.f1_score(is_concept, called, zero_division=0.0),
        "accuracy": reference.accuracy_score(is_concept, called),
        "auroc": reference.roc_auc_score(is_concept, decision),
        "average_precision": reference.average_precision_score(is_concept, decision),
        "mcc": reference.matthews_corrcoef(is_concept, called),
    }


@pytest.mark.parametrize("shift", [-3.0, 0.0, 0.4, 3.0])
@pytest.mark.parametrize("ties", [False, True])
@pytest.mark.parametrize(("n", "m"), [(2, 2), (7, 30), (200, 200)])
def test_all_metrics_are_those_of_scikit_learn(n, m, ties, shift):
    rng = np.random.default_rng(n)
    is_concept = rng.permutation(np.arange(n + m) < n)
    decision = rng.normal(size=n + m) + np.where(is_concept, 0.5, -0.5) + shift
    if ties:
        decision = decision.round()
    assert classification_metrics(is_concept, decision) == pytest.approx(
        references(is_concept, decision)
    )


def test_an_interval_is_that_of_resampled_examples():
    rng = np.random.default_rng(3)
    is_concept = np.arange(150) < 60
    decision = rng.normal(size=150) + 0.8 * is_concept - 0.3
    found = metric_intervals(metric_draws(is_concept, decision, np.random.default_rng(1)))
    drawn = []
    for _ in range(DRAWS):
        rows = np.concatenate([rng.integers(0, 60, 60), rng.integers(60, 150, 90)])
        drawn.append(list(classification_metrics(is_concept[rows], decision[rows]).values()))
    ends = np.quantile(drawn, [0.025, 0.975], axis=0)
    for name, low, high in zip(NAMES, *ends, strict=True):
        assert found[name] == pytest.approx((low, high), abs=0.03), name


def test_intervals_cover_the_truth_as_often_as_they_say():
    rng = np.random.default_rng(5)
    is_concept = np.arange(200) < 100
    # two normal distributions at distance 1: AUROC is the normal distribution at 1/√2
    truth, covered = 0.7602, 0
    for _ in range(200):
        decision = rng.normal(size=200) + is_concept
        low, high = interval(metric_draws(is_concept, decision, rng)["auroc"])
        covered += low <= truth <= high
    assert 0.90 <= covered / 200 <= 0.985


def test_the_same_stream_gives_the_same_draws():
    first, same, other = (
        metric_draws(LABELS, DECISION, np.random.default_rng(seed)) for seed in (1, 1, 2)
    )
    assert tuple(first) == NAMES
    assert 0 < KEPT <= DRAWS
    for name, values in first.items():
        assert values.shape == (DRAWS,)
        np.testing.assert_array_equal(values, same[name])
    assert (first["f1"] != other["f1"]).any()


def test_an_interval_leaves_out_as_much_below_as_above():
    draws = np.arange(1001.0)
    low, high = interval(draws)
    assert (low, high) == (pytest.approx(25), pytest.approx(975))
    low, high = interval(np.stack([draws[::-1], 2 * draws]))
    np.testing.assert_allclose(low, [25, 50])
    np.testing.assert_allclose(high, [975, 1950])
    assert metric_intervals({"f1": draws, "mcc": -draws}) == {
        "f1": pytest.approx((25, 975)),
        "mcc": pytest.approx((-975, -25)),
    }


def f1_draws(is_concept, decision):
    return metric_draws(is_concept, decision, np.random.default_rng(4))["f1"]


def test_draws_of_classifiers_are_paired_by_the_examples_they_share():
    rng = np.random.default_rng(8)
    is_concept = np.arange(400) < 200
    decision = rng.normal(size=400) + is_concept - 0.5
    draws = f1_draws(is_concept, decision)
    # the order within a class counts, not which class comes first
    backward = np.roll(np.arange(400), 200)
    np.testing.assert_array_equal(f1_draws(is_concept[backward], decision[backward]), draws)
    mixed = np.concatenate([rng.permutation(200), np.arange(200, 400)])
    assert (f1_draws(is_concept, decision[mixed]) != draws).any()
    # the same examples, and others
    alike = f1_draws(is_concept, decision + 0.1 * rng.normal(size=400))
    apart = f1_draws(is_concept, rng.normal(size=400) + is_concept - 0.5)
    assert np.corrcoef(draws, alike)[0, 1] > 0.8
    assert abs(np.corrcoef(draws, apart)[0, 1]) < 0.25
