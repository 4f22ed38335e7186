"""The two passes and the gradient that DeepLIFT takes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from ..taps import Tap, tapped
from .calls import NO_RULE, Call, UnfitError, depends, in_place
from .operations import HANDLERS

_DIFFERENT = "target and baseline do not make the same operations: the network branches on values"


class Multipliers(NamedTuple):
    """Multipliers at a layer, and what both passes gave.

    Attributes:
        multipliers: of the layer's shape.
        activations, baseline_activations: of the layer's shape.
        output, baseline_output: (n,).
        without_rule: operations used with their gradient, as ``name in module``.
    """

    multipliers: Tensor
    activations: Tensor
    baseline_activations: Tensor
    output: Tensor
    baseline_output: Tensor
    without_rule: tuple[str, ...] = ()


def multipliers(
    model: nn.Module,
    scalar: Callable[..., Tensor],
    layer: str,
    inputs: tuple[Tensor, ...],
    baselines: tuple[Tensor, ...],
) -> Multipliers:
    """Return DeepLIFT's multipliers of a scalar at a layer.

    Args:
        model: the network in evaluation mode.
        scalar: calls it with what it is called with and returns (n,), see `readouts.Scalar`.
        layer: its layer, see `layers.get_layer`.
        inputs: what the model is called with, n rows each.
        baselines: the same for the baselines.

    Raises:
        UnfitError: if the two passes do not make the same operations.
    """
    noting = _Noting()
    tap_b = Tap(reached=noting.start)
    with _plain_attention(), torch.no_grad(), tapped(model, layer, tap_b), noting:
        output_b = scalar(*baselines)
    following = _Following(noting.calls)
    tap = Tap(leaf=True, reached=following.start)
    with _plain_attention(), torch.enable_grad():
        with tapped(model, layer, tap), _located(model, following), following:
            output = scalar(*inputs)
        following.finish()
        found = tap.gradient(output)
    return Multipliers(
        found,
        tap.value(),
        tap_b.value(),
        output.detach(),
        output_b,
        tuple(dict.fromkeys(following.without_rule)),
    )


class _Noting(TorchFunctionMode):
    """Notes the operands of nonlinear operations, from when the layer is reached."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[Call | None] = []
        self.on = False

    def start(self) -> None:
        self.on = True

    def __torch_function__(
        self, function: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        name = getattr(function, "__name__", "")
        if self.on and name in HANDLERS:
            self.calls.append(Call.of(name, args, kwargs or {}))
        return function(*args, **(kwargs or {}))


class _Following(TorchFunctionMode):
    """Gives each nonlinear operation its rule, from what was noted of the baseline."""

    def __init__(self, calls: list[Call | None]) -> None:
        super().__init__()
        self.calls = calls
        self.next = 0
        self.on = False
        #: names of the modules that are running, the innermost last
        self.within: list[str] = []
        self.without_rule: list[str] = []

    def start(self) -> None:
        self.on = True

    def __torch_function__(
        self, function: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        kwargs = kwargs or {}
        name = getattr(function, "__name__", "")
        if not self.on or name not in HANDLERS:
            return function(*args, **kwargs)
        call = self._counterpart(name)
        if not depends(args, kwargs):
            return function(*args, **kwargs)
        result = HANDLERS[name](function, args, kwargs, call)
        if result is NO_RULE:
            self.without_rule.append(f"{name} in {self.within[-1] if self.within else 'the model'}")
            return function(*args, **kwargs)
        return in_place(name, args, kwargs, result)

    def _counterpart(self, name: str) -> Call:
        call = self.calls[self.next] if self.next < len(self.calls) else None
        if call is None or call.name != name:
            raise UnfitError(_DIFFERENT)
        self.calls[self.next] = None  # its memory is not needed again
        self.next += 1
        return call.checked()

    def finish(self) -> None:
        if self.next != len(self.calls):
            raise UnfitError(_DIFFERENT)


@contextmanager
def _plain_attention() -> Iterator[None]:
    """Run attention without the fused forms that PyTorch takes when there are no gradients."""
    before = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        yield
    finally:
        torch.backends.mha.set_fastpath_enabled(before)


@contextmanager
def _located(model: nn.Module, following: _Following) -> Iterator[None]:
    """Tell ``following`` which module is running."""
    handles = []
    for name, module in model.named_modules():
        if name:

            def enter(module: nn.Module, arguments: Any, name: str = name) -> None:
                following.within.append(name)

            def leave(module: nn.Module, arguments: Any, output: Any) -> None:
                following.within.pop()

            handles += [
                module.register_forward_pre_hook(enter),
                module.register_forward_hook(leave, always_call=True),
            ]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()
