"""Compare what was said of the networks with the truth; print Markdown tables."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.stats import spearmanr
from sklearn.metrics import roc_auc_score

from benchmarks.truth.nulls import calls, fresh, pooling, sanity
from benchmarks.truth.rows import TRUE, markdown, read

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
        "Calls at q < 0.05, by copies": calls(study, ("layer", "variant", "network")),
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
