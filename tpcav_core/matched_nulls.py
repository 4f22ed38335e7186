"""Which nulls a concept is compared with: those made as it was, but for what it is about."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any

import numpy as np
import pandas as pd

from .names import null_control, null_of

#: whose rows there are
KINDS = ("concept", "permuted", "random", "shuffled")
#: how examples were made, beside what is planted: the control, and the windows planted into
MADE = ("control", "into")


def kinds(rows: pd.DataFrame) -> np.ndarray:
    """Return whose each row is, one of `KINDS`: by the columns concept, control and null."""
    # where no nulls of a kind were made their columns are not there
    rows = rows.reindex(columns=["concept", "control", "null"])
    permuted = [isinstance(name, str) and null_of(name) is not None for name in rows["concept"]]
    return np.select(
        [rows["control"].notna(), rows["null"].notna(), np.array(permuted, bool)],
        ["random", "shuffled", "permuted"],
        "concept",
    )


def classified(rows: pd.DataFrame, catalogue: pd.DataFrame) -> pd.DataFrame:
    """Return rows with their ``kind``, and ``control`` and ``into`` of permuted motifs.

    Args:
        rows: concepts and nulls, with ``concept``; of random nulls ``control``, of shuffled labels
            ``null``.
        catalogue: one row per concept: concept, control, and maybe into, the file of the windows
            that are planted into.
    """
    rows = rows.assign(kind=kinds(rows))
    permuted = rows["kind"] == "permuted"
    motifs = rows.loc[permuted, "concept"].map(lambda name: null_of(name)[0])  # type: ignore[index]
    made = catalogue.set_index("concept").reindex(columns=list(MADE))
    for column in MADE:
        values = rows[column] if column in rows else pd.Series(None, rows.index, dtype=object)
        values = values.astype(object)
        values[permuted] = motifs.map(made[column].astype(object))
        rows[column] = values.where(values.notna(), None)
    return rows


class MatchedNulls:
    """The nulls of one place, found by what a concept is compared with.

    Args:
        rows: of nulls, and maybe others: ``kind``, ``control``; ``size`` of random nulls, ``into``
            and ``variant`` of permuted motifs. Columns without values may be missing.
    """

    def __init__(self, rows: pd.DataFrame) -> None:
        rows = rows.reindex(columns=list(dict.fromkeys([*rows.columns, *MADE, "size"])))
        #: no nulls
        self.none = rows.iloc[:0]
        random, permuted = (rows[rows["kind"] == kind] for kind in ("random", "permuted"))
        self._random = dict(iter(random.groupby("control", sort=False)))
        keys = [permuted["variant"].astype(str), *(permuted[name].map(_text) for name in MADE)]
        self._permuted = dict(iter(permuted.groupby(keys, sort=False))) if len(permuted) else {}
        self._of_size: dict[Hashable, pd.DataFrame] = {}

    def random(self, control: Any, size: Any) -> pd.DataFrame:
        """Return the random nulls of a concept's control with as many examples, or the next fewer.

        Args:
            control: that the concept is told from; ones made of its own examples count as random.
            size: number of its examples.
        """
        name = null_control(str(control))
        if name not in self._random:
            return self.none
        key = (name, int(size))
        if key not in self._of_size:
            own = self._random[name]
            sizes = own["size"].unique()
            fitting = sizes[sizes <= size]
            self._of_size[key] = own[own["size"] == max(fitting, default=sizes.min())]
        return self._of_size[key]

    def permuted(self, variant: Any, control: Any, into: Any) -> pd.DataFrame:
        """Return the permuted motifs with this control, planted as often into the same windows."""
        return self._permuted.get((str(variant), _text(control), _text(into)), self.none)


def _text(value: Any) -> str:
    return "" if pd.isna(value) else str(value)
