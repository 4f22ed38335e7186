"""Going on with half of a batch where the GPU's memory is not enough for all of it."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from typing import TypeVar

import torch

from .errors import InputError
from .inputs import Inputs

log = logging.getLogger("tpcav_core")
Result = TypeVar("Result")


class Halving:
    """Runs a function on batches, in parts that fit; what did not fit is not tried again.

    Attributes:
        most: rows at a time, as given and from the first batch that did not fit; None: all.
    """

    def __init__(self, most: int | None = None) -> None:
        self.most = most

    def run(self, function: Callable[..., Result], *sides: Inputs) -> Iterator[Result]:
        """Yield what a function gives for a batch, in parts, in order.

        Args:
            function: takes the sides of a part; its result for a row must not depend on others.
            sides: tuples of tensors with n rows each.

        Raises:
            InputError: one row does not fit.
        """
        first, n = 0, len(sides[0][0])
        while first < n:
            size = min(self.most or n, n - first)
            part = [tuple(tensor[first : first + size] for tensor in side) for side in sides]
            try:
                result = function(*part)
            except torch.OutOfMemoryError:
                if size == 1:
                    raise InputError(
                        "out of GPU memory with one example at a time; take a GPU with more memory,"
                        " a shorter window, or device: cpu"
                    ) from None
                self.most = size // 2
                log.warning("out of GPU memory with %d examples, going on with %d", size, self.most)
                torch.cuda.empty_cache()
                continue
            yield result
            first += size
