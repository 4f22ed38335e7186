"""The user's own examples: sequences in a file, or inputs that a Python function yields."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from ..concepts import Recipe
from ..errors import InputError
from ..sampling import draw_folds, sample_rows
from ..seeds import generator
from ..sequences import (
    SequenceSet,
    count_fasta,
    count_table,
    read_fasta_sequences,
    read_sequence_table,
)
from .base import ONLY, Availability, Concept, Setting, file_safe_ids, wanted


@dataclass(frozen=True, kw_only=True)
class SequenceConcept(Concept):
    """Sequences of a FASTA file, or those of one label in a table.

    Attributes:
        file: the file.
        options: arguments of the function that reads it, JSON; "" for FASTA.
        group: label in the table.
        count: number of sequences.
        crop: cut longer sequences around their centre.
        minimum: fewest examples that will do; None: as many as are asked for.
    """

    source: ClassVar[str] = "sequences"
    file: str
    options: str
    group: str
    count: int
    crop: bool = False
    minimum: int | None = None

    @property
    def candidates(self) -> int | None:
        """Number of sequences."""
        return self.count

    def content(self) -> list[Any]:
        """Return what defines the examples, beside the file's content."""
        return [self.file, self.options, self.group, self.crop, self.minimum]

    def recipes(self, setting: Setting) -> Iterator[tuple[str, Recipe]]:
        """Yield the one variant with its recipe."""
        yield ONLY, self.draw(setting, "concepts", self.id)

    def draw(self, setting: Setting, *purpose: str | int) -> Recipe:
        """Return examples drawn for a purpose. Like sequences are on one side of the split.

        Which side a sequence is on depends on the sequences of its file and label and on the seed
        of the split, not on the purpose.
        """
        sampling = setting.sampling
        found = self._sequences(sampling.window)
        lots = sampling.lots(generator(sampling.seed, "sequences", "folds"), "sequences")
        folds = draw_folds(found.groups, sampling, lots)
        minimum = sampling.n if self.minimum is None else self.minimum
        rng = generator(sampling.seed, *purpose)
        name = f"concept {self.label!r}"
        rows = sample_rows(folds, sampling, rng, minimum=minimum, name=name)
        return Recipe(None, folds[rows], bases=found.codes[rows])

    def _sequences(self, window: int) -> SequenceSet:
        modified = Path(self.file).stat().st_mtime_ns
        return _read(self.file, window, self.options, self.crop, modified)[self.group]

    def availability(self, setting: Setting) -> Availability:
        """Return how many sequences there are."""
        found = len(self._sequences(setting.sampling.window).codes)
        return Availability(self.count, found, {})


@lru_cache(maxsize=4)
def _read(
    file: str, window: int, options: str, crop: bool, modified: int
) -> dict[str, SequenceSet]:
    if not options:
        return {"": read_fasta_sequences(file, window, crop=crop)}
    return read_sequence_table(file, window, crop=crop, **json.loads(options))


def read(name: str, definition: Mapping[str, Any], cache: object = None) -> list[SequenceConcept]:
    """Return the concepts of a file of sequences: one, or one for each label of a table."""
    file = definition["file"]
    if definition["format"] == "fasta":
        options, counts = "", {"": count_fasta(file)}
    else:
        columns = {key: definition[key] for key in ("column", "label_column", "group_column")}
        options = json.dumps(columns)
        counts = count_table(file, column=columns["column"], label_column=columns["label_column"])
    minimum = definition["min_examples"] or 1
    enough = [label for label, count in counts.items() if count >= minimum]
    if not enough:
        raise InputError(
            f"concepts.{name}: {file} has {max(counts.values())} sequences, expected {minimum};"
            f" lower concepts.{name}.min_examples"
        )
    labels = [label or name for label in enough]
    return [
        SequenceConcept(
            id=identity,
            label=label,
            set=name,
            control=definition["control"],
            file=file,
            options=options,
            group=enough[index],
            count=counts[enough[index]],
            crop=definition["crop"],
            minimum=definition["min_examples"],
        )
        for identity, label, index in wanted(name, definition, labels, file)
    ]


@dataclass(frozen=True, kw_only=True)
class FunctionConcept(Concept):
    """Model inputs that a function of the user's yields.

    Attributes:
        function: ``path/to/file.py:function``, see `user_inputs`.
        calls: the variants, each with the keyword arguments of the function.
    """

    source: ClassVar[str] = "function"
    function: str
    calls: Mapping[str, Mapping[str, Any]]

    @property
    def variants(self) -> tuple[str, ...]:
        """The names of the variants."""
        return tuple(self.calls)

    def content(self) -> list[Any]:
        """Return what defines the examples, beside the function's own code."""
        return [self.function, self.calls]

    def recipes(self, setting: Setting) -> Iterator[tuple[str, Recipe]]:
        """Yield each variant with its recipe."""
        for variant in self.calls:
            yield variant, self.draw(setting, "concepts", self.id, variant, variant=variant)

    def draw(self, setting: Setting, *purpose: str | int, variant: str = ONLY) -> Recipe:
        """Return examples for a purpose: the function gets a seed of its own for each."""
        sampling = setting.sampling
        rng = generator(sampling.seed, *purpose)
        call = {
            "function": self.function,
            "n": sampling.n,
            "seed": int(rng.integers(0, 2**31)),
            "kwargs": self.calls[variant],
        }
        folds = draw_folds(np.arange(sampling.n), sampling, sampling.lots(rng, *purpose))
        return Recipe(None, folds, call=json.dumps(call, sort_keys=True))

    def availability(self, setting: Setting) -> Availability:
        """Return that there is no limit that is known."""
        return Availability(None, None, {})


def read_function(name: str, definition: Mapping[str, Any], cache: object = None) -> list[Concept]:
    """Return the one concept of a function."""
    (identity,) = file_safe_ids([name], definition["prefix"])
    return [
        FunctionConcept(
            id=identity,
            label=name,
            set=name,
            control=definition["control"],
            function=definition["function"],
            calls=definition["variants"],
        )
    ]
