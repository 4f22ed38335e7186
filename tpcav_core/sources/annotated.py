"""Regions that carry an annotation: BED files, RepeatMasker, genes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from ..annotations import count_labels
from ..concepts import Recipe
from ..errors import InputError
from ..sampling import draw_in_folds
from ..seeds import generator
from .base import ONLY, Availability, Concept, Setting, wanted
from .given import Given, reading


@dataclass(frozen=True, kw_only=True)
class RegionConcept(Concept):
    """Windows centred on the regions of one label.

    Attributes:
        given: the regions.
        count: how many the file has.
        take: ``both`` sequence and signal of the regions; or only their ``sequence`` or ``signal``,
            the other from random windows of the same fold.
    """

    source: ClassVar[str] = "regions"
    given: Given
    count: int
    take: str = "both"

    @property
    def candidates(self) -> int | None:
        """Number of regions in the file."""
        return self.count

    def content(self) -> list[Any]:
        """Return what defines the examples, beside the file's content."""
        return [*self.given.content(), self.take]

    def recipes(self, setting: Setting) -> Iterator[tuple[str, Recipe]]:
        """Yield the one variant with its recipe."""
        yield ONLY, self.draw(setting, "concepts", self.id)

    def draw(self, setting: Setting, *purpose: str | int) -> Recipe:
        """Return examples drawn for a purpose."""
        regions, folds = self.given.draw(setting, f"concept {self.label!r}", *purpose)
        if self.take == "both":
            return Recipe(regions, folds)
        rng = generator(setting.sampling.seed, *purpose, "other part")
        others = draw_in_folds(setting.sampling, folds, rng)
        if self.take == "sequence":
            return Recipe(regions, folds, signal=others)
        return Recipe(others, folds, signal=regions)

    def availability(self, setting: Setting) -> Availability:
        """Return how many windows there are, and why others cannot be examples."""
        return self.given.availability(setting)


def read(name: str, definition: Mapping[str, Any], cache: Path | None = None) -> list[Concept]:
    """Return the concepts of an annotation: one for each label with enough regions."""
    file = definition["file"]
    options = reading({**definition, "default_label": name})
    counts = count_labels(file, options, cache)
    minimum = definition["min_examples"] or 1
    enough = [label for label, count in counts.items() if count >= minimum]
    if not enough:
        raise InputError(
            f"concepts.{name}: none of the {len(counts)} labels of {file} has {minimum} regions"
            f" (the most: {max(counts.values())}); lower concepts.{name}.min_examples"
        )
    what = f"{file} ({len(enough)} labels of {minimum} regions or more)"
    return [
        RegionConcept(
            id=identity,
            label=label,
            set=name,
            control=definition["control"],
            given=Given.of({**definition, "default_label": name}, file, label),
            count=counts[label],
            take=definition["take"],
        )
        for identity, label, _ in wanted(name, definition, enough, what)
    ]
