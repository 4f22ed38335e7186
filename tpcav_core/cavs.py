"""Concept activation vectors: a linear classifier of a concept against a control.

A classifier with an L2 penalty sees its data only through inner products, and embeddings
``[Vᵀz ; z − VVᵀz]`` have the inner products of standardised activations z. So it is trained either
on z itself or, where an example has more features than there are examples, from one Gram matrix
that cross-validation, replicates and variants share in parts (`coordinates`). The CAV is (d,) in
standardised coordinates; `basis.embed` gives its k + d values.
"""

from __future__ import annotations

from itertools import pairwise
from typing import NamedTuple

import numpy as np

from . import classifiers
from .classifiers import Classifier
from .coordinates import Coordinates, Direction
from .errors import InputError
from .splits import TEST

#: fewest examples of either class in any training fold or in the test part
FEWEST = 2
#: fewest training examples of a classifier that sets a tenth of them aside to stop early
FEWEST_TO_STOP_EARLY = 20


class CavFit(NamedTuple):
    """One classifier.

    Attributes:
        direction: the CAV.
        intercept: the decision is ``z·w + intercept``, above 0 for the concept.
        penalty: as given to the solver, see `classifiers`.
        relative_penalty: the element of the grid that was chosen.
        norm: length of the CAV.
        folds: number of folds of the cross-validation.
        decision: (n,) float64. Rows that train: out of fold, from the classifiers of the
            cross-validation at this penalty. Rows that test: from the final classifier.
        train_decision: (n,) float64, the final classifier on all rows.
    """

    direction: Direction
    intercept: float
    penalty: float
    relative_penalty: float
    norm: float
    folds: int
    decision: np.ndarray
    train_decision: np.ndarray


def fit_cav(
    coordinates: Coordinates,
    is_concept: np.ndarray,
    folds: np.ndarray,
    classifier: Classifier = Classifier(),  # noqa: B008  # immutable
    *,
    rng: np.random.Generator | None = None,
    name: str = "concept",
) -> CavFit:
    """Train a classifier; choose its penalty by cross-validation within the training part.

    Args:
        coordinates: n examples, by their features or their inner products.
        is_concept: (n,) bool, the positive class.
        folds: (n,) int, training fold of each example, `splits.TEST` for those that test.
        classifier: which one.
        rng: the random stream of classifiers that draw; None: always the same one.
        name: for error messages.

    Returns:
        The fit at the penalty that does best out of fold (`_loss`); of equally good ones the
        strongest.

    Raises:
        InputError: if the test part, or the training folds but one, have too few examples of either
            class. A training fold with too few is joined with a neighbour.
    """
    folds = _joined_folds(is_concept, folds)
    _check_classes(is_concept, folds, name)
    if classifier.kind == "sgd":
        _check_early_stopping(folds, name)
    rng = rng or np.random.default_rng(0)
    training = np.flatnonzero(folds != TEST)
    rows, labels = coordinates.rows(training), is_concept[training]
    grid = classifier.grid()
    unit_penalty = classifiers.scale(classifier, rows, labels)
    penalties = [relative * unit_penalty for relative in grid]
    out_of_fold = classifiers.out_of_fold(classifier, rows, labels, folds[training], penalties, rng)
    best = int(np.argmin([_loss(classifier, row, labels) for row in out_of_fold]))
    final = classifiers.solve(classifier, rows, labels, [penalties[best]], rng)
    direction = coordinates.direction(rows, training, final.weights[0])
    train_decision = coordinates.project(direction) + final.intercepts[0]
    decision = train_decision.copy()
    decision[training] = out_of_fold[best]
    return CavFit(
        direction,
        float(final.intercepts[0]),
        penalties[best],
        grid[best],
        float(np.linalg.norm(final.weights[0])),
        len(np.unique(folds[training])),
        decision,
        train_decision,
    )


def _loss(classifier: Classifier, decision: np.ndarray, is_concept: np.ndarray) -> float:
    """Return what a penalty is judged by, out of fold.

    Classifiers that estimate something (±1, a probability) are judged by how well they do, those of
    the hinge loss by how often they are right (docs/decisions/0015-classifiers.md has the figures).
    """
    signs = np.where(is_concept, 1.0, -1.0)
    if classifier.kind == "ridge":
        return float(np.square(signs - decision).mean())
    if classifier.kind == "logistic":
        return float(np.logaddexp(0, -signs * decision).mean())
    return float(((decision > 0) != is_concept).mean())


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


def _check_early_stopping(folds: np.ndarray, name: str) -> None:
    sizes = np.unique(folds[folds != TEST], return_counts=True)[1]
    smallest = int(sizes.sum() - sizes.max())
    if smallest < FEWEST_TO_STOP_EARLY:
        raise InputError(
            f"concept {name!r}: without one of its folds there are {smallest} examples to train on,"
            f" classifier sgd sets a tenth aside and needs {FEWEST_TO_STOP_EARLY}; raise"
            " examples.per_concept or choose another classifier"
        )
