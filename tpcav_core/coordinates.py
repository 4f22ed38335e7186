"""Examples in the coordinates in which a linear classifier is solved.

With fewer features than training examples (*primal*) these are the standardised activations
themselves. With more (*dual*) they are the rows of a Cholesky factor of the Gram matrix: n numbers
an example instead of d, with the same inner products, which is all that a classifier with an L2
penalty sees. Its weights c there are the weights ``w = Zᵀ dual``, ``dual = F⁻ᵀ c``, in standardised
coordinates.
"""

from __future__ import annotations

from typing import NamedTuple, Protocol

import numpy as np

#: added to the diagonal of a Gram matrix, as a share of its mean, so that duplicated or dependent
#: rows have a factor; the rounding of float32 products is of this size
JITTER = 1e-7


def is_primal(n: int, d: int, norm: str) -> bool:
    """Return whether a classifier is solved on features, not on inner products.

    Args:
        n: examples of the concept, and of its control.
        d: features of an example.
        norm: of the penalty; another than l2 sees more than inner products.
    """
    return d <= 2 * n or norm != "l2"


class Rows(NamedTuple):
    """Training examples as a solver sees them.

    Attributes:
        features: (n, r) float64.
        gram: (n, n) float64, their inner products where they are known anyway (dual); else None.
    """

    features: np.ndarray
    gram: np.ndarray | None = None

    def take(self, chosen: np.ndarray) -> Rows:
        """Return some of the rows, by number."""
        gram = None if self.gram is None else self.gram[np.ix_(chosen, chosen)]
        return Rows(self.features[chosen], gram)


class Direction(NamedTuple):
    """A CAV, in whichever of the two forms is the short one.

    Attributes:
        dual: (n,) float64, the CAV is ``Zᵀ dual``, 0 for rows that do not train; or None.
        weights: (d,) float64, the CAV itself in standardised coordinates; or None.
    """

    dual: np.ndarray | None
    weights: np.ndarray | None


class Coordinates(Protocol):
    """n examples, of which some train."""

    def rows(self, training: np.ndarray) -> Rows:
        """Return the training examples, by number."""

    def direction(self, rows: Rows, training: np.ndarray, weights: np.ndarray) -> Direction:
        """Return the CAV of weights (r,) that were found on ``rows``."""

    def project(self, direction: Direction) -> np.ndarray:
        """Return (n,) ``z·w`` of all examples."""


class Primal(NamedTuple):
    """Examples by their features.

    Attributes:
        z: (n, d) standardised activations.
    """

    z: np.ndarray

    def rows(self, training: np.ndarray) -> Rows:
        """Return the training examples."""
        return Rows(self.z[training])

    def direction(self, rows: Rows, training: np.ndarray, weights: np.ndarray) -> Direction:
        """Return the CAV: the weights are in its coordinates already."""
        return Direction(None, weights)

    def project(self, direction: Direction) -> np.ndarray:
        """Return (n,) ``z·w``."""
        return np.asarray(self.z @ direction.weights)


class Dual(NamedTuple):
    """Examples by their inner products.

    Attributes:
        gram: (n, n) float64.
    """

    gram: np.ndarray

    def rows(self, training: np.ndarray) -> Rows:
        """Return the training examples as rows of a Cholesky factor of their Gram matrix."""
        block = self.gram[np.ix_(training, training)]
        return Rows(_factor(block), block)

    def direction(self, rows: Rows, training: np.ndarray, weights: np.ndarray) -> Direction:
        """Return the CAV as a combination of the training examples."""
        dual = np.zeros(len(self.gram))
        dual[training] = np.linalg.solve(rows.features.T, weights)
        return Direction(dual, None)

    def project(self, direction: Direction) -> np.ndarray:
        """Return (n,) ``z·w``."""
        return np.asarray(self.gram @ direction.dual)


def _factor(gram: np.ndarray) -> np.ndarray:
    """Return F, lower triangular, with ``F Fᵀ = gram`` up to the jitter."""
    jitter = JITTER * (gram.trace() / len(gram) or 1.0)
    while True:
        raised = gram.copy()
        raised.flat[:: len(gram) + 1] += jitter
        try:
            return np.linalg.cholesky(raised)
        except np.linalg.LinAlgError:
            jitter *= 10
