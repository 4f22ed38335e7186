"""Motif logos: heights in bits from PWMs, and the outlines of the four letters."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from matplotlib.font_manager import FontProperties
from matplotlib.textpath import TextPath

from ..motifs import Motif
from ..planting import MotifPair
from ..sources.base import Concept
from ..sources.motifs import MotifConcept

#: unit of heights: hundredths of a bit
UNIT = 100
#: empty positions between the motifs of a pair that are drawn at most
_GAP = 6


def logo_heights(concepts: Iterable[Concept]) -> dict[str, list[int]]:
    """Return, by id of a planted motif, four heights (A, C, G, T) of each position, in `UNIT`.

    Where a concept has several PWMs the first is drawn; pairs are drawn as they are planted.
    """
    return {
        concept.id: heights(_matrix(concept.motif)).ravel().tolist()
        for concept in concepts
        if isinstance(concept, MotifConcept)
    }


def heights(pwm: np.ndarray) -> np.ndarray:
    """Return (w, 4) heights of letters: probability times information, in hundredths of a bit."""
    safe = np.where(pwm > 0, pwm, 1)
    bits = np.where(pwm.sum(axis=1) > 0, 2 + (pwm * np.log2(safe)).sum(axis=1), 0)
    tall: np.ndarray = np.rint(UNIT * pwm * np.maximum(bits, 0)[:, None])
    return tall.astype(int)


def _matrix(motif: Motif | MotifPair) -> np.ndarray:
    if isinstance(motif, Motif):
        return motif.pwms[0]
    first, second = (
        part.pwms[0] if strand == "+" else part.pwms[0][::-1, ::-1]
        for part, strand in zip((motif.first, motif.second), motif.orientation, strict=True)
    )
    return np.concatenate([first, np.zeros((min(motif.spacing, _GAP), 4)), second])


def letter_paths() -> dict[str, str]:
    """Return an SVG path of each letter, 100 wide and high, its foot at the bottom."""
    font = FontProperties(family="DejaVu Sans", weight="bold")
    return {letter: _svg_path(TextPath((0, 0), letter, size=1, prop=font)) for letter in "ACGT"}


def _svg_path(glyph: TextPath) -> str:
    corner, size = glyph.get_extents().min, glyph.get_extents().size
    parts = []
    for vertices, code in glyph.iter_segments():
        points = (np.asarray(vertices).reshape(-1, 2) - corner) / size * 100
        numbers = " ".join(f"{x:.0f} {100 - y:.0f}" for x, y in points)
        parts.append({1: "M", 2: "L", 3: "Q", 4: "C"}[int(code)] + numbers if code != 79 else "Z")
    return "".join(parts)
