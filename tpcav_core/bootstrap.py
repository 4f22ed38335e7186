"""Bootstrap intervals: of anything that is computed again from what is drawn again."""

from __future__ import annotations

import numpy as np

#: resamplings of an interval, and its level
DRAWS = 1000
LEVEL = 0.95


def times_drawn(drawn: np.ndarray, n: int) -> np.ndarray:
    """Return (b, n) int64, how often each of n things is among the m of a resampling.

    Args:
        drawn: (b, m) int, numbers from 0 to n - 1.
        n: how many things there are.
    """
    b = len(drawn)
    numbers = drawn + n * np.arange(b)[:, None]
    return np.bincount(numbers.ravel(), minlength=b * n).reshape(b, n)


def interval(draws: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the central 95 % of ``draws`` (..., b): lower and upper percentile, each (...,)."""
    tail = (1 - LEVEL) / 2
    low, high = np.quantile(draws, (tail, 1 - tail), axis=-1)
    return low, high
