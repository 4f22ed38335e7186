"""Similarity of the CAVs of a layer: a heatmap in the order of a clustering, with its tree."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from scipy.cluster.hierarchy import dendrogram

from ..clustering import average_linkage
from . import style
from .rows import Tables

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
    rows, labels, total = _chosen(tables["verdicts"], place, similarity)
    if len(rows) < 2:
        figure = style.new_figure(style.SINGLE, 40 / 25.4)
        style.said(figure, f"{style.place_title(*place)}\nfewer than two concepts to compare")
        return figure
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
    names = [labels[place] for place in order]
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
    more = f"{n} of {total:,} concepts" if total > n else style.counted(n, "concept")
    figure.suptitle(f"{style.place_title(*place)}: {more}", x=0.01, ha="left")
    return figure


def _chosen(
    verdicts: pd.DataFrame, place: tuple[str, str], similarity: pd.DataFrame
) -> tuple[np.ndarray, list[str], int]:
    """Return rows of the matrix, their names, and how many concepts there are.

    Each concept is there once, at its last variant.
    """
    model, layer = place
    own = verdicts[(verdicts["model"] == model) & (verdicts["layer"] == layer)]
    sizes = own["effect"].abs().groupby(own["concept"]).max()
    labels = dict(zip(own["concept"], own["label"], strict=True))
    known = similarity.reset_index(drop=True)
    known = known[known["concept"].isin(list(labels))].drop_duplicates("concept", keep="last")
    size = np.nan_to_num(sizes.reindex(known["concept"]).to_numpy(float))
    kept = np.sort(np.argsort(-size, kind="stable")[:SHOWN])
    chosen = known.iloc[kept]
    several = similarity["concept"].duplicated().any()
    names = [
        style.name(labels[row.concept], 24)
        + (f" ({row.variant})" if several and str(row.variant) else "")
        for row in chosen.itertuples()
    ]
    return chosen.index.to_numpy(), names, len(known)


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
