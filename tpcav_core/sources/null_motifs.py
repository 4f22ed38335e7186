"""Nulls of planted motifs: the same planting, with the columns of the motif permuted."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields
from typing import Any

from .. import shuffling
from ..concepts import Recipe
from ..motifs import Motif
from ..seeds import generator
from .base import Setting
from .motifs import MotifConcept, permuted_motif


@dataclass(frozen=True, kw_only=True)
class NullMotif(MotifConcept):
    """A motif with its columns permuted, planted in the same way: what planting anything gives.

    Attributes:
        of: id of the concept whose motif, copies, margins and control it has.
        number: which permutation.
    """

    of: str
    number: int

    def content(self) -> list[Any]:
        """Return what defines the examples."""
        return [*super().content(), self.of, self.number]

    def recipes(self, setting: Setting) -> Iterator[tuple[str, Recipe]]:
        """Yield each number of copies with its recipe."""
        rng = generator(setting.sampling.seed, "nulls", self.of, self.number)
        own = {**_fields(self), "motif": permuted_motif(self.motif, rng)}
        yield from MotifConcept(**own).recipes(setting)


def null_motif(concept: MotifConcept, number: int) -> NullMotif:
    """Return a permutation of a concept's motif; its id tells the concept and the number."""
    own = {
        **_fields(concept),
        "id": f"{concept.id}.null{number:04d}",
        "label": f"{concept.label}, columns permuted ({number})",
    }
    return NullMotif(**own, of=concept.id, number=number)


def can_be_permuted(concept: MotifConcept) -> bool:
    """Return whether a concept's motif has another order of columns; one base repeated has none."""
    motif = concept.motif
    parts = [motif] if isinstance(motif, Motif) else [motif.first, motif.second]
    return all(shuffling.can_be_permuted(part) for part in parts)


def _fields(concept: MotifConcept) -> dict[str, Any]:
    return {field.name: getattr(concept, field.name) for field in fields(MotifConcept)}
