"""Linear classifiers of a concept against a control, solved at one or several penalties.

All but `pattern` and `sgd` minimise ``½‖w‖² + C Σ sᵢ loss(yᵢ, xᵢ·w + b)`` (``‖w‖₁`` with norm l1),
y = 1 for the concept and -1 for the control, with weights s that give both classes the same sum.
The intercept b is never penalised.

scikit-learn is imported where it solves something: the default is a linear system, and a process is
started per concept. All linear algebra is numpy's: scipy brings a second OpenBLAS, and the threads
of two that take turns wait for each other (measured: twice the time on two cores).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal, NamedTuple

import numpy as np

from .coordinates import Rows

Norm = Literal["l2", "l1"]
#: up to so many rows libsvm on inner products is faster than liblinear on features, however few of
#: those there are: 0.8 s against 5.7 s for a whole cross-validation of 1,600 x 128
GRAM_ROWS = 4000


class Path(NamedTuple):
    """Solutions, one per penalty.

    Attributes:
        weights: (p, r) float64.
        intercepts: (p,) float64.
    """

    weights: np.ndarray
    intercepts: np.ndarray

    def decisions(self, features: np.ndarray) -> np.ndarray:
        """Return (p, n): above 0 for what is called the concept, of features (n, r)."""
        return np.asarray(self.weights @ features.T + self.intercepts[:, None])


def each(penalties: Sequence[float], fit: Callable[[float], tuple[np.ndarray, float]]) -> Path:
    """Return the path of a function that gives weights and intercept at a penalty."""
    weights, intercepts = zip(*map(fit, penalties), strict=True)
    return Path(np.stack(weights), np.array(intercepts))


def balance(is_concept: np.ndarray) -> np.ndarray:
    """Return weights (n,) of mean 1 that sum to the same in both classes."""
    return np.asarray(np.where(is_concept, 0.5 / is_concept.mean(), 0.5 / (~is_concept).mean()))


def ridge(
    rows: Rows, is_concept: np.ndarray, penalties: Sequence[float], balance: np.ndarray
) -> Path:
    """Least squares to ±1, loss ½(y − f)²: in closed form, one linear system per penalty.

    With balanced weights its direction is that of linear discriminant analysis with a covariance
    within classes that is shrunken towards the identity, and its intercept halves the way between
    the class means (Hastie, Tibshirani, Friedman, The Elements of Statistical Learning, ex. 4.2).
    """
    root, share = np.sqrt(balance), balance / balance.sum()
    signs = np.where(is_concept, 1.0, -1.0)
    centre, level = share @ rows.features, share @ signs
    scaled = (rows.features - centre) * root[:, None]
    target = (signs - level) * root
    wide = len(scaled) < scaled.shape[1] or rows.gram is not None
    if rows.gram is not None:
        to_centre = rows.gram @ share
        product = rows.gram - to_centre - to_centre[:, None] + share @ to_centre
        product *= root * root[:, None]
    else:
        product = scaled @ scaled.T if wide else scaled.T @ scaled
    right = target if wide else scaled.T @ target

    def fit(penalty: float) -> tuple[np.ndarray, float]:
        system = product.copy()
        system.flat[:: len(system) + 1] += 1 / penalty
        found = np.linalg.solve(system, right)
        weights = found @ scaled if wide else found
        return weights, float(level - centre @ weights)

    return each(penalties, fit)


def ridge_out_of_fold(
    gram: np.ndarray, is_concept: np.ndarray, folds: np.ndarray, penalties: Sequence[float]
) -> np.ndarray:
    """Return the decisions of `out_of_fold`, from one eigendecomposition for all folds.

    The fit on all rows is ``α = P y`` with ``P = A⁻¹ − A⁻¹11ᵀA⁻¹/1ᵀA⁻¹1``, ``A = K + diag(1/Cs)``.
    Without the rows of a fold F the residual of those rows is ``P_FF⁻¹ α_F``, exactly (An, Liu,
    Venkatesh 2007, doi 10.1016/j.patcog.2006.12.015).
    """
    root = np.sqrt(balance(is_concept))
    signs = np.where(is_concept, 1.0, -1.0)
    values, vectors = np.linalg.eigh(gram * root * root[:, None])
    ones, target = root @ vectors, (root * signs) @ vectors
    decisions = np.empty((len(penalties), len(folds)))
    for row, penalty in zip(decisions, penalties, strict=True):
        inverse = 1 / (np.maximum(values, 0) + 1 / penalty)
        of_ones, total = vectors @ (inverse * ones), ones @ (inverse * ones)
        dual = vectors @ (inverse * target) - of_ones * ((ones * inverse) @ target / total)
        halves = vectors * np.sqrt(inverse)
        for fold in np.unique(folds):
            there = folds == fold
            part = halves[there]
            block = part @ part.T - np.outer(of_ones[there], of_ones[there]) / total
            row[there] = signs[there] - np.linalg.solve(block, dual[there]) / root[there]
    return decisions


def svm(rows: Rows, is_concept: np.ndarray, penalty: float) -> tuple[np.ndarray, float]:
    """Hinge loss: from the Gram matrix, or by coordinates where there are many rows."""
    if rows.gram is not None or len(rows.features) <= GRAM_ROWS:
        from sklearn.svm import SVC

        gram = rows.features @ rows.features.T if rows.gram is None else rows.gram
        machine = SVC(
            C=penalty, kernel="precomputed", class_weight="balanced", cache_size=500, tol=1e-5
        )
        machine.fit(gram, is_concept.astype(np.int8))
        weights = machine.dual_coef_[0] @ rows.features[machine.support_]
    else:
        from sklearn.svm import LinearSVC

        # liblinear penalises the intercept: hardly, where classes are centred and the scale is wide
        centred = rows.features - balance(is_concept) @ rows.features / len(is_concept)
        length = float(np.sqrt(np.square(centred).sum() / len(centred)))
        machine = LinearSVC(
            C=penalty,
            loss="hinge",
            class_weight="balanced",
            intercept_scaling=3 * length or 1.0,
            tol=1e-5,
            max_iter=1_000_000,
            random_state=0,
        )
        machine.fit(centred, is_concept.astype(np.int8))
        weights = machine.coef_[0]
    return weights, best_intercept(rows.features @ weights, is_concept)


def best_intercept(projection: np.ndarray, is_concept: np.ndarray) -> float:
    """Return the intercept that minimises the balanced hinge loss of a given direction.

    The loss is piecewise linear in the intercept and can be flat (it is when every support vector
    is at its bound; the solver then returns an arbitrary point). Of equally good intercepts the
    one nearest to the midpoint between the class means is taken.

    Args:
        projection: (n,) ``z·w``.
        is_concept: (n,) bool.
    """
    signs = np.where(is_concept, 1.0, -1.0)
    weights = balance(is_concept)
    kinks = signs - projection
    order = np.argsort(kinks, kind="stable")
    slopes = np.cumsum(weights[order]) - weights[is_concept].sum()
    tolerance = 1e-9 * weights.sum()
    low = kinks[order][np.searchsorted(slopes, -tolerance)]
    high = kinks[order][min(np.searchsorted(slopes, tolerance), len(kinks) - 1)]
    return float(np.clip(_midpoint(projection, is_concept), low, high))


def _midpoint(projection: np.ndarray, is_concept: np.ndarray) -> float:
    """Return the intercept of a plane half way between the class means."""
    return -float(projection[is_concept].mean() + projection[~is_concept].mean()) / 2


def logistic(
    rows: Rows,
    is_concept: np.ndarray,
    penalties: Sequence[float],
    norm: Norm,
    rng: np.random.Generator,
) -> Path:
    """Logistic loss; each solution starts from that of the next stronger penalty."""
    from sklearn.linear_model import LogisticRegression

    lasso = norm == "l1"
    machine = LogisticRegression(
        l1_ratio=1.0 if lasso else 0.0,
        solver="saga" if lasso else "lbfgs",
        tol=1e-4 if lasso else 1e-5,
        max_iter=10_000,
        class_weight="balanced",
        warm_start=True,
        random_state=int(rng.integers(2**31)),
    )
    found = {}
    for penalty in sorted(penalties):
        machine.set_params(C=penalty).fit(rows.features, is_concept)
        found[penalty] = machine.coef_[0].copy(), float(machine.intercept_[0])
    return each(penalties, found.__getitem__)


def sgd(
    rows: Rows, is_concept: np.ndarray, penalty: float, norm: Norm, rng: np.random.Generator
) -> tuple[np.ndarray, float]:
    """The published package's procedure (tpcav 0.12.1), but for its missing seed.

    Averaged stochastic gradient descent on the hinge loss, stopped early on a random tenth of the
    rows. With norm l2 its steps are combinations of rows, so that it takes the same path in any
    coordinates with the same inner products.
    """
    from sklearn.linear_model import SGDClassifier

    machine = SGDClassifier(
        alpha=penalty,
        penalty=norm,
        max_iter=1000,
        early_stopping=True,
        validation_fraction=0.1,
        n_iter_no_change=10,
        average=True,
        random_state=int(rng.integers(2**31)),
    )
    machine.fit(rows.features, is_concept.astype(np.int8))
    return machine.coef_[0], float(machine.intercept_[0])


def pattern(rows: Rows, is_concept: np.ndarray) -> tuple[np.ndarray, float]:
    """The covariance of features and label, up to a factor: the difference of the class means.

    It ignores directions that a filter needs to cancel distractors (Haufe et al. 2014,
    doi 10.1016/j.neuroimage.2013.10.067; Pahde et al. 2022, arXiv 2202.03482).
    """
    weights = rows.features[is_concept].mean(axis=0) - rows.features[~is_concept].mean(axis=0)
    return weights, _midpoint(rows.features @ weights, is_concept)
