"""The user's own sequences, from FASTA files and tables."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from typing import Any, NamedTuple, TextIO

import numpy as np

from .columns import read_columns
from .errors import InputError
from .genome import LETTERS, UNKNOWN, reverse_complement
from .text_files import open_text

_IUPAC = "ACGTURYSWKMBDHVN"
_NO_LETTER = 255
_CODE_OF_BYTE = bytes(
    _NO_LETTER
    if letter not in _IUPAC
    else LETTERS.index({"U": "T"}.get(letter, letter))
    if letter in "ACGTU"
    else UNKNOWN
    for letter in (chr(byte).upper() for byte in range(256))
)
_FASTA = "a FASTA file, plain, .gz or bgzip"


class SequenceSet(NamedTuple):
    """Sequences of one length.

    Attributes:
        names: n names, for messages and tables; they may repeat.
        codes: (n, L) uint8, A=0 C=1 G=2 T=3 and 4 for ambiguous letters.
        groups: (n,) int64 from `sequence_groups`; rows of one group stay on one side of a split.
    """

    names: tuple[str, ...]
    codes: np.ndarray
    groups: np.ndarray


def read_fasta_sequences(
    path: str | os.PathLike[str], window: int, *, crop: bool = False
) -> SequenceSet:
    """Read the records of a FASTA file, plain or compressed with gzip or bgzip.

    Args:
        path: the file.
        window: the length that each record must have, bp.
        crop: cut longer records around their centre.

    Returns:
        The records in the file's order; a name is the first word of a header, or the number of the
        record where there is none.

    Raises:
        InputError: for a file that is missing, empty, damaged or no FASTA file, and for records of
            another length or with letters that are no IUPAC letters for DNA.
    """
    from Bio.SeqIO.FastaIO import SimpleFastaParser

    parse: Any = SimpleFastaParser
    names, rows = [], []
    with open_text(path, _FASTA) as file:
        _check_head(path, file)
        for number, (title, sequence) in enumerate(parse(file), 1):
            name = next(iter(title.split()), str(number))
            names.append(name)
            rows.append(_window(f"{path}: record {name!r}", sequence, window, crop))
    codes = np.stack(rows)
    return SequenceSet(tuple(names), codes, sequence_groups(codes))


def count_fasta(path: str | os.PathLike[str]) -> int:
    """Return the number of records of a FASTA file, without looking at the sequences.

    Raises:
        InputError: for a file that is missing, empty, damaged or no FASTA file.
    """
    with open_text(path, _FASTA) as file:
        _check_head(path, file)
        return sum(line.startswith(">") for line in file)


def read_sequence_table(
    path: str | os.PathLike[str],
    window: int,
    *,
    column: str = "sequence",
    label_column: str | None = None,
    group_column: str | None = None,
    crop: bool = False,
) -> dict[str, SequenceSet]:
    """Read sequences from a table with a header: TSV, CSV (also ``.gz``) or parquet.

    Args:
        path: the file; its ending says its format (.tsv .tab .txt .csv .parquet).
        window: the length that each sequence must have, bp.
        column: name of the column of sequences.
        label_column: name of the column whose values name the sets; None: one set.
        group_column: rows of one value here stay on one side of a split.
        crop: cut longer sequences around their centre.

    Returns:
        By label, in the order of first rows, the sequences ("" without ``label_column``). A name is
        ``row 7``, counted from 1 below the header. Groups are those of the whole table.

    Raises:
        InputError: for a file that cannot be read, unknown columns, missing values, and sequences
            of another length or with letters that are no IUPAC letters for DNA.
    """
    table = read_columns(path, [column, label_column, group_column])
    names = [f"row {number}" for number in range(1, len(table) + 1)]
    codes = np.stack(
        [
            _window(f"{path}: {name}", sequence.strip(), window, crop)
            for name, sequence in zip(names, table[column], strict=True)
        ]
    )
    groups = sequence_groups(codes, None if group_column is None else table[group_column])
    if label_column is None:
        return {"": SequenceSet(tuple(names), codes, groups)}
    return {
        label: SequenceSet(tuple(names[row] for row in rows), codes[rows], groups[rows])
        for label, rows in _rows_by_value(table[label_column]).items()
    }


def count_table(
    path: str | os.PathLike[str], *, column: str = "sequence", label_column: str | None = None
) -> dict[str, int]:
    """Return the number of rows of each label, in the order of first rows ("" without labels).

    Raises:
        InputError: for a file that cannot be read, unknown columns and missing values.
    """
    table = read_columns(path, [column, label_column])
    if label_column is None:
        return {"": len(table)}
    return {label: len(rows) for label, rows in _rows_by_value(table[label_column]).items()}


def sequence_groups(codes: np.ndarray, values: Sequence[str] | None = None) -> np.ndarray:
    """Return which sequences belong together.

    A sequence, the same sequence again and its reverse complement are of one group, and so are
    rows of one value. Without values the number of a group is a hash of the sequence, so that a
    sequence has the same number in every file; with values it is the smallest hash of the values
    in the group.

    Args:
        codes: (n, L) uint8.
        values: n values of a column, or None.

    Returns:
        (n,) int64, not negative.
    """
    hashes = [
        _hash(min(one.tobytes(), other.tobytes()))
        for one, other in zip(codes, reverse_complement(codes), strict=True)
    ]
    of_sequence = np.array(hashes, np.int64)
    if values is None:
        return of_sequence
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    n = len(codes)
    of_value = np.array([_hash(value.encode()) for value in values], np.int64)
    sequence = np.unique(of_sequence, return_inverse=True)[1]
    value = np.unique(of_value, return_inverse=True)[1]
    size = n + len(of_value)
    links = coo_array((np.ones(n, bool), (sequence, n + value)), shape=(size, size))
    component = connected_components(links, directed=False)[1][sequence]
    smallest = np.full(size, np.iinfo(np.int64).max)
    np.minimum.at(smallest, component, of_value)
    return np.asarray(smallest[component])


def _hash(content: bytes) -> int:
    return int.from_bytes(hashlib.blake2b(content, digest_size=8).digest(), "little") >> 1


def _window(place: str, sequence: str, window: int, crop: bool) -> np.ndarray:
    """Return the (window,) codes of one sequence; ``place`` begins the message of an error."""
    excess = len(sequence) - window
    if excess < 0:
        raise InputError(
            f"{place} has {len(sequence)} bp, shorter than the window of {window} bp; leave it out"
            " or give the sequence with its flanks"
        )
    if excess and not crop:
        raise InputError(
            f"{place} has {len(sequence)} bp, longer than the window of {window} bp; set crop to"
            " cut it around its centre, or cut it yourself"
        )
    cut = sequence[excess // 2 : excess // 2 + window]
    codes = np.frombuffer(cut.encode("ascii", "replace").translate(_CODE_OF_BYTE), np.uint8)
    if codes.max(initial=0) == _NO_LETTER:
        position = int((codes == _NO_LETTER).argmax())
        raise InputError(
            f"{place} has the letter {cut[position]!r} at position {excess // 2 + position + 1};"
            f" expected IUPAC letters for DNA ({_IUPAC})"
        )
    return codes


def _check_head(path: str | os.PathLike[str], file: TextIO) -> None:
    """Check that the first line that is not blank is a header, and go back to the start."""
    first = next((line for line in file if line.strip()), None)
    if first is None:
        raise InputError(f"{path}: holds no sequence; expected {_FASTA}")
    if not first.startswith(">"):
        raise InputError(f"{path}: not a FASTA file; expected a first line that starts with '>'")
    file.seek(0)


def _rows_by_value(values: Sequence[str]) -> dict[str, list[int]]:
    rows: dict[str, list[int]] = {}
    for row, value in enumerate(values):
        rows.setdefault(value, []).append(row)
    return rows
