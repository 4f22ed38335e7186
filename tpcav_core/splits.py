"""Which examples train a CAV and which test it: a property of the *place* in the genome.

The genome is cut into blocks and each block is given, once per configuration, to the test part or
to one fold of the training part. A sampled window lies inside one block. Two windows on different
sides of a split can therefore never overlap, whichever concepts, controls or replicates they
belong to, and every CAV of a configuration is tested on the same parts of the genome.
"""

from __future__ import annotations

import numpy as np

from .errors import InputError
from .regions import Regions
from .seeds import generator
from .starts import StartRanges, random_regions

#: fold number of the test part
TEST = -1
#: blocks are at least this many windows long, so that few windows are lost at their edges
WINDOWS_PER_BLOCK = 16


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
        there = StartRanges(*(column[side] for column in starts))
        regions = random_regions(there, size, window, rng, lost=lost)
        sides.append((regions, fold_of(regions, there, folds[side])))
    order = rng.permutation(n)
    regions = Regions(
        *(np.concatenate(pair)[order] for pair in zip(*(s[0] for s in sides), strict=True))
    )
    return regions, np.concatenate([s[1] for s in sides])[order]


def fold_of(regions: Regions, starts: StartRanges, folds: np.ndarray) -> np.ndarray:
    """Return (n,) int16, the fold of each region that was drawn from ``starts``."""
    order = np.lexsort((starts.first, starts.contig))
    stride = 1 + max(int(starts.first.max(initial=0)), int(regions.start.max(initial=0)))
    keys = starts.contig[order].astype(np.int64) * stride + starts.first[order]
    wanted = regions.contig.astype(np.int64) * stride + regions.start
    return np.asarray(folds[order[np.searchsorted(keys, wanted, side="right") - 1]])
