"""Drawing examples: random windows, a choice among given ones, and which side of the split.

Every example is in the test part or in one fold of the training part. For a window that is decided
by its place (`splits`), for examples without a place by lot, examples that belong together on one
side.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Literal, NamedTuple

import numpy as np

from .errors import InputError
from .genome import Genome
from .regions import Regions
from .seeds import generator
from .splits import (
    TEST,
    assign_chromosomes,
    assign_folds,
    block_length,
    redivided,
    split_by_chromosomes,
    split_regions,
    test_size,
)
from .starts import StartRanges, available_starts, random_regions


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
        block: length of a block in bp; None: each contig is one block.
        split_seed: the seed of the split alone.
        seed_folds: (r,) the folds that ``seed`` would give, for windows to be drawn from, so that
            few change with ``split_seed``; None: ``folds``.
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
    split_seed: int | None = None
    seed_folds: np.ndarray | None = None

    def lots(self, rng: np.random.Generator, *purpose: str | int) -> np.random.Generator:
        """Return the stream that draws folds for a purpose: ``rng``, or one of the split's seed."""
        if self.split_seed in (None, self.seed):
            return rng
        return generator(self.split_seed, *purpose, "folds")

    @property
    def drawing_folds(self) -> np.ndarray:
        """The folds (r,) that random windows are drawn by, before they are fitted to ``folds``."""
        return self.folds if self.seed_folds is None else self.seed_folds

    def most_windows(self) -> int:
        """Return how many windows can be drawn with the share of the test part."""
        total, share = int(self.starts.count.sum()), self.test_fraction
        tests = [
            int(self.starts.count[folds == TEST].sum())
            for folds in (self.folds, self.drawing_folds)
        ]
        return int(min(min(tests) / share, (total - max(tests)) / (1 - share)))


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
    by: Literal["blocks", "chromosomes"] = "blocks",
    test_chromosomes: Sequence[str] = (),
    split_seed: int | None = None,
) -> Sampling:
    """Find where windows can be drawn, and give each place to the test part or a fold.

    Args:
        genome: the genome.
        window: width in bp.
        n: examples per concept and per control replicate.
        seed: the seed of the configuration.
        chromosomes: names of the contigs to use; None: all.
        exclude: regions that no window may touch.
        test_fraction: share of the places, and of the examples, that test.
        folds: number of folds of the training part.
        block: length of a block in bp; None: 16 windows.
        by: what is on one side as a whole.
        test_chromosomes: the contigs that test; if any, the split is by chromosomes.
        split_seed: the seed of the split; None: ``seed``.

    Raises:
        InputError: unknown contigs, no room for a window, too few blocks or contigs to split.
    """
    whole = split_by_chromosomes(by, test_chromosomes, block, chromosomes)
    length = None if whole else block_length(window, block)
    starts, lost = available_starts(
        genome, window, chromosomes=chromosomes, exclude=exclude, block_length=length
    )
    tests = _numbers(test_chromosomes, genome, starts, window)
    assign = partial(assign_chromosomes, tests=tests) if whole else assign_folds
    assign = partial(assign, starts, test_fraction=test_fraction, folds=folds)
    own = assign(seed=seed)
    drawn = Sampling(
        starts, own, lost, window, n, test_fraction, seed, folds, chromosomes, exclude, length
    )
    if split_seed in (None, seed):
        return drawn
    return drawn._replace(folds=assign(seed=split_seed), split_seed=split_seed, seed_folds=own)


def _numbers(names: Sequence[str], genome: Genome, starts: StartRanges, window: int) -> list[int]:
    """Return the numbers of the contigs that test; each has an acceptable window."""
    numbers = []
    for name in names:
        try:
            number = genome.index(name)
        except InputError as error:
            raise InputError(f"split.test_chromosomes: {error}; correct the name") from None
        if number not in starts.contig:
            raise InputError(
                f"split.test_chromosomes: {name!r} ({genome.lengths[number]} bp) has no acceptable"
                f" window of {window} bp; expected one or more, name others"
            )
        numbers.append(number)
    return numbers


