"""``python -m tpcav_core show``: print the result tables of a run, readably."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import pandas as pd

from ..errors import InputError

_LONGEST_LABEL = 32


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("results", nargs="?", default="results", help="folder of the results")
    parser.add_argument("--top", type=int, default=15, help="rows per layer and target")


def run(arguments: argparse.Namespace) -> None:
    folder = Path(arguments.results) / "summary"
    tables = {}
    for name in ("concepts", "scores"):
        path = folder / f"{name}.tsv"
        if not path.is_file():
            raise InputError(f"{path}: no such file; run the workflow first, or name its results")
        tables[name] = pd.read_csv(path, sep="\t", dtype={"variant": str}, na_values="NA")
    sys.stdout.write(render(tables["concepts"], tables["scores"], arguments.top))
    sys.stdout.write(f"\ntables: {folder}/*.tsv (and .parquet)\n")


def render(concepts: pd.DataFrame, scores: pd.DataFrame, top: int) -> str:
    """Return one block per (model, layer, target), largest ``|effect|`` first.

    Each concept is shown once, at the variant of its largest effect.
    """
    keys = ["model", "layer", "concept", "variant"]
    table = scores.merge(concepts[[*keys, "f1", "auroc", "cav_cosine"]], on=keys)
    table = table.loc[table["effect"].abs().sort_values(ascending=False, kind="stable").index]
    table = table.drop_duplicates(["model", "layer", "target", "concept"])
    table["label"] = table["label"].map(_shortened)
    shown = ["label", "variant", "f1", "auroc", "effect", "derivative", "log_ratio"]
    blocks = []
    for (model, layer, target), group in table.groupby(["model", "layer", "target"], sort=False):
        head = f"{model}, layer {layer}, target {target}: {group['n_regions'].iloc[0]} regions"
        body = group.head(top)[shown].to_string(
            index=False, float_format=lambda value: f"{value:.3f}"
        )
        more = f"\n… and {len(group) - top} more" if len(group) > top else ""
        blocks.append(f"\n{head}\n{body}{more}\n")
    return "".join(blocks)


def _shortened(label: str) -> str:
    plain = "".join(character if character.isprintable() else "?" for character in str(label))
    return plain if len(plain) <= _LONGEST_LABEL else plain[: _LONGEST_LABEL - 1] + "…"
