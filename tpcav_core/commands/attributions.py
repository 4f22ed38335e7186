"""``python -m tpcav_core attributions``: multipliers at a layer for a target set."""

from __future__ import annotations

import argparse
import json
from typing import Any

import numpy as np
import torch

from .. import files
from ..attributions import Attribution
from ..errors import InputError
from ..explain import RegionPairs, attribute_source
from ..models import load_model
from ..probing import Chosen
from ..user_inputs import FunctionPairs
from .data import optional_genome
from .options import add_model_arguments, read_model
from .target_sources import target_source


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_model_arguments(parser)
    parser.add_argument("--genome", nargs="*", help="genome file of the `genome` step")
    parser.add_argument("--readout", default="0", help="what of the output is explained")
    parser.add_argument("--target", required=True, help="JSON: a target of the configuration")
    parser.add_argument("--sampling", required=True, help="JSON: chromosomes, exclude")
    parser.add_argument("--method", default="auto", help="as attributions.method of the config")
    parser.add_argument("--tolerance", type=float, default=0.01, help="of the completeness error")
    parser.add_argument("--force", action="store_true", help="go on where it is exceeded")
    parser.add_argument("--seed", type=int, required=True, help="of all random choices")
    parser.add_argument("--output", required=True, help="attributions, torch")


def run(arguments: argparse.Namespace) -> None:
    spec, device = read_model(arguments)
    loaded = optional_genome(arguments.genome)
    target = json.loads(arguments.target)
    source = target_source(loaded, target, spec, json.loads(arguments.sampling), arguments.seed)
    model = load_model(spec).to(device)
    try:
        result, chosen = attribute_source(
            model,
            arguments.layer,
            source,
            output=arguments.readout,
            method=arguments.method,
            tolerance=arguments.tolerance,
            force=arguments.force,
            batch_size=spec.batch_size,
            device=device,
        )
    except InputError as error:
        raise InputError(f"target {target['name']!r}: {error}") from error
    content = _content(result, source, chosen)
    about = {"target": target, "output": arguments.readout}
    files.save_tensors(content, arguments.output, "attributions", about)


def _content(
    result: Attribution, source: RegionPairs | FunctionPairs, chosen: Chosen
) -> dict[str, Any]:
    content: dict[str, Any] = {
        name: torch.from_numpy(np.ascontiguousarray(value))
        for name, value in result._asdict().items()
    }
    if isinstance(source, RegionPairs):
        content["contigs"] = list(source.genome.names)
        content["baselines_per_target"] = source.per_target
        for side, chosen_regions in source.pairs._asdict().items():
            content[side] = {
                name: torch.from_numpy(np.ascontiguousarray(value))
                for name, value in chosen_regions._asdict().items()
            }
    return content | {
        "method": chosen.method,
        "reason": chosen.reason,
    }
