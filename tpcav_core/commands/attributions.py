"""``python -m tpcav_core attributions``: multipliers at a layer for a target set."""

from __future__ import annotations

import argparse
import json
from typing import Any

import numpy as np
import torch

from .. import attributions, files, genome, regions, starts, targets
from ..attributions import Attribution
from ..errors import InputError
from ..explain import FunctionPairs, RegionPairs, attribute_source
from ..inputs import input_adapter
from ..models import ModelSpec, load_model
from ..seeds import generator
from .data import load_genome, open_tracks
from .options import add_model_arguments, read_model


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_model_arguments(parser)
    parser.add_argument("--genome", nargs="*", help="genome file of the `genome` step")
    parser.add_argument("--target", required=True, help="JSON: a target of the configuration")
    parser.add_argument("--sampling", required=True, help="JSON: chromosomes, exclude")
    parser.add_argument("--method", default="auto")
    parser.add_argument("--tolerance", type=float, default=0.01, help="of the completeness error")
    parser.add_argument("--force", action="store_true", help="go on where it is exceeded")
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--output", required=True, help="attributions, torch")


def run(arguments: argparse.Namespace) -> None:
    spec, device = read_model(arguments)
    loaded = load_genome(arguments.genome[0]) if arguments.genome else None
    target = json.loads(arguments.target)
    source = target_source(loaded, target, spec, json.loads(arguments.sampling), arguments.seed)
    model = load_model(spec).to(device)
    try:
        result, chosen = attribute_source(
            model,
            arguments.layer,
            source,
            output=spec.output,
            method=arguments.method,
            tolerance=arguments.tolerance,
            force=arguments.force,
            batch_size=spec.batch_size,
            device=device,
        )
    except InputError as error:
        raise InputError(f"target {target['name']!r}: {error}") from error
    content = _content(result, source, chosen)
    files.save_tensors(content, arguments.output, "attributions", {"target": target})


def target_source(
    loaded: genome.Genome | None,
    target: dict[str, Any],
    spec: ModelSpec,
    sampling: dict[str, Any],
    seed: int,
) -> RegionPairs | FunctionPairs:
    """Return where the inputs of a target set and its baselines come from."""
    if target["function"]:
        return function_pairs(target, seed)
    if loaded is None or spec.window is None:
        raise InputError(f"target {target['name']!r}: its regions need a genome and a window")
    pairs = choose_pairs(loaded, target, spec.window, sampling, seed)
    return RegionPairs(loaded, pairs, input_adapter(spec.inputs), open_tracks(spec.tracks, loaded))


def function_pairs(target: dict[str, Any], seed: int) -> FunctionPairs:
    """Return the calls of a target's function and of that of its baselines."""
    calls = []
    for side, function, kwargs in (
        ("targets", target["function"], target["kwargs"]),
        (
            "baselines",
            target["baseline_function"] or target["function"],
            target["baseline_kwargs"],
        ),
    ):
        rng = generator(seed, "targets", target["name"], side)
        content = {"function": function, "n": target["n"], "kwargs": kwargs}
        calls.append(json.dumps({**content, "seed": int(rng.integers(0, 2**31))}, sort_keys=True))
    return FunctionPairs(target["n"], *calls)


def choose_pairs(
    loaded: genome.Genome,
    target: dict[str, Any],
    window: int,
    sampling: dict[str, Any],
    seed: int,
) -> targets.Pairs:
    """Return the target regions and their baselines, from the options of a target."""
    exclude = (
        regions.read_bed(sampling["exclude"], loaded, absent="drop")
        if sampling["exclude"]
        else None
    )
    acceptable, lost = starts.available_starts(
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
    return targets.pair_with_random(what, acceptable, window, seed, target["name"], lost=lost)


def _content(
    result: Attribution, source: RegionPairs | FunctionPairs, chosen: attributions.Chosen
) -> dict[str, Any]:
    content: dict[str, Any] = {
        name: torch.from_numpy(np.ascontiguousarray(value))
        for name, value in result._asdict().items()
    }
    if isinstance(source, RegionPairs):
        content["contigs"] = list(source.genome.names)
        for side, chosen_regions in source.pairs._asdict().items():
            content[side] = {
                name: torch.from_numpy(np.ascontiguousarray(value))
                for name, value in chosen_regions._asdict().items()
            }
    return content | {
        "method": chosen.method,
        "reason": chosen.reason,
    }
