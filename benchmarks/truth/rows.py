"""Reading what `evaluate` and the published package found."""

from __future__ import annotations

from pathlib import Path

import pandas as pd


def read(work: Path) -> pd.DataFrame:
    """Return the rows of all networks; fractions are centred, so that their sign says the side."""
    parts = [pd.read_parquet(path) for path in sorted(work.glob("*.parquet"))]
    rows = pd.concat([*parts, *_published(work, parts)], ignore_index=True)
    return rows.assign(tcav_fraction=rows["tcav_fraction"] - 0.5)


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
