"""``python -m tpcav_core catalogue``: the table of all concepts of a configuration.

With ``--configfile`` it prints the concepts alone: no genome, model or result is needed.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from .. import files
from ..catalogue import read_catalogue
from ..errors import InputError
from ..sources.base import Concept
from .result_files import write_table

SCHEMA = Path(__file__).parents[2] / "workflow" / "schemas" / "config.schema.yaml"
FACTS = ("information_content", "information_content_gc", "motif_length", "into")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--configfile", help="print the concepts of a configuration, and stop")
    what.add_argument("--concepts", help="JSON: the section `concepts`")
    parser.add_argument("--default-control", default="random", help="of sets that name none")
    parser.add_argument(
        "--recipes",
        nargs="+",
        action="append",
        default=[],
        metavar=("MODEL", "FILE"),
        help="recipes of concepts and shared controls, parquet; once for each model",
    )
    parser.add_argument("--cache", help="folder of what is expensive to find out again")
    parser.add_argument("--output", help="table, .tsv (a .parquet goes beside it)")


def run(arguments: argparse.Namespace) -> None:
    if arguments.configfile:
        sys.stdout.write(listing(arguments.configfile))
        return
    if not arguments.output:
        raise InputError("no --output given; name the table that is to be written")
    concepts = read_catalogue(
        json.loads(arguments.concepts),
        default_control=arguments.default_control,
        cache=Path(arguments.cache) if arguments.cache else None,
    )
    models = [(model, _availability(paths)) for model, *paths in arguments.recipes]
    table = pd.DataFrame(_rows(concepts, models))
    write_table(table, arguments.output)


def listing(configfile: str) -> str:
    """Return the concepts of a configuration as text, a line each."""
    if not SCHEMA.is_file():
        raise InputError("--configfile needs the workflow's schema; run it in a checkout")
    from ..config import checked, read_yaml
    from ..jobs import Jobs

    config = checked(read_yaml(configfile), read_yaml(str(SCHEMA)))
    table = pd.DataFrame(_rows(Jobs.from_config(config).concepts, [("", {})]))
    columns = ["concept", "label", "set", "source", "variants", "control", "candidates"]
    return str(table[columns].to_csv(sep="\t", index=False, na_rep="any"))


def _availability(paths: Iterable[str]) -> dict[str, Mapping[str, Any]]:
    """Return availability by id of concept or name of control, from files of recipes."""
    found: dict[str, Mapping[str, Any]] = {}
    for path in paths:
        file = files.open_parquet(path, "recipes")
        description = files.parquet_description(file) or {}
        found |= description["parameters"]["availability"]
    return found


def _rows(
    concepts: Iterable[Concept], models: list[tuple[str, dict[str, Mapping[str, Any]]]]
) -> list[dict[str, Any]]:
    concepts = list(concepts)
    own = {concept.id for concept in concepts}
    rows = []
    for model, available in models:
        for concept in concepts:
            if model and concept.id not in available:
                continue
            about = {
                "concept": concept.id,
                "label": concept.label,
                "set": concept.set,
                "source": concept.source,
                "variants": ",".join(concept.variants),
                "control": concept.control,
                **{name: concept.facts.get(name) for name in FACTS},
            }
            known = available.get(concept.id, {"candidates": concept.candidates})
            rows.append({"model": model, "kind": "concept", **about, **_counts(known)})
        for name in (name for name in available if name not in own):
            about = {"concept": name, "label": name, "source": "control"}
            rows.append({"model": model, "kind": "control", **about, **_counts(available[name])})
    return rows


def _counts(availability: Mapping[str, Any]) -> dict[str, Any]:
    rejected = availability.get("rejected", {})
    return {
        "candidates": availability.get("candidates"),
        "available": availability.get("available"),
        "rejected": "; ".join(f"{reason}: {n}" for reason, n in rejected.items()),
    }
