"""``python -m tpcav_core planting``: what planting a motif does to the model's output."""

from __future__ import annotations

import argparse
import json
import logging
from collections.abc import Iterator

import numpy as np
import pyarrow as pa

from .. import activations, concepts, files, vectors
from ..errors import InputError
from ..inputs import input_adapter
from ..models import load_model
from ..planting_effect import outputs, planting_effect
from ..progress import Progress
from ..readouts import readout
from ..seeds import generator
from .data import open_tracks, optional_genome
from .options import add_model_arguments, read_model

log = logging.getLogger("tpcav_core")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_model_arguments(parser, layer=False)
    parser.add_argument("--genome", nargs="*", help="genome file of the `genome` step")
    parser.add_argument("--recipes", required=True, help="recipes of planted concepts, parquet")
    parser.add_argument("--ids", nargs="+", help="only these concepts (default: all)")
    parser.add_argument("--outputs", default='{"": 0}', help="JSON: what is read, by name")
    parser.add_argument("--seed", type=int, required=True, help="of all random choices")
    parser.add_argument("--output", required=True, help="planting effects, parquet")


def run(arguments: argparse.Namespace) -> None:
    spec, device = read_model(arguments)
    model = load_model(spec).to(device)
    adapt = input_adapter(spec.inputs)
    loaded = optional_genome(arguments.genome)
    tracks = open_tracks(spec.tracks, loaded)

    readouts = {name: readout(value) for name, value in json.loads(arguments.outputs).items()}

    def predict(recipe: concepts.Recipe) -> dict[str, np.ndarray]:
        batches = activations.recipe_inputs(recipe, loaded, adapt, spec.batch_size, tracks)
        return outputs(model, batches, readouts, device=device)

    rows = []
    last: tuple[str, concepts.Recipe, dict[str, np.ndarray]] | None = None
    file = files.open_parquet(arguments.recipes, "recipes")
    wanted = list(_wanted(vectors.group_names(file), arguments.ids))
    progress = Progress("concepts and variants", len(wanted))
    for index, name in wanted:
        recipe = concepts.from_table(file.read_row_group(index), loaded)
        if recipe.sites is None:
            raise InputError(f"{arguments.recipes}: nothing is planted in {name.concept!r}")
        bare = recipe._replace(sites=None)
        # the variants of a concept share their backgrounds
        if last is None or last[0] != name.concept or not _same_places(last[1], bare):
            last = name.concept, bare, predict(bare)
        for output, values in predict(recipe).items():
            rng = generator(arguments.seed, "planting", name.concept)
            found = planting_effect(values, last[2][output], rng)
            about = {"output": output, "concept": name.concept, "variant": name.variant}
            rows.append({**about, **found._asdict()})
            what = " ".join(filter(None, (name.concept, name.variant, output)))
            log.info("%s: %+.3g", what, found.planting_effect)
        progress.add()
    files.write_parquet(pa.Table.from_pylist(rows), arguments.output, "planting", {})


def _wanted(
    names: list[vectors.Group], ids: list[str] | None
) -> Iterator[tuple[int, vectors.Group]]:
    for index, name in enumerate(names):
        if name.control is None and (ids is None or name.concept in ids):
            yield index, name


def _same_places(left: concepts.Recipe, right: concepts.Recipe) -> bool:
    if left.regions is None or right.regions is None:
        return False
    return all(
        np.array_equal(*columns) for columns in zip(left.regions, right.regions, strict=True)
    )
