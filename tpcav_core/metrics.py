"""How well a CAV tells its concept from a control. The concept is the positive class.

All metrics are computed for many weightings of the examples at once: one weighting is the value,
those of a bootstrap are its interval. scikit-learn's functions, with which the tests compare, take
one weighting at a time, and importing them takes longer than training a CAV.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from .bootstrap import DRAWS, interval, times_drawn

NAMES = ("precision", "recall", "f1", "accuracy", "auroc", "average_precision", "mcc")
#: how many draws, the first, are kept of F1, for intervals of what is computed from several F1
KEPT = 200


def classification_metrics(is_concept: np.ndarray, decision: np.ndarray) -> dict[str, float]:
    """Return the metrics of `NAMES`.

    Args:
        is_concept: (n,) bool, True for examples of the concept.
        decision: (n,) float, signed distance from the separating plane; above 0 is the concept.

    Returns:
        Each metric, NaN where it is not defined (one class only). Precision is 0 when nothing is
        called the concept, and so is MCC when all examples are called the same.
    """
    ones = (np.ones((1, int(side.sum()))) for side in (is_concept, ~is_concept))
    values = _metrics(decision[is_concept], decision[~is_concept], *ones)
    return {name: float(value[0]) for name, value in values.items()}


def metric_draws(
    is_concept: np.ndarray, decision: np.ndarray, rng: np.random.Generator
) -> dict[str, np.ndarray]:
    """Return each metric of `NAMES` in `DRAWS` resamplings of the examples, (DRAWS,) float64.

    Examples are drawn again within either class, so the classifier and the class sizes are given:
    the draws say how far a metric depends on which examples happen to test. A stream in the same
    state draws the same examples, by their number within the class, from classes of the same size.
    So the draws of two classifiers that were tested on the same examples are paired, and those of
    classifiers tested on other examples are as good as independent, since what they have in common
    is the covariance of examples of equal number.

    Args:
        is_concept: (n,) bool; both classes are there.
        decision: (n,) float.
        rng: the random stream of the resamplings.
    """
    weights = (_resampled(int(side.sum()), rng) for side in (is_concept, ~is_concept))
    return _metrics(decision[is_concept], decision[~is_concept], *weights)


def metric_intervals(draws: Mapping[str, np.ndarray]) -> dict[str, tuple[float, float]]:
    """Return the 95 % bootstrap interval of each metric from its `metric_draws`."""
    return {
        name: (float(low), float(high))
        for name, values in draws.items()
        for low, high in (interval(values),)
    }


def _resampled(n: int, rng: np.random.Generator) -> np.ndarray:
    """Return how often each of n examples is in each resampling, (draws, n)."""
    return times_drawn(rng.integers(0, n, (DRAWS, n)), n).astype(float)


def _metrics(
    concept: np.ndarray, control: np.ndarray, weights: np.ndarray, others: np.ndarray
) -> dict[str, np.ndarray]:
    """Return each metric, (b,) for b weightings of the examples.

    Args:
        concept: (p,) decisions of the concept's examples.
        control: (n,) those of the control's.
        weights: (b, p) weights of the former.
        others: (b, n) weights of the latter.
    """
    # from the highest decision down; examples of equal decision are passed together
    order, other_order = np.argsort(-concept), np.argsort(-control)
    down, other_down = -concept[order], -control[other_order]
    weights, others = weights[:, order], others[:, other_order]
    found, false = _running(weights), _running(others)
    total, other_total = found[:, -1], false[:, -1]
    tp = found[:, np.searchsorted(down, 0.0)]
    fp = false[:, np.searchsorted(other_down, 0.0)]
    hits = found[:, np.searchsorted(down, down, side="right")]
    above = false[:, np.searchsorted(other_down, down)]
    as_high = false[:, np.searchsorted(other_down, down, side="right")]
    both = (total > 0) & (other_total > 0)
    with np.errstate(divide="ignore", invalid="ignore"):
        spread = np.sqrt((tp + fp) * total * other_total * (total + other_total - tp - fp))
        lost = (weights * (above + as_high)).sum(axis=1) / 2
        reached = np.where(weights > 0, hits / (hits + as_high), 0.0)
        mcc = np.where(spread > 0, (tp * (other_total - fp) - fp * (total - tp)) / spread, 0.0)
        values = (
            np.where(tp + fp > 0, tp / (tp + fp), 0.0),
            np.where(total > 0, tp / total, 0.0),
            np.where(total + fp > 0, 2 * tp / (total + tp + fp), 0.0),
            (tp + other_total - fp) / (total + other_total),
            np.where(both, 1 - lost / (total * other_total), np.nan),
            np.where(both, (weights * reached).sum(axis=1) / total, np.nan),
            np.where(both, mcc, np.nan),
        )
    return dict(zip(NAMES, values, strict=True))


def _running(weights: np.ndarray) -> np.ndarray:
    """Return (b, n + 1), the sums of the first 0 … n columns."""
    sums = np.zeros((weights.shape[0], weights.shape[1] + 1))
    np.cumsum(weights, axis=1, out=sums[:, 1:])
    return sums
