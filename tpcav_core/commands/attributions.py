"""``python -m tpcav_core attributions``: multipliers at a layer for a target set."""

from __future__ import annotations

import argparse
import json
import logging
from typing import Any

import numpy as np
import torch

from .. import attributions, files, genome, regions, targets
from ..attributions import Attribution
from ..errors import InputError
from ..inputs import input_adapter
from ..models import load_model
from .options import add_model_arguments, load_genome, read_model

log = logging.getLogger("tpcav_core")
#: pairs of regions on which the method is tried
PROBE = 16


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
    adapt = input_adapter(spec.inputs)

    def tensors(chosen: regions.Regions, rows: slice) -> tuple[torch.Tensor, ...]:
        part = targets.take(chosen, rows)
        codes = loaded.windows(part.contig, part.start, spec.window, part.strand)
        return tuple(tensor.to(device) for tensor in adapt(codes))

    probe = slice(0, PROBE)
    chosen = attributions.choose_method(
        model,
        arguments.layer,
        tensors(pairs.targets, probe),
        tensors(pairs.baselines, probe),
        output=spec.output,
        method=arguments.method,
        tolerance=arguments.tolerance,
    )
    log.info("method %s: %s", chosen.method, chosen.reason)
    parts = []
    total = len(pairs.targets.start)
    for first in range(0, total, spec.batch_size):
        rows = slice(first, first + spec.batch_size)
        parts.append(
            attributions.attribute_completely(
                model,
                arguments.layer,
                tensors(pairs.targets, rows),
                tensors(pairs.baselines, rows),
                output=spec.output,
                method=chosen.method,
                tolerance=arguments.tolerance / 2,
            )
        )
        log.info("%d of %d regions", min(first + spec.batch_size, total), total)
    result = attributions.concatenate(parts)
    _check(result, chosen, arguments, target["name"])
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
        block_length=int(loaded.lengths.max()),
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


def _check(
    result: Attribution,
    chosen: attributions.Chosen,
    arguments: argparse.Namespace,
    target: str,
) -> None:
    if not np.isfinite(result.multipliers).all() or not np.isfinite(result.output).all():
        raise InputError(f"target {target!r}: attributions are NaN; check the model's weights")
    if chosen.method == "gradient":
        return
    error = result.relative_error()
    log.info("completeness error: %.2g of the mean output change", error)
    if error > arguments.tolerance and not arguments.force:
        raise InputError(
            f"target {target!r}: {chosen.method} is not complete at layer {arguments.layer!r}:"
            f" error {error:.2g} of the mean output change, tolerance {arguments.tolerance:g}; set"
            " attributions.method to auto or integrated_gradients, or attributions.force to true"
        )


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
