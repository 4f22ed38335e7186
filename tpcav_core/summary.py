"""The result tables: one row per CAV, per concept and variant, or per concept."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pandas as pd

from .metrics import NAMES

CONCEPT_COLUMNS = [
    "model",
    "layer",
    "concept",
    "label",
    "source",
    "variant",
    "n_concept",
    "n_control",
    *NAMES,
    "cav_norm",
    "hyperparameters",
    "n_replicates",
    "f1_min",
    "f1_max",
    "cav_cosine",
    "validation_f1",
    "validation_accuracy",
    "train_f1",
    "train_accuracy",
    "control",
    *(f"{name}_{end}" for name in NAMES for end in ("low", "high")),
]
CAV_COLUMNS = [
    "model",
    "layer",
    "concept",
    "label",
    "variant",
    "control",
    "replicate",
    "classifier",
    "norm",
    "penalty",
    "relative_penalty",
    "cav_norm",
    "split_seed",
    "n_folds",
    *(f"n_{side}_{part}" for part in ("train", "test") for side in ("concept", "control")),
    *(f"test_{name}{end}" for name in NAMES for end in ("", "_low", "_high")),
    *(f"{part}_{name}" for part in ("validation", "train") for name in NAMES),
]
SCORE_COLUMNS = [
    "model",
    "layer",
    "target",
    "concept",
    "label",
    "variant",
    "n_regions",
    "n_positive",
    "n_negative",
    "fraction_positive",
    "log_ratio",
    "derivative",
    "effect",
]
SENSITIVITY_COLUMNS = [
    "model",
    "layer",
    "concept",
    "label",
    "f1_auc",
    "information_content",
    "information_content_gc",
    "motif_length",
    "sensitivity",
]


def cav_table(cavs: pd.DataFrame, catalogue: pd.DataFrame) -> pd.DataFrame:
    """Return ``cavs.tsv``: every classifier with its sizes and metrics, test, validation and train.

    Args:
        cavs: one row per (model, layer, concept, variant, replicate), with the columns of a file
            of CAVs and what the file says of its classifier and split.
        catalogue: one row per concept: concept, label, source, control.
    """
    return _with_labels(cavs, catalogue, "control")[CAV_COLUMNS]


def concept_table(cavs: pd.DataFrame, catalogue: pd.DataFrame) -> pd.DataFrame:
    """Return ``concepts.tsv``: test metrics, averaged over control replicates.

    The ends of intervals are averaged too: replicates share the concept's examples, so that their
    mean is hardly surer than each of them.

    Args:
        cavs: one row per (model, layer, concept, variant, replicate), with the columns of a file
            of CAVs and ``cav_cosine``, the mean cosine between the replicates' CAVs.
        catalogue: one row per concept: concept, label, source, control.
    """
    keys = ["model", "layer", "concept", "variant"]
    groups = cavs.groupby(keys, sort=False)
    table = groups[[f"test_{name}" for name in NAMES]].mean()
    table.columns = list(NAMES)
    for name in NAMES:
        for end in ("low", "high"):
            table[f"{name}_{end}"] = groups[f"test_{name}_{end}"].mean()
    for name in ("n_concept", "n_control", "cav_cosine"):
        table[name] = groups[name].first()
    for name in ("cav_norm", "validation_f1", "validation_accuracy", "train_f1", "train_accuracy"):
        table[name] = groups[name].mean()
    table["n_replicates"] = groups.size()
    table["f1_min"] = groups["test_f1"].min()
    table["f1_max"] = groups["test_f1"].max()
    table["hyperparameters"] = [
        hyperparameters(
            group["classifier"].iloc[0], group["norm"].iloc[0], group["relative_penalty"]
        )
        for _, group in groups
    ]
    return _with_labels(table.reset_index(), catalogue, "control")[CONCEPT_COLUMNS]


def hyperparameters(classifier: str, norm: str, penalties: Iterable[float]) -> str:
    """Say which classifier was trained, with the penalty of each replicate."""
    values = ",".join(f"{value:g}" for value in penalties)
    if classifier == "pattern":
        return classifier
    if classifier == "sgd":
        return f"sgd penalty={norm} alpha={values}"
    unit = "*l1_min_C" if norm == "l1" else "/mean_diagonal"
    return f"{classifier} penalty={norm} C={values}{unit}"


def score_table(scores: pd.DataFrame, catalogue: pd.DataFrame) -> pd.DataFrame:
    """Return ``scores.tsv`` from the rows of all files of scores, labels added."""
    return _with_labels(scores, catalogue)[SCORE_COLUMNS]


def _with_labels(table: pd.DataFrame, catalogue: pd.DataFrame, *others: str) -> pd.DataFrame:
    return table.merge(catalogue[["concept", "label", "source", *others]], on="concept", how="left")


def sensitivity_table(concepts: pd.DataFrame, catalogue: pd.DataFrame) -> pd.DataFrame:
    """Return ``motif_sensitivity.tsv``: how readily a layer tells a motif, per concept.

    ``f1_auc`` is the area under F1 over planted copies (trapezoid) divided by the range of copies;
    with one count, its F1. ``sensitivity`` is the residual of ``f1_auc`` after a linear regression,
    within a (model, layer), on the information content weighted by GC; it needs at least three
    concepts whose information contents differ, else it is NaN.

    Args:
        concepts: the table of `concept_table`.
        catalogue: concept, label, information_content, information_content_gc (bits),
            motif_length (bp); concepts without a motif are left out.
    """
    facts = ["concept", "information_content", "information_content_gc", "motif_length"]
    motifs = catalogue[catalogue["motif_length"].notna()][facts]
    rows = [
        {
            **dict(zip(("model", "layer", "concept", "label"), key, strict=True)),
            "f1_auc": area_over_counts(group["variant"].astype(float), group["f1"]),
        }
        for key, group in concepts.groupby(["model", "layer", "concept", "label"], sort=False)
        if key[2] in set(motifs["concept"])
    ]
    table = pd.DataFrame(rows, columns=SENSITIVITY_COLUMNS[:5]).merge(motifs, on="concept")
    table["sensitivity"] = np.nan
    for _, group in table.groupby(["model", "layer"]):
        table.loc[group.index, "sensitivity"] = residual(
            group["information_content_gc"].to_numpy(), group["f1_auc"].to_numpy()
        )
    return table[SENSITIVITY_COLUMNS]


def area_over_counts(counts: pd.Series, f1: pd.Series) -> float:
    """Return the trapezoidal mean of ``f1`` over ``counts``, in any order of rows."""
    order = np.argsort(counts.to_numpy())
    x, y = counts.to_numpy()[order], f1.to_numpy()[order]
    if len(x) == 1:
        return float(y[0])
    return float(np.trapezoid(y, x) / (x[-1] - x[0]))


def residual(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Return the residuals of the least-squares line of ``y`` on ``x``; NaN if there is none."""
    if len(x) < 3 or np.ptp(x) == 0:
        return np.full(len(x), np.nan)
    slope, intercept = np.polyfit(x, y, 1)
    return np.asarray(y - (slope * x + intercept))
