"""Similarity of the CAVs of a layer as a matrix whose rows are in the order of a clustering."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from scipy.cluster.hierarchy import leaves_list

from ..clustering import average_linkage

#: concepts of a layer that are drawn at most
MOST = 300


def matrices(
    similarity: Mapping[tuple[str, str], pd.DataFrame],
    effects: pd.DataFrame,
    numbers: Mapping[str, int],
    most: int = MOST,
) -> list[dict[str, Any]]:
    """Return for each layer the cosines of its concepts, each at its last variant, clustered.

    Args:
        similarity: by model and layer: concept, variant, ``cosine`` (a row of the matrix).
        effects: model, layer, concept, effect: of too many concepts the largest are kept.
        numbers: position of each concept in the report.
        most: concepts that are kept.
    """
    largest = effects["effect"].abs().groupby([effects[n] for n in ("model", "layer", "concept")])
    ranks = largest.max()
    found = []
    for (model, layer), frame in similarity.items():
        frame = frame.reset_index(drop=True)
        known = frame[frame["concept"].isin(list(numbers))].drop_duplicates("concept", keep="last")
        if len(known) < 2:
            continue
        keys = [(model, layer, concept) for concept in known["concept"]]
        size = ranks.reindex(pd.MultiIndex.from_tuples(keys, names=ranks.index.names)).to_numpy()
        kept = np.sort(np.argsort(-np.nan_to_num(size), kind="stable")[:most])
        rows = known.index.to_numpy()[kept]
        values = np.stack(frame["cosine"].to_numpy()[rows])[:, rows].astype(float)
        order = leaves_list(average_linkage(values))
        chosen = frame.loc[rows[order]]
        found.append(
            {
                "model": model,
                "layer": layer,
                "concepts": [numbers[concept] for concept in chosen["concept"]],
                "variants": [str(variant) for variant in chosen["variant"]],
                "total": len(known),
                "cosines": packed(values[np.ix_(order, order)]),
            }
        )
    return found


def packed(cosines: np.ndarray) -> str:
    """Return a matrix as base64 of int8, in hundredths, row by row; -128 where there is none."""
    hundredths = np.where(np.isnan(cosines), -128, np.rint(100 * np.clip(cosines, -1, 1)))
    return base64.b64encode(hundredths.astype(np.int8).tobytes()).decode()
