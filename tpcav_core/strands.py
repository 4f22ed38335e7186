"""Averaging a model over both strands: f̄(x) = (f(x) + f(rc x)) / 2, rc the reverse complement.

f is what is read from the model's output, one number an example (`readouts`): the outputs
themselves may have positions, which run the other way on the other strand.
The model is called once, on rows x₁, rc x₁, x₂, rc x₂, … . Rows of one example stay together, so
that whatever splits a batch in two (DeepLIFT: inputs, then baselines) still splits between
examples. At a layer an example has both rows' values, those of the forward strand first: f̄ is a
function of these 2d values, and multipliers at the layer are complete for it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from .errors import InputError


def _flip_both(one_hot: Tensor) -> Tensor:
    """Reverse positions and channels; in the order ACGT, the latter is the complement."""
    return one_hot.flip(1, 2)


def _flip_positions(tracks: Tensor) -> Tensor:
    return tracks.flip(2)


def _flip_stacked(stacked: Tensor) -> Tensor:
    return torch.cat([_flip_both(stacked[:, :4]), _flip_positions(stacked[:, 4:])], dim=1)


class _Input(NamedTuple):
    """One input of a model: how it is reversed, and what tells that it is what it should be."""

    reverse: Callable[[Tensor], Tensor]
    shape: str
    fits: Callable[[torch.Size], bool]


_ONE_HOT = _Input(_flip_both, "(n, 4, window)", lambda shape: shape[1] == 4)
_TRACKS = _Input(_flip_positions, "(n, tracks, window)", lambda shape: True)
_INPUTS: dict[str, tuple[_Input, ...]] = {
    "one_hot": (_ONE_HOT,),
    "one_hot_channels_last": (_Input(_flip_both, "(n, window, 4)", lambda shape: shape[2] == 4),),
    "one_hot_and_tracks": (_ONE_HOT, _TRACKS),
    "one_hot_stacked_tracks": (
        _Input(_flip_stacked, "(n, 4 + tracks, window)", lambda shape: shape[1] >= 4),
    ),
}


def check_reversible(inputs: str) -> None:
    """Raise `InputError` for an input adapter whose reverse complement is not known."""
    if inputs not in _INPUTS:
        raise InputError(
            f"model: reverse_complement is for inputs {', '.join(_INPUTS)}, found {inputs!r};"
            " set reverse_complement to false, or average in a module that the factory returns"
        )


def reverse_complement(inputs: str, tensors: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    """Return a model's inputs for the other strand.

    Args:
        inputs: name of the adapter that made the tensors.
        tensors: what the model is called with, n rows each. Signal is reversed along positions;
            tracks keep their order, as signal that belongs to no strand.

    Raises:
        InputError: an adapter whose reverse complement is not known, or tensors of another number
            or shape than it makes.
    """
    check_reversible(inputs)
    expected = _INPUTS[inputs]
    if len(tensors) != len(expected) or not all(
        tensor.ndim == 3 and one.fits(tensor.shape)
        for one, tensor in zip(expected, tensors, strict=True)
    ):
        found = ", ".join(str(tuple(tensor.shape)) for tensor in tensors)
        raise InputError(
            f"model: inputs have shapes {found}, expected those of {inputs!r} to take the reverse"
            f" complement, {', '.join(one.shape for one in expected)}; correct `inputs`"
        )
    return tuple(one.reverse(tensor) for one, tensor in zip(expected, tensors, strict=True))


class Wrapper(nn.Module):
    """A module around another one, ``model``, whose layers the user names as they are in it."""

    model: nn.Module


class StrandAverage(Wrapper):
    """A model of sequences, called on both strands of each.

    Layers go by their names in the wrapped model; see `tpcav_core.layers`.

    Attributes:
        model: the wrapped model.
        inputs: name of the adapter that makes its inputs.

    Raises:
        InputError: an adapter whose reverse complement is not known; when called: the model's
            output does not have a row for each of its inputs.
    """

    def __init__(self, model: nn.Module, inputs: str) -> None:
        super().__init__()
        check_reversible(inputs)
        self.model = model
        self.inputs = inputs
        self.training = model.training

    def forward(self, *tensors: Tensor, by_strand: bool = False) -> Any:
        """Return the mean (n, …) of the outputs for both strands, from n rows of each input.

        Args:
            tensors: what the wrapped model is called with.
            by_strand: return what the wrapped model does, of whatever type: 2n rows, the forward
                strand of each example first. An output with positions has no other use: its mean
                is of positions that are not the same.
        """
        n = len(tensors[0])
        other = reverse_complement(self.inputs, tensors)
        pairs = zip(tensors, other, strict=True)
        output: Any = self.model(*(torch.stack(pair, dim=1).flatten(0, 1) for pair in pairs))
        is_tensor = isinstance(output, Tensor)
        if is_tensor and (output.ndim == 0 or len(output) != 2 * n):
            raise _not_averaged(f"has shape {tuple(output.shape)}", n)
        if by_strand:
            return output
        if not is_tensor:
            raise _not_averaged(f"is a {type(output).__name__}", n)
        return output.reshape(n, 2, *output.shape[1:]).mean(dim=1)


def _not_averaged(found: str, n: int) -> InputError:
    return InputError(
        f"model: output {found} for both strands of {n} examples, expected a tensor with"
        f" {2 * n} rows; let the factory return a module that gives one"
    )


def output_by_strand(model: nn.Module, inputs: tuple[Tensor, ...]) -> Any:
    """Return what a model returns for n examples; with both strands, for 2n rows."""
    both = {"by_strand": True} if isinstance(model, StrandAverage) else {}
    return model(*inputs, **both)


def mean_over_strands(model: nn.Module, values: Tensor) -> Tensor:
    """Return the mean over strands, (n,), of what was read for each row of a model's output."""
    return values if strands(model) == 1 else by_example(model, values).mean(dim=1)


def unwrapped(model: nn.Module) -> nn.Module:
    """Return the module whose layers the user names: inside a `Wrapper`, else the model."""
    return unwrapped(model.model) if isinstance(model, Wrapper) else model


def strands(model: nn.Module) -> int:
    """Return how many rows an example has at the layers of a model: 1, or 2 with both strands."""
    return 2 if isinstance(model, StrandAverage) else 1


def by_example(model: nn.Module, output: Tensor) -> Tensor:
    """Return a layer's output with a row per example.

    Args:
        model: the model that the layer is of.
        output: (n, …), or (2n, …) with both strands.

    Returns:
        (n, …), or (n, 2, …), forward strand first.
    """
    rows = strands(model)
    return output if rows == 1 else output.reshape(len(output) // rows, rows, *output.shape[1:])


def as_rows(model: nn.Module, output: Tensor) -> Tensor:
    """Return a layer's output as (n, d), flattened, with both strands of an example in one row."""
    output = by_example(model, output)
    return output[:, None] if output.ndim == 1 else output.flatten(1)
