"""``python -m tpcav_core concepts``: write recipes, one row group per variant."""

from __future__ import annotations

import argparse
import json
import logging
from collections.abc import Iterator
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from .. import concepts, files, genome, regions
from ..catalogue import read_set
from ..errors import InputError

log = logging.getLogger("tpcav_core")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--genome", required=True, help="genome file of the `genome` step")
    parser.add_argument("--window", type=int, required=True, help="width of an example in bp")
    parser.add_argument("--examples", type=int, required=True, help="examples per variant")
    parser.add_argument("--sampling", required=True, help="JSON: chromosomes, exclude, split")
    parser.add_argument("--seed", type=int, required=True)
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--set", help="JSON: name and definition of a set of concepts")
    what.add_argument("--controls", help="JSON: name and number of replicates of a control")
    parser.add_argument("--ids", nargs="+", help="concepts of the set (default: all)")
    parser.add_argument("--output", required=True, help="recipes, parquet")


def run(arguments: argparse.Namespace) -> None:
    loaded = genome.genome_from_tensors(files.load_tensors(arguments.genome, "genome", mmap=True))
    sampling = make_sampling(
        loaded, arguments.window, arguments.examples, json.loads(arguments.sampling), arguments.seed
    )
    parameters = {"window": arguments.window, "seed": arguments.seed, "lost": sampling.lost}
    schema = files.parquet_schema(concepts.SCHEMA, "recipes", parameters)
    with (
        files.atomic(arguments.output) as temporary,
        pq.ParquetWriter(temporary, schema, compression="zstd") as writer,
    ):
        for concept, variant, recipe in _recipes(arguments, sampling):
            table = concepts.to_table(concept, variant, recipe, loaded.names)
            writer.write_table(pa.table(table.columns, schema=schema))
            log.info("%s %s: %d examples", concept, variant, len(recipe.folds))


def _recipes(
    arguments: argparse.Namespace, sampling: concepts.Sampling
) -> Iterator[tuple[str, str, concepts.Recipe]]:
    if arguments.controls:
        control = json.loads(arguments.controls)
        for variant, recipe in concepts.control_recipes(
            control["name"], control["replicates"], sampling
        ):
            yield control["name"], variant, recipe
        return
    definition = json.loads(arguments.set)
    chosen = {concept.id: concept for concept in read_set(definition.pop("name"), definition)}
    for identity in arguments.ids or chosen:
        if identity not in chosen:
            raise InputError(f"no concept {identity!r} in {definition['file']}; run again")
        for variant, recipe in concepts.motif_recipes(chosen[identity], sampling):
            yield identity, variant, recipe


def make_sampling(
    loaded: genome.Genome, window: int, examples: int, options: dict[str, Any], seed: int
) -> concepts.Sampling:
    """Return how windows are drawn, from the ``--sampling`` options."""
    exclude = regions.read_bed(options["exclude"], loaded) if options["exclude"] else None
    return concepts.window_sampling(
        loaded,
        window,
        examples,
        seed=seed,
        chromosomes=options["chromosomes"],
        exclude=exclude,
        test_fraction=options["test_fraction"],
        folds=options["folds"],
        block=options["block_length"],
    )
