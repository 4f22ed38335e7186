"""Reading what `evaluate` and the published package found, and writing tables."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

#: roles of motifs that raise or lower the first output by themselves
TRUE = ("activator", "repressor")


def read(work: Path) -> pd.DataFrame:
    """Return the rows of all networks; fractions are centred, so that their sign says the side."""
    parts = [pd.read_parquet(path) for path in sorted(work.glob("*.parquet"))]
    rows = pd.concat([*parts, *_published(work, parts)], ignore_index=True)
    rows = rows.assign(tcav_fraction=rows["tcav_fraction"] - 0.5)
    return rows.assign(centred=centred(rows))


def standard(rows: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of the workflow's defaults: ridge on standardised activations, with PCA."""
    return rows[(rows["mode"] == "tpcav") & (rows["classifier"] == "ridge")]


def centred(rows: pd.DataFrame) -> pd.Series:
    """Return each effect less the mean effect of permutations of the same motif.

    Of a permutation, less the mean of the others, brought to the spread that a motif's own
    difference from the mean of all of them has.
    """
    places = ["network", "seed", "study", "layer", "variant"]
    own = rows[(rows["kind"] == "permuted") & (rows["mode"] == "tpcav")]
    groups = own.groupby([*places, "of"])["effect"]
    total, n = groups.transform("sum"), groups.transform("size")
    others = (total - own["effect"]) / (n - 1)
    spread = np.sqrt((1 + 1 / n) / (1 + 1 / (n - 1)))
    means = groups.mean().rename("mean").reset_index()
    concepts = rows.reset_index().merge(means, on=[*places, "of"]).set_index("index")
    found = (concepts["effect"] - concepts["mean"]).reindex(rows.index)
    found[own.index] = (own["effect"] - others) * spread
    return found


def _published(work: Path, parts: list[pd.DataFrame]) -> list[pd.DataFrame]:
    """Return rows of the published package, mode ``tpcav 0.12.1``, with roles of ours."""
    found = []
    facts = [
        "network",
        "seed",
        "has_gc",
        "concept",
        "variant",
        "role",
        "strength",
        "planting_effect",
    ]
    for path in sorted(work.glob("published-*.csv")):
        _, network, seed, layer = path.stem.split("-")
        table = pd.read_csv(path).rename(columns={"mean": "published_mean", "copies": "variant"})
        own = next(
            part
            for part in parts
            if part["network"].iloc[0] == network and part["seed"].iloc[0] == int(seed)
        )
        own = own[(own["study"] == "study") & (own["kind"] == "concept")]
        about = own[facts].drop_duplicates(["concept", "variant"])
        table = table.assign(variant=table["variant"].astype(str))
        merged = table.merge(about, on=["concept", "variant"])
        names = {"layer": layer, "study": "study", "kind": "concept"}
        found.append(merged.assign(**names, mode="tpcav 0.12.1", classifier="published"))
    return found


def markdown(table: pd.DataFrame) -> str:
    """Return a table in Markdown, numbers with three decimals."""

    def text(value: object) -> str:
        return f"{value:.3f}" if isinstance(value, float) else str(value)

    lines = [" | ".join(map(str, table.columns)), " | ".join("---" for _ in table.columns)]
    lines += [" | ".join(map(text, row)) for row in table.itertuples(index=False)]
    return "\n".join(f"| {line} |" for line in lines)
