"""Attributing a whole target set at a layer: sequences cut, batches made, completeness checked."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple, Protocol

import numpy as np
import torch
from torch import Tensor, nn

from .attributions import (
    Attribution,
    Chosen,
    Method,
    attribute_completely,
    choose_method,
    concatenate,
)
from .errors import InputError
from .genome import Genome
from .inputs import Adapter, Inputs
from .regions import Regions
from .targets import Pairs, take
from .tracks import Tracks
from .user_inputs import user_inputs

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
    output: int = 0,
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
        output: column of the model's output.
        method: see `choose_method`.
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
    output: int = 0,
    method: Method = "auto",
    tolerance: float = 0.01,
    force: bool = False,
    batch_size: int = 64,
    device: torch.device | str = "cpu",
) -> tuple[Attribution, Chosen]:
    """Attribute targets from any source, see `attribute_pairs`."""
    probe = _on_device(next(iter(source.batches(PROBE))), device)
    chosen = choose_method(model, layer, *probe, output=output, method=method, tolerance=tolerance)
    settled: Any = {"output": output, "tolerance": tolerance, "device": device}
    settled["batch_size"] = batch_size
    result = _attribute_all(model, layer, source, chosen, **settled)
    if method == "auto" and chosen.method == "deeplift" and result.relative_error() > tolerance:
        reason = f"DeepLIFT is complete on a probe only (error {result.relative_error():.2g})"
        chosen = chosen._replace(method="integrated_gradients", reason=reason)
        result = _attribute_all(model, layer, source, chosen, **settled)
    _check(result, layer, chosen, tolerance, force)
    return result, chosen


class PairSource(Protocol):
    """Where the model's inputs for targets and baselines come from."""

    @property
    def size(self) -> int:
        """Number of targets."""

    def batches(self, size: int) -> Iterator[tuple[Inputs, Inputs]]:
        """Yield the inputs of ``size`` targets at a time, and those of their baselines."""


class RegionPairs(NamedTuple):
    """Regions of a genome, with the signal there if the model takes any."""

    genome: Genome
    pairs: Pairs
    adapt: Adapter
    tracks: Tracks | None = None

    @property
    def size(self) -> int:
        """Number of targets."""
        return len(self.pairs.targets.start)

    def batches(self, size: int) -> Iterator[tuple[Inputs, Inputs]]:
        """Yield the inputs of ``size`` targets at a time, and those of their baselines."""
        for first in range(0, self.size, size):
            rows = slice(first, first + size)
            yield self._inputs(self.pairs.targets, rows), self._inputs(self.pairs.baselines, rows)

    def _inputs(self, side: Regions, rows: slice) -> Inputs:
        regions = take(side, rows)
        width = int(regions.end[0] - regions.start[0])
        codes = self.genome.windows(regions.contig, regions.start, width, regions.strand)
        if self.tracks is None:
            return self.adapt(codes)
        return self.adapt(codes, self.tracks.values(regions))


class FunctionPairs(NamedTuple):
    """Targets and baselines that functions of the user's yield, see `user_inputs`."""

    size: int
    targets: str
    baselines: str

    def batches(self, size: int) -> Iterator[tuple[Inputs, Inputs]]:
        """Yield the inputs of ``size`` targets at a time, and those of their baselines."""
        sides = (user_inputs(call, size) for call in (self.targets, self.baselines))
        yield from zip(*sides, strict=True)


def _on_device(sides: Iterable[Inputs], device: torch.device | str) -> list[tuple[Tensor, ...]]:
    return [tuple(tensor.to(device) for tensor in side) for side in sides]


def _attribute_all(
    model: nn.Module,
    layer: str,
    source: PairSource,
    chosen: Chosen,
    *,
    output: int,
    tolerance: float,
    batch_size: int,
    device: torch.device | str,
) -> Attribution:
    log.info("method %s: %s", chosen.method, chosen.reason)
    # Completeness is judged against the mean change of the output, estimated on the probe; half
    # of the tolerance is left for its difference to the mean over all regions.
    allowed = chosen.output_change * tolerance / 2
    parts = []
    done = 0
    for sides in source.batches(batch_size):
        parts.append(
            attribute_completely(
                model,
                layer,
                *_on_device(sides, device),
                output=output,
                method=chosen.method,
                largest_error=allowed,
            )
        )
        done += len(sides[0][0])
        log.info("%d of %d regions", done, source.size)
    return concatenate(parts)


def _check(result: Attribution, layer: str, chosen: Chosen, tolerance: float, force: bool) -> None:
    if not np.isfinite(result.multipliers).all() or not np.isfinite(result.output).all():
        raise InputError("attributions are NaN or infinite; check the model's weights")
    if chosen.method == "gradient":
        return
    error = result.relative_error()
    log.info("completeness error: %.2g of the mean output change", error)
    if error > tolerance and not force:
        raise InputError(
            f"{chosen.method} is not complete at layer {layer!r}: error {error:.2g} of the mean"
            f" output change, tolerance {tolerance:g}; set attributions.method to auto or"
            " integrated_gradients, or attributions.force to true"
        )
