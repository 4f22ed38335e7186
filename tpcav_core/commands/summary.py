"""``python -m tpcav_core summary``: the result tables, each as TSV and parquet."""

from __future__ import annotations

import argparse
import logging
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa

from .. import files, summary, vectors
from ..directions import replicate_cosine

log = logging.getLogger("tpcav_core")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--catalogue", required=True, help="table of the `catalogue` step, parquet")
    parser.add_argument(
        "--cavs",
        nargs="+",
        action="append",
        required=True,
        metavar=("MODEL LAYER", "FILE"),
        help="files of CAVs of a layer, parquet; once for each layer",
    )
    parser.add_argument(
        "--scores",
        nargs=4,
        action="append",
        required=True,
        metavar=("MODEL", "LAYER", "TARGET", "FILE"),
        help="scores of a target, parquet; once for each",
    )
    parser.add_argument("--output", required=True, help="folder of the tables")


def run(arguments: argparse.Namespace) -> None:
    catalogue = files.read_parquet(arguments.catalogue, "table").to_pandas()
    # a row for each model; labels and motifs are the same in all
    catalogue = catalogue[catalogue["kind"] == "concept"].drop_duplicates("concept")
    cavs = [
        read_cavs(path).assign(model=model, layer=layer)
        for model, layer, *paths in arguments.cavs
        for path in paths
    ]
    scores = [
        files.read_parquet(path, "scores")
        .to_pandas()
        .assign(model=model, layer=layer, target=target)
        for model, layer, target, path in arguments.scores
    ]
    every_cav = pd.concat(cavs, ignore_index=True)
    concepts = summary.concept_table(every_cav, catalogue)
    tables = {
        "concepts": concepts,
        "cavs": summary.cav_table(every_cav, catalogue),
        "scores": summary.score_table(pd.concat(scores, ignore_index=True), catalogue),
        "motif_sensitivity": summary.sensitivity_table(concepts, catalogue),
    }
    for name, table in tables.items():
        write_table(table, Path(arguments.output) / name)


def read_cavs(path: str) -> pd.DataFrame:
    """Return the narrow columns of a file of CAVs, what it says of them all, and their cosines."""
    file = files.open_parquet(path, "cavs")
    table = file.read()
    weights = vectors.to_matrix(table["weights"])
    frame = table.drop_columns(["weights", "mean_difference"]).to_pandas()
    made_by = (files.parquet_description(file) or {})["parameters"]
    frame["classifier"] = made_by["classifier"]["kind"]
    frame["norm"] = made_by["classifier"]["norm"]
    frame["split_seed"] = made_by["split"].get("seed", made_by["seed"])
    frame["cav_cosine"] = np.nan
    for _, group in frame.groupby(["concept", "variant"]):
        frame.loc[group.index, "cav_cosine"] = replicate_cosine(weights[group.index])
    return frame


def write_table(table: pd.DataFrame, stem: Path) -> None:
    """Write a table as ``stem.tsv`` (6 significant digits) and ``stem.parquet`` (all)."""
    with files.atomic(stem.with_suffix(".tsv")) as temporary:
        table.to_csv(temporary, sep="\t", index=False, float_format="%.6g", na_rep="NA")
    content = pa.Table.from_pandas(table, preserve_index=False)
    files.write_parquet(content, stem.with_suffix(".parquet"), "table", {"table": stem.name})
    log.info("%s.tsv: %d rows", stem, len(table))
