"""Where windows can be drawn: all acceptable start positions, exactly, and drawing from them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from .errors import InputError
from .genome import Genome
from .regions import Regions

#: the reasons a start position is not acceptable, in the order in which they are counted
REASONS = (
    "contig not chosen",
    "too near the contig's end",
    "unknown bases",
    "excluded",
    "block boundary",
)


class StartRanges(NamedTuple):
    """Acceptable start positions of windows: every start in ``[first, first + count)``.

    Attributes:
        contig: (r,) int32, number of the contig.
        first: (r,) int64, bp.
        count: (r,) int64.
        block: (r,) int64, the block that holds all windows of the range; unique in the genome.
    """

    contig: np.ndarray
    first: np.ndarray
    count: np.ndarray  # type: ignore[assignment]  # hides tuple.count, which nobody needs
    block: np.ndarray

    def take(self, rows: np.ndarray) -> StartRanges:
        """Return some of the ranges, by number or by (r,) bool."""
        return StartRanges(*(column[rows] for column in self))


def available_starts(
    genome: Genome,
    window: int,
    *,
    chromosomes: Sequence[str] | None = None,
    exclude: Regions | None = None,
    block_length: int | None = None,
) -> tuple[StartRanges, dict[str, int]]:
    """Return every start of a window that is inside one block, known and not excluded.

    The blocks of a contig are ``[k * block_length, (k + 1) * block_length)``.

    Args:
        genome: the genome.
        window: width in bp.
        chromosomes: names of the contigs to use; None: all.
        exclude: regions that no window may touch.
        block_length: bp; None: each contig is one block.

    Returns:
        The acceptable starts, by contig and position, each range inside one block; and the number
        of start positions lost by reason (`REASONS`; each position is counted once, under the
        first reason that holds), with ``total``, the number of positions of the genome.

    Raises:
        InputError: if a contig does not exist or the window fits into none, or into no block.
    """
    if block_length is None:
        block_length = int(genome.lengths.max())
    chosen = _chosen_contigs(genome, window, chromosomes, block_length)
    # Positions of all contigs on one line; a reason forbids intervals [from, to) of starts.
    forbidden = _forbidden(genome, window, chosen, exclude)
    union = np.empty((0, 2), np.int64)
    covered = [0]
    for intervals in forbidden:
        union = _union(np.concatenate([union, intervals]))
        covered.append(int((union[:, 1] - union[:, 0]).sum()))
    starts = _inside_blocks(genome, window, _complement(union, len(genome.codes)), block_length)
    total = len(genome.codes)
    covered.append(total - int(starts.count.sum()))
    lost = dict(zip(REASONS, np.diff(covered).tolist(), strict=True))
    return starts, {**lost, "total": total}


def rejection_reasons(
    genome: Genome,
    windows: Regions,
    *,
    chromosomes: Sequence[str] | None = None,
    exclude: Regions | None = None,
    block_length: int | None = None,
) -> dict[str, np.ndarray]:
    """Return for each of `REASONS` which windows it rejects, (n,) bool; each the first that holds.

    The options are those of `available_starts`, which finds the windows that nothing rejects.
    """
    length = block_length or int(genome.lengths.max())
    window = int(windows.end[0] - windows.start[0]) if len(windows.start) else 1
    chosen = _chosen_contigs(genome, window, chromosomes, length)
    lengths = genome.lengths[windows.contig]
    outside = (windows.start < 0) | (windows.end > lengths)
    crossing = windows.start // length != (windows.end - 1) // length
    line = genome.offsets[windows.contig] + np.clip(windows.start, 0, lengths - 1)
    forbidden = [_within(line, part) for part in _forbidden(genome, window, chosen, exclude)]
    forbidden[1] |= outside
    taken = np.zeros(len(line), bool)
    result = {}
    for reason, rejects in zip(REASONS, [*forbidden, crossing], strict=True):
        result[reason] = rejects & ~taken
        taken |= rejects
    return result


def _within(positions: np.ndarray, intervals: np.ndarray) -> np.ndarray:
    """Return (n,) bool, which positions are in one of the intervals (r, 2)."""
    union = _union(intervals)
    before = np.searchsorted(union[:, 0], positions, side="right") - 1
    inside = before >= 0
    inside[inside] = positions[inside] < union[before[inside], 1]
    return inside


def _chosen_contigs(
    genome: Genome, window: int, chromosomes: Sequence[str] | None, block_length: int
) -> np.ndarray:
    """Return (c,) bool, which contigs are used; check that a window fits."""
    chosen = np.ones(len(genome.names), bool)
    if chromosomes is not None:
        chosen[:] = False
        chosen[[genome.index(name) for name in chromosomes]] = True
    longest = int(genome.lengths[chosen].max(initial=0))
    if window > longest:
        raise InputError(
            f"the window of {window} bp is longer than every chosen contig (the longest has"
            f" {longest} bp); use longer contigs or a model with a shorter window"
        )
    if window > block_length:
        raise InputError(
            f"the window of {window} bp is longer than a block of {block_length} bp; raise the"
            " block length"
        )
    return chosen


def _forbidden(
    genome: Genome, window: int, chosen: np.ndarray, exclude: Regions | None
) -> list[np.ndarray]:
    """Return (r, 2) intervals of forbidden starts for each reason but the block boundaries."""
    begin, end = genome.offsets, genome.offsets + genome.lengths
    last = np.maximum(end - window + 1, begin)

    def touching(contig: np.ndarray, start: np.ndarray, stop: np.ndarray) -> np.ndarray:
        first = np.maximum(begin[contig] + start - window + 1, begin[contig])
        return np.column_stack([first, begin[contig] + stop])

    none = np.empty((0, 2), np.int64)
    return [
        np.column_stack([begin, end])[~chosen],
        np.column_stack([last, end]),
        touching(*genome.unknown.T),
        none if exclude is None else touching(exclude.contig, exclude.start, exclude.end),
    ]


def _union(intervals: np.ndarray) -> np.ndarray:
    """Return the disjoint, sorted intervals (r, 2) that cover the same positions."""
    intervals = intervals[intervals[:, 1] > intervals[:, 0]]
    intervals = intervals[np.argsort(intervals[:, 0], kind="stable")]
    reach = np.maximum.accumulate(intervals[:, 1])
    opens = np.ones(len(intervals), bool)
    opens[1:] = intervals[1:, 0] > reach[:-1]
    closes = np.append(opens[1:], True)[: len(opens)]
    return np.column_stack([intervals[opens, 0], reach[closes]])


def _complement(union: np.ndarray, total: int) -> np.ndarray:
    """Return the intervals (r, 2) of ``[0, total)`` between disjoint, sorted ones."""
    between = np.column_stack([np.append(0, union[:, 1]), np.append(union[:, 0], total)])
    return between[between[:, 1] > between[:, 0]]


def _inside_blocks(
    genome: Genome, window: int, allowed: np.ndarray, block_length: int
) -> StartRanges:
    """Cut intervals (r, 2) of starts such that each range's windows are inside one block."""
    blocks = -(-genome.lengths // block_length)
    contig_of_block = np.repeat(np.arange(len(blocks)), blocks)
    within = np.arange(len(contig_of_block)) - np.repeat(np.cumsum(blocks) - blocks, blocks)
    begin = genome.offsets[contig_of_block] + within * block_length
    end = np.minimum(begin + block_length, (genome.offsets + genome.lengths)[contig_of_block])
    # Blocks tile the line, so an interval meets consecutive ones.
    low = np.searchsorted(begin, allowed[:, 0], side="right") - 1
    high = np.searchsorted(begin, allowed[:, 1] - 1, side="right") - 1
    parts = high - low + 1
    interval = np.repeat(np.arange(len(allowed)), parts)
    block = np.arange(parts.sum()) - np.repeat(np.cumsum(parts) - parts, parts) + low[interval]
    first = np.maximum(allowed[interval, 0], begin[block])
    stop = np.minimum(allowed[interval, 1], end[block] - window + 1)
    kept = stop > first
    first, stop, block = first[kept], stop[kept], block[kept]
    contig = contig_of_block[block]
    return StartRanges(contig.astype(np.int32), first - genome.offsets[contig], stop - first, block)


def random_regions(
    starts: StartRanges,
    n: int,
    window: int,
    rng: np.random.Generator,
    *,
    lost: Mapping[str, int] | None = None,
) -> Regions:
    """Draw distinct windows, uniformly over all acceptable starts and strands, in random order.

    Args:
        starts: acceptable starts from `available_starts`.
        n: number of windows; exactly this many come back.
        window: width in bp, the one that ``starts`` were made for.
        rng: the random stream.
        lost: positions lost by reason from `available_starts`, for the error message.

    Raises:
        InputError: if there are fewer than n acceptable starts.
    """
    ends = np.cumsum(starts.count)
    total = int(ends[-1]) if len(ends) else 0
    if n > total:
        raise InputError(
            f"{n} random windows of {window} bp were asked for, but only {total} start positions"
            f" are acceptable{_lost(lost or {})}; ask for fewer, or allow more of the genome"
        )
    drawn = rng.choice(total, n, replace=False) if n else np.empty(0, np.int64)
    of_range = np.searchsorted(ends, drawn, side="right")
    start = starts.first[of_range] + drawn - (ends - starts.count)[of_range]
    return Regions(
        contig=starts.contig[of_range],
        start=start,
        end=start + window,
        strand=np.array((1, -1), np.int8)[rng.integers(0, 2, n)],
    )


def _lost(lost: Mapping[str, int]) -> str:
    """Say which positions were lost and why, for an error message."""
    reasons = [f"{lost[reason]} {reason}" for reason in REASONS if lost.get(reason)]
    return f" (of {lost['total']} positions; lost: {', '.join(reasons)})" if reasons else ""
