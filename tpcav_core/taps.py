"""Taps: see, or take over, what one call of a layer returns during a forward pass."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from .errors import InputError
from .layers import first_tensor, get_layer, never_called, split_call


class Tap(nn.Module):
    """Stands behind a layer: its tensor passes through.

    A module, so that attribution methods can be given it as the layer whatever the layer returns.

    Args:
        leaf: pass on a leaf that carries gradients instead, so that they are taken there.
        reached: called when the layer has been reached.
    """

    def __init__(self, *, leaf: bool = False, reached: Callable[[], None] | None = None) -> None:
        super().__init__()
        self.takes_over = leaf
        self.reached = reached
        self.leaf: Tensor | None = None
        self.seen: Tensor | None = None

    def forward(self, tensor: Tensor) -> Tensor:
        """Return the tensor, or the leaf."""
        # copies: a later in-place operation may change the tensor
        self.seen = tensor.detach().clone()
        if self.reached is not None:
            self.reached()
        if not self.takes_over:
            return tensor
        self.leaf = self.seen.clone().requires_grad_()
        return self.leaf

    def value(self) -> Tensor:
        """Return what the layer gave, without gradients."""
        if self.seen is None:
            raise InputError("the layer was not reached in the forward pass")
        return self.seen

    def gradient(self, of: Tensor) -> Tensor:
        """Return the gradient of the sum of ``of`` at the leaf; zeros where it does not depend."""
        found = None
        if of.requires_grad and self.leaf is not None:
            (found,) = torch.autograd.grad(of.sum(), self.leaf, allow_unused=True)
        return torch.zeros_like(self.value()) if found is None else found


@contextmanager
def tapped(model: nn.Module, layer: str, tap: nn.Module) -> Iterator[None]:
    """Let what a layer returns, in each pass, go through a tap; of a tuple, its first tensor.

    Args:
        model: the network.
        layer: name of a module in it, with ``@k`` for its k-th call, see `layers.get_layer`.
        tap: takes a tensor, returns one of its shape.

    Raises:
        InputError: the layer is never called (that often), or several times and no call is chosen.
    """
    name, wanted = split_call(layer)
    calls = 0

    def pass_through(module: nn.Module, arguments: Any, output: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls > 1 and wanted is None:
            raise InputError(
                f"layer {layer!r}: called several times in one forward pass; name a call, {name}@1"
            )
        if calls != (wanted or 1):
            return output
        tensor = first_tensor(output)
        if tensor is None:
            raise InputError(f"layer {layer!r}: no tensor in its output")
        # a copy: a later in-place operation may not change what the tap or its hooks give
        return _with_first(output, tap(tensor).clone())

    def start(module: nn.Module, arguments: Any) -> None:
        nonlocal calls
        calls = 0

    handles = [
        model.register_forward_pre_hook(start),
        get_layer(model, layer).register_forward_hook(pass_through),
    ]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()
    if calls < (wanted or 1):
        raise InputError(never_called(layer))


def _with_first(output: Any, tensor: Tensor) -> Any:
    """Return an output with another first tensor."""
    if isinstance(output, Tensor):
        return tensor
    if isinstance(output, dict):
        key = next(key for key, value in output.items() if first_tensor(value) is not None)
        changed = type(output)(output)
        changed[key] = _with_first(output[key], tensor)
        return changed
    place = next(i for i, value in enumerate(output) if first_tensor(value) is not None)
    items = [*output]
    items[place] = _with_first(items[place], tensor)
    return type(output)(*items) if hasattr(output, "_fields") else type(output)(items)
