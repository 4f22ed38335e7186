"""Similarity of the CAVs of a layer: a heatmap in the order of a clustering, with its tree."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from scipy.cluster.hierarchy import dendrogram

from ..clustering import average_linkage, shown_rows
from ..display import one_line
from . import style
from .rows import Tables, with_variant

#: concepts that are shown at most: names of more could not be read in a column of a page
SHOWN = 60
#: with as few, cosines are written into their cells
_WRITTEN = 12


def draw(tables: Tables, place: tuple[str, str], similarity: pd.DataFrame) -> Figure:
    """Return the figure of a (model, layer); of many concepts those of the largest effects.

    Args:
        tables: of these ``verdicts``, for names and effects.
        place: model and layer.
        similarity: concept, variant, ``cosine`` (a row of the matrix), as the step's file has it.
    """
    verdicts = tables["verdicts"]
    rows, total = shown_rows(similarity, verdicts, place, SHOWN)
    if len(rows) < 2:
        text = f"{style.place_title(*place)}\nfewer than two concepts to compare"
        return style.said(text, style.SINGLE)
    cosines = np.stack(similarity["cosine"].to_numpy()[rows])[:, rows].astype(float)
    tree = average_linkage(cosines)
    drawn = dendrogram(tree, no_plot=True)
    order = np.array(drawn["leaves"])
    n = len(order)
    side = min(max(1.6, 0.25 * n), 5.0)
    figure = style.new_figure(min(side + 2.0, style.DOUBLE), side + 0.8)
    branches, heat = figure.subplots(1, 2, width_ratios=(0.18, 1), gridspec_kw={"wspace": 0})
    _tree(branches, drawn, n)
    values = np.ma.masked_invalid(cosines[np.ix_(order, order)])
    mesh = heat.pcolormesh(values, cmap="RdBu_r", vmin=-1, vmax=1, edgecolors="white", lw=0.15)
    heat.set_facecolor("0.9")
    names = _names(similarity, rows[order], verdicts)
    size = 6 if n <= 40 else 5
    # columns are in the order of the rows: their names would only be said twice
    heat.set_xticks([])
    heat.set_yticks(np.arange(n) + 0.5, names, size=size)
    heat.yaxis.tick_right()
    heat.tick_params(length=0)
    heat.spines[:].set_visible(False)
    if n <= _WRITTEN:
        _write(heat, values)
    bar = figure.colorbar(mesh, ax=[branches, heat], location="bottom", shrink=0.6, aspect=30)
    bar.set_ticks([-1, -0.5, 0, 0.5, 1])
    bar.set_label("Cosine between CAVs")
    bar.outline.set_visible(False)
    count = style.counted(total, "concept", n)
    figure.suptitle(f"{style.place_title(*place)}: {count}", x=0.01, ha="left")
    return figure


def _names(similarity: pd.DataFrame, rows: np.ndarray, verdicts: pd.DataFrame) -> list[str]:
    """Return the names of concepts, with their variants where concepts have several."""
    labels = dict(zip(verdicts["concept"], verdicts["label"], strict=True))
    several = bool(similarity["concept"].duplicated().any())
    return [
        one_line(labels[row.concept], 24) + with_variant(row, several)
        for row in similarity.iloc[rows].itertuples()
    ]


def _tree(axes: Axes, drawn: dict[str, list[list[float]]], n: int) -> None:
    # scipy draws leaves at 5, 15, 25, …
    for depths, heights in zip(drawn["dcoord"], drawn["icoord"], strict=True):
        axes.plot(depths, np.array(heights) / 10, color="0.35", lw=0.5)
    axes.set_ylim(0, n)
    axes.invert_xaxis()
    axes.set_axis_off()


def _write(axes: Axes, values: np.ma.MaskedArray) -> None:
    for (row, column), value in np.ndenumerate(values.filled(np.nan)):
        if np.isfinite(value):
            colour = "white" if abs(value) > 0.65 else "0.1"
            text = f"{round(float(value), 2) + 0.0:.2f}".replace("-", "−")
            axes.text(column + 0.5, row + 0.5, text, size=4, ha="center", va="center", color=colour)
