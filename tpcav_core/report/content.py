"""All that the page shows, from the result tables, as JSON-able content."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from . import words
from .basis import correlation_words, variance_content
from .matrices import matrices
from .places import places
from .regions import site_content
from .values import columns, rounded

#: rows of a table that the page holds; all are in the table's file
MOST_ROWS = 4000
#: tables that the page shows with the columns that are left out there
SHOWN: dict[str, tuple[str, ...]] = {
    "motif_sensitivity": (),
    "motif_points": (),
    "similarity": (),
    "layers": (),
    "attributions": (),
    "nulls": (),
    "sanity": (),
    "methods": (
        *("f1", "n_regions", "tcav_fraction", "fraction_positive"),
        *(f"{n}_p_permuted" for n in ("derivative", "effect", "log_ratio", "published_mean")),
    ),
}
_TEXT = ("model", "layer", "target", "concept", "label", "variant", "source", "control")


@dataclass(frozen=True)
class ReportInputs:
    """What a report is made from.

    Attributes:
        tables: result tables by name; ``verdicts`` is needed, all others may be missing.
        catalogue: one row per concept: concept, label, source, …
        similarity: cosines of the CAVs by model and layer, see `commands.result_files`.
        sites: target regions by model, layer and target, of the `sites` step.
        variance: of components by model and layer, of the `components` step.
        logos: heights of letters by concept, of `logos.logo_heights`.
        config: the configuration that was run; may be empty.
        configuration: the same as text.
        versions: pairs of a name and a version.
        files: facts on input files.
        costs: time and memory of steps.
    """

    tables: Mapping[str, pd.DataFrame]
    catalogue: pd.DataFrame
    similarity: Mapping[tuple[str, str], pd.DataFrame] = field(default_factory=dict)
    sites: Mapping[tuple[str, str, str], pd.DataFrame] = field(default_factory=dict)
    variance: Mapping[tuple[str, str], pd.DataFrame] = field(default_factory=dict)
    logos: Mapping[str, list[int]] = field(default_factory=dict)
    config: Mapping[str, Any] = field(default_factory=dict)
    configuration: str = ""
    versions: list[list[str]] = field(default_factory=list)
    files: list[dict[str, Any]] = field(default_factory=list)
    costs: list[dict[str, Any]] = field(default_factory=list)


def report_content(inputs: ReportInputs) -> dict[str, Any]:
    """Return the content of the page: words, tables, nulls, logos, matrices and facts."""
    tables = inputs.tables
    verdicts = tables["verdicts"]
    catalogue = inputs.catalogue.drop_duplicates("concept")
    missing = verdicts.drop_duplicates("concept")
    missing = missing[~missing["concept"].isin(catalogue["concept"])]
    listed = pd.concat([catalogue, missing[["concept", "label"]]], ignore_index=True)
    numbers = {str(name): number for number, name in enumerate(listed["concept"])}
    wanted = ["concept", "label", "source", "set", "control", "motif_length"]
    wanted += ["information_content", "available"]
    found = places(tables, numbers)
    for place, text in zip(found, words.verdicts_in_words(verdicts), strict=True):
        place["words"] = text
    return {
        "asked": words.asked(inputs.config, catalogue, tables),
        "sure": words.sure(inputs.config, tables),
        "concepts": columns(listed, wanted),
        "logos": {numbers[name]: logo for name, logo in inputs.logos.items() if name in numbers},
        "places": found,
        "tables": {
            name: shown_table(tables[name], name, dropped)
            for name, dropped in SHOWN.items()
            if name in tables
        },
        "similarity": matrices(inputs.similarity, verdicts, numbers),
        "sites": site_content(inputs.sites, numbers),
        "variance": variance_content(inputs.variance),
        "correlations": correlation_words(tables.get("attributions")),
        "alpha": rounded(words.alpha(inputs.config)),
        "seed": inputs.config.get("seed"),
        "configuration": inputs.configuration,
        "versions": inputs.versions,
        "files": inputs.files,
        "costs": inputs.costs,
    }


def shown_table(table: pd.DataFrame, name: str, dropped: tuple[str, ...]) -> dict[str, Any]:
    """Return a table for the page; of a long one the rows of the largest effects, or the first."""
    rows = table
    if len(rows) > MOST_ROWS and "effect" in rows:
        rows = rows.loc[rows["effect"].abs().sort_values(ascending=False, kind="stable").index]
    rows = rows.head(MOST_ROWS)
    rows = rows.assign(**{column: rows[column].astype(str) for column in _TEXT if column in rows})
    names = [column for column in rows if column not in dropped]
    return {"name": name, "total": len(table), "columns": columns(rows, names), "names": names}
