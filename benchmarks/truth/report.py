"""Compare what was said of the networks with the truth; print Markdown tables."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.stats import kstest, spearmanr
from sklearn.metrics import roc_auc_score

from benchmarks.truth.rows import markdown, read
from tpcav_core.significance import large_enough, p_values, q_values, saturation

TRUE = ("activator", "repressor")
MINIMUM, LEVEL = 0.15, 0.05
#: name in the tables: statistic, mode, classifier
STATISTICS = {
    "effect": ("effect", "tpcav", "ridge"),
    "effect beyond GC": ("beyond_gc", "tpcav", "ridge"),
    "derivative, ridge": ("derivative", "tpcav", "ridge"),
    "derivative, svm": ("derivative", "tpcav", "svm"),
    "derivative, logistic": ("derivative", "tpcav", "logistic"),
    "derivative, pattern": ("derivative", "tpcav", "pattern"),
    "derivative, plain TCAV": ("derivative", "plain", "ridge"),
    "TCAV fraction, plain": ("tcav_fraction", "plain", "ridge"),
    "published |Δ| mean, PCA": ("published_mean", "tpcav", "ridge"),
    "published log ratio, PCA": ("log_ratio", "tpcav", "ridge"),
    "published |Δ| mean, no PCA": ("published_mean", "standardised", "ridge"),
    "published log ratio, no PCA": ("log_ratio", "standardised", "ridge"),
    "published package, log ratio": ("log_ratio", "tpcav 0.12.1", "published"),
    "published package, mean": ("published_mean", "tpcav 0.12.1", "published"),
    "signed Δ mean, PCA": ("published_mean", "signed", "ridge"),
    "AUROC of the CAV": ("auroc", "tpcav", "ridge"),
    "planting effect": ("planting_effect", "tpcav", "ridge"),
}
PLACE = ["network", "seed", "layer", "variant"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--work", type=Path, required=True, help="folder of evaluate's tables")
    arguments = parser.parse_args()
    rows = read(arguments.work)
    learned = [json.loads(path.read_text()) for path in sorted(arguments.work.glob("*-*.json"))]
    for title, table in tables(rows, learned).items():
        print(f"\n### {title}\n\n{markdown(table)}")


def tables(rows: pd.DataFrame, learned: list[dict[str, float]]) -> dict[str, pd.DataFrame]:
    """Return every table of the report by title."""
    study = rows[rows["study"] == "study"]
    return {
        "What the networks learned": pd.DataFrame(learned),
        "Recovery of the truth": recovery(study),
        "Rank correlation with the planting effect": with_planting(study),
        "Calls at q < 0.05": calls(study),
        "Calls at q < 0.05, by copies": calls(study, ["layer", "variant", "network"]),
        "Does pooling depend on composition": pooling(study),
        "Fresh random sets against random nulls": fresh(study),
        "Sanity checks": sanity(rows),
        "Another seed": another_seed(rows),
    }


def chosen(rows: pd.DataFrame, statistic: str) -> pd.DataFrame:
    """Return the concepts' rows of a statistic, its value as ``value``."""
    name, mode, classifier = STATISTICS[statistic]
    own = rows[
        (rows["kind"] == "concept") & (rows["mode"] == mode) & (rows["classifier"] == classifier)
    ]
    return own.assign(value=own[name])


def ranking(values: pd.DataFrame, true: Iterable[str] = TRUE) -> float:
    """Return the AUROC of the size of a statistic, true motifs against all decoys."""
    is_true, is_decoy = values["role"].isin(true), values["role"].str.startswith("decoy")
    both = values[is_true | is_decoy]
    return float(roc_auc_score(both["role"].isin(true), both["value"].abs()))


