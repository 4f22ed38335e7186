"""Steps of integrated gradients: as many as each example needs to be complete."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Protocol, TypeVar

import numpy as np

#: steps of integrated gradients, tried in turn until a batch is complete
STEPS = (32, 64, 128, 256, 512)
#: points on the path that go through the model at a time, per example
AT_ONCE = 8


class Explained(Protocol):
    """A named tuple of arrays, a row for each example, that knows its completeness errors."""

    def __iter__(self) -> Iterator[np.ndarray]:
        """Yield the columns."""

    def error(self) -> np.ndarray:
        """Return the completeness error of each row, (n,)."""


Found = TypeVar("Found", bound=Explained)


def until_complete(run: Callable[[np.ndarray, int], Found], n: int, largest_error: float) -> Found:
    """Run n rows with the first of `STEPS`, those that are not complete with the next, and so on.

    Args:
        run: takes numbers of rows, (m,) int64, and steps; returns a named tuple of m rows.
        n: number of rows.
        largest_error: that a row may have. Each is judged alone.

    Returns:
        What ``run`` returned last of each row.
    """
    rows = np.arange(n)
    found = run(rows, STEPS[0])
    rows = rows[found.error() > largest_error]
    if len(rows) == 0:
        return found
    whole = type(found)(*(np.array(column) for column in found))
    for steps in STEPS[1:]:
        part = run(rows, steps)
        for column, values in zip(whole, part, strict=True):
            column[rows] = values
        rows = rows[part.error() > largest_error]
        if len(rows) == 0:
            break
    return whole
