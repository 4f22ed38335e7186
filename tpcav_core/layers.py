"""Named modules of a network: list them, find one, run a forward pass that stops at it.

Of a `tpcav_core.strands.StrandAverage`, layers are those of the wrapped model, and shape and d are
those of both strands, forward first. Nothing here changes the model: hooks are removed and
training flags restored, also on error.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from .errors import InputError, suggest
from .inputs import Inputs
from .strands import as_rows, by_example, strands, unwrapped

_Hook = Callable[[nn.Module, Any, Any], None]
_LIST_HINT = "`python -m tpcav_core layers` lists them"


class LayerInfo(NamedTuple):
    """One named module, as seen in one forward pass.

    ``shape`` is the shape of the output of the first call without the dimension of examples, ``d``
    the number of values in it; both are None where there is no tensor in the output or the layer
    is never called. ``output`` is ``"tensor"``, else the type of the output (``shape`` is then of
    the first tensor in it), ``"not by example"`` for a tensor whose first dimension is not that
    of examples, or ``""`` for a layer that is never called.
    """

    name: str
    type: str
    shape: tuple[int, ...] | None
    d: int | None
    calls: int
    output: str


class LayerCheck(NamedTuple):
    """A layer that can be used: its output shape per example, its ``d``, and the model's shape."""

    shape: tuple[int, ...]
    d: int
    output_shape: tuple[int, ...]


class _LayerReached(BaseException):
    """Ends the forward pass; not an Exception, so that no handler in the model swallows it."""


def get_layer(model: nn.Module, name: str) -> nn.Module:
    """Return the module called ``name``, or raise `InputError` with the nearest name."""
    modules: dict[str, nn.Module] = dict(unwrapped(model).named_modules(remove_duplicate=False))
    modules.pop("", None)
    if name not in modules:
        raise InputError(
            f"layer {name!r}: not among the {len(modules)} layers of the"
            f" model{suggest(name, modules)}; {_LIST_HINT}"
        )
    return modules[name]


def layer_output(model: nn.Module, layer: str, inputs: Tensor | Inputs) -> Tensor:
    """Run the model up to a layer and return that layer's output, flattened.

    The pass ends right after the layer's first call, runs in evaluation mode and without
    gradients. See `check_layer` for a full check of a layer before a long run.

    Args:
        model: the network, on the device of the inputs.
        layer: the layer's name, as in ``model.named_modules()``.
        inputs: what the model is called with: a tensor or a tuple of tensors, n rows each.

    Returns:
        Activations, (n, d), unstandardised, in the layer's own dtype and on its device.

    Raises:
        InputError: no such layer, the layer is never called, or its output is no tensor with n
            rows.
    """
    inputs = _as_tuple(inputs)
    reached: list[Any] = []

    def stop(module: nn.Module, arguments: Any, output: Any) -> None:
        reached.append(output)
        raise _LayerReached

    with _observed(model, [(get_layer(model, layer), stop)]):
        try:
            model(*inputs)
        except _LayerReached:
            pass
        else:
            raise InputError(_never_called(layer))
    return as_rows(model, _checked_output(model, layer, reached[0], len(inputs[0])))


def list_layers(model: nn.Module, inputs: Tensor | Inputs) -> list[LayerInfo]:
    """Describe every named module below the root, from one forward pass.

    Args:
        model: the network.
        inputs: example inputs, n rows each; two rows are enough.

    Raises:
        InputError: the forward pass raises an error.
    """
    inputs = _as_tuple(inputs)
    n = len(inputs[0])
    modules = {name: module for name, module in unwrapped(model).named_modules() if name}
    calls = dict.fromkeys(modules, 0)
    seen: dict[str, tuple[tuple[int, ...] | None, str]] = {}

    def recorder(name: str) -> _Hook:
        def record(module: nn.Module, arguments: Any, output: Any) -> None:
            calls[name] += 1
            if name not in seen:
                seen[name] = _describe(model, output, n)

        return record

    with _observed(model, [(module, recorder(name)) for name, module in modules.items()]):
        _forward(model, inputs)
    infos = []
    for name, module in modules.items():
        shape, kind = seen.get(name, (None, ""))
        d = None if shape is None else torch.Size(shape).numel()
        infos.append(LayerInfo(name, type(module).__name__, shape, d, calls[name], kind))
    return infos


def check_layer(
    model: nn.Module, layer: str, inputs: Tensor | Inputs, output: int = 0
) -> LayerCheck:
    """Run the whole model once and check that a layer and an output column can be used.

    Args:
        model: the network.
        layer: the layer's name.
        inputs: example inputs, n rows each.
        output: column of the model's output that is to be explained.

    Raises:
        InputError: no such layer; never called, called several times, output not a tensor with
            n rows; NaN or infinity in the layer or the model's output, with the layer where they
            first appear; model output not (n, outputs) or (n,), or without this column; the
            forward pass raises.
    """
    inputs = _as_tuple(inputs)
    n = len(inputs[0])
    found: list[tuple[Any, bool]] = []

    def record(module: nn.Module, arguments: Any, value: Any) -> None:
        # Looked at now: a later in-place operation may change the tensor.
        found.append((value, _finite(value)))

    with _observed(model, [(get_layer(model, layer), record)]):
        result = _forward(model, inputs)
    if not found:
        raise InputError(_never_called(layer))
    if len(found) > 1:
        raise InputError(
            f"layer {layer!r}: called {len(found)} times in one forward pass, expected once;"
            f" choose a layer that is used once ({_LIST_HINT})"
        )
    activations, finite = found[0]
    tensor = by_example(model, _checked_output(model, layer, activations, n))
    if not finite or not _finite(result):
        where = "the model's output" if finite else f"layer {layer!r}"
        raise InputError(f"model: NaN or infinity in {where}, {_first_not_finite(model, inputs)}")
    return LayerCheck(tuple(tensor.shape[1:]), tensor[0].numel(), _output_shape(result, n, output))


