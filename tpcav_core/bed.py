"""The lines of BED files, checked one by one so that an error names the line."""

from __future__ import annotations

import gzip
import re
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from .errors import InputError

_INTEGER = re.compile(r"-?[0-9]+")
_STRANDS = {"+": 1, "-": -1, ".": 1}


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


def _lines(path: Path) -> Iterator[tuple[str, list[str]]]:
    opener = gzip.open if path.suffix == ".gz" else open
    first = True
    try:
        with opener(path, "rt", encoding="utf-8-sig") as file:
            for number, text in enumerate(file, 1):
                fields = text.rstrip("\r\n").split("\t")
                word = fields[0].split(" ")[0]
                if not text.strip() or word.startswith("#") or word in ("track", "browser"):
                    continue
                if len(fields) < 3:
                    raise InputError(
                        f"{path}, line {number}: {len(fields)} tab-separated column"
                        f"{'s' * (len(fields) > 1)}, expected at least 3: chromosome, start, end"
                    )
                is_header = first and fields[1].lower() in ("start", "chromstart")
                first = False
                if not is_header:
                    yield f"{path}, line {number}", fields
    except FileNotFoundError:
        raise InputError(f"{path}: no such file; expected a BED file") from None
    except (UnicodeDecodeError, EOFError, zlib.error, OSError) as error:
        raise InputError(
            f"{path}: cannot be read ({error}); expected a BED file, plain or .gz"
        ) from None


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
