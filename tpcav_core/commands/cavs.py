"""``python -m tpcav_core cavs``: train the CAVs of some concepts, all variants and replicates.

Imports neither torch nor pandas, and scikit-learn only for classifiers that it solves: a job is
started per concept, and their start-up would cost more than its work.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Mapping
from functools import partial
from itertools import chain
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from threadpoolctl import threadpool_limits

from .. import files, grams, vectors
from ..basis import Scaling
from ..classifiers import Classifier, load_libraries
from ..errors import InputError
from ..training import Control, Examples, train_variant
from .gram import read_gram, standardised, standardised_rows
from .scaling import read_scaling


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--activations", required=True, help="activations of concepts, parquet")
    parser.add_argument(
        "--controls",
        nargs="*",
        help="activations of the control that concepts share, parquet; none: each concept's own"
        " control is in --activations",
    )
    parser.add_argument("--gram", nargs="*", help="Gram matrices of the shared control, parquet")
    parser.add_argument("--scaling", required=True, help="file of the `scaling` step")
    parser.add_argument("--ids", nargs="+", help="only these concepts (default: all)")
    parser.add_argument("--classifier", default="{}", help="JSON: kind, norm, penalties")
    parser.add_argument("--split", default="{}", help="JSON: how examples were divided; recorded")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=1, help="threads of linear algebra")
    parser.add_argument("--output", required=True, help="CAVs, parquet")


def run(arguments: argparse.Namespace) -> None:
    classifier = Classifier(**json.loads(arguments.classifier))
    grid = classifier.grid()
    scaling = read_scaling(arguments.scaling)
    concepts = files.open_parquet(arguments.activations, "activations")
    shared = _shared_control(arguments, scaling)
    rows = []
    groups = vectors.groups(concepts)
    missing = set(arguments.ids or ()) - {name.concept for name in groups}
    if missing:
        raise InputError(f"{arguments.activations}: no concept {sorted(missing)[0]!r}; run again")
    load_libraries(classifier)
    with threadpool_limits(arguments.threads):
        for (concept, variant, replicate), chosen in groups.items():
            if replicate is not None or (arguments.ids and concept not in arguments.ids):
                continue
            control = shared or _own_control(concepts, groups, concept, variant, scaling)
            examples = Examples(standardised(concepts, chosen, scaling), _folds(concepts, chosen))
            rows += train_variant(
                (concept, variant), examples, control, classifier, seed=arguments.seed
            )
    parameters = {
        "classifier": {**classifier._asdict(), "penalties": list(grid)},
        "split": json.loads(arguments.split),
        "seed": arguments.seed,
    }
    _write(rows, arguments.output, parameters)


def _shared_control(arguments: argparse.Namespace, scaling: Scaling) -> Control | None:
    if not arguments.controls:
        return None
    file = files.open_parquet(arguments.controls[0], "activations")
    return Control(
        rows=lambda: standardised_rows(file, list(range(file.num_row_groups)), scaling),
        folds={name.variant: _folds(file, chosen) for name, chosen in vectors.groups(file).items()},
        gram=partial(read_gram, arguments.gram[0]),
    )


def _own_control(
    file: pq.ParquetFile,
    groups: Mapping[vectors.Group, list[int]],
    concept: str,
    variant: str,
    scaling: Scaling,
) -> Control:
    """Return the control that was made from the examples of a variant."""
    replicates = {
        name.control: chosen
        for name, chosen in groups.items()
        if name[:2] == (concept, variant) and name.control is not None
    }
    if not replicates:
        raise InputError(f"no control of concept {concept!r} among its activations; run again")

    def rows() -> Iterator[np.ndarray]:
        return standardised_rows(file, list(chain(*replicates.values())), scaling)

    def gram(replicate: str) -> np.ndarray:
        z = standardised(file, replicates[replicate], scaling)
        return grams.inner_products(z, z)

    folds = {name: _folds(file, chosen) for name, chosen in replicates.items()}
    return Control(rows, folds, gram)


def _folds(file: pq.ParquetFile, chosen: list[int]) -> np.ndarray:
    return vectors.numbers(file.read_row_groups(chosen, columns=["fold"])["fold"])


def _write(rows: list[dict[str, Any]], path: str, parameters: dict[str, Any]) -> None:
    wide = ("weights", "mean_difference")
    table = pa.table(
        {
            name: vectors.to_column(np.stack([row[name] for row in rows]).astype(np.float32))
            if name in wide
            else vectors.plain_column([row[name] for row in rows])
            for name in rows[0]
        }
    )
    files.write_parquet(table, path, "cavs", parameters)
