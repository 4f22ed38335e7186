"""GC content, and how much of a concept's effect it explains."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from .genome import UNKNOWN


def gc_content(codes: np.ndarray) -> np.ndarray:
    """Return the share of G and C among the known bases.

    Args:
        codes: (n, L) uint8, A 0, C 1, G 2, T 3, anything else 4.

    Returns:
        (n,) float64; NaN for a sequence without known bases.
    """
    strong = np.count_nonzero((codes == 1) | (codes == 2), axis=1)
    known = np.count_nonzero(codes < UNKNOWN, axis=1)
    return np.where(known > 0, strong / np.maximum(known, 1), np.nan)


def gc_slope(rows: Iterable[np.ndarray], gc: np.ndarray) -> np.ndarray | None:
    """Return the change of standardised activations per unit of GC content among control examples.

    The slopes of least squares of each feature on GC, ``Σ (gcᵢ − mean) zᵢ / Σ (gcᵢ − mean)²``.

    Args:
        rows: standardised batches (b, d) float32 of n control examples, in order.
        gc: (n,) float, their GC contents; NaN for examples without a sequence.

    Returns:
        (d,) float64; None if GC is not known or does not vary.
    """
    if not np.isfinite(gc).all():
        return None
    centred = gc - gc.mean()
    spread = float(centred @ centred)
    if spread <= 1e-12 * len(gc):
        return None
    total: np.ndarray | float = 0.0
    first = 0
    for batch in rows:
        total = total + centred[first : first + len(batch)] @ batch.astype(np.float64)
        first += len(batch)
    return np.asarray(total) / spread
