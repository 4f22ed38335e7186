"""Null CAVs: what the same procedure finds where there is nothing to find.

A *pool* of examples is cut at random, again and again, into one set that plays the concept and
several that play the replicates of its control; CAVs are then trained like those of a concept: as
many examples, the same folds by place, the same cross-validation of the penalty. One Gram matrix
holds the inner products of every null that can be cut from a pool.

Of random windows, these are the nulls that concepts are compared with: if a concept's examples are
random windows too, they and the controls are exchangeable, and so are its statistic and the nulls'.
Of the examples of a concept and its controls, mixed, they are the concept with shuffled labels.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from . import cavs, grams, metrics
from .classifiers import Classifier
from .coordinates import Coordinates, Dual, Primal, is_primal
from .directions import consensus, replicate_cosine
from .progress import Progress
from .seeds import generator
from .splits import TEST
from .training import Control, Examples, cut_to, used_parts


class Pool(NamedTuple):
    """Examples that nulls are cut from.

    Attributes:
        z: (m, d) float32, standardised activations.
        folds: (m,) int, training fold or `splits.TEST`.
        strata: (m,) int; every part that is cut has its share of each stratum.
        gram: (m, m) float64, inner products; None: classifiers are trained on z itself.
    """

    z: np.ndarray
    folds: np.ndarray
    strata: np.ndarray
    gram: np.ndarray | None


def make_pool(
    z: np.ndarray, folds: np.ndarray, size: int, norm: str = "l2", kinds: np.ndarray | None = None
) -> Pool:
    """Return the pool of m examples.

    Args:
        z: (m, d) float32, standardised activations.
        folds: (m,) int.
        size: examples of a part, which decides how CAVs are trained (`coordinates.is_primal`).
        norm: of the classifier's penalty.
        kinds: (m,) int; all parts get the same number of each kind. None: all are of one.
    """
    primal = is_primal(size, z.shape[1], norm)
    strata = folds if kinds is None else folds.astype(np.int64) * (kinds.max() + 1) + kinds
    return Pool(z, folds, strata, None if primal else grams.inner_products(z, z))


def train_nulls(
    pool: Pool,
    numbers: Sequence[int],
    size: int,
    *,
    replicates: int,
    classifier: Classifier = Classifier(),  # noqa: B008  # immutable
    seed: int = 0,
    name: str = "random",
) -> list[dict[str, Any]]:
    """Train null CAVs.

    Args:
        pool: m ≥ (1 + replicates) · size examples, see `make_pool`.
        numbers: which nulls: the same number is always the same null.
        size: examples of the null concept, and of each replicate of its control.
        replicates: of the control.
        classifier: that of the concepts.
        seed: the seed of the configuration.
        name: what the nulls are of; another name cuts other ones.

    Returns:
        A row per null: ``null`` (its number), ``n_concept``; each metric of `metrics.NAMES` with
        the prefix ``test_``, averaged over replicates; ``cav_cosine``; ``weights`` (d,), the unit
        consensus of the replicates' CAVs, and ``mean_difference`` (d,), averaged over replicates,
        both float64 in standardised coordinates.
    """
    progress = Progress("nulls", len(numbers))
    found = []
    for number in numbers:
        found.append(_train(pool, number, size, replicates, classifier, seed, name))
        progress.add()
    columns = np.stack([column for null in found for column in null.columns], axis=1)
    products = grams.combine(columns, [pool.z])
    rows = []
    for index, null in enumerate(found):
        direction, difference = products[2 * index], products[2 * index + 1]
        weights = null.weights if null.weights is not None else direction
        rows.append(null.row | {"weights": weights, "mean_difference": difference})
    return rows


def shuffled_labels(
    examples: Examples,
    control: Control,
    classifier: Classifier = Classifier(),  # noqa: B008  # immutable
    *,
    seed: int,
    name: str,
) -> dict[str, Any]:
    """Return the null that a concept becomes when labels are shuffled.

    The examples of the concept and of all replicates of its control are mixed and cut into as many
    sets again, each with the same share of the concept's: a difference between them is chance.

    Args:
        examples: of one variant of the concept, n.
        control: its replicates; of each as many examples are taken as for the concept's own CAVs.
        classifier: that of the concepts.
        seed: the seed of the configuration.
        name: id of the concept.

    Returns:
        A row as of `train_nulls`; ``n_concept`` is n, whose random nulls it is compared with.
    """
    examples = cut_to(examples, control)
    used = np.concatenate([part.rows for part in used_parts(examples, control)])
    z = np.empty((len(examples.z) + len(used), examples.z.shape[1]), np.float32)
    z[: len(examples.z)] = examples.z
    _fill(z[len(examples.z) :], control.rows(), used)
    folds = np.concatenate([examples.folds, np.concatenate([*control.folds.values()])[used]])
    kinds = (np.arange(len(z)) >= len(examples.z)).astype(np.int64)
    size, parts = len(examples.z), 1 + len(control.folds)
    pool = make_pool(z, folds, size, classifier.norm, kinds)
    (row,) = train_nulls(
        pool,
        [0],
        size,
        replicates=parts - 1,
        classifier=classifier,
        seed=seed,
        name=f"shuffled labels of {name}",
    )
    # rounding made the sets slightly smaller, as it did the random nulls of the concept's size
    return row | {"n_concept": size}


def _fill(z: np.ndarray, batches: Iterator[np.ndarray], chosen: np.ndarray) -> None:
    """Set z to the chosen ones (ascending numbers) of the rows of batches."""
    first = filled = 0
    for batch in batches:
        own = chosen[(chosen >= first) & (chosen < first + len(batch))] - first
        z[filled : filled + len(own)] = batch[own]
        first, filled = first + len(batch), filled + len(own)


class _Null(NamedTuple):
    """A null as combinations of the pool's rows: its CAV (zeros if given by weights), its means."""

    row: dict[str, Any]
    columns: tuple[np.ndarray, np.ndarray]
    weights: np.ndarray | None


