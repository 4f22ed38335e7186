"""Multipliers at a layer: how the chosen output changes with each activation, per target region.

What is kept is independent of the basis: multipliers ``m`` and activations ``y`` in the layer's
own coordinates. In standardised coordinates they are ``σ∘m`` and ``(y − μ)/σ``, in embedding
coordinates `basis.embed` of those; every statistic follows by matrix products (docs/method.md).

Completeness, ``Σ m·(y(x) − y(b)) = f(x) − f(b)``, is measured for every region. captum's DeepLift
is complete only for networks made of modules it has rules for, and silently wrong otherwise.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Literal, NamedTuple

import numpy as np
import torch
from captum.attr import LayerDeepLift, LayerGradientXActivation, LayerIntegratedGradients
from torch import Tensor, nn

from .errors import InputError
from .layers import get_layer
from .strands import as_rows

Method = Literal["auto", "deeplift", "integrated_gradients", "gradient"]
#: steps of integrated gradients, tried in turn until a batch is complete
STEPS = (32, 64, 128, 256, 512)


class Attribution(NamedTuple):
    """Multipliers and activations of n target regions, each against its baseline.

    Attributes:
        multipliers: (n, d) float32, change of the output per unit of activation.
        activations: (n, d) float32, of the targets.
        baseline_activations: (n, d) float32.
        output: (n,) float32, the model's output for the targets.
        baseline_output: (n,) float32.
    """

    multipliers: np.ndarray
    activations: np.ndarray
    baseline_activations: np.ndarray
    output: np.ndarray
    baseline_output: np.ndarray

    def completeness_error(self) -> np.ndarray:
        """Return (n,) float64, ``|Σ m·(y(x) − y(b)) − (f(x) − f(b))|`` in units of the output."""
        change = self.activations.astype(float) - self.baseline_activations
        total = (self.multipliers * change).sum(axis=1)
        return np.asarray(np.abs(total - (self.output.astype(float) - self.baseline_output)))

    def relative_error(self) -> float:
        """Return the largest completeness error over the mean ``|f(x) − f(b)|``."""
        scale = np.abs(self.output.astype(float) - self.baseline_output).mean()
        worst = float(self.completeness_error().max())
        return worst / scale if scale > 0 else (0.0 if worst == 0 else float("inf"))


class Chosen(NamedTuple):
    """The method `choose_method` settled on, and why.

    ``output_change`` is the mean ``|f(x) − f(b)|`` of the probe.
    """

    method: Method
    reason: str
    output_change: float


def attribute(
    model: nn.Module,
    layer: str,
    inputs: tuple[Tensor, ...],
    baselines: tuple[Tensor, ...],
    *,
    output: int = 0,
    method: Method = "deeplift",
    steps: int = STEPS[0],
) -> Attribution:
    """Attribute one batch.

    Args:
        model: the network in evaluation mode, on the device of the inputs.
        layer: name of a module in it.
        inputs: what the model is called with, n rows each.
        baselines: the same for the baselines; row i is what row i of the inputs is compared with.
        output: column of the model's output; a model with one value per example has column 0.
        method: ``deeplift`` (rescale rule), ``integrated_gradients`` (path in the layer's
            activations) or ``gradient`` (at the target; not complete).
        steps: points on the path of integrated gradients.

    Raises:
        InputError: if captum cannot apply the method to this network.
    """
    scalar = scalar_output(model, output)
    # DeepLIFT hooks tensors of the forward pass, which must carry gradients; parameters carry none
    inputs = tuple(tensor.detach().requires_grad_(tensor.is_floating_point()) for tensor in inputs)
    kind: Any = {
        "deeplift": LayerDeepLift,
        "integrated_gradients": LayerIntegratedGradients,
        "gradient": LayerGradientXActivation,
    }[method]
    explainer = kind(scalar, get_layer(model, layer), multiply_by_inputs=False)
    options: dict[str, Any] = {} if method == "gradient" else {"baselines": baselines}
    if method == "integrated_gradients":
        options |= {"n_steps": steps, "internal_batch_size": max(1, len(inputs[0])) * 8}
    with warnings.catch_warnings():
        # DeepLift announces the hooks that it sets and removes again
        warnings.filterwarnings("ignore", "Setting forward, backward hooks", UserWarning)
        try:
            with _isolated(model):
                multipliers = explainer.attribute(inputs, **options)
        except (AssertionError, RuntimeError, AttributeError) as error:
            remedy = (
                "set attributions.method to integrated_gradients or auto"
                if method == "deeplift"
                else "choose another layer"
            )
            raise InputError(
                f"{method} fails at layer {layer!r} of this network"
                f" ({str(error).splitlines()[0] if str(error) else type(error).__name__}); {remedy}"
            ) from error
    y, f = _layer_and_output(model, scalar, layer, inputs)
    y_baseline, f_baseline = _layer_and_output(model, scalar, layer, baselines)
    m = multipliers[0] if isinstance(multipliers, tuple) else multipliers
    return Attribution(_rows(model, m), y, y_baseline, f, f_baseline)


def attribute_completely(
    model: nn.Module,
    layer: str,
    inputs: tuple[Tensor, ...],
    baselines: tuple[Tensor, ...],
    *,
    output: int = 0,
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
    settled: Attribution | None = None
    rows = np.arange(len(inputs[0]))
    for steps in STEPS:
        chosen = torch.from_numpy(rows)
        part = attribute(
            model,
            layer,
            tuple(tensor[chosen.to(tensor.device)] for tensor in inputs),
            tuple(tensor[chosen.to(tensor.device)] for tensor in baselines),
            output=output,
            method=method,
            steps=steps,
        )
        if settled is None:
            settled = part
        else:
            for whole, column in zip(settled, part, strict=True):
                whole[rows] = column
        rows = rows[part.completeness_error() > largest_error]
        if len(rows) == 0:
            break
    return settled  # type: ignore[return-value]


def choose_method(
    model: nn.Module,
    layer: str,
    inputs: tuple[Tensor, ...],
    baselines: tuple[Tensor, ...],
    *,
    output: int = 0,
    method: Method = "auto",
    tolerance: float = 0.01,
) -> Chosen:
    """Settle the method on a probe batch.

    ``auto`` takes DeepLIFT where it is complete within ``tolerance`` on the probe (see
    `Attribution.relative_error`), else integrated gradients.
    """
    scalar = scalar_output(model, output)
    with torch.no_grad():
        change = float((scalar(*inputs).double() - scalar(*baselines)).abs().mean())
    if method != "auto":
        return Chosen(method, "asked for", change)
    try:
        probe = attribute(model, layer, inputs, baselines, output=output, method="deeplift")
    except InputError as problem:
        return Chosen("integrated_gradients", str(problem), change)
    error = f"error {probe.relative_error():.2g} of the output change"
    if probe.relative_error() <= tolerance:
        return Chosen("deeplift", f"complete on a probe ({error})", change)
    return Chosen("integrated_gradients", f"DeepLIFT is not complete ({error})", change)


def scalar_output(model: nn.Module, column: int) -> nn.Module:
    """Return a model whose output is one column of the model's, (n,)."""
    return _Column(model, column)


