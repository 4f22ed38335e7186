"""Windows around regions that a file gives."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from ..annotations import Annotations, read_annotations
from ..placing import Placed, on_genome, place
from ..regions import Regions
from ..sampling import orient, sample_rows
from ..seeds import generator
from .base import Availability, Setting

#: keys of a configuration that say how a file of regions is read, as `read_annotations` takes them
READING = (
    "default_label",
    "format",
    "label_column",
    "level",
    "features",
    "upstream",
    "downstream",
    "select_biotypes",
)


def reading(definition: Mapping[str, Any]) -> dict[str, Any]:
    """Return the arguments of `read_annotations` in the definition of a set."""
    return {key: definition[key] for key in READING if key in definition}


@dataclass(frozen=True)
class Given:
    """Regions of a file, or those of one label.

    Attributes:
        file: the file.
        options: arguments of `read_annotations`, JSON.
        label: whose regions; None: all.
        strand: how windows are oriented, see `sampling.orient`.
        max_overlap: share of the window that two examples may have in common.
        minimum: fewest examples that will do; None: as many as are asked for.
    """

    file: str
    options: str
    label: str | None = None
    strand: str = "annotated"
    max_overlap: float = 0.5
    minimum: int | None = None

    @classmethod
    def of(cls, definition: Mapping[str, Any], file: str, label: str | None = None) -> Given:
        """Return the regions that the definition of a set or control describes."""
        options = json.dumps(reading(definition), sort_keys=True)
        keys = {"strand", "max_overlap"} & definition.keys()
        return cls(
            file,
            options,
            label,
            minimum=definition.get("min_examples"),
            **{key: definition[key] for key in keys},
        )

    def content(self) -> list[Any]:
        """Return what defines the windows, in a form that is JSON."""
        return [self.file, self.options, self.label, self.strand, self.max_overlap, self.minimum]

    def placed(self, setting: Setting) -> Placed:
        """Return the windows that can be examples."""
        found = _annotations(self.file, self.options, Path(self.file).stat().st_mtime_ns)
        number = None if self.label is None else found.labels.index(self.label)
        regions = on_genome(found, setting.genome, number)
        return place(regions, setting.sampling, setting.genome, self.max_overlap)

    def draw(self, setting: Setting, name: str, *purpose: str | int) -> tuple[Regions, np.ndarray]:
        """Draw examples for a purpose; return their windows and folds, in random order."""
        sampling = setting.sampling
        placed = self.placed(setting)
        rng = generator(sampling.seed, *purpose)
        minimum = sampling.n if self.minimum is None else self.minimum
        rows = sample_rows(
            placed.folds, sampling, rng, minimum=minimum, name=f"{name}, {self.file}"
        )
        return orient(placed.regions.take(rows), self.strand, rng), placed.folds[rows]

    def availability(self, setting: Setting) -> Availability:
        """Return how many windows there are, and why others cannot be examples."""
        placed = self.placed(setting)
        return Availability(placed.candidates, len(placed.folds), placed.rejected)


@lru_cache(maxsize=4)
def _annotations(file: str, options: str, modified: int) -> Annotations:
    return read_annotations(file, **json.loads(options))
