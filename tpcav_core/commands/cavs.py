"""``python -m tpcav_core cavs``: train the CAVs of some concepts, all variants and replicates.

Imports neither torch nor pandas: a job is started per concept, and their start-up would cost more
than its work.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from threadpoolctl import threadpool_limits

from .. import cavs, files, grams, vectors
from ..basis import Scaling
from ..errors import InputError
from ..training import Control, Examples, train_variant
from .gram import read_grams, standardised_rows
from .scaling import read_scaling


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--activations", required=True, help="activations of concepts, parquet")
    parser.add_argument(
        "--controls",
        nargs="*",
        help="activations of the control that concepts share, parquet; none: each concept's own"
        " control is in --activations",
    )
    parser.add_argument("--gram", nargs="*", help="Gram matrices of the shared control, parquet")
    parser.add_argument("--scaling", required=True, help="file of the `scaling` step")
    parser.add_argument("--ids", nargs="+", help="only these concepts (default: all)")
    parser.add_argument("--penalties", nargs="+", type=float, default=list(cavs.GRID))
    parser.add_argument("--threads", type=int, default=1, help="threads of linear algebra")
    parser.add_argument("--output", required=True, help="CAVs, parquet")


def run(arguments: argparse.Namespace) -> None:
    scaling = read_scaling(arguments.scaling)
    concepts = files.open_parquet(arguments.activations, "activations")
    shared = _shared_control(arguments, scaling)
    rows = []
    groups = vectors.group_names(concepts)
    missing = set(arguments.ids or ()) - {name.concept for name in groups}
    if missing:
        raise InputError(f"{arguments.activations}: no concept {sorted(missing)[0]!r}; run again")
    with threadpool_limits(arguments.threads):
        for index, (concept, variant, replicate) in enumerate(groups):
            if replicate is not None or (arguments.ids and concept not in arguments.ids):
                continue
            control = shared or _own_control(concepts, concept, variant, scaling)
            examples = _examples(concepts, index, scaling)
            rows += train_variant((concept, variant), examples, control, arguments.penalties)
    _write(rows, arguments)


def _shared_control(arguments: argparse.Namespace, scaling: Scaling) -> Control | None:
    if not arguments.controls:
        return None
    file = files.open_parquet(arguments.controls[0], "activations")
    return Control(
        rows=lambda: standardised_rows(file, list(range(file.num_row_groups)), scaling),
        folds={
            name.variant: _folds(file, index)
            for index, name in enumerate(vectors.group_names(file))
        },
        grams=read_grams(arguments.gram[0]),
    )


def _own_control(file: pq.ParquetFile, concept: str, variant: str, scaling: Scaling) -> Control:
    """Return the control that was made from the examples of a variant."""
    replicates = {
        name.control: index
        for index, name in enumerate(vectors.group_names(file))
        if name[:2] == (concept, variant) and name.control is not None
    }
    if not replicates:
        raise InputError(f"no control of concept {concept!r} among its activations; run again")

    def rows() -> Iterator[np.ndarray]:
        return standardised_rows(file, list(replicates.values()), scaling)

    parts = {name: _examples(file, index, scaling) for name, index in replicates.items()}
    return Control(
        rows=rows,
        folds={name: part.folds for name, part in parts.items()},
        grams={name: grams.inner_products(part.z, part.z) for name, part in parts.items()},
    )


def _examples(file: pq.ParquetFile, index: int, scaling: Scaling) -> Examples:
    z = np.concatenate(list(standardised_rows(file, [index], scaling)))
    return Examples(z, _folds(file, index))


def _folds(file: pq.ParquetFile, index: int) -> np.ndarray:
    folds: np.ndarray = file.read_row_group(index, columns=["fold"])["fold"].to_numpy()
    return folds


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
