"""Drawing examples: random windows, windows around given regions, and which side of the split.

Every example is in the test part or in one fold of the training part. For a window that is decided
by its place (`splits`), for examples without a place by lot, examples that belong together on one
side.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from .errors import InputError
from .genome import Genome
from .regions import Regions
from .seeds import generator
from .splits import TEST, assign_folds, block_length, fold_of, split_regions, test_size
from .starts import StartRanges, available_starts, random_regions, rejection_reasons

if TYPE_CHECKING:
    from .annotations import Annotations

#: reasons beside `starts.REASONS` why a given region is no example
ABSENT, OVERLAP = "contig not in the genome", "overlaps another example"
#: so that 0.7 of 10 bp are 7 bp
_ROUNDING = 1e-9


class Sampling(NamedTuple):
    """How examples are drawn; the same for all concepts and controls of a model.

    Attributes:
        starts: acceptable starts of windows.
        folds: (r,) the fold of each range of starts.
        lost: start positions lost by reason.
        window: width in bp.
        n: examples per concept and per control replicate.
        test_fraction: share of the examples that test.
        seed: the seed of the configuration.
        fold_count: number of training folds.
        chromosomes: contigs in use; None: all.
        exclude: regions that no window may touch.
        block: length of a block in bp.
    """

    starts: StartRanges
    folds: np.ndarray
    lost: dict[str, int]
    window: int
    n: int
    test_fraction: float
    seed: int
    fold_count: int = 5
    chromosomes: Sequence[str] | None = None
    exclude: Regions | None = None
    block: int | None = None


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


def window_sampling(
    genome: Genome,
    window: int,
    n: int,
    *,
    seed: int,
    chromosomes: Sequence[str] | None = None,
    exclude: Regions | None = None,
    test_fraction: float = 0.2,
    folds: int = 5,
    block: int | None = None,
) -> Sampling:
    """Find where windows can be drawn, and give each place to the test part or a fold.

    Args:
        genome: the genome.
        window: width in bp.
        n: examples per concept and per control replicate.
        seed: the seed of the configuration.
        chromosomes: names of the contigs to use; None: all.
        exclude: regions that no window may touch.
        test_fraction: share of the blocks, and of the examples, that test.
        folds: number of folds of the training part.
        block: length of a block in bp; None: 16 windows.

    Raises:
        InputError: unknown contigs, no room for a window, or too few blocks.
    """
    length = block_length(window, block)
    starts, lost = available_starts(
        genome, window, chromosomes=chromosomes, exclude=exclude, block_length=length
    )
    parts = assign_folds(starts, seed=seed, test_fraction=test_fraction, folds=folds)
    return Sampling(
        starts, parts, lost, window, n, test_fraction, seed, folds, chromosomes, exclude, length
    )


def placeless_sampling(
    n: int, *, seed: int, test_fraction: float = 0.2, folds: int = 5
) -> Sampling:
    """Return the sampling of a study without a genome, whose examples a function yields."""
    none = np.empty(0, np.int64)
    starts = StartRanges(none.astype(np.int32), none, none, none)
    return Sampling(starts, none.astype(np.int16), {}, 0, n, test_fraction, seed, folds)


def draw_windows(sampling: Sampling, *purpose: str | int) -> tuple[Regions, np.ndarray]:
    """Draw ``sampling.n`` random windows for a purpose; return them and their folds (n,)."""
    return split_regions(
        sampling.starts,
        sampling.folds,
        sampling.n,
        sampling.window,
        generator(sampling.seed, *purpose),
        test_fraction=sampling.test_fraction,
        lost=sampling.lost,
    )


def draw_in_folds(sampling: Sampling, folds: np.ndarray, rng: np.random.Generator) -> Regions:
    """Draw a random window for each example, from the places of the example's own fold (n,)."""
    columns = [np.empty(len(folds), np.int64) for _ in Regions._fields]
    for fold in np.unique(folds):
        rows = np.flatnonzero(folds == fold)
        there = StartRanges(*(column[sampling.folds == fold] for column in sampling.starts))
        drawn = random_regions(there, len(rows), sampling.window, rng, lost=sampling.lost)
        for column, values in zip(columns, drawn, strict=True):
            column[rows] = values
    contig, start, end, strand = columns
    return Regions(contig.astype(np.int32), start, end, strand.astype(np.int8))


