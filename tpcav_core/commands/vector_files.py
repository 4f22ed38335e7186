"""Files with a row per CAV, some of whose columns are vectors."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa

from .. import files, vectors


def write_vectors(
    rows: list[dict[str, Any]], path: str, kind: str, parameters: dict[str, Any]
) -> None:
    """Write rows whose values are numbers, text or vectors (float32, of one length per column)."""
    table = pa.table({name: _column([row[name] for row in rows]) for name in rows[0]})
    files.write_parquet(table, path, kind, parameters)


def _column(values: list[Any]) -> pa.Array:
    if isinstance(values[0], np.ndarray):
        return vectors.to_column(np.stack(values).astype(np.float32))
    return vectors.plain_column(values)
