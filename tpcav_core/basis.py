"""The basis of a layer: mean, standard deviation and principal components of its activations.

Two parts with different uses. The *scaling* (μ, σ) enters every CAV. The *components* (V) only
enter the published |Δ| attributions: an L2 linear classifier sees embeddings through inner
products, and ``[Vᵀz ; z − VVᵀz]`` has the inner products of z (docs/method.md). Changing the
number of components therefore retrains nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal, NamedTuple

import numpy as np

from .errors import InputError

#: columns handled at a time: keeps the float64 copy of a wide sample small
BLOCK = 4096
#: components whose eigenvalue is below this share of the largest are numerical noise
NEGLIGIBLE = 1e-9
#: a feature whose deviation is at most this share of its mean, or of the typical one, is constant
_SILENT = 1e-6


class Scaling(NamedTuple):
    """Per-feature standardisation ``z = (y - mean) / std``.

    Attributes:
        mean: (d,) float32.
        std: (d,) float32, population standard deviation; 1 for features that do not vary.
    """

    mean: np.ndarray
    std: np.ndarray

    def apply(self, activations: np.ndarray, out: np.ndarray | None = None) -> np.ndarray:
        """Return z, (n, d) float32, of activations y (n, d); in ``out`` if it is given."""
        z: np.ndarray = np.subtract(activations, self.mean, out=out, dtype=np.float32)
        z /= self.std
        return z


class Components(NamedTuple):
    """Principal components of standardised activations.

    Attributes:
        vectors: V, (d, k) float32, orthonormal columns, of decreasing variance. The sign of each
            is fixed so that its largest entry is positive; no statistic may depend on it.
        variances: (k,) float64, variance of the sample along each.
        total_variance: variance of the sample in all directions.
    """

    vectors: np.ndarray
    variances: np.ndarray
    total_variance: float


def fit_scaling(sample: np.ndarray) -> Scaling:
    """Fit mean and standard deviation.

    Args:
        sample: (n, d) float32 activations, n ≥ 2.

    Returns:
        The `Scaling`. Sums are in float64.
    """
    if len(sample) < 2:
        raise InputError(f"the basis needs at least 2 examples, got {len(sample)}")
    mean = sample.mean(axis=0, dtype=np.float64)
    std = np.empty_like(mean)
    for first in range(0, sample.shape[1], BLOCK):
        block = slice(first, first + BLOCK)
        std[block] = (sample[:, block] - mean[block]).std(axis=0)
    # a unit that is all but silent in the sample would be blown up by what little it does elsewhere
    typical = float(np.median(std[std > 0])) if (std > 0).any() else 0.0
    constant = std <= _SILENT * np.maximum(np.abs(mean), typical)
    std[constant] = 1.0
    return Scaling(mean.astype(np.float32), std.astype(np.float32))


def no_scaling(d: int) -> Scaling:
    """Return the scaling that leaves d features as they are: plain TCAV."""
    return Scaling(np.zeros(d, np.float32), np.ones(d, np.float32))


def fit_components(
    sample: np.ndarray, scaling: Scaling, number: int | Literal["full"] = "full"
) -> Components:
    """Fit the principal components of the standardised sample.

    With fewer examples than features the eigenvectors ``u`` of the (n, n) Gram matrix ``ZZᵀ``
    give the components as ``Zᵀu/√λ``; no (n, d) singular value decomposition is made.

    Args:
        sample: (n, d) float32 activations.
        scaling: their standardisation.
        number: k, or "full" for all of non-negligible variance. 0 gives no components.

    Raises:
        InputError: if more components are asked than the sample has.
    """
    n, d = sample.shape
    dual = n <= d
    product = _gram(sample, scaling) if dual else _covariance(sample, scaling)
    total = float(np.trace(product)) / n
    if number == 0:
        return Components(np.zeros((d, 0), np.float32), np.zeros(0), total)
    # here, because steps that only standardise start without it
    import scipy.linalg

    eigenvalues, eigenvectors = scipy.linalg.eigh(product, overwrite_a=True, check_finite=False)
    eigenvalues, eigenvectors = eigenvalues[::-1], eigenvectors[:, ::-1]
    rank = int((eigenvalues > NEGLIGIBLE * max(eigenvalues[0], 0.0)).sum())
    k = rank if number == "full" else number
    if k > rank:
        raise InputError(
            f"basis.components is {k}, but the sample of {n} examples x {d} features has only"
            f" {rank} components of non-negligible variance; ask for fewer or 'full'"
        )
    vectors = eigenvectors[:, :k]
    if dual:
        vectors = _to_features(sample, scaling, vectors / np.sqrt(eigenvalues[:k]))
    vectors = np.ascontiguousarray(vectors, dtype=np.float32)
    return Components(_fix_signs(vectors), eigenvalues[:k] / n, total)


def _blocks(sample: np.ndarray, scaling: Scaling) -> Iterator[tuple[slice, np.ndarray]]:
    for first in range(0, sample.shape[1], BLOCK):
        block = slice(first, first + BLOCK)
        yield block, (sample[:, block] - scaling.mean[block].astype(float)) / scaling.std[block]


def _gram(sample: np.ndarray, scaling: Scaling) -> np.ndarray:
    gram = np.zeros((len(sample), len(sample)))
    for _, z in _blocks(sample, scaling):
        gram += z @ z.T
    return gram


def _covariance(sample: np.ndarray, scaling: Scaling) -> np.ndarray:
    z = (sample - scaling.mean.astype(float)) / scaling.std
    return np.asarray(z.T @ z)


def _to_features(sample: np.ndarray, scaling: Scaling, duals: np.ndarray) -> np.ndarray:
    vectors = np.empty((sample.shape[1], duals.shape[1]), np.float32)
    for block, z in _blocks(sample, scaling):
        vectors[block] = z.T @ duals
    return vectors


def _fix_signs(vectors: np.ndarray) -> np.ndarray:
    # max and min read the matrix row by row; argmax of its absolute values would copy it first
    if len(vectors):
        vectors *= np.where(-vectors.min(axis=0) > vectors.max(axis=0), -1, 1).astype(np.float32)
    return vectors


def embed(z: np.ndarray, components: np.ndarray) -> np.ndarray:
    """Return the embeddings ``e = [Vᵀz ; z − VVᵀz]``.

    Args:
        z: (n, d) standardised activations, or CAVs in standardised coordinates (docs/method.md).
        components: V, (d, k).

    Returns:
        (n, k + d).
    """
    k = components.shape[1]
    projected = z @ components
    explained = projected @ components.T
    found = np.empty((len(z), k + z.shape[1]), explained.dtype)
    found[:, :k] = projected
    np.subtract(z, explained, out=found[:, k:])
    return found


def reconstruct(embeddings: np.ndarray, components: np.ndarray) -> np.ndarray:
    """Return z (n, d) from embeddings (n, k + d); the inverse of `embed`."""
    k = components.shape[1]
    return np.asarray(embeddings[:, :k] @ components.T + embeddings[:, k:])
