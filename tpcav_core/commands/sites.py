"""``python -m tpcav_core sites``: the target regions that speak most for each concept."""

from __future__ import annotations

import argparse
import logging
from collections.abc import Iterator
from typing import Any

import numpy as np
import pyarrow as pa
from threadpoolctl import threadpool_limits

from .. import files, vectors
from ..basis_files import read_scaling
from ..concept_span import OwnDirections, region_scores
from ..contribution_sets import INPUTS
from ..contributions import Share, contribute
from ..directions import consensus
from ..errors import InputError
from ..models import ModelSpec, load_model
from ..top_regions import (
    ChosenPairs,
    Followed,
    TopRegion,
    base_columns,
    top_regions,
    top_table,
)
from .contributions import attributed_pairs, method_below
from .data import load_genome
from .options import add_target_arguments, read_model
from .result_files import write_table

log = logging.getLogger("tpcav_core")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_target_arguments(parser)
    parser.add_argument("--concepts", type=int, default=30, help="whose bases are followed")
    parser.add_argument("--regions", type=int, default=3, help="regions of each concept")
    parser.add_argument("--output", required=True, help="table, .parquet (a .tsv goes beside it)")


def run(arguments: argparse.Namespace) -> None:
    spec, device = read_model(arguments)
    genome = load_genome(arguments.genome)
    content = files.load_tensors(arguments.attributions, "attributions", mmap=True)
    source, pairs = attributed_pairs(arguments, genome, spec, content)
    most = arguments.concepts if spec.inputs in INPUTS else 0
    tops: dict[str, list[TopRegion]] = {}
    effects: dict[str, float] = {}
    followed: list[Followed] = []
    with threadpool_limits(arguments.threads, "blas"):
        scaling = read_scaling(arguments.scaling)
        m_z = pairs.multipliers * scaling.std
        change = (pairs.activations - pairs.baseline_activations) / scaling.std
        mean = m_z.mean(axis=0, dtype=float)
        for one in _largest_variants(arguments.cavs, mean):
            by_region = region_scores(m_z, change, one.direction.astype(np.float32))
            effects[one.concept] = one.effect
            tops[one.concept] = top_regions(one.concept, one.variant, by_region, arguments.regions)
            followed = sorted([*followed, one], key=lambda other: -abs(other.effect))[:most]
    order = sorted(tops, key=lambda concept: -abs(effects[concept]))
    first = [(top, one.direction) for one in followed for top in tops[one.concept]]
    logos: dict[int, dict[str, Any]] = {}
    if first:
        rows = np.array([top.row for top, _ in first])
        directions = OwnDirections(np.stack([direction for _, direction in first]), scaling)
        chosen = ChosenPairs(source, rows)
        share = Share(pairs.take(rows), directions)
        logos = _logos(arguments, spec, device, chosen, share, content)
    # in the order of effects: those whose bases were followed are the first rows
    every = [top for concept in order for top in tops[concept]]
    write_table(top_table(every, source.regions, genome, logos), arguments.output)
    log.info("regions of %d concepts, bases of %d regions", len(tops), len(logos))


def _largest_variants(paths: list[str], mean_multipliers: np.ndarray) -> Iterator[Followed]:
    """Yield each concept of files of CAVs at the variant of its largest absolute effect."""
    wanted = ["concept", "variant", "weights", "mean_difference"]
    for path in paths:
        table = files.read_parquet(path, "cavs", wanted)
        names = list(zip(table["concept"].to_pylist(), table["variant"].to_pylist(), strict=True))
        best: dict[str, Followed] = {}
        for concept, variant in dict.fromkeys(names):
            own = table.filter(pa.array([name == (concept, variant) for name in names]))
            difference = vectors.to_matrix(own["mean_difference"]).mean(axis=0, dtype=float)
            effect = float(mean_multipliers @ difference)
            if concept not in best or abs(effect) > abs(best[concept].effect):
                direction = consensus(vectors.to_matrix(own["weights"]).astype(float))
                best[concept] = Followed(concept, variant, effect, direction)
        yield from best.values()


def _logos(
    arguments: argparse.Namespace,
    spec: ModelSpec,
    device: Any,
    chosen: ChosenPairs,
    share: Share,
    content: dict[str, Any],
) -> dict[int, dict[str, Any]]:
    """Return what `base_columns` does; nothing but a warning where the network does not allow it.

    A study whose scores are done does not fail for want of these pictures; for the same reason they
    are by another method where the DeepLIFT that was asked for is not complete.
    """
    asked = method_below(content)
    try:
        with threadpool_limits(arguments.threads, "blas"):
            result, method = contribute(
                load_model(spec).to(device),
                arguments.layer,
                spec.inputs,
                chosen,
                share,
                method="auto" if asked == "deeplift" else asked,
                tolerance=arguments.tolerance,
                force=True,
                correct_off_simplex=True,
                batch_size=spec.batch_size,
                device=device,
            )
    except InputError as error:
        log.warning("no contributions of bases: %s", error)
        return {}
    log.info("bases by %s", method)
    return base_columns(result, chosen.regions, chosen.source.genome)
