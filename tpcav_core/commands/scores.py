"""``python -m tpcav_core scores``: score all concepts of a layer on a target."""

from __future__ import annotations

import argparse
import logging
from typing import Any

import pyarrow as pa
from threadpoolctl import threadpool_limits

from .. import files, scores, vectors
from .components import read_components
from .scaling import read_scaling

log = logging.getLogger("tpcav_core")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--cavs", nargs="+", required=True, help="CAVs, parquet")
    parser.add_argument("--attributions", required=True, help="attributions, torch")
    parser.add_argument("--scaling", required=True, help="file of the `scaling` step")
    parser.add_argument("--components", required=True, help="file of the `components` step")
    parser.add_argument("--threads", type=int, default=2, help="threads of linear algebra")
    parser.add_argument("--output", required=True, help="scores, parquet")


def run(arguments: argparse.Namespace) -> None:
    content = files.load_tensors(arguments.attributions, "attributions")
    with threadpool_limits(arguments.threads):
        target = scores.layer_targets(
            content["multipliers"].numpy(),
            content["activations"].numpy(),
            content["baseline_activations"].numpy(),
            read_scaling(arguments.scaling),
            read_components(arguments.components).vectors,
        )
        rows = [row for path in arguments.cavs for row in score_file(path, target)]
    table = pa.Table.from_pylist(rows)
    files.write_parquet(table, arguments.output, "scores", {"method": content["method"]})
    log.info("%d concepts and variants on %d regions", len(rows), len(target.multipliers))


def score_file(path: str, target: scores.LayerTargets) -> list[dict[str, Any]]:
    """Return a row per (concept, variant) of a file of CAVs; replicates are joined.

    Concepts are scored one by one: the last bits of a matrix product depend on its shape, and which
    concepts share a file must not be seen in the result.
    """
    table = files.read_parquet(path, "cavs")
    concepts = table["concept"].to_pylist()
    rows = []
    for concept in dict.fromkeys(concepts):
        own = table.filter(pa.array([name == concept for name in concepts]))
        rows += scores.score_concepts(
            [(concept, variant) for variant in own["variant"].to_pylist()],
            vectors.to_matrix(own["weights"]),
            vectors.to_matrix(own["mean_difference"]),
            target,
        )
    return rows
