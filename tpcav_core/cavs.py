"""Concept activation vectors: an exact linear classifier of a concept against a control.

A linear support vector machine sees its data only through inner products, and embeddings
``[Vᵀz ; z − VVᵀz]`` have the inner products of standardised activations z. So it is solved in the
dual, from one Gram matrix that cross-validation, replicates and variants share in parts, and the
CAV is ``w = Zᵀα``: (d,) in standardised coordinates, `basis.embed` gives its k + d values.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from sklearn.svm import SVC

from .errors import InputError
from .splits import TEST

#: penalties tried, as multiples of 1 / (mean of the Gram matrix's diagonal): one scale fits all d.
#: Below the first every example is a support vector at its bound, and the CAV is the difference of
#: the class means whatever the penalty; at the last the margin is all but hard.
GRID = tuple(10.0**power for power in range(-4, 2))
#: fewest examples of either class in any training fold or in the test part
FEWEST = 2


class CavFit(NamedTuple):
    """One classifier, in the dual.

    Attributes:
        dual: (n,) float64; the CAV is ``Zᵀ dual``. 0 for rows that do not train.
        intercept: the decision is ``z·w + intercept``, above 0 for the concept.
        penalty: C of the support vector machine, as given to the solver.
        relative_penalty: the same as a multiple of 1 / mean diagonal; an element of the grid.
        decision: (n,) float64. Rows that train: out of fold, from the classifiers of the
            cross-validation at this penalty. Rows that test: from the final classifier.
        train_decision: (n,) float64, the final classifier on all rows.
    """

    dual: np.ndarray
    intercept: float
    penalty: float
    relative_penalty: float
    decision: np.ndarray
    train_decision: np.ndarray


def fit_cav(
    gram: np.ndarray,
    is_concept: np.ndarray,
    folds: np.ndarray,
    *,
    grid: Sequence[float] = GRID,
    name: str = "concept",
) -> CavFit:
    """Train a hinge-loss, L2-penalised classifier; choose its penalty by cross-validation.

    Args:
        gram: (n, n) float64, inner products of standardised activations.
        is_concept: (n,) bool, the positive class.
        folds: (n,) int, training fold of each row, `splits.TEST` for rows that test.
        grid: penalties relative to 1 / mean diagonal of the training part of ``gram``.
        name: for error messages.

    Returns:
        The fit at the penalty of best out-of-fold accuracy; of equally good ones the smallest,
        which has the widest margin.

    Raises:
        InputError: if the test part, or the training folds but one, have too few examples of either
            class. A training fold with too few is joined with a neighbour.
    """
    folds = _joined_folds(is_concept, folds)
    _check_classes(is_concept, folds, name)
    training = np.flatnonzero(folds != TEST)
    scale = float(gram[training, training].mean()) or 1.0
    out_of_fold = np.empty((len(grid), len(folds)))
    for fold in np.unique(folds[training]):
        fit_rows = np.flatnonzero((folds != TEST) & (folds != fold))
        held_out = np.flatnonzero(folds == fold)
        block, cross = gram[np.ix_(fit_rows, fit_rows)], gram[np.ix_(held_out, fit_rows)]
        for index, relative in enumerate(grid):
            dual, intercept = _solve(block, is_concept[fit_rows], relative / scale)
            out_of_fold[index, held_out] = cross @ dual + intercept
    right = (out_of_fold[:, training] > 0) == is_concept[training]
    best = int(right.mean(axis=1).argmax())
    return _final_fit(gram, is_concept, folds, scale, grid[best], out_of_fold[best])


def _final_fit(
    gram: np.ndarray,
    is_concept: np.ndarray,
    folds: np.ndarray,
    scale: float,
    relative: float,
    out_of_fold: np.ndarray,
) -> CavFit:
    training = np.flatnonzero(folds != TEST)
    dual = np.zeros(len(folds))
    dual[training], intercept = _solve(
        gram[np.ix_(training, training)], is_concept[training], relative / scale
    )
    final = gram @ dual + intercept
    decision = np.where(folds == TEST, final, out_of_fold)
    return CavFit(dual, intercept, relative / scale, relative, decision, final)


def _solve(gram: np.ndarray, is_concept: np.ndarray, penalty: float) -> tuple[np.ndarray, float]:
    """Return (signed dual coefficients, intercept) of the support vector machine.

    Folds hold slightly different numbers of either class; balanced weights keep a strong penalty
    from calling everything the larger class.
    """
    machine = SVC(C=penalty, kernel="precomputed", class_weight="balanced", cache_size=500)
    machine.fit(gram, is_concept.astype(np.int8))
    dual = np.zeros(len(is_concept))
    dual[machine.support_] = machine.dual_coef_[0]
    return dual, _best_intercept(gram @ dual, is_concept)


def _best_intercept(projection: np.ndarray, is_concept: np.ndarray) -> float:
    """Return the intercept that minimises the balanced hinge loss of a given direction.

    The loss is piecewise linear in the intercept and can be flat (it is when every support vector
    is at its bound; the solver then returns an arbitrary point). Of equally good intercepts the
    one nearest to the midpoint between the class means is taken.

    Args:
        projection: (n,) ``z·w``.
        is_concept: (n,) bool.
    """
    signs = np.where(is_concept, 1.0, -1.0)
    weights = np.where(is_concept, 0.5 / is_concept.mean(), 0.5 / (~is_concept).mean())
    kinks = signs - projection
    order = np.argsort(kinks, kind="stable")
    slopes = np.cumsum(weights[order]) - weights[is_concept].sum()
    tolerance = 1e-9 * weights.sum()
    low = kinks[order][np.searchsorted(slopes, -tolerance)]
    high = kinks[order][min(np.searchsorted(slopes, tolerance), len(kinks) - 1)]
    middle = -(projection[is_concept].mean() + projection[~is_concept].mean()) / 2
    return float(np.clip(middle, low, high))


def _joined_folds(is_concept: np.ndarray, folds: np.ndarray) -> np.ndarray:
    """Return the folds (n,), those with too few examples of a class joined with a neighbour.

    Regions of a small concept can leave a fold almost empty; joining keeps places together.
    """
    joined = folds.copy()
    numbers = np.unique(folds[folds != TEST]).tolist()
    for number, neighbour in [*pairwise(numbers), *pairwise(numbers[::-1])]:
        there = is_concept[joined == number]
        if len(there) and min(there.sum(), (~there).sum()) < FEWEST:
            joined[joined == number] = neighbour
    return joined


def _check_classes(is_concept: np.ndarray, folds: np.ndarray, name: str) -> None:
    for fold in np.unique(folds):
        there = is_concept[folds == fold]
        fewest = min(int(there.sum()), int((~there).sum()))
        if fewest < FEWEST:
            part = "the test part" if fold == TEST else f"training fold {fold}"
            raise InputError(
                f"concept {name!r}: {part} has {int(there.sum())} concept and"
                f" {int((~there).sum())} control examples, at least {FEWEST} of each are needed;"
                " raise examples.per_concept or lower split.folds"
            )
    if TEST not in folds or len(np.unique(folds)) < 3:
        raise InputError(
            f"concept {name!r}: a test part and at least 2 training folds are needed, each with"
            f" {FEWEST} or more examples of either class; raise examples.per_concept or check split"
        )


def consensus(cavs: np.ndarray) -> np.ndarray:
    """Return the mean direction of replicate CAVs.

    Args:
        cavs: (r, d), one row per control replicate, any lengths.

    Returns:
        (d,) of unit length, the mean of the unit CAVs rescaled (zeros if they cancel).
    """
    mean = unit(cavs).mean(axis=0)
    return np.asarray(unit(mean[None])[0])


def unit(rows: np.ndarray) -> np.ndarray:
    """Return ``rows`` (n, d) scaled to unit length; zero rows stay zero."""
    length = np.linalg.norm(rows, axis=1, keepdims=True)
    return np.asarray(rows / np.where(length > 0, length, 1.0))


def replicate_cosine(cavs: np.ndarray) -> float:
    """Return the mean cosine between replicate CAVs (r, d); NaN for a single one."""
    if len(cavs) < 2:
        return float("nan")
    directions = unit(cavs)
    cosines = directions @ directions.T
    return float(cosines[np.triu_indices(len(cavs), 1)].mean())
