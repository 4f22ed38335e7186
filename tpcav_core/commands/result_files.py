"""Result tables as files that people and programs read."""

from __future__ import annotations

import logging
from pathlib import Path

import pandas as pd
import pyarrow as pa

from .. import files, vectors
from .tables import narrow

log = logging.getLogger("tpcav_core")


def write_table(table: pd.DataFrame, stem: Path) -> None:
    """Write a table as ``stem.tsv`` (6 significant digits) and ``stem.parquet`` (all).

    An ending of ``stem`` is replaced: with a dot in the name, give one (``a.b.tsv``).
    """
    with files.atomic(stem.with_suffix(".tsv")) as temporary:
        table.to_csv(temporary, sep="\t", index=False, float_format="%.6g", na_rep="NA")
    content = pa.Table.from_pandas(table, preserve_index=False)
    files.write_parquet(content, stem.with_suffix(".parquet"), "table", {"table": stem.name})
    log.info("%s: %d rows", stem.with_suffix(".tsv"), len(table))


def read_similarity(path: str) -> pd.DataFrame:
    """Return a file of similarities: concept, variant, within, rows of the two matrices."""
    table = files.read_parquet(path, "similarity")
    frame = narrow(table).to_pandas()
    for name in ("cosine", "corrected"):
        frame[name] = list(vectors.to_matrix(table[name]))
    return frame
