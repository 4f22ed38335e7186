"""Which classifier a CAV is the weights of, its penalties, and its cross-validation."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from . import solvers
from .coordinates import Rows
from .errors import InputError
from .solvers import Norm, Path


class Classifier(NamedTuple):
    """Which classifier a CAV is the weights of; the section ``cavs`` of the configuration.

    Attributes:
        kind: ridge, svm, logistic, sgd or pattern, see `solvers`.
        norm: of the weights in the penalty; l1 for ``logistic`` and ``sgd``.
        penalties: values that cross-validation chooses from, relative to what `scale` returns;
            None: those of `GRIDS`.
    """

    kind: str = "ridge"
    norm: Norm = "l2"
    penalties: Sequence[float] | None = None

    def grid(self) -> tuple[float, ...]:
        """Return the relative penalties, the strongest constraint first.

        Raises:
            InputError: for a kind that does not exist or does not have the norm.
        """
        if (self.kind, self.norm) not in GRIDS:
            raise InputError(
                f"found classifier {self.kind!r} with norm {self.norm!r}, there are"
                f" {', '.join(' '.join(names) for names in GRIDS)}; choose one of them"
            )
        if self.kind == "pattern":
            return GRIDS["pattern", "l2"]
        # C weakens a constraint, alpha of sgd strengthens it
        own = sorted(self.penalties or (), reverse=self.kind == "sgd")
        return tuple(own) or GRIDS[self.kind, self.norm]


#: relative penalties by kind and norm. C is a multiple of 1 / (mean squared length of a row), so
#: that one grid fits every layer; of l1, of the smallest C with a weight that is not 0; of sgd, the
#: published package's own α
GRIDS: dict[tuple[str, str], tuple[float, ...]] = {
    ("ridge", "l2"): (1e-4, 1e-3, 1e-2, 1e-1, 1.0, 10.0, 100.0),
    ("svm", "l2"): (1e-4, 1e-3, 1e-2, 1e-1, 1.0, 10.0),
    ("logistic", "l2"): (1e-4, 1e-3, 1e-2, 1e-1, 1.0, 10.0),
    ("logistic", "l1"): (2.0, 5.0, 10.0, 30.0, 100.0),
    ("sgd", "l2"): (1e-2, 1e-4, 1e-6, 1e-8),
    ("sgd", "l1"): (1.0, 1e-1),
    ("pattern", "l2"): (1.0,),
}


def load_libraries(classifier: Classifier) -> None:
    """Import what the classifier is solved with, so that limits of threads can be set on it.

    `threadpoolctl` limits the libraries that are loaded, and scikit-learn brings its own.
    """
    if classifier.kind in ("svm", "logistic", "sgd"):
        import sklearn.linear_model
        import sklearn.svm  # noqa: F401


def scale(classifier: Classifier, rows: Rows, is_concept: np.ndarray) -> float:
    """Return what relative penalties are multiplied by, from all training rows."""
    if classifier.kind in ("sgd", "pattern"):
        return 1.0
    if classifier.norm == "l1":
        from sklearn.svm import l1_min_c

        return float(l1_min_c(rows.features, is_concept, loss="log"))
    return 1.0 / (float(np.square(rows.features).sum() / len(rows.features)) or 1.0)


def solve(
    classifier: Classifier,
    rows: Rows,
    is_concept: np.ndarray,
    penalties: Sequence[float],
    rng: np.random.Generator,
) -> Path:
    """Train a classifier at each penalty.

    Args:
        classifier: its kind and norm.
        rows: n training examples.
        is_concept: (n,) bool, the positive class; both classes are there.
        penalties: C of each solution (of ``sgd``: α).
        rng: the random stream of the solvers that draw.

    Returns:
        The solutions, in the order of the penalties.
    """
    if classifier.kind == "ridge":
        return solvers.ridge(rows, is_concept, penalties, solvers.balance(is_concept))
    if classifier.kind == "svm":
        return solvers.each(penalties, lambda c: solvers.svm(rows, is_concept, c))
    if classifier.kind == "logistic":
        return solvers.logistic(rows, is_concept, penalties, classifier.norm, rng)
    if classifier.kind == "sgd":
        return solvers.each(
            penalties, lambda c: solvers.sgd(rows, is_concept, c, classifier.norm, rng)
        )
    if classifier.kind == "pattern":
        return solvers.each(penalties, lambda _: solvers.pattern(rows, is_concept))
    raise ValueError(f"no classifier {classifier.kind!r}")


def out_of_fold(
    classifier: Classifier,
    rows: Rows,
    is_concept: np.ndarray,
    folds: np.ndarray,
    penalties: Sequence[float],
    rng: np.random.Generator,
) -> np.ndarray:
    """Return decisions on each example by classifiers that were trained on the other folds.

    Args:
        classifier: its kind and norm.
        rows: n training examples.
        is_concept: (n,) bool; both classes are in the rest of each fold.
        folds: (n,) int.
        penalties: C (of ``sgd``: α) of each classifier.
        rng: the random stream of the solvers that draw.

    Returns:
        (p, n) float64, above 0 for what is called the concept.
    """
    if classifier.kind == "ridge" and rows.gram is not None:
        return solvers.ridge_out_of_fold(rows.gram, is_concept, folds, penalties)
    decisions = np.empty((len(penalties), len(folds)))
    balance = solvers.balance(is_concept)
    for fold in np.unique(folds):
        held_out = folds == fold
        fitted = np.flatnonzero(~held_out)
        part, labels = rows.take(fitted), is_concept[fitted]
        if classifier.kind == "ridge":
            # weighted as in the fit on all rows, which is what the short cut above leaves out from
            path = solvers.ridge(part, labels, penalties, balance[fitted])
        else:
            path = solve(classifier, part, labels, penalties, rng)
        decisions[:, held_out] = path.decisions(rows.features[held_out])
    return decisions
