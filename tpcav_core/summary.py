"""The result tables: one row per CAV, per concept and variant, or per concept."""

from __future__ import annotations

from collections.abc import Iterable

import pandas as pd

from .explained import output_of
from .metrics import NAMES
from .names import null_control
from .table_columns import (
    CAV_COLUMNS,
    CONCEPT_COLUMNS,
    LAYER,
    METHOD_COLUMNS,
    PLACE,
    PLANTING_COLUMNS,
    SCORE_COLUMNS,
    VERDICT_COLUMNS,
)


def cav_table(cavs: pd.DataFrame, catalogue: pd.DataFrame) -> pd.DataFrame:
    """Return ``cavs.tsv``: every classifier with its sizes and metrics, test, validation and train.

    Args:
        cavs: one row per (model, layer, concept, variant, replicate), with the columns of a file
            of CAVs and what the file says of its classifier and split.
        catalogue: one row per concept: concept, label, source, control.
    """
    return _with_labels(cavs, catalogue, "control")[CAV_COLUMNS]


def concept_metrics(cavs: pd.DataFrame) -> pd.DataFrame:
    """Return what ``concepts.tsv`` is made of: test metrics, averaged over control replicates.

    The ends of intervals are averaged too: replicates share the concept's examples, so that their
    mean is hardly surer than each of them.

    Args:
        cavs: one row per (model, layer, concept, variant, replicate), with the columns of a file
            of CAVs.
    """
    keys = ["model", "layer", "concept", "variant"]
    groups = cavs.groupby(keys, sort=False)
    table = groups[[f"test_{name}" for name in NAMES]].mean()
    table.columns = list(NAMES)
    for name in NAMES:
        for end in ("low", "high"):
            table[f"{name}_{end}"] = groups[f"test_{name}_{end}"].mean()
    for name in ("n_concept", "n_control", "cav_cosine", "gc_change"):
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
    return table.reset_index()


def hyperparameters(classifier: str, norm: str, penalties: Iterable[float]) -> str:
    """Say which classifier was trained, with the penalty of each replicate."""
    values = ",".join(f"{value:g}" for value in penalties)
    if classifier == "pattern":
        return classifier
    if classifier == "sgd":
        return f"sgd penalty={norm} alpha={values}"
    unit = "*l1_min_C" if norm == "l1" else "/mean_diagonal"
    return f"{classifier} penalty={norm} C={values}{unit}"


def concept_table(concepts: pd.DataFrame, catalogue: pd.DataFrame) -> pd.DataFrame:
    """Return ``concepts.tsv`` from metrics compared with nulls, labels added."""
    return _with_labels(concepts, catalogue, "control", "into")[CONCEPT_COLUMNS]


def score_table(scores: pd.DataFrame, catalogue: pd.DataFrame, nulls: pd.DataFrame) -> pd.DataFrame:
    """Return ``scores.tsv`` from scores compared with nulls, labels added.

    Args:
        scores: of `verdicts.call_used`.
        catalogue: one row per concept.
        nulls: of `verdicts.null_summary`; says where fractions of positive regions are saturated.
    """
    keys = [*PLACE, "control"]
    random = nulls[nulls["null"] == "random"].sort_values("size").groupby(keys).last()
    saturated = random[["saturation", "saturated"]].reset_index()
    controls = catalogue.set_index("concept")["control"].map(null_control)
    table = scores.assign(control=scores["concept"].map(controls))
    table = table.merge(saturated, on=keys, how="left").drop(columns="control")
    return _with_labels(table, catalogue)[SCORE_COLUMNS]


def planting_table(planting: pd.DataFrame, catalogue: pd.DataFrame) -> pd.DataFrame:
    """Return ``planting.tsv`` from planting effects compared with those of permuted motifs."""
    return _with_labels(planting, catalogue).reindex(columns=PLANTING_COLUMNS)


def method_table(methods: pd.DataFrame, catalogue: pd.DataFrame) -> pd.DataFrame:
    """Return ``methods.tsv`` from the scores of each method compared with nulls."""
    return _with_labels(methods, catalogue)[METHOD_COLUMNS]


def verdict_table(
    concepts: pd.DataFrame,
    scores: pd.DataFrame,
    planting: pd.DataFrame,
    twins: pd.DataFrame | None = None,
) -> pd.DataFrame:
    """Return ``verdicts.tsv``: what is encoded and what is used, the largest effect first.

    Args:
        concepts: ``concepts.tsv``.
        scores: ``scores.tsv``.
        planting: ``planting.tsv``; may be empty.
        twins: what was called used of the models with permuted weights, where sanity checks ran:
            ``called_with_permuted_weights`` says which verdicts the network's training is no
            reason for.
    """
    keys = [*LAYER, "concept", "variant"]
    encoded = concepts[[*keys, "encoded", "f1", "auroc", "auroc_q"]]
    same = ["model", "output", "concept", "variant"]
    direct = planting[[*same, "planting_effect", "planting_effect_q"]]
    table = scores.merge(encoded, on=keys, how="left")
    table["output"] = table["target"].map(output_of)
    table = table.merge(direct, on=same, how="left")
    table["verdict"] = [
        verdict(encoded=row.encoded, used=row.used, direction=row.direction)
        for row in table.itertuples()
    ]
    table["called_with_permuted_weights"] = pd.NA
    if twins is not None:
        keys = [*PLACE, "concept", "variant"]
        called = twins[[*keys, "used"]].set_index(keys)["used"]
        table["called_with_permuted_weights"] = pd.MultiIndex.from_frame(table[keys]).map(called)
    order = table["effect"].abs().sort_values(ascending=False, kind="stable").index
    table = table.loc[order].sort_values([*PLACE, "variant"], kind="stable")
    return table[VERDICT_COLUMNS].reset_index(drop=True)


def null_values(scores: pd.DataFrame, metrics: pd.DataFrame) -> pd.DataFrame:
    """Return ``null_values.tsv``: the statistics of every null, for plots of their distributions.

    Args:
        scores: rows of all kinds; those of nulls are taken.
        metrics: f1 and auroc of all kinds.
    """
    keys = [*LAYER, "kind", "control", "size", "null", "concept", "variant"]
    kinds = ("random", "permuted")
    chosen, own = (table[table["kind"].isin(kinds)] for table in (scores, metrics))
    values = ["effect", "derivative", "log_ratio"]
    chosen = chosen.reindex(columns=["target", *keys, *values, "into"])
    own = own.reindex(columns=[*keys, "f1", "auroc"])
    table = chosen.merge(own, on=keys, how="left")
    return table[["target", *keys, *values, "f1", "auroc", "into"]]


def verdict(*, encoded: bool, used: bool, direction: str) -> str:
    """Return the two verdicts in words."""
    push = {"+": ", raises the output", "-": ", lowers the output"}.get(direction, "")
    if used:
        return ("encoded and used" if encoded else "used, not seen as encoded") + push
    return "encoded, not seen as used" if encoded else "neither"


def _with_labels(table: pd.DataFrame, catalogue: pd.DataFrame, *others: str) -> pd.DataFrame:
    about = catalogue.reindex(columns=["concept", "label", "source", *others])
    return table.merge(about, on="concept", how="left")
