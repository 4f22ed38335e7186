"""Look at a model's layers before a long run: what there is, and whether one can be used."""

from __future__ import annotations

from functools import partial
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from .errors import InputError
from .inputs import Inputs
from .layers import (
    Hook,
    as_tuple,
    checked_output,
    first_tensor,
    get_layer,
    never_called,
    observed,
    split_call,
)
from .out_of_memory import Halving
from .readouts import Readout, readout
from .strands import by_example, output_by_strand, strands, unwrapped


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
    """A layer that can be used: its output shape per example, its ``d``, and the model's shape.

    Of a tuple, the shape is that of its first tensor.
    """

    shape: tuple[int, ...]
    d: int
    output_shape: tuple[int, ...]


def list_layers(model: nn.Module, inputs: Tensor | Inputs) -> list[LayerInfo]:
    """Describe every named module below the root, from one forward pass.

    Args:
        model: the network.
        inputs: example inputs, n rows each; two rows are enough.

    Raises:
        InputError: the forward pass raises an error.
    """
    return next(Halving().run(partial(_listed, model), as_tuple(inputs)))


def _listed(model: nn.Module, inputs: Inputs) -> list[LayerInfo]:
    n = len(inputs[0])
    modules = {name: module for name, module in unwrapped(model).named_modules() if name}
    calls = dict.fromkeys(modules, 0)
    seen: dict[str, tuple[tuple[int, ...] | None, str]] = {}

    def recorder(name: str) -> Hook:
        def record(module: nn.Module, arguments: Any, output: Any) -> None:
            calls[name] += 1
            if name not in seen:
                seen[name] = _describe(model, output, n)

        return record

    with observed(model, [(module, recorder(name)) for name, module in modules.items()]):
        _forward(model, inputs)
    infos = []
    for name, module in modules.items():
        shape, kind = seen.get(name, (None, ""))
        d = None if shape is None else torch.Size(shape).numel()
        infos.append(LayerInfo(name, type(module).__name__, shape, d, calls[name], kind))
    return infos


def check_layer(
    model: nn.Module,
    layer: str,
    inputs: Tensor | Inputs,
    read: Readout | int | str | None = None,
    batch_size: int | None = None,
) -> LayerCheck:
    """Run the whole model and check that a layer and a readout of its output can be used.

    Args:
        model: the network.
        layer: the layer's name, see `layers.get_layer`.
        inputs: example inputs, n rows each.
        read: the readout that is to be explained, or its name; None checks none.
        batch_size: examples per pass; None: all.

    Raises:
        InputError: no such layer; never called, called several times and no call named, output
            without a tensor with n rows; NaN or infinity in the layer or the model's output, with
            the layer where they first appear; an output that the readout does not read; the
            forward pass raises.
    """
    # Without gradients two examples take less than one pair of them explained, and of a single
    # one it cannot be told which dimension is that of examples.
    halving = Halving(None if batch_size is None else max(2, batch_size))
    check = partial(_checked, model, layer, None if read is None else readout(read))
    first, *_ = halving.run(check, as_tuple(inputs))
    return first


def _checked(model: nn.Module, layer: str, read: Readout | None, inputs: Inputs) -> LayerCheck:
    n = len(inputs[0])
    found: list[tuple[Any, bool]] = []

    def record(module: nn.Module, arguments: Any, value: Any) -> None:
        # Looked at now: a later in-place operation may change the tensor.
        found.append((value, _finite(value)))

    with observed(model, [(get_layer(model, layer), record)]):
        result = _forward(model, inputs)
    name, call = split_call(layer)
    if len(found) < (call or 1):
        raise InputError(never_called(layer))
    if len(found) > 1 and call is None:
        raise InputError(
            f"layer {layer!r}: called {len(found)} times in one forward pass; say which call is"
            f" meant, {name}@1 to {name}@{len(found)}"
        )
    activations, finite = found[(call or 1) - 1]
    tensor = by_example(model, checked_output(model, layer, activations, n))
    if not finite or not _finite(result):
        where = "the model's output" if finite else f"layer {layer!r}"
        raise InputError(f"model: NaN or infinity in {where}, {_first_not_finite(model, inputs)}")
    if read is not None:
        _check_readout(model, read, result, n)
    output = first_tensor(result)
    shape = () if output is None else tuple(output.shape[1:])
    return LayerCheck(tuple(tensor.shape[1:]), tensor[0].numel(), shape)


def _check_readout(model: nn.Module, read: Readout, result: Any, n: int) -> None:
    found = len(read(result))
    if found != n * strands(model):
        both = " on both strands" if strands(model) == 2 else ""
        raise InputError(
            f"model: output {read.name!r} has {found} values for {n} examples{both}, expected one"
            " an example; examples must be in the first dimension of what the model returns"
        )


def _first_not_finite(model: nn.Module, inputs: Inputs) -> str:
    """Say where NaN or infinity first appears."""
    for index, tensor in enumerate(inputs):
        if not _finite(tensor):
            return f"already in input tensor {index}; check `inputs` and the tracks"
    first: list[str] = []

    def watcher(name: str) -> Hook:
        def watch(module: nn.Module, arguments: Any, output: Any) -> None:
            # An inner layer ends before the one around it, so the first to end is innermost.
            if not first and not _finite(output):
                first.append(f"first after layer {name!r} ({type(module).__name__})")

        return watch

    named = unwrapped(model).named_modules()
    layers = [(module, watcher(name)) for name, module in named if name]
    with observed(model, layers):
        output_by_strand(model, inputs)
    where = first[0] if first else "outside of every named layer"
    return f"{where}; check the weights and the input"


def _describe(model: nn.Module, output: Any, n: int) -> tuple[tuple[int, ...] | None, str]:
    """Return the shape without examples and the kind of output, as in `LayerInfo`."""
    tensor = first_tensor(output)
    kind = "tensor" if isinstance(output, Tensor) else type(output).__name__
    if tensor is None:
        return None, kind
    if tensor.ndim == 0 or len(tensor) != n * strands(model):
        return tuple(tensor.shape), "not by example" if kind == "tensor" else kind
    return tuple(by_example(model, tensor).shape[1:]), kind


def _finite(output: Any) -> bool:
    tensor = first_tensor(output)
    return tensor is None or bool(torch.isfinite(tensor).all())


def _forward(model: nn.Module, inputs: Inputs) -> Any:
    try:
        return output_by_strand(model, inputs)
    except (InputError, torch.OutOfMemoryError):
        raise  # the latter for `Halving`
    except Exception as error:
        shapes = ", ".join(str(tuple(tensor.shape)) for tensor in inputs)
        reason = (str(error).splitlines() or [""])[0]
        raise InputError(
            f"model: forward pass on inputs of shape {shapes} raised {type(error).__name__}:"
            f" {reason}; check `window`, `inputs` and the factory"
        ) from error