def _output_shape(result: Any, n: int, output: int) -> tuple[int, ...]:
    if not isinstance(result, Tensor):
        raise InputError(
            f"model: output is a {type(result).__name__}, expected a tensor (n, outputs) or (n,);"
            " let the factory return a module that picks one"
        )
    if result.ndim not in (1, 2) or len(result) != n:
        raise InputError(
            f"model: output has shape {tuple(result.shape)} for {n} examples, expected ({n},"
            f" outputs) or ({n},); let the factory return a module that reduces it"
        )
    columns = 1 if result.ndim == 1 else result.shape[1]
    if not 0 <= output < columns:
        raise InputError(
            f"model: no output column {output}, it has {columns}; columns count from 0"
        )
    return tuple(result.shape[1:])


def _checked_output(model: nn.Module, layer: str, output: Any, n: int) -> Tensor:
    if not isinstance(output, Tensor):
        raise InputError(
            f"layer {layer!r}: output is a {type(output).__name__}, expected a tensor;"
            f" choose a layer inside or after it ({_LIST_HINT})"
        )
    if output.ndim == 0 or len(output) != n * strands(model):
        raise InputError(
            f"layer {layer!r}: output has shape {tuple(output.shape)} for {n} examples, expected"
            f" examples in the first dimension; choose another layer ({_LIST_HINT})"
        )
    return output


def _never_called(layer: str) -> str:
    return (
        f"layer {layer!r}: never called in the model's forward pass; choose one that is called"
        f" ({_LIST_HINT})"
    )


def _first_not_finite(model: nn.Module, inputs: Inputs) -> str:
    """Say where NaN or infinity first appears."""
    for index, tensor in enumerate(inputs):
        if not _finite(tensor):
            return f"already in input tensor {index}; check `inputs` and the tracks"
    first: list[str] = []

    def watcher(name: str) -> _Hook:
        def watch(module: nn.Module, arguments: Any, output: Any) -> None:
            # An inner layer ends before the one around it, so the first to end is innermost.
            if not first and not _finite(output):
                first.append(f"first after layer {name!r} ({type(module).__name__})")

        return watch

    named = unwrapped(model).named_modules()
    layers = [(module, watcher(name)) for name, module in named if name]
    with _observed(model, layers):
        model(*inputs)
    where = first[0] if first else "outside of every named layer"
    return f"{where}; check the weights and the input"


def _first_tensor(output: Any) -> Tensor | None:
    if isinstance(output, dict):
        output = list(output.values())
    if isinstance(output, (tuple, list)):
        return next((tensor for tensor in map(_first_tensor, output) if tensor is not None), None)
    return output if isinstance(output, Tensor) else None


def _describe(model: nn.Module, output: Any, n: int) -> tuple[tuple[int, ...] | None, str]:
    """Return the shape without examples and the kind of output, as in `LayerInfo`."""
    tensor = _first_tensor(output)
    kind = "tensor" if isinstance(output, Tensor) else type(output).__name__
    if tensor is None:
        return None, kind
    if tensor.ndim == 0 or len(tensor) != n * strands(model):
        return tuple(tensor.shape), "not by example" if kind == "tensor" else kind
    return tuple(by_example(model, tensor).shape[1:]), kind


def _finite(output: Any) -> bool:
    tensor = _first_tensor(output)
    return tensor is None or bool(torch.isfinite(tensor).all())


def _as_tuple(inputs: Tensor | Inputs) -> Inputs:
    return (inputs,) if isinstance(inputs, Tensor) else tuple(inputs)


def _forward(model: nn.Module, inputs: Inputs) -> Any:
    try:
        return model(*inputs)
    except InputError:
        raise
    except Exception as error:
        shapes = ", ".join(str(tuple(tensor.shape)) for tensor in inputs)
        reason = (str(error).splitlines() or [""])[0]
        raise InputError(
            f"model: forward pass on inputs of shape {shapes} raised {type(error).__name__}:"
            f" {reason}; check `window`, `inputs` and the factory"
        ) from error


@contextmanager
def _observed(model: nn.Module, hooks: Iterable[tuple[nn.Module, _Hook]]) -> Iterator[None]:
    """Attach forward hooks, in evaluation mode and without gradients; undo all of it after."""
    training = [module for module in model.modules() if module.training]
    handles = []
    try:
        for module in training:
            module.training = False
        for module, hook in hooks:
            handles.append(module.register_forward_hook(hook))
        with torch.no_grad():
            yield
    finally:
        for handle in handles:
            handle.remove()
        for module in training:
            module.training = True