def recovery(rows: pd.DataFrame) -> pd.DataFrame:
    """Return AUROC (mean, worst seed) and sign accuracy of each statistic by layer."""
    found = []
    for statistic in STATISTICS:
        for layer, own in chosen(rows, statistic).groupby("layer"):
            places = [group for _, group in own.groupby(PLACE)]
            aurocs = [ranking(group) for group in places]
            true = own[own["role"].isin(TRUE)]
            signs = np.sign(true["value"]) == np.sign(true["strength"])
            found.append(
                {
                    "statistic": statistic,
                    "layer": layer,
                    "AUROC": np.mean(aurocs),
                    "worst": np.min(aurocs),
                    "sign": signs.mean(),
                    "with the pair": np.mean([ranking(g, (*TRUE, "pair")) for g in places]),
                }
            )
    table = pd.DataFrame(found).pivot(index="statistic", columns="layer")
    table = table.reindex(index=[*STATISTICS]).swaplevel(axis=1)
    order = [
        (layer, name)
        for layer in ("early", "middle", "late")
        for name in ("AUROC", "worst", "sign", "with the pair")
    ]
    table = table[[column for column in order if column in table]]
    table.columns = [" ".join(column) for column in table.columns]
    return table.reset_index()


def with_planting(rows: pd.DataFrame) -> pd.DataFrame:
    """Return Spearman's correlation of statistics with the planting effect over concepts."""
    found = []
    for statistic in (
        "effect",
        "derivative, ridge",
        "derivative, pattern",
        "published |Δ| mean, PCA",
    ):
        own = chosen(rows, statistic)
        for (layer, variant), group in own.groupby(["layer", "variant"]):
            values = [
                spearmanr(one["value"], one["planting_effect"]).statistic
                for _, one in group.groupby(["network", "seed"])
            ]
            slopes = [
                np.polyfit(one["planting_effect"], one["value"], 1)[0]
                for _, one in group.groupby(["network", "seed"])
            ]
            found.append(
                {"statistic": statistic, "layer": layer, "copies": variant}
                | {"mean": np.mean(values), "lowest": np.min(values), "slope": np.mean(slopes)}
            )
    return pd.DataFrame(found)


def tested(rows: pd.DataFrame, statistic: str, null: str) -> pd.DataFrame:
    """Return concepts with p and q of a statistic against a null, within a place."""
    own = rows[(rows["mode"] == "tpcav") & (rows["classifier"] == "ridge")]
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


def calls(rows: pd.DataFrame, by: list[str] | None = None) -> pd.DataFrame:
    """Return the share of decoys called, and power, for each statistic and null."""
    found = []
    by = by or ["layer", "has_gc"]
    for statistic in ("effect", "beyond_gc", "centred", "derivative", "auroc"):
        for null in ("permuted", "random"):
            for minimum in (False, True):
                motifs_only = statistic in ("beyond_gc", "centred")
                if (minimum and statistic == "auroc") or (null == "random" and motifs_only):
                    continue
                table = tested(rows, statistic, null)
                table["called"] = (table["q"] <= LEVEL) & (table["large"] | (not minimum))
                for names, group in table.groupby(by):
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
    own = rows[(rows["mode"] == "tpcav") & (rows["classifier"] == "ridge")]
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
    own = rows[(rows["mode"] == "tpcav") & (rows["classifier"] == "ridge")]
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
    study = rows[(rows["study"] == "study")]
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


def another_seed(rows: pd.DataFrame) -> pd.DataFrame:
    """Return the rank correlation of concepts between two seeds of all draws, same network."""
    keys = ["network", "seed", "layer", "variant", "concept"]
    found = []
    for statistic in ("effect", "derivative, ridge", "AUROC of the CAV", "published |Δ| mean, PCA"):
        sides = [
            chosen(rows[rows["study"] == name], statistic)[[*keys, "value"]]
            for name in ("study", "another seed")
        ]
        both = sides[0].merge(sides[1], on=keys)
        values = {
            place: spearmanr(group["value_x"], group["value_y"]).statistic
            for place, group in both.groupby(PLACE)
        }
        for layer in ("middle", "late"):
            own = [value for place, value in values.items() if place[2] == layer]
            if own:
                found.append(
                    {
                        "statistic": statistic,
                        "layer": layer,
                        "mean": np.mean(own),
                        "lowest": np.min(own),
                    }
                )
    return pd.DataFrame(found)


if __name__ == "__main__":
    main()
