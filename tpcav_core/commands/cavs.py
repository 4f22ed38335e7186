"""``python -m tpcav_core cavs``: train the CAVs of some concepts, all variants and replicates.

Imports neither torch nor pandas: a job is started per concept, and their start-up would cost more
than its work.
"""

from __future__ import annotations

import argparse
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from threadpoolctl import threadpool_limits

from .. import cavs, files, vectors
from ..errors import InputError
from ..training import Control, Examples, train_variant
from .gram import read_grams, standardised_rows
from .scaling import read_scaling


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--activations", required=True, help="activations of concepts, parquet")
    parser.add_argument("--controls", required=True, help="activations of the controls, parquet")
    parser.add_argument("--gram", required=True, help="Gram matrices of the controls, parquet")
    parser.add_argument("--scaling", required=True, help="file of the `scaling` step")
    parser.add_argument("--ids", nargs="+", help="only these concepts (default: all)")
    parser.add_argument("--penalties", nargs="+", type=float, default=list(cavs.GRID))
    parser.add_argument("--threads", type=int, default=1, help="threads of linear algebra")
    parser.add_argument("--output", required=True, help="CAVs, parquet")


def run(arguments: argparse.Namespace) -> None:
    scaling = read_scaling(arguments.scaling)
    concepts = files.open_parquet(arguments.activations, "activations")
    controls = files.open_parquet(arguments.controls, "activations")
    control = Control(
        rows=lambda: standardised_rows(controls, list(range(controls.num_row_groups)), scaling),
        folds=_control_folds(controls),
        grams=read_grams(arguments.gram),
    )
    rows = []
    groups = dict.fromkeys(vectors.group_names(concepts))
    missing = set(arguments.ids or ()) - {concept for concept, _ in groups}
    if missing:
        raise InputError(f"{arguments.activations}: no concept {sorted(missing)[0]!r}; run again")
    with threadpool_limits(arguments.threads):
        for concept, variant in groups:
            if arguments.ids and concept not in arguments.ids:
                continue
            index = vectors.row_groups(concepts, concept, variant)
            z = np.concatenate(list(standardised_rows(concepts, index, scaling)))
            folds = concepts.read_row_groups(index, columns=["fold"])["fold"].to_numpy()
            examples = Examples(z, folds)
            rows += train_variant((concept, variant), examples, control, arguments.penalties)
    _write(rows, arguments)


def _control_folds(file: pq.ParquetFile) -> dict[str, np.ndarray]:
    return {
        replicate: file.read_row_group(index, columns=["fold"])["fold"].to_numpy()
        for index, (_, replicate) in enumerate(vectors.group_names(file))
    }


def _write(rows: list[dict[str, Any]], arguments: argparse.Namespace) -> None:
    wide = ("weights", "mean_difference")
    table = pa.table(
        {
            name: vectors.to_column(np.stack([row[name] for row in rows]).astype(np.float32))
            if name in wide
            else pa.array([row[name] for row in rows])
            for name in rows[0]
        }
    )
    files.write_parquet(table, arguments.output, "cavs", {"penalties": arguments.penalties})
