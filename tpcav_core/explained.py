"""What is explained: the outputs of each model, and targets once for each of them.

A model with one unnamed output has its targets under their own names. One whose outputs have names
has each target once for each: ``peaks.counts`` is target ``peaks``, output ``counts``. The dot
cannot be part of either name.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

UNNAMED = ""


def named_outputs(output: Any) -> dict[str, int | str]:
    """Return a model's outputs by name; a single one is `UNNAMED`.

    Args:
        output: as in the configuration, see `readouts`.
    """
    if isinstance(output, Mapping):
        return dict(output)
    return {UNNAMED: output}


def explained(targets: Iterable[str], output: Any) -> dict[str, tuple[str, str]]:
    """Return target and name of the output by the name under which the two are in the tables."""
    return {
        f"{target}.{name}" if name else target: (target, name)
        for target in targets
        for name in named_outputs(output)
    }


def output_of(name: str) -> str:
    """Return the name of the output of a target as it is in the tables."""
    return name.partition(".")[2]
