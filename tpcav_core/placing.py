"""Windows around given regions: which of them can be examples, and why others cannot."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from .annotations import Annotations
from .genome import Genome
from .regions import Regions
from .sampling import Sampling
from .splits import fold_of
from .starts import rejection_reasons

#: reasons beside `starts.REASONS` why a given region is no example
ABSENT, OVERLAP = "contig not in the genome", "overlaps another example"
#: so that 0.7 of 10 bp are 7 bp
_ROUNDING = 1e-9


class Placed(NamedTuple):
    """Windows around given regions that can be examples.

    Attributes:
        regions: m windows; strand 0 where the source gives none.
        folds: (m,) int16.
        candidates: number of regions given.
        rejected: how many of them cannot be examples, by reason.
    """

    regions: Regions
    folds: np.ndarray
    candidates: int
    rejected: dict[str, int]


def on_genome(annotations: Annotations, genome: Genome, label: int | None = None) -> Regions:
    """Return the regions of (one label of) an annotation in the genome's contig numbers.

    Regions of contigs that the genome does not have get contig -1.

    Raises:
        InputError: if none of the annotation's contigs is in the genome.
    """
    numbers = {name: number for number, name in enumerate(genome.names)}
    own = np.array([numbers.get(name, -1) for name in annotations.contigs], np.int32)
    if (own < 0).all():
        # raises, with the nearest name
        genome.index(annotations.contigs[0])
    rows = slice(None) if label is None else np.flatnonzero(annotations.label == label)
    return Regions(
        own[annotations.contig[rows]],
        annotations.start[rows],
        annotations.end[rows],
        annotations.strand[rows],
    )


def place(regions: Regions, sampling: Sampling, genome: Genome, max_overlap: float) -> Placed:
    """Centre windows on regions; keep those that can be examples, and say why others cannot.

    Args:
        regions: regions of any width; contig -1 where the genome does not have it.
        sampling: acceptable starts and their folds.
        genome: the genome.
        max_overlap: share of the window that two of the examples may have in common; the leftmost
            windows are kept.
    """
    known = regions.contig >= 0
    rejected = {ABSENT: int((~known).sum())}
    regions = regions.take(known)
    start = (regions.start + regions.end) // 2 - sampling.window // 2
    windows = Regions(regions.contig, start, start + sampling.window, regions.strand)
    reasons = rejection_reasons(
        genome,
        windows,
        chromosomes=sampling.chromosomes,
        exclude=sampling.exclude,
        block_length=sampling.block,
    )
    rejected |= {reason: int(rows.sum()) for reason, rows in reasons.items()}
    bad = np.any(list(reasons.values()), axis=0)
    order = np.lexsort((windows.start, windows.contig))
    order = order[~bad[order]]
    windows = windows.take(order)
    kept = _apart(windows, sampling.window - math.floor(max_overlap * sampling.window + _ROUNDING))
    rejected[OVERLAP] = int((~kept).sum())
    windows = windows.take(kept)
    folds = fold_of(windows, sampling.starts, sampling.folds)
    return Placed(windows, folds, len(known), {name: n for name, n in rejected.items() if n})


def _apart(windows: Regions, distance: int) -> np.ndarray:
    """Return (m,) bool, which of sorted windows start ``distance`` bp or more after the last."""
    kept = np.ones(len(windows.start), bool)
    if distance <= 0:
        return kept
    last_contig, last = -1, 0
    for row, (contig, start) in enumerate(
        zip(windows.contig.tolist(), windows.start.tolist(), strict=True)
    ):
        if contig == last_contig and start - last < distance:
            kept[row] = False
        else:
            last_contig, last = contig, start
    return kept
