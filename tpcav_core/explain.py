"""Attributing a whole target set at a layer: sequences cut, batches made, completeness checked."""

from __future__ import annotations

import logging
from typing import Any, NamedTuple

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
from .inputs import Adapter
from .regions import Regions
from .targets import Pairs, take

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

    Returns:
        The attributions (n rows), and which method made them and why.

    Raises:
        InputError: NaN or infinity, or a completeness error above ``tolerance``; gradients are
            never complete and not checked.
    """
    source = _Pairs(genome, pairs, adapt, device)
    chosen = choose_method(
        model, layer, *source.tensors(0, PROBE), output=output, method=method, tolerance=tolerance
    )
    settled: Any = {"output": output, "tolerance": tolerance, "batch_size": batch_size}
    result = _attribute_all(model, layer, source, chosen, **settled)
    if method == "auto" and chosen.method == "deeplift" and result.relative_error() > tolerance:
        reason = f"DeepLIFT is complete on a probe only (error {result.relative_error():.2g})"
        chosen = chosen._replace(method="integrated_gradients", reason=reason)
        result = _attribute_all(model, layer, source, chosen, **settled)
    _check(result, layer, chosen, tolerance, force)
    return result, chosen


class _Pairs(NamedTuple):
    """Where the model's inputs for targets and baselines come from."""

    genome: Genome
    pairs: Pairs
    adapt: Adapter
    device: torch.device | str

    def tensors(self, first: int, size: int) -> list[tuple[Tensor, ...]]:
        """Return the inputs of some targets, and those of their baselines."""
        return [self._inputs(take(side, slice(first, first + size))) for side in self.pairs]

    def _inputs(self, regions: Regions) -> tuple[Tensor, ...]:
        width = int(regions.end[0] - regions.start[0])
        codes = self.genome.windows(regions.contig, regions.start, width, regions.strand)
        return tuple(tensor.to(self.device) for tensor in self.adapt(codes))


def _attribute_all(
    model: nn.Module,
    layer: str,
    source: _Pairs,
    chosen: Chosen,
    *,
    output: int,
    tolerance: float,
    batch_size: int,
) -> Attribution:
    log.info("method %s: %s", chosen.method, chosen.reason)
    # Completeness is judged against the mean change of the output, estimated on the probe; half
    # of the tolerance is left for its difference to the mean over all regions.
    allowed = chosen.output_change * tolerance / 2
    parts = []
    total = len(source.pairs.targets.start)
    for first in range(0, total, batch_size):
        parts.append(
            attribute_completely(
                model,
                layer,
                *source.tensors(first, batch_size),
                output=output,
                method=chosen.method,
                largest_error=allowed,
            )
        )
        log.info("%d of %d regions", min(first + batch_size, total), total)
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
