"""Nulls of planted motifs: the same planting, with the columns of the motif permuted."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, fields
from functools import lru_cache
from typing import Any

from .. import shuffling
from ..concepts import Recipe
from ..motifs import Motif
from ..planting import MotifPair
from ..seeds import generator
from .base import Setting
from .motifs import MotifConcept, parts, permuted_motif


@dataclass(frozen=True, kw_only=True)
class NullMotif(MotifConcept):
    """A motif with its columns permuted, planted in the same way: what planting anything gives.

    Attributes:
        of: id of the concept whose motif, copies, margins and control it has.
        number: which permutation, below `permutations`.
    """

    of: str
    number: int

    def content(self) -> list[Any]:
        """Return what defines the examples."""
        return [*super().content(), self.of, self.number]

    def recipes(self, setting: Setting) -> Iterator[tuple[str, Recipe]]:
        """Yield each number of copies with its recipe."""
        own = {**_fields(self), "motif": self.permutation(setting.sampling.seed)}
        yield from MotifConcept(**own).recipes(setting)

    def permutation(self, seed: int) -> Motif | MotifPair:
        """Return what is planted: another motif for each number, see `permutations`."""
        made = _made(seed, self.of, self._look(self.motif), self.both_strands)
        for number in range(len(made), self.number + 1):
            rng = generator(seed, "nulls", self.of, number)
            found = permuted_motif(self.motif, rng)
            while (look := self._look(found)) in made:
                found = permuted_motif(self.motif, rng)
            made[look] = found
        return list(made.values())[self.number]

    def _look(self, motif: Motif | MotifPair) -> bytes:
        turned = _is_also_turned(self)
        return b" ".join(shuffling.looks(part, both_strands=turned) for part in parts(motif))


@lru_cache(maxsize=64)
def _made(seed: int, of: str, look: bytes, both_strands: bool) -> dict[bytes, Motif | MotifPair]:
    """Return the permutations of a motif that this process made so far, in their order."""
    return {}


def null_motif(concept: MotifConcept, number: int) -> NullMotif:
    """Return a permutation of a concept's motif; its id tells the concept and the number."""
    own = {
        **_fields(concept),
        "id": f"{concept.id}.null{number:04d}",
        "label": f"{concept.label}, columns permuted ({number})",
    }
    return NullMotif(**own, of=concept.id, number=number)


def permutations(concept: MotifConcept, most: int) -> int:
    """Return how many different permutations a concept's motif has, or ``most`` if more.

    None if it is one base repeated. Planted on both strands, an order and its reverse complement
    are one.
    """
    turned = _is_also_turned(concept)
    counts = [
        shuffling.permutations(part, most, both_strands=turned) for part in parts(concept.motif)
    ]
    return min(most, math.prod(counts))


def _is_also_turned(concept: MotifConcept) -> bool:
    """Return whether a motif and its reverse complement are the same planting."""
    # a pair's parts have their strands relative to each other
    return concept.both_strands and isinstance(concept.motif, Motif)


def _fields(concept: MotifConcept) -> dict[str, Any]:
    return {field.name: getattr(concept, field.name) for field in fields(MotifConcept)}
