"""What the principal components of a layer do: variance held, correlation taken away."""

from __future__ import annotations

import numpy as np
import pandas as pd

from .basis import Components

#: features, and components, that are correlated with each other at most
CORRELATED = 500


def variance_table(components: Components) -> pd.DataFrame:
    """Return a row for each component: how much of the variance of the sample it holds.

    Returns:
        ``component`` (from 1), ``variance``, ``share`` of the total and ``cumulative_share``.
    """
    share = components.variances / (components.total_variance or 1.0)
    return pd.DataFrame(
        {
            "component": np.arange(1, len(share) + 1),
            "variance": components.variances,
            "share": share,
            "cumulative_share": np.cumsum(share),
        }
    )


def decorrelation(z: np.ndarray, components: np.ndarray) -> dict[str, float | None]:
    """Return how correlated features are, and how much of it the projection takes away.

    The components are uncorrelated in the sample they were fitted on; here they are seen on other
    examples, the targets.

    Args:
        z: (n, d) standardised activations.
        components: V, (d, k).

    Returns:
        ``feature_correlation`` and ``component_correlation``, mean absolute correlations between
        pairs of at most `CORRELATED` features (evenly spaced) and components (the first ones), and
        ``correlation_by_chance``, ``√(2/(π(n − 1)))``: what independent ones have on average. None
        where there are not two examples, or two that vary.
    """
    n, d = z.shape
    some = np.unique(np.linspace(0, d - 1, min(d, CORRELATED)).astype(int))
    return {
        "feature_correlation": _mean_correlation(z[:, some]),
        "component_correlation": _mean_correlation(z @ components[:, :CORRELATED]),
        "correlation_by_chance": float(np.sqrt(2 / (np.pi * (n - 1)))) if n > 1 else None,
    }


def _mean_correlation(columns: np.ndarray) -> float | None:
    centred = columns - columns.mean(axis=0, dtype=float)
    length = np.sqrt((centred**2).sum(axis=0))
    # what is left of constant columns is rounding
    units = centred[:, length > 1e-6 * np.abs(columns).max(initial=0.0)]
    m = units.shape[1]
    if m < 2 or len(columns) < 2:
        return None
    units = units / np.sqrt((units**2).sum(axis=0))
    correlations = np.abs(units.T @ units)
    return float((correlations.sum() - np.trace(correlations)) / (m * (m - 1)))
