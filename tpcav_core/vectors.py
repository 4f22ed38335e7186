"""Matrices as parquet columns: one fixed-size binary value (little-endian float32) per row.

A list column costs five times as much to read (repetition levels are decoded value by value); a
fixed-size binary column is a copy. ``numpy.frombuffer(value, "<f4")`` reads one value anywhere.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

#: options under which a column of vectors is written: nothing in float noise compresses
WRITE_OPTIONS = {"compression": "none", "use_dictionary": False, "write_statistics": False}


def vector_type(d: int) -> pa.DataType:
    """Return the parquet type of ``d`` float32 values."""
    return pa.binary(4 * d)


def to_column(matrix: np.ndarray) -> pa.FixedSizeBinaryArray:
    """Return (n, d) float32 as a column of n values."""
    matrix = np.ascontiguousarray(matrix, dtype="<f4")
    n, d = matrix.shape
    return pa.FixedSizeBinaryArray.from_buffers(vector_type(d), n, [None, pa.py_buffer(matrix)])


def to_matrix(column: pa.ChunkedArray | pa.Array) -> np.ndarray:
    """Return a column written by `to_column` as (n, d) float32."""
    chunks = column.chunks if isinstance(column, pa.ChunkedArray) else [column]
    width = column.type.byte_width
    parts = [
        np.frombuffer(
            chunk.buffers()[1], "<f4", len(chunk) * width // 4, chunk.offset * width
        ).reshape(len(chunk), width // 4)
        for chunk in chunks
    ]
    return np.concatenate(parts) if len(parts) != 1 else parts[0]


class Group(NamedTuple):
    """Whose rows a row group of recipes or activations holds.

    Attributes:
        concept: id of a concept, or name of a control that concepts share.
        variant: of the concept, or replicate of that control.
        control: replicate of the concept's own control; None for the concept's examples.
    """

    concept: str
    variant: str
    control: str | None = None


def row_groups(
    file: pq.ParquetFile, concept: str, variant: str, control: str | None = None
) -> list[int]:
    """Return the row groups of ``file`` that hold one variant of one concept.

    Every row group of recipes and activations holds rows of one `Group` only.
    """
    wanted = Group(concept, variant, control)
    return [index for index, name in enumerate(group_names(file)) if name == wanted]


def group_names(file: pq.ParquetFile) -> list[Group]:
    """Return whose rows each row group of a file of recipes or activations holds."""
    names = []
    for index in range(file.num_row_groups):
        first = file.read_row_group(index, columns=list(Group._fields)).slice(0, 1)
        names.append(Group(*(first[name][0].as_py() for name in Group._fields)))
    return names


def batches(
    file: pq.ParquetFile, groups: Sequence[int], rows: int, column: str = "activation"
) -> Iterator[np.ndarray]:
    """Yield (b, d) float32 matrices of at most ``rows`` rows from some row groups, in order."""
    for batch in file.iter_batches(batch_size=rows, row_groups=list(groups), columns=[column]):
        yield to_matrix(batch.column(0))
