"""Motifs from JASPAR, as a file or as a release, and from several files of any format at once."""

from __future__ import annotations

import importlib
import io
import logging
import os
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from contextlib import closing
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from .errors import InputError, reason, suggest
from .motifs import Motif, read_consensus, read_meme
from .text_files import open_text

log = logging.getLogger("tpcav_core")


def read_jaspar(path: str | os.PathLike[str]) -> list[Motif]:
    """Read the motifs of a file in JASPAR format, in its order.

    Each motif is a header ``>MA0139.1 CTCF``, whose whole text is the label, and four rows of
    counts, ``A [ 1 2 3 ]`` in any order or bare numbers in the order A C G T. Counts are divided by
    the sum of their position, without pseudocounts.

    Raises:
        InputError: names the file and the line of the motif: another number of rows, rows that
            are no numbers or differ in length, a position without counts, or two motifs of one
            name.
    """
    with open_text(path, "a motif file in JASPAR format") as file:
        content = [(number, line) for number, line in enumerate(file, 1) if line.strip()]
    heads = [place for place, (_, line) in enumerate(content) if line.startswith(">")]
    if not heads or heads[0]:
        raise InputError(f"{path}: expected a motif file in JASPAR format, which starts with '>'")
    motifs: dict[str, Motif] = {}
    for head, end in pairwise([*heads, len(content)]):
        label = " ".join(content[head][1][1:].split())
        place = f"{path}, line {content[head][0]}: motif {label!r}"
        if not label or label in motifs:
            what = "is already above" if label else "has no name"
            raise InputError(f"{place} {what}; give motifs different names")
        counts = _read_counts(place, [line for _, line in content[head:end]])
        motifs[label] = _motif_of_counts(label, counts, place)
    return list(motifs.values())


def _read_counts(place: str, lines: Sequence[str]) -> np.ndarray:
    """Return (w, 4) counts of a header and its rows."""
    from Bio import motifs

    parse: Any = motifs.parse
    if len(lines) != 5:
        raise InputError(f"{place} has {len(lines) - 1} rows, expected 4, for A, C, G and T")
    try:
        (motif,) = parse(io.StringIO("".join(lines)), "jaspar")
    except Exception as error:  # rows of different lengths raise a bare Exception
        raise InputError(
            f"{place} has rows that cannot be read ({reason(error)}); expected 4 rows of as many"
            " counts"
        ) from None
    return np.array([motif.counts[base] for base in "ACGT"]).T


def _motif_of_counts(label: str, counts: np.ndarray, place: str) -> Motif:
    """Return the motif of (w, 4) counts, divided by their sums; ``place`` begins an error."""
    sums = counts.sum(axis=1, keepdims=True)
    usable = np.isfinite(counts).all(axis=1) & (counts >= 0).all(axis=1) & (sums[:, 0] > 0)
    if not len(usable) or not usable.all():
        position = 1 + int(usable.argmin()) if len(usable) else 1
        raise InputError(
            f"{place} has no usable counts at position {position}; expected numbers that are not"
            " negative and not all 0"
        )
    return Motif(label, (counts / sums,))


_READERS: dict[str, Callable[[Path], list[Motif]]] = {
    "meme": read_meme,
    "jaspar": read_jaspar,
    "consensus": read_consensus,
}
#: formats that `read_motif_files` takes
FORMATS = ("auto", *_READERS)


def read_motif_files(
    paths: str | os.PathLike[str] | Sequence[str | os.PathLike[str]],
    format: str = "auto",  # noqa: A002  (the word of the configuration)
) -> list[Motif]:
    """Read the motifs of one or several files, in their order.

    Motifs of one name in several files are all kept and labelled ``name (file)``, the file without
    its ending, or as much of its path as tells the files apart; a warning lists them.

    Args:
        paths: one file or several.
        format: ``meme``, ``jaspar``, ``consensus``, or ``auto``: by the content of each file.

    Raises:
        InputError: for an unknown format, no file, a file given twice, and what the readers of the
            formats raise; a name twice in one file is an error.
    """
    if format not in FORMATS:
        raise InputError(
            f"motif format {format!r}; expected {', '.join(FORMATS)}{suggest(format, FORMATS)}"
        )
    files = [Path(path) for path in ([paths] if isinstance(paths, str | os.PathLike) else paths)]
    if not files:
        raise InputError("no motif file; expected at least one")
    names = _short_names(files)
    read = [_READERS[motif_format(file) if format == "auto" else format](file) for file in files]
    counts = Counter(motif.label for motifs in read for motif in motifs)
    clashing = sorted(label for label, count in counts.items() if count > 1)
    if clashing:
        log.warning(
            "%d motif names are in more than one file and get the file's name: %s%s",
            len(clashing),
            ", ".join(clashing[:5]),
            ", …" if len(clashing) > 5 else "",
        )
    labelled = [
        Motif(f"{motif.label} ({name})", motif.pwms) if counts[motif.label] > 1 else motif
        for name, motifs in zip(names, read, strict=True)
        for motif in motifs
    ]
    label, count = Counter(motif.label for motif in labelled).most_common(1)[0]
    if count > 1:
        raise InputError(f"{count} motifs would be named {label!r}; rename one in its file")
    return labelled


