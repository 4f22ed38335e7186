"""Is a statistic more than what the same procedure finds where there is nothing? p, q and size.

Two nulls (docs/statistics.md): CAVs between random sets say what chance alone gives; motifs with
permuted columns say what planting *anything* of that composition gives. Both are distributions of
the statistic itself, found by the procedure that made the observed value.
"""

from __future__ import annotations

from typing import Literal

import numpy as np

#: a null counts as extreme beyond these fractions of positive regions
EXTREME = (0.1, 0.9)
#: share of nulls with extreme fractions from which on the fraction says nothing
SATURATED = 0.1

Side = Literal["both", "greater"]


def p_values(observed: np.ndarray, null: np.ndarray, side: Side = "both") -> np.ndarray:
    """Return ``(1 + #{null ≥ observed}) / (1 + number of nulls)``, in absolute value if two-sided.

    The observed value counts as one of the nulls, so that p is never 0 and a test at level α is
    wrong in at most α of cases (Phipson and Smyth 2010, doi 10.2202/1544-6115.1585).

    Args:
        observed: (m,) float.
        null: (b,) float; values that are not finite are left out.
        side: ``both`` compares absolute values, ``greater`` the values.

    Returns:
        (m,) float64 in [1 / (1 + b), 1]; NaN where ``observed`` is, or without nulls.
    """
    observed, null = np.asarray(observed, float), np.asarray(null, float)
    if side == "both":
        observed, null = np.abs(observed), np.abs(null)
    null = np.sort(null[np.isfinite(null)])
    as_extreme = len(null) - np.searchsorted(null, observed, side="left")
    valid = np.isfinite(observed) & (len(null) > 0)
    return np.where(valid, (1 + as_extreme) / (1 + len(null)), np.nan)


def q_values(p: np.ndarray) -> np.ndarray:
    """Return p-values (m,) adjusted by Benjamini and Hochberg; NaN stays NaN and does not count."""
    from scipy.stats import false_discovery_control

    p = np.asarray(p, float)
    q = np.full(len(p), np.nan)
    there = np.isfinite(p)
    if there.any():
        q[there] = false_discovery_control(p[there])
    return q


def large_enough(values: np.ndarray, minimum: float) -> np.ndarray:
    """Return (m,) bool: whether a value has ``minimum`` times the largest size among them.

    With enough examples every planted motif differs from nothing; this asks whether it matters.
    """
    sizes = np.abs(np.asarray(values, float))
    largest = np.nanmax(sizes, initial=0.0)
    return np.asarray((sizes >= minimum * largest) & (largest > 0))


def saturation(fractions: np.ndarray) -> float:
    """Return the share of nulls (b,) whose fraction of positive regions is extreme; NaN if none.

    Where nulls are beyond 0.1 or 0.9 a fraction, and its log ratio, say nothing of a concept.
    """
    fractions = np.asarray(fractions, float)
    fractions = fractions[np.isfinite(fractions)]
    if len(fractions) == 0:
        return float("nan")
    low, high = EXTREME
    return float(((fractions < low) | (fractions > high)).mean())


def fewest_callable(tests: int, nulls: int, level: float) -> int:
    """Return how many of ``tests`` must have the smallest p for q below ``level`` to be possible.

    The smallest p of b nulls is 1 / (1 + b); Benjamini and Hochberg make of k such values the q
    ``tests / (k · (1 + b))``.
    """
    return int(np.ceil(tests / (level * (1 + nulls)))) if nulls else tests + 1
