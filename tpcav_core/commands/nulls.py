"""``python -m tpcav_core nulls``: CAVs between random sets, by the procedure of the concepts."""

from __future__ import annotations

import argparse
import json
import logging
from collections.abc import Sequence

import numpy as np
from threadpoolctl import threadpool_limits

from .. import files, nulls, vectors
from ..basis import Scaling
from ..basis_files import read_scaling
from ..classifiers import Classifier, load_libraries
from .gram import standardised
from .vector_files import write_vectors

log = logging.getLogger("tpcav_core")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--activations", nargs="+", required=True, help="activations of controls, parquet"
    )
    parser.add_argument("--scaling", required=True, help="file of the `scaling` step")
    parser.add_argument("--name", required=True, help="of the control")
    parser.add_argument("--first", type=int, default=0, help="number of the first null")
    parser.add_argument("--count", type=int, required=True, help="nulls of each size")
    parser.add_argument("--sizes", type=int, nargs="+", required=True, help="examples of a null")
    parser.add_argument("--replicates", type=int, required=True, help="of the control")
    parser.add_argument("--classifier", default="{}", help="JSON: kind, norm, penalties")
    parser.add_argument("--seed", type=int, required=True, help="of all random choices")
    parser.add_argument("--threads", type=int, default=1, help="threads of linear algebra")
    parser.add_argument("--output", required=True, help="null CAVs, parquet")


def run(arguments: argparse.Namespace) -> None:
    classifier = Classifier(**json.loads(arguments.classifier))
    load_libraries(classifier)
    numbers = range(arguments.first, arguments.first + arguments.count)
    rows = []
    with threadpool_limits(arguments.threads):
        z, folds = _examples(arguments.activations, read_scaling(arguments.scaling))
        for size in arguments.sizes:
            pool = nulls.make_pool(z, folds, size, classifier.norm)
            found = nulls.train_nulls(
                pool,
                numbers,
                size,
                replicates=arguments.replicates,
                classifier=classifier,
                seed=arguments.seed,
                name=arguments.name,
            )
            rows += [{"control": arguments.name, "size": size, **row} for row in found]
    write_vectors(rows, arguments.output, "nulls", {"classifier": classifier._asdict()})


def _examples(paths: Sequence[str], scaling: Scaling) -> tuple[np.ndarray, np.ndarray]:
    """Return the standardised activations (m, d) and folds (m,) of all replicates."""
    parts, folds = [], []
    for path in paths:
        file = files.open_parquet(path, "activations")
        chosen = list(range(file.num_row_groups))
        parts.append(standardised(file, chosen, scaling))
        folds.append(vectors.numbers(file.read_row_groups(chosen, columns=["fold"])["fold"]))
    return np.concatenate(parts), np.concatenate(folds)
