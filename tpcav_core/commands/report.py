"""``python -m tpcav_core report``: one HTML file of all results, readable without a network."""

from __future__ import annotations

import argparse
import json
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from .. import files
from ..catalogue import read_set, resolved
from ..errors import InputError
from ..report.content import ReportInputs, report_content
from ..report.logos import logo_heights
from ..report.page import render
from ..report.run_facts import file_facts, step_costs, versions
from .result_files import read_similarity
from .summary_files import add_file_argument, read_table, read_tables

log = logging.getLogger("tpcav_core")
#: tables that are read, the first one necessarily
TABLES = (
    *("verdicts", "concepts", "scores", "nulls", "null_values", "motif_sensitivity"),
    *("motif_points", "similarity", "layers", "attributions", "methods", "sanity"),
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--tables", required=True, help="folder of the `summary` step")
    parser.add_argument("--catalogue", required=True, help="table of the `catalogue` step, parquet")
    layer = ("MODEL", "LAYER")
    add_file_argument(parser, "--similarity", layer, "file of similarities of a layer, parquet")
    add_file_argument(parser, "--basis", layer, "variance of the components of a layer, parquet")
    add_file_argument(
        parser, "--sites", (*layer, "TARGET"), "target regions of each concept, parquet"
    )
    parser.add_argument("--config", default="{}", help="JSON: the configuration")
    parser.add_argument("--inputs", default="{}", help="JSON: place in it by path of input files")
    parser.add_argument("--benchmarks", help="folder of Snakemake's benchmark files")
    parser.add_argument("--cache", help="folder of what is expensive to find out again")
    parser.add_argument("--output", required=True, help="page, .html")


def run(arguments: argparse.Namespace) -> None:
    config = json.loads(arguments.config)
    folder = Path(arguments.tables)
    catalogue = read_table(Path(arguments.catalogue))
    similarity = {
        (model, layer): read_similarity(path) for model, layer, path in arguments.similarity
    }
    benchmarks = arguments.benchmarks
    content = report_content(
        ReportInputs(
            tables=read_tables(folder, TABLES),
            catalogue=catalogue[catalogue["kind"] == "concept"],
            similarity=similarity,
            sites={tuple(place): read_table(Path(path)) for *place, path in arguments.sites},
            variance={tuple(place): read_table(Path(path)) for *place, path in arguments.basis},
            logos=read_logos(config, Path(arguments.cache) if arguments.cache else None),
            config=config,
            configuration=yaml.safe_dump(config, sort_keys=False, allow_unicode=True),
            versions=versions(),
            files=file_facts(json.loads(arguments.inputs)),
            costs=step_costs(Path(benchmarks), config.get("models", {})) if benchmarks else [],
        )
    )
    page = render(content).encode()
    with files.atomic(arguments.output) as temporary:
        temporary.write_bytes(page)
    for place in content["places"]:
        log.info("%s", place["words"])
    log.info("report: %s (%.1f MB)", arguments.output, len(page) / 1e6)


def read_logos(config: Mapping[str, Any], cache: Path | None) -> dict[str, list[int]]:
    """Return the logos of all planted motifs; where their files are gone there are none."""
    sets = config.get("concepts", {})
    found: dict[str, list[int]] = {}
    for name, definition in sets.items():
        if definition.get("source") in ("motifs", "motif_pairs"):
            control = config.get("controls", {}).get("default", "random")
            try:
                concepts = read_set(name, resolved(sets, name, control), cache=cache)
            except InputError as error:
                log.warning("no logos of concepts.%s: %s", name, error)
                continue
            found |= logo_heights(concepts)
    return found
