"""The direct reference for a planted concept: what planting it does to the model's output."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

import numpy as np
import torch
from torch import nn

from .bootstrap import DRAWS, interval
from .errors import InputError
from .inputs import Inputs
from .out_of_memory import Halving
from .readouts import Readout
from .strands import mean_over_strands, output_by_strand


class PlantingEffect(NamedTuple):
    """Mean of ``f(planted) − f(not planted)`` on the same n backgrounds, in units of the output.

    Attributes:
        planting_effect: the mean.
        planting_effect_low, planting_effect_high: 95 % bootstrap interval over backgrounds.
        planting_positive: share of backgrounds whose output rises.
        n_backgrounds: n.
    """

    planting_effect: float
    planting_effect_low: float
    planting_effect_high: float
    planting_positive: float
    n_backgrounds: int


def outputs(
    model: nn.Module,
    batches: Iterable[Inputs],
    readouts: Mapping[str, Readout],
    *,
    device: torch.device | str,
) -> dict[str, np.ndarray]:
    """Return readouts of the model's output for batches of examples, (n,) float64, by name.

    Raises:
        InputError: if one is not finite.
    """
    parts: dict[str, list[np.ndarray]] = {name: [] for name in readouts}
    halving = Halving()

    def read(batch: Inputs) -> list[np.ndarray]:
        result = output_by_strand(model, tuple(tensor.to(device) for tensor in batch))
        values = (mean_over_strands(model, one(result)) for one in readouts.values())
        return [value.double().cpu().numpy() for value in values]

    with torch.no_grad():
        for batch in batches:
            for values in halving.run(read, batch):
                for name, value in zip(readouts, values, strict=True):
                    parts[name].append(value)
    found = {name: np.concatenate(values) for name, values in parts.items()}
    if not all(np.isfinite(values).all() for values in found.values()):
        raise InputError("the output is NaN or infinite for some examples; check the weights")
    return found


def planting_effect(
    planted: np.ndarray, bare: np.ndarray, rng: np.random.Generator
) -> PlantingEffect:
    """Return the effect of planting, from the outputs (n,) with and without."""
    change = np.asarray(planted, float) - bare
    n = len(change)
    means = np.array([change[rng.integers(0, n, n)].mean() for _ in range(DRAWS)])
    low, high = interval(means)
    rising = (change > 0).mean() + (change == 0).mean() / 2
    return PlantingEffect(float(change.mean()), float(low), float(high), float(rising), n)
