"""From sequence to what a model is called with: codes (n, L) to a tuple of tensors."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from .errors import InputError, suggest
from .imports import describe_error, load_object
from .seeds import generator

Codes = NDArray[np.uint8]
Tracks = NDArray[Any] | None
#: what a model is called with: one tensor per argument, n rows each
Inputs = tuple[Tensor, ...]


class Adapter(Protocol):
    """Makes a model's inputs from sequences."""

    def __call__(self, codes: Codes, tracks: Tracks = None) -> Inputs:
        """Take codes (n, L) uint8 and tracks (n, tracks, L) or None."""


_CHANNELS = np.arange(4, dtype=np.uint8)
_ROWS = np.vstack([np.eye(4, dtype=np.float32), np.zeros((1, 4), dtype=np.float32)])
_LETTERS = np.frombuffer(b"ACGTN", dtype=np.uint8)


def one_hot(codes: Codes) -> Tensor:
    """Return the one-hot form (n, 4, L) float32 of codes (n, L); N is all zeros."""
    return torch.from_numpy((codes[:, None, :] == _CHANNELS[:, None]).astype(np.float32))


def one_hot_channels_last(codes: Codes) -> Tensor:
    """Return the one-hot form (n, L, 4) float32 of codes (n, L); N is all zeros."""
    return torch.from_numpy(_ROWS.take(codes, axis=0))


def sequences(codes: Codes) -> list[str]:
    """Return codes (n, L) as n strings of A, C, G, T and N."""
    n, length = codes.shape
    text = _LETTERS.take(codes).tobytes().decode("ascii")
    return [text[row * length : (row + 1) * length] for row in range(n)]


def example_codes(n: int, window: int, seed: int = 0) -> Codes:
    """Return n random sequences as codes (n, window), to try a model on."""
    return generator(seed, "inputs", "examples").integers(0, 4, (n, window), dtype=np.uint8)


def input_adapter(name: str) -> Adapter:
    """Return the adapter that a model's ``inputs`` names.

    Args:
        name: ``one_hot``, ``one_hot_channels_last`` or ``path/to/file.py:function``. The function
            is called as ``function(sequences, tracks=None)`` with n strings and tracks
            (n, tracks, L) or None, and returns a tuple of tensors with n rows each, which the
            model is called with.

    Returns:
        ``adapter(codes (n, L) uint8, tracks)``, a tuple of tensors on the CPU.

    Raises:
        InputError: no such adapter or function; when called: the function raises or returns
            anything else.
    """
    if name in _BUILT_IN:
        return _without_tracks(name, _BUILT_IN[name])
    if ":" not in name:
        raise InputError(
            f"inputs {name!r}: expected {', '.join(_BUILT_IN)} or path/to/file.py:function"
            f"{suggest(name, _BUILT_IN)}"
        )
    function = load_object(name, "inputs")
    if not callable(function):
        raise InputError(f"inputs {name!r}: is a {type(function).__name__}, expected a function")
    return _custom(name, function)


_BUILT_IN: dict[str, Callable[[Codes], Tensor]] = {
    "one_hot": one_hot,
    "one_hot_channels_last": one_hot_channels_last,
}


def _without_tracks(name: str, encode: Callable[[Codes], Tensor]) -> Adapter:
    def adapter(codes: Codes, tracks: Tracks = None) -> Inputs:
        if tracks is not None:
            raise InputError(
                f"inputs {name!r}: takes no tracks; set inputs to path/to/file.py:function that"
                " takes sequences and tracks"
            )
        return (encode(codes),)

    return adapter


def _custom(name: str, function: Callable[..., Any]) -> Adapter:
    def adapter(codes: Codes, tracks: Tracks = None) -> Inputs:
        try:
            tensors = function(sequences(codes), tracks=tracks)
        except Exception as error:
            raise InputError(f"inputs {name!r}: raised {describe_error(error)}") from error
        expected = f"expected a tuple of tensors with {len(codes)} rows"
        if not isinstance(tensors, tuple) or not tensors:
            what = "an empty tuple" if tensors == () else f"a {type(tensors).__name__}"
            raise InputError(f"inputs {name!r}: returned {what}, {expected}; return (tensor,)")
        for index, tensor in enumerate(tensors):
            if not isinstance(tensor, Tensor):
                raise InputError(
                    f"inputs {name!r}: element {index} is a {type(tensor).__name__}, {expected};"
                    " use torch.from_numpy or torch.tensor"
                )
            if tensor.ndim == 0 or len(tensor) != len(codes):
                raise InputError(
                    f"inputs {name!r}: element {index} has shape {tuple(tensor.shape)}, {expected};"
                    " keep every sequence, in order"
                )
        return tensors

    return adapter
