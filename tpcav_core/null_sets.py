"""Which nulls a configuration asks for: known when the workflow is parsed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from .names import null_control
from .sources.base import Concept
from .sources.motifs import MotifConcept
from .sources.null_motifs import NullMotif, null_motif, permutations

#: permuted motifs that are made if the configuration names no number
NULL_MOTIFS = 200
#: random nulls that one job trains
NULLS_PER_JOB = 100
#: fewest examples that nulls are made of
SMALLEST = 20


def null_motifs(concepts: Iterable[Concept], per_motif: int | None) -> list[NullMotif]:
    """Return the permuted motifs of a study.

    Args:
        concepts: all concepts; those that plant motifs whose columns have another order get nulls.
        per_motif: permutations of each motif; None: so many that each is compared with
            `NULL_MOTIFS`, those of motifs with its control that are planted into the same windows.
            A short motif may have fewer orders of its columns; none is taken twice.
    """
    motifs = [
        concept
        for concept in concepts
        if isinstance(concept, MotifConcept) and permutations(concept, 1)
    ]
    alike = Counter(map(_made, motifs))

    def numbers(motif: MotifConcept) -> range:
        wanted = -(-NULL_MOTIFS // alike[_made(motif)]) if per_motif is None else per_motif
        return range(permutations(motif, wanted))

    return [null_motif(motif, number) for motif in motifs for number in numbers(motif)]


def _made(motif: MotifConcept) -> tuple[str, str | None]:
    """Return what a motif has in common with the permuted motifs it is compared with."""
    return motif.control, motif.into.file if motif.into else None


def null_sizes(n: int, fewest: int) -> list[int]:
    """Return the numbers of examples that random nulls are made for: n, n/2, … to ``fewest``.

    A concept of another number of examples is compared with nulls of the next smaller one, whose
    statistics scatter more: a comparison that errs on the safe side.
    """
    fewest = max(min(fewest, n), SMALLEST)
    sizes = [n]
    while sizes[-1] > fewest:
        sizes.append(max(sizes[-1] // 2, fewest))
    return sizes


def study_sizes(config: Mapping[str, Any]) -> list[int]:
    """Return the sizes of the random nulls of a configuration.

    Down to half of ``min_examples``, which the share of test examples may leave of a concept.
    """
    n = config["examples"]["per_concept"]
    given = [entry.get("min_examples") for entry in config["concepts"].values()]
    return null_sizes(n, min([n, *(number // 2 for number in given if number is not None)]))


def null_controls(concepts: Sequence[Concept]) -> list[str]:
    """Return the shared controls that random nulls are cut from, in their order."""
    return list(dict.fromkeys(null_control(concept.control) for concept in concepts))


def null_parts(total: int) -> dict[str, tuple[int, int]]:
    """Return the jobs of random nulls: name, number of the first, how many."""
    return {
        f"{first // NULLS_PER_JOB:04d}": (first, min(NULLS_PER_JOB, total - first))
        for first in range(0, total, NULLS_PER_JOB)
    }