def draw_folds(groups: np.ndarray, sampling: Sampling, rng: np.random.Generator) -> np.ndarray:
    """Give examples without a place to the test part and the folds by lot.

    The lot of a group depends on its number and the stream: with the same stream a group is nearly
    always on the same side, whatever others there are.

    Args:
        groups: (n,) int; examples of one group are never on two sides.
        sampling: its test fraction and number of folds are kept as nearly as the groups allow.
        rng: the random stream.

    Returns:
        (n,) int16.
    """
    names, of_row, sizes = np.unique(groups, return_inverse=True, return_counts=True)
    order = np.argsort(_scrambled(names, rng), kind="stable")
    before = np.cumsum(sizes[order]) - sizes[order]
    wanted = test_size(len(groups), sampling.test_fraction)
    tests = before < wanted
    fold = np.empty(len(names), np.int16)
    fold[order] = np.where(tests, TEST, (np.cumsum(~tests) - 1) % sampling.fold_count)
    return fold[of_row]


def _scrambled(numbers: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return (n,) uint64, a random-looking one-to-one function of integers (splitmix64)."""
    mixed = numbers.astype(np.uint64) + rng.integers(0, 2**64, dtype=np.uint64)
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB), (31, 1)):
        mixed = (mixed ^ (mixed >> np.uint64(shift))) * np.uint64(factor)
    return np.asarray(mixed)


def on_genome(annotations: Annotations, genome: Genome, label: int | None = None) -> Regions:
    """Return the regions of (one label of) an annotation in the genome's contig numbers.

    Regions of contigs that the genome does not have get contig -1.

    Raises:
        InputError: if none of the annotation's contigs is in the genome.
    """
    numbers = {name: number for number, name in enumerate(genome.names)}
    own = np.array([numbers.get(name, -1) for name in annotations.contigs], np.int32)
    if (own < 0).all():
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
    regions = Regions(*(column[known] for column in regions))
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
    windows = Regions(*(column[order] for column in windows))
    kept = _apart(windows, sampling.window - math.floor(max_overlap * sampling.window + _ROUNDING))
    rejected[OVERLAP] = int((~kept).sum())
    windows = Regions(*(column[kept] for column in windows))
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


def sample_rows(
    folds: np.ndarray, sampling: Sampling, rng: np.random.Generator, *, minimum: int, name: str
) -> np.ndarray:
    """Choose examples among those there are, in random order, a share of them from the test part.

    Args:
        folds: (m,) fold of each.
        sampling: how many are wanted.
        rng: the random stream.
        minimum: fewest that will do.
        name: what they are of, for the message.

    Returns:
        (k,) distinct rows, ``minimum`` ≤ k ≤ ``sampling.n``.

    Raises:
        InputError: if there are fewer than ``minimum``, or fewer than 2 to train or to test.
    """
    n_test = test_size(sampling.n, sampling.test_fraction)
    parts = [
        rng.permutation(np.flatnonzero(side))[:size]
        for side, size in ((folds != TEST, sampling.n - n_test), (folds == TEST, n_test))
    ]
    rows = rng.permutation(np.concatenate(parts))
    minimum = min(minimum, sampling.n)
    if len(rows) < minimum or min(map(len, parts)) < 2:
        raise InputError(
            f"{name}: {len(rows)} examples can be used ({len(parts[0])} to train and"
            f" {len(parts[1])} to test, of {len(folds)} available), expected {minimum}, 2 or more"
            " of either; lower min_examples or examples.per_concept, or leave it out with `drop`"
        )
    return rows


def orient(regions: Regions, strand: str, rng: np.random.Generator) -> Regions:
    """Return regions with a strand each.

    Args:
        regions: n regions; strand 0 where none is known.
        strand: ``annotated``: theirs, by lot where there is none; ``both``: by lot; ``+``.
        rng: the random stream.
    """
    lot = np.array((1, -1), np.int8)[rng.integers(0, 2, len(regions.strand))]
    if strand == "+":
        return regions._replace(strand=np.ones_like(lot))
    given = strand == "annotated"
    return regions._replace(strand=np.where((regions.strand != 0) & given, regions.strand, lot))
