"""BED files, and the columns of any table of regions; every error names the line.

`bed_rows` goes line by line; `text_chunks` and what follows it take a column at a time, for tables
of millions of lines.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, TextIO

import numpy as np

from .errors import InputError
from .text_files import open_text

if TYPE_CHECKING:
    import pandas as pd

_INTEGER = re.compile(r"-?[0-9]+")
_STRANDS = {"+": 1, "-": -1, ".": 1}
#: what the strand column of a table may hold; 0 is no strand
SIGNS = {"+": 1, "-": -1, ".": 0}
_NUMBER = re.compile(r"[-+]?[0-9.]+([eE][-+]?[0-9]+)?")


class BedRow(NamedTuple):
    """One region; ``place`` is ``file, line n``, coordinates are 0-based and half-open."""

    place: str
    chromosome: str
    start: int
    end: int
    strand: int


def bed_rows(path: Path) -> Iterator[BedRow]:
    """Yield the regions of a BED file with tab-separated columns, plain or ``.gz``.

    Raises:
        InputError: for a file that cannot be read, too few columns, positions that are no whole
            numbers, a negative start, a start that is not below the end, or another strand than
            ``+``, ``-`` and ``.`` in column 6.
    """
    for place, fields in _lines(path):
        start, end = (_integer(text, place) for text in fields[1:3])
        if start < 0:
            raise InputError(f"{place}: start {start} is negative; BED positions count from 0")
        if start >= end:
            raise InputError(f"{place}: start {start} is not below end {end}; correct the region")
        yield BedRow(place, fields[0], start, end, _strand(fields, place))


def is_skipped(first_field: str) -> bool:
    """Return whether a line that starts with this field holds no region."""
    word = first_field.split(" ")[0]
    return word.startswith("#") or word in ("track", "browser")


def is_header(second_field: str) -> bool:
    """Return whether the first line of a BED file holds names of columns."""
    return second_field.lower() in ("start", "chromstart")


def _lines(path: Path) -> Iterator[tuple[str, list[str]]]:
    first = True
    with open_text(path, "a BED file", may_be_empty=True) as file:
        for number, text in enumerate(file, 1):
            fields = text.rstrip("\r\n").split("\t")
            if not text.strip() or is_skipped(fields[0]):
                continue
            if len(fields) < 3:
                raise InputError(
                    f"{path}, line {number}: {len(fields)} tab-separated column"
                    f"{'s' * (len(fields) > 1)}, expected at least 3: chromosome, start, end"
                )
            if not (first and is_header(fields[1])):
                yield f"{path}, line {number}", fields
            first = False


def _integer(text: str, place: str) -> int:
    if not _INTEGER.fullmatch(text):
        raise InputError(
            f"{place}: {text!r} is not a whole number; expected the columns chromosome, start, end"
        )
    return int(text)


def _strand(fields: Sequence[str], place: str) -> int:
    if len(fields) < 6:
        return _STRANDS.get(fields[3], 1) if len(fields) > 3 else 1
    if fields[5] not in _STRANDS:
        raise InputError(f"{place}: strand {fields[5]!r} in column 6; expected +, - or .")
    return _STRANDS[fields[5]]


class _Padded(io.TextIOBase):
    """A text file whose every line ends in more separators.

    pandas refuses a run of lines in which none has all the columns it was asked for.
    """

    def __init__(self, file: TextIO, padding: str) -> None:
        self._file, self._padding, self._ended = file, padding, False

    def read(self, size: int | None = -1, /) -> str:
        text = self._file.read(-1 if size is None else size)
        if not text and not self._ended:
            self._ended = True  # the last line may have no end
            return f"{self._padding}\n"
        return text.replace("\n", f"{self._padding}\n")


def text_chunks(
    path: Path, expected: str, columns: Sequence[int], separator: str = "\t", rows: int = 1_000_000
) -> Iterator[pd.DataFrame]:
    """Yield columns of a table (counted from 0) as text, ``rows`` lines at a time.

    The index is the line number, counted from 1; blank lines and comments are rows too. What a
    line lacks is ``""``.

    Raises:
        InputError: if the file cannot be read.
    """
    import pandas as pd

    with open_text(path, expected, may_be_empty=True) as file:
        try:
            reader = pd.read_csv(
                _Padded(file, separator * max(columns) if separator == "\t" else ""),
                sep=separator,
                header=None,
                names=list(range(max(columns) + 1)),
                usecols=sorted(set(columns)),
                index_col=False,
                dtype=str,
                quoting=csv.QUOTE_NONE,
                na_filter=False,
                skip_blank_lines=False,
                chunksize=rows,
            )
            for chunk in reader:
                yield chunk.set_axis(chunk.index + 1)
        except pd.errors.ParserError as error:
            raise InputError(f"{path}: cannot be read ({error}); expected {expected}") from None


def integers(text: pd.Series, path: Path, what: str) -> np.ndarray:
    """Return a column of `text_chunks` as (n,) int64.

    Raises:
        InputError: names the first line that holds no whole number, and ``what`` was expected.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    values = pa.array(text, from_pandas=True)
    whole = np.asarray(pc.match_substring_regex(values, r"^-?[0-9]{1,18}$"), bool)
    if not whole.all():
        first = int(np.argmin(whole))
        raise InputError(
            f"{path}, line {text.index[first]}: {text.iloc[first]!r} is not a whole number;"
            f" expected {what}"
        )
    return np.asarray(values.cast(pa.int64()), np.int64)


