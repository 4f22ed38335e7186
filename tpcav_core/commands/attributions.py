"""``python -m tpcav_core attributions``: multipliers at a layer for a target set."""

from __future__ import annotations

import argparse
import json
from typing import Any

import numpy as np
import torch

from .. import attributions, files, genome, regions, targets
from ..attributions import Attribution
from ..errors import InputError
from ..explain import attribute_pairs
from ..inputs import input_adapter
from ..models import load_model
from .options import add_model_arguments, load_genome, read_model


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_model_arguments(parser)
    parser.add_argument("--genome", required=True, help="genome file of the `genome` step")
    parser.add_argument("--target", required=True, help="JSON: a target of the configuration")
    parser.add_argument("--sampling", required=True, help="JSON: chromosomes, exclude")
    parser.add_argument("--method", default="auto")
    parser.add_argument("--tolerance", type=float, default=0.01, help="of the completeness error")
    parser.add_argument("--force", action="store_true", help="go on where it is exceeded")
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--output", required=True, help="attributions, torch")


def run(arguments: argparse.Namespace) -> None:
    spec, device = read_model(arguments)
    loaded = load_genome(arguments.genome)
    target = json.loads(arguments.target)
    pairs = choose_pairs(
        loaded, target, spec.window, json.loads(arguments.sampling), arguments.seed
    )
    model = load_model(spec).to(device)
    try:
        result, chosen = attribute_pairs(
            model,
            arguments.layer,
            input_adapter(spec.inputs),
            loaded,
            pairs,
            output=spec.output,
            method=arguments.method,
            tolerance=arguments.tolerance,
            force=arguments.force,
            batch_size=spec.batch_size,
            device=device,
        )
    except InputError as error:
        raise InputError(f"target {target['name']!r}: {error}") from error
    content = _content(result, pairs, loaded, chosen)
    files.save_tensors(content, arguments.output, "attributions", {"target": target})


def choose_pairs(
    loaded: genome.Genome,
    target: dict[str, Any],
    window: int,
    sampling: dict[str, Any],
    seed: int,
) -> targets.Pairs:
    """Return the target regions and their baselines, from the options of a target."""
    exclude = regions.read_bed(sampling["exclude"], loaded) if sampling["exclude"] else None
    starts, lost = regions.available_starts(
        loaded,
        window,
        chromosomes=sampling["chromosomes"],
        exclude=exclude,
    )
    what: regions.Regions | int = target["n"]
    if target["regions"] != "random":
        given = regions.center(
            regions.read_bed(target["regions"], loaded),
            window,
            loaded,
            off_contig=target["edges"],
        )
        what = targets.sample_given(given, target["n"], seed, target["name"])
    return targets.pair_with_random(what, starts, window, seed, target["name"], lost=lost)


def _content(
    result: Attribution, pairs: targets.Pairs, loaded: genome.Genome, chosen: attributions.Chosen
) -> dict[str, Any]:
    content: dict[str, Any] = {
        name: torch.from_numpy(np.ascontiguousarray(value))
        for name, value in result._asdict().items()
    }
    for side, chosen_regions in pairs._asdict().items():
        content[side] = {
            name: torch.from_numpy(np.ascontiguousarray(value))
            for name, value in chosen_regions._asdict().items()
        }
    return content | {
        "completeness_error": torch.from_numpy(result.completeness_error()),
        "contigs": list(loaded.names),
        "method": chosen.method,
        "reason": chosen.reason,
    }
