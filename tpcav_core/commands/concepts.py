"""``python -m tpcav_core concepts``: write recipes, one row group per variant."""

from __future__ import annotations

import argparse
import json
import logging
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from .. import concepts, files, regions, sampling
from ..catalogue import read_set
from ..concepts import Recipe
from ..controls import GC_TOLERANCE, control_recipes, own_control, shared_control
from ..errors import InputError
from ..genome import Genome
from ..names import OWN, null_of
from ..seeds import generator
from ..sources.base import Concept, Setting
from ..sources.motifs import MotifConcept
from ..sources.null_motifs import null_motif
from .data import load_genome, open_tracks

log = logging.getLogger("tpcav_core")
#: concept, variant, replicate of the concept's own control, examples
Row = tuple[str, str, str | None, Recipe]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--genome", nargs="*", help="genome file of the `genome` step")
    parser.add_argument("--window", type=int, default=0, help="width of an example in bp")
    parser.add_argument("--examples", type=int, required=True, help="examples per variant")
    parser.add_argument("--sampling", required=True, help="JSON: chromosomes, exclude, split")
    parser.add_argument("--tracks", default="{}", help="JSON: the section `tracks`")
    parser.add_argument("--model-tracks", nargs="*", help="tracks that the model takes")
    parser.add_argument("--seed", type=int, required=True, help="of all random choices")
    parser.add_argument("--replicates", type=int, default=0, help="of concepts' own controls")
    parser.add_argument(
        "--gc-tolerance",
        type=float,
        default=GC_TOLERANCE,
        help="of control gc_matched",
    )
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--set", help="JSON: name and definition of a set of concepts")
    what.add_argument("--controls", help="JSON: name, replicates, definition of a shared control")
    parser.add_argument("--ids", nargs="+", help="concepts of the set (default: all)")
    parser.add_argument("--cache", help="folder of what is expensive to find out again")
    parser.add_argument("--output", required=True, help="recipes, parquet")


def run(arguments: argparse.Namespace) -> None:
    setting = make_setting(arguments)
    names = setting.genome.names if arguments.genome else ()
    chosen = _concepts(arguments)
    _check_numbers(chosen, setting)
    shared = json.loads(arguments.controls) if arguments.controls else None
    available = {concept.id: concept.availability(setting)._asdict() for concept in chosen}
    if shared:
        source = shared_control(shared["name"], shared["definition"])
        available[shared["name"]] = source.availability(setting)._asdict()
    parameters = {
        "window": arguments.window,
        "seed": arguments.seed,
        "lost": setting.sampling.lost,
        "availability": available,
    }
    schema = files.described_schema(concepts.SCHEMA, "recipes", parameters)
    with (
        files.atomic(arguments.output) as temporary,
        pq.ParquetWriter(temporary, schema, compression="zstd") as writer,
    ):
        rows = _controls(shared, setting) if shared else _recipes(chosen, arguments, setting)
        for concept, variant, control, recipe in rows:
            complete = _with_signal(recipe, setting, arguments, concept, variant, control)
            table = concepts.to_table(concept, variant, complete, names, control)
            writer.write_table(pa.table(table.columns, schema=schema))
            part = "" if control is None else f", control {control}"
            log.info("%s %s%s: %d examples", concept, variant, part, len(recipe.folds))


def make_setting(arguments: argparse.Namespace) -> Setting:
    """Return what the examples are made from."""
    options = json.loads(arguments.sampling)
    if not arguments.genome:
        split = {key: options[key] for key in ("test_fraction", "folds")}
        drawn = sampling.placeless_sampling(
            arguments.examples, seed=arguments.seed, split_seed=options["seed"], **split
        )
        return Setting(None, drawn)  # type: ignore[arg-type]
    loaded = load_genome(arguments.genome[0])
    drawn = make_sampling(loaded, arguments.window, arguments.examples, options, arguments.seed)
    return Setting(loaded, drawn, open_tracks(json.loads(arguments.tracks), loaded))


