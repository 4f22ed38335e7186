"""``python -m tpcav_core preflight``: everything that can be wrong, before anything expensive."""

from __future__ import annotations

import argparse
import json
import logging
from typing import Any

import numpy as np
import pandas as pd

from ..errors import InputError
from ..genome import Genome
from ..inputs import Inputs, input_adapter
from ..layer_checks import check_layer
from ..models import ModelSpec, load_model, resolve_device
from ..sampling import draw_windows
from ..user_inputs import FunctionPairs, check_call, user_inputs
from .concepts import make_sampling
from .data import open_tracks, optional_genome
from .result_files import write_table
from .target_sources import target_source

log = logging.getLogger("tpcav_core")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_example_arguments(parser)
    parser.add_argument("--models", required=True, help="JSON: model and layers by name")
    parser.add_argument("--targets", required=True, help="JSON: targets by name")
    parser.add_argument("--output", required=True, help="table, .tsv (a .parquet goes beside it)")


def run(arguments: argparse.Namespace) -> None:
    loaded = optional_genome(arguments.genome)
    rows = []
    for name, content in json.loads(arguments.models).items():
        try:
            spec = ModelSpec.from_dict(content["model"])
            _draw_targets(loaded, spec, arguments)
            inputs = example_inputs(loaded, spec, arguments)
            rows += [{"model": name, **row} for row in check_model(spec, content["layers"], inputs)]
        except InputError as error:
            raise InputError(f"model {name!r}: {error}") from error
    table = pd.DataFrame(rows)
    log.info("%s", table.to_string(index=False))
    write_table(table, arguments.output)


def _draw_targets(loaded: Genome | None, spec: ModelSpec, arguments: argparse.Namespace) -> None:
    """Draw the targets and baselines that will be explained, or have functions yield them."""
    options = json.loads(arguments.sampling)
    for name, content in json.loads(arguments.targets).items():
        target = {"name": name, **content}
        source = target_source(loaded, target, spec, options, arguments.seed)
        if isinstance(source, FunctionPairs):
            check_call(source.targets)
            for call in source.baselines:
                check_call(call)


def add_example_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options that `example_inputs` reads, and the genome."""
    parser.add_argument("--genome", nargs="*", help="genome file of the `genome` step")
    parser.add_argument("--call", help="JSON: a function's call, where there is no genome")
    parser.add_argument("--sampling", required=True, help="JSON: chromosomes, exclude, split")
    parser.add_argument("--examples", type=int, required=True, help="of each set")
    parser.add_argument("--seed", type=int, required=True, help="of all random choices")


def example_inputs(
    loaded: Genome | None, spec: ModelSpec, arguments: argparse.Namespace, n: int = 2
) -> Inputs:
    """Draw windows as they will be drawn; return the model's inputs for n examples."""
    if loaded is None:
        return next(user_inputs(arguments.call, n, n))
    if spec.window is None:
        raise InputError("it has no window; set the length of the sequences it takes")
    options = json.loads(arguments.sampling)
    sampling = make_sampling(loaded, spec.window, arguments.examples, options, arguments.seed)
    regions, _ = draw_windows(sampling, "preflight")
    lost = ", ".join(f"{reason} {number:,}" for reason, number in sampling.lost.items())
    log.info("start positions not used, by reason: %s", lost)
    part = regions.take(slice(n))
    codes = loaded.windows(part.contig, part.start, spec.window, part.strand)
    adapt = input_adapter(spec.inputs)
    tracks = open_tracks(spec.tracks, loaded)
    if tracks is None:
        return adapt(codes)
    tracks.check([loaded.names[number] for number in np.unique(sampling.starts.contig)])
    return adapt(codes, tracks.values(part))


def check_model(spec: ModelSpec, layers: list[str], inputs: Inputs) -> list[dict[str, Any]]:
    """Load a model and run two examples; return a row per layer."""
    device = resolve_device(spec.device)
    model = load_model(spec).to(device)
    inputs = tuple(tensor.to(device) for tensor in inputs)
    parameters = sum(parameter.numel() for parameter in model.parameters())
    rows = []
    for layer in layers:
        found = check_layer(model, layer, inputs)
        rows.append(
            {
                "layer": layer,
                "shape": "x".join(map(str, found.shape)),
                "d": found.d,
                "output_shape": "x".join(map(str, found.output_shape)) or "1",
                "parameters": parameters,
                "device": str(device),
            }
        )
    return rows
