"""Where the model's inputs for a target set and its baselines come from, by its options."""

from __future__ import annotations

import json
from typing import Any

from .. import regions, starts, targets
from ..baselines import Baselines, given_regions
from ..errors import InputError
from ..explain import RegionPairs
from ..genome import Genome
from ..inputs import input_adapter
from ..models import ModelSpec
from ..regions import Regions
from ..seeds import generator
from ..starts import StartRanges
from ..targets import Pairs
from ..user_inputs import FunctionPairs
from .data import open_tracks


def target_source(
    loaded: Genome | None,
    target: dict[str, Any],
    spec: ModelSpec,
    sampling: dict[str, Any],
    seed: int,
) -> RegionPairs | FunctionPairs:
    """Return where the inputs of a target set and its baselines come from.

    Args:
        loaded: the genome; None where there is none.
        target: options of the target, and its ``name``.
        spec: the model.
        sampling: how random regions are drawn.
        seed: the seed of the configuration.
    """
    if target["function"]:
        return function_pairs(target, seed)
    if loaded is None or spec.window is None:
        raise InputError(f"target {target['name']!r}: its regions need a genome and a window")
    acceptable, lost = _acceptable(loaded, spec.window, sampling)
    what: Regions | int = target["n"]
    if target["regions"] != "random":
        given = _read(target["regions"], loaded, spec.window, target["edges"])
        what = targets.sample_given(given, target["n"], seed, target["name"])
    pairs = targets.pair_with_random(what, acceptable, spec.window, seed, target["name"], lost=lost)
    baselines = _baselines(loaded, target, pairs, acceptable, lost, seed)
    if baselines.kind == "regions":
        pairs = pairs._replace(baselines=baselines.regions[0])
    else:  # made of the targets' own windows
        pairs = pairs._replace(baselines=pairs.targets)
    tracks = open_tracks(spec.tracks, loaded)
    return RegionPairs(loaded, pairs, input_adapter(spec.inputs), tracks, baselines)


def _acceptable(
    loaded: Genome, window: int, sampling: dict[str, Any]
) -> tuple[StartRanges, dict[str, int]]:
    exclude = None
    if sampling["exclude"]:
        exclude = regions.read_bed(sampling["exclude"], loaded, absent="drop")
    return starts.available_starts(
        loaded, window, chromosomes=sampling["chromosomes"], exclude=exclude
    )


def _read(path: str, loaded: Genome, window: int, edges: Any) -> Regions:
    return regions.center(regions.read_bed(path, loaded), window, loaded, off_contig=edges)


def _baselines(
    loaded: Genome,
    target: dict[str, Any],
    pairs: Pairs,
    acceptable: StartRanges,
    lost: dict[str, int],
    seed: int,
) -> Baselines:
    """Return the baselines that a target asks for, see `baselines.Baselines`."""
    name, wanted = target["name"], target["baselines"]
    number, source = wanted["per_target"], wanted["source"]
    n = len(pairs.targets.start)
    window = int(pairs.targets.end[0] - pairs.targets.start[0])
    if source == "regions":
        choice = _read(wanted["file"], loaded, window, target["edges"])
        return given_regions(choice, n, number, seed, name)
    if source != "random":
        return Baselines(source, number, seed=seed, name=name)
    more = []
    for again in range(1, number):
        rng = generator(seed, "targets", name, "baselines", again)
        more.append(starts.random_regions(acceptable, n, window, rng, lost=lost))
    return Baselines("regions", number, (pairs.baselines, *more))


def function_pairs(target: dict[str, Any], seed: int) -> FunctionPairs:
    """Return the calls of a target's function and of that of its baselines."""

    def call(function: str, kwargs: Any, *purpose: str | int) -> str:
        rng = generator(seed, "targets", target["name"], *purpose)
        content = {"function": function, "n": target["n"], "kwargs": kwargs}
        return json.dumps({**content, "seed": int(rng.integers(0, 2**31))}, sort_keys=True)

    function = target["baseline_function"] or target["function"]
    baselines = tuple(
        call(function, target["baseline_kwargs"], "baselines", *([number] if number else []))
        for number in range(target["baselines"]["per_target"])
    )
    return FunctionPairs(
        target["n"], call(target["function"], target["kwargs"], "targets"), baselines
    )
