"""Similarity of the CAVs of a layer as a matrix whose rows are in the order of a clustering."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from scipy.cluster.hierarchy import leaves_list

from ..clustering import average_linkage, shown_rows

#: concepts of a layer that are drawn at most
MOST = 300


def matrices(
    similarity: Mapping[tuple[str, str], pd.DataFrame],
    verdicts: pd.DataFrame,
    numbers: Mapping[str, int],
    most: int = MOST,
) -> list[dict[str, Any]]:
    """Return for each layer the cosines of its concepts, each at its last variant, clustered.

    Args:
        similarity: by model and layer: concept, variant, ``cosine`` (a row of the matrix).
        verdicts: model, layer, concept, effect: of too many concepts the largest are kept.
        numbers: position of each concept in the report.
        most: concepts that are kept.
    """
    found = []
    for (model, layer), frame in similarity.items():
        rows, total = shown_rows(frame, verdicts, (model, layer), most)
        if total < 2:
            continue
        values = np.stack(frame["cosine"].to_numpy()[rows])[:, rows].astype(float)
        order = leaves_list(average_linkage(values))
        chosen = frame.iloc[rows[order]]
        found.append(
            {
                "model": model,
                "layer": layer,
                "concepts": [numbers[concept] for concept in chosen["concept"]],
                "variants": [str(variant) for variant in chosen["variant"]],
                "total": total,
                "cosines": packed(values[np.ix_(order, order)]),
            }
        )
    return found


def packed(cosines: np.ndarray) -> str:
    """Return a matrix as base64 of int8, in hundredths, row by row; -128 where there is none."""
    hundredths = np.where(np.isnan(cosines), -128, np.rint(100 * np.clip(cosines, -1, 1)))
    return base64.b64encode(hundredths.astype(np.int8).tobytes()).decode()
