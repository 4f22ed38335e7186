"""The variants of concepts that classifiers are trained on, as several steps read them.

Imports neither torch nor pandas, see `cavs`.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping
from functools import partial
from typing import NamedTuple

import numpy as np
import pyarrow.parquet as pq

from .. import files, grams, vectors
from ..basis import Scaling
from ..basis_files import read_scaling
from ..errors import InputError
from ..progress import Progress
from ..training import Control, Examples
from .gram import read_gram, standardised, standardised_rows


class Variant(NamedTuple):
    """A variant of a concept with its control.

    Attributes:
        concept: id.
        variant: of the concept.
        examples: n of them.
        control: its replicates.
        gc_change: mean GC content of the examples less that of the control; NaN where unknown.
    """

    concept: str
    variant: str
    examples: Examples
    control: Control
    gc_change: float


def add_variant_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of a step that trains on variants."""
    parser.add_argument("--activations", required=True, help="activations of concepts, parquet")
    parser.add_argument(
        "--controls",
        nargs="*",
        help="activations of the control that concepts share, parquet; none: each concept's own"
        " control is in --activations",
    )
    parser.add_argument("--gram", nargs="*", help="Gram matrices of the shared control, parquet")
    parser.add_argument("--scaling", required=True, help="file of the `scaling` step")
    parser.add_argument("--ids", nargs="+", help="only these concepts (default: all)")
    parser.add_argument("--classifier", default="{}", help="JSON: kind, norm, penalties")
    parser.add_argument("--seed", type=int, default=0, help="of all random choices")
    parser.add_argument("--threads", type=int, default=1, help="threads of linear algebra")


def variants(arguments: argparse.Namespace) -> Iterator[Variant]:
    """Yield the variants of the concepts that are asked for.

    Raises:
        InputError: for a concept that the file does not have.
    """
    scaling = read_scaling(arguments.scaling)
    file = files.open_parquet(arguments.activations, "activations")
    groups = vectors.groups(file)
    missing = set(arguments.ids or ()) - {name.concept for name in groups}
    if missing:
        raise InputError(f"{arguments.activations}: no concept {sorted(missing)[0]!r}; run again")
    shared = _shared_control(arguments, scaling)
    wanted = [
        name
        for name in groups
        if name.control is None and (not arguments.ids or name.concept in arguments.ids)
    ]
    progress = Progress("concepts and variants", len(wanted))
    for name in wanted:
        concept, variant, chosen = name.concept, name.variant, groups[name]
        control, gc = shared or _own_control(file, groups, concept, variant, scaling)
        examples = Examples(standardised(file, chosen, scaling), _folds(file, chosen))
        yield Variant(concept, variant, examples, control, _mean_gc(file, chosen) - gc)
        progress.add()


def _shared_control(
    arguments: argparse.Namespace, scaling: Scaling
) -> tuple[Control, float] | None:
    """Return the control that concepts share, and its mean GC content."""
    if not arguments.controls:
        return None
    file = files.open_parquet(arguments.controls[0], "activations")
    everything = list(range(file.num_row_groups))
    control = Control(
        rows=lambda: standardised_rows(file, everything, scaling),
        folds={name.variant: _folds(file, chosen) for name, chosen in vectors.groups(file).items()},
        gram=partial(read_gram, arguments.gram[0] if arguments.gram else ""),
    )
    return control, _mean_gc(file, everything)


def _own_control(
    file: pq.ParquetFile,
    groups: Mapping[vectors.Group, list[int]],
    concept: str,
    variant: str,
    scaling: Scaling,
) -> tuple[Control, float]:
    """Return the control that was made from the examples of a variant, and its mean GC content."""
    replicates = {
        name.control: chosen
        for name, chosen in groups.items()
        if name[:2] == (concept, variant) and name.control is not None
    }
    if not replicates:
        raise InputError(f"no control of concept {concept!r} among its activations; run again")
    everything = [index for chosen in replicates.values() for index in chosen]

    def gram(replicate: str) -> np.ndarray:
        z = standardised(file, replicates[replicate], scaling)
        return grams.inner_products(z, z)

    folds = {name: _folds(file, chosen) for name, chosen in replicates.items()}
    control = Control(lambda: standardised_rows(file, everything, scaling), folds, gram)
    return control, _mean_gc(file, everything)


def _mean_gc(file: pq.ParquetFile, chosen: list[int]) -> float:
    return float(vectors.numbers(file.read_row_groups(chosen, columns=["gc"])["gc"]).mean())


def _folds(file: pq.ParquetFile, chosen: list[int]) -> np.ndarray:
    return vectors.numbers(file.read_row_groups(chosen, columns=["fold"])["fold"])
