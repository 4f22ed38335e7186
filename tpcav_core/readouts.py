"""Readouts: the one number per example that is explained, from whatever a model returns.

A readout is named in the configuration by

- a number: a column of an output (n, columns), or 0 of an output (n,);
- ``sum`` or ``mean`` of all values of an output tensor;
- ``profile``: profile logits (n, …), of a tuple its first tensor, as the field reduces them (BPNet,
  Avsec et al. 2021): ``Σ softmax(l)·(l − mean l)`` over all positions and strands of an example,
  the softmax held fixed;
- ``counts``: the logarithm of counts (n,) or (n, 1), of a tuple its second tensor;
- ``path/to/file.py:function``: called with what the model returns, gives (n,).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from .errors import InputError, suggest
from .imports import describe_error, load_object
from .strands import by_example, mean_over_strands, output_by_strand, strands

NAMES = ("sum", "mean", "profile", "counts")
_REMEDY = "set output to profile, counts, sum, mean or path/to/file.py:function"


class Readout:
    """How a model's output becomes a value for each example.

    Attributes:
        name: as in the configuration.
    """

    def __init__(self, name: str, reduce: Callable[[Any, Tensor | None], Tensor]) -> None:
        self.name = name
        self._reduce = reduce

    @property
    def holds(self) -> bool:
        """Whether something of a target's result is held fixed, see `held`."""
        return self.name == "profile"

    def held(self, result: Any) -> Tensor | None:
        """Return what of a target's result is held fixed, also for its baseline: softmax weights.

        Args:
            result: what the model returns for n examples.

        Returns:
            (n, values) or None, where nothing is.
        """
        if not self.holds:
            return None
        return _profile(result).detach().softmax(dim=1)

    def __call__(self, result: Any, held: Tensor | None = None) -> Tensor:
        """Return the value of each example, (n,).

        Args:
            result: what the model returns for n examples.
            held: see `held`; None takes that of these examples.

        Raises:
            InputError: the result is not what this readout reads.
        """
        value = self._reduce(result, held)
        if not isinstance(value, Tensor) or value.ndim != 1:
            what = tuple(value.shape) if isinstance(value, Tensor) else type(value).__name__
            raise InputError(f"output {self.name!r}: gives {what}, expected one value an example")
        return value


def readout(name: Readout | int | str) -> Readout:
    """Return the readout that a name or number stands for; a readout is returned as it is.

    Raises:
        InputError: no such readout, or no such function.
    """
    if isinstance(name, Readout):
        return name
    if isinstance(name, int) or name.isdigit():
        return Readout(str(name), _column(int(name)))
    if name in _REDUCTIONS:
        return Readout(name, _REDUCTIONS[name])
    if ":" not in name:
        raise InputError(
            f"output {name!r}: expected a column from 0, {', '.join(NAMES)} or"
            f" path/to/file.py:function{suggest(name, NAMES)}"
        )
    function = load_object(name, "output")
    if not callable(function):
        raise InputError(f"output {name!r}: is a {type(function).__name__}, expected a function")

    def call(result: Any, held: Tensor | None) -> Tensor:
        try:
            value: Tensor = function(result)
        except Exception as error:
            raise InputError(f"output {name!r}: raised {describe_error(error)}") from error
        return value

    return Readout(name, call)


class Scalar(nn.Module):
    """A model and a readout of it: a value for each example, (n,), in float32.

    Of a model that is averaged over both strands, the mean of the readouts of both.
    """

    def __init__(self, model: nn.Module, readout: Readout) -> None:
        super().__init__()
        self.model = model
        self.readout = readout

    def forward(self, *inputs: Tensor, held: Tensor | None = None) -> Tensor:
        """Return (n,) from what the model is called with."""
        result = output_by_strand(self.model, inputs)
        if held is not None and strands(self.model) == 2:
            held = held.flatten(0, 1)
        return mean_over_strands(self.model, self.readout(result, held)).float()

    @torch.no_grad()
    def held(self, inputs: tuple[Tensor, ...]) -> Tensor | None:
        """Return what of these n targets is held fixed, n rows; None, without a pass, if nothing.

        Both strands of an example are in one row, so that rows can be taken as those of inputs.
        """
        if not self.readout.holds:
            return None
        held = self.readout.held(output_by_strand(self.model, inputs))
        return None if held is None else by_example(self.model, held)


def _column(column: int) -> Callable[[Any, Tensor | None], Tensor]:
    def take(result: Any, held: Tensor | None) -> Tensor:
        tensor = _tensor(result)
        if tensor.ndim == 1:
            tensor = tensor[:, None]
        if tensor.ndim != 2:
            raise InputError(
                f"model: output has shape {tuple(tensor.shape)}, expected (n, columns) or (n,) for"
                f" a column; {_REMEDY}"
            )
        if column >= tensor.shape[1]:
            raise InputError(
                f"model: no output column {column}, it has {tensor.shape[1]}; columns count from 0"
            )
        return tensor[:, column]

    return take


def _tensor(result: Any) -> Tensor:
    if isinstance(result, Tensor) and result.ndim > 0:
        return result
    one = isinstance(result, Tensor)
    found = "has shape ()" if one else f"is a {type(result).__name__}"
    raise InputError(f"model: output {found}, expected a tensor (n, columns) or (n,); {_REMEDY}")


def _element(result: Any, place: int, name: str) -> Tensor:
    """Return a tensor of a tuple or dict, by its place; the result itself if it is a tensor."""
    if isinstance(result, Tensor):
        return result
    values = list(result.values()) if isinstance(result, dict) else result
    values = list(values) if isinstance(values, (list, tuple)) else []
    if place < len(values) and isinstance(values[place], Tensor):
        found: Tensor = values[place]
        return found
    kinds = ", ".join(type(value).__name__ for value in values)
    what = type(result).__name__
    raise InputError(
        f"output {name!r}: the model returns {what} of ({kinds}), expected a tensor at place"
        f" {place + 1}; set output to path/to/file.py:function"
    )


def _profile(result: Any) -> Tensor:
    logits = _element(result, 0, "profile")
    if logits.ndim < 2:
        raise InputError(
            f"output 'profile': logits have shape {tuple(logits.shape)}, expected (n, …,"
            " positions); set output to a column or counts"
        )
    return logits.flatten(1)


def _profile_value(result: Any, held: Tensor | None) -> Tensor:
    logits = _profile(result)
    held = logits.detach().softmax(dim=1) if held is None else held
    return (held * (logits - logits.mean(dim=1, keepdim=True))).sum(dim=1)


def _counts(result: Any, held: Tensor | None) -> Tensor:
    counts = _element(result, 1, "counts")
    counts = counts.flatten(1) if counts.ndim > 1 else counts[:, None]
    if counts.shape[1] != 1:
        raise InputError(
            f"output 'counts': {counts.shape[1]} values an example, expected 1; set output to"
            " path/to/file.py:function that joins them"
        )
    return counts[:, 0]


_REDUCTIONS: dict[str, Callable[[Any, Tensor | None], Tensor]] = {
    "sum": lambda result, held: _tensor(result).reshape(len(result), -1).sum(dim=1),
    "mean": lambda result, held: _tensor(result).reshape(len(result), -1).mean(dim=1),
    "profile": _profile_value,
    "counts": _counts,
}
