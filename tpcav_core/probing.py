"""Trying a layer on a few examples: which method explains it, and is it all?"""

from __future__ import annotations

from functools import partial
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from . import deeplift
from .attributions import Attribution, Method, as_attribution, concatenate
from .errors import InputError
from .out_of_memory import Halving
from .readouts import Readout, Scalar, readout
from .taps import Tap, tapped


class Chosen(NamedTuple):
    """The method `choose_method` settled on, and why.

    Attributes:
        method: not ``auto``.
        reason: in words.
        output_change: mean ``|f(x) − f(b)|`` of the probe.
        without_rule: operations that DeepLIFT has no rule for, ``name in module``.
        error: relative completeness error of DeepLIFT on the probe; NaN where it was not tried.
    """

    method: Method
    reason: str
    output_change: float
    without_rule: tuple[str, ...] = ()
    error: float = float("nan")

    def listed(self) -> str:
        """Return the operations without a rule as text, a few of them."""
        return ", ".join(self.without_rule[:5])


def choose_method(
    model: nn.Module,
    layer: str,
    inputs: tuple[Tensor, ...],
    baselines: tuple[Tensor, ...],
    *,
    output: Readout | int | str = 0,
    method: Method = "auto",
    tolerance: float = 0.01,
    batch_size: int | None = None,
) -> Chosen:
    """Settle the method on a probe of n pairs.

    ``auto`` takes DeepLIFT where it is complete within ``tolerance`` on the probe (see
    `Attribution.relative_error`), else integrated gradients. Not more than ``batch_size`` pairs go
    through the model at a time; None: all of them.
    """
    read = readout(output)
    change = _output_change(model, read, inputs, baselines, batch_size)
    if method not in ("auto", "deeplift"):
        return Chosen(method, "asked for", change)
    try:
        found, names = _by_deeplift(model, read, layer, inputs, baselines, batch_size)
    except InputError as problem:
        if method == "deeplift":
            raise
        return Chosen("integrated_gradients", f"DeepLIFT cannot be used: {problem}", change)
    error = found.relative_error()
    chosen = Chosen("deeplift", "asked for", change, names, error)
    if method == "deeplift":
        return chosen
    text = f"error {error:.2g} of the output change"
    if error <= tolerance:
        return chosen._replace(reason=f"complete on a probe ({text})")
    without = f", no rule for {chosen.listed()}" if chosen.without_rule else ""
    reason = f"DeepLIFT is not complete ({text}{without})"
    return chosen._replace(method="integrated_gradients", reason=reason)


@torch.no_grad()
def _output_change(
    model: nn.Module, read: Readout, inputs: Any, baselines: Any, batch_size: int | None
) -> float:
    """Return the mean ``|f(x) − f(b)|``."""
    scalar = Scalar(model, read)

    def change(inputs: Any, baselines: Any) -> Tensor:
        held = scalar.held(inputs)
        values = [scalar(*side, held=held).double() for side in (inputs, baselines)]
        return torch.abs(values[0] - values[1])

    return float(torch.cat(list(Halving(batch_size).run(change, inputs, baselines))).mean())


def _by_deeplift(
    model: nn.Module,
    read: Readout,
    layer: str,
    inputs: Any,
    baselines: Any,
    batch_size: int | None,
) -> tuple[Attribution, tuple[str, ...]]:
    """Return DeepLIFT's attributions, and the operations it has no rule for."""
    scalar = Scalar(model, read)
    names: dict[str, None] = {}

    def explain(inputs: Any, baselines: Any) -> Attribution:
        held_scalar = partial(scalar, held=scalar.held(inputs))
        found = deeplift.multipliers(model, held_scalar, layer, inputs, baselines)
        names.update(dict.fromkeys(found.without_rule))
        return as_attribution(model, found)

    return concatenate(Halving(batch_size).run(explain, inputs, baselines)), tuple(names)


class Probe(NamedTuple):
    """What a few examples say of a layer.

    Attributes:
        method: that will explain it.
        reason: why.
        error: completeness error over the mean change of the output; NaN where the method's is not
            known without many passes (integrated gradients) or it has none (gradient).
        around: mean change of the output that the layer does not carry, over the mean change:
            what is left when the layer's activations are those of the target and all else is the
            baseline's. 0 where everything passes through the layer.
    """

    method: Method
    reason: str
    error: float
    around: float


def probe_layer(
    model: nn.Module,
    layer: str,
    inputs: tuple[Tensor, ...],
    baselines: tuple[Tensor, ...],
    *,
    output: Readout,
    method: Method = "auto",
    tolerance: float = 0.01,
    force: bool = False,
    batch_size: int | None = None,
) -> Probe:
    """Try a layer.

    Args:
        model: the network, in evaluation mode.
        layer: its layer.
        inputs: n examples.
        baselines: n others.
        output: what is explained.
        method: as in the configuration.
        tolerance: largest completeness error, as a share of the mean change of the output.
        force: report what exceeds it, do not refuse.
        batch_size: examples per pass; None: all.

    Raises:
        InputError: the method is not complete, or the output depends on what goes around the layer.
    """
    chosen = choose_method(
        model,
        layer,
        inputs,
        baselines,
        output=output,
        method=method,
        tolerance=tolerance,
        batch_size=batch_size,
    )
    error = chosen.error if chosen.method == "deeplift" else float("nan")
    around = _around(model, layer, inputs, baselines, output, batch_size)
    if chosen.method != "gradient" and not force:
        if around > tolerance:
            raise InputError(
                f"layer {layer!r}: {around:.0%} of the change of the output goes around it (a skip"
                " connection, another input); choose a layer that everything passes through, such"
                " as the whole block, or set attributions.method to gradient"
            )
        if error > tolerance:
            without = chosen.listed() or "some operation"
            raise InputError(
                f"layer {layer!r}: deeplift is not complete, error {error:.2g} of the change of the"
                f" output, tolerance {tolerance:g}: no rule for {without}; set attributions.method"
                " to auto or integrated_gradients, or attributions.force to true"
            )
    return Probe(chosen.method, chosen.reason, error, around)


class _Given(nn.Module):
    """Takes the place of a layer's activations."""

    def __init__(self, value: Tensor) -> None:
        super().__init__()
        self.value = value

    def forward(self, tensor: Tensor) -> Tensor:
        return self.value


@torch.no_grad()
def _around(
    model: nn.Module,
    layer: str,
    inputs: tuple[Tensor, ...],
    baselines: tuple[Tensor, ...],
    output: Readout,
    batch_size: int | None,
) -> float:
    scalar = Scalar(model, output)

    def changes(inputs: tuple[Tensor, ...], baselines: tuple[Tensor, ...]) -> Tensor:
        """Return (2, n): the change of the output, and what of it goes around the layer."""
        held_scalar = partial(scalar, held=scalar.held(inputs))
        tap = Tap()
        with tapped(model, layer, tap):
            f = held_scalar(*inputs).double()
        with tapped(model, layer, _Given(tap.value())):
            through = held_scalar(*baselines).double()
        return torch.stack([f - held_scalar(*baselines).double(), f - through]).abs()

    parts = Halving(batch_size).run(changes, inputs, baselines)
    change, around = (float(values.mean()) for values in torch.cat(list(parts), dim=1))
    return around / change if change > 0 else 0.0
