"""``python -m tpcav_core preflight``: everything that can be wrong, before anything expensive."""

from __future__ import annotations

import argparse
import json
import logging
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from .. import concepts, genome
from ..errors import InputError
from ..inputs import input_adapter
from ..layers import check_layer
from ..models import ModelSpec, load_model, resolve_device
from ..seeds import generator
from ..splits import split_regions
from .attributions import choose_pairs
from .concepts import make_sampling
from .options import load_genome
from .summary import write_table

log = logging.getLogger("tpcav_core")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--genome", required=True, help="genome file of the `genome` step")
    parser.add_argument("--models", required=True, help="JSON: model and layers by name")
    parser.add_argument("--targets", required=True, help="JSON: targets by name")
    parser.add_argument("--sampling", required=True, help="JSON: chromosomes, exclude, split")
    parser.add_argument("--examples", type=int, required=True)
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--output", required=True, help="table, .tsv (a .parquet goes beside it)")


def run(arguments: argparse.Namespace) -> None:
    loaded = load_genome(arguments.genome)
    options = json.loads(arguments.sampling)
    rows = []
    for name, content in json.loads(arguments.models).items():
        try:
            spec = ModelSpec.from_dict(content["model"])
            sampling = make_sampling(
                loaded, spec.window, arguments.examples, options, arguments.seed
            )
            codes = _check_regions(loaded, sampling, arguments)
            rows += [{"model": name, **row} for row in check_model(spec, content["layers"], codes)]
        except InputError as error:
            raise InputError(f"model {name!r}: {error}") from error
    table = pd.DataFrame(rows)
    log.info("%s", table.to_string(index=False))
    write_table(table, Path(arguments.output).with_suffix(""))


def _check_regions(
    loaded: genome.Genome, sampling: concepts.Sampling, arguments: argparse.Namespace
) -> np.ndarray:
    """Draw what will be drawn; return two windows, (2, window) uint8 codes."""
    regions, _ = split_regions(
        sampling.starts,
        sampling.folds,
        sampling.n,
        sampling.window,
        generator(sampling.seed, "preflight"),
        test_fraction=sampling.test_fraction,
        lost=sampling.lost,
    )
    for name, target in json.loads(arguments.targets).items():
        options = json.loads(arguments.sampling)
        choose_pairs(loaded, {"name": name, **target}, sampling.window, options, arguments.seed)
    lost = ", ".join(f"{reason} {number:,}" for reason, number in sampling.lost.items())
    log.info("start positions not used, by reason: %s", lost)
    return loaded.windows(
        regions.contig[:2], regions.start[:2], sampling.window, regions.strand[:2]
    )


def check_model(spec: ModelSpec, layers: list[str], codes: np.ndarray) -> list[dict[str, Any]]:
    """Load a model and run two examples; return a row per layer."""
    device = resolve_device(spec.device)
    model = load_model(spec).to(device)
    inputs = tuple(tensor.to(device) for tensor in input_adapter(spec.inputs)(codes))
    parameters = sum(parameter.numel() for parameter in model.parameters())
    rows = []
    for layer in layers:
        found = check_layer(model, layer, inputs, spec.output)
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
