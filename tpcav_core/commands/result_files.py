"""Result tables as files that people and programs read."""

from __future__ import annotations

import logging
import os
from pathlib import Path

import pandas as pd
import pyarrow as pa

from .. import files, vectors

log = logging.getLogger("tpcav_core")


def write_table(table: pd.DataFrame, path: str | os.PathLike[str]) -> None:
    """Write a table as .tsv (6 significant digits) and as .parquet (all).

    Args:
        table: what is written.
        path: one of the two files; the other goes beside it. What follows its last dot is replaced.
    """
    text, binary = (Path(path).with_suffix(ending) for ending in (".tsv", ".parquet"))
    with files.atomic(text) as temporary:
        table.to_csv(temporary, sep="\t", index=False, float_format="%.6g", na_rep="NA")
    content = pa.Table.from_pandas(table, preserve_index=False)
    files.write_parquet(content, binary, "table", {"table": text.stem})
    log.info("%s: %d rows", text, len(table))


def read_similarity(path: str) -> pd.DataFrame:
    """Return a file of similarities: concept, variant, within, rows of the two matrices."""
    table = files.read_parquet(path, "similarity")
    frame = vectors.narrow(table).to_pandas()
    for name in ("cosine", "corrected"):
        frame[name] = list(vectors.to_matrix(table[name]))
    return frame
