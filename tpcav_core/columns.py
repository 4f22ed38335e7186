"""Text files and tables that the user gives, with errors that name the file and the row."""

from __future__ import annotations

import gzip
import io
import os
import warnings
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TextIO

from .errors import InputError, reason, suggest

_GZIP = b"\x1f\x8b"
_SEPARATORS = {".tsv": "\t", ".tab": "\t", ".txt": "\t", ".csv": ","}
_TABLE = "a table (.tsv or .csv, also with .gz, or .parquet)"


@contextmanager
def open_text(path: str | os.PathLike[str], expected: str) -> Iterator[TextIO]:
    """Open a text file, plain or gzip (also bgzip) by its first bytes.

    Args:
        path: the file.
        expected: what it should be, for messages.

    Raises:
        InputError: also for what goes wrong while it is read: a file that is missing, empty,
            damaged or not text.
    """
    try:
        with Path(path).open("rb") as raw:
            head = raw.read(2)
            raw.seek(0)
            if not head:
                raise InputError(f"{path}: the file is empty; expected {expected}")
            content: Any = gzip.GzipFile(fileobj=raw) if head == _GZIP else raw
            with io.TextIOWrapper(content, encoding="utf-8-sig") as text:
                yield text
    except FileNotFoundError:
        raise InputError(f"{path}: no such file; expected {expected}") from None
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise InputError(
            f"{path}: damaged or cut short ({error}); copy or compress it again"
        ) from None
    except UnicodeDecodeError:
        raise InputError(f"{path}: not a text file; expected {expected}") from None
    except OSError as error:
        raise InputError(
            f"{path}: cannot be read ({error.strerror}); expected {expected}"
        ) from None


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
