"""Names beside points, moved apart; those that find no room are left out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from adjustText import adjust_text
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.transforms import Bbox

#: steps of moving names apart: a number of steps and no time, so that the result is one
_STEPS = 300
#: points that names keep off at most, and how far from their centre, in points (1/72 inch)
_OBSTACLES, _RADIUS = 200, 4.5


def name_points(
    figure: Figure, axes: Axes, points: np.ndarray, names: Sequence[str], others: np.ndarray
) -> None:
    """Write names beside points; call it last, since it fixes the layout of the figure.

    Args:
        figure: that the axes are in, maybe in a part of it.
        axes: with all else drawn.
        points: (n, 2), in units of the axes, the most important first.
        names: n of them.
        others: (m, 2), points that names keep off.
    """
    if not len(points):
        return
    figure.draw_without_rendering()
    figure.set_layout_engine("none")
    middle = sum(axes.get_xlim()) / 2
    sides = ["right" if x > middle else "left" for x, _ in points]
    texts = [
        axes.text(x, y, text, size=6, ha=side, va="center")
        for (x, y), text, side in zip(points, names, sides, strict=True)
    ]
    centres = axes.transData.transform(others[np.isfinite(others).all(axis=1)][:_OBSTACLES])
    half = _RADIUS * figure.dpi / 72
    adjust_text(
        texts,
        objects=[Bbox([centre - half, centre + half]) for centre in centres],
        target_x=points[:, 0],
        target_y=points[:, 1],
        ax=axes,
        iter_lim=_STEPS,
        expand=(1.1, 1.4),
        force_static=(0.4, 0.4),
        arrowprops={"arrowstyle": "-", "color": "0.5", "lw": 0.4, "shrinkA": 0, "shrinkB": 2},
    )
    kept: list[Any] = []
    for text in texts:
        box = text.get_window_extent()
        if any(box.overlaps(other) for other in kept):
            text.set_visible(False)
        else:
            kept.append(box)