def check_bounds(start: np.ndarray, end: np.ndarray, line: np.ndarray, path: Path) -> None:
    """Raise `InputError` for the first region that starts below 0 or not before its end."""
    wrong = (start < 0) | (start >= end)
    if wrong.any():
        first = int(np.argmax(wrong))
        place = f"{path}, line {line[first]}"
        if start[first] < 0:
            raise InputError(f"{place}: the start is before the first base; correct the region")
        raise InputError(
            f"{place}: start {start[first]} is not below end {end[first]} (counted from 0, half-"
            "open); correct the region"
        )


def strands(text: pd.Series, path: Path, column: str, signs: Mapping[str, int]) -> np.ndarray:
    """Return a column of `text_chunks` as (n,) int8 by ``signs``; other text is an `InputError`."""
    import pandas as pd

    codes, found = pd.factorize(text)
    for code, sign in enumerate(found):
        if sign not in signs:
            raise InputError(
                f"{path}, line {text.index[int(np.argmax(codes == code))]}: strand {sign!r} in"
                f" {column}; expected {', '.join(filter(None, signs))}"
            )
    values: np.ndarray = np.array([signs[sign] for sign in found], np.int8)[codes]
    return values


def read_labelled_bed(path: Path, label_column: int | None, default_label: str) -> pd.DataFrame:
    """Return the columns contig, start, end, strand and label of a BED file.

    Raises:
        InputError: as `bed_rows`; also for a line without a label.
    """
    import pandas as pd

    columns = [*range(6), *([] if label_column is None else [label_column - 1])]
    table = pd.concat([*text_chunks(path, "a BED file", columns)])
    codes, firsts = pd.factorize(table[0])
    kept = np.array([not is_skipped(first) for first in firsts], bool)[codes]
    blank = np.array([not first.strip() for first in firsts], bool)[codes]
    table = table[kept & ~(blank & (table[1] == "").to_numpy(bool))]
    if len(table) and is_header(table[1].iloc[0]):
        table = table.iloc[1:]
    if table.empty:
        raise InputError(f"{path}: holds no region; expected lines chromosome, start, end")
    for column, what in enumerate(("chromosome", "start", "end")):
        complete(
            table[column],
            path,
            f"no {what} in column {column + 1}; expected at least 3"
            " tab-separated columns: chromosome, start, end",
        )
    start, end = (
        integers(table[column], path, "the columns chromosome, start, end") for column in (1, 2)
    )
    check_bounds(start, end, table.index.to_numpy(), path)
    of_column_4 = table[3].where(table[3].isin(list(SIGNS)), ".")
    strand = table[5].where(table[5] != "", of_column_4)
    return pd.DataFrame(
        {
            "contig": table[0],
            "start": start,
            "end": end,
            "strand": strands(strand, path, "column 6", SIGNS),
            "label": _labels(table, path, label_column, default_label),
        }
    )


def _labels(
    table: pd.DataFrame, path: Path, label_column: int | None, default_label: str
) -> pd.Series | str:
    if label_column is not None:
        return complete(
            table[label_column - 1],
            path,
            f"unknown column {label_column}: this line has none;"
            " set label_column to one that every line has",
        )
    if not set(table[3].unique()) <= {"", *SIGNS}:
        return complete(table[3], path, "no label in column 4, where other lines have one")
    # column 4 names nothing: it is the strand, or a dot
    scores = all(_NUMBER.fullmatch(text) for text in table[4].unique() if text)
    if scores or (table[5] != "").any():
        return default_label
    return complete(table[4], path, "no label in column 5, where other lines have one")


def complete(text: pd.Series, path: Path, otherwise: str) -> pd.Series:
    """Return the column; raise `InputError` with the text for the first line that lacks it."""
    lacking = (text == "").to_numpy(bool)
    if lacking.any():
        raise InputError(f"{path}, line {text.index[int(np.argmax(lacking))]}: {otherwise}")
    return text
