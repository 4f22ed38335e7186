"""Multipliers at a layer: how the chosen output changes with each activation, per target region.

What is kept is independent of the basis: multipliers ``m`` and activations ``y`` in the layer's
own coordinates. In standardised coordinates they are ``σ∘m`` and ``(y − μ)/σ``, in embedding
coordinates `basis.embed` of those; every statistic follows by matrix products (docs/method.md).

Completeness, ``Σ m·(y(x) − y(b)) = f(x) − f(b)``, is measured for every region.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from typing import Any, Literal, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from . import deeplift
from .path_steps import AT_ONCE, STEPS, until_complete
from .readouts import Readout, Scalar, readout
from .strands import as_rows
from .taps import Tap, tapped

Method = Literal["auto", "deeplift", "integrated_gradients", "gradient"]


class Attribution(NamedTuple):
    """Multipliers and activations of n target regions, each against its baseline or baselines.

    Attributes:
        multipliers: (n, d) float32, change of the output per unit of activation; the mean over
            baselines where there are several.
        activations: (n, d) float32, of the targets.
        baseline_activations: (n, d) float32, the mean over baselines.
        output: (n,) float32, the model's output for the targets.
        baseline_output: (n,) float32, the mean over baselines.
        completeness_error: (n,) float64, ``|Σ m·(y(x) − y(b)) − (f(x) − f(b))|`` in units of the
            output; the largest over baselines.
    """

    multipliers: np.ndarray
    activations: np.ndarray
    baseline_activations: np.ndarray
    output: np.ndarray
    baseline_output: np.ndarray
    completeness_error: np.ndarray

    def error(self) -> np.ndarray:
        """Return the completeness error of each region, (n,)."""
        return self.completeness_error

    def relative_error(self) -> float:
        """Return the largest completeness error over the mean ``|f(x) − f(b)|``."""
        if len(self.output) == 0:
            return 0.0
        scale = np.abs(self.output.astype(float) - self.baseline_output).mean()
        worst = float(self.completeness_error.max())
        return worst / scale if scale > 0 else (0.0 if worst == 0 else float("inf"))


def attribute(
    model: nn.Module,
    layer: str,
    inputs: tuple[Tensor, ...],
    baselines: tuple[Tensor, ...],
    *,
    output: Readout | int | str = 0,
    method: Method = "deeplift",
    steps: int = STEPS[0],
) -> Attribution:
    """Attribute one batch, a baseline for each target.

    Args:
        model: the network in evaluation mode, on the device of the inputs.
        layer: name of a module in it, see `layers.get_layer`.
        inputs: what the model is called with, n rows each.
        baselines: the same for the baselines; row i is what row i of the inputs is compared with.
        output: what is explained, see `readouts`.
        method: ``deeplift`` (`deeplift`), ``integrated_gradients`` (path in the layer's
            activations) or ``gradient`` (at the target; not complete).
        steps: points on the path of integrated gradients.

    Raises:
        InputError: if the method cannot be applied to this network.
    """
    scalar = Scalar(model, readout(output))
    held = scalar.held(inputs)
    with torch.inference_mode(False):
        if method == "deeplift":
            held_scalar = partial(scalar, held=held)
            found = deeplift.multipliers(model, held_scalar, layer, inputs, baselines)
        elif method == "gradient":
            found = _gradient(model, scalar, layer, inputs, baselines, held)
        else:
            found = _integrated(model, scalar, layer, inputs, baselines, held, steps)
    return as_attribution(model, found)


def as_attribution(model: nn.Module, found: deeplift.Multipliers) -> Attribution:
    """Return what was found at a layer, flattened, with its completeness error."""
    m, y, y_b = (as_rows(model, tensor.detach()).float() for tensor in found[:3])
    f, f_b = found.output.detach(), found.baseline_output.detach()
    total = (y - y_b).mul_(m).sum(dim=1, dtype=torch.float64)
    error = (total - (f.double() - f_b.double())).abs()
    return Attribution(*(t.cpu().numpy() for t in (m, y, y_b, f.float(), f_b.float(), error)))


def _gradient(
    model: nn.Module, scalar: Scalar, layer: str, inputs: Any, baselines: Any, held: Any
) -> deeplift.Multipliers:
    tap, tap_b = Tap(leaf=True), Tap()
    with torch.enable_grad(), tapped(model, layer, tap):
        f = scalar(*inputs, held=held)
        found = tap.gradient(f)
    with torch.no_grad(), tapped(model, layer, tap_b):
        f_b = scalar(*baselines, held=held)
    return deeplift.Multipliers(found, tap.value(), tap_b.value(), f, f_b)


def _integrated(
    model: nn.Module, scalar: Scalar, layer: str, inputs: Any, baselines: Any, held: Any, steps: int
) -> deeplift.Multipliers:
    # here, because it takes half as long to import as torch, and DeepLIFT does without
    from captum.attr import LayerIntegratedGradients

    sides = []
    for tensors in (inputs, baselines):
        tap = Tap()
        with torch.no_grad(), tapped(model, layer, tap):
            sides.append((scalar(*tensors, held=held), tap.value()))
    (f, y), (f_b, y_b) = sides
    # captum takes further arguments by position only
    explained = (lambda *t: scalar(*t[:-1], held=t[-1])) if held is not None else scalar
    tap = Tap()
    with torch.enable_grad(), tapped(model, layer, tap):
        path = LayerIntegratedGradients(explained, tap, multiply_by_inputs=False)
        found = path.attribute(
            inputs,
            baselines=baselines,
            additional_forward_args=() if held is None else (held,),
            n_steps=steps,
            internal_batch_size=max(1, len(inputs[0])) * AT_ONCE,
        )
    return deeplift.Multipliers(found, y, y_b, f, f_b)


def attribute_completely(
    model: nn.Module,
    layer: str,
    inputs: tuple[Tensor, ...],
    baselines: tuple[Tensor, ...],
    *,
    output: Readout | int | str = 0,
    method: Method = "deeplift",
    largest_error: float = 0.0,
) -> Attribution:
    """Attribute one batch; double the steps of integrated gradients until each row is complete.

    Arguments are those of `attribute`; ``largest_error`` is the completeness error, in units of
    the output, that a row may have. Each row is judged alone, so that its result does not depend
    on the others in its batch. It may be exceeded where the method is another, or after the last
    of `STEPS`.
    """
    if method != "integrated_gradients":
        return attribute(model, layer, inputs, baselines, output=output, method=method)

    def run(rows: np.ndarray, steps: int) -> Attribution:
        chosen = torch.from_numpy(rows)
        return attribute(
            model,
            layer,
            tuple(tensor[chosen.to(tensor.device)] for tensor in inputs),
            tuple(tensor[chosen.to(tensor.device)] for tensor in baselines),
            output=output,
            method=method,
            steps=steps,
        )

    return until_complete(run, len(inputs[0]), largest_error)


def concatenate(parts: Iterable[Attribution]) -> Attribution:
    """Join batches."""
    return Attribution(*(np.concatenate(columns) for columns in zip(*parts, strict=True)))


def empty_like(part: Attribution, n: int) -> Attribution:
    """Return room for the attributions of n regions like those of some of them."""
    return Attribution(*(np.empty((n, *column.shape[1:]), column.dtype) for column in part))


def average(parts: Iterable[Attribution]) -> Attribution:
    """Join attributions of the same targets against several baselines: means, largest error.

    One after the other, so that memory does not grow with their number.
    """
    sums: list[np.ndarray] = []
    worst: np.ndarray | None = None
    number = 0
    for part in parts:
        columns = [column.astype(float) for column in part]
        worst = columns[-1] if worst is None else np.maximum(worst, columns[-1])
        sums = [a + b for a, b in zip(sums, columns, strict=True)] if sums else columns
        number += 1
    means = [(total / number).astype(np.float32) for total in sums]
    return Attribution(*means)._replace(completeness_error=np.asarray(worst))
