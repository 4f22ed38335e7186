"""``python -m tpcav_core cavs``: train the CAVs of some concepts, all variants and replicates.

Imports neither torch nor pandas: a job is started per concept, and their start-up would cost more
than its work.
"""

from __future__ import annotations

import argparse
import logging
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from threadpoolctl import threadpool_limits

from .. import cavs, files, grams, metrics, vectors
from ..errors import InputError
from ..splits import TEST
from .gram import read_grams, standardised_rows
from .scaling import read_scaling

log = logging.getLogger("tpcav_core")
Rows = Callable[[], Iterator[np.ndarray]]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--activations", required=True, help="activations of concepts, parquet")
    parser.add_argument("--controls", required=True, help="activations of the controls, parquet")
    parser.add_argument("--gram", required=True, help="Gram matrices of the controls, parquet")
    parser.add_argument("--scaling", required=True, help="file of the `scaling` step")
    parser.add_argument("--ids", nargs="+", help="only these concepts (default: all)")
    parser.add_argument("--penalties", nargs="+", type=float, default=list(cavs.GRID))
    parser.add_argument("--threads", type=int, default=1, help="threads of linear algebra")
    parser.add_argument("--output", required=True, help="CAVs, parquet")


def run(arguments: argparse.Namespace) -> None:
    scaling = read_scaling(arguments.scaling)
    concepts = files.open_parquet(arguments.activations, "activations")
    controls = files.open_parquet(arguments.controls, "activations")
    control_folds = _control_folds(controls)
    control_grams = read_grams(arguments.gram)
    rows = []
    groups = dict.fromkeys(vectors.group_names(concepts))
    missing = set(arguments.ids or ()) - {concept for concept, _ in groups}
    if missing:
        raise InputError(f"{arguments.activations}: no concept {sorted(missing)[0]!r}; run again")
    with threadpool_limits(arguments.threads):
        for concept, variant in groups:
            if arguments.ids and concept not in arguments.ids:
                continue
            index = vectors.row_groups(concepts, concept, variant)
            z = np.concatenate(list(standardised_rows(concepts, index, scaling)))
            folds = concepts.read_row_groups(index, columns=["fold"])["fold"].to_numpy()
            rows += train_variant(
                (concept, variant),
                z,
                folds,
                lambda: standardised_rows(controls, list(range(controls.num_row_groups)), scaling),
                control_folds,
                control_grams,
                arguments.penalties,
            )
    _write(rows, arguments)


def train_variant(
    name: tuple[str, str],
    z: np.ndarray,
    folds: np.ndarray,
    control_rows: Rows,
    control_folds: dict[str, np.ndarray],
    control_grams: dict[str, np.ndarray],
    penalties: list[float],
) -> list[dict[str, Any]]:
    """Train one variant of a concept against every replicate of the control.

    Args:
        name: concept and variant.
        z: (n, d) float32, standardised activations of the concept.
        folds: (n,) int.
        control_rows: starts a stream of the standardised rows of all replicates, in order.
        control_folds: (m,) int per replicate.
        control_grams: (m, m) float64 per replicate.
        penalties: the grid.

    Returns:
        A row of the table of CAVs per replicate.
    """
    own = grams.inner_products(z, z)
    cross = grams.cross_gram(z, control_rows())
    bounds = np.cumsum([0, *(len(part) for part in control_folds.values())])
    fits = []
    for position, (replicate, others) in enumerate(control_folds.items()):
        side = cross[:, bounds[position] : bounds[position + 1]]
        gram = np.block([[own, side], [side.T, control_grams[replicate]]])
        is_concept = np.arange(len(gram)) < len(z)
        both = np.concatenate([folds, others])
        fit = cavs.fit_cav(gram, is_concept, both, grid=penalties, name=name[0])
        fits.append((fit, is_concept, both))
    weights, means = _directions([fit.dual for fit, _, _ in fits], z, control_rows, bounds)
    return [
        _row(name, replicate, fit, is_concept, both, weight, mean)
        for replicate, (fit, is_concept, both), weight, mean in zip(
            control_folds, fits, weights, means, strict=True
        )
    ]


def _directions(
    duals: list[np.ndarray], z: np.ndarray, control_rows: Rows, bounds: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return the CAVs (r, d) and the mean differences (r, d), in one pass over the controls."""
    n, count = len(z), len(duals)
    columns = np.zeros((bounds[-1], 2 * count))
    for index, dual in enumerate(duals):
        block = slice(bounds[index], bounds[index + 1])
        columns[block, index] = dual[n:]
        columns[block, count + index] = -1 / (bounds[index + 1] - bounds[index])
    there = grams.combine(columns, control_rows())
    here = np.stack([dual[:n] for dual in duals]) @ z
    return there[:count] + here, there[count:] + z.mean(axis=0, dtype=np.float64)


def _row(
    name: tuple[str, str],
    replicate: str,
    fit: cavs.CavFit,
    is_concept: np.ndarray,
    folds: np.ndarray,
    weights: np.ndarray,
    mean_difference: np.ndarray,
) -> dict[str, Any]:
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


def _control_folds(file: pq.ParquetFile) -> dict[str, np.ndarray]:
    return {
        replicate: file.read_row_group(index, columns=["fold"])["fold"].to_numpy()
        for index, (_, replicate) in enumerate(vectors.group_names(file))
    }


def _write(rows: list[dict[str, Any]], arguments: argparse.Namespace) -> None:
    wide = ("weights", "mean_difference")
    table = pa.table(
        {
            name: vectors.to_column(np.stack([row[name] for row in rows]).astype(np.float32))
            if name in wide
            else pa.array([row[name] for row in rows])
            for name in rows[0]
        }
    )
    files.write_parquet(table, arguments.output, "cavs", {"penalties": arguments.penalties})
