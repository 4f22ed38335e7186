"""Examples and controls that differ in one property only: GC-matched windows, signal levels.

What tests is matched with what tests, and what trains with what trains, in any fold.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from .composition import gc_content
from .errors import InputError
from .genome import Genome
from .regions import Regions
from .splits import TEST, fold_of
from .starts import StartRanges, random_regions

if TYPE_CHECKING:
    from .sampling import Sampling

#: bases cut from the genome at a time; with the masks made of them about 64 MB
_CHUNK = 1 << 24
#: windows in the first pool: so many per example, and at least so many
_POOL_PER_EXAMPLE, _SMALLEST_POOL = 4, 1024
#: dtypes of the columns of `Regions`
_KINDS = (np.int32, np.int64, np.int64, np.int8)
#: so that a difference of exactly the tolerance counts
_ROUNDING = 1e-9


class SignalSets(NamedTuple):
    """Regions of high and of low signal, with their folds, in the order they were given in.

    Attributes:
        high_threshold: the smallest signal of a region of `high`.
        low_threshold: the largest signal of a region of `low`; below `high_threshold`.
        candidates: number of regions they were chosen from.
    """

    high: Regions
    high_folds: np.ndarray
    low: Regions
    low_folds: np.ndarray
    high_threshold: float
    low_threshold: float
    candidates: int


def window_gc(regions: Regions, genome: Genome) -> np.ndarray:
    """Return the GC content (n,) float64 of windows of one width, in little memory."""
    n = len(regions.start)
    width = int(regions.end[0] - regions.start[0]) if n else 1
    rows = max(1, _CHUNK // width)
    gc = np.empty(n)
    for at in range(0, n, rows):
        part = slice(at, at + rows)
        # of either strand: G and C are each other's complement
        gc[part] = gc_content(genome.windows(regions.contig[part], regions.start[part], width))
    return gc


def match_values(
    wanted: np.ndarray, candidates: np.ndarray, rng: np.random.Generator, tolerance: float
) -> np.ndarray:
    """Give each wanted value a candidate of its own, the nearest that is left.

    Values choose in random order, and chance decides between candidates that are equally near.

    Args:
        wanted: (n,) float64; NaN matches nothing.
        candidates: (m,) float64; NaN matches nothing.
        rng: the random stream.
        tolerance: largest difference of a match.

    Returns:
        (n,) int64, distinct numbers of candidates; -1 where no free one is near enough.
    """
    order = np.lexsort((rng.random(len(candidates)), candidates))
    order = order[~np.isnan(candidates[order])]
    ascending = candidates[order]
    # `above` and `below` lead to the next free candidate; the two infinite ones are never taken
    values = [-np.inf, *ascending.tolist(), np.inf]
    above, below = list(range(len(values))), list(range(len(values)))
    place = np.searchsorted(ascending, wanted) + 1
    upwards = rng.random(len(wanted)) < 0.5
    chosen = np.full(len(wanted), -1, np.int64)
    for row in rng.permutation(len(wanted)).tolist():
        value = float(wanted[row])
        high, low = _free(above, int(place[row])), _free(below, int(place[row]) - 1)
        up, down = values[high] - value, value - values[low]
        near = high if up < down or (up == down and upwards[row]) else low
        if min(up, down) <= tolerance + _ROUNDING:
            chosen[row] = order[near - 1]
            above[near], below[near] = near + 1, near - 1
    return chosen


def _free(towards: list[int], at: int) -> int:
    """Return the first free position from ``at`` on, shortening the way for the next time."""
    while towards[at] != at:
        towards[at] = towards[towards[at]]
        at = towards[at]
    return at


def gc_matched_windows(
    wanted_gc: np.ndarray,
    wanted_folds: np.ndarray,
    genome: Genome,
    sampling: Sampling,
    rng: np.random.Generator,
    *,
    tolerance: float = 0.02,
    max_rounds: int = 8,
) -> tuple[Regions, np.ndarray, int]:
    """Draw distinct random windows with the GC contents of given examples.

    Args:
        wanted_gc: (n,) float64, GC contents of the examples.
        wanted_folds: (n,) integers, their folds; only whether they are `TEST` matters.
        genome: the genome.
        sampling: where windows can be drawn.
        rng: the random stream.
        tolerance: largest difference in GC content.
        max_rounds: rounds of random windows, the first of 4 per example, each twice the last.

    Returns:
        Windows (n,), row i for example i; their folds (n,) int16; the number of windows tried.

    Raises:
        InputError: if examples have no GC content, or stay unmatched after the last round.
    """
    unknown = np.flatnonzero(np.isnan(wanted_gc))
    if len(unknown):
        raise InputError(
            f"{len(unknown)} of {len(wanted_gc)} examples have no known base and so no GC content,"
            f" the first is number {unknown[0] + 1}; leave them out"
        )
    n = len(wanted_gc)
    columns = [np.empty(n, kind) for kind in _KINDS]
    folds, tried = np.empty(n, np.int16), 0
    for side, rows in _sides(wanted_folds):
        inside = (sampling.folds == TEST) == (side == "test")
        starts = sampling.starts.take(inside)
        regions, looked_at = _search(
            wanted_gc[rows], starts, genome, sampling.window, rng, tolerance, max_rounds, side
        )
        for column, found in zip(columns, regions, strict=True):
            column[rows] = found
        folds[rows] = fold_of(regions, starts, sampling.folds[inside])
        tried += looked_at
    return Regions(*columns), folds, tried


def _sides(folds: np.ndarray) -> list[tuple[str, np.ndarray]]:
    """Return the rows of each side of the split that has any."""
    sides = [("training", np.flatnonzero(folds != TEST)), ("test", np.flatnonzero(folds == TEST))]
    return [(name, rows) for name, rows in sides if len(rows)]


def _extreme(values: np.ndarray, usual: np.ndarray) -> float:
    usual = usual[~np.isnan(usual)]
    middle = np.median(usual) if len(usual) else 0.5
    return float(values[np.argmax(np.abs(values - middle))])


def _search(
    wanted: np.ndarray,
    starts: StartRanges,
    genome: Genome,
    window: int,
    rng: np.random.Generator,
    tolerance: float,
    rounds: int,
    side: str,
) -> tuple[Regions, int]:
    """Return windows (n,) that match ``wanted`` (n,), and the number of windows tried."""
    total = int(starts.count.sum())
    size = max(_POOL_PER_EXAMPLE * len(wanted), _SMALLEST_POOL)
    found = Regions(*(np.zeros(len(wanted), kind) for kind in _KINDS))
    left = np.arange(len(wanted))
    seen, gc = np.empty(0, np.int64), wanted
    for number in range(rounds):
        pool = random_regions(starts, min(size << number, total), window, rng)
        place = genome.offsets[pool.contig] + pool.start
        # windows of earlier rounds that are free fit no example that is left
        pool = pool.take(~np.isin(place, seen))
        seen = np.union1d(seen, place)
        gc = window_gc(pool, genome)
        match = match_values(wanted[left], gc, rng, tolerance)
        for column, values in zip(found, pool, strict=True):
            column[left[match >= 0]] = values[match[match >= 0]]
        left = left[match < 0]
        if not len(left) or len(seen) == total:
            break
    if len(left):
        raise InputError(
            f"{len(left)} of {len(wanted)} examples of the {side} part found no window within"
            f" {tolerance:g} of their GC content among {len(seen)} random windows; the most extreme"
            f" has {_extreme(wanted[left], gc):.3f}; allow a wider tolerance or more of the genome,"
            " or use another control"
        )
    return found, len(seen)


def split_by_signal(
    signal: np.ndarray, regions: Regions, folds: np.ndarray, *, top: float, low: float
) -> SignalSets:
    """Choose the regions with the highest and with the lowest signal.

    All regions with exactly the signal of a threshold belong; a set can exceed its share by them.

    Args:
        signal: (m,) finite values of the m regions.
        regions: the regions.
        folds: (m,) their folds.
        top: share of the regions that are high.
        low: share of the regions that are low.

    Raises:
        InputError: shares that are none or overlap; fewer than 2 regions; equal thresholds.
    """
    if not (0 < top < 1 and 0 < low < 1 and top + low <= 1 + _ROUNDING):
        raise InputError(
            f"top is {top:g} and low {low:g}; expected two shares above 0 with a sum of at most 1"
        )
    m = len(signal)
    if m < 2:
        raise InputError(f"{m} regions cannot be split by their signal; give at least 2")
    ascending = np.sort(signal)
    high_threshold = float(ascending[-max(1, int(top * m + _ROUNDING))])
    low_threshold = float(ascending[max(1, int(low * m + _ROUNDING)) - 1])
    if not high_threshold > low_threshold:
        share = np.count_nonzero(signal == low_threshold) / m
        raise InputError(
            f"high and low signal cannot be told apart: {share:.1%} of {m} regions have the signal"
            f" {low_threshold:g}, the threshold of both; use smaller shares or other regions"
        )
    chosen = (signal >= high_threshold, signal <= low_threshold)
    high_set, low_set = (regions.take(rows) for rows in chosen)
    parts = (high_set, folds[chosen[0]], low_set, folds[chosen[1]])
    return SignalSets(*parts, high_threshold, low_threshold, m)


def matched_low(
    high_gc: np.ndarray,
    high_folds: np.ndarray,
    low_regions: Regions,
    low_folds: np.ndarray,
    low_gc: np.ndarray,
    rng: np.random.Generator,
    tolerance: float,
) -> np.ndarray:
    """Give each region of high signal one of low signal with its GC content, on its side.

    Args:
        high_gc: (h,) float64.
        high_folds: (h,) folds; only whether they are `TEST` matters.
        low_regions: l regions; a place that is there twice is used at most once.
        low_folds: (l,) their folds.
        low_gc: (l,) float64.
        rng: the random stream.
        tolerance: largest difference in GC content.

    Returns:
        (h,) int64, distinct numbers of low regions.

    Raises:
        InputError: if regions stay unmatched.
    """
    places = np.column_stack(low_regions[:3])
    once = np.sort(np.unique(places, axis=0, return_index=True)[1]) if len(places) else np.arange(0)
    chosen = np.empty(len(high_gc), np.int64)
    for side, rows in _sides(high_folds):
        there = once[(low_folds[once] == TEST) == (side == "test")]
        match = match_values(high_gc[rows], low_gc[there], rng, tolerance)
        unmatched = high_gc[rows][match < 0]
        if len(unmatched):
            worst = _extreme(unmatched, low_gc[there])
            raise InputError(
                f"{len(unmatched)} of {len(rows)} regions of high signal in the {side} part found"
                f" no low one within {tolerance:g} of their GC content among {len(there)}; the most"
                f" extreme has {worst:.3f}; allow a wider tolerance or more low regions"
            )
        chosen[rows] = there[match]
    return chosen
