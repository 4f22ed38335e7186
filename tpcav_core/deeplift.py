"""DeepLIFT by operations: multipliers at a layer of any network, from two passes and one gradient.

The baseline runs first, and what nonlinear operations get from the layer on is noted; then the
target runs, and each of them takes its rule (`rules`) from what its counterpart got. Operations are
seen as PyTorch calls, not as modules: functions, methods, operators, and modules that are used
several times are all alike. Where an operation has no rule its gradient is used, so completeness
has to be measured; `Multipliers.without_rule` names such operations and where they are.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode
from torch.utils.module_tracker import ModuleTracker

from . import rules
from .errors import InputError
from .operations import HANDLERS, NO_RULE, Call, in_place
from .probes import Probe, probed

#: what is called with the model's inputs and returns a value for each example, (n,)
Scalar = Callable[..., Tensor]


class Multipliers(NamedTuple):
    """Multipliers at a layer, and what both passes gave.

    Attributes:
        multipliers: of the layer's shape.
        activations, baseline_activations: of the layer's shape.
        output, baseline_output: (n,).
        without_rule: operations that were used with their gradient, ``name (module)``.
    """

    multipliers: Tensor
    activations: Tensor
    baseline_activations: Tensor
    output: Tensor
    baseline_output: Tensor
    without_rule: tuple[str, ...]


def multipliers(
    model: nn.Module,
    scalar: Scalar,
    layer: str,
    inputs: tuple[Tensor, ...],
    baselines: tuple[Tensor, ...],
) -> Multipliers:
    """Return DeepLIFT's multipliers of a scalar at a layer.

    Args:
        model: the network in evaluation mode.
        scalar: calls it and returns (n,).
        layer: its layer, see `layers.get_layer`.
        inputs: what ``scalar`` is called with, n rows each.
        baselines: the same for the baselines.

    Raises:
        InputError: if the two passes do not make the same operations.
    """
    noting = _Noting()
    with torch.no_grad(), probed(model, layer, noting.start) as probe, _plain_attention(), noting:
        output_b = scalar(*baselines)
    activations_b = probe.value()
    following = _Following(noting.calls, model)
    with torch.enable_grad(), _plain_attention():
        with probed(model, layer, following.start, leaf=True) as probe, following:
            output = scalar(*inputs)
        following.finish()
        found = _gradient(output, probe)
    return Multipliers(
        found,
        probe.value(),
        activations_b,
        output.detach(),
        output_b.detach(),
        tuple(dict.fromkeys(following.without_rule)),
    )


def _gradient(output: Tensor, probe: Probe) -> Tensor:
    """Return the gradient at the layer; zeros where the output does not depend on it."""
    at = probe.value()
    if not output.requires_grad:
        return torch.zeros_like(at)
    (found,) = torch.autograd.grad(output.sum(), probe.leaf, allow_unused=True)
    return torch.zeros_like(at) if found is None else found


class _Noting(TorchFunctionMode):
    """Notes the operands of nonlinear operations, from when the layer is reached."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[Call] = []
        self.on = False

    def start(self) -> None:
        self.on = True

    def __torch_function__(
        self, function: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        kwargs = kwargs or {}
        name = getattr(function, "__name__", "")
        if self.on and name in HANDLERS:
            self.calls.append(Call.of(name, args, kwargs))
        return function(*args, **kwargs)


class _Following(TorchFunctionMode):
    """Gives each nonlinear operation its rule, from what was noted of the baseline."""

    def __init__(self, calls: list[Call], model: nn.Module) -> None:
        super().__init__()
        self.calls = calls
        self.next = 0
        self.on = False
        self.without_rule: list[str] = []
        self.tracker = ModuleTracker()

    def start(self) -> None:
        self.on = True

    def __torch_function__(
        self, function: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        kwargs = kwargs or {}
        name = getattr(function, "__name__", "")
        if not self.on:
            return function(*args, **kwargs)
        if name in HANDLERS:
            call = self._counterpart(name)
            if _depends(args, kwargs):
                result = HANDLERS[name](functools.partial(function), args, kwargs, call)
                if result is not NO_RULE:
                    return in_place(name, args, kwargs, result)
                self.without_rule.append(name)
        return function(*args, **kwargs)

    def _counterpart(self, name: str) -> Call:
        if self.next >= len(self.calls) or self.calls[self.next].name != name:
            raise InputError(_DIFFERENT)
        call = self.calls[self.next]
        self.calls[self.next] = call.released()
        self.next += 1
        return call.checked()

    def finish(self) -> None:
        if self.next != len(self.calls):
            raise InputError(_DIFFERENT)
