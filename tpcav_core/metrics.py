"""How well a CAV tells its concept from a control. The concept is the positive class."""

from __future__ import annotations

import numpy as np
from sklearn.metrics import (
    accuracy_score,
    average_precision_score,
    matthews_corrcoef,
    precision_recall_fscore_support,
    roc_auc_score,
)

NAMES = ("precision", "recall", "f1", "accuracy", "auroc", "average_precision", "mcc")


def classification_metrics(is_concept: np.ndarray, decision: np.ndarray) -> dict[str, float]:
    """Return the metrics of `NAMES`.

    Args:
        is_concept: (n,) bool, True for examples of the concept.
        decision: (n,) float, signed distance from the separating plane; above 0 is the concept.

    Returns:
        Each metric, NaN where it is not defined (one class only). Precision is 0 when nothing is
        called the concept.
    """
    called = decision > 0
    precision, recall, f1, _ = precision_recall_fscore_support(
        is_concept, called, average="binary", pos_label=True, zero_division=0.0
    )
    both = bool(is_concept.any() and not is_concept.all())
    values = (
        precision,
        recall,
        f1,
        accuracy_score(is_concept, called),
        roc_auc_score(is_concept, decision) if both else np.nan,
        average_precision_score(is_concept, decision) if both else np.nan,
        matthews_corrcoef(is_concept, called) if both else np.nan,
    )
    return dict(zip(NAMES, map(float, values), strict=True))
