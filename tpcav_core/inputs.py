"""From sequence and signal to what a model is called with: arrays of n rows to tensors of n rows.

Row i of every tensor depends on row i of the arrays alone, whatever the batch. An ambiguous base is
all zeros in the one-hot forms and ``N`` in strings. Signal arrives complete: what a position
without data holds was settled by ``missing`` of the track, and adapters pass it on as it is.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from .errors import InputError, suggest
from .genome import decode
from .imports import describe_error, load_object
from .seeds import generator

Codes = NDArray[np.uint8]
Tracks = NDArray[Any] | None
#: what a model is called with: one tensor per argument, n rows each
Inputs = tuple[Tensor, ...]


class Adapter(Protocol):
    """Makes a model's inputs from sequences and, where the model has tracks, their signal."""

    def __call__(self, codes: Codes, tracks: Tracks = None) -> Inputs:
        """Take codes (n, L) uint8 and tracks (n, t, L) float32 or None."""


_CHANNELS = np.arange(4, dtype=np.uint8)
_ROWS = np.vstack([np.eye(4, dtype=np.float32), np.zeros((1, 4), dtype=np.float32)])


def one_hot(codes: Codes) -> Tensor:
    """Return the one-hot form (n, 4, L) float32 of codes (n, L); N is all zeros."""
    return torch.from_numpy((codes[:, None, :] == _CHANNELS[:, None]).astype(np.float32))


def one_hot_channels_last(codes: Codes) -> Tensor:
    """Return the one-hot form (n, L, 4) float32 of codes (n, L); N is all zeros."""
    return torch.from_numpy(_ROWS.take(codes, axis=0))


def sequences(codes: Codes) -> list[str]:
    """Return codes (n, L) as n strings of A, C, G, T and N."""
    n, length = codes.shape
    text = decode(codes.ravel())
    return [text[row * length : (row + 1) * length] for row in range(n)]


def example_codes(n: int, window: int, seed: int = 0) -> Codes:
    """Return n random sequences as codes (n, window), to try a model on."""
    return generator(seed, "inputs", "examples").integers(0, 4, (n, window), dtype=np.uint8)


def example_tracks(n: int, tracks: int, window: int, seed: int = 0) -> np.ndarray:
    """Return random signal (n, tracks, window) float32 of [0, 1), to try a model on."""
    rng = generator(seed, "inputs", "example signal")
    return rng.random((n, tracks, window), dtype=np.float32)


def input_adapter(name: str) -> Adapter:
    """Return the adapter that a model's ``inputs`` names.

    Args:
        name: one of

            - ``one_hot``: (n, 4, L) float32, channels A, C, G, T;
            - ``one_hot_channels_last``: (n, L, 4) float32;
            - ``one_hot_and_tracks``: two inputs, (n, 4, L) and the signal (n, t, L) float32;
            - ``one_hot_stacked_tracks``: one input (n, 4 + t, L) float32, bases first;
            - ``tokenizer:NAME_OR_FOLDER``: token ids and attention mask, each (n, m) int64, see
              `tpcav_core.tokenizers`;
            - ``path/to/file.py:function``, called as ``function(sequences, tracks=None)`` with n
              strings and tracks (n, t, L) or None. It returns a tuple of tensors with n rows each,
              which the model is called with; a row may not depend on the rows beside it.

    Returns:
        ``adapter(codes (n, L) uint8, tracks)``, a tuple of tensors on the CPU.

    Raises:
        InputError: no such adapter, function or tokenizer; when called: tracks are missing or not
            wanted, the function raises or returns anything else.
    """
    if name.startswith(_TOKENIZER):
        # tokenizers come from an optional package that takes seconds to import
        from .tokenizers import tokenizer_adapter

        return _without_tracks(name, tokenizer_adapter(name.removeprefix(_TOKENIZER)))
    if name in _SEQUENCE:
        encode = _SEQUENCE[name]
        return _without_tracks(name, lambda codes: (encode(codes),))
    if name in _WITH_TRACKS:
        return _with_tracks(name, _WITH_TRACKS[name])
    _check_is_function(name)
    function = load_object(name, "inputs")
    if not callable(function):
        raise InputError(f"inputs {name!r}: is a {type(function).__name__}, expected a function")
    return _custom(name, function)


def _check_is_function(name: str) -> None:
    if ":" not in name:
        names = [*_SEQUENCE, *_WITH_TRACKS]
        raise InputError(
            f"inputs {name!r}: expected {', '.join(names)}, {_TOKENIZER}NAME_OR_FOLDER or"
            f" path/to/file.py:function{suggest(name, names)}"
        )


def _one_hot_and_tracks(codes: Codes, tracks: Tensor) -> Inputs:
    return one_hot(codes), tracks


def _one_hot_stacked_tracks(codes: Codes, tracks: Tensor) -> Inputs:
    return (torch.cat([one_hot(codes), tracks], dim=1),)


_TOKENIZER = "tokenizer:"
_SEQUENCE: dict[str, Callable[[Codes], Tensor]] = {
    "one_hot": one_hot,
    "one_hot_channels_last": one_hot_channels_last,
}
_WITH_TRACKS: dict[str, Callable[[Codes, Tensor], Inputs]] = {
    "one_hot_and_tracks": _one_hot_and_tracks,
    "one_hot_stacked_tracks": _one_hot_stacked_tracks,
}


def _without_tracks(name: str, encode: Callable[[Codes], Inputs]) -> Adapter:
    def adapter(codes: Codes, tracks: Tracks = None) -> Inputs:
        if tracks is not None:
            raise InputError(
                f"inputs {name!r}: takes no tracks; set inputs to {', '.join(_WITH_TRACKS)} or"
                " path/to/file.py:function that takes sequences and tracks"
            )
        return encode(codes)

    return adapter


def _with_tracks(name: str, encode: Callable[[Codes, Tensor], Inputs]) -> Adapter:
    def adapter(codes: Codes, tracks: Tracks = None) -> Inputs:
        if tracks is None:
            raise InputError(
                f"inputs {name!r}: needs tracks and got none; list them in `tracks` of the model"
            )
        n, length = codes.shape
        if tracks.ndim != 3 or (len(tracks), tracks.shape[2]) != (n, length):
            raise InputError(
                f"inputs {name!r}: tracks have shape {tracks.shape}, expected"
                f" ({n}, tracks, {length}) for {n} sequences of {length} bases; cut both from the"
                " same regions"
            )
        # a copy: the array may be read-only, and a model may change its inputs in place
        return encode(codes, torch.from_numpy(np.array(tracks, dtype=np.float32)))

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
