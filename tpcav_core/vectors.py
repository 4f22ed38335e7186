"""Matrices as parquet columns: one fixed-size binary value (little-endian float32) per row.

A list column costs five times as much to read (repetition levels are decoded value by value); a
fixed-size binary column is a copy. ``numpy.frombuffer(value, "<f4")`` reads one value anywhere.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

#: options under which a column of vectors is written: nothing in float noise compresses
WRITE_OPTIONS = {
    "compression": "none",
    "use_dictionary": False,
    "write_statistics": False,
    "write_page_checksum": True,
}
#: size of a row group of vectors: a reader holds the whole column of one; memory of this size is
#: used again and again, larger pieces are given back to the system and asked for anew
GROUP_BYTES = 8 * 2**20


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


def narrow(table: pa.Table) -> pa.Table:
    """Return the columns of a table that are no vectors."""
    return table.select([f.name for f in table.schema if not pa.types.is_fixed_size_binary(f.type)])


def rows_at_a_time(d: int) -> int:
    """Return how many vectors of ``d`` values make a row group, and are read at a time."""
    return max(1, GROUP_BYTES // (4 * d))


def numbers(column: pa.ChunkedArray) -> np.ndarray:
    """Return a column of numbers without nulls as (n,); ``to_numpy`` would import pandas."""
    result: np.ndarray = np.from_dlpack(column.combine_chunks())
    return result


def plain_column(values: Sequence[float] | Sequence[str]) -> pa.Array:
    """Return numbers of one type, or strings, as a column; `pyarrow.array` would import pandas."""
    array = np.array(values)
    if array.dtype.kind != "U":
        buffers = [None, pa.py_buffer(array)]
        return pa.Array.from_buffers(pa.from_numpy_dtype(array.dtype), len(array), buffers)
    parts = [str(value).encode() for value in values]
    ends = np.cumsum([0, *map(len, parts)]).astype(np.int32)
    return pa.StringArray.from_buffers(
        len(parts), pa.py_buffer(ends), pa.py_buffer(b"".join(parts))
    )


def joined(parts: Iterable[np.ndarray]) -> Iterator[np.ndarray]:
    """Yield matrices (b, d) joined to such that make a row group; the last can be smaller.

    Memory stays that of a row group or of the largest part, however many parts there are.
    """
    held: list[np.ndarray] = []
    for part in parts:
        held.append(part)
        if sum(map(len, held)) >= rows_at_a_time(part.shape[1]):
            yield np.concatenate(held) if len(held) > 1 else part
            held = []
    if held:
        yield np.concatenate(held)


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


def groups(file: pq.ParquetFile) -> dict[Group, list[int]]:
    """Return the row groups of each `Group` of a file of recipes or activations, in its order.

    Every row group holds rows of one `Group` only.
    """
    found: dict[Group, list[int]] = {}
    for index, name in enumerate(group_names(file)):
        found.setdefault(name, []).append(index)
    return found


def group_names(file: pq.ParquetFile) -> list[Group]:
    """Return whose rows each row group of a file of recipes or activations holds."""
    names = []
    for index in range(file.num_row_groups):
        first = file.read_row_group(index, columns=list(Group._fields)).slice(0, 1)
        names.append(Group(*(first[name][0].as_py() for name in Group._fields)))
    return names


def batches(
    file: pq.ParquetFile, chosen: Sequence[int], rows: int, column: str = "activation"
) -> Iterator[np.ndarray]:
    """Yield (b, d) float32 matrices of at most ``rows`` rows from some row groups, in order."""
    for batch in file.iter_batches(batch_size=rows, row_groups=list(chosen), columns=[column]):
        yield to_matrix(batch.column(0))
