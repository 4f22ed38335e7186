"""Principal components of each layer: variance they hold, correlation they take away."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from .values import rounded


def variance_content(
    variance: Mapping[tuple[str, str], pd.DataFrame], points: int = 120
) -> list[dict[str, Any]]:
    """Return how much variance the components of each layer hold.

    Args:
        variance: tables of the `components` step by model and layer.
        points: of the curve at most, closer to each other where components are few.

    Returns:
        For each layer its names, k, ``component`` and ``cumulative`` (shares of the total), and
        ``half`` and ``most``: components that hold half and nine tenths of it, None if they do not.
    """
    found = []
    for (model, layer), table in variance.items():
        cumulative = table["cumulative_share"].to_numpy(float)
        k = len(cumulative)
        steps = np.geomspace(1, max(k, 1), min(k, points)).round().astype(int)
        some = np.unique(steps).tolist()
        found.append(
            {
                **{"model": model, "layer": layer, "k": k},
                "component": some,
                "cumulative": [rounded(cumulative[one - 1]) for one in some],
                "half": _first(cumulative, 0.5),
                "most": _first(cumulative, 0.9),
            }
        )
    return found


def _first(cumulative: np.ndarray, share: float) -> int | None:
    reached = np.flatnonzero(cumulative >= share)
    return int(reached[0]) + 1 if len(reached) else None


def correlation_words(attributions: pd.DataFrame | None) -> list[str]:
    """Return a sentence for each layer and target: correlations before and after the projection."""
    wanted = ["feature_correlation", "component_correlation", "correlation_by_chance"]
    if attributions is None or not set(wanted) <= set(attributions.columns):
        return []
    known = attributions.dropna(subset=wanted)
    return [
        f"{row.model}, layer {row.layer}: over the {row.n_regions} regions of {row.target}, on"
        " which the components were not fitted, two features correlate with"
        f" {row.feature_correlation:.2f} on average (absolute), two components with"
        f" {row.component_correlation:.2f}; independent ones would with"
        f" {row.correlation_by_chance:.2f}."
        for row in known.itertuples()
    ]
