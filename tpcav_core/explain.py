"""Attributing a whole target set at a layer: sequences cut, batches made, completeness checked."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Protocol

import numpy as np
import torch
from torch import Tensor, nn

from . import deeplift
from .attributions import (
    Attribution,
    Method,
    attribute_completely,
    average,
    concatenate,
    empty_like,
)
from .baselines import Baselines
from .errors import InputError
from .genome import Genome
from .inputs import Adapter, Inputs
from .out_of_memory import Halving
from .probing import Chosen, choose_method
from .progress import Progress
from .regions import Regions
from .targets import Pairs
from .tracks import Tracks

log = logging.getLogger("tpcav_core")
#: pairs of regions on which the method is tried
PROBE = 16


def attribute_pairs(
    model: nn.Module,
    layer: str,
    adapt: Adapter,
    genome: Genome,
    pairs: Pairs,
    *,
    output: int | str = 0,
    method: Method = "auto",
    tolerance: float = 0.01,
    force: bool = False,
    batch_size: int = 64,
    device: torch.device | str = "cpu",
    tracks: Tracks | None = None,
) -> tuple[Attribution, Chosen]:
    """Attribute target regions, each against its baseline: all n of them, in batches.

    Args:
        model: the network in evaluation mode, on ``device``.
        layer: name of a module in it.
        adapt: makes the model's inputs from (n, L) uint8 codes.
        genome: the genome the regions are of.
        pairs: n targets and n baselines.
        output: what is explained, see `readouts`.
        method: see `probing.choose_method`.
        tolerance: largest relative completeness error of all regions together.
        force: return attributions that exceed it.
        batch_size: pairs per pass.
        device: where the model is.
        tracks: signal that the model takes.

    Returns:
        The attributions (n rows), and which method made them and why.

    Raises:
        InputError: NaN or infinity, or a completeness error above ``tolerance``; gradients are
            never complete and not checked.
    """
    source = RegionPairs(genome, pairs, adapt, tracks)
    return attribute_source(
        model,
        layer,
        source,
        output=output,
        method=method,
        tolerance=tolerance,
        force=force,
        batch_size=batch_size,
        device=device,
    )


def attribute_source(
    model: nn.Module,
    layer: str,
    source: PairSource,
    *,
    output: int | str = 0,
    method: Method = "auto",
    tolerance: float = 0.01,
    force: bool = False,
    batch_size: int = 64,
    device: torch.device | str = "cpu",
) -> tuple[Attribution, Chosen]:
    """Attribute targets from any source, see `attribute_pairs`."""
    probe = _on_device(next(iter(source.batches(PROBE))), device)
    chosen = choose_method(
        model,
        layer,
        *probe,
        output=output,
        method=method,
        tolerance=tolerance,
        batch_size=batch_size,
    )
    attribute_all = partial(
        _attribute_all,
        model,
        layer,
        source,
        output=output,
        tolerance=tolerance,
        batch_size=batch_size,
        device=device,
    )
    instead = ""
    try:
        result = attribute_all(chosen)
        error = result.relative_error()
        if chosen.method == "deeplift" and error > tolerance:
            instead = f"DeepLIFT is complete on a probe only (error {error:.2g})"
    except deeplift.UnfitError as problem:
        if method != "auto":
            raise
        instead = f"DeepLIFT can be used on a probe only: {problem}"
    if method == "auto" and instead:
        chosen = chosen._replace(method="integrated_gradients", reason=instead)
        result = attribute_all(chosen)
    _check(result, layer, chosen, tolerance, force)
    return result, chosen


class PairSource(Protocol):
    """Where the model's inputs for targets and baselines come from."""

    @property
    def size(self) -> int:
        """Number of targets."""

    @property
    def per_target(self) -> int:
        """Number of baselines of each target."""

    def batches(self, size: int, number: int = 0) -> Iterator[tuple[Inputs, Inputs]]:
        """Yield the inputs of ``size`` targets at a time, and those of one of their baselines."""


