"""What the report says in sentences: what was asked, what was found, how sure that is."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

import pandas as pd

from ..display import one_line
from ..significance import fewest_callable
from ..table_columns import LAYER, PLACE, deciding_statistic
from ..verdicts import Rules

Tables = Mapping[str, pd.DataFrame]
#: concepts that a sentence names
NAMED = 5
_SPLITS = {
    "blocks": "blocks of the genome",
    "chromosomes": "whole chromosomes",
}


def asked(config: Mapping[str, Any], catalogue: pd.DataFrame, tables: Tables) -> list[list[str]]:
    """Return pairs of a heading and a sentence: the question in words."""
    section = {name: config.get(name) or {} for name in ("examples", "controls", "cavs", "basis")}
    sources = Counter(catalogue["source"].astype(str))
    by_source = ", ".join(
        f"{count} {name}" if len(sources) > 1 else name for name, count in sources.items()
    )
    verdicts = tables["verdicts"]
    layers = verdicts[LAYER].drop_duplicates()
    models = [
        f"{model}: layer{'s' if len(group) > 1 else ''} {_listed(group['layer'])}"
        for model, group in layers.groupby("model", sort=False)
    ]
    found = [
        ["Models and layers", "; ".join(models) or "none"],
        ["Concepts", f"{_count(len(catalogue), 'concept')} ({by_source})"],
        ["Targets", _targets(tables)],
        ["Examples", _examples(section)],
        ["Compared with", _nulls(config.get("statistics") or {}, tables)],
        ["Attributed by", _attributed(tables)],
    ]
    return [[name, text] for name, text in found if text]


def _targets(tables: Tables) -> str:
    regions: dict[Any, Any] = {}
    for name in ("attributions", "scores"):
        table = tables.get(name)
        if table is not None and "n_regions" in table:
            regions |= table.groupby("target", sort=False)["n_regions"].max().to_dict()
    names = tables["verdicts"]["target"].drop_duplicates()
    return "; ".join(
        f"{name} ({_count(int(regions[name]), 'region')})" if name in regions else str(name)
        for name in names
    )


def _examples(section: Mapping[str, Mapping[str, Any]]) -> str:
    per_concept = section["examples"].get("per_concept")
    if per_concept is None:
        return ""
    replicates = section["controls"].get("replicates")
    components = section["basis"].get("components")
    return (
        f"{per_concept} a concept, against {_count(replicates, 'replicate')} of the control"
        f" ({section['controls'].get('default')} unless a set names another), told apart by"
        f" {section['cavs'].get('classifier')} on standardised activations"
        f" (principal components: {components})"
    )


def _nulls(statistics: Mapping[str, Any], tables: Tables) -> str:
    nulls = tables.get("nulls")
    if nulls is None or not len(nulls):
        return "nothing: there are no nulls, so that no concept can be called encoded or used"
    parts = []
    for kind, text in (("permuted", "motifs with permuted columns"), ("random", "random sets")):
        counts = nulls.loc[nulls["null"] == kind, "n_nulls"]
        if len(counts):
            low, high = int(counts.min()), int(counts.max())
            parts.append(f"{low if low == high else f'{low} to {high}'} {text}")
    text = " and ".join(parts) + " in each place"
    if statistics:
        text += (
            f"; called at q ≤ {statistics.get('alpha')} by {statistics.get('statistic')}, if at"
            f" least {100 * float(statistics.get('minimum_effect') or 0):g} % of the largest"
        )
    return text


def _attributed(tables: Tables) -> str:
    table = tables.get("attributions")
    if table is None or not len(table):
        return ""
    methods = ", ".join(str(method) for method in table["method"].dropna().unique())
    if "completeness_error" not in table or table["completeness_error"].isna().all():
        return methods
    worst = 100 * float(table["completeness_error"].max())
    return f"{methods}; completeness error at most {worst:.2g} % (mean over a target's regions)"


def verdict(rows: pd.DataFrame, place: Mapping[str, str]) -> str:
    """Return what was found at one (model, layer, target), empty results included."""
    n = rows["concept"].nunique()
    used = rows[rows["used"].fillna(value=False).astype(bool)]
    encoded = rows.loc[rows["encoded"].fillna(value=False).astype(bool), "concept"].nunique()
    where = f"layer {place['layer']} of {place['model']}"
    start = f"Of {_count(n, 'concept')}, {where} encodes {encoded or 'none'}"
    statistic = deciding_statistic(rows)
    order = used[statistic].abs().sort_values(ascending=False, kind="stable").index
    called = used.loc[order].drop_duplicates("concept")
    if not len(called):
        why = _why_nothing(rows)
        return f"{start}, and for {place['target']} none is seen to be used. {why}".strip()
    up, down = (int((called["direction"] == sign).sum()) for sign in "+-")
    named = ", ".join(
        f"{one_line(label, 40)} ({effect:+.3g})"
        for label, effect in zip(called["label"][:NAMED], called[statistic][:NAMED], strict=True)
    )
    more = f" and {len(called) - NAMED} more" if len(called) > NAMED else ""
    return (
        f"{start}, and for {place['target']} uses {len(called)}: {up} raise and {down} lower the"
        f" output. The largest {statistic}s: {named}{more}."
    )


def _why_nothing(rows: pd.DataFrame) -> str:
    if "null" in rows and (rows["null"] == "none").all():
        return "There were no nulls to compare with."
    statistic = deciding_statistic(rows)
    smallest = rows[f"{statistic}_q"].min()
    if pd.isna(smallest):
        return ""
    largest = rows.loc[rows[statistic].abs().idxmax()]
    label = one_line(largest["label"], 40)
    article = "an" if statistic == "effect" else "a"
    return (
        f"The largest {statistic} is that of {label} ({largest[statistic]:+.3g}), the"
        f" smallest q-value of {article} {statistic} {smallest:.2g}."
    )


def alpha(config: Mapping[str, Any]) -> float:
    """Return the largest q-value that is called, by the configuration or its default."""
    return float((config.get("statistics") or {}).get("alpha", Rules().alpha))


def sure(config: Mapping[str, Any], tables: Tables) -> list[list[str]]:
    """Return pairs of a heading and a sentence on how far the results can be trusted."""
    found = [
        ["Split", _split(config.get("split") or {})],
        ["Replicates", _replicates(tables)],
        ["Resolution", _resolution(tables, alpha(config))],
        ["Published score", _saturation(tables)],
        ["Sanity checks", _sanity(tables)],
    ]
    return [[name, text] for name, text in found if text]


def _split(split: Mapping[str, Any]) -> str:
    if not split:
        return ""
    where = _SPLITS.get(str(split.get("by")), "places")
    if split.get("test_chromosomes"):
        where = f"whole chromosomes (test: {_listed(split['test_chromosomes'])})"
    return (
        f"Training and test examples come from different {where}, so that no region, and none that"
        f" overlaps it, is on both sides; {100 * float(split.get('test_fraction') or 0):g} % test,"
        f" and a cross-validation of {split.get('folds')} folds chooses the penalty."
    )


def _replicates(tables: Tables) -> str:
    verdicts, concepts = tables["verdicts"], tables.get("concepts")
    agreement = verdicts.get("effect_sign_agreement")
    if agreement is None or not agreement.notna().any():
        return ""
    text = (
        f"The sign of the effect is the same with every control replicate in"
        f" {int((agreement == 1).sum())} of {int(agreement.notna().sum())} rows"
    )
    if concepts is not None and concepts.get("cav_cosine", pd.Series(dtype=float)).notna().any():
        cosine = concepts["cav_cosine"].median()
        text += f"; the median cosine between the CAVs of two replicates is {cosine:.2f}"
    return text + "."


def _resolution(tables: Tables, alpha: float) -> str:
    nulls = tables.get("nulls")
    if nulls is None or not len(nulls):
        return ""
    low = float(nulls["smallest_p"].min())
    high = float(nulls["smallest_p"].max())
    span = f"{low:.2g}" if low == high else f"{low:.2g} to {high:.2g}"
    text = f"The smallest p-value that these nulls can give is {span}."
    verdicts = tables["verdicts"]
    deciding = nulls.loc[nulls["null"].isin(verdicts["null"]), "n_nulls"]
    if not len(deciding):
        return text
    tests = int(verdicts.groupby([*PLACE, "variant"], sort=False)["concept"].nunique().max())
    nulls_at_least = int(deciding.min())
    fewest = fewest_callable(tests, nulls_at_least, alpha)
    if fewest <= 1:
        return text
    return (
        f"{text} Where there are {nulls_at_least} nulls, and with {_count(tests, 'concept')} tested"
        f" at once, q ≤ {alpha:g} can be reached only if {fewest} or more are beyond all nulls."
    )


def _saturation(tables: Tables) -> str:
    nulls = tables.get("nulls")
    if nulls is None or not len(nulls) or "saturated" not in nulls:
        return ""
    shares = 100 * nulls["saturation"].astype(float)
    n = int(nulls["saturated"].fillna(value=False).astype(bool).sum())
    return (
        f"{shares.min():.0f} to {shares.max():.0f} % of nulls have fewer than a tenth or more than"
        f" nine tenths positive regions; in {n} of {len(nulls)} sets of nulls the published log"
        " ratio is saturated and says little."
    )


def _sanity(tables: Tables) -> str:
    table = tables.get("sanity")
    if table is None or not len(table):
        return "Not run (sanity_checks: true runs them: permuted weights and shuffled labels)."
    passed = table["passed"].astype(bool)
    # tables of an older run lack the column
    with_variant = table.assign(variant=table.get("variant", ""))
    text = f"{int(passed.sum())} of {len(table)} checks came out empty, as they should"
    failed = [
        f"{row.model}, layer {row.layer}, {row.check}, {row.verdict} {row.variant}:"
        f" {row.n_called} of {row.n_tests} called"
        for row in with_variant[~passed].itertuples()
    ]
    return text + (f". Not empty: {'; '.join(failed)}." if failed else ".")


def verdicts_in_words(verdicts: pd.DataFrame) -> list[str]:
    """Return the sentence of each place, in the order of the table."""
    return [
        verdict(rows, dict(zip(PLACE, map(str, place), strict=True)))
        for place, rows in verdicts.groupby(PLACE, sort=False)
    ]


def _listed(names: Any) -> str:
    names = [str(name) for name in names]
    return ", ".join(names[:-1]) + " and " + names[-1] if len(names) > 1 else "".join(names)


def _count(n: int | None, what: str) -> str:
    return f"{n:,} {what}{'' if n == 1 else 's'}" if n is not None else f"some {what}s"
