"""Contributions as the steps that read them see them; importing this module imports no torch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np


class Contributions(NamedTuple):
    """Contributions of n regions of L bases, in genome orientation and the order of the targets.

    Attributes:
        contributions: (n, L) float32, in units of the output.
        hypothetical: (n, 4, L) float32, of each base in the place of the one that is there; None
            where they are not asked for.
        tracks: (n, t, L) float32, contributions of the signal a model takes.
        score: (n,) float64, ``Σ_j c_j (y_j(x) − y_j(b))``: what the set adds to the output,
            compared with the baseline.
        completeness_error: (n,) float64, of the sum over bases and signal against the score,
            before any correction; the largest over baselines where there are several, of which
            all else is the mean.
    """

    contributions: np.ndarray
    hypothetical: np.ndarray | None
    tracks: np.ndarray
    score: np.ndarray
    completeness_error: np.ndarray

    def relative_error(self) -> float:
        """Return the largest completeness error over the mean absolute score."""
        scale, worst = float(np.abs(self.score).mean()), float(self.completeness_error.max())
        return worst / scale if scale > 0 else (0.0 if worst == 0 else float("inf"))


def joined(parts: Sequence[Contributions]) -> Contributions:
    """Join batches."""
    columns: list[Any] = [
        None if column[0] is None else np.concatenate(column) for column in zip(*parts, strict=True)
    ]
    return Contributions(*columns)


def average(parts: Sequence[Contributions]) -> Contributions:
    """Join contributions of the same targets against several baselines: means, largest error."""
    if len(parts) == 1:
        return parts[0]
    columns: list[Any] = [
        None if column[0] is None else np.mean(column, axis=0, dtype=float).astype(column[0].dtype)
        for column in zip(*parts, strict=True)
    ]
    worst = np.max([part.completeness_error for part in parts], axis=0)
    return Contributions(*columns)._replace(completeness_error=worst)


def genome_orientation(found: Contributions, strand: np.ndarray) -> Contributions:
    """Return contributions with regions of ``strand`` -1 (n,) turned to the genome's plus strand.

    Args:
        found: in the orientation of each region; its arrays are changed.
        strand: (n,) +1 or -1.
    """
    reverse = strand < 0
    found.contributions[reverse] = found.contributions[reverse, ::-1]
    found.tracks[reverse] = found.tracks[reverse, :, ::-1]
    if found.hypothetical is not None:
        # reversed channels are the complement in the order ACGT
        found.hypothetical[reverse] = found.hypothetical[reverse, ::-1, ::-1]
    return found
