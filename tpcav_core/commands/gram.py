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
from ..basis_files import read_scaling
from ..errors import InputError

log = logging.getLogger("tpcav_core")
#: standardised rows held at a time: small pieces make slow matrix products
BATCH_BYTES = 64 * 2**20
_NAMES = [("control", pa.string()), ("replicate", pa.string())]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--activations", required=True, help="activations of the controls, parquet")
    parser.add_argument("--scaling", required=True, help="file of the `scaling` step")
    parser.add_argument("--threads", type=int, default=2, help="threads of linear algebra")
    parser.add_argument("--output", required=True, help="Gram matrices, parquet")


def run(arguments: argparse.Namespace) -> None:
    file = files.open_parquet(arguments.activations, "activations")
    scaling = read_scaling(arguments.scaling)
    tables = []
    with threadpool_limits(arguments.threads):
        for (control, replicate, _), chosen in vectors.groups(file).items():
            z = standardised(file, chosen, scaling)
            gram = grams.inner_products(z, z)
            names = {"control": [control] * len(z), "replicate": [replicate] * len(z)}
            values = pa.FixedSizeListArray.from_arrays(pa.array(gram.ravel()), len(z))
            tables.append(pa.table({**names, "gram": values}))
            log.info("%s %s: %d x %d", control, replicate, *gram.shape)
    _write(tables, arguments.output)


def _write(tables: list[pa.Table], path: str) -> None:
    """Write a row group per replicate, so that one can be read alone."""
    # rows of different replicates differ in length; a file has one type of column
    width = max(len(table) for table in tables)
    schema = files.described_schema(
        pa.schema([*_NAMES, ("gram", pa.list_(pa.float64()))]), "gram", {}
    )
    with (
        files.atomic(path) as temporary,
        pq.ParquetWriter(temporary, schema, compression="none", write_page_checksum=True) as writer,
    ):
        for table in tables:
            writer.write_table(table.cast(schema), row_group_size=width)


def read_gram(path: str, replicate: str) -> np.ndarray:
    """Return the (n, n) float64 Gram matrix of one replicate of the control.

    Raises:
        InputError: if the file does not hold it.
    """
    file = files.open_parquet(path, "gram")
    for index in range(file.num_row_groups):
        names = file.read_row_group(index, columns=["replicate"])["replicate"]
        if names[0].as_py() == replicate:
            rows = file.read_row_group(index, columns=["gram"])["gram"].combine_chunks()
            return vectors.numbers(pa.chunked_array([rows.flatten()])).reshape(len(rows), -1)
    raise InputError(f"{path}: no replicate {replicate!r}; delete it and run the workflow again")


def standardised_rows(
    file: pq.ParquetFile, groups: list[int], scaling: Scaling
) -> Iterator[np.ndarray]:
    """Yield standardised (b, d) float32 rows of an activations file, a bounded number at a time.

    Each batch is valid until the next is asked for: all use the same memory.
    """
    d = len(scaling.mean)
    held = max(1, BATCH_BYTES // (4 * d))
    step = min(held, vectors.rows_at_a_time(d))
    batch = np.empty((min(held, number_of_rows(file, groups)), d), np.float32)
    first = 0
    for rows in vectors.batches(file, groups, step):
        if first + len(rows) > len(batch):
            yield batch[:first]
            first = 0
        scaling.apply(rows, out=batch[first : first + len(rows)])
        first += len(rows)
    yield batch[:first]


def standardised(file: pq.ParquetFile, groups: list[int], scaling: Scaling) -> np.ndarray:
    """Return all standardised (n, d) float32 rows of row groups; one copy of them is held."""
    z = np.empty((number_of_rows(file, groups), len(scaling.mean)), np.float32)
    first = 0
    for rows in vectors.batches(file, groups, vectors.rows_at_a_time(z.shape[1])):
        scaling.apply(rows, out=z[first : first + len(rows)])
        first += len(rows)
    return z


def number_of_rows(file: pq.ParquetFile, groups: list[int]) -> int:
    """Return the number of rows in row groups."""
    return sum(file.metadata.row_group(index).num_rows for index in groups)
