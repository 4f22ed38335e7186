"""Tables that the user gives, with errors that name the file and the row."""

from __future__ import annotations

import os
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from .errors import InputError, reason, suggest
from .text_files import open_text

_SEPARATORS = {".tsv": "\t", ".tab": "\t", ".txt": "\t", ".csv": ","}
_TABLE = "a table (.tsv or .csv, also with .gz, or .parquet)"


def read_columns(path: str | os.PathLike[str], columns: Sequence[str | None]) -> Any:
    """Read columns of a table with a header: TSV, CSV (also ``.gz``) or parquet.

    Args:
        path: the file; its ending says its format (.tsv .tab .txt .csv .parquet).
        columns: their names; None is passed over.

    Returns:
        A pandas table of these columns as strings.

    Raises:
        InputError: for a file that cannot be read or has no rows, unknown columns and missing
            values.
    """
    wanted = list(dict.fromkeys(column for column in columns if column is not None))
    name = Path(path).name.lower().removesuffix(".gz")
    ending = Path(name).suffix
    if ending == ".parquet":
        table = _read_parquet(path, wanted)
    elif ending in _SEPARATORS:
        table = _read_text_table(path, wanted, _SEPARATORS[ending])
    else:
        raise InputError(f"{path}: unknown ending {ending!r}; expected {_TABLE}")
    if not len(table):
        raise InputError(f"{path}: has no rows; expected {_TABLE}")
    for column in wanted:
        missing = (table[column].isna() | (table[column].astype(str).str.strip() == "")).to_numpy()
        if missing.any():
            raise InputError(
                f"{path}: row {int(missing.argmax()) + 1} has no value in column {column!r}"
                f" ({missing.sum()} of {len(table)} rows); fill it in or leave the row out"
            )
    return table.astype(str)


def _read_text_table(path: str | os.PathLike[str], wanted: list[str], separator: str) -> Any:
    import pandas as pd

    with open_text(path, _TABLE) as file, warnings.catch_warnings():
        # Rows longer than the header would lose fields with a warning, or, without
        # index_col=False or with usecols, shift the columns or lose fields silently.
        warnings.simplefilter("error", pd.errors.ParserWarning)
        try:
            # "NA" may be a label; only an empty field is a missing value
            table = pd.read_csv(
                file,
                sep=separator,
                dtype=str,
                index_col=False,
                keep_default_na=False,
                na_values=[""],
            )
        except pd.errors.EmptyDataError:
            raise InputError(f"{path}: holds no table; expected {_TABLE}") from None
        except (pd.errors.ParserError, pd.errors.ParserWarning) as error:
            what = reason(error).rstrip(".")
            raise InputError(f"{path}: not a table ({what}); expected {_TABLE}") from None
    _check_columns(path, wanted, table.columns)
    return table[wanted]


def _read_parquet(path: str | os.PathLike[str], wanted: list[str]) -> Any:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(path) as file:
            _check_columns(path, wanted, file.schema_arrow.names)
            return file.read(columns=wanted).to_pandas()
    except FileNotFoundError:
        raise InputError(f"{path}: no such file; expected {_TABLE}") from None
    except (pa.ArrowException, OSError) as error:
        raise InputError(
            f"{path}: not a readable parquet file ({reason(error)}); write it again"
        ) from None


def _check_columns(path: str | os.PathLike[str], wanted: list[str], found: Sequence[str]) -> None:
    for column in wanted:
        if column not in found:
            raise InputError(
                f"{path}: no column {column!r} (columns: {', '.join(map(str, found))})"
                f"{suggest(column, map(str, found))}"
            )
