"""Region annotations: labelled regions from BED, RepeatMasker and GTF files.

Only NumPy is imported at the top: this module is loaded whenever the workflow is parsed.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from . import bed
from .errors import InputError, suggest
from .gtf import check_options, read_gtf
from .text_files import open_text

if TYPE_CHECKING:
    import pandas as pd

FORMATS = ("auto", "bed", "repeatmasker", "gtf")
LEVELS = ("class", "family", "name")
_COUNTS_FORMAT = 1  # raise it when other counts come out of the same file and options
_SUFFIXES = {".bed": "bed", ".out": "repeatmasker", ".gtf": "gtf"}
_EXPECTED = "a BED, RepeatMasker or GTF file"
_SIGNS = ("+", "-", ".")
_RMSK = ("genoName", "genoStart", "genoEnd", "strand", "repName", "repClass", "repFamily")


class Annotations(NamedTuple):
    """Labelled regions in the file's order; coordinates are 0-based and half-open.

    Attributes:
        labels, contigs: the distinct labels and contig names, in order of first appearance.
        label, contig: (n,) int32, index into these.
        start, end: (n,) int64.
        strand: (n,) int8, 1, -1, or 0 where the file gives none.
    """

    labels: tuple[str, ...]
    label: np.ndarray
    contigs: tuple[str, ...]
    contig: np.ndarray
    start: np.ndarray
    end: np.ndarray
    strand: np.ndarray


def read_annotations(
    path: str | os.PathLike[str],
    *,
    format: str = "auto",  # noqa: A002 - the configuration's word
    label_column: int | None = None,
    default_label: str = "regions",
    level: str = "family",
    features: Sequence[str] = ("promoter", "exon", "intron", "utr5", "utr3"),
    upstream: int = 1000,
    downstream: int = 100,
    select_biotypes: Sequence[str] = (),
) -> Annotations:
    """Read the labelled regions of a file, plain or ``.gz``.

    Args:
        path: the file.
        format: of `FORMATS`; ``auto`` goes by content, then by the file's name.
        label_column: BED: the column of the label, counted from 1. None: column 5 if column 4 is
            the strand, else column 4.
        default_label: BED: the label of all regions of a file that names none.
        level: RepeatMasker: ``class``, ``family`` ("class/family") or ``name``.
        features: GTF: what to make regions of, of `gtf.FEATURES`; each is a label.
        upstream: GTF: bp of a promoter before the transcription start site.
        downstream: GTF: bp of a promoter from the start site on, the site included.
        select_biotypes: GTF: keep genes of these types; empty: all.

    Raises:
        InputError: names the file, and the line where there is one.
    """
    path = Path(path)
    for what, value, options in (("format", format, FORMATS), ("level", level, LEVELS)):
        if value not in options:
            near = suggest(value, options)
            raise InputError(f"{what} {value!r}: expected {', '.join(options)}{near}")
    check_options(features, upstream, downstream)
    if label_column is not None and label_column < 1:
        raise InputError(f"label_column {label_column}: unknown column; columns count from 1")
    head = _head(path)
    if format == "auto":
        format = _detect(path, head)  # noqa: A001
    if format != "bed" and label_column is not None:
        raise InputError(f"{path}: label_column is for BED files, this one is {format}; remove it")
    if format == "bed":
        rows = bed.read_labelled_bed(path, label_column, default_label)
    elif format == "repeatmasker":
        rows = _read_repeatmasker(path, head, level)
    else:
        rows = read_gtf(path, features, upstream, downstream, select_biotypes)
    return _assemble(rows)


def _assemble(rows: pd.DataFrame) -> Annotations:
    import pandas as pd

    label, labels = pd.factorize(rows["label"])
    contig, contigs = pd.factorize(rows["contig"])
    return Annotations(
        labels=tuple(map(str, labels)),
        label=label.astype(np.int32),
        contigs=tuple(map(str, contigs)),
        contig=contig.astype(np.int32),
        start=rows["start"].to_numpy(np.int64),
        end=rows["end"].to_numpy(np.int64),
        strand=rows["strand"].to_numpy(np.int8),
    )


def count_labels(
    path: str | os.PathLike[str], options: Mapping[str, Any], cache: Path | None = None
) -> dict[str, int]:
    """Return the number of regions of each label, in order of first appearance.

    Args:
        path: the file.
        options: keyword arguments of `read_annotations`.
        cache: a folder that keeps the counts, under a name made of the file's name and content and
            the options; one that cannot be read or written is passed over.

    Raises:
        InputError: as `read_annotations`.
    """
    stored = None if cache is None else _counts_file(Path(path), options, Path(cache))
    counts = None if stored is None else _load_counts(stored)
    if counts is not None:
        return counts
    regions = read_annotations(path, **options)
    number = np.bincount(regions.label, minlength=len(regions.labels)).tolist()
    counts = dict(zip(regions.labels, number, strict=True))
    if stored is not None:
        from .files import atomic

        with suppress(OSError), atomic(stored) as temporary:
            temporary.write_text(json.dumps(counts), encoding="utf-8")
    return counts


def _counts_file(path: Path, options: Mapping[str, Any], cache: Path) -> Path | None:
    """Return the file that keeps the counts; None if ``path`` cannot be read."""
    try:
        with path.open("rb") as file:
            content = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return None
    # the file's name counts because `auto` looks at it
    text = json.dumps([_COUNTS_FORMAT, path.name, content, dict(options)], sort_keys=True)
    return cache / f"labels-{hashlib.sha256(text.encode()).hexdigest()}.json"


def _load_counts(path: Path) -> dict[str, int] | None:
    try:
        counts = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    whole = isinstance(counts, dict) and all(type(count) is int for count in counts.values())
    return counts if whole and counts else None


def _head(path: Path) -> list[str]:
    """Return the first 200 lines; raise if the file is not text."""
    with open_text(path, _EXPECTED, may_be_empty=True) as file:
        lines = list(islice(file, 200))
    if any("\0" in line for line in lines):
        raise InputError(f"{path}: not a text file; expected {_EXPECTED}")
    if not any(line.strip() for line in lines):
        raise InputError(f"{path}: is empty; expected {_EXPECTED}")
    return [line.rstrip("\r\n") for line in lines]


def _detect(path: Path, head: Sequence[str]) -> str:
    """Return the format that the first lines have; where several fit or none, the name tells."""
    first = next(line for line in head if line.strip())
    if "genoName" in first or first.split()[:2] == ["SW", "perc"]:
        return "repeatmasker"
    if first.startswith("##gff-version"):
        return "gtf"
    rows = [line for line in head if line.strip() and not line.startswith(("#", "track", "brow"))]
    rows = rows[1:] if len(rows) > 1 else rows  # the first may be a header
    fitting = [name for name, fits in _FITS.items() if rows and all(map(fits, rows))]
    if len(fitting) == 1:
        return fitting[0]
    name = path.name.lower().removesuffix(".gz")
    named = "repeatmasker" if "rmsk" in name else _SUFFIXES.get(Path(name).suffix)
    if named is not None and (not fitting or named in fitting):
        return named
    found = " and ".join(fitting) or "no known format"
    raise InputError(f"{path}: the first lines fit {found}; set format to {', '.join(FORMATS[1:])}")


def _fits_bed(line: str) -> bool:
    fields = line.split("\t")
    stranded = len(fields) < 6 or fields[5] in _SIGNS
    return len(fields) >= 3 and stranded and _below(fields[1], fields[2])


def _fits_repeatmasker(line: str) -> bool:
    fields, words = line.split("\t"), line.split()
    if len(fields) in (16, 17):
        at = len(fields) - 12
        return _below(fields[at + 1], fields[at + 2]) and fields[at + 4] in ("+", "-")
    in_words = len(words) >= 14 and words[0].isdigit() and words[8] in ("+", "C")
    return in_words and words[5].isdigit() and words[6].isdigit()


def _fits_gtf(line: str) -> bool:
    fields = line.split("\t")
    return len(fields) == 9 and fields[3].isdigit() and fields[4].isdigit() and fields[6] in _SIGNS


def _below(start: str, end: str) -> bool:
    return start.isdigit() and end.isdigit() and int(start) < int(end)


_FITS = {"bed": _fits_bed, "repeatmasker": _fits_repeatmasker, "gtf": _fits_gtf}


def _read_repeatmasker(path: Path, head: Sequence[str], level: str) -> pd.DataFrame:
    """Return the columns contig, start, end, strand and label."""
    import pandas as pd

    header = next((line for line in head if "genoName" in line.lstrip("#").split("\t")), None)
    row = next((line for line in head if line.strip() and not line.startswith("#")), "")
    of_ucsc = header is not None or "\t" in row
    expected = "a RepeatMasker .out file or UCSC rmsk table"
    empty = InputError(f"{path}: holds no repeat; expected {expected}")
    if row.startswith("There were no repetitive sequences"):
        raise empty
    columns = _ucsc_columns(path, header, row) if of_ucsc else (4, 5, 6, 8, 9, 10, 10)
    separator = "\t" if of_ucsc else r"\s+"
    table = pd.concat([*bed.text_chunks(path, expected, [0, *columns], separator)])
    first, second = table[0].str.strip(), table[columns[1]]
    other = first.str.startswith("#") | (first == "") & (second == "")
    table = table[~(other | (second == "genoStart" if of_ucsc else first.isin(["SW", "score"])))]
    if table.empty:
        raise empty
    contig, low, high, strand, name, kind, family = (table[column] for column in columns)
    # UCSC counts from 0, RepeatMasker from 1
    start = bed.integers(low, path, f"a begin in {expected}") - (0 if of_ucsc else 1)
    end = bed.integers(high, path, f"an end in {expected}")
    bed.check_bounds(start, end, table.index.to_numpy(), path)
    label = name if level == "name" else _repeat_kinds(kind, family, level)
    signs = {"+": 1, "-": -1} if of_ucsc else {"+": 1, "C": -1}
    return pd.DataFrame(
        {
            "contig": bed.complete(contig, path, f"no sequence name; expected {expected}"),
            "start": start,
            "end": end,
            "strand": bed.strands(strand, path, "the strand column", signs),
            "label": bed.complete(label, path, f"no {level} of the repeat; expected {expected}"),
        }
    )


def _ucsc_columns(path: Path, header: str | None, row: str) -> tuple[int, ...]:
    """Return where the columns `_RMSK` are, from the header or from the number of columns."""
    if header is None:
        number = row.count("\t") + 1
        first = {17: 5, 16: 4}.get(number)
        if first is None:
            raise InputError(
                f"{path}: {number} tab-separated columns; expected 17 of the UCSC"
                " table rmsk, 16 without bin, or a header with their names"
            )
        return tuple(first + offset for offset in (0, 1, 2, 4, 5, 6, 7))
    names = header.lstrip("#").split("\t")
    for name in _RMSK:
        if name not in names:
            raise InputError(f"{path}: no column {name!r} in the header{suggest(name, names)}")
    return tuple(map(names.index, _RMSK))


def _repeat_kinds(kind: pd.Series, family: pd.Series, level: str) -> pd.Series:
    """Return the class, or class/family, of each repeat; both may come as one column."""
    import pandas as pd

    kind_codes, kinds = pd.factorize(kind)
    family_codes, families = pd.factorize(family)
    # a table has few pairs, so that text is made of those and not of every row
    codes, pairs = pd.factorize(kind_codes * len(families) + family_codes)
    names = []
    for pair in pairs:
        whole, own = kinds[pair // len(families)], families[pair % len(families)]
        main, _, rest = whole.partition("/")
        sub = rest or ("" if own == whole else own)
        names.append(main if level == "class" or sub in ("", main) else f"{main}/{sub}")
    return pd.Series(np.array(names, object)[codes], index=kind.index)
