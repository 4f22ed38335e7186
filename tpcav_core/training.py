"""Training the CAVs of one variant of a concept, against every replicate of a control.

Imports neither torch nor pandas: a process is started per concept, and their start-up would cost
more than its work.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from . import cavs, grams, metrics
from .splits import TEST

log = logging.getLogger("tpcav_core")


class Examples(NamedTuple):
    """Examples of one variant of a concept, or of one replicate of a control, at a layer.

    Attributes:
        z: (n, d) float32, standardised activations.
        folds: (n,) int, training fold or `splits.TEST`.
    """

    z: np.ndarray
    folds: np.ndarray


class Control(NamedTuple):
    """What concepts are told apart from: r replicates, and what of them every concept shares.

    Attributes:
        rows: starts a stream of the standardised rows of all replicates, in order.
        folds: (m,) int per replicate.
        grams: (m, m) float64 per replicate, inner products of its standardised rows.
    """

    rows: Callable[[], Iterator[np.ndarray]]
    folds: Mapping[str, np.ndarray]
    grams: Mapping[str, np.ndarray]


def set_control(replicates: Mapping[str, Examples]) -> Control:
    """Return the control of replicates held in memory; it can be sent to other processes."""
    return Control(
        rows=partial(iter, tuple(examples.z for examples in replicates.values())),
        folds={name: examples.folds for name, examples in replicates.items()},
        grams={name: grams.inner_products(part.z, part.z) for name, part in replicates.items()},
    )


def train_variant(
    name: tuple[str, str],
    examples: Examples,
    control: Control,
    penalties: Sequence[float] = cavs.GRID,
) -> list[dict[str, Any]]:
    """Train one variant of a concept against every replicate of the control.

    Args:
        name: concept and variant.
        examples: n examples of it.
        control: r replicates.
        penalties: values of C that cross-validation chooses from, see `cavs.GRID`.

    Returns:
        A row of the table of CAVs per replicate: ``concept``, ``variant``, ``replicate``; numbers
        of examples; ``penalty``, ``relative_penalty``, ``intercept``, ``cav_norm``; each metric of
        `metrics.NAMES` with the prefix ``test_`` (final classifier, test part), ``validation_``
        (training part, each fold by classifiers that did not see it) and ``train_`` (final
        classifier, training part); ``weights`` (d,) and ``mean_difference`` (d,) float64, in
        standardised coordinates.

    Raises:
        InputError: if a fold or the test part has too few examples of either class.
    """
    z, folds = examples
    own = grams.inner_products(z, z)
    cross = grams.cross_gram(z, control.rows())
    first = 0
    fits = []
    for replicate, others in control.folds.items():
        used = _balanced(folds, others)
        side = cross[:, first + used]
        gram = np.block([[own, side], [side.T, control.grams[replicate][np.ix_(used, used)]]])
        is_concept = np.arange(len(gram)) < len(z)
        both = np.concatenate([folds, others[used]])
        fit = cavs.fit_cav(gram, is_concept, both, grid=penalties, name=name[0])
        fits.append(_Fit(fit, is_concept, both, first + used))
        first += len(others)
    weights, means = _directions(fits, z, control.rows, first)
    return [
        _row(name, replicate, one, weight, mean)
        for replicate, one, weight, mean in zip(control.folds, fits, weights, means, strict=True)
    ]


class _Fit(NamedTuple):
    """A classifier, and the examples it was trained and tested on.

    Attributes:
        fit: the classifier.
        is_concept: (n + m,) bool.
        folds: (n + m,) int.
        control: (m,) which rows of all replicates it was told apart from.
    """

    fit: cavs.CavFit
    is_concept: np.ndarray
    folds: np.ndarray
    control: np.ndarray


def _balanced(folds: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Return which control examples are used: in training and test at most as many as the concept.

    Precision and F1 depend on the share of positives; so they can be compared between concepts of
    different size. Control examples are in random order, the first are taken.
    """
    parts = [
        np.flatnonzero(side)[: int(own.sum())]
        for side, own in ((others == TEST, folds == TEST), (others != TEST, folds != TEST))
    ]
    return np.sort(np.concatenate(parts))


def _directions(
    fits: Sequence[_Fit],
    z: np.ndarray,
    control_rows: Callable[[], Iterator[np.ndarray]],
    total: int,
) -> tuple[np.ndarray, np.ndarray]:
    """Return the CAVs (r, d) and the mean differences (r, d), in one pass over the controls."""
    n, count = len(z), len(fits)
    columns = np.zeros((total, 2 * count))
    for index, one in enumerate(fits):
        columns[one.control, index] = one.fit.dual[n:]
        columns[one.control, count + index] = -1 / len(one.control)
    there = grams.combine(columns, control_rows())
    here = np.stack([one.fit.dual[:n] for one in fits]) @ z
    return there[:count] + here, there[count:] + z.mean(axis=0, dtype=np.float64)


def _row(
    name: tuple[str, str],
    replicate: str,
    one: _Fit,
    weights: np.ndarray,
    mean_difference: np.ndarray,
) -> dict[str, Any]:
    fit, is_concept, folds, _ = one
    test, train = folds == TEST, folds != TEST
    row: dict[str, Any] = {
        "concept": name[0],
        "variant": name[1],
        "replicate": replicate,
        "n_concept": int(is_concept.sum()),
        "n_control": int((~is_concept).sum()),
        "n_concept_test": int((is_concept & test).sum()),
        "n_control_test": int((~is_concept & test).sum()),
        "penalty": fit.penalty,
        "relative_penalty": fit.relative_penalty,
        "intercept": fit.intercept,
        "cav_norm": float(np.linalg.norm(weights)),
    }
    for part, rows, decision in (
        ("test", test, fit.decision),
        ("validation", train, fit.decision),
        ("train", train, fit.train_decision),
    ):
        values = metrics.classification_metrics(is_concept[rows], decision[rows])
        row |= {f"{part}_{key}": value for key, value in values.items()}
    log.info("%s %s against %s: test F1 %.3f", *name, replicate, row["test_f1"])
    return row | {"weights": weights, "mean_difference": mean_difference}
