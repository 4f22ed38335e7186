"""Motif sensitivity: F1 over planted copies, and its area against what a line expects."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.gridspec import SubplotSpec

from ..display import one_line
from . import style
from .labels import name_points
from .rows import Tables, at_place

#: motifs that have a panel, columns of panels, motifs that are named beside the line
SHOWN, _COLUMNS, NAMED = 24, 6, 5


def draw(tables: Tables, place: tuple[str, str]) -> Figure:
    """Return the figure of a (model, layer); of many motifs those of the largest area."""
    areas, points = (
        at_place(tables[name], place) if name in tables else pd.DataFrame()
        for name in ("motif_sensitivity", "motif_points")
    )
    if points.empty or areas.empty:
        return style.said(f"{style.place_title(*place)}\nno motif was planted here")
    areas = areas.sort_values("f1_auc", ascending=False, kind="stable")
    shown = areas.head(SHOWN)
    n_rows = -(-len(shown) // _COLUMNS)
    # one motif has nothing to be compared with
    parts = (1.15 * n_rows, 2.2) if len(areas) > 1 else (1.15 * n_rows,)
    figure = style.new_figure(style.DOUBLE, 0.4 + sum(parts))
    grid = figure.add_gridspec(len(parts), 1, height_ratios=parts)
    _curves(grid[0], shown, points, n_rows)
    count = style.counted(len(areas), "motif", len(shown))
    figure.suptitle(f"{style.place_title(*place)}: {count}", x=0.005, ha="left")
    if len(parts) > 1:
        place_of_line = grid[1].subgridspec(1, 2, width_ratios=(2, 1))[0]
        _regression(figure, figure.add_subplot(place_of_line), areas)
    return figure


def _curves(grid: SubplotSpec, shown: pd.DataFrame, points: pd.DataFrame, n_rows: int) -> None:
    """Draw a panel for each motif; axes are numbered at the left and where a column ends."""
    columns = max(-(-len(shown) // n_rows), 4)
    panels = grid.subgridspec(n_rows, columns).subplots(sharex=True, sharey=True, squeeze=False)
    for axes, row in zip(panels.flat, shown.itertuples(), strict=False):
        _curve(axes, points[points["concept"] == row.concept], row)
    for axes in panels.flat[len(shown) :]:
        axes.set_axis_off()
    for axes in panels.flat[max(0, len(shown) - columns) : len(shown)]:
        axes.tick_params(labelbottom=True)
    for axes in panels[-1]:
        axes.set_xlabel("planted copies", size=6)
    for axes in panels[:, 0]:
        axes.set_ylabel("F1", size=6)


def _curve(axes: Axes, points: pd.DataFrame, row: Any) -> None:
    points = points.sort_values("copies", kind="stable")
    axes.fill_between(
        points["copies"], points["f1_low"], points["f1_high"], color=style.BLUE, alpha=0.2, lw=0
    )
    axes.plot(points["copies"], points["f1"], "o-", color=style.BLUE, ms=2.5)
    axes.axhline(0.5, color="0.25", lw=0.5, ls=(0, (2, 2)))
    axes.set_ylim(0, 1.02)
    axes.set_xticks(_ticks(points["copies"].to_numpy(float)))
    axes.set_title(f"{one_line(row.label, 18)}\narea {row.f1_auc:.2f}", size=6)


def _ticks(copies: np.ndarray) -> np.ndarray:
    """Return the counts that were planted, the ends and the middle of many."""
    values = np.unique(copies)
    return values if len(values) <= 4 else values[[0, len(values) // 2, -1]]


def _said(lines: pd.DataFrame) -> str:
    """Return what is said of the lines, one for motifs that were planted equally often."""
    if not len(lines):
        return "no line: fewer than three motifs, or all alike"
    if len(lines) > 1:
        return f"{len(lines)} lines, one for each choice of planted copies"
    slope, intercept = lines.iloc[0]
    sign = "+" if intercept >= 0 else "−"
    return f"area = {slope:.3g} × bits {sign} {abs(intercept):.3g}".replace("= -", "= −")


def _regression(figure: Figure, axes: Axes, areas: pd.DataFrame) -> None:
    """Draw the area of every motif against its information content, and the line."""
    x, y = areas["information_content_gc"].to_numpy(float), areas["f1_auc"].to_numpy(float)
    low, high = (areas[f"f1_auc_{end}"].to_numpy(float) for end in ("low", "high"))
    if len(areas) <= 100:
        axes.vlines(x, low, high, color=style.BLUE, lw=0.7, alpha=0.6)
    axes.plot(x, y, "o", color=style.BLUE, ms=3)
    lines = areas[["line_slope", "line_intercept"]].dropna().drop_duplicates()
    ends = np.array([np.nanmin(x), np.nanmax(x)])
    for slope, intercept in lines.itertuples(index=False):
        axes.plot(ends, slope * ends + intercept, color=style.DARK, lw=0.9)
    axes.set_title(f"n = {len(areas):,} motifs; {_said(lines)}")
    axes.set_xlabel("Information content of the motif, weighted by GC (bits)")
    axes.set_ylabel("Area under F1")
    axes.margins(x=0.08)
    order = areas["sensitivity"].abs().sort_values(ascending=False, kind="stable").index
    far = areas.loc[order].dropna(subset=["information_content_gc", "sensitivity"]).head(NAMED)
    name_points(
        figure,
        axes,
        far[["information_content_gc", "f1_auc"]].to_numpy(float),
        [one_line(label, 20) for label in far["label"]],
        np.column_stack([x, y]),
    )
