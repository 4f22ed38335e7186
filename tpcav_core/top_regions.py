"""The target regions that speak most for each concept, and which bases of them do.

Of each concept the regions of the largest absolute score (`concept_span.region_scores`); for the
concepts of the largest effects, contributions of the bases there (`contributions`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from .contribution_values import Contributions
from .explain import RegionPairs
from .genome import Genome, decode
from .inputs import Inputs
from .regions import Regions
from .sites import find_sites, rank, region_names, shown


class Followed(NamedTuple):
    """A concept at the variant of its largest absolute effect on a target.

    Attributes:
        concept: its id.
        variant: name.
        effect: mean over regions, see `scores.effect`.
        direction: (d,), its consensus CAV in standardised coordinates.
    """

    concept: str
    variant: str
    effect: float
    direction: np.ndarray


class TopRegion(NamedTuple):
    """A region that speaks for a concept.

    Attributes:
        concept: its id.
        variant: the one that is followed.
        rank: from 1, by decreasing absolute score.
        row: of the region in the target set, from 0.
        score: what the concept adds to the output there, compared with the baseline.
    """

    concept: str
    variant: str
    rank: int
    row: int
    score: float


def top_regions(concept: str, variant: str, scores: np.ndarray, number: int) -> list[TopRegion]:
    """Return the regions of the largest absolute score; fewer than ``number`` if there are fewer.

    Args:
        concept: id.
        variant: name.
        scores: (n,), of all target regions.
        number: of regions.
    """
    return [
        TopRegion(concept, variant, place, row, float(scores[row]))
        for place, row in enumerate(rank(scores)[:number].tolist(), 1)
    ]


@dataclass(frozen=True)
class ChosenPairs:
    """Some targets of a source, with the baselines that they have there.

    Attributes:
        source: all targets.
        rows: (m,) int64, which of them; one may be there several times.
    """

    source: RegionPairs
    rows: np.ndarray

    @property
    def size(self) -> int:
        """Number of pairs."""
        return len(self.rows)

    @property
    def per_target(self) -> int:
        """Number of baselines of each target."""
        return self.source.per_target

    @property
    def regions(self) -> Regions:
        """The target regions."""
        return self.source.regions.take(self.rows)

    def batches(self, size: int, number: int = 0) -> Iterator[tuple[Inputs, Inputs]]:
        """Yield the inputs of ``size`` pairs at a time, and those of one of their baselines."""
        for first in range(0, self.size, size):
            yield self.source.pair_inputs(self.rows[first : first + size], number)


def top_table(
    tops: Sequence[TopRegion],
    regions: Regions,
    genome: Genome,
    logos: Mapping[int, dict[str, Any]] | None = None,
) -> pd.DataFrame:
    """Return a row for each region of each concept.

    Args:
        tops: the regions.
        regions: all target regions.
        genome: the genome they are of.
        logos: what `base_columns` says of some rows.

    Returns:
        ``concept``, ``variant``, ``rank``, ``target_row``, ``region``, ``chrom``, ``start``,
        ``end``, ``strand``, ``score`` and, missing where bases were not followed,
        ``completeness_error``, ``site_start``, ``site_end`` (the window of the largest
        contributions), ``shown_start``, ``sequence`` and ``contributions`` (of each base of the
        sequence, on the genome's plus strand, comma-separated).
    """
    rows = np.array([top.row for top in tops], dtype=np.int64)
    own = regions.take(rows)
    table = pd.DataFrame(
        {
            "concept": [top.concept for top in tops],
            "variant": [top.variant for top in tops],
            "rank": [top.rank for top in tops],
            "target_row": rows,
            "region": region_names(own, genome),
            "chrom": [genome.names[number] for number in own.contig.tolist()],
            "start": own.start,
            "end": own.end,
            "strand": np.where(own.strand < 0, "-", "+"),
            "score": [top.score for top in tops],
        }
    )
    details = pd.DataFrame.from_dict(dict(logos or {}), orient="index", columns=list(_DETAILS))
    return table.join(details.astype(_DETAILS))


_DETAILS = {
    "completeness_error": "float64",
    "site_start": "Int64",
    "site_end": "Int64",
    "shown_start": "Int64",
    "sequence": "string",
    "contributions": "string",
}


def base_columns(
    result: Contributions, regions: Regions, genome: Genome
) -> dict[int, dict[str, Any]]:
    """Return, by row, the columns of `top_table` on single bases.

    Args:
        result: contributions of the first m rows of the table, in genome orientation.
        regions: their regions, (m,).
        genome: the genome they are of.
    """
    found = find_sites(result.contributions)
    length = result.contributions.shape[1]
    codes = genome.windows(regions.contig, regions.start, length)
    columns = {}
    for row, values in enumerate(result.contributions):
        part = shown(length, found.center(row))
        first = int(regions.start[row])
        site = first + int(found.offset[row, 0]) if found.offset[row, 0] >= 0 else None
        columns[row] = {
            "completeness_error": float(result.completeness_error[row]),
            "site_start": site,
            "site_end": None if site is None else site + found.width,
            "shown_start": first + part.start,
            "sequence": decode(codes[row, part]),
            "contributions": ",".join(f"{value:.4g}" for value in values[part].tolist()),
        }
    return columns
