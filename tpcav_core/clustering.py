"""Which concepts stand beside each other where similarities are drawn."""

from __future__ import annotations

import numpy as np
from scipy.cluster.hierarchy import linkage
from scipy.spatial.distance import squareform


def average_linkage(cosines: np.ndarray) -> np.ndarray:
    """Return the tree of average linkage on 1 − cosine, its leaves in the best order.

    Args:
        cosines: (n, n), n ≥ 2; the mean of the two triangles counts, and NaN as 0.

    Returns:
        (n − 1, 4), as `scipy.cluster.hierarchy.linkage` has it.
    """
    distance = np.nan_to_num(np.clip(1 - (cosines + cosines.T) / 2, 0, 2), nan=1.0)
    np.fill_diagonal(distance, 0)
    condensed = squareform(distance, checks=False)
    return np.asarray(linkage(condensed, "average", optimal_ordering=True))
