from __future__ import annotations

import numpy as np
import pytest

from tpcav_core.metrics import NAMES, classification_metrics

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
