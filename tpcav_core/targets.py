"""The regions whose predictions are explained, and the baselines they are compared with."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from .errors import InputError
from .regions import Regions
from .seeds import generator
from .starts import StartRanges, random_regions


class Pairs(NamedTuple):
    """Target regions and, row by row, their baselines; both of one width."""

    targets: Regions
    baselines: Regions


def sample_given(regions: Regions, n: int | None, seed: int, name: str) -> Regions:
    """Return ``n`` of the regions, drawn with the seed and kept in their order; all for None."""
    total = len(regions.start)
    if n is None or n == total:
        return regions
    if n > total:
        raise InputError(
            f"target {name!r}: {n} regions asked, but the file has {total}; lower targets.{name}.n"
        )
    rows = generator(seed, "targets", name, "sample").choice(total, n, replace=False)
    return regions.take(np.sort(rows))


def pair_with_random(
    targets: Regions | int,
    starts: StartRanges,
    window: int,
    seed: int,
    name: str,
    *,
    lost: dict[str, int] | None = None,
) -> Pairs:
    """Pair targets with random baselines.

    Args:
        targets: (n,) regions of width ``window``, or the number of random targets to draw.
        starts: acceptable starts of random windows.
        window: width in bp.
        seed: the seed of the configuration.
        name: of the target set.
        lost: start positions lost by reason, for the error message.

    Returns:
        The pairs. Random targets and their baselines are different windows.
    """
    rng = generator(seed, "targets", name, "baselines")
    if isinstance(targets, int):
        drawn = random_regions(starts, 2 * targets, window, rng, lost=lost)
        return Pairs(drawn.take(slice(0, targets)), drawn.take(slice(targets, None)))
    baselines = random_regions(starts, len(targets.start), window, rng, lost=lost)
    return Pairs(targets, baselines)
