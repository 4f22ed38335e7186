"""Each model, layer and target: verdicts on its concepts, with the nulls they stand against."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from ..names import null_of
from ..table_columns import PLACE
from .values import columns, rounded

#: columns of the table of verdicts in the page, from `verdicts`, then from `scores` and `concepts`
VERDICTS = [
    *("variant", "encoded", "used", "direction", "verdict", "f1", "auroc", "auroc_q", "effect"),
    *("effect_low", "effect_high", "effect_q", "derivative", "derivative_q", "planting_effect"),
    *("planting_effect_q", "effect_permuted", "effect_of_gc", "effect_sign_agreement"),
    *("large_enough", "null", "saturated", "called_with_permuted_weights"),
]
SCORES = ["log_ratio", "fraction_positive"]
CONCEPTS = ["f1_low", "f1_high", "cav_cosine", "n_concept", "gc_change"]
#: values of nulls that are drawn as points, and bins of their histograms
POINTS, BINS = 500, 40
#: own nulls of a concept that its details show at most
OWN = 20


def places(tables: Mapping[str, pd.DataFrame], numbers: Mapping[str, int]) -> list[dict[str, Any]]:
    """Return what the page shows of each (model, layer, target), in the order of the verdicts.

    Args:
        tables: the result tables by name; of these ``verdicts``, ``scores``, ``concepts`` and
            ``null_values`` are read, all but the first may be missing.
        numbers: position of each concept in the report.
    """
    verdicts = _joined(tables)
    values = tables.get("null_values", pd.DataFrame(columns=[*PLACE, "kind"]))
    nulls = dict(iter(values.groupby(PLACE, sort=False))) if len(values) else {}
    found = []
    for place, rows in verdicts.groupby(PLACE, sort=False):
        own = nulls.get(place, values.iloc[:0])
        found.append(
            {
                **dict(zip(PLACE, map(str, place), strict=True)),
                "concept": [numbers[concept] for concept in rows["concept"]],
                "rows": columns(rows, [*VERDICTS, *SCORES, *CONCEPTS]),
                "cloud": _cloud(own),
                "histograms": _histograms(own),
                "own_nulls": _own_nulls(own, numbers),
            }
        )
    return found


def _joined(tables: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """Return the verdicts with columns of scores and concepts beside them."""
    verdicts = tables["verdicts"].assign(variant=tables["verdicts"]["variant"].astype(str))
    for name, keys, wanted in (
        ("scores", [*PLACE, "concept", "variant"], SCORES),
        ("concepts", ["model", "layer", "concept", "variant"], CONCEPTS),
    ):
        if name in tables:
            other = tables[name]
            other = other[[*keys, *(column for column in wanted if column in other)]]
            other = other.assign(variant=other["variant"].astype(str))
            verdicts = verdicts.merge(other.drop_duplicates(keys), on=keys, how="left")
    return verdicts


def _cloud(nulls: pd.DataFrame) -> dict[str, Any]:
    """Return AUROC and effect of nulls of each kind; of many, evenly spaced ones."""
    found = {}
    for kind in ("permuted", "random"):
        rows = nulls[nulls["kind"] == kind]
        rows = rows.iloc[:: max(1, -(-len(rows) // POINTS))]
        if len(rows):
            found[kind] = columns(rows, ["auroc", "effect"])
    return found


def _histograms(nulls: pd.DataFrame) -> list[dict[str, Any]]:
    """Return counts of effect and AUROC of each set of nulls: of a variant, or of random sets."""
    found = []
    for kind in ("permuted", "random"):
        rows = nulls[nulls["kind"] == kind]
        permuted = kind == "permuted" and len(rows) > 0
        groups = rows.groupby("variant", sort=False) if permuted else [("", rows)]
        for variant, group in groups:
            for statistic in ("effect", "auroc"):
                values = group[statistic].dropna().to_numpy(float) if statistic in group else []
                if len(values):
                    counts, edges = np.histogram(values, BINS)
                    found.append(
                        {
                            "kind": kind,
                            "variant": str(variant),
                            "statistic": statistic,
                            "low": rounded(edges[0]),
                            "high": rounded(edges[-1]),
                            "counts": counts.tolist(),
                        }
                    )
    return found


def _own_nulls(nulls: pd.DataFrame, numbers: Mapping[str, int]) -> dict[str, list[Any]]:
    """Return effects of the permutations of each motif, by ``concept|variant``."""
    found: dict[str, list[Any]] = {}
    rows = nulls[nulls["kind"] == "permuted"]
    if not len(rows):
        return found
    for name, variant, effect in zip(rows["concept"], rows["variant"], rows["effect"], strict=True):
        of = null_of(name)
        if of and of[0] in numbers:
            values = found.setdefault(f"{numbers[of[0]]}|{variant}", [])
            if len(values) < OWN:
                values.append(rounded(effect))
    return found
