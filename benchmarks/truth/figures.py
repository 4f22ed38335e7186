"""The figures of docs/statistics.md, from the tables of `evaluate`."""

from __future__ import annotations

import argparse
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib import pyplot as plt
from matplotlib.axes import Axes

from benchmarks.truth.report import recovery
from benchmarks.truth.rows import TRUE, read, standard

COLOURS = {
    "activator": "#0072B2",
    "repressor": "#D55E00",
    "pair": "#009E73",
    "decoy_used_elsewhere": "#888888",
    "decoy": "#BBBBBB",
}
LABELS = {
    "activator": "activators",
    "repressor": "repressor",
    "pair": "pair",
    "decoy_used_elsewhere": "decoys that the other output uses",
    "decoy": "decoys",
}
LAYERS = ("early", "middle", "late")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--work", type=Path, required=True, help="folder of evaluate's tables")
    parser.add_argument("--output", type=Path, required=True)
    arguments = parser.parse_args()
    arguments.output.mkdir(parents=True, exist_ok=True)
    # text stays text, and no time or random id is written: the same rows give the same bytes
    mpl.rcParams |= {"svg.fonttype": "none", "svg.hashsalt": "tpcav", "font.size": 9}
    mpl.rcParams |= {"axes.spines.top": False, "axes.spines.right": False}
    rows = read(arguments.work)
    study = rows[rows["study"] == "study"]
    for name, draw in (
        ("recovery", draw_recovery),
        ("effects-and-nulls", draw_nulls),
        ("effect-and-planting", draw_planting),
        ("saturation", draw_saturation),
    ):
        figure = draw(study)
        figure.savefig(
            arguments.output / f"{name}.svg", metadata={"Date": None}, bbox_inches="tight"
        )
        plt.close(figure)


def draw_recovery(rows: pd.DataFrame) -> plt.Figure:
    """Draw how well each statistic ranks true motifs before decoys, at each layer."""
    table = recovery(rows).iloc[::-1].reset_index(drop=True)
    figure, axes = plt.subplots(1, 3, figsize=(9, 4.2), sharey=True)
    places = np.arange(len(table))
    for axis, layer in zip(axes, LAYERS, strict=True):
        mean, worst = table[f"{layer} AUROC"], table[f"{layer} worst"]
        axis.hlines(places, worst, mean, color="#BBBBBB")
        axis.plot(mean, places, "o", color="#0072B2", label="mean of networks")
        axis.plot(worst, places, "|", color="#D55E00", markersize=9, label="worst network")
        axis.axvline(0.5, color="#DDDDDD", zorder=0)
        axis.set(xlim=(0.2, 1.03), title=f"{layer} layer", xlabel="AUROC, true against decoy")
    axes[0].set_yticks(places, table["statistic"])
    axes[0].legend(loc="lower left", frameon=False, fontsize=7)
    return figure


def draw_nulls(rows: pd.DataFrame) -> plt.Figure:
    """Draw effects of motifs beside those of permuted motifs and random sets, all networks."""
    own = standard(rows)
    figure, axes = plt.subplots(1, 2, figsize=(9, 3.4), sharey=True)
    for axis, layer in zip(axes, ("middle", "late"), strict=True):
        place = own[own["layer"] == layer]
        at_four = place[place["variant"] == "4"]
        groups = [
            ("random sets", place[place["kind"] == "random"], "#E69F00"),
            ("permuted motifs", at_four[at_four["kind"] == "permuted"], "#CC79A7"),
        ]
        concepts = at_four[at_four["kind"] == "concept"]
        groups += [
            (LABELS[role], concepts[concepts["role"] == role], colour)
            for role, colour in COLOURS.items()
        ]
        for number, (_, group, colour) in enumerate(groups):
            _strip(axis, number, group["effect"].to_numpy(), colour)
        axis.axhline(0, color="#DDDDDD", zorder=0)
        axis.set_xticks(range(len(groups)), [name for name, *_ in groups], rotation=30, ha="right")
        axis.set_title(f"{layer} layer, 4 copies")
    axes[0].set_ylabel("effect (logits)")
    return figure


def _strip(axis: Axes, place: float, values: np.ndarray, colour: str) -> None:
    rng = np.random.default_rng(0)
    values = rng.permutation(values)[:250]
    jitter = rng.uniform(-0.25, 0.25, len(values))
    axis.plot(place + jitter, values, ".", color=colour, markersize=3, alpha=0.6)


def draw_planting(rows: pd.DataFrame) -> plt.Figure:
    """Draw the effect against what planting really does."""
    own = standard(rows[rows["kind"] == "concept"])
    figure, axes = plt.subplots(1, 3, figsize=(9, 3.2), sharex=True, sharey=True)
    for axis, layer in zip(axes, LAYERS, strict=True):
        place = own[(own["layer"] == layer) & (own["variant"] == "4")]
        for role, colour in reversed(COLOURS.items()):
            group = place[place["role"] == role]
            axis.plot(
                group["planting_effect"],
                group["effect"],
                "o",
                color=colour,
                markersize=3,
                label=LABELS[role],
            )
        axis.axline((0, 0), slope=1, color="#DDDDDD", zorder=0)
        axis.set(title=f"{layer} layer, 4 copies", xlabel="planting effect (logits)")
    axes[0].set_ylabel("effect (logits)")
    axes[0].legend(frameon=False, fontsize=7)
    return figure


def draw_saturation(rows: pd.DataFrame) -> plt.Figure:
    """Draw published log ratios and effects of random sets beside those of motifs."""
    own = standard(rows[rows["layer"] == "late"])
    random = own[own["kind"] == "random"]
    true = own[(own["kind"] == "concept") & own["role"].isin(TRUE) & (own["variant"] == "4")]
    figure, axes = plt.subplots(1, 2, figsize=(9, 2.8))
    for axis, name, label in (
        (axes[0], "log_ratio", "published log ratio"),
        (axes[1], "effect", "effect (logits)"),
    ):
        limits = np.nanmax(np.abs(np.concatenate([random[name], true[name]])))
        bins = np.linspace(-limits, limits, 41)
        for group, colour, what in (
            (random, "#E69F00", "random sets"),
            (true, "#0072B2", "true motifs"),
        ):
            axis.hist(
                group[name],
                bins,
                weights=np.full(len(group), 1 / len(group)),
                color=colour,
                alpha=0.6,
                label=what,
            )
        axis.set(xlabel=label, ylabel="share")
    axes[0].legend(frameon=False, fontsize=8)
    return figure


if __name__ == "__main__":
    main()
