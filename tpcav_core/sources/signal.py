"""Windows of high signal in a bigWig file, told apart from windows of low signal."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, NamedTuple

import numpy as np

from ..composition import gc_content
from ..concepts import Recipe, realise
from ..errors import InputError
from ..matching import SignalSets, matched_low, split_by_signal, window_gc
from ..placing import Placed, place
from ..sampling import draw_windows, orient, sample_rows
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
    _found: list[tuple[Setting, _Sets]] = field(default_factory=list, compare=False, repr=False)

    def content(self) -> list[Any]:
        """Return what defines the examples, beside files."""
        numbers = [self.top, self.low, self.number, self.max_overlap, self.tolerance, self.minimum]
        return [self.track, *numbers, self.among and self.among.content()]

    def _candidates(self, setting: Setting) -> Placed:
        if self.among is not None:
            return self.among.placed(setting)
        sampling = setting.sampling
        number = min(self.number, sampling.most_windows())
        drawn, _ = draw_windows(sampling._replace(n=number), "concepts", self.id, "candidates")
        return place(drawn, sampling, setting.genome, self.max_overlap)

    def sets(self, setting: Setting) -> _Sets:
        """Return the windows of high and of low signal among the candidates; found once."""
        for known, sets in self._found:
            if all(one is other for one, other in zip(known, setting, strict=True)):
                return sets
        self._found[:] = [(setting, self._split(setting))]
        return self._found[0][1]

    def _split(self, setting: Setting) -> _Sets:
        if setting.tracks is None:
            raise InputError(f"concept {self.label!r}: no tracks were given; list them in tracks")
        placed = self._candidates(setting)
        strand = generator(setting.sampling.seed, "concepts", self.id, "strands")
        regions = orient(placed.regions, "annotated", strand)
        signal = setting.tracks.means(self.track, regions)
        try:
            found = split_by_signal(signal, regions, placed.folds, top=self.top, low=self.low)
        except InputError as error:
            raise InputError(f"concept {self.label!r}: {error}") from None
        high_gc, low_gc = (window_gc(side, setting.genome) for side in (found.high, found.low))
        partner = partners((found.high_folds, found.low_folds), (high_gc, low_gc), self.tolerance)
        # only the control needs the match
        needed = partner >= 0 if self.control == "low_signal" else np.ones(len(partner), bool)
        return _Sets(found, np.flatnonzero(needed), partner, low_gc)

    def recipes(self, setting: Setting) -> Iterator[tuple[str, Recipe]]:
        """Yield the one variant with its recipe."""
        rows = self._rows(setting)
        found = self.sets(setting).found
        yield ONLY, Recipe(found.high.take(rows), found.high_folds[rows])

    def _rows(self, setting: Setting) -> np.ndarray:
        """Return which windows of high signal are the examples."""
        sets, sampling = self.sets(setting), setting.sampling
        rng = generator(sampling.seed, "concepts", self.id)
        minimum = sampling.n if self.minimum is None else self.minimum
        folds = sets.found.high_folds[sets.usable]
        name = f"concept {self.label!r}"
        rows = sample_rows(folds, sampling, rng, minimum=minimum, name=name)
        return np.asarray(sets.usable[rows])

    def low_signal(self, setting: Setting, recipe: Recipe, replicate: int) -> Recipe:
        """Return windows of low signal, one of like GC content and part for each example.

        Where the nearest in GC content, taken in random order, do not suffice for all, each example
        gets the one window that it was known to have.
        """
        found, _, partner, low_gc = self.sets(setting)
        rng = generator(setting.sampling.seed, "controls", "low_signal", self.id, replicate)
        gc = gc_content(realise(recipe, setting.genome))
        low = (found.low, found.low_folds, low_gc)
        try:
            rows = matched_low(gc, recipe.folds, *low, rng, self.tolerance)
        except InputError:
            rows = partner[self._rows(setting)]
        return Recipe(found.low.take(rows), found.low_folds[rows])

    def availability(self, setting: Setting) -> Availability:
        """Return how many windows have high signal."""
        found, usable, *_ = self.sets(setting)
        high = len(found.high_folds)
        rejected = {
            "signal not in the highest share": found.candidates - high,
            "no low-signal window of like GC content": high - len(usable),
        }
        rejected = {reason: number for reason, number in rejected.items() if number}
        return Availability(found.candidates, len(usable), rejected)


class _Sets(NamedTuple):
    """Windows of high and low signal.

    Attributes:
        found: both.
        usable: (u,) windows of high signal that can be examples.
        partner: for each window of high signal one of low signal, -1 if there is none left.
        low_gc: GC content of the windows of low signal.
    """

    found: SignalSets
    usable: np.ndarray
    partner: np.ndarray
    low_gc: np.ndarray


def partners(
    folds: tuple[np.ndarray, np.ndarray], gc: tuple[np.ndarray, np.ndarray], tolerance: float
) -> np.ndarray:
    """Match as many windows as can be with others of their part and of like GC content.

    Both sides in ascending order, each window gets the first that is left within the tolerance; no
    matching has more pairs.

    Args:
        folds: (n,) and (m,), of the windows and of those they are matched with.
        gc: (n,) and (m,).
        tolerance: largest difference.

    Returns:
        (n,) the other window, each at most once; -1 if there is none left.
    """
    result = np.full(len(gc[0]), -1)
    for tests in (True, False):
        left, right = (np.flatnonzero((side == TEST) == tests) for side in folds)
        left, right = (
            rows[np.argsort(values[rows], kind="stable")]
            for rows, values in zip((left, right), gc, strict=True)
        )
        others = iter(right.tolist())
        other = next(others, None)
        for row in left.tolist():
            while other is not None and gc[1][other] < gc[0][row] - tolerance:
                other = next(others, None)
            if other is None:
                break
            if gc[1][other] <= gc[0][row] + tolerance:
                result[row] = other
                other = next(others, None)
    return result


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