def _concepts(arguments: argparse.Namespace) -> list[Concept]:
    if not arguments.set:
        return []
    definition = json.loads(arguments.set)
    name = definition.pop("name")
    cache = Path(arguments.cache) if arguments.cache else None
    found = {concept.id: concept for concept in read_set(name, definition, cache=cache)}
    return [_named(found, identity, name) for identity in arguments.ids or found]


def _named(found: Mapping[str, Concept], identity: str, name: str) -> Concept:
    """Return a concept, or a null of one, by its id."""
    null = None if identity in found else null_of(identity)
    concept = found.get(null[0] if null else identity)
    if null and isinstance(concept, MotifConcept):
        return null_motif(concept, null[1])
    if null or concept is None:
        raise InputError(f"no concept {identity!r} in concepts.{name}; run again")
    return concept


def _check_numbers(chosen: list[Concept], setting: Setting) -> None:
    """Find all concepts that have too few examples, not only the first."""
    few = {}
    for concept in chosen:
        if concept.candidates is not None:
            try:
                next(concept.recipes(setting))
            except InputError as error:
                few[concept.id] = error
    if len(few) == 1:
        raise next(iter(few.values()))
    if few:
        raise InputError(
            f"{len(few)} concepts of concepts.{chosen[0].set} cannot be used, the first:"
            f" {next(iter(few.values()))}; to leave all of them out, drop: {json.dumps([*few])}"
            " (--keep-going shows those of other jobs as well)"
        )


def _recipes(
    chosen: list[Concept], arguments: argparse.Namespace, setting: Setting
) -> Iterator[Row]:
    for concept in chosen:
        for variant, recipe in concept.recipes(setting):
            _check_call(recipe)
            yield concept.id, variant, None, recipe
            for replicate in range(arguments.replicates if concept.control in OWN else 0):
                control = own_control(
                    concept,
                    variant,
                    recipe,
                    replicate,
                    setting,
                    gc_tolerance=arguments.gc_tolerance,
                )
                yield concept.id, variant, str(replicate), control


def _controls(control: dict[str, Any], setting: Setting) -> Iterator[Row]:
    name = control["name"]
    rows = control_recipes(name, control["replicates"], setting, control["definition"])
    for variant, recipe in rows:
        _check_call(recipe)
        yield name, variant, None, recipe


def _check_call(recipe: Recipe) -> None:
    """Run a function of the user's to its end, so that what is wrong with it shows early."""
    if recipe.call is not None:
        from ..user_inputs import check_call

        log.info("%s: examples of shapes %s", recipe.call, check_call(recipe.call))


def _with_signal(
    recipe: Recipe, setting: Setting, arguments: argparse.Namespace, *purpose: str | None
) -> Recipe:
    """Give examples without a place, for a model that takes signal, that of random windows."""
    placeless = recipe.regions is None and recipe.signal is None and recipe.call is None
    if not (placeless and arguments.model_tracks):
        return recipe
    rng = generator(arguments.seed, "signal", *(str(part) for part in purpose))
    return recipe._replace(signal=sampling.draw_in_folds(setting.sampling, recipe.folds, rng))


def make_sampling(
    loaded: Genome, window: int, examples: int, options: dict[str, Any], seed: int
) -> sampling.Sampling:
    """Return how windows are drawn, from the ``--sampling`` options."""
    exclude = options["exclude"]
    return sampling.window_sampling(
        loaded,
        window,
        examples,
        seed=seed,
        chromosomes=options["chromosomes"],
        exclude=regions.read_bed(exclude, loaded, absent="drop") if exclude else None,
        test_fraction=options["test_fraction"],
        folds=options["folds"],
        block=options["block_length"],
        by=options["by"],
        test_chromosomes=options["test_chromosomes"],
        split_seed=options["seed"],
    )
