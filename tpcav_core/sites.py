"""Which sites speak for a concept: regions by their score, and the windows inside that make it."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pandas as pd

from .genome import Genome
from .regions import Regions

#: width of a site in bp, and how many of a region are kept
WIDTH = 20
SITES = 3
#: bases of a region that are drawn at most, around its strongest site
SHOWN = 100


class Sites(NamedTuple):
    """The windows of each of n regions with the largest absolute contribution; none overlap.

    Attributes:
        offset: (n, s) int64, first base from the start of the region; -1: no more windows.
        sum: (n, s) float64, contribution of the window's bases; 0 where there is none.
        width: bp.
    """

    offset: np.ndarray
    sum: np.ndarray
    width: int

    def center(self, row: int) -> int:
        """Return the middle of a region's strongest window; of the first where there is none."""
        return max(int(self.offset[row, 0]), 0) + self.width // 2


def find_sites(contributions: np.ndarray, width: int = WIDTH, number: int = SITES) -> Sites:
    """Return the windows with the largest absolute sums, one after the other.

    Args:
        contributions: (n, L), in genome orientation.
        width: of a window, in bp; L if that is less.
        number: windows of a region, at most. Windows whose sum is 0 are none.
    """
    n, length = contributions.shape
    width = min(width, length)
    total = np.cumsum(np.pad(contributions.astype(float), ((0, 0), (1, 0))), axis=1)
    sums = total[:, width:] - total[:, :-width]
    free = np.abs(sums)
    # differences of running sums: what is left of exact zeros
    free[free <= 1e-12 * np.abs(contributions).sum(axis=1, keepdims=True)] = 0
    offset, found = np.full((n, number), -1, np.int64), np.zeros((n, number))
    starts = np.arange(sums.shape[1])
    for site in range(number):
        best = free.argmax(axis=1)
        there = np.flatnonzero(free[np.arange(n), best] > 0)
        offset[there, site] = best[there]
        found[there, site] = sums[there, best[there]]
        free[(np.abs(starts - best[:, None]) < width)] = 0
    return Sites(offset, found, width)


def shown(length: int, center: int) -> slice:
    """Return the part of a region around a base that is drawn: all of a short one."""
    first = min(max(center - SHOWN // 2, 0), max(length - SHOWN, 0))
    return slice(first, min(first + SHOWN, length))


def region_names(regions: Regions, genome: Genome) -> list[str]:
    """Return ``contig:start-end`` of each region, 0-based and half-open."""
    columns = (regions.contig.tolist(), regions.start.tolist(), regions.end.tolist())
    return [
        f"{genome.names[contig]}:{start}-{end}" for contig, start, end in zip(*columns, strict=True)
    ]


def rank(score: np.ndarray) -> np.ndarray:
    """Return the rows (n,) by decreasing absolute score; equal ones in their order."""
    return np.argsort(-np.abs(score), kind="stable")


def region_table(
    regions: Regions,
    genome: Genome,
    score: np.ndarray,
    contributions: np.ndarray,
    completeness_error: np.ndarray,
    sites: Sites,
) -> pd.DataFrame:
    """Return a row per region, by decreasing absolute score.

    Args:
        regions: n target regions.
        genome: the genome they are of.
        score: (n,), what the concepts add to the output, compared with the baseline.
        contributions: (n, L), of each base.
        completeness_error: (n,).
        sites: of the same regions.

    Returns:
        ``rank`` from 1, ``target_row`` (from 0, in the target set), ``region``, ``chrom``,
        ``start``, ``end``, ``strand``, ``score``, ``contribution`` (sum over bases),
        ``completeness_error``, and ``site_start``, ``site_end`` and ``site_contribution`` of the
        strongest window (missing where all contributions are 0).
    """
    there = sites.offset[:, 0] >= 0
    site_start = pd.array(regions.start + sites.offset[:, 0], dtype="Int64")
    site_start[~there] = pd.NA
    table = pd.DataFrame(
        {
            "target_row": np.arange(len(score)),
            "region": region_names(regions, genome),
            "chrom": [genome.names[number] for number in regions.contig.tolist()],
            "start": regions.start,
            "end": regions.end,
            "strand": np.where(regions.strand < 0, "-", "+"),
            "score": score,
            "contribution": contributions.astype(float).sum(axis=1),
            "completeness_error": completeness_error,
            "site_start": site_start,
            "site_end": site_start + sites.width,
            "site_contribution": np.where(there, sites.sum[:, 0], np.nan),
        }
    ).iloc[rank(score)]
    table.insert(0, "rank", np.arange(1, len(table) + 1))
    return table.reset_index(drop=True)


def sites_bed(regions: Regions, genome: Genome, sites: Sites) -> str:
    """Return the windows as BED6+1, sorted by position.

    The name is the region's, the score (0 to 1000) the size of the contribution as a share of the
    largest, the strand ``.``; the seventh column is the contribution with its sign.
    """
    rows, columns = np.nonzero(sites.offset >= 0)
    sums = sites.sum[rows, columns]
    largest = float(np.abs(sums).max()) if len(sums) else 1.0
    start = regions.start[rows] + sites.offset[rows, columns]
    order = np.lexsort((rows, start, regions.contig[rows]))
    names = region_names(regions, genome)
    lines = []
    for place in order.tolist():
        row, first = int(rows[place]), int(start[place])
        score = round(1000 * abs(float(sums[place])) / largest)
        fields = [genome.names[int(regions.contig[row])], first, first + sites.width, names[row]]
        lines.append("\t".join(map(str, [*fields, score, ".", f"{sums[place]:.6g}"])))
    return "".join(f"{line}\n" for line in lines)
