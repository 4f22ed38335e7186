"""``python -m tpcav_core catalogue``: the table of all concepts of a configuration."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import pandas as pd

from ..catalogue import read_catalogue
from .summary import write_table


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--concepts", required=True, help="JSON: the section `concepts`")
    parser.add_argument("--output", required=True, help="table, .tsv (a .parquet goes beside it)")


def run(arguments: argparse.Namespace) -> None:
    rows = [
        {
            "concept": concept.id,
            "label": concept.label,
            "set": concept.set,
            "source": concept.source,
            "variants": ",".join(concept.variants),
            "information_content": concept.motif.information_content,
            "information_content_gc": concept.motif.information_content_gc,
            "motif_length": concept.motif.length,
        }
        for concept in read_catalogue(json.loads(arguments.concepts))
    ]
    write_table(pd.DataFrame(rows), Path(arguments.output).with_suffix(""))
