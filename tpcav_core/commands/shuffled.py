"""``python -m tpcav_core shuffled``: train on shuffled labels, which must find nothing."""

from __future__ import annotations

import argparse
import json
from typing import Any

from threadpoolctl import threadpool_limits

from ..classifiers import Classifier, load_libraries
from ..nulls import shuffled_labels
from .variants import add_variant_arguments, variants
from .vector_files import write_vectors


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_variant_arguments(parser)
    parser.add_argument("--output", required=True, help="CAVs of shuffled labels, parquet")


def run(arguments: argparse.Namespace) -> None:
    classifier = Classifier(**json.loads(arguments.classifier))
    load_libraries(classifier)
    rows: list[dict[str, Any]] = []
    with threadpool_limits(arguments.threads):
        for concept, variant, examples, control, _ in variants(arguments):
            found = shuffled_labels(
                examples, control, classifier, seed=arguments.seed, name=f"{concept} {variant}"
            )
            rows.append({"concept": concept, "variant": variant, **found})
    write_vectors(rows, arguments.output, "nulls", {"classifier": classifier._asdict()})
