"""Layers, models and targets compared: effects of the same concepts, and what layers agree on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from ..display import one_line
from ..table_columns import PLACE
from . import style
from .rows import Tables, place_rows, strongest

Place = tuple[str, str, str]
#: concepts, places and pairs of layers that are shown at most
SHOWN, PLACES, PAIRS = 30, 24, 16
_CIRCLE: dict[str, Any] = {"ls": "none", "marker": "o", "ms": 3.4, "mew": 0.6}
#: how cells are marked
_CALLED: dict[str, dict[str, Any]] = {
    "encoded and used": {**_CIRCLE, "mfc": "black", "mec": "white"},
    "used, not seen as encoded": {**_CIRCLE, "mfc": "white", "mec": "black"},
}
#: columns of the table of layers, how they are drawn, and what they are the correlations of
_LOOKS = (
    ("effect_correlation", style.BLUE, "o", "effects"),
    ("similarity_correlation", style.ORANGE, "s", "similarities of CAVs"),
)


def draw(tables: Tables, places: Sequence[Place]) -> Figure:
    """Return the figure: a row for each concept, a column for each (model, layer, target).

    Effects are shown as shares of the largest in their column, since outputs have units of their
    own. Of many concepts those are shown whose largest share is greatest.
    """
    shown = list(places[:PLACES])
    parts = [strongest(place_rows(tables, place)).set_index("concept") for place in shown]
    shares = pd.DataFrame(
        {number: _shares(part["effect"]) for number, part in enumerate(parts)}, dtype=float
    )
    agreed = tables.get("layers", pd.DataFrame(columns=[column for column, *_ in _LOOKS]))
    agreed = agreed.dropna(subset=[column for column, *_ in _LOOKS], how="all")
    if shares.empty:
        return style.said("no concept has an effect anywhere")
    order = shares.abs().max(axis=1).sort_values(ascending=False, kind="stable").index
    shares = shares.loc[order].head(SHOWN)
    height = 1.9 + 0.16 * max(len(shares), 6)
    figure = style.new_figure(style.DOUBLE, height)
    if len(agreed):
        widths = (min(0.35 + 0.11 * len(shown), 2), 1)
        left, right = figure.subplots(1, 2, width_ratios=widths)
        _agreement(right, agreed)
    else:
        left = figure.subplots(1, 1)
    _heatmap(figure, left, shares, parts, shown)
    figure.legend(handles=_legend(agreement=len(agreed) > 0), loc="outside lower left", ncols=4)
    title = style.counted(len(order), "concept", len(shares))
    if len(places) > len(shown):
        title += f", {style.counted(len(places), 'place', len(shown))}"
    figure.suptitle(title, x=0.005, ha="left")
    return figure


def _shares(effects: pd.Series) -> pd.Series:
    largest = effects.abs().max()
    return effects / largest if largest else effects


def _heatmap(
    figure: Figure,
    axes: Axes,
    shares: pd.DataFrame,
    parts: Sequence[pd.DataFrame],
    places: Sequence[Place],
) -> None:
    values = np.ma.masked_invalid(shares.to_numpy(float))
    mesh = axes.pcolormesh(values, cmap="RdBu_r", vmin=-1, vmax=1, edgecolors="white", lw=0.5)
    axes.set_facecolor("0.92")
    labels = {key: label for part in reversed(parts) for key, label in part["label"].items()}
    axes.set_yticks(np.arange(len(shares)) + 0.5, [one_line(labels[c], 28) for c in shares.index])
    axes.set_xticks(np.arange(len(parts)) + 0.5, _headings(places), rotation=45, ha="right")
    axes.invert_yaxis()
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    for column, part in enumerate(parts):
        used = part["used"].reindex(shares.index).eq(other=True).to_numpy()
        encoded = part["encoded"].reindex(shares.index).eq(other=True).to_numpy()
        for flags, look in zip((used & encoded, used & ~encoded), _CALLED.values(), strict=True):
            rows = np.flatnonzero(flags)
            axes.plot(np.full(len(rows), column + 0.5), rows + 0.5, **look)
    bar = figure.colorbar(mesh, ax=axes, location="right", shrink=0.6, aspect=20)
    bar.set_label("Effect / largest in column")
    bar.set_ticks([-1, -0.5, 0, 0.5, 1])
    bar.outline.set_visible(False)


def _headings(places: Sequence[Place]) -> list[str]:
    """Return what tells places apart: parts of their names that all share are left out."""
    table = pd.DataFrame(places, columns=PLACE)
    differing = [column for column in PLACE if table[column].nunique() > 1] or PLACE
    return [" · ".join(one_line(part, 24) for part in row) for row in table[differing].to_numpy()]


def _agreement(axes: Axes, agreed: pd.DataFrame) -> None:
    """Draw the rank correlations between two layers, the variants of a pair as points."""
    keys = ["model", "target", "layer_1", "layer_2"]
    groups = list(agreed.groupby(keys, sort=False))
    shown = groups[:PAIRS]
    for number, (_, rows) in enumerate(shown):
        for shift, (column, colour, symbol, _) in zip((-0.12, 0.12), _LOOKS, strict=True):
            level = np.full(len(rows), number + shift)
            axes.plot(rows[column].astype(float), level, symbol, ms=3, color=colour, mew=0)
    several = agreed[["model", "target"]].drop_duplicates().shape[0] > 1
    names = []
    for (model, target, first, second), _ in shown:
        pair = f"{one_line(first, 20)} – {one_line(second, 20)}"
        names.append(f"{pair}\n{one_line(model, 18)}, {one_line(target, 18)}" if several else pair)
    axes.set_yticks(range(len(shown)), names)
    axes.set_ylim(len(shown) - 0.5, -0.5)
    axes.set_xlim(min(0.0, float(agreed[[c for c, *_ in _LOOKS]].min().min())) - 0.05, 1.05)
    axes.axvline(0, color="0.25", lw=0.6, zorder=0)
    axes.set_xlabel("Rank correlation between layers")
    axes.tick_params(axis="y", length=0)
    more = f"{len(shown)} of {len(groups)} pairs; " if len(groups) > len(shown) else ""
    counts = agreed["n_concepts"].astype(int)
    span = f"{counts.min()}–" if counts.min() < counts.max() else ""
    axes.set_title(f"{more}a point for each variant, n = {span}{counts.max()} concepts")


def _legend(*, agreement: bool) -> list[Line2D]:
    handles = [Line2D([], [], label=words, **look) for words, look in _CALLED.items()]
    if agreement:
        handles += [
            Line2D([], [], ls="none", marker=symbol, ms=3, color=colour, mew=0, label=words)
            for _, colour, symbol, words in _LOOKS
        ]
    return handles
