"""Windows of high signal in a bigWig file, told apart from windows of low signal."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

from ..concepts import Recipe, realise
from ..errors import InputError
from ..matching import SignalSets, gc_content, matched_low, split_by_signal
from ..regions import Regions
from ..sampling import Placed, draw_windows, orient, place, sample_rows
from ..seeds import generator
from ..splits import TEST
from .base import ONLY, Availability, Concept, Setting, file_safe_ids
from .given import Given


@dataclass(frozen=True, kw_only=True)
class SignalConcept(Concept):
    """The windows of highest mean signal among candidates.

    Attributes:
        track: name of the bigWig file under ``tracks:``.
        top: share of the candidates that are examples.
        low: share of the candidates, those of lowest signal, that controls are taken from.
        among: regions that are the candidates; None: random windows.
        number: how many random candidates.
        max_overlap: share of the window that two of them may have in common.
        tolerance: largest difference in GC content between an example and its control.
        minimum: fewest examples that will do; None: as many as are asked for.
    """

    source: ClassVar[str] = "signal"
    track: str
    top: float = 0.05
    low: float = 0.5
    among: Given | None = None
    number: int = 20_000
    max_overlap: float = 0.5
    tolerance: float = 0.02
    minimum: int | None = None
    _sets: dict[int, SignalSets] = field(default_factory=dict, compare=False, repr=False)

    def content(self) -> list[Any]:
        """Return what defines the examples, beside files."""
        numbers = [self.top, self.low, self.number, self.max_overlap, self.tolerance, self.minimum]
        return [self.track, *numbers, self.among and self.among.content()]

    def _candidates(self, setting: Setting) -> Placed:
        if self.among is not None:
            return self.among.placed(setting)
        sampling = setting.sampling
        counts = sampling.starts.count
        tests = int(counts[sampling.folds == TEST].sum())
        share = sampling.test_fraction
        most = int(min(tests / share, (int(counts.sum()) - tests) / (1 - share)))
        drawn, _ = draw_windows(
            sampling._replace(n=min(self.number, most)), "concepts", self.id, "candidates"
        )
        return place(drawn, sampling, setting.genome, self.max_overlap)

    def sets(self, setting: Setting) -> SignalSets:
        """Return the windows of high and of low signal among the candidates; found once."""
        key = id(setting.sampling.starts)
        if key not in self._sets:
            self._sets[key] = self._split(setting)
        return self._sets[key]

    def _split(self, setting: Setting) -> SignalSets:
        if setting.tracks is None:
            raise InputError(f"concept {self.label!r}: no tracks were given; list them in tracks")
        placed = self._candidates(setting)
        strand = generator(setting.sampling.seed, "concepts", self.id, "strands")
        regions = orient(placed.regions, "annotated", strand)
        signal = setting.tracks.means(self.track, regions)
        try:
            return split_by_signal(signal, regions, placed.folds, top=self.top, low=self.low)
        except InputError as error:
            raise InputError(f"concept {self.label!r}: {error}") from None

    def recipes(self, setting: Setting) -> Iterator[tuple[str, Recipe]]:
        """Yield the one variant with its recipe."""
        found = self.sets(setting)
        sampling = setting.sampling
        rng = generator(sampling.seed, "concepts", self.id)
        minimum = sampling.n if self.minimum is None else self.minimum
        name = f"concept {self.label!r}"
        rows = sample_rows(found.high_folds, sampling, rng, minimum=minimum, name=name)
        yield ONLY, Recipe(Regions(*(part[rows] for part in found.high)), found.high_folds[rows])

    def low_signal(self, setting: Setting, recipe: Recipe, replicate: int) -> Recipe:
        """Return windows of low signal, one of like GC content and part for each example."""
        found = self.sets(setting)
        low = Recipe(found.low, found.low_folds)
        rng = generator(setting.sampling.seed, "controls", "low_signal", self.id, replicate)
        rows = matched_low(
            gc_content(realise(recipe, setting.genome)),
            recipe.folds,
            found.low,
            found.low_folds,
            gc_content(realise(low, setting.genome)),
            rng,
            self.tolerance,
        )
        return Recipe(Regions(*(part[rows] for part in found.low)), found.low_folds[rows])

    def availability(self, setting: Setting) -> Availability:
        """Return how many windows have high signal."""
        found = self.sets(setting)
        high = len(found.high_folds)
        others = {"signal not in the highest share": found.candidates - high}
        return Availability(found.candidates, high, others)


def read(name: str, definition: Mapping[str, Any], cache: object = None) -> list[Concept]:
    """Return the one concept of a signal."""
    (identity,) = file_safe_ids([name], definition["prefix"])
    among = definition["among"]
    overlap = definition["max_overlap"]
    return [
        SignalConcept(
            id=identity,
            label=name,
            set=name,
            control=definition["control"],
            track=definition["track"],
            top=definition["top"],
            low=definition["low"],
            among=Given.of({"max_overlap": overlap}, among) if among else None,
            number=definition["candidates"],
            max_overlap=overlap,
            tolerance=definition["gc_tolerance"],
            minimum=definition["min_examples"],
        )
    ]
