"""The nulls of a place as histograms, one row for each planted count, with what was observed."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from ..display import one_line
from . import style
from .rows import Nulls, Tables, place_rows, variants

#: variants that are shown at most, and bins of a histogram
SHOWN, _BINS = 6, 40
_STATISTICS = {"auroc": "AUROC of the CAV", "effect": "Effect on the output (its units)"}


def draw(tables: Tables, place: tuple[str, str, str]) -> Figure:
    """Return the figure; of many variants those of the largest effects."""
    rows, nulls = place_rows(tables, place), Nulls(tables, place)
    if rows.empty or not len(nulls.permuted) + len(nulls.random):
        what = "no concept has an effect here" if rows.empty else "there are no nulls"
        return style.said(f"{style.place_title(*place)}\n{what}")
    rows = rows.assign(variant=rows["variant"].astype(str))
    shown = variants(rows[rows["variant"].isin(rows["variant"].drop_duplicates().head(SHOWN))])
    figure = style.new_figure(style.DOUBLE, 1.0 + 1.15 * len(shown))
    panels = figure.subplots(len(shown), 2, sharex="col", squeeze=False)
    for number, (variant, pair) in enumerate(zip(shown, panels, strict=True)):
        own = rows[rows["variant"] == variant]
        for axes, (statistic, words) in zip(pair, _STATISTICS.items(), strict=True):
            _panel(axes, own, nulls, variant, statistic)
            if number == len(shown) - 1:
                axes.set_xlabel(words)
        heading = f"variant {one_line(variant, 32)}: " if len(shown) > 1 else ""
        pair[0].set_title(heading + _counts(own, nulls, variant), size=6)
    total = rows["variant"].nunique()
    more = f": {style.counted(total, 'variant', len(shown))}" if total > len(shown) else ""
    figure.suptitle(style.place_title(*place) + more, x=0.005, ha="left")
    figure.supylabel("Share of nulls", size=7)
    figure.legend(handles=_legend(rows, nulls), loc="outside lower left", ncols=3)
    return figure


def _counts(own: pd.DataFrame, nulls: Nulls, variant: str) -> str:
    counts = [
        style.counted(own["concept"].nunique(), "concept"),
        style.counted(len(nulls.of_variant(variant)), "permuted motif"),
        style.counted(len(nulls.random), "random set"),
    ]
    return ", ".join(count for count in counts if not count.startswith("0 "))


def _panel(axes: Axes, own: pd.DataFrame, nulls: Nulls, variant: str, statistic: str) -> None:
    kinds = {
        "permuted": nulls.of_variant(variant)[statistic].dropna().to_numpy(float),
        "random": nulls.random[statistic].dropna().to_numpy(float),
    }
    everything = np.concatenate([*kinds.values(), own[statistic].dropna().to_numpy(float)])
    if not len(everything):
        axes.set_axis_off()
        return
    edges = np.histogram_bin_edges(everything, _BINS)
    tallest = 0.0
    for kind, values in kinds.items():
        if len(values):
            shares = np.histogram(values, edges)[0] / len(values)
            tallest = max(tallest, shares.max())
            _histogram(axes, shares, edges, kind)
    tallest = tallest or 1.0
    axes.set_ylim(0, 1.35 * tallest)
    for group in style.VERDICTS:
        part = own[own["group"] == group]
        look = style.marker(group)
        level = np.full(len(part), 1.2 * tallest)
        axes.plot(part[statistic], level, ls="none", ms=3.6, zorder=4, **look)
        axes.vlines(part[statistic], 0, level, color=look["markeredgecolor"], lw=0.4, zorder=1)
    axes.locator_params(axis="y", nbins=3)


def _histogram(axes: Axes, shares: np.ndarray, edges: np.ndarray, kind: str) -> None:
    """Draw one kind of nulls as far as there are any: no line along zero."""
    there = np.flatnonzero(shares)
    first, last = there[0], there[-1] + 1
    look: dict[str, Any] = {"color": style.NULLS[kind]}
    look |= {"fill": True, "lw": 0, "zorder": 2} if kind == "permuted" else {"lw": 0.9, "zorder": 3}
    axes.stairs(shares[first:last], edges[first : last + 1], **look)


def _legend(rows: pd.DataFrame, nulls: Nulls) -> list[Line2D | Patch]:
    handles: list[Line2D | Patch] = [*style.legend_of(list(rows["group"]))]
    words = {kind: f"null: {text}" for kind, text in style.NULL_WORDS.items()}
    if len(nulls.permuted):
        handles.append(Patch(color=style.NULLS["permuted"], label=words["permuted"]))
    if len(nulls.random):
        handles.append(Line2D([], [], color=style.NULLS["random"], label=words["random"]))
    return handles
