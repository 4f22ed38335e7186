"""``python -m tpcav_core summary``: the result tables, each as TSV and parquet."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Sequence
from pathlib import Path

import pandas as pd

from .. import files, results, vectors
from ..metrics import NAMES
from ..table_columns import LAYER, PLACE
from ..verdicts import Rules
from .result_files import read_similarity, write_table

#: columns of CAVs that no table has
_WIDE = ("weights", "mean_difference")
_OPTIONS = (
    ("cavs", ("MODEL LAYER", "FILE"), "files of CAVs of a layer"),
    ("nulls", ("MODEL LAYER", "FILE"), "files of null CAVs of a layer"),
    ("similarity", ("MODEL LAYER", "FILE"), "file of similarities of a layer"),
    ("scores", ("MODEL LAYER TARGET", "FILE"), "file of scores of a target"),
    ("methods", ("MODEL LAYER TARGET", "FILE"), "scores of a target by other methods"),
    ("planting", ("MODEL", "FILE"), "files of planting effects of a model"),
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--catalogue", required=True, help="table of the `catalogue` step, parquet")
    for name, metavar, what in _OPTIONS:
        parser.add_argument(
            f"--{name}",
            nargs="+",
            action="append",
            required=name in ("cavs", "scores"),
            default=None if name in ("cavs", "scores") else [],
            metavar=metavar,
            help=f"{what}, parquet; once for each",
        )
    parser.add_argument("--statistics", default="{}", help="JSON: statistic, alpha, minimum_effect")
    parser.add_argument("--inseparable", type=float, default=0.9, help="cosine of equal concepts")
    parser.add_argument("--sanity-checks", action="store_true", help="with their table")
    parser.add_argument("--output", required=True, help="folder of the tables")


def run(arguments: argparse.Namespace) -> None:
    catalogue = files.read_parquet(arguments.catalogue, "table").to_pandas()
    # a row for each model; labels, motifs and controls are the same in all
    catalogue = catalogue[catalogue["kind"] == "concept"].drop_duplicates("concept")
    found = results.Found(
        catalogue,
        _read(arguments.cavs, LAYER, read_cavs),
        _read(arguments.nulls, LAYER, read_nulls),
        _read(arguments.scores, PLACE, read_scores),
        _read(arguments.scores, PLACE, read_attribution_facts),
        _read(arguments.planting, ("model",), read_planting, "output"),
        _read(arguments.methods, PLACE, read_methods),
        {(model, layer): read_similarity(path) for model, layer, path in arguments.similarity},
    )
    tables = results.result_tables(
        found,
        Rules(**json.loads(arguments.statistics)),
        arguments.inseparable,
        sanity_checks=arguments.sanity_checks,
    )
    for name, table in tables.items():
        write_table(table, Path(arguments.output) / f"{name}.tsv")


def _read(
    options: Sequence[Sequence[str]],
    names: Sequence[str],
    read: Callable[[str], pd.DataFrame],
    *others: str,
) -> pd.DataFrame:
    """Return the rows of all files of an option, with what they are of."""
    parts = [
        read(path).assign(**dict(zip(names, option, strict=False)))
        for option in options
        for path in option[len(names) :]
    ]
    empty = pd.DataFrame(columns=[*names, *others, "concept", "variant"])
    return pd.concat(parts, ignore_index=True) if parts else empty


def read_cavs(path: str) -> pd.DataFrame:
    """Return the narrow columns of a file of CAVs, and what it says of them all."""
    file = files.open_parquet(path, "cavs")
    table = file.read([name for name in file.schema_arrow.names if name not in _WIDE])
    frame = vectors.narrow(table).to_pandas()
    frame["f1_draws"] = list(vectors.to_matrix(table["f1_draws"]))
    made_by = (files.parquet_description(file) or {})["parameters"]
    frame["classifier"] = made_by["classifier"]["kind"]
    frame["norm"] = made_by["classifier"]["norm"]
    frame["split_seed"] = made_by["split"].get("seed", made_by["seed"])
    return frame


def read_nulls(path: str) -> pd.DataFrame:
    """Return the narrow columns of a file of null CAVs; metrics have the names of a concept's."""
    file = files.open_parquet(path, "nulls")
    table = file.read([name for name in file.schema_arrow.names if name not in _WIDE])
    return table.to_pandas().rename(columns={f"test_{name}": name for name in NAMES})


def read_scores(path: str) -> pd.DataFrame:
    """Return a file of scores."""
    return files.read_parquet(path, "scores").to_pandas()


def read_attribution_facts(path: str) -> pd.DataFrame:
    """Return what a file of scores says of the attributions it was made from, one row."""
    made_by = (files.parquet_description(files.open_parquet(path, "scores")) or {})["parameters"]
    return pd.DataFrame([made_by])


def read_methods(path: str) -> pd.DataFrame:
    """Return a file of scores by other methods."""
    return files.read_parquet(path, "methods").to_pandas()


def read_planting(path: str) -> pd.DataFrame:
    """Return a file of planting effects; they are of as many examples as backgrounds."""
    frame = files.read_parquet(path, "planting").to_pandas()
    return frame.assign(n_concept=frame["n_backgrounds"])
