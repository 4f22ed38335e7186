"""From a weighted sum of a layer's activations back to the input of the model.

The scalar is ``g(x) = Σ_j c_j y_j(x)`` with weights ``c`` of each example's own; the forward pass
ends at the layer. Multipliers of the inputs are found by the methods of `attributions`.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from functools import partial
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from . import deeplift
from .attributions import Method
from .errors import InputError
from .layers import LayerReached, checked_output
from .path_steps import AT_ONCE, STEPS, until_complete
from .strands import as_rows
from .taps import tapped


class InputMultipliers(NamedTuple):
    """Change of g per unit of each input value, with inputs and baselines, split by what they are.

    Attributes:
        sequence: (n, 4, L) float64, channels A, C, G, T.
        one_hot: (n, 4, L), of the targets.
        baseline_one_hot: (n, 4, L).
        tracks: (n, t, L) float64, multipliers times (target − baseline) signal; t may be 0.
        change: (n,) float64, ``g(x) − g(b)``.
    """

    sequence: np.ndarray
    one_hot: np.ndarray
    baseline_one_hot: np.ndarray
    tracks: np.ndarray
    change: np.ndarray

    def contributions(self) -> np.ndarray:
        """Return (n, L): what each base contributes, against the baseline's base there."""
        change = self.one_hot.astype(float) - self.baseline_one_hot
        return np.asarray((self.sequence * change).sum(axis=1))

    def hypothetical(self) -> np.ndarray:
        """Return (n, 4, L): what each of the four bases would contribute in its place."""
        baseline = (self.sequence * self.baseline_one_hot).sum(axis=1, keepdims=True)
        return np.asarray(self.sequence - baseline)

    def total(self) -> np.ndarray:
        """Return (n,): the contributions of all bases and all signal."""
        return np.asarray(self.contributions().sum(axis=1) + self.tracks.sum(axis=(1, 2)))

    def error(self) -> np.ndarray:
        """Return (n,): the completeness error, ``|total − (g(x) − g(b))|``."""
        return np.asarray(np.abs(self.total() - self.change))


def split_inputs(inputs: str, tensors: Sequence[Tensor]) -> tuple[np.ndarray, np.ndarray]:
    """Return sequence (n, 4, L) and tracks (n, t, L) of a model's inputs, or of their multipliers.

    Args:
        inputs: name of the adapter that made them.
        tensors: what the model is called with.

    Raises:
        InputError: an adapter whose inputs are not one-hot.
    """
    arrays = [tensor.detach().cpu().numpy() for tensor in tensors]
    first = arrays[0]
    if inputs == "one_hot":
        return first, first[:, :0]
    if inputs == "one_hot_channels_last":
        turned = first.transpose(0, 2, 1)
        return turned, turned[:, :0]
    if inputs == "one_hot_and_tracks":
        return first, arrays[1]
    if inputs == "one_hot_stacked_tracks":
        return first[:, :4], first[:, 4:]
    raise InputError(
        f"inputs {inputs!r}: single bases have no value of their own in them, contributions need"
        " one-hot inputs; leave this model's contributions out"
    )


