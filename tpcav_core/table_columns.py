"""The columns of the result tables, in their order."""

from __future__ import annotations

import pandas as pd

from .metrics import NAMES

#: what a table of concepts, and one of scores, has its rows for
LAYER = ["model", "layer"]
PLACE = [*LAYER, "target"]
_CONCEPT = ["concept", "label", "source", "variant"]


def deciding_statistic(rows: pd.DataFrame) -> str:
    """Return what decides on use in rows of scores or verdicts: ``effect`` or ``derivative``."""
    # tables of an older run lack the column
    known = len(rows) > 0 and "statistic" in rows
    return str(rows["statistic"].iloc[0]) if known else "effect"


def _compared(statistic: str) -> list[str]:
    return [f"{statistic}_p_random", f"{statistic}_p_permuted", f"{statistic}_q"]


CONCEPT_COLUMNS = [
    *LAYER,
    *_CONCEPT,
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
    "gc_change",
    "null",
    *_compared("f1"),
    *_compared("auroc"),
    "encoded",
    "into",
    "n_nulls",
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
    *PLACE,
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
    *(
        f"{name}_{end}"
        for name in ("derivative", "effect")
        for end in ("low", "high", "sign_agreement")
    ),
    "published_mean",
    "tcav_fraction",
    "null",
    *_compared("derivative"),
    *_compared("effect"),
    *_compared("log_ratio"),
    "saturation",
    "saturated",
    "large_enough",
    "used",
    "direction",
    "gc_change",
    "effect_of_gc",
    "effect_permuted",
    "statistic",
    "n_nulls",
]
PLANTING_COLUMNS = [
    "model",
    "output",
    "concept",
    "label",
    "variant",
    "n_backgrounds",
    "planting_effect",
    "planting_effect_low",
    "planting_effect_high",
    "planting_positive",
    "planting_effect_p_permuted",
    "planting_effect_q",
]
ATTRIBUTION_COLUMNS = [
    *PLACE,
    "method",
    "n_regions",
    "baselines_per_target",
    "mean_output",
    "mean_output_change",
    "completeness_error",
    "largest_error",
    "feature_correlation",
    "component_correlation",
    "correlation_by_chance",
    "reason",
]
METHOD_COLUMNS = [
    *PLACE,
    "method",
    "concept",
    "label",
    "variant",
    *("f1", "auroc", "n_regions", "derivative", "effect", "tcav_fraction"),
    *("fraction_positive", "log_ratio", "published_mean"),
    *(
        f"{name}_{end}"
        for name in ("derivative", "effect", "log_ratio", "published_mean")
        for end in ("p_permuted", "q")
    ),
]
VERDICT_COLUMNS = [
    *PLACE,
    "concept",
    "label",
    "variant",
    "encoded",
    "used",
    "direction",
    "verdict",
    "f1",
    "auroc",
    "auroc_q",
    "effect",
    "effect_low",
    "effect_high",
    "effect_q",
    "derivative",
    "derivative_q",
    "planting_effect",
    "planting_effect_q",
    "effect_sign_agreement",
    "large_enough",
    "null",
    "effect_of_gc",
    "effect_permuted",
    "saturated",
    "called_with_permuted_weights",
    "statistic",
]
