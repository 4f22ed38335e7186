"""Sanity checks: what is said of a network that has learned nothing, or of labels without meaning.

Both must come out empty: a statistic that calls concepts there measures something else.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

COLUMNS = [
    "model",
    "layer",
    "target",
    "check",
    "verdict",
    "variant",
    "null",
    "n_tests",
    "n_p_below_alpha",
    "most_by_chance",
    "n_called",
    "passed",
]


def check_row(names: dict[str, str], p: np.ndarray, q: np.ndarray, alpha: float) -> dict[str, Any]:
    """Return a row of ``sanity.tsv``: how often something was found where there is nothing.

    Args:
        names: model, layer, target, check, verdict, variant, null.
        p: (m,) p-values.
        q: (m,) their q-values.
        alpha: level of both.

    Returns:
        The names; ``n_tests``; ``n_p_below_alpha``; ``most_by_chance``, the 99 % quantile of how
        many p-values independent tests have below ``alpha``; ``n_called``, q-values at most
        ``alpha``; and ``passed``: none is called, and no more p-values are small than by chance.
    """
    from scipy.stats import binom  # takes long to import

    tested = np.isfinite(p)
    small = int((p[tested] <= alpha).sum())
    most = int(binom.ppf(0.99, int(tested.sum()), alpha)) if tested.any() else 0
    called = int((q[tested] <= alpha).sum())
    return {
        **names,
        "n_tests": int(tested.sum()),
        "n_p_below_alpha": small,
        "most_by_chance": most,
        "n_called": called,
        "passed": called == 0 and small <= most,
    }


def sanity_table(compared: list[tuple[str, str, str, pd.DataFrame]], alpha: float) -> pd.DataFrame:
    """Return ``sanity.tsv``.

    Args:
        compared: check, verdict, statistic, and rows that `verdicts.compare` gave for it, with
            model, layer and variant, and target where the statistic has one. Variants have a row
            each: those of one motif are hardly independent tests.
        alpha: level of p and q.
    """
    rows = []
    for check, verdict, statistic, table in compared:
        keys = [name for name in ("model", "layer", "target", "variant", "null") if name in table]
        for values, group in table.groupby(keys, sort=False):
            by_null = group[f"{statistic}_p_random"].to_numpy(float)
            of_motifs = group[f"{statistic}_p_permuted"].to_numpy(float)
            decides = np.where(group["null"] == "permuted", of_motifs, by_null)
            names = {"target": "", **dict(zip(keys, values, strict=True))}
            names |= {"check": check, "verdict": verdict}
            rows.append(check_row(names, decides, group[f"{statistic}_q"].to_numpy(float), alpha))
    return pd.DataFrame(rows, columns=COLUMNS)
