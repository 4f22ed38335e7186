"""Writing values of regions as a bigWig file."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyBigWig

from .genome import Genome
from .regions import Regions


class BaseValues(NamedTuple):
    """One value for each of m bases of a contig.

    Attributes:
        position: (m,) int64, 0-based, increasing.
        value: (m,) float32, finite.
    """

    position: np.ndarray
    value: np.ndarray


def mean_by_base(regions: Regions, values: np.ndarray, contig: int) -> BaseValues:
    """Return the mean over all regions that cover a base, for each base of a contig.

    Args:
        regions: n regions of one width L, in any order.
        values: (n, L), in genome orientation; values that are not finite count as not there.
        contig: number of the contig.
    """
    rows = np.flatnonzero(regions.contig == contig)
    length = values.shape[1]
    everywhere = (regions.start[rows, None] + np.arange(length)).ravel()
    flat = values[rows].ravel().astype(float)
    finite = np.isfinite(flat)
    position, index = np.unique(everywhere[finite], return_inverse=True)
    sums = np.bincount(index, weights=flat[finite], minlength=len(position))
    counts = np.bincount(index, minlength=len(position))
    return BaseValues(position, (sums / counts).astype(np.float32))


def write_bigwig(path: Path, genome: Genome, regions: Regions, values: np.ndarray) -> None:
    """Write values of regions; where several regions cover a base, their mean.

    Args:
        path: file to write.
        genome: whose contigs the header lists, with their lengths.
        regions: n regions of one width L, in any order.
        values: (n, L), in genome orientation.

    Raises:
        RuntimeError: if it could not be written whole.
    """
    file: Any = pyBigWig.open(str(path), "w")
    try:
        contigs = zip(genome.names, genome.lengths.tolist(), strict=True)
        file.addHeader([(name, int(length)) for name, length in contigs])
        for number in np.unique(regions.contig).tolist():
            found = mean_by_base(regions, values, number)
            breaks = np.flatnonzero(np.diff(found.position) != 1) + 1
            runs = zip(np.split(found.position, breaks), np.split(found.value, breaks), strict=True)
            for position, value in runs:
                if len(position):
                    start = int(position[0])
                    file.addEntries(genome.names[number], start, values=value, span=1, step=1)
    finally:
        file.close()
    # closing writes most of the file, and tells of a failure on the terminal only; the last it
    # writes is the magic number again
    with path.open("rb") as written:
        first = written.read(4)
        written.seek(-4, os.SEEK_END)
        if written.read() != first:
            raise RuntimeError(f"{path}: not all of the bigWig file was written")
