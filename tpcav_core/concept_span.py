"""The part of the multipliers at a layer that lies along the directions of chosen concepts.

In embedding coordinates ``e = J z``, ``J = [Vᵀ ; I − VVᵀ]``, that part is ``Jᵀ Q Qᵀ m_e`` with
``Q`` the orthonormalised embeddings ``J ŵ`` of the CAVs. Two facts remove the basis from it:

* ``JᵀJ = VVᵀ + (I − VVᵀ)² = I``. So ``Q = J Q_z``, with ``Q_z`` the orthonormalised CAVs in
  standardised coordinates;
* ``Jᵀ m_e = m_z`` both for the chain-rule multipliers ``[Vᵀm_z ; m_z]`` and for the embedded ones
  ``[Vᵀm_z ; m_z − VVᵀm_z]``, so that either makes the whole exact, and ``Qᵀ m_e = Q_zᵀ m_z``.

What is left is ``Q_z Q_zᵀ m_z``: two matrix products, the same for every number of components, and
the complement is ``m_z`` minus it.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from .basis import Scaling
from .directions import unit
from .errors import InputError

#: directions whose singular value is below this share of the largest depend on the others
DEPENDENT = 1e-5


def span(directions: np.ndarray) -> np.ndarray:
    """Return an orthonormal basis of the span of CAVs.

    Args:
        directions: (c, d) CAVs in standardised coordinates, any lengths.

    Returns:
        (d, r) float64, r ≤ c: directions that depend on the others are dropped.

    Raises:
        InputError: if all are zero.
    """
    _, sizes, rows = np.linalg.svd(unit(directions.astype(float)), full_matrices=False)
    if not sizes[0] > 0:
        raise InputError(f"the CAVs of all {len(directions)} concepts are zero; choose others")
    return np.ascontiguousarray(rows[sizes > DEPENDENT * sizes[0]].T)


class Restriction(NamedTuple):
    """How multipliers at a layer are restricted.

    Attributes:
        basis: (d, r), orthonormal columns in standardised coordinates.
        scaling: the layer's standardisation.
        complement: keep what lies across the directions, not what lies along them.
    """

    basis: np.ndarray
    scaling: Scaling
    complement: bool = False

    def apply(self, multipliers: np.ndarray, rows: slice = slice(None)) -> np.ndarray:
        """Return the restricted multipliers.

        Args:
            multipliers: (n, d), in the layer's own coordinates.
            rows: which pairs they are of; the same for all here.

        Returns:
            (n, d) float64, in the layer's own coordinates too: ``(Q Qᵀ (σ∘m)) / σ``, or what it
            lacks to the whole.
        """
        m_z = multipliers * self.scaling.std.astype(float)
        along = (m_z @ self.basis) @ self.basis.T
        return np.asarray((m_z - along if self.complement else along) / self.scaling.std)


class OwnDirections(NamedTuple):
    """One direction for each of n pairs, along which the multipliers of that pair are kept.

    Attributes:
        directions: (n, d), unit CAVs in standardised coordinates.
        scaling: the layer's standardisation.
    """

    directions: np.ndarray
    scaling: Scaling

    def apply(self, multipliers: np.ndarray, rows: slice = slice(None)) -> np.ndarray:
        """Return what `Restriction` does with the one direction of each pair.

        Args:
            multipliers: (m, d), in the layer's own coordinates.
            rows: the m pairs they are of.
        """
        own = self.directions[rows].astype(float)
        std = self.scaling.std.astype(float)
        along = np.einsum("ij,ij->i", multipliers * std, own)
        return np.asarray(along[:, None] * own / std)


def region_scores(multipliers: np.ndarray, change: np.ndarray, direction: np.ndarray) -> np.ndarray:
    """Return what one concept by itself adds to the output in each region.

    Args:
        multipliers: σ∘m, (n, d), in standardised coordinates.
        change: ``z(x) − z(b)``, (n, d), of the targets against their baselines.
        direction: (d,), unit CAV ŵ in standardised coordinates.

    Returns:
        (n,), ``(σ∘m·ŵ) (ŵ·(z(x) − z(b)))``: the score of the contributions of this concept alone.
    """
    return np.asarray((multipliers @ direction) * (change @ direction))
