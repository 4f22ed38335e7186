"""The result tables that every study has, and their columns."""

from __future__ import annotations

import pandas as pd
import pyarrow.parquet as pq

from .conftest import Study

#: columns of a table, in this order; of `cavs` the first
CONTRACT = {
    "verdicts": (
        "model layer target concept label variant encoded used direction verdict f1 auroc auroc_q"
        " effect effect_low effect_high effect_q derivative derivative_q planting_effect"
        " planting_effect_q effect_sign_agreement large_enough null effect_of_gc effect_permuted"
        " saturated called_with_permuted_weights statistic"
    ),
    "concepts": (
        "model layer concept label source variant n_concept n_control precision recall f1"
        " accuracy auroc average_precision mcc cav_norm hyperparameters n_replicates f1_min f1_max"
        " cav_cosine validation_f1 validation_accuracy train_f1 train_accuracy control"
        " precision_low precision_high recall_low recall_high f1_low f1_high accuracy_low"
        " accuracy_high auroc_low auroc_high average_precision_low average_precision_high mcc_low"
        " mcc_high gc_change null f1_p_random f1_p_permuted f1_q auroc_p_random auroc_p_permuted"
        " auroc_q encoded into n_nulls"
    ),
    "cavs": (
        "model layer concept label variant control replicate classifier norm penalty"
        " relative_penalty cav_norm split_seed n_folds n_concept_train n_control_train"
        " n_concept_test n_control_test test_precision test_precision_low test_precision_high"
        " test_recall test_recall_low test_recall_high test_f1 test_f1_low test_f1_high"
    ),
    "scores": (
        "model layer target concept label variant n_regions n_positive n_negative"
        " fraction_positive log_ratio derivative effect derivative_low derivative_high"
        " derivative_sign_agreement effect_low effect_high effect_sign_agreement"
        " published_mean tcav_fraction null derivative_p_random derivative_p_permuted derivative_q"
        " effect_p_random effect_p_permuted effect_q log_ratio_p_random log_ratio_p_permuted"
        " log_ratio_q saturation saturated large_enough used direction gc_change effect_of_gc"
        " effect_permuted statistic n_nulls"
    ),
    "planting": (
        "model output concept label variant n_backgrounds planting_effect planting_effect_low"
        " planting_effect_high planting_positive planting_effect_p_permuted planting_effect_q"
    ),
    "attributions": (
        "model layer target method n_regions baselines_per_target mean_output mean_output_change"
        " completeness_error largest_error feature_correlation component_correlation"
        " correlation_by_chance reason"
    ),
    "nulls": (
        "model layer target null control size variant n_nulls smallest_p effect_median effect_q95"
        " derivative_median derivative_q95 saturation saturated into"
    ),
    "null_values": (
        "target model layer kind control size null concept variant effect derivative log_ratio f1"
        " auroc into"
    ),
    "motif_sensitivity": (
        "model layer concept label f1_auc information_content information_content_gc"
        " motif_length sensitivity f1_auc_low f1_auc_high sensitivity_low sensitivity_high"
        " expected line_slope line_intercept copies"
    ),
    "motif_points": "model layer concept label variant copies f1 f1_low f1_high",
    "similarity": (
        "model layer variant concept_1 concept_2 cosine corrected within_1 within_2 inseparable"
    ),
    "layers": (
        "model target layer_1 layer_2 variant n_concepts effect_correlation equal_sign"
        " similarity_correlation"
    ),
}
#: columns that are text even where they look like numbers
TEXT = {"variant": str, "replicate": str}


def read(study: Study, table: str) -> pd.DataFrame:
    """Return a result table with all its digits."""
    return pq.read_table(study.folder / f"out/summary/{table}.parquet").to_pandas()


def read_text(study: Study, table: str) -> pd.DataFrame:
    """Return a result table as a reader of the TSV sees it."""
    path = study.folder / f"out/summary/{table}.tsv"
    return pd.read_csv(path, sep="\t", na_values="NA", keep_default_na=False, dtype=TEXT)