def _train(
    pool: Pool,
    number: int,
    size: int,
    replicates: int,
    classifier: Classifier,
    seed: int,
    name: str,
) -> _Null:
    rng = generator(seed, "nulls", name, size, number)
    concept, *controls = cut(pool.strata, size, 1 + replicates, rng)
    directions, values = [], []
    means = np.zeros(len(pool.folds))
    means[concept] = 1 / len(concept)
    for control in controls:
        chosen = np.concatenate([concept, control])
        is_concept = np.arange(len(chosen)) < len(concept)
        coordinates: Coordinates
        if pool.gram is not None:
            coordinates = Dual(pool.gram[np.ix_(chosen, chosen)])
        else:
            coordinates = Primal(pool.z[chosen].astype(float))
        folds = pool.folds[chosen]
        fit = cavs.fit_cav(coordinates, is_concept, folds, classifier, rng=rng, name="null")
        means[control] -= 1 / len(control) / replicates
        test = folds == TEST
        values.append(metrics.classification_metrics(is_concept[test], fit.decision[test]))
        direction = np.zeros(len(pool.folds))
        if fit.direction.dual is not None:
            direction[chosen] = fit.direction.dual
        else:
            direction = fit.direction.weights  # type: ignore[assignment]
        directions.append(direction)
    dual, weights, cosine = _consensus(np.stack(directions), pool.gram)
    row = {
        "null": number,
        "n_concept": len(concept),
        "cav_cosine": cosine,
        **{f"test_{key}": float(np.mean([one[key] for one in values])) for key in metrics.NAMES},
    }
    return _Null(row, (np.zeros_like(means) if dual is None else dual, means), weights)


def _consensus(
    directions: np.ndarray, gram: np.ndarray | None
) -> tuple[np.ndarray | None, np.ndarray | None, float]:
    """Return the consensus of (r, m) combinations of rows or (r, d) weights, and the mean cosine.

    Lengths and cosines of combinations α follow from the inner products K of the rows: ``αᵀKβ``.
    """
    if gram is None:
        return None, consensus(directions), replicate_cosine(directions)
    products = directions @ gram @ directions.T
    length = np.sqrt(np.maximum(np.diag(products), 0.0))
    units = directions / np.where(length > 0, length, 1.0)[:, None]
    cosines = products / np.where(np.outer(length, length) > 0, np.outer(length, length), 1.0)
    mean = units.mean(axis=0)
    norm = float(np.sqrt(max(cosines.mean(), 0.0)))
    pairs = cosines[np.triu_indices(len(cosines), 1)]
    return mean / (norm or 1.0), None, float(pairs.mean()) if len(pairs) else float("nan")


def cut(strata: np.ndarray, size: int, parts: int, rng: np.random.Generator) -> list[np.ndarray]:
    """Cut examples at random into parts of equal size, each with its share of every stratum.

    Args:
        strata: (m,) int.
        size: examples of a part, at most m // parts.
        parts: how many.
        rng: the random stream.

    Returns:
        (≤ size,) numbers of rows each, disjoint; all parts have the same number from every stratum.
    """
    names, counts = np.unique(strata, return_counts=True)
    wanted = counts * min(size / len(strata), 1 / parts)
    shares = np.floor(wanted + 1e-9).astype(int)
    # what is lacking comes from the strata that rounding took most from, if they have enough
    for place in np.argsort(shares - wanted, kind="stable")[: size - int(shares.sum())]:
        shares[place] += parts * (shares[place] + 1) <= counts[place]
    found: list[list[np.ndarray]] = [[] for _ in range(parts)]
    for name, each in zip(names, shares, strict=True):
        rows = rng.permutation(np.flatnonzero(strata == name))
        for part, own in enumerate(found):
            own.append(rows[part * each : (part + 1) * each])
    return [np.sort(np.concatenate(own)) for own in found]
