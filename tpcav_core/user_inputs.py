"""Examples of any kind: model inputs that a function of the user's yields.

The function is called as ``function(n=…, seed=…, **kwargs)`` and returns a tuple of tensors with n
rows each, or yields such tuples until there are n rows. With the same arguments it must give the
same values: it is called again wherever its examples are needed.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, NamedTuple

import torch

from .errors import InputError
from .imports import describe_error, load_object
from .inputs import Inputs


def user_inputs(call: str, batch_size: int, rows: int | None = None) -> Iterator[Inputs]:
    """Yield the examples of a call in batches.

    Args:
        call: JSON with ``function`` (a reference), ``n``, ``seed`` and ``kwargs``.
        batch_size: rows of a batch; the last may have fewer.
        rows: only the first rows; None: all n.

    Raises:
        InputError: no such function, it raises, yields something else than tuples of tensors of
            one kind, or fewer rows than n.
    """
    content = json.loads(call)
    label = f"function {content['function']!r}"
    wanted = content["n"] if rows is None else rows
    held: list[Inputs] = []
    count = 0
    for part in _parts(content, label):
        held.append(part)
        count += len(part[0])
        while count >= batch_size or (count >= wanted and wanted > 0):
            joined = _joined(held, label)
            size = min(batch_size, wanted)
            yield tuple(tensor[:size] for tensor in joined)
            held = [tuple(tensor[size:] for tensor in joined)]
            count -= size
            wanted -= size
            if wanted == 0:
                return
    total = content["n"] if rows is None else rows
    if wanted > 0:
        raise InputError(
            f"{label}: yielded {total - wanted + count} rows, expected {content['n']}; yield as"
            " many as `n` says, or lower examples.per_concept"
        )


class FunctionPairs(NamedTuple):
    """Targets and baselines that functions of the user's yield.

    Attributes:
        size: number of targets.
        targets: the call that yields them, see `user_inputs`.
        baselines: a call for each baseline of a target.
    """

    size: int
    targets: str
    baselines: tuple[str, ...]

    @property
    def per_target(self) -> int:
        """Number of baselines of each target."""
        return len(self.baselines)

    def batches(self, size: int, number: int = 0) -> Iterator[tuple[Inputs, Inputs]]:
        """Yield the inputs of ``size`` targets at a time, and those of one of their baselines."""
        sides = (user_inputs(call, size) for call in (self.targets, self.baselines[number]))
        yield from zip(*sides, strict=True)


def check_call(call: str) -> tuple[tuple[int, ...], ...]:
    """Run a call to its end; return the shapes of an example, one for each input.

    Raises:
        InputError: as `user_inputs`.
    """
    shapes = {
        tuple(tuple(tensor.shape[1:]) for tensor in batch) for batch in user_inputs(call, 256)
    }
    return next(iter(shapes))


def _parts(content: dict[str, Any], label: str) -> Iterator[Inputs]:
    function = load_object(content["function"], "function")
    if not callable(function):
        raise InputError(f"{label}: is a {type(function).__name__}, expected a function")
    try:
        result = function(n=content["n"], seed=content["seed"], **content["kwargs"])
        parts = iter([result]) if isinstance(result, tuple) else iter(result)
    except Exception as error:
        raise InputError(f"{label}: raised {describe_error(error)}") from error
    while True:
        try:
            part = next(parts)
        except StopIteration:
            return
        except Exception as error:
            raise InputError(f"{label}: raised {describe_error(error)}") from error
        yield _checked(part, label)


def _checked(part: Any, label: str) -> Inputs:
    if not isinstance(part, tuple) or not part or not all(torch.is_tensor(x) for x in part):
        kinds = [type(x).__name__ for x in part] if isinstance(part, tuple) else type(part).__name__
        raise InputError(
            f"{label}: yielded {kinds}, expected a tuple of tensors; yield (tensor,) for one input"
        )
    rows = {tuple(x.shape[:1]) for x in part}
    if len(rows) != 1 or rows == {()}:
        shapes = ", ".join(str(tuple(x.shape)) for x in part)
        raise InputError(
            f"{label}: yielded tensors of shapes {shapes}; expected as many rows in each"
        )
    return part


def _joined(parts: list[Inputs], label: str) -> Inputs:
    if len(parts) == 1:
        return parts[0]
    shapes = {tuple(tuple(x.shape[1:]) for x in part) for part in parts}
    if len(shapes) > 1:
        raise InputError(
            f"{label}: yielded examples of different shapes, {' and '.join(map(str, shapes))};"
            " expected one"
        )
    return tuple(torch.cat(tensors) for tensors in zip(*parts, strict=True))