def propagate(
    model: nn.Module,
    layer: str,
    inputs: tuple[Tensor, ...],
    baselines: tuple[Tensor, ...],
    weights: Tensor,
    *,
    method: Method,
    steps: int = STEPS[0],
) -> tuple[tuple[Tensor, ...], Tensor]:
    """Return the multipliers of ``g(x) = Σ_j c_j y_j(x)`` with respect to the inputs.

    Args:
        model: the network in evaluation mode, on the device of the inputs.
        layer: name of a module in it, see `layers.get_layer`.
        inputs: what the model is called with, n rows each; two of them agree but for their second
            dimension.
        baselines: the same for the baselines, row by row.
        weights: c, (n, d).
        method: ``deeplift``, ``integrated_gradients`` or ``gradient`` (at the target).
        steps: points on the path of integrated gradients.

    Returns:
        A tensor of the shape of each input, and ``g(x) − g(b)``, (n,).

    Raises:
        InputError: if the method cannot be applied to this network.
    """
    sizes = [tensor.shape[1] for tensor in inputs]
    weighted = _Weighted(model, layer, sizes)
    x, b = (torch.cat(side, dim=1) if len(side) > 1 else side[0] for side in (inputs, baselines))
    x, b = x.detach().clone(), b.detach().clone()
    with torch.inference_mode(False), torch.enable_grad():
        if method == "deeplift":
            scalar = partial(weighted, weights=weights)
            result = deeplift.multipliers(weighted, scalar, "front", (x,), (b,))
            found, values = result.multipliers, (result.output, result.baseline_output)
        elif method == "gradient":
            x.requires_grad_()
            (found,) = torch.autograd.grad(weighted(x, weights).sum(), x)
        else:
            # here, because it takes half as long to import as torch, and DeepLIFT does without
            from captum.attr import IntegratedGradients

            found = IntegratedGradients(weighted, multiply_by_inputs=False).attribute(
                x.requires_grad_(),
                baselines=b,
                additional_forward_args=(weights,),
                n_steps=steps,
                internal_batch_size=max(1, len(x)) * AT_ONCE,
            )
    if method != "deeplift":
        with torch.no_grad():
            values = (weighted(x, weights), weighted(b, weights))
    return torch.split(found.detach(), sizes, dim=1), values[0].double() - values[1].double()


class _Stop(nn.Module):
    """Keeps what a layer returns and ends the pass there."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: Tensor | None = None

    def forward(self, tensor: Tensor) -> Tensor:
        self.seen = tensor
        raise LayerReached


class _Weighted(nn.Module):
    """The weighted sum of a layer's activations; the pass ends at the layer.

    ``front`` is where the inputs enter, side by side in one tensor.
    """

    def __init__(self, model: nn.Module, layer: str, sizes: Sequence[int]) -> None:
        super().__init__()
        self.front = nn.Identity()
        self.model = model
        self.layer = layer
        self.sizes = list(sizes)

    def forward(self, x: Tensor, weights: Tensor) -> Tensor:
        # a copy, which the model may change in place
        entered = self.front(x).clone()
        inputs = entered.split(self.sizes, dim=1) if len(self.sizes) > 1 else (entered,)
        stop = _Stop()
        with suppress(LayerReached), tapped(self.model, self.layer, stop):
            self.model(*inputs)
        output = checked_output(self.model, self.layer, stop.seen, len(x))
        return (as_rows(self.model, output) * weights).sum(dim=1)


def input_multipliers(
    model: nn.Module,
    layer: str,
    adapter: str,
    inputs: tuple[Tensor, ...],
    baselines: tuple[Tensor, ...],
    weights: Tensor,
    *,
    method: Method,
    steps: int = STEPS[0],
) -> InputMultipliers:
    """Return what `propagate` finds, split by the name of the adapter that made the inputs."""
    found, change = propagate(model, layer, inputs, baselines, weights, method=method, steps=steps)
    sequence, track_multipliers = split_inputs(adapter, found)
    one_hot, tracks = split_inputs(adapter, inputs)
    baseline_one_hot, baseline_tracks = split_inputs(adapter, baselines)
    signal = track_multipliers.astype(float) * (tracks.astype(float) - baseline_tracks)
    return InputMultipliers(
        sequence.astype(float), one_hot, baseline_one_hot, signal, change.cpu().numpy()
    )


def complete_multipliers(
    model: nn.Module,
    layer: str,
    adapter: str,
    inputs: tuple[Tensor, ...],
    baselines: tuple[Tensor, ...],
    weights: Tensor,
    *,
    method: Method,
    largest_error: float,
) -> InputMultipliers:
    """Return multipliers; double the steps of integrated gradients until each row is complete.

    Arguments are those of `input_multipliers`; ``largest_error`` is the completeness error that a
    row may have. Each row is judged alone, so that its result does not depend on the others in its
    batch.
    """

    def run(rows: np.ndarray, steps: int) -> InputMultipliers:
        chosen = torch.from_numpy(rows).to(weights.device)
        return input_multipliers(
            model,
            layer,
            adapter,
            tuple(tensor[chosen] for tensor in inputs),
            tuple(tensor[chosen] for tensor in baselines),
            weights[chosen],
            method=method,
            steps=steps,
        )

    if method != "integrated_gradients":
        return run(np.arange(len(weights)), STEPS[0])
    return until_complete(run, len(weights), largest_error)
