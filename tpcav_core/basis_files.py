"""The files of the basis: scaling (parquet) and principal components (torch)."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

import pyarrow as pa

from . import basis, files, vectors


def write_scaling(
    scaling: basis.Scaling, path: str | os.PathLike[str], parameters: Mapping[str, Any]
) -> None:
    """Write mean and standard deviation; ``parameters`` say what they were made from."""
    table = pa.table({"mean": scaling.mean, "std": scaling.std})
    files.write_parquet(table, path, "scaling", parameters)


def read_scaling(path: str | os.PathLike[str]) -> basis.Scaling:
    """Read what `write_scaling` wrote.

    Raises:
        InputError: for a file of another kind or format.
    """
    table = files.read_parquet(path, "scaling")
    return basis.Scaling(vectors.numbers(table["mean"]), vectors.numbers(table["std"]))


def write_components(
    components: basis.Components, path: str | os.PathLike[str], parameters: Mapping[str, Any]
) -> None:
    """Write principal components; ``parameters`` say what they were made from."""
    import torch

    content = {
        "vectors": torch.from_numpy(components.vectors),
        "variances": torch.from_numpy(components.variances.copy()),
        "total_variance": components.total_variance,
    }
    files.save_tensors(content, path, "components", parameters)


def read_components(path: str | os.PathLike[str]) -> basis.Components:
    """Read what `write_components` wrote.

    Raises:
        InputError: for a file of another kind or format.
    """
    content = files.load_tensors(path, "components")
    return basis.Components(
        content["vectors"].numpy(), content["variances"].numpy(), content["total_variance"]
    )
