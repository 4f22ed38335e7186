"""Inner products of standardised activations, streamed: no (n, d) matrix of both sides is held."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

#: features multiplied at a time in float32; their sums are added up in float64
BLOCK = 8192


def inner_products(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Return ``left @ right.T``.

    Args:
        left: (n, d) float32.
        right: (m, d) float32.

    Returns:
        (n, m) float64: float32 products over blocks of features, added in float64.
    """
    total = np.zeros((len(left), len(right)))
    for first in range(0, left.shape[1], BLOCK):
        block = slice(first, first + BLOCK)
        total += left[:, block] @ right[:, block].T
    return total


def cross_gram(left: np.ndarray, rows: Iterable[np.ndarray]) -> np.ndarray:
    """Return the inner products of ``left`` (n, d) with all ``rows``, (n, Σb) float64.

    Args:
        left: (n, d) float32, standardised.
        rows: standardised batches (b, d) float32.
    """
    return np.concatenate([inner_products(left, batch) for batch in rows], axis=1)


def combine(weights: np.ndarray, rows: Iterable[np.ndarray]) -> np.ndarray:
    """Return ``weightsᵀ Z`` for the streamed rows of Z.

    Args:
        weights: (n, c) float64, one column per combination.
        rows: batches (b, d) float32 that make up the n rows of Z, in order.

    Returns:
        (c, d) float64: float32 products within a batch, added in float64.
    """
    total: np.ndarray | None = None
    first = 0
    for batch in rows:
        # in float32, or the product would copy the whole batch to float64 first
        part = weights[first : first + len(batch)].T.astype(np.float32) @ batch
        total = part.astype(np.float64) if total is None else total + part
        first += len(batch)
    if total is None or first != len(weights):
        raise ValueError(f"{len(weights)} weights for {first} rows")
    return total
