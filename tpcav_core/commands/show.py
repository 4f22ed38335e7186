"""``python -m tpcav_core show``: print the verdicts of a run, readably."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

import pandas as pd

from ..display import one_line
from ..errors import InputError
from ..table_columns import PLACE, deciding_statistic

_LONGEST_LABEL = 32


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("results", nargs="?", default="results", help="folder of the results")
    parser.add_argument("--top", type=int, default=15, help="rows per layer and target")


def run(arguments: argparse.Namespace) -> None:
    folder = Path(arguments.results) / "summary"
    text = render(_read(folder / "verdicts.tsv"), arguments.top)
    if (folder / "sanity.tsv").is_file():
        text += f"\n{sanity(_read(folder / 'sanity.tsv'))}\n"
    text += f"\ntables: {folder}/*.tsv (and .parquet)\n"
    report = folder.parent / "report.html"
    if report.is_file():
        text += f"report: {report}\n"
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except BrokenPipeError:
        # whoever reads it has had enough (`| head`); Python would try once more at its end
        with open(os.devnull, "w") as nothing:  # noqa: PTH123
            os.dup2(nothing.fileno(), sys.stdout.fileno())


def _read(path: Path) -> pd.DataFrame:
    if not path.is_file():
        raise InputError(f"{path}: no such file; run the workflow first, or name its results")
    return pd.read_csv(path, sep="\t", dtype={"variant": str}, na_values="NA")


def render(verdicts: pd.DataFrame, top: int) -> str:
    """Return one block per (model, layer, target), largest first by what decides on use.

    Each concept is shown once, at the variant where that is largest.
    """
    statistic = deciding_statistic(verdicts)
    order = verdicts[statistic].abs().sort_values(ascending=False, kind="stable").index
    table = verdicts.loc[order].drop_duplicates(["model", "layer", "target", "concept"])
    untrained = table["called_with_permuted_weights"] == True  # noqa: E712  # may be NA
    mark = untrained.map({True: "*", False: ""})
    table = table.assign(
        label=[one_line(label, _LONGEST_LABEL) for label in table["label"]],
        encoded=table["encoded"].map({True: "yes", False: "no"}),
        used=(table["direction"] + mark).where(table["used"].astype(bool), "no"),
        interval=[
            f"{low:.2f} to {high:.2f}"
            for low, high in zip(table["effect_low"], table["effect_high"], strict=True)
        ],
    )
    shown = ["label", "variant", "encoded", "used", "auroc", "effect", "interval"]
    shown += ["effect_q", "planting_effect", "null"]
    if statistic != "effect":
        shown[4:4] = [statistic, f"{statistic}_q"]
    blocks = []
    groups = dict(iter(table.groupby(PLACE)))
    for place in verdicts[PLACE].drop_duplicates().itertuples(index=False, name=None):
        group = groups[place]
        model, layer, target = place
        body = group.head(top)[shown].to_string(
            index=False, float_format=lambda value: f"{value:.3f}"
        )
        more = f"\n… and {len(group) - top} more" if len(group) > top else ""
        blocks.append(f"\n{model}, layer {layer}, target {target}\n{body}{more}\n")
    if untrained.any():
        blocks.append("\n* also called with permuted weights: training is no reason for it\n")
    return "".join(blocks)


def sanity(checks: pd.DataFrame) -> str:
    """Return a line on the sanity checks, and one for each that failed."""
    passed = checks["passed"].astype(bool)
    # tables of an older run lack the column
    checks = checks.assign(variant=checks.get("variant", ""))
    lines = [f"sanity checks: {passed.sum()} of {len(checks)} came out empty"]
    lines += [
        f"  not empty: {row.model}, layer {row.layer}, {row.check}, {row.verdict}"
        f" {row.variant} ({row.null} null): {row.n_called} of {row.n_tests} called"
        for row in checks[~passed].itertuples()
    ]
    return "\n".join(lines)
