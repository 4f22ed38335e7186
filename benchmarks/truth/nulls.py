"""What is called against the nulls, and how the nulls behave where nothing is to be found."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from scipy.stats import kstest, spearmanr

from benchmarks.truth.rows import TRUE, standard
from tpcav_core.significance import large_enough, p_values, q_values, saturation

MINIMUM, LEVEL = 0.15, 0.05


def tested(rows: pd.DataFrame, statistic: str, null: str) -> pd.DataFrame:
    """Return concepts with p and q of a statistic against a null, within a place."""
    own = standard(rows)
    side = "greater" if statistic in ("auroc", "f1") else "both"
    parts = []
    for _, place in own.groupby(["network", "seed", "layer"]):
        for variant, group in place[place["kind"] == "concept"].groupby("variant"):
            nulls = place[place["kind"] == null]
            if null == "permuted":
                nulls = nulls[nulls["variant"] == variant]
            if nulls.empty:
                continue
            p = p_values(group[statistic].to_numpy(), nulls[statistic].to_numpy(), side)
            large = large_enough(group[statistic].to_numpy(), MINIMUM)
            parts.append(group.assign(p=p, q=q_values(p), large=large))
    return pd.concat(parts) if parts else own.iloc[:0].assign(p=0.0, q=0.0, large=False)


def calls(rows: pd.DataFrame, by: Sequence[str] = ("layer", "has_gc")) -> pd.DataFrame:
    """Return the share of decoys called, and power, for each statistic and null."""
    found = []
    for statistic in ("effect", "beyond_gc", "centred", "derivative", "auroc"):
        for null in ("permuted", "random"):
            for minimum in (False, True):
                motifs_only = statistic in ("beyond_gc", "centred")
                if (minimum and statistic == "auroc") or (null == "random" and motifs_only):
                    continue
                table = tested(rows, statistic, null)
                table["called"] = (table["q"] <= LEVEL) & (table["large"] | (not minimum))
                for names, group in table.groupby([*by]):
                    decoy = group["role"].str.startswith("decoy")
                    found.append(
                        {"statistic": statistic, "null": null, "minimum effect": minimum}
                        | dict(zip(by, names, strict=True))
                        | {
                            "decoys with p < 0.05": (group[decoy]["p"] <= LEVEL).mean(),
                            "decoys called": group[decoy]["called"].mean(),
                            "of those used elsewhere": group[
                                group["role"] == "decoy_used_elsewhere"
                            ]["called"].mean(),
                            "power": group[group["role"].isin(TRUE)]["called"].mean(),
                            "pair": group[group["role"] == "pair"]["called"].mean(),
                        }
                    )
    return pd.DataFrame(found)


def pooling(rows: pd.DataFrame) -> pd.DataFrame:
    """Return how the effect of permuted motifs depends on the GC content of the motif."""
    own = standard(rows)
    found = []
    for (has_gc, layer, variant), place in own.groupby(["has_gc", "layer", "variant"]):
        if not variant:
            continue
        correlations, spreads, between = [], [], []
        for _, group in place.groupby(["network", "seed"]):
            nulls = group[group["kind"] == "permuted"]
            correlations.append(spearmanr(nulls["motif_gc"], nulls["effect"]).statistic)
            means = nulls.groupby("of")["effect"].transform("mean")
            spreads.append(nulls["effect"].std())
            between.append(
                1
                - ((nulls["effect"] - means) ** 2).sum()
                / ((nulls["effect"] - nulls["effect"].mean()) ** 2).sum()
            )
        found.append(
            {"GC matters": has_gc, "layer": layer, "copies": variant}
            | {"rank correlation of effect with GC": np.mean(correlations)}
            | {"spread of null effects": np.mean(spreads), "share between motifs": np.mean(between)}
        )
    return pd.DataFrame(found)


def fresh(rows: pd.DataFrame) -> pd.DataFrame:
    """Return type I error and Kolmogorov-Smirnov p of fresh random sets against random nulls."""
    own = standard(rows)
    found = []
    for statistic, side in (
        ("effect", "both"),
        ("derivative", "both"),
        ("auroc", "greater"),
        ("f1", "greater"),
    ):
        for layer, place in own[own["kind"].isin(["fresh", "random"])].groupby("layer"):
            p = np.concatenate(
                [
                    p_values(
                        group[group["kind"] == "fresh"][statistic].to_numpy(),
                        group[group["kind"] == "random"][statistic].to_numpy(),
                        side,  # type: ignore[arg-type]
                    )
                    for _, group in place.groupby(["network", "seed"])
                ]
            )
            # p is discrete: spread it over its step, or the test would see the steps
            nulls = int(
                (place["kind"] == "random").sum() / place.groupby(["network", "seed"]).ngroups
            )
            spread = p - np.random.default_rng(0).uniform(0, 1 / (1 + nulls), len(p))
            found.append(
                {"statistic": statistic, "layer": layer, "sets": len(p)}
                | {"p < 0.05": (p <= LEVEL).mean(), "KS p": kstest(spread, "uniform").pvalue}
                | {"fraction beyond 0.1 or 0.9": saturation(place["fraction_positive"].to_numpy())}
                | {"median |log ratio|": place["log_ratio"].abs().median()}
            )
    return pd.DataFrame(found)


def sanity(rows: pd.DataFrame) -> pd.DataFrame:
    """Return what is called of permuted weights, and of shuffled labels."""
    found = []
    twins = rows[rows["study"] == "permuted weights"]
    study = rows[rows["study"] == "study"]
    shuffled = study[study["kind"].isin(["shuffled", "random"])]
    shuffled = shuffled.assign(kind=shuffled["kind"].replace("shuffled", "concept"))
    for check, table, null in (
        ("permuted weights", twins, "permuted"),
        ("shuffled labels", shuffled, "random"),
    ):
        for statistic in ("effect", "derivative", "auroc"):
            result = tested(table, statistic, null)
            for layer, group in result.groupby("layer"):
                found.append(
                    {"check": check, "statistic": statistic, "layer": layer, "tests": len(group)}
                    | {
                        "p < 0.05": (group["p"] <= LEVEL).mean(),
                        "q < 0.05": (group["q"] <= LEVEL).mean(),
                    }
                )
    return pd.DataFrame(found)
