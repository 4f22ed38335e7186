"""``python -m tpcav_core activations``: one forward pass; a variant has row groups of its own."""

from __future__ import annotations

import argparse
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from .. import activations, concepts, files, vectors
from ..concepts import Recipe
from ..errors import InputError
from ..genome import Genome
from ..inputs import input_adapter
from ..models import load_model
from ..progress import Progress
from .data import open_tracks, optional_genome
from .options import add_model_arguments, read_model

log = logging.getLogger("tpcav_core")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_model_arguments(parser)
    parser.add_argument("--genome", nargs="*", help="genome file of the `genome` step")
    parser.add_argument("--recipes", nargs="+", required=True, help="recipes, parquet")
    parser.add_argument("--ids", nargs="+", help="only these concepts (default: all)")
    parser.add_argument("--per-variant", type=int, help="only the first examples of each variant")
    parser.add_argument("--at-most", type=int, default=10**9, help="bound on --per-variant's sum")
    parser.add_argument("--output", required=True, help="activations, parquet")


def run(arguments: argparse.Namespace) -> None:
    spec, device = read_model(arguments)
    model = load_model(spec).to(device)
    adapt = input_adapter(spec.inputs)
    loaded = optional_genome(arguments.genome)
    tracks = open_tracks(spec.tracks, loaded)
    groups = list(_groups(arguments))
    unknown = set(arguments.ids or ()) - {name.concept for _, _, name in groups}
    if unknown:
        raise InputError(f"{arguments.recipes[0]}: no concept {min(unknown)!r}; run again")
    wanted = [file.metadata.row_group(index).num_rows for file, index, _ in groups]
    if arguments.per_variant:
        wanted = activations.spread_sample(wanted, arguments.per_variant, arguments.at_most)
    parameters = {"model": arguments.model, "layer": arguments.layer}
    progress = Progress("examples", sum(wanted))
    with files.atomic(arguments.output) as temporary, _Writer(temporary, parameters) as writer:
        for (group, recipe), n in zip(_recipes(groups, loaded), wanted, strict=True):
            if n == 0:
                continue
            part = concepts.head(recipe, n)
            gc = activations.recipe_gc(part, loaded)
            inputs = activations.recipe_inputs(part, loaded, adapt, spec.batch_size, tracks)
            parts = activations.layer_activations(model, arguments.layer, inputs, device=device)
            first = 0
            for values in vectors.joined(parts):
                last = first + len(values)
                here = part.folds[first:last], gc[first:last], values, first
                writer.write(activations.to_table(group, *here))
                progress.add(len(values))
                first = last
        if writer.file is None:
            raise InputError(f"no examples in {', '.join(arguments.recipes)}; run again")


class _Writer:
    """A file of activations, whose columns are known when the model has run once."""

    def __init__(self, path: Path, parameters: dict[str, Any]) -> None:
        self.path, self.parameters = path, parameters
        self.file: pq.ParquetWriter | None = None

    def __enter__(self) -> _Writer:
        return self

    def write(self, table: pa.Table) -> None:
        if self.file is None:
            self.schema = files.described_schema(table.schema, "activations", self.parameters)
            self.file = pq.ParquetWriter(self.path, self.schema, **vectors.WRITE_OPTIONS)
        rows = vectors.rows_at_a_time(table["activation"].type.byte_width // 4)
        self.file.write_table(table.cast(self.schema), row_group_size=rows)

    def __exit__(self, *_: object) -> None:
        if self.file is not None:
            self.file.close()


def _groups(
    arguments: argparse.Namespace,
) -> Iterator[tuple[pq.ParquetFile, int, vectors.Group]]:
    for path in arguments.recipes:
        file = files.open_parquet(path, "recipes")
        for index, name in enumerate(vectors.group_names(file)):
            if arguments.ids is None or name.concept in arguments.ids:
                yield file, index, name


def _recipes(
    groups: list[tuple[pq.ParquetFile, int, vectors.Group]], loaded: Genome | None
) -> Iterator[tuple[vectors.Group, Recipe]]:
    for file, index, name in groups:
        yield name, concepts.from_table(file.read_row_group(index), loaded)
