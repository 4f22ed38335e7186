"""From a weighted sum of a layer's activations back to the input of the model.

The scalar is ``g(x) = Σ_j c_j y_j(x)`` with weights ``c`` of each example's own; the forward pass
ends at the layer. Multipliers of the inputs are found by the methods of `attributions`.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from captum.attr import DeepLift, IntegratedGradients, Saliency
from torch import Tensor, nn

from .attributions import STEPS, Method, _isolated
from .errors import InputError
from .layers import _checked_output, get_layer
from .strands import as_rows


class InputMultipliers(NamedTuple):
    """Change of g per unit of each input value, with inputs and baselines, split by what they are.

    Attributes:
        sequence: (n, 4, L) float64, channels A, C, G, T.
        one_hot: (n, 4, L), of the targets.
        baseline_one_hot: (n, 4, L).
        tracks: (n, t, L) float64, multipliers times (target − baseline) signal; t may be 0.
    """

    sequence: np.ndarray
    one_hot: np.ndarray
    baseline_one_hot: np.ndarray
    tracks: np.ndarray

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
) -> tuple[Tensor, ...]:
    """Return the multipliers of ``g(x) = Σ_j c_j y_j(x)`` with respect to the inputs.

    Args:
        model: the network in evaluation mode, on the device of the inputs.
        layer: name of a module in it.
        inputs: what the model is called with, n rows each.
        baselines: the same for the baselines, row by row.
        weights: c, (n, d).
        method: ``deeplift``, ``integrated_gradients`` or ``gradient`` (at the target).
        steps: points on the path of integrated gradients.

    Returns:
        A tensor of the shape of each input.

    Raises:
        InputError: if captum cannot apply the method to this network.
    """
    weighted = _Weighted(model, layer)
    inputs = tuple(tensor.detach().requires_grad_() for tensor in inputs)
    options: dict[str, Any] = {"additional_forward_args": (weights,)}
    explainer: Any
    if method == "gradient":
        explainer = Saliency(weighted)
        options["abs"] = False
    elif method == "deeplift":
        explainer = DeepLift(weighted, multiply_by_inputs=False)
        options["baselines"] = baselines
    else:
        explainer = IntegratedGradients(weighted, multiply_by_inputs=False)
        options |= {"baselines": baselines, "n_steps": steps}
        options["internal_batch_size"] = 8 * max(1, len(inputs[0]))
    with warnings.catch_warnings():
        # DeepLIFT announces the hooks that it sets and removes again
        warnings.filterwarnings("ignore", "Setting forward, backward hooks", UserWarning)
        try:
            with _isolated(model):
                found = explainer.attribute(inputs, **options)
        except InputError:
            raise
        except (AssertionError, RuntimeError, AttributeError) as error:
            reason = (str(error).splitlines() or [type(error).__name__])[0]
            raise InputError(
                f"{method} fails between the input and layer {layer!r} ({reason});"
                " set attributions.method to integrated_gradients"
            ) from error
    return tuple(tensor.detach() for tensor in found)


class _Reached(BaseException):
    """Ends the forward pass; not an Exception, so that no handler in the model swallows it."""


class _Weighted(nn.Module):
    """The weighted sum of a layer's activations; the pass ends at the layer."""

    def __init__(self, model: nn.Module, layer: str) -> None:
        super().__init__()
        self.model = model
        self.layer = layer

    def forward(self, *arguments: Tensor) -> Tensor:
        *inputs, weights = arguments
        reached: list[Any] = []

        def stop(module: nn.Module, given: Any, output: Any) -> None:
            reached.append(output)
            raise _Reached

        # set here, after the hooks of DeepLIFT, so that those see the layer before the pass ends
        hook = get_layer(self.model, self.layer).register_forward_hook(stop)
        try:
            self.model(*inputs)
        except _Reached:
            pass
        finally:
            hook.remove()
        output = _checked_output(self.model, self.layer, reached[0], len(inputs[0]))
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
    found = propagate(model, layer, inputs, baselines, weights, method=method, steps=steps)
    sequence, track_multipliers = split_inputs(adapter, found)
    one_hot, tracks = split_inputs(adapter, inputs)
    baseline_one_hot, baseline_tracks = split_inputs(adapter, baselines)
    signal = track_multipliers.astype(float) * (tracks.astype(float) - baseline_tracks)
    return InputMultipliers(sequence.astype(float), one_hot, baseline_one_hot, signal)


def complete_multipliers(
    model: nn.Module,
    layer: str,
    adapter: str,
    inputs: tuple[Tensor, ...],
    baselines: tuple[Tensor, ...],
    weights: Tensor,
    change: np.ndarray,
    *,
    method: Method,
    largest_error: float,
) -> InputMultipliers:
    """Return multipliers; double the steps of integrated gradients until each row is complete.

    Arguments are those of `input_multipliers`; ``change`` is ``g(x) − g(b)``, (n,), and
    ``largest_error`` how far the total of a row may be from it. Each row is judged alone, so that
    its result does not depend on the others in its batch.
    """
    settled: InputMultipliers | None = None
    rows = np.arange(len(change))
    for steps in STEPS if method == "integrated_gradients" else STEPS[:1]:
        chosen = torch.from_numpy(rows).to(weights.device)
        part = input_multipliers(
            model,
            layer,
            adapter,
            tuple(tensor[chosen] for tensor in inputs),
            tuple(tensor[chosen] for tensor in baselines),
            weights[chosen],
            method=method,
            steps=steps,
        )
        if settled is None:
            settled = InputMultipliers(*(np.array(column) for column in part))
        else:
            for whole, column in zip(settled, part, strict=True):
                whole[rows] = column
        rows = rows[np.abs(part.total() - change[rows]) > largest_error]
        if len(rows) == 0:
            break
    return settled  # type: ignore[return-value]
