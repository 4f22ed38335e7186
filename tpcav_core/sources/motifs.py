"""Motifs, and pairs of motifs, planted into windows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from itertools import product
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from ..concepts import Recipe
from ..errors import InputError, suggest
from ..motif_cache import kept
from ..motif_databases import read_jaspar_database, read_motif_files
from ..motifs import Motif
from ..planting import MotifPair, Sites, sample_pair_sites, sample_sites
from ..regions import Regions
from ..sampling import draw_windows
from ..seeds import generator
from ..shuffling import permute_columns
from .base import Availability, Concept, Setting, file_safe_ids, matches, wanted
from .given import Given


@dataclass(frozen=True, kw_only=True)
class MotifConcept(Concept):
    """A motif, or a pair of motifs, planted into windows.

    Attributes:
        motif: what is planted.
        copies: the variants: how many are planted into each example.
        both_strands: whether half of them are reverse complements.
        start_margin: bases at the start of the window that stay free of sites.
        end_margin: the same at its end.
        bin: (i, k): only the i-th of k equal bins between the margins, from 0; None: all of it.
        consensus: plant the consensus instead of drawing from the PWM.
        into: windows that are planted into; None: random ones.
    """

    source: ClassVar[str] = "motifs"
    motif: Motif | MotifPair
    copies: tuple[int, ...]
    both_strands: bool = True
    start_margin: int = 0
    end_margin: int = 0
    bin: tuple[int, int] | None = None
    consensus: bool = False
    into: Given | None = None

    @property
    def variants(self) -> tuple[str, ...]:
        """Planted copies."""
        return tuple(str(number) for number in self.copies)

    @property
    def facts(self) -> dict[str, Any]:
        """Information content, in bits, and length, in bp, of the motif; what is planted into."""
        return {
            "information_content": self.motif.information_content,
            "information_content_gc": self.motif.information_content_gc,
            "motif_length": self.motif.length,
            "into": self.into and self.into.file,
        }

    def content(self) -> list[Any]:
        """Return what defines the examples."""
        planted = self.motif
        return [
            [[pwm.tolist() for pwm in motif.pwms] for motif in parts(planted)],
            [] if isinstance(planted, Motif) else [planted.spacing, planted.orientation],
            [self.copies, self.both_strands, self.start_margin, self.end_margin],
            [self.bin, self.consensus, self.into and self.into.content()],
        ]

    def margins(self, window: int) -> tuple[int, int]:
        """Return the bases at either end of a window that stay free, the bin taken into account."""
        if self.bin is None:
            return self.start_margin, self.end_margin
        number, bins = self.bin
        room = window - self.start_margin - self.end_margin
        start = self.start_margin + number * room // bins
        end = self.start_margin + (number + 1) * room // bins
        return start, window - end

    def check_window(self, window: int | None, model: str) -> None:
        """Raise `InputError` if the sites do not fit into the window of a model."""
        if window is None:
            raise InputError(
                f"concept {self.label!r}: model {model!r} has no window to plant motifs into; set"
                f" models.{model}.window"
            )
        most = max(self.copies)
        room = window - sum(self.margins(window))
        if most * self.motif.length > room:
            raise InputError(
                f"concept {self.label!r}: {most} copies of {self.motif.length} bp need"
                f" {most * self.motif.length} bp, but model {model!r} has room for {room} of its"
                f" window of {window} bp; plant fewer copies"
            )

    def recipes(self, setting: Setting) -> Iterator[tuple[str, Recipe]]:
        """Yield each number of copies with its recipe.

        All variants share their background windows, so that a curve over planted copies is not
        blurred by different backgrounds; no two concepts share a random stream.
        """
        regions, folds = self._backgrounds(setting, "concepts", self.id, "backgrounds")
        for copies in self.copies:
            sites = self._sites(
                self.motif, copies, len(folds), setting, "concepts", self.id, "sites", copies
            )
            yield str(copies), Recipe(regions, folds, sites)

    def permuted(self, setting: Setting, variant: str, replicate: int) -> Recipe:
        """Return a control replicate of a variant: the same with the motif's columns permuted.

        All variants of a replicate share the permuted motif and the background windows.
        """
        purpose = ("controls", "permuted_motifs", self.id, replicate)
        rng = generator(setting.sampling.seed, *purpose, "permutation")
        regions, folds = self._backgrounds(setting, *purpose, "backgrounds")
        motif = permuted_motif(self.motif, rng)
        sites = self._sites(
            motif, int(variant), len(folds), setting, *purpose, "sites", int(variant)
        )
        return Recipe(regions, folds, sites)

    def _backgrounds(self, setting: Setting, *purpose: str | int) -> tuple[Regions, np.ndarray]:
        if self.into is None:
            return draw_windows(setting.sampling, *purpose)
        return self.into.draw(setting, f"concept {self.label!r}", *purpose)

    def _sites(
        self,
        motif: Motif | MotifPair,
        copies: int,
        n: int,
        setting: Setting,
        *purpose: str | int,
    ) -> Sites:
        window = setting.sampling.window
        start, end = self.margins(window)
        rng = generator(setting.sampling.seed, *purpose)
        options: dict[str, Any] = {
            "both_strands": self.both_strands,
            "start_margin": start,
            "end_margin": end,
            "consensus": self.consensus,
        }
        if isinstance(motif, Motif):
            return sample_sites(motif, n, copies, window, rng, **options)
        return sample_pair_sites(motif, n, copies, window, rng, **options)

    def availability(self, setting: Setting) -> Availability:
        """Return how many windows can be planted into."""
        return (
            super().availability(setting) if self.into is None else self.into.availability(setting)
        )


def permuted_motif(motif: Motif | MotifPair, rng: np.random.Generator) -> Motif | MotifPair:
    """Return the motif with its columns in random order; of a pair, those within each motif."""
    if isinstance(motif, Motif):
        return permute_columns(motif, rng)
    first, second = (permute_columns(part, rng) for part in (motif.first, motif.second))
    return MotifPair(first, second, motif.spacing, motif.orientation)


def parts(motif: Motif | MotifPair) -> list[Motif]:
    """Return the motifs of a pair, or the one that there is."""
    return [motif] if isinstance(motif, Motif) else [motif.first, motif.second]


def read(name: str, definition: Mapping[str, Any], cache: Path | None = None) -> list[Concept]:
    """Return the concepts of a set of motifs."""
    motifs, what = _read_motifs(name, definition, cache)
    labels = [motif.label for motif in motifs]
    chosen = wanted(name, definition, labels, what)
    return [
        concept
        for identity, label, index in chosen
        for concept in _concepts(name, definition, identity, label, motifs[index])
    ]


def read_pairs(
    name: str, definition: Mapping[str, Any], cache: Path | None = None
) -> list[Concept]:
    """Return the concepts of a set of pairs: every first × second × spacing × orientation."""
    motifs, what = _read_motifs(name, definition, cache)
    sides = [
        _named(motifs, definition[side], f"concepts.{name}.{side}", what)
        for side in ("first", "second")
    ]
    pairs = [
        MotifPair(first, second, spacing, orientation)
        for first, second in product(*sides)
        for spacing, orientation in product(definition["spacings"], definition["orientations"])
    ]
    ids = file_safe_ids([_pair_name(pair) for pair in pairs], definition["prefix"])
    labels = [pair.label for pair in pairs]
    chosen = wanted(name, definition, labels, f"the pairs of {what}", ids)
    return [
        concept
        for identity, label, index in chosen
        for concept in _concepts(name, definition, identity, label, pairs[index])
    ]


def _pair_name(pair: MotifPair) -> str:
    """Return a name that stays apart from others when it is made safe for files."""
    strands = pair.orientation.replace("+", "p").replace("-", "m")
    return f"{pair.first.label}_{pair.second.label}_{pair.spacing}bp_{strands}"


def _named(motifs: Sequence[Motif], patterns: Sequence[str], where: str, what: str) -> list[Motif]:
    ids = file_safe_ids([motif.label for motif in motifs])
    for pattern in patterns:
        names = [*ids, *(motif.label for motif in motifs)]
        if not matches(pattern, *names):
            raise InputError(f"{where}: {pattern!r} is not in {what}{suggest(pattern, names)}")
    return [
        motif
        for identity, motif in zip(ids, motifs, strict=True)
        if any(matches(pattern, identity, motif.label) for pattern in patterns)
    ]


def _read_motifs(
    name: str, definition: Mapping[str, Any], cache: Path | None
) -> tuple[list[Motif], str]:
    if ("jaspar" in definition) == ("file" in definition):
        raise InputError(
            f"concepts.{name}: motifs need either `file` or `jaspar`; give one of the two"
        )
    if "jaspar" in definition:
        chosen = definition["jaspar"]
        # the package holds the matrices: another version may hold others
        with suppress(PackageNotFoundError):
            chosen = {**chosen, "pyjaspar": version("pyjaspar")}
        motifs = kept(chosen, [], lambda: read_jaspar_database(**definition["jaspar"]), cache)
        return motifs, f"JASPAR ({len(motifs)} motifs)"
    paths = _file_list(definition)
    # of several files, names may become part of labels
    key = [definition["format"], paths if len(paths) > 1 else []]
    motifs = kept(key, paths, lambda: read_motif_files(paths, definition["format"]), cache)
    return motifs, f"{', '.join(paths)} ({len(motifs)} motifs)"


def _file_list(definition: Mapping[str, Any]) -> list[str]:
    """Return the files a definition names under ``file``, one or several."""
    named = definition["file"]
    return [named] if isinstance(named, str) else list(named)


def _concepts(
    name: str, definition: Mapping[str, Any], identity: str, label: str, motif: Motif | MotifPair
) -> Iterator[MotifConcept]:
    """Yield the concept of a motif, or one for each bin of the window."""
    bins = definition["bins"]
    into = definition["into"] and Given.of({"strand": "both"}, definition["into"])
    for number in range(bins):
        several = bins > 1
        yield MotifConcept(
            id=f"{identity}.bin{number + 1}of{bins}" if several else identity,
            label=f"{label}, bin {number + 1} of {bins}" if several else label,
            set=name,
            control=definition["control"],
            motif=motif,
            copies=tuple(definition["copies"]),
            both_strands=definition["both_strands"],
            start_margin=definition["start_margin"],
            end_margin=definition["end_margin"],
            bin=(number, bins) if several else None,
            consensus=definition["sites"] == "consensus",
            into=into or None,
        )
