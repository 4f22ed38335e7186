"""The file of contributions, as the steps that write and read it do."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from .. import files
from ..contribution_values import Contributions
from ..errors import InputError
from ..genome import Genome
from ..regions import Regions


def read_regions(columns: dict[str, torch.Tensor]) -> Regions:
    """Return regions from the columns of a torch file."""
    return Regions(*(columns[name].numpy() for name in Regions._fields))


def save_contributions(
    result: Contributions, content: dict[str, Any], path: str, parameters: dict[str, Any]
) -> None:
    """Write the file; ``content`` has ``targets``, ``contigs`` and ``method``."""
    arrays = {
        name: torch.from_numpy(np.ascontiguousarray(value))
        for name, value in result._asdict().items()
        if value is not None
    }
    files.save_tensors(arrays | content, path, "contributions", parameters)


def read_contributions(path: str, genome: Genome) -> tuple[Contributions, Regions]:
    """Read the file: contributions and target regions."""
    content = files.load_tensors(path, "contributions")
    if content["contigs"] != list(genome.names):
        raise InputError(f"{path}: made with another genome; delete it and run the workflow again")
    arrays: dict[str, Any] = {
        name: content[name].numpy() if name in content else None for name in Contributions._fields
    }
    return Contributions(**arrays), read_regions(content["targets"])
