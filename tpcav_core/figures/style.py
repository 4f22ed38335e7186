"""What all figures share: sizes, colours, names as text, and files that are the same bytes."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import matplotlib as mpl
import matplotlib.style
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from .. import files
from ..display import one_line
from .names import FORMATS

log = logging.getLogger("tpcav_core")
# it tells of every glyph that it embeds
logging.getLogger("fontTools").setLevel(logging.WARNING)
STYLE = Path(__file__).parent / "templates" / "paper.mplstyle"
#: widths of one and two columns of a journal, and the height of its page, in inches
SINGLE, DOUBLE, PAGE = (millimetres / 25.4 for millimetres in (89, 183, 240))
#: of Okabe and Ito: told apart by the common kinds of colour blindness, and by lightness in print
ORANGE, BLUE, DARK, LIGHT = "#d55e00", "#0072b2", "#404040", "#8c8c8c"
NULLS = {"permuted": "#cfcfcf", "random": "#dba22e"}
NULL_WORDS = {"permuted": "permuted motifs", "random": "random sets"}
#: verdicts by what is drawn: words, marker, colour
VERDICTS = {
    "raises": ("used, raises the output", "^", ORANGE),
    "lowers": ("used, lowers the output", "v", BLUE),
    "encoded": ("encoded, not seen as used", "o", DARK),
    "neither": ("neither", "o", LIGHT),
}
#: not what these formats would say of the time and of versions
_METADATA: dict[str, dict[str, Any]] = {
    "svg": {"Date": None, "Creator": None},
    "pdf": {"CreationDate": None, "Creator": None, "Producer": None},
}


@contextmanager
def styled(own: str | None = None) -> Iterator[None]:
    """Draw in the style of the figures, with settings of a style file of one's own over it."""
    styles = ["default", str(STYLE), *([own] if own else [])]
    with mpl.style.context(styles), warnings.catch_warnings(record=True) as found:
        warnings.simplefilter("always")
        yield
    missing = [one for one in found if "missing from font" in str(one.message)]
    if missing:
        log.info("the font has not all letters of the names: SVG has them, PDF has boxes")
    for one in found:
        if one not in missing:
            warnings.warn_explicit(one.message, one.category, one.filename, one.lineno)


def save(figure: Figure, stem: Path, title: str) -> None:
    """Write a figure as ``stem.svg`` and ``stem.pdf``, each whole or not at all."""
    # what was laid out for one format holds for the other
    figure.draw_without_rendering()
    figure.set_layout_engine("none")
    for ending in FORMATS:
        path = stem.with_name(f"{stem.name}.{ending}")
        with files.atomic(path) as temporary:
            metadata = {"Title": title, **_METADATA[ending]}
            figure.savefig(temporary, format=ending, metadata=metadata)


def place_title(*parts: object) -> str:
    """Return model, layer and target as a heading."""
    return " · ".join(one_line(part, 40) for part in parts)


def counted(n: int, what: str, shown: int | None = None) -> str:
    """Return a number of things in words, and how many of them are shown if not all."""
    words = f"{n:,} {what}{'' if n == 1 else 's'}"
    return words if shown is None or shown >= n else f"{shown} of {words}"


def legend_of(groups: list[str], *, encoded: bool = True) -> list[Line2D]:
    """Return a handle for each verdict that is there, in one order."""
    return [
        Line2D([], [], linestyle="none", markersize=4, label=words, **marker(key, encoded=encoded))
        for key, (words, _, _) in VERDICTS.items()
        if key in groups
    ]


def marker(group: str, *, encoded: bool = True) -> dict[str, Any]:
    """Return the look of a concept's marker: filled where it is encoded."""
    _, symbol, colour = VERDICTS[group]
    filled = encoded and group != "neither"
    return {
        "marker": symbol,
        "markerfacecolor": colour if filled else "white",
        "markeredgecolor": colour,
        "markeredgewidth": 0.7,
    }


def said(text: str, width: float = DOUBLE) -> Figure:
    """Return a figure that says in words why there is nothing to draw."""
    figure = new_figure(width, 40 / 25.4)
    axes: Axes = figure.add_subplot()
    axes.set_axis_off()
    axes.text(0.5, 0.5, text, ha="center", va="center", wrap=True)
    return figure


def new_figure(width: float, height: float) -> Figure:
    """Return a figure of a size in inches, at most a page high."""
    return Figure(figsize=(width, min(height, PAGE)), layout="constrained")
