"""``python -m tpcav_core cavs``: train the CAVs of some concepts, all variants and replicates.

Imports neither torch nor pandas, and scikit-learn only for classifiers that it solves: a job is
started per concept, and their start-up would cost more than its work.
"""

from __future__ import annotations

import argparse
import json
from typing import Any

from threadpoolctl import threadpool_limits

from ..classifiers import Classifier, load_libraries
from ..training import train_variant
from .variants import add_variant_arguments, variants
from .vector_files import write_vectors


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_variant_arguments(parser)
    parser.add_argument("--split", default="{}", help="JSON: how examples were divided; recorded")
    parser.add_argument("--output", required=True, help="CAVs, parquet")


def run(arguments: argparse.Namespace) -> None:
    classifier = Classifier(**json.loads(arguments.classifier))
    grid = classifier.grid()
    load_libraries(classifier)
    rows: list[dict[str, Any]] = []
    with threadpool_limits(arguments.threads):
        for concept, variant, examples, control, gc_change in variants(arguments):
            names = (concept, variant)
            own = train_variant(names, examples, control, classifier, seed=arguments.seed)
            rows += [{**row, "gc_change": gc_change} for row in own]
    parameters = {
        "classifier": {**classifier._asdict(), "penalties": list(grid)},
        "split": json.loads(arguments.split),
        "seed": arguments.seed,
    }
    write_vectors(rows, arguments.output, "cavs", parameters)
