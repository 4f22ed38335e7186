"""``python -m tpcav_core scores``: score all concepts of a layer, and its nulls, on a target."""

from __future__ import annotations

import argparse
import logging
from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa
from threadpoolctl import threadpool_limits

from .. import composition, decorrelation, files, scores, vectors
from ..basis_files import read_components, read_scaling
from .gram import standardised_rows

log = logging.getLogger("tpcav_core")
#: nulls scored at a time
BATCH = 64


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--cavs", nargs="+", required=True, help="CAVs, parquet")
    parser.add_argument("--nulls", nargs="*", default=[], help="null CAVs, parquet")
    parser.add_argument("--target", required=True, help="its name")
    parser.add_argument("--attributions", required=True, help="attributions, torch")
    parser.add_argument("--scaling", required=True, help="file of the `scaling` step")
    parser.add_argument("--components", required=True, help="file of the `components` step")
    parser.add_argument("--control", nargs="*", help="activations of a control: effect of GC")
    parser.add_argument("--seed", type=int, default=0, help="of all random choices")
    parser.add_argument("--threads", type=int, default=2, help="threads of linear algebra")
    parser.add_argument("--output", required=True, help="scores, parquet")


def run(arguments: argparse.Namespace) -> None:
    content = files.load_tensors(arguments.attributions, "attributions")
    with threadpool_limits(arguments.threads):
        scaling = read_scaling(arguments.scaling)
        components = read_components(arguments.components).vectors
        target = scores.layer_targets(
            content["multipliers"].numpy(),
            content["activations"].numpy(),
            content["baseline_activations"].numpy(),
            scaling,
            components,
        )
        again = scores.resampling(len(target.multipliers), arguments.seed, arguments.target)
        per_gc = effect_of_gc(arguments, target)
        rows = [row for path in arguments.cavs for row in score_file(path, target, again, per_gc)]
        nulls = [score_null_file(path, target) for path in arguments.nulls]
        z = scaling.apply(content["activations"].numpy())
        facts = attribution_facts(content) | decorrelation.decorrelation(z, components)
    table = pa.concat_tables([pa.Table.from_pylist(rows), *nulls], promote_options="permissive")
    files.write_parquet(table, arguments.output, "scores", facts)
    log.info("%d concepts and variants on %d regions", len(rows), len(target.multipliers))


def attribution_facts(content: Mapping[str, Any]) -> dict[str, Any]:
    """Return how a target was attributed and how exact that is, for ``attributions.tsv``."""
    output = content["output"].numpy().astype(float)
    change = np.abs(output - content["baseline_output"].numpy())
    # gradients are never complete
    complete = content["method"] != "gradient"
    largest, mean = float(content["completeness_error"].max()), float(change.mean())
    return {
        "method": content["method"],
        "reason": content["reason"],
        "n_regions": len(change),
        "baselines_per_target": content.get("baselines_per_target", 1),
        "mean_output": float(output.mean()),
        "mean_output_change": mean,
        "completeness_error": largest / mean if complete and mean else None,
        "largest_error": largest if complete else None,
    }


def effect_of_gc(arguments: argparse.Namespace, target: scores.LayerTargets) -> float:
    """Return the first-order effect on the output per unit of GC content; NaN if not known."""
    if not arguments.control:
        return float("nan")
    file = files.open_parquet(arguments.control[0], "activations")
    everything = list(range(file.num_row_groups))
    gc = vectors.numbers(file.read_row_groups(everything, columns=["gc"])["gc"]).astype(float)
    rows = standardised_rows(file, everything, read_scaling(arguments.scaling))
    slope = composition.gc_slope(rows, gc)
    return float("nan") if slope is None else float(target.multipliers.mean(axis=0) @ slope)


def score_file(
    path: str,
    target: scores.LayerTargets,
    again: scores.Resampling | None = None,
    per_gc: float = float("nan"),
) -> list[dict[str, Any]]:
    """Return a row per (concept, variant) of a file of CAVs; replicates are joined.

    Concepts are scored one by one: the last bits of a matrix product depend on its shape, and which
    concepts share a file must not be seen in the result.
    """
    table = files.read_parquet(path, "cavs")
    concepts = table["concept"].to_pylist()
    rows = []
    for concept in dict.fromkeys(concepts):
        own = table.filter(pa.array([name == concept for name in concepts]))
        variants = own["variant"].to_pylist()
        about = {row["variant"]: row for row in _about(own)}
        found = scores.score_concepts(
            [(concept, variant) for variant in variants],
            vectors.to_matrix(own["weights"]),
            vectors.to_matrix(own["mean_difference"]),
            target,
            again,
        )
        for row in found:
            facts = about[row["variant"]]
            rows.append(row | facts | {"effect_of_gc": facts["gc_change"] * per_gc})
    return rows


def _about(own: pa.Table) -> list[dict[str, Any]]:
    """Return what is known of each variant of a concept, means over its CAVs."""
    names = {"n_concept": "n_concept", "gc_change": "gc_change"}
    names |= {"test_f1": "f1", "test_auroc": "auroc"}
    groups = own.group_by("variant", use_threads=False)
    means = groups.aggregate([(name, "mean") for name in names])
    return list(
        means.rename_columns({f"{old}_mean": new for old, new in names.items()}).to_pylist()
    )


def score_null_file(path: str, target: scores.LayerTargets) -> pa.Table:
    """Return the scores of a file of nulls, with all that the file says of them."""
    file = files.open_parquet(path, "nulls")
    about = vectors.narrow(file.schema_arrow.empty_table()).column_names
    parts = []
    for batch in file.iter_batches(batch_size=BATCH):
        cavs, differences = (
            vectors.to_matrix(batch.column(name)).astype(float)
            for name in ("weights", "mean_difference")
        )
        found = scores.score_nulls(cavs, differences, target)
        columns = {name: batch.column(name) for name in about}
        parts.append(pa.table(columns | {key: np.asarray(v) for key, v in found.items()}))
    return pa.concat_tables(parts)
