"""Training the CAVs of one variant of a concept, against every replicate of a control.

Imports neither torch nor pandas, nor scikit-learn where the classifier needs none of it: a process
is started per concept, and their start-up would cost more than its work.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from . import cavs, grams, metrics
from .classifiers import Classifier
from .coordinates import Coordinates, Dual, Primal, is_primal
from .directions import replicate_cosine
from .seeds import generator
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
        rows: starts a stream of the standardised rows of all replicates, in order; a batch is valid
            until the next is asked for.
        folds: (m,) int per replicate.
        gram: returns the inner products of a replicate's standardised rows, (m, m) float64; they
            are asked for only where they are needed.
    """

    rows: Callable[[], Iterator[np.ndarray]]
    folds: Mapping[str, np.ndarray]
    gram: Callable[[str], np.ndarray]


def set_control(replicates: Mapping[str, Examples]) -> Control:
    """Return the control of replicates held in memory; it can be sent to other processes."""
    products = {name: grams.inner_products(part.z, part.z) for name, part in replicates.items()}
    return Control(
        rows=partial(iter, tuple(examples.z for examples in replicates.values())),
        folds={name: examples.folds for name, examples in replicates.items()},
        gram=products.__getitem__,
    )


def train_variant(
    name: tuple[str, str],
    examples: Examples,
    control: Control,
    classifier: Classifier = Classifier(),  # noqa: B008  # immutable
    *,
    seed: int = 0,
) -> list[dict[str, Any]]:
    """Train one variant of a concept against every replicate of the control.

    Args:
        name: concept and variant.
        examples: n examples of it.
        control: r replicates.
        classifier: which one, and the penalties that cross-validation chooses from.
        seed: the seed of the configuration.

    Returns:
        A row of the table of CAVs per replicate: ``concept``, ``variant``, ``replicate``; numbers
        of examples and folds; ``penalty``, ``relative_penalty``, ``intercept``, ``cav_norm``;
        ``cav_cosine``, the mean cosine between the replicates' CAVs; each metric of
        `metrics.NAMES` with the prefix ``test_`` (final classifier, test part; with the suffixes
        ``_low`` and ``_high`` its interval), ``validation_`` (training part, each fold by
        classifiers that did not see it) and ``train_`` (final classifier, training part);
        ``weights`` (d,) and ``mean_difference`` (d,) float64, in standardised coordinates.

    Raises:
        InputError: if a fold or the test part has too few examples of either class.
    """
    examples = cut_to(examples, control)
    n, d = examples.z.shape
    problems = _by_features if is_primal(n, d, classifier.norm) else _by_inner_products
    fits = []
    for part, coordinates in problems(examples, control):
        is_concept = np.arange(n + len(part.kept)) < n
        folds = np.concatenate([examples.folds, control.folds[part.replicate][part.kept]])
        rng = generator(seed, "cavs", *name, part.replicate)
        fit = cavs.fit_cav(coordinates, is_concept, folds, classifier, rng=rng, name=name[0])
        fits.append(_Fit(part, fit, is_concept, folds))
    weights, means = _directions(fits, examples.z, control)
    cosine = replicate_cosine(weights)
    return [
        _row(name, one, seed) | {"cav_cosine": cosine, "weights": weight, "mean_difference": mean}
        for one, weight, mean in zip(fits, weights, means, strict=True)
    ]


class Part(NamedTuple):
    """The examples of one replicate of the control that a concept is told apart from.

    Attributes:
        replicate: its name.
        kept: (m,) their numbers within the replicate.
        rows: (m,) their numbers among the rows of all replicates.
    """

    replicate: str
    kept: np.ndarray
    rows: np.ndarray


class _Fit(NamedTuple):
    """A classifier, and the examples it was trained and tested on.

    Attributes:
        part: of the control.
        fit: the classifier.
        is_concept: (n + m,) bool.
        folds: (n + m,) int.
    """

    part: Part
    fit: cavs.CavFit
    is_concept: np.ndarray
    folds: np.ndarray


def used_parts(examples: Examples, control: Control) -> Iterator[Part]:
    """Yield, replicate by replicate, the examples of a control that a concept is told apart from.

    Of a replicate these are in training and test at most as many as the concept has.
    """
    first = 0
    for replicate, others in control.folds.items():
        kept = _balanced(examples.folds, others)
        yield Part(replicate, kept, first + kept)
        first += len(others)