class _Column(nn.Module):
    """One column of a model's output, (n,); attribution methods want a scalar per example."""

    def __init__(self, model: nn.Module, column: int) -> None:
        super().__init__()
        self.model = model
        self.column = column

    def forward(self, *inputs: Tensor) -> Tensor:
        output: Tensor = self.model(*inputs)
        return output if output.dim() == 1 else output.flatten(1)[:, self.column]


@contextmanager
def _isolated(model: nn.Module) -> Iterator[None]:
    """Give every innermost module a copy of its input; leave nothing behind on the modules.

    Without the copy, DeepLIFT's rules for two adjacent modules (ReLU, then MaxPool) hook one and
    the same tensor, and captum hands the first the gradient from before the second one's rule;
    and an in-place activation overwrites the layer's output that gradients are taken at. captum
    leaves the tensors it notes on modules before the layer where they are.
    """
    before = {module: set(vars(module)) for module in model.modules()}
    innermost = [module for module in model.modules() if not any(True for _ in module.children())]
    handles = [module.register_forward_pre_hook(_copied) for module in innermost]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()
        for module, names in before.items():
            for name in set(vars(module)) - names:
                delattr(module, name)


def _copied(module: nn.Module, inputs: tuple[Any, ...]) -> tuple[Any, ...]:
    return tuple(_copy(value) if isinstance(value, Tensor) else value for value in inputs)


def _copy(value: Tensor) -> Tensor:
    """Return a copy that carries gradients, which what comes of token ids does not by itself."""
    if value.is_floating_point() and not value.requires_grad:
        value = value.detach().requires_grad_()
    return value.clone()


def _layer_and_output(
    model: nn.Module, scalar: nn.Module, layer: str, inputs: tuple[Tensor, ...]
) -> tuple[np.ndarray, np.ndarray]:
    seen: list[Tensor] = []

    def record(module: nn.Module, arguments: Any, value: Tensor) -> None:
        seen.append(value.clone())  # a later in-place operation may change the tensor

    hook = get_layer(model, layer).register_forward_hook(record)
    try:
        with torch.no_grad():
            output = scalar(*inputs)
    finally:
        hook.remove()
    return _rows(model, seen[0]), output.float().cpu().numpy()


def _rows(model: nn.Module, tensor: Tensor) -> np.ndarray:
    return np.asarray(as_rows(model, tensor.detach()).float().cpu().numpy())


def concatenate(parts: Iterator[Attribution] | list[Attribution]) -> Attribution:
    """Join batches."""
    return Attribution(*(np.concatenate(columns) for columns in zip(*parts, strict=True)))