def _short_names(files: Sequence[Path]) -> list[str]:
    """Return for each file its stem, or as much of its path as makes all of them differ."""
    resolved = [file.resolve() for file in files]
    twice = next((file for file, count in Counter(resolved).items() if count > 1), None)
    if twice is not None:
        raise InputError(f"{twice}: given twice as a motif file; leave one out")
    names = [file.stem for file in resolved]
    for depth in range(1, 1 + max(len(file.parts) for file in resolved)):
        if len(set(names)) == len(names):
            break
        names = ["/".join(file.parts[-depth:]) for file in resolved]
    return names


def motif_format(path: str | os.PathLike[str]) -> str:
    """Return ``meme``, ``jaspar`` or ``consensus``, whichever the content of a file looks like.

    A file that looks like none of them and is named ``.meme`` or has a line ``MOTIF`` is ``meme``.

    Raises:
        InputError: if it looks like none of them, or cannot be read.
    """
    expected = "a motif file: MEME, JASPAR, or lines name<TAB>sequence"
    with open_text(path, expected) as file:
        lines = file.read().splitlines()
    # anywhere: MEME's own programs write banners above the version
    if any(line.startswith("MEME version") for line in lines):
        return "meme"
    first = next((line for line in lines if line.strip() and not line.startswith("#")), "")
    if first.startswith(">"):
        return "jaspar"
    if len([field for field in first.split("\t") if field.strip()]) == 2:
        return "consensus"
    if Path(path).suffix == ".meme" or any(line.startswith("MOTIF") for line in lines):
        return "meme"  # its reader says what is wrong
    raise InputError(f"{path}: format not recognised; expected {expected}")


def read_jaspar_database(
    release: str = "JASPAR2024",
    *,
    collection: str = "CORE",
    tax_group: Sequence[str] = (),
    ids: Sequence[str] = (),
    names: Sequence[str] = (),
) -> list[Motif]:
    """Return motifs of a JASPAR release, labelled ``MA0139.1 CTCF``, sorted by matrix id.

    The package pyjaspar holds all releases; nothing is downloaded. Counts are divided by the sum of
    their position, without pseudocounts.

    Args:
        release: for example ``JASPAR2024``.
        collection: for example ``CORE``; the latest version of each of its matrices.
        tax_group: only motifs of these groups, for example ``vertebrates``; empty: all.
        ids: matrix ids, with version or the latest one (``MA0139.1``, ``MA0139``), whatever their
            collection and group.
        names: names of factors, as JASPAR writes them, in the collection and groups. With ``ids``
            too, both are taken; without either, the whole collection.

    Raises:
        InputError: if pyjaspar is not installed, for an unknown release, collection, group, id or
            name, and if no motif is left.
    """
    package = _pyjaspar()
    releases = list(package.jaspar_releases)
    if release not in releases:
        raise InputError(
            f"JASPAR release {release!r} is unknown; pyjaspar {package.__version__} has"
            f" {', '.join(releases)}{suggest(release, releases)}"
        )
    database = package.jaspardb(release=release)
    with closing(database.conn):
        found = _by_ids(database, release, ids)
        if names or not ids:
            found += _by_names(database, release, collection.upper(), tax_group, names)
    motifs = {f"{entry.matrix_id} {entry.name}": entry for entry in found}
    return [_motif(label, entry, release) for label, entry in sorted(motifs.items())]


def _pyjaspar() -> Any:
    try:
        return importlib.import_module("pyjaspar")
    except ModuleNotFoundError:
        raise InputError(
            "motifs of the JASPAR database need the package pyjaspar, which is not installed;"
            " run `pip install pyjaspar`, or give a file downloaded from JASPAR"
        ) from None


def _column(database: Any, query: str) -> list[str]:
    return sorted({str(value) for (value,) in database.conn.execute(query)})


def _check_known(what: str, asked: Iterable[str], known: Sequence[str], release: str) -> None:
    for value in asked:
        if value not in known:
            listed = f" ({', '.join(known)})" if len(known) <= 20 else f" ({len(known)} {what}s)"
            raise InputError(f"{what} {value!r} is not in {release}{listed}{suggest(value, known)}")


def _by_ids(database: Any, release: str, ids: Sequence[str]) -> list[Any]:
    if not ids:
        return []
    versions = _column(database, "SELECT BASE_ID || '.' || VERSION FROM MATRIX")
    known = sorted({version.rpartition(".")[0] for version in versions})
    for matrix_id in ids:
        _check_known("matrix id", [matrix_id], versions if "." in matrix_id else known, release)
    return [database.fetch_motif_by_id(matrix_id) for matrix_id in ids]


def _by_names(
    database: Any, release: str, collection: str, tax_group: Sequence[str], names: Sequence[str]
) -> list[Any]:
    collections = _column(database, "SELECT COLLECTION FROM MATRIX")
    _check_known("collection", [collection], collections, release)
    groups = _column(database, "SELECT VAL FROM MATRIX_ANNOTATION WHERE TAG = 'tax_group'")
    _check_known("tax_group", tax_group, groups, release)
    found = database.fetch_motifs(collection=collection, tax_group=list(tax_group) or None)
    if not found:
        raise InputError(
            f"{release}, collection {collection}, has no motif of {', '.join(tax_group)}; choose"
            " another group or collection"
        )
    place = ", ".join([release, f"collection {collection}", *tax_group])
    _check_known("name", names, sorted({entry.name for entry in found}), place)
    return [entry for entry in found if not names or entry.name in names]


def _motif(label: str, entry: Any, release: str) -> Motif:
    counts = np.array([entry.counts[base] for base in "ACGT"]).T
    return _motif_of_counts(label, counts, f"{release}: motif {label!r}")