@dataclass(frozen=True)
class RegionPairs:
    """Regions of a genome, with the signal there if the model takes any.

    Attributes:
        genome: the genome.
        pairs: targets and, of baselines that are regions, the first of each.
        adapt: makes the model's inputs.
        tracks: signal that the model takes.
        baselines: what targets are compared with; None: with the regions in ``pairs``.
    """

    genome: Genome
    pairs: Pairs
    adapt: Adapter
    tracks: Tracks | None = None
    baselines: Baselines | None = None

    @property
    def size(self) -> int:
        """Number of targets."""
        return len(self.pairs.targets.start)

    @property
    def per_target(self) -> int:
        """Number of baselines of each target."""
        return 1 if self.baselines is None else self.baselines.per_target

    @property
    def regions(self) -> Regions:
        """The target regions."""
        return self.pairs.targets

    def batches(self, size: int, number: int = 0) -> Iterator[tuple[Inputs, Inputs]]:
        """Yield the inputs of ``size`` targets at a time, and those of one of their baselines."""
        for first in range(0, self.size, size):
            yield self.pair_inputs(slice(first, first + size), number)

    def pair_inputs(self, rows: slice | np.ndarray, number: int) -> tuple[Inputs, Inputs]:
        """Return the inputs of some targets, and those of one of their baselines."""
        baselines = self.baselines or Baselines("regions", regions=(self.pairs.baselines,))
        return self.inputs(self.regions.take(rows)), baselines.inputs(number, rows, self)

    def codes(self, regions: Regions) -> np.ndarray:
        """Return the sequences of regions, (n, L) uint8."""
        width = int(regions.end[0] - regions.start[0])
        return self.genome.windows(regions.contig, regions.start, width, regions.strand)

    def inputs(self, regions: Regions, codes: np.ndarray | None = None) -> Inputs:
        """Return the model's inputs of regions, with another sequence if one is given."""
        codes = self.codes(regions) if codes is None else codes
        return self.adapt(codes, None if self.tracks is None else self.tracks.values(regions))


def _on_device(sides: Iterable[Inputs], device: torch.device | str) -> list[tuple[Tensor, ...]]:
    return [tuple(tensor.to(device) for tensor in side) for side in sides]


def _attribute_all(
    model: nn.Module,
    layer: str,
    source: PairSource,
    chosen: Chosen,
    *,
    output: int | str,
    tolerance: float,
    batch_size: int,
    device: torch.device | str,
) -> Attribution:
    log.info("method %s: %s", chosen.method, chosen.reason)
    # Completeness is judged against the mean change of the output, estimated on the probe; half
    # of the tolerance is left for its difference to the mean over all regions.
    allowed = chosen.output_change * tolerance / 2
    halving = Halving()

    def explain(inputs: Inputs, baselines: Inputs) -> Attribution:
        return attribute_completely(
            model,
            layer,
            *_on_device((inputs, baselines), device),
            output=output,
            method=chosen.method,
            largest_error=allowed,
        )

    whole: Attribution | None = None
    done = 0
    progress = Progress("regions", source.size)
    # the baselines of a batch come one after the other: memory does not grow with their number
    numbers = range(source.per_target)
    for batch in zip(*(source.batches(batch_size, number) for number in numbers), strict=True):
        parts = (concatenate(halving.run(explain, *sides)) for sides in batch)
        part = average(parts) if source.per_target > 1 else next(parts)
        whole = whole or empty_like(part, source.size)
        for column, values in zip(whole, part, strict=True):
            column[done : done + len(values)] = values
        done += len(part.output)
        progress.add(len(part.output))
    if whole is None or done < source.size:
        raise InputError(f"{done} of {source.size} regions could be read; check the target")
    return whole


def _check(result: Attribution, layer: str, chosen: Chosen, tolerance: float, force: bool) -> None:
    if not np.isfinite(result.multipliers).all() or not np.isfinite(result.output).all():
        raise InputError("attributions are NaN or infinite; check the model's weights")
    if chosen.method == "gradient":
        return
    error = result.relative_error()
    log.info("completeness error: %.2g of the mean output change", error)
    if error > tolerance and not force:
        if chosen.method == "deeplift" and chosen.without_rule:
            remedy = f"DeepLIFT has no rule for {chosen.listed()}; set attributions.method to auto"
        else:
            remedy = (
                "the output also depends on what goes around the layer (a skip connection, another"
                " input), or changes by jumps; choose a layer that everything passes through"
            )
        raise InputError(
            f"{chosen.method} is not complete at layer {layer!r}: error {error:.2g} of the mean"
            f" output change, tolerance {tolerance:g}; {remedy}, or set attributions.force to true"
        )
