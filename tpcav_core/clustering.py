"""Which concepts stand beside each other where similarities are drawn."""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy.cluster.hierarchy import linkage
from scipy.spatial.distance import squareform


def shown_rows(
    similarity: pd.DataFrame, verdicts: pd.DataFrame, place: tuple[str, str], most: int
) -> tuple[np.ndarray, int]:
    """Return which rows of a matrix of similarities are drawn, and of how many concepts.

    Each concept is drawn once, at its last variant; of too many those of the largest effects.

    Args:
        similarity: ``concept`` of each row of the matrix.
        verdicts: model, layer, concept, effect; concepts without a verdict are left out.
        place: model and layer.
        most: concepts that are drawn.

    Returns:
        Positions of rows, ascending, and the number of concepts without the limit.
    """
    model, layer = place
    own = verdicts[(verdicts["model"] == model) & (verdicts["layer"] == layer)]
    sizes = own["effect"].abs().groupby(own["concept"]).max()
    known = similarity.reset_index(drop=True)
    known = known[known["concept"].isin(sizes.index)].drop_duplicates("concept", keep="last")
    size = np.nan_to_num(sizes.reindex(known["concept"]).to_numpy(float))
    kept = np.sort(np.argsort(-size, kind="stable")[:most])
    return known.index.to_numpy()[kept], len(known)


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
