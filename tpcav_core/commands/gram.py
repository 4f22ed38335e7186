"""``python -m tpcav_core gram``: inner products of the controls, once per (model, layer)."""

from __future__ import annotations

import argparse
import logging
from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from threadpoolctl import threadpool_limits

from .. import files, grams, vectors
from ..basis import Scaling
from .scaling import read_scaling

log = logging.getLogger("tpcav_core")
#: bytes of standardised control rows held at a time
STREAM_BYTES = 64 * 2**20


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--activations", required=True, help="activations of the controls, parquet")
    parser.add_argument("--scaling", required=True, help="file of the `scaling` step")
    parser.add_argument("--threads", type=int, default=2, help="threads of linear algebra")
    parser.add_argument("--output", required=True, help="Gram matrices, parquet")


def run(arguments: argparse.Namespace) -> None:
    file = files.open_parquet(arguments.activations, "activations")
    scaling = read_scaling(arguments.scaling)
    columns = []
    with threadpool_limits(arguments.threads):
        for index, (control, replicate, _) in enumerate(vectors.group_names(file)):
            z = np.concatenate(list(standardised_rows(file, [index], scaling)))
            gram = grams.inner_products(z, z)
            columns.append(
                pa.table(
                    {
                        "control": pa.array([control] * len(z)),
                        "replicate": pa.array([replicate] * len(z)),
                        "gram": pa.FixedSizeListArray.from_arrays(pa.array(gram.ravel()), len(z)),
                    }
                )
            )
            log.info("%s %s: %d x %d", control, replicate, *gram.shape)
    files.write_parquet(pa.concat_tables(columns), arguments.output, "gram", {})


def read_grams(path: str) -> dict[str, np.ndarray]:
    """Return the (n, n) float64 Gram matrix of each replicate of the control."""
    table = files.read_parquet(path, "gram")
    replicates = np.array(table["replicate"].to_pylist())
    result = {}
    for name in dict.fromkeys(replicates.tolist()):
        rows = table["gram"].filter(pa.array(replicates == name)).combine_chunks()
        result[name] = rows.flatten().to_numpy().reshape(len(rows), -1)
    return result


def standardised_rows(
    file: pq.ParquetFile, groups: list[int], scaling: Scaling
) -> Iterator[np.ndarray]:
    """Yield standardised (b, d) float32 rows of an activations file, a bounded number at a time."""
    rows = max(1, STREAM_BYTES // (4 * len(scaling.mean)))
    for batch in vectors.batches(file, groups, rows):
        yield scaling.apply(batch)
