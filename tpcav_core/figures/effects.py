"""Verdicts as a forest plot: AUROC and effect of each concept with intervals, its nulls behind."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from ..display import one_line
from . import style
from .rows import Nulls, Tables, n_regions, place_rows, strongest, with_variant

#: concepts that are shown at most, and the height of the row of each, in inches
SHOWN, _ROW = 30, 4.2 / 25.4
#: share of the nulls that their bar spans, in per cent from either end
_TAIL = 2.5


def draw(tables: Tables, place: tuple[str, str, str]) -> Figure:
    """Return the figure; of many concepts those of the largest effects."""
    every = place_rows(tables, place)
    rows = strongest(every).head(SHOWN)
    if rows.empty:
        return style.said(f"{style.place_title(*place)}\nno concept has an effect here")
    figure = style.new_figure(style.DOUBLE, 1.15 + _ROW * max(len(rows), 3))
    left, right = figure.subplots(1, 2, sharey=True, width_ratios=(1, 1.25))
    nulls = Nulls(tables, place)
    by_row = [nulls.of(row) for row in rows.itertuples()]
    for axes, statistic in ((left, "auroc"), (right, "effect")):
        for kind, height in (("permuted", 0.72), ("random", 0.3)):
            _bars(axes, [one[kind][statistic].dropna() for one in by_row], kind, height)
        _concepts(axes, rows, statistic)
    several = every["variant"].nunique() > 1
    names = [one_line(r.label, 30) + with_variant(r, several) for r in rows.itertuples()]
    left.set_yticks(range(len(rows)), names)
    left.set_ylim(len(rows) - 0.4, -0.6)
    left.axvline(0.5, color="0.25", lw=0.6, ls=(0, (2, 2)), zorder=0)
    right.axvline(0, color="0.25", lw=0.6, zorder=0)
    left.set_xlabel("AUROC of the CAV on test examples")
    right.set_xlabel("Effect on the output (its units)")
    _q_values(left, rows["auroc_q"], "q")
    _q_values(right, rows["effect_q"], "q")
    for axes in (left, right):
        axes.tick_params(axis="y", length=0)
        axes.spines["left"].set_visible(False)
    figure.suptitle(_title(tables, place, every, rows), x=0.005, ha="left")
    handles = [*style.legend_of(list(rows["group"])), *_legend(by_row)]
    figure.legend(handles=handles, loc="outside lower left", ncols=3)
    return figure


def _title(
    tables: Tables, place: tuple[str, str, str], every: pd.DataFrame, rows: pd.DataFrame
) -> str:
    shown = style.counted(every["concept"].nunique(), "concept", len(rows))
    regions = n_regions(tables, place)
    more = f", {style.counted(regions, 'region')}" if regions is not None else ""
    return f"{style.place_title(*place)}: {shown}{more}"


def _bars(axes: Axes, nulls: Sequence[pd.Series], kind: str, height: float) -> None:
    """Draw in each row where most of its nulls lie, and their median."""
    rows = np.array([number for number, values in enumerate(nulls) if len(values)], float)
    if not len(rows):
        return
    tails = [_TAIL, 50, 100 - _TAIL]
    spans = np.array(
        [np.percentile(values.to_numpy(float), tails) for values in nulls if len(values)]
    )
    low, middle, high = spans.T
    axes.barh(rows, high - low, height, low, color=style.NULLS[kind], lw=0, zorder=1)
    axes.vlines(middle, rows - height / 2, rows + height / 2, color="white", lw=0.8, zorder=2)


def _concepts(axes: Axes, rows: pd.DataFrame, statistic: str) -> None:
    """Draw the value of each concept with its interval."""
    numbered = rows.assign(number=np.arange(len(rows)))
    for (group, encoded), part in numbered.groupby(["group", "encoded"], sort=False):
        look = style.marker(group, encoded=encoded)
        ends = [part[f"{statistic}_{end}"].astype(float) for end in ("low", "high")]
        axes.hlines(part["number"], *ends, color=look["markeredgecolor"], lw=1.1, zorder=3)
        axes.plot(part[statistic], part["number"], ls="none", ms=4.2, zorder=4, **look)


def _q_values(axes: Axes, values: pd.Series, heading: str) -> None:
    """Write q-values in a column to the right of a panel."""
    right: Any = axes.get_yaxis_transform()
    for number, q in enumerate(values):
        text = "–" if pd.isna(q) else written(q)
        axes.text(1.02, number, text, transform=right, size=6, va="center", ha="left")
    axes.text(1.02, -0.9, heading, transform=right, size=6, va="bottom")


def written(q: float) -> str:
    """Return a q-value in at most 6 characters."""
    format_of: Callable[[float], str] = "{:.3f}".format if q >= 0.001 else "{:.0e}".format
    return format_of(q)


def _legend(by_row: Sequence[Mapping[str, pd.DataFrame]]) -> list[Patch]:
    span = f"{_TAIL:g}–{100 - _TAIL:g} % of"
    return [
        Patch(color=colour, label=f"null: {span} {style.NULL_WORDS[kind]}")
        for kind, colour in style.NULLS.items()
        if any(len(one[kind]) for one in by_row)
    ]
