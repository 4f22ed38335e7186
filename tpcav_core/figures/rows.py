"""What figures are drawn from: the concepts of a place, and the nulls each stands against."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from ..matched_nulls import MatchedNulls
from ..table_columns import PLACE

Tables = Mapping[str, pd.DataFrame]
_CONCEPTS = ["auroc_low", "auroc_high", "n_concept", "control", "into"]


def place_rows(tables: Tables, place: tuple[str, str, str]) -> pd.DataFrame:
    """Return the verdicts of a (model, layer, target) with intervals, sizes and ``group``.

    ``group`` is one of `style.VERDICTS`; rows without an effect are left out. Columns that a table
    lacks are there without values.
    """
    rows = at_place(tables["verdicts"], place)
    keys = ["model", "layer", "concept", "variant"]
    other = tables.get("concepts")
    if other is not None:
        other = other.reindex(columns=[*keys, *_CONCEPTS]).drop_duplicates(keys)
        rows = rows.merge(other, on=keys, how="left")
    rows = rows[rows["effect"].notna()]
    missing = [c for c in (*_CONCEPTS, "effect_low", "effect_high", "auroc_q") if c not in rows]
    rows = rows.assign(**dict.fromkeys(missing))
    encoded, used = (rows[flag].fillna(value=False).astype(bool) for flag in ("encoded", "used"))
    raised = rows["direction"] == "+"
    group = np.select([used & raised, used, encoded], ["raises", "lowers", "encoded"], "neither")
    order = rows["effect"].abs().sort_values(ascending=False, kind="stable").index
    return rows.assign(encoded=encoded, used=used, group=group).loc[order]


def strongest(rows: pd.DataFrame) -> pd.DataFrame:
    """Return each concept once, at the variant of its largest effect."""
    return rows.drop_duplicates("concept")


def n_regions(tables: Tables, place: tuple[str, str, str]) -> int | None:
    """Return how many regions of the target were attributed; None where no table says so."""
    scores = tables.get("scores")
    own = at_place(scores, place)["n_regions"] if scores is not None else pd.Series(dtype=float)
    return int(own.max()) if own.notna().any() else None


def variants(rows: pd.DataFrame) -> list[str]:
    """Return the variants in the order of their names, numbers by size."""
    return sorted(map(str, rows["variant"].unique()), key=_by_number)


def _by_number(variant: str) -> tuple[float, str]:
    try:
        return float(variant), variant
    except ValueError:
        return np.inf, variant


def with_variant(row: Any, several: bool) -> str:
    """Return a variant as it stands behind a concept's name, where concepts have several."""
    return f" ({row.variant})" if several and str(row.variant) else ""


class Nulls:
    """The nulls of one place.

    Attributes:
        permuted: rows of motifs with permuted columns.
        random: rows of CAVs between random sets.
    """

    def __init__(self, tables: Tables, place: tuple[str, str, str]) -> None:
        values = tables.get("null_values")
        own = pd.DataFrame(columns=PLACE) if values is None else at_place(values, place)
        columns = ["kind", "variant", "control", "into", "size", "effect", "auroc"]
        own = own.reindex(columns=columns)
        self.permuted = own[own["kind"] == "permuted"]
        self.random = own[own["kind"] == "random"]
        self._matched = MatchedNulls(own)

    def of(self, row: Any) -> dict[str, pd.DataFrame]:
        """Return the nulls of each kind that a concept's row is compared with; empty ones too."""
        permuted, random = self.permuted.iloc[:0], self.random
        if row.null == "permuted":
            permuted = self._matched.permuted(row.variant, row.control, row.into)
        if pd.notna(row.control) and pd.notna(row.n_concept):
            random = self._matched.random(row.control, row.n_concept)
        return {"permuted": permuted, "random": random}

    def of_variant(self, variant: str) -> pd.DataFrame:
        """Return the permuted motifs of a variant."""
        return self.permuted[self.permuted["variant"].astype(str) == variant]


def at_place(table: pd.DataFrame, place: tuple[str, ...]) -> pd.DataFrame:
    """Return the rows of a model and layer, and of a target if ``place`` names one."""
    chosen = np.ones(len(table), bool)
    for column, value in zip(PLACE, place, strict=False):
        chosen &= (table[column].astype(str) == value).to_numpy()
    return table[chosen]
