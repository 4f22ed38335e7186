"""Two verdicts on every concept, kept apart: does a layer *encode* it, and is it *used*.

Each statistic of a concept is compared with the same statistic of nulls: CAVs between random sets,
and, for planted motifs, motifs with permuted columns, which decide where there are any. q-values
are those of one (model, layer, target, variant).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd

from .matched_nulls import MADE, MatchedNulls
from .names import null_of
from .significance import (
    SATURATED,
    Side,
    large_enough,
    p_values,
    q_values,
    saturation,
)

#: statistics of the two verdicts, and which values are extreme
ENCODED: dict[str, Side] = {"f1": "greater", "auroc": "greater"}
USED: dict[str, Side] = {"derivative": "both", "effect": "both", "log_ratio": "both"}
METHODS: dict[str, Side] = {**USED, "published_mean": "both"}
PLANTED: dict[str, Side] = {"planting_effect": "both"}


class Rules(NamedTuple):
    """What is called; the section ``statistics`` of the configuration.

    Attributes:
        statistic: that decides whether a concept is used, ``effect`` or ``derivative``.
        alpha: largest q-value that is called.
        minimum_effect: smallest size of the statistic, as a share of the largest.
    """

    statistic: str = "effect"
    alpha: float = 0.05
    minimum_effect: float = 0.15


def compare(
    rows: pd.DataFrame,
    catalogue: pd.DataFrame,
    statistics: Mapping[str, Side],
    families: Sequence[str],
    kind: str = "concept",
) -> pd.DataFrame:
    """Compare statistics of concepts with those of their nulls.

    Args:
        rows: concepts and nulls, see `matched_nulls.classified`: the columns of ``families``,
            ``concept``, ``variant``, ``n_concept`` and the statistics; of random nulls ``size``.
        catalogue: one row per concept: concept, control, and maybe into.
        statistics: their names and which values are extreme.
        families: within which q-values are adjusted, beside ``variant``.
        kind: whose rows are compared: concepts, or shuffled labels as if they were.

    Returns:
        The rows of ``kind`` with, for each statistic, ``_p_random`` and ``_p_permuted`` (NaN
        without such nulls) and ``_q``, adjusted from that of the null that decides; ``null``, which
        one that is, and ``n_nulls``, how many; and where ``effect`` is among them
        ``effect_permuted``, its mean over the permutations of the same motif: what is left without
        the order of its columns.
    """
    made = catalogue.set_index("concept").reindex(columns=list(MADE))
    parts = []
    for _, place in rows.groupby(list(families), sort=False):
        nulls = MatchedNulls(place)
        for variant, chosen in place[place["kind"] == kind].groupby("variant", sort=False):
            same = (place["kind"] == "permuted") & (place["variant"] == variant)
            own = place[same] if kind == "concept" else place.iloc[:0]
            of = own["concept"].map(lambda name: null_of(name)[0])  # type: ignore[index]
            part = chosen.drop(columns=[*MADE, "size", "null"], errors="ignore")
            how = made.loc[part["concept"]]
            random = map(nulls.random, how["control"], part["n_concept"])
            effects = own.reindex(columns=["effect"])["effect"].groupby(of).mean()
            permuted = [
                nulls.permuted(variant, *one) if name in effects.index else nulls.none
                for name, *one in how.itertuples(name=None)
            ]
            parts.append(_with_p(part, statistics, list(random), permuted, effects))
    if not parts:
        found = ["n_nulls"]
        found += [f"{name}_{end}" for name in statistics for end in ("p_random", "p_permuted", "q")]
        found += ["effect_permuted"] if "effect" in statistics else []
        columns = dict.fromkeys([*rows.columns, *statistics, "null", *found])
        return rows[rows["kind"] == kind].reindex(columns=list(columns))
    return pd.concat(parts).sort_index()


def _with_p(
    part: pd.DataFrame,
    statistics: Mapping[str, Side],
    random: Sequence[pd.DataFrame],
    permuted: Sequence[pd.DataFrame],
    effect_permuted: pd.Series,
) -> pd.DataFrame:
    """Add p and q to the concepts of one variant in one place, each against nulls of its own."""
    planted = np.array([len(one) > 0 for one in permuted], bool)
    part["n_nulls"] = [len(two) or len(one) for one, two in zip(random, permuted, strict=True)]
    part["null"] = np.select([planted, part["n_nulls"] > 0], ["permuted", "random"], "none")
    for name, side in statistics.items():
        by_chance, of_motifs = (_p(part[name], nulls, side) for nulls in (random, permuted))
        part[f"{name}_p_random"] = by_chance
        part[f"{name}_p_permuted"] = of_motifs
        part[f"{name}_q"] = q_values(np.where(planted, of_motifs, by_chance))
    if "effect" in statistics:
        part["effect_permuted"] = part["concept"].map(effect_permuted)
    return part


def _p(observed: pd.Series, nulls: Sequence[pd.DataFrame], side: Side) -> np.ndarray:
    """Return p (m,) of each value against its own nulls; those that share them at once."""
    p = np.full(len(observed), np.nan)
    groups: dict[int, list[int]] = {}
    for row, one in enumerate(nulls):
        groups.setdefault(id(one), []).append(row)
    values = observed.to_numpy(float)
    for rows in groups.values():
        p[rows] = p_values(values[rows], nulls[rows[0]][observed.name].to_numpy(float), side)
    return p


def call_encoded(concepts: pd.DataFrame, rules: Rules) -> pd.DataFrame:
    """Add ``encoded``: whether AUROC is above that of nulls, q at most ``alpha``."""
    return concepts.assign(encoded=_called(concepts["auroc_q"], rules.alpha))


def call_used(scores: pd.DataFrame, rules: Rules, families: Sequence[str]) -> pd.DataFrame:
    """Add ``large_enough``, ``used`` (both q and size) and ``direction`` of ``statistic``."""
    values = scores[rules.statistic]
    large = np.zeros(len(scores), bool)
    places = pd.Series(range(len(scores)), index=scores.index)
    for index in scores.groupby([*families, "variant"], sort=False).groups.values():
        large[places[index]] = large_enough(values[index].to_numpy(), rules.minimum_effect)
    called = _called(scores[f"{rules.statistic}_q"], rules.alpha)
    direction = np.select([values > 0, values < 0], ["+", "-"], "0")
    return scores.assign(
        large_enough=large,
        used=called & large,
        direction=direction,
        statistic=rules.statistic,
    )


def _called(q: pd.Series, alpha: float) -> pd.Series:
    return (q <= alpha).fillna(value=False)


def null_summary(rows: pd.DataFrame, families: Sequence[str]) -> pd.DataFrame:
    """Return what the nulls of each place are like, a row per kind and variant or size.

    Columns beside the families: ``null``, ``control``, ``size`` (of random nulls) or ``into`` and
    ``variant`` (of permuted motifs), ``n_nulls``, ``smallest_p``, quantiles of ``effect`` and
    ``derivative`` in size, ``saturation`` (share of nulls whose fraction of positive regions is
    below 0.1 or above 0.9) and ``saturated``.
    """
    found = []
    # without random nulls these are not there
    rows = rows.reindex(columns=list(dict.fromkeys([*rows.columns, *MADE, "size"])))
    for keys, place in rows.groupby(list(families), sort=False):
        for null, by in (("random", ["control", "size"]), ("permuted", [*MADE, "variant"])):
            own = place[place["kind"] == null]
            for names, group in own.groupby(by, sort=False, dropna=False):
                share = saturation(group["fraction_positive"].to_numpy())
                found.append(
                    {
                        **dict(zip(families, keys, strict=True)),
                        "null": null,
                        **dict(zip(by, names, strict=True)),
                        "n_nulls": len(group),
                        "smallest_p": 1 / (1 + len(group)),
                        **_sizes(group),
                        "saturation": share,
                        "saturated": share >= SATURATED,
                    }
                )
    columns = [*families, "null", "control", "size", "variant", "n_nulls", "smallest_p"]
    columns += [f"{name}_{end}" for name in ("effect", "derivative") for end in ("median", "q95")]
    return pd.DataFrame(found, columns=[*columns, "saturation", "saturated", "into"])


def _sizes(group: pd.DataFrame) -> dict[str, float]:
    return {
        f"{name}_{end}": float(group[name].abs().quantile(share))
        for name in ("effect", "derivative")
        for end, share in (("median", 0.5), ("q95", 0.95))
    }
