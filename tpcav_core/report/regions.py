"""Target regions of each concept, with the bases that speak for it, as the page holds them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from .values import rounded

Place = tuple[str, str, str]
#: contributions of a region are whole numbers up to this; the largest is kept beside them
FULL = 200


def site_content(
    sites: Mapping[Place, pd.DataFrame], numbers: Mapping[str, int]
) -> list[dict[str, Any]]:
    """Return the regions of each place.

    Args:
        sites: tables of the `sites` step by model, layer and target.
        numbers: position of each concept in the report.

    Returns:
        For each place its names, of how many concepts the bases were ``followed``, the largest
        completeness ``error`` of these as a share of their mean absolute score (None without any),
        and ``regions``: by number of the concept a list of region, strand, score and, where bases
        were followed, the first base shown, the sequence, contributions (of `FULL`), and the
        largest contribution.
    """
    found = []
    for (model, layer, target), table in sites.items():
        followed = table[table["contributions"].notna()]
        scale = followed["score"].abs().mean()
        error = followed["completeness_error"].max() / scale if scale else np.nan
        regions: dict[int, list[dict[str, Any]]] = {}
        for row in table.itertuples():
            if row.concept in numbers:
                regions.setdefault(numbers[row.concept], []).append(_region(row))
        found.append(
            {
                **{"model": model, "layer": layer, "target": target},
                "followed": followed["concept"].nunique(),
                "error": rounded(error),
                "regions": regions,
            }
        )
    return found


def _region(row: Any) -> dict[str, Any]:
    found = {
        "region": row.region,
        "strand": row.strand,
        "score": rounded(row.score),
    }
    if pd.isna(row.contributions):
        return found
    values = np.array(row.contributions.split(","), float)
    largest = float(np.abs(values).max(initial=0.0))
    heights = np.rint(FULL * values / largest) if largest > 0 else np.zeros(len(values))
    return found | {
        "start": int(row.shown_start),
        "sequence": row.sequence,
        "heights": heights.astype(int).tolist(),
        "largest": rounded(largest),
    }
