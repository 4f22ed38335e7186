"""Directions of CAVs: their mean and their agreement, whatever classifier they are of."""

from __future__ import annotations

import numpy as np


def consensus(cavs: np.ndarray) -> np.ndarray:
    """Return the mean direction of replicate CAVs.

    Args:
        cavs: (..., r, d), one row per control replicate, any lengths.

    Returns:
        (..., d) of unit length, the mean of the unit CAVs rescaled (zeros if they cancel).
    """
    return unit(unit(cavs).mean(axis=-2))


def unit(rows: np.ndarray) -> np.ndarray:
    """Return ``rows`` (..., d) scaled to unit length; zero rows stay zero."""
    length = np.linalg.norm(rows, axis=-1, keepdims=True)
    return np.asarray(rows / np.where(length > 0, length, 1.0))


def replicate_cosine(cavs: np.ndarray) -> float:
    """Return the mean cosine between replicate CAVs (r, d); NaN for a single one."""
    if len(cavs) < 2:
        return float("nan")
    directions = unit(cavs)
    cosines = directions @ directions.T
    return float(cosines[np.triu_indices(len(cavs), 1)].mean())
