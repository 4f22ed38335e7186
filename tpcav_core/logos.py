"""Sequence logos of contributions: the bases that are there, as tall as they contribute."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.patches import PathPatch
from matplotlib.path import Path as Outline
from matplotlib.textpath import TextPath

#: of A, C, G, T: told apart by the common kinds of colour blindness, and in print
COLOURS = ("#009e73", "#0072b2", "#e69f00", "#d55e00")
#: letters below this share of the tallest are left out: none would see them
INVISIBLE = 0.005
_STYLE: Any = {
    "svg.fonttype": "none",
    "svg.hashsalt": "tpcav",
    "font.family": "sans-serif",
    "font.size": 8,
    "axes.spines.top": False,
    "axes.spines.right": False,
}


class Logo(NamedTuple):
    """One region, or a part of one.

    Attributes:
        title: any text.
        codes: (L,) uint8, the bases there; 4 is N, which has no letter.
        values: (L,) height of each base, of either sign.
        start: position of the first base.
    """

    title: str
    codes: np.ndarray
    values: np.ndarray
    start: int


def write_logos(path: Path, title: str, logos: Sequence[Logo]) -> None:
    """Write logos below each other as one SVG file; all text in it is text, and none is markup.

    Args:
        path: file to write.
        title: of the whole figure, any text.
        logos: from top to bottom.
    """
    with mpl.rc_context(_STYLE):
        height = 0.7 + 1.15 * max(1, len(logos))
        figure = Figure(figsize=(10, height), layout="constrained")
        figure.suptitle(title, fontsize=10, fontweight="bold", parse_math=False)
        for row, logo in enumerate(logos):
            _draw(figure.add_subplot(len(logos), 1, row + 1), logo)
        canvas: Any = FigureCanvasSVG(figure)
        canvas.print_svg(path, metadata={"Date": None, "Creator": None, "Title": title})


def _draw(axes: Axes, logo: Logo) -> None:
    values = np.asarray(logo.values, float)
    visible = np.abs(values) > INVISIBLE * np.abs(values).max(initial=0.0)
    for base, colour in enumerate(COLOURS):
        places = np.flatnonzero((logo.codes == base) & visible)
        if len(places):
            outline = _letters("ACGT"[base], logo.start + places, values[places])
            axes.add_patch(PathPatch(outline, facecolor=colour, linewidth=0))
    axes.axhline(0, color="0.3", linewidth=0.6)
    axes.set_xlim(logo.start, logo.start + max(1, len(values)))
    low, high = min(0.0, values.min(initial=0.0)), max(0.0, values.max(initial=0.0))
    room = 0.05 * (high - low) or 1.0
    axes.set_ylim(low - (room if low else 0), high + room)
    axes.set_title(logo.title, loc="left", fontsize=8, parse_math=False)
    axes.set_ylabel("contribution")
    axes.ticklabel_format(axis="x", style="plain", useOffset=False)
    axes.locator_params(axis="y", nbins=4)


def _letters(letter: str, left: np.ndarray, heights: np.ndarray) -> Outline:
    """Return one outline of a letter at several places; below the axis where it is negative."""
    glyph = TextPath(
        (0, 0), letter, size=1, prop=FontProperties(family="DejaVu Sans", weight="bold")
    )
    corner, size = glyph.get_extents().min, glyph.get_extents().size
    unit = (glyph.vertices - corner) / size
    # negative letters stand upright below the axis: their feet are at the negative end
    scale = np.stack([np.full(len(left), 0.94), np.abs(heights)], axis=1)
    foot = np.stack([left + 0.03, np.minimum(heights, 0)], axis=1)
    vertices = unit[None] * scale[:, None] + foot[:, None]
    codes = np.tile(glyph.codes, len(left))
    return Outline(vertices.reshape(-1, 2), codes)
