"""All result tables of a study, from what its steps found."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import NamedTuple

import pandas as pd

from . import entanglement, sanity, sensitivity, summary, verdicts
from .matched_nulls import classified
from .significance import fewest_callable
from .table_columns import ATTRIBUTION_COLUMNS, LAYER, PLACE
from .twins import twin_of
from .verdicts import ENCODED, METHODS, PLANTED, USED, Rules

log = logging.getLogger("tpcav_core")


class Found(NamedTuple):
    """What the steps of a study found.

    Attributes:
        catalogue: one row per concept.
        cavs: one row per CAV of a concept or a permuted motif, see `summary.concept_metrics`.
        nulls: one row per random null or concept with shuffled labels: metrics.
        scores: one row per concept and null of each target.
        attributions: one row per target: how it was attributed and how exactly.
        planting: one row per planted concept and permuted motif of each model.
        methods: scores like those above, of each ``method``; empty if none are compared.
        similarity: by (model, layer), see `entanglement.pair_table`.
    """

    catalogue: pd.DataFrame
    cavs: pd.DataFrame
    nulls: pd.DataFrame
    scores: pd.DataFrame
    attributions: pd.DataFrame
    planting: pd.DataFrame
    methods: pd.DataFrame
    similarity: Mapping[entanglement.Place, pd.DataFrame]


def result_tables(
    found: Found, rules: Rules, inseparable: float, *, sanity_checks: bool = False
) -> dict[str, pd.DataFrame]:
    """Return all tables by name.

    Args:
        found: what the steps found.
        rules: what is called.
        inseparable: cosine from which on CAVs cannot be told apart.
        sanity_checks: whether there are twins and shuffled labels: then there is ``sanity``.
    """
    metrics = pd.concat([summary.concept_metrics(found.cavs), found.nulls], ignore_index=True)
    metrics, scores, planting = (
        classified(table, found.catalogue) for table in (metrics, found.scores, found.planting)
    )
    encoded = verdicts.compare(metrics, found.catalogue, ENCODED, LAYER)
    used = verdicts.compare(scores, found.catalogue, USED, PLACE)
    planted = verdicts.compare(planting, found.catalogue, PLANTED, ("model", "output"))
    encoded = verdicts.call_encoded(encoded, rules)
    used = verdicts.call_used(used, rules, PLACE)
    _warn_of_few_nulls(_own(used), rules)
    nulls = verdicts.null_summary(_own(scores), PLACE)
    concepts = summary.concept_table(_own(encoded), found.catalogue)
    scored = summary.score_table(_own(used), found.catalogue, nulls)
    direct = summary.planting_table(planted, found.catalogue)
    own_cavs = _own(found.cavs)
    own_cavs = own_cavs[own_cavs["concept"].isin(set(found.catalogue["concept"]))]
    tables = {
        "verdicts": summary.verdict_table(
            concepts, scored, direct, _twins(used) if sanity_checks else None
        ),
        "concepts": concepts,
        "cavs": summary.cav_table(own_cavs, found.catalogue),
        "scores": scored,
        "planting": direct,
        "attributions": _own(found.attributions).reindex(columns=ATTRIBUTION_COLUMNS),
        "nulls": nulls,
        "null_values": summary.null_values(_own(scores), _own(metrics)),
        "motif_sensitivity": sensitivity.sensitivity_table(own_cavs, found.catalogue),
        "motif_points": sensitivity.points_table(own_cavs, found.catalogue),
        "similarity": entanglement.pair_table(found.similarity, inseparable),
        "layers": entanglement.layer_table(found.similarity, scored, rules.statistic),
    }
    if len(found.methods):
        tables["methods"] = _compared_methods(found)
    if sanity_checks:
        checks = _checks(metrics, scores, encoded, used, found.catalogue, rules)
        tables["sanity"] = sanity.sanity_table(checks, rules.alpha)
    return tables


def _compared_methods(found: Found) -> pd.DataFrame:
    """Return ``methods.tsv``: each method against permuted motifs by the same method."""
    rows = classified(found.methods, found.catalogue)
    compared = verdicts.compare(rows, found.catalogue, METHODS, (*PLACE, "method"))
    return summary.method_table(compared, found.catalogue)


def _own(table: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of the models themselves, without those of their twins."""
    return table[table["model"].map(twin_of).isna()]


def _twins(table: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of twins, under the names of the models they are twins of."""
    own = table["model"].map(twin_of)
    return table[own.notna()].assign(model=own.dropna())


def _checks(
    metrics: pd.DataFrame,
    scores: pd.DataFrame,
    encoded: pd.DataFrame,
    used: pd.DataFrame,
    catalogue: pd.DataFrame,
    rules: Rules,
) -> list[tuple[str, str, str, pd.DataFrame]]:
    """Return what `sanity.sanity_table` is made of."""
    shuffled = verdicts.compare(_own(metrics), catalogue, ENCODED, LAYER, kind="shuffled")
    pushed = verdicts.compare(_own(scores), catalogue, USED, PLACE, kind="shuffled")
    return [
        ("permuted weights", "encoded", "auroc", _twins(encoded)),
        ("permuted weights", "used", rules.statistic, _twins(used)),
        ("shuffled labels", "encoded", "auroc", shuffled),
        ("shuffled labels", "used", rules.statistic, pushed),
    ]


def _warn_of_few_nulls(used: pd.DataFrame, rules: Rules) -> None:
    """Say where nulls are too few for a tenth of concepts, or for one where none is called."""
    for place, group in used[used["null"] == "permuted"].groupby([*PLACE, "variant"]):
        for nulls, alike in group.groupby("n_nulls"):
            fewest = fewest_callable(len(group), nulls, rules.alpha)
            if fewest > (max(1, len(group) // 10) if alike["used"].any() else 1):
                log.warning(
                    "%s: %d permuted motifs for %d of %d concepts: q can reach %g only if %d or"
                    " more are beyond all nulls; raise statistics.permutations_per_motif or test"
                    " fewer",
                    " ".join(place),
                    nulls,
                    len(alike),
                    len(group),
                    rules.alpha,
                    fewest,
                )
