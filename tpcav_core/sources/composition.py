"""Concepts of composition: random sequences of a GC content, and shuffled copies of concepts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from ..concepts import Recipe
from ..errors import InputError
from ..sampling import draw_folds
from ..seeds import generator
from ..shuffling import random_sequences
from .base import Availability, Concept, Setting, file_safe_ids, wanted

#: sources whose examples are no DNA, or shuffled already
UNSHUFFLED = frozenset({"function", "shuffled"})


@dataclass(frozen=True, kw_only=True)
class GcConcept(Concept):
    """Random sequences of independent bases; the variants are steps of GC content, 0 … 1."""

    source: ClassVar[str] = "gc_content"
    steps: tuple[float, ...]

    @property
    def variants(self) -> tuple[str, ...]:
        """GC contents."""
        return tuple(f"{step:g}" for step in self.steps)

    def content(self) -> list[Any]:
        """Return what defines the examples."""
        return list(self.steps)

    def recipes(self, setting: Setting) -> Iterator[tuple[str, Recipe]]:
        """Yield each GC content with its recipe."""
        sampling = setting.sampling
        for step, variant in zip(self.steps, self.variants, strict=True):
            rng = generator(sampling.seed, "concepts", self.id, variant)
            bases = random_sequences(sampling.n, sampling.window, step, rng)
            lots = sampling.lots(rng, "concepts", self.id, variant)
            folds = draw_folds(np.arange(sampling.n), sampling, lots)
            yield variant, Recipe(None, folds, bases=bases)

    def availability(self, setting: Setting) -> Availability:
        """Return that there is no limit."""
        return Availability(None, None, {})


@dataclass(frozen=True, kw_only=True)
class ShuffledConcept(Concept):
    """The examples of another concept, each dinucleotide-shuffled as the last thing."""

    source: ClassVar[str] = "shuffled"
    parent: Concept

    @property
    def variants(self) -> tuple[str, ...]:
        """The variants of the other concept."""
        return self.parent.variants

    @property
    def candidates(self) -> int | None:
        """Number of examples in the other concept's source."""
        return self.parent.candidates

    def content(self) -> list[Any]:
        """Return what defines the examples."""
        return [self.parent.fingerprint()]

    def recipes(self, setting: Setting) -> Iterator[tuple[str, Recipe]]:
        """Yield each variant with its recipe."""
        for variant, recipe in self.parent.recipes(setting):
            yield variant, shuffled(recipe, setting.sampling.seed, "concepts", self.id, variant)

    def availability(self, setting: Setting) -> Availability:
        """Return that of the other concept."""
        return self.parent.availability(setting)

    def check_window(self, window: int | None, model: str) -> None:
        """Raise `InputError` if the other concept does not fit into the window of a model."""
        self.parent.check_window(window, model)


def shuffled(recipe: Recipe, seed: int, *purpose: str | int) -> Recipe:
    """Return a recipe with its sequences shuffled, each by a seed of its own."""
    if recipe.call is not None or recipe.shuffle is not None:
        name = purpose[2] if purpose[0] == "controls" else purpose[1]
        raise InputError(
            f"{name!r}: its examples are {'shuffled' if recipe.call is None else 'no DNA'},"
            " they cannot be dinucleotide-shuffled; choose another control or concept"
        )
    rng = generator(seed, *purpose, "shuffle")
    return recipe._replace(shuffle=rng.integers(0, 2**62, len(recipe.folds), np.int64))


def read_gc(name: str, definition: Mapping[str, Any], cache: object = None) -> list[Concept]:
    """Return the one concept of a set of GC contents."""
    (identity,) = file_safe_ids([name], definition["prefix"])
    steps = tuple(float(step) for step in definition["steps"])
    return [
        GcConcept(id=identity, label=name, set=name, control=definition["control"], steps=steps)
    ]


def shuffled_concepts(
    name: str, definition: Mapping[str, Any], parents: Sequence[Concept]
) -> list[Concept]:
    """Return a shuffled version of each concept of another set."""
    for parent in parents:
        if parent.source in UNSHUFFLED:
            raise InputError(
                f"concepts.{name}.of: the examples of concepts.{definition['of']}, of source"
                f" {parent.source}, cannot be shuffled; name another set"
            )
    labels = [parent.label for parent in parents]
    ids = [definition["prefix"] + parent.id for parent in parents]
    chosen = wanted(name, definition, labels, f"concepts.{definition['of']}", ids)
    concepts: list[Concept] = [
        ShuffledConcept(
            id=identity,
            label=f"{label}, shuffled",
            set=name,
            control=definition["control"],
            parent=parents[index],
        )
        for identity, label, index in chosen
    ]
    return concepts