def _by_features(examples: Examples, control: Control) -> Iterator[tuple[Part, Coordinates]]:
    """Yield each replicate, with concept and control by their features."""
    others = np.concatenate([batch.copy() for batch in control.rows()])
    wide = examples.z.shape[1] > 2 * len(examples.z)
    kind = np.float32 if wide else np.float64
    for part in used_parts(examples, control):
        yield part, Primal(np.concatenate([examples.z, others[part.rows]]).astype(kind, copy=False))


def _by_inner_products(examples: Examples, control: Control) -> Iterator[tuple[Part, Coordinates]]:
    """Yield each replicate, with concept and control by their inner products."""
    own = grams.inner_products(examples.z, examples.z)
    cross = grams.cross_gram(examples.z, control.rows())
    for part in used_parts(examples, control):
        side = cross[:, part.rows]
        theirs = control.gram(part.replicate)[np.ix_(part.kept, part.kept)]
        yield part, Dual(np.block([[own, side], [side.T, theirs]]))


def cut_to(examples: Examples, control: Control) -> Examples:
    """Leave out examples of a concept that has more to train or to test than its control.

    Examples are in random order, the first are taken.
    """
    tests = examples.folds == TEST
    most = min(int((folds == TEST).sum()) for folds in control.folds.values())
    most_train = min(int((folds != TEST).sum()) for folds in control.folds.values())
    parts = [np.flatnonzero(tests)[:most], np.flatnonzero(~tests)[:most_train]]
    rows = np.sort(np.concatenate(parts))
    if len(rows) == len(tests):
        return examples
    return Examples(examples.z[rows], examples.folds[rows])


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
    fits: Sequence[_Fit], z: np.ndarray, control: Control
) -> tuple[np.ndarray, np.ndarray]:
    """Return the CAVs (r, d) and the mean differences (r, d), in one pass over the controls."""
    n, count = len(z), len(fits)
    columns = np.zeros((sum(map(len, control.folds.values())), 2 * count))
    own = np.zeros((count, n))
    for index, (part, fit, _, _) in enumerate(fits):
        columns[part.rows, count + index] = -1 / len(part.rows)
        if fit.direction.dual is not None:
            own[index] = fit.direction.dual[:n]
            columns[part.rows, index] = fit.direction.dual[n:]
    there = grams.combine(columns, control.rows())
    weights = there[:count] + grams.combine(own.T, [z])
    for index, (_, fit, _, _) in enumerate(fits):
        if fit.direction.weights is not None:
            weights[index] = fit.direction.weights
    return weights, there[count:] + z.mean(axis=0, dtype=np.float64)


def _row(name: tuple[str, str], one: _Fit, seed: int) -> dict[str, Any]:
    part, fit, is_concept, folds = one
    names = (*name, part.replicate)
    test, train = folds == TEST, folds != TEST
    row: dict[str, Any] = dict(zip(("concept", "variant", "replicate"), names, strict=True))
    for side, rows in (("", test | train), ("_train", train), ("_test", test)):
        row[f"n_concept{side}"] = int((is_concept & rows).sum())
        row[f"n_control{side}"] = int((~is_concept & rows).sum())
    row |= {
        "n_folds": fit.folds,
        "penalty": fit.penalty,
        "relative_penalty": fit.relative_penalty,
        "intercept": fit.intercept,
        "cav_norm": fit.norm,
    }
    for side, rows, decision in (
        ("test", test, fit.decision),
        ("validation", train, fit.decision),
        ("train", train, fit.train_decision),
    ):
        values = metrics.classification_metrics(is_concept[rows], decision[rows])
        row |= {f"{side}_{key}": value for key, value in values.items()}
    # one stream for all variants and replicates: they are resampled alike, so draws are paired
    rng = generator(seed, "cavs", name[0], "bootstrap")
    draws = metrics.metric_draws(is_concept[test], fit.decision[test], rng)
    for key, (low, high) in metrics.metric_intervals(draws).items():
        row |= {f"test_{key}_low": low, f"test_{key}_high": high}
    row["f1_draws"] = draws["f1"][: metrics.KEPT].astype(np.float32)
    log.info("%s %s against %s: test F1 %.3f", *names, row["test_f1"])
    return row
