"""Encoded against used: every concept of a place a point, behind them the nulls."""

from __future__ import annotations

from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from ..display import one_line
from . import style
from .labels import name_points
from .rows import Nulls, Tables, n_regions, place_rows, strongest, with_variant

#: concepts that are named at most, and how many where none is used
NAMED, NAMED_OF_NONE = 14, 3
#: nulls of a kind that are drawn at most
POINTS = 400


def draw(tables: Tables, place: tuple[str, str, str]) -> Figure:
    """Return the figure: AUROC to the right, effect upwards, those that are called named."""
    every = place_rows(tables, place)
    rows = strongest(every)
    if rows.empty:
        text = f"{style.place_title(*place)}\nno concept has an effect here"
        return style.said(text, style.SINGLE)
    figure = style.new_figure(style.SINGLE, 90 / 25.4)
    axes = figure.add_subplot()
    handles = _nulls(axes, rows, Nulls(tables, place))
    for group in style.VERDICTS:
        for encoded in (True, False):
            part = rows[(rows["group"] == group) & (rows["encoded"] == encoded)]
            if len(part):
                look = style.marker(group, encoded=encoded)
                size = 4.5 if group in ("raises", "lowers") else 3.2
                axes.plot(part["auroc"], part["effect"], "none", ms=size, zorder=3, **look)
    axes.axhline(0, color="0.25", lw=0.6, zorder=1)
    axes.axvline(0.5, color="0.25", lw=0.6, ls=(0, (2, 2)), zorder=1)
    axes.margins(0.08)
    axes.set_xlabel("Encoded: AUROC of the CAV on test examples")
    axes.set_ylabel("Used: effect on the output (its units)")
    regions = n_regions(tables, place)
    sizes = [style.counted(len(rows), "concept")]
    sizes += [style.counted(regions, "region")] if regions is not None else []
    axes.set_title(f"{style.place_title(*place)}\n{', '.join(sizes)}")
    handles = [*style.legend_of(list(rows["group"])), *handles]
    if (rows["used"] & ~rows["encoded"]).any():
        look = {**style.marker("raises", encoded=False), "markeredgecolor": style.DARK}
        handles.append(Line2D([], [], ls="none", ms=4, label="open: not encoded", **look))
    figure.legend(handles=handles, loc="outside lower left", ncols=2)
    _name(figure, axes, rows, several=every["variant"].nunique() > 1)
    return figure


def _nulls(axes: Axes, rows: pd.DataFrame, nulls: Nulls) -> list[Line2D]:
    """Draw the nulls of the variants that are shown, evenly spaced ones of many."""
    permuted = nulls.permuted[
        nulls.permuted["variant"].astype(str).isin(rows["variant"].astype(str))
    ]
    handles = []
    for kind, rows_of in (("permuted", permuted), ("random", nulls.random)):
        values = rows_of.dropna(subset=["auroc", "effect"])
        shown = values.iloc[:: max(1, -(-len(values) // POINTS))]
        if len(shown):
            look: dict[str, Any] = {"marker": ".", "mec": "none", "ls": "none"}
            look["mfc"] = style.NULLS[kind]
            axes.plot(shown["auroc"], shown["effect"], ms=3, zorder=0, **look)
            label = f"{style.NULL_WORDS[kind]} (null, n = {len(values):,})"
            handles.append(Line2D([], [], ms=6, label=label, **look))
    return handles


def _name(figure: Figure, axes: Axes, rows: pd.DataFrame, *, several: bool) -> None:
    """Name the largest of those that are used; names that find no room are left out."""
    used = rows[rows["used"] & rows["auroc"].notna()].head(NAMED)
    chosen = used if len(used) else rows[rows["auroc"].notna()].head(NAMED_OF_NONE)
    name_points(
        figure,
        axes,
        chosen[["auroc", "effect"]].to_numpy(float),
        [one_line(row.label, 24) + with_variant(row, several) for row in chosen.itertuples()],
        rows[["auroc", "effect"]].to_numpy(float),
    )
