"""Regions of a genome: read from BED files, and made windows of one width."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np

from .bed import bed_rows
from .errors import InputError
from .genome import Genome


class Regions(NamedTuple):
    """Regions of a genome; coordinates are 0-based and half-open.

    Attributes:
        contig: (n,) int32, number of the contig in the genome.
        start: (n,) int64, bp.
        end: (n,) int64, bp.
        strand: (n,) int8, +1 or -1.
    """

    contig: np.ndarray
    start: np.ndarray
    end: np.ndarray
    strand: np.ndarray

    def take(self, rows: slice | np.ndarray) -> Regions:
        """Return some of the regions, by number or by (n,) bool."""
        return Regions(*(column[rows] for column in self))


def read_bed(
    path: str | os.PathLike[str],
    genome: Genome,
    *,
    absent: Literal["error", "drop"] = "error",
) -> Regions:
    """Read a BED file with tab-separated columns, plain or ``.gz``.

    The strand is column 6; in a file with fewer columns, column 4 if it is ``+`` or ``-``. Regions
    without a strand are of strand +1. Blank lines, comments, ``track`` and ``browser`` lines and
    a line of column names are skipped.

    Args:
        path: the file.
        genome: the genome its regions are of.
        absent: what to do with regions of contigs that the genome does not have: ``drop`` is for
            lists of a whole assembly, such as regions to exclude, with a part of its FASTA.

    Raises:
        InputError: names the file and the line of the first region that cannot be used.
    """
    numbers = {name: number for number, name in enumerate(genome.names)}
    columns = []
    dropped = False
    for row in bed_rows(Path(path)):
        if row.chromosome not in numbers:
            if absent == "drop":
                dropped = True
                continue
            try:
                genome.index(row.chromosome)
            except InputError as error:
                raise InputError(f"{row.place}: {error}") from None
        number = numbers[row.chromosome]
        if row.end > genome.lengths[number]:
            raise InputError(
                f"{row.place}: end {row.end} is beyond the end of {row.chromosome}"
                f" ({genome.lengths[number]} bp); is the BED file of another assembly?"
            )
        columns.append((number, row.start, row.end, row.strand))
    if not columns and dropped:
        raise InputError(
            f"{path}: none of its regions is of a contig of the genome"
            f" ({', '.join(genome.names[:3])} …); is it of another assembly?"
        )
    if not columns:
        raise InputError(f"{path}: holds no region; expected lines with chromosome, start, end")
    contig, start, end, strand = np.array(columns, np.int64).T
    return Regions(contig.astype(np.int32), start, end, strand.astype(np.int8))


def center(
    regions: Regions,
    window: int,
    genome: Genome,
    *,
    off_contig: Literal["error", "drop"] = "error",
) -> Regions:
    """Return windows of one width around the centres of regions.

    Args:
        regions: n regions of any width.
        window: width in bp.
        genome: the genome they are of.
        off_contig: what to do with windows that reach over an end of their contig.

    Returns:
        Regions of width ``window``, in the same order; fewer than n only with ``"drop"``.

    Raises:
        InputError: if windows reach over an end of their contig and ``off_contig`` is ``"error"``.
    """
    start = (regions.start + regions.end) // 2 - window // 2
    inside = (start >= 0) & (start + window <= genome.lengths[regions.contig])
    lost = int((~inside).sum())
    if lost and off_contig == "error":
        first = int(np.flatnonzero(~inside)[0])
        name = genome.names[int(regions.contig[first])]
        raise InputError(
            f"{lost} of {len(start)} windows of {window} bp around the centres of the regions reach"
            f" over an end of their contig, the first around {name}:{regions.start[first]}-"
            f"{regions.end[first]}; remove these regions"
        )
    centered = Regions(regions.contig, start, start + window, regions.strand)
    return centered.take(inside)