def placeless_sampling(
    n: int,
    *,
    seed: int,
    test_fraction: float = 0.2,
    folds: int = 5,
    split_seed: int | None = None,
) -> Sampling:
    """Return the sampling of a study without a genome, whose examples a function yields."""
    none = np.empty(0, np.int64)
    starts = StartRanges(none.astype(np.int32), none, none, none)
    drawn = Sampling(starts, none.astype(np.int16), {}, 0, n, test_fraction, seed, folds)
    return drawn._replace(split_seed=split_seed)


def draw_windows(sampling: Sampling, *purpose: str | int) -> tuple[Regions, np.ndarray]:
    """Draw ``sampling.n`` random windows for a purpose; return them and their folds (n,).

    Another seed of the split changes only as many windows as the share of the test part demands.
    """
    rng = generator(sampling.seed, *purpose)
    share, lost = sampling.test_fraction, sampling.lost
    drawn, folds = split_regions(
        sampling.starts,
        sampling.drawing_folds,
        sampling.n,
        sampling.window,
        rng,
        test_fraction=share,
        lost=lost,
    )
    if sampling.seed_folds is None:
        return drawn, folds
    lots = sampling.lots(rng, *purpose)
    return redivided(drawn, sampling.starts, sampling.folds, lots, test_fraction=share, lost=lost)


def draw_in_folds(sampling: Sampling, folds: np.ndarray, rng: np.random.Generator) -> Regions:
    """Draw a random window for each example, from the places of the example's own fold (n,)."""
    columns = [np.empty(len(folds), np.int64) for _ in Regions._fields]
    for fold in np.unique(folds):
        rows = np.flatnonzero(folds == fold)
        there = sampling.starts.take(sampling.folds == fold)
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


def sample_rows(
    folds: np.ndarray, sampling: Sampling, rng: np.random.Generator, *, minimum: int, name: str
) -> np.ndarray:
    """Choose examples among those there are, in random order, a share of them from the test part.

    The share is kept where one side has too few, so that all sets of as many examples, and nulls
    made to be like them, have as many to test.

    Args:
        folds: (m,) fold of each.
        sampling: how many are wanted.
        rng: the random stream.
        minimum: fewest that will do.
        name: what they are of, for the message.

    Returns:
        (k,) distinct rows, ``minimum`` / 2 ≤ k ≤ ``sampling.n``.

    Raises:
        InputError: if there are fewer than ``minimum``, or the share leaves less than half of that
            or fewer than 2 to train or to test.
    """
    sides = (np.flatnonzero(folds != TEST), np.flatnonzero(folds == TEST))
    sizes = _with_share(len(sides[0]), len(sides[1]), sampling)
    parts = [rng.permutation(side)[:size] for side, size in zip(sides, sizes, strict=True)]
    rows = rng.permutation(np.concatenate(parts))
    minimum = min(minimum, sampling.n)
    n_test = test_size(sampling.n, sampling.test_fraction)
    there = min(len(sides[0]), sampling.n - n_test) + min(len(sides[1]), n_test)
    if there < minimum or 2 * len(rows) < minimum or min(sizes) < 2:
        raise InputError(
            f"{name}: {len(rows)} examples can be used ({sizes[0]} to train and {sizes[1]} to test,"
            f" of {len(sides[0])} and {len(sides[1])} available), expected {minimum}, 2 or more of"
            " either; lower min_examples or examples.per_concept, or leave it out with `drop`"
        )
    return rows


def _with_share(train: int, test: int, sampling: Sampling) -> tuple[int, int]:
    """Return how many to train and to test there can be of ``train`` and ``test`` examples."""
    for n in range(sampling.n, 0, -1):
        n_test = test_size(n, sampling.test_fraction)
        if n_test <= test and n - n_test <= train:
            return n - n_test, n_test
    return 0, 0


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
