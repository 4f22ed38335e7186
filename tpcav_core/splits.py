"""Which examples train a CAV and which test it: a property of the *place* in the genome.

The genome is cut into blocks and each block is given, once per configuration, to the test part or
to one fold of the training part. A sampled window lies inside one block. Two windows on different
sides of a split can therefore never overlap, whichever concepts, controls or replicates they
belong to, and every CAV of a configuration is tested on the same parts of the genome. A block can
be a whole chromosome.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from .errors import InputError, suggest
from .regions import Regions
from .seeds import generator
from .starts import StartRanges, random_regions

#: fold number of the test part
TEST = -1
#: blocks are at least this many windows long, so that few windows are lost at their edges
WINDOWS_PER_BLOCK = 16
#: a test part of chromosomes is drawn until it is within a quarter of its share, so often at most
_CLOSE, _DRAWS = 1.25, 100


def split_by_chromosomes(
    by: str,
    test_chromosomes: Sequence[str],
    block_length: int | None,
    chromosomes: Sequence[str] | None,
) -> bool:
    """Return whether chromosomes are on one side as a whole.

    Args:
        by: ``blocks`` or ``chromosomes``.
        test_chromosomes: names of those that test; if any, the split is by chromosomes.
        block_length: bp, as configured.
        chromosomes: names of the contigs in use; None: all.

    Raises:
        InputError: for options that exclude each other, as far as can be told without the genome.
    """
    if chromosomes is not None:
        for name in test_chromosomes:
            if name not in chromosomes:
                raise InputError(
                    f"split.test_chromosomes: {name!r} is not among the {len(chromosomes)} of"
                    f" genome.chromosomes{suggest(name, chromosomes) or '; add it there'}"
                )
    whole = by == "chromosomes" or len(test_chromosomes) > 0
    if whole and block_length is not None:
        raise InputError(
            f"split.block_length is {block_length} bp, but a split by chromosomes has no blocks;"
            " leave it out, or use split.by: blocks without split.test_chromosomes"
        )
    return whole


def block_length(window: int, asked: int | None = None) -> int:
    """Return the length of a block in bp: ``asked``, or 16 windows.

    Raises:
        InputError: if a window does not fit into a block.
    """
    length = WINDOWS_PER_BLOCK * window if asked is None else asked
    if length < window:
        raise InputError(
            f"split.block_length is {length} bp, shorter than the window of {window} bp;"
            " raise it or leave it out"
        )
    return length


def assign_folds(starts: StartRanges, *, seed: int, test_fraction: float, folds: int) -> np.ndarray:
    """Give each block to the test part or to a training fold.

    Args:
        starts: acceptable starts, (r,) ranges, each inside one block.
        seed: the seed of the configuration.
        test_fraction: share of the blocks that test.
        folds: number of folds of the training part.

    Returns:
        (r,) int16, for each range its fold 0 … folds - 1, or `TEST`.

    Raises:
        InputError: if there are too few blocks for a test part and the folds.
    """
    blocks, of_range = np.unique(starts.block, return_inverse=True)
    n_test = max(1, round(test_fraction * len(blocks)))
    if len(blocks) < n_test + folds:
        raise InputError(
            f"the genome has {len(blocks)} blocks with acceptable windows, but the split needs at"
            f" least {n_test + folds} ({folds} folds and {n_test} for testing); lower"
            " split.block_length or split.folds, or allow more chromosomes"
        )
    order = generator(seed, "splits").permutation(len(blocks))
    fold = np.empty(len(blocks), np.int16)
    fold[order[:n_test]] = TEST
    fold[order[n_test:]] = np.arange(len(blocks) - n_test) % folds
    return fold[of_range]


def assign_chromosomes(
    starts: StartRanges,
    *,
    seed: int,
    test_fraction: float,
    folds: int,
    tests: Sequence[int] = (),
) -> np.ndarray:
    """Give each contig to the test part or to a training fold.

    Args:
        starts: acceptable starts, (r,) ranges.
        seed: the seed of the split.
        test_fraction: share of the acceptable starts that test, met as nearly as contigs allow.
        folds: number of folds, of about as many acceptable starts each.
        tests: numbers of the contigs that test; none: drawn by lot.

    Returns:
        (r,) int16, for each range its fold 0 … folds - 1, or `TEST`.

    Raises:
        InputError: if there are too few contigs for a test part and the folds.
    """
    contigs, of_range = np.unique(starts.contig, return_inverse=True)
    sizes = np.bincount(of_range, starts.count)
    testing = np.isin(contigs, tests)
    needed = folds + max(1, int(testing.sum()))
    if len(contigs) < needed:
        raise InputError(
            f"there are {len(contigs)} chromosomes with acceptable windows, but a split by"
            f" chromosomes needs at least {needed} ({folds} folds and {needed - folds} for"
            " testing); lower split.folds or use split.by: blocks without split.test_chromosomes"
        )
    rng = generator(seed, "splits", "chromosomes")
    if not testing.any():
        testing[_test_part(sizes, test_fraction, len(sizes) - folds, rng)] = True
    fold = np.full(len(contigs), TEST, np.int16)
    filled = np.zeros(folds)
    order = rng.permutation(np.flatnonzero(~testing))
    # the largest first, so that the small ones even out what is left; lots decide between equals
    for contig in order[np.argsort(-sizes[order], kind="stable")]:
        fold[contig] = filled.argmin()
        filled[fold[contig]] += sizes[contig]
    return fold[of_range]


def _test_part(sizes: np.ndarray, share: float, most: int, rng: np.random.Generator) -> list[int]:
    """Draw 1 to ``most`` contigs whose ``sizes`` (c,) sum up to about a share of all."""
    wanted = share * float(sizes.sum())

    def distance(size: float) -> float:
        return max(size, wanted) / min(size, wanted) if size else math.inf

    best, nearest = [], math.inf
    for _ in range(_DRAWS):
        chosen: list[int] = []
        total = 0.0
        for contig in rng.permutation(len(sizes)).tolist():
            grown = total + float(sizes[contig])
            if len(chosen) < most and distance(grown) < distance(total):
                chosen.append(contig)
                total = grown
        if distance(total) < nearest:
            best, nearest = chosen, distance(total)
        if nearest <= _CLOSE:
            break
    return best


def test_size(n: int, test_fraction: float) -> int:
    """Return how many of ``n`` examples test a CAV."""
    return round(n * test_fraction)


def split_regions(
    starts: StartRanges,
    folds: np.ndarray,
    n: int,
    window: int,
    rng: np.random.Generator,
    *,
    test_fraction: float,
    lost: dict[str, int] | None = None,
) -> tuple[Regions, np.ndarray]:
    """Draw ``n`` distinct windows, a fixed share of them from the test part, in random order.

    Args:
        starts: acceptable starts, (r,) ranges.
        folds: (r,) int16 from `assign_folds`.
        n: number of windows; exactly this many come back.
        window: their width in bp.
        rng: the random stream.
        test_fraction: share of the windows drawn from the test part.
        lost: start positions lost by reason, for the error message.

    Returns:
        The regions (n,) and their folds (n,) int16.
    """
    sides = []
    for side, size in (
        (folds != TEST, n - test_size(n, test_fraction)),
        (folds == TEST, test_size(n, test_fraction)),
    ):
        there = starts.take(side)
        regions = random_regions(there, size, window, rng, lost=lost)
        sides.append((regions, fold_of(regions, there, folds[side])))
    order = rng.permutation(n)
    regions = Regions(
        *(np.concatenate(pair)[order] for pair in zip(*(s[0] for s in sides), strict=True))
    )
    return regions, np.concatenate([s[1] for s in sides])[order]


def redivided(
    regions: Regions,
    starts: StartRanges,
    folds: np.ndarray,
    rng: np.random.Generator,
    *,
    test_fraction: float,
    lost: dict[str, int] | None = None,
) -> tuple[Regions, np.ndarray]:
    """Fit windows that were drawn for one split to another; replace as few as can be.

    Args:
        regions: distinct windows (n,), drawn from ``starts``.
        starts: acceptable starts, (r,) ranges.
        folds: (r,) int16, the other split.
        rng: the random stream.
        test_fraction: share of the windows in the test part.
        lost: start positions lost by reason, for the error message.

    Returns:
        The regions (n,), those that stay in their rows, and their folds (n,) int16.
    """
    parts = fold_of(regions, starts, folds)
    tests, wanted = parts == TEST, test_size(len(parts), test_fraction)
    surplus = int(tests.sum()) - wanted
    rows = rng.permutation(np.flatnonzero(tests == (surplus > 0)))[: abs(surplus)]
    if not len(rows):
        return regions, parts
    there = starts.take((folds == TEST) == (surplus < 0))
    # as many as that side will have: enough are new, whichever are there already
    size = wanted if surplus < 0 else len(parts) - wanted
    drawn = random_regions(there, size, int(regions.end[0] - regions.start[0]), rng, lost=lost)
    stride = 1 + max(int(part.start.max()) for part in (drawn, regions))
    new, old = (part.contig.astype(np.int64) * stride + part.start for part in (drawn, regions))
    fresh = np.flatnonzero(~np.isin(new, old))[: len(rows)]
    columns = [column.copy() for column in regions]
    for column, values in zip(columns, drawn, strict=True):
        column[rows] = values[fresh]
    replaced = Regions(*columns)
    return replaced, fold_of(replaced, starts, folds)


def fold_of(regions: Regions, starts: StartRanges, folds: np.ndarray) -> np.ndarray:
    """Return (n,) int16, the fold of each region that was drawn from ``starts``."""
    order = np.lexsort((starts.first, starts.contig))
    stride = 1 + max(int(starts.first.max(initial=0)), int(regions.start.max(initial=0)))
    keys = starts.contig[order].astype(np.int64) * stride + starts.first[order]
    wanted = regions.contig.astype(np.int64) * stride + regions.start
    return np.asarray(folds[order[np.searchsorted(keys, wanted, side="right") - 1]])
