"""One forward pass, stopped at the layer: what the layer makes of each example.

Activations do not depend on the basis: the same pass serves the standardisation, the principal
components and every CAV.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import numpy as np
import pyarrow as pa
import torch

from . import vectors
from .composition import gc_content
from .concepts import Recipe, constant, realise, take
from .errors import InputError
from .genome import Genome
from .inputs import Adapter, Inputs
from .layers import layer_output
from .out_of_memory import Halving
from .tracks import Tracks
from .user_inputs import user_inputs


def layer_activations(
    model: torch.nn.Module,
    layer: str,
    batches: Iterable[Inputs],
    *,
    device: torch.device | str = "cpu",
) -> Iterator[np.ndarray]:
    """Yield the activations of batches of examples at a layer.

    Args:
        model: the network, on ``device``.
        layer: name of a module in it.
        batches: the model's inputs, see `recipe_inputs`.
        device: where the model is.

    Yields:
        (n, d) float32, flattened, unstandardised.

    Raises:
        InputError: if an activation is not finite.
    """
    halving = Halving()

    def run(batch: Inputs) -> np.ndarray:
        inputs = tuple(tensor.to(device) for tensor in batch)
        output = layer_output(model, layer, inputs)
        # the sum is finite if all values are (unless it overflows), and costs a fifth of the check
        if not bool(output.sum().isfinite()) and not bool(output.isfinite().all()):
            raise InputError(
                f"layer {layer!r} gives NaN or infinite activations for some examples; check the"
                " weights and the model's inputs"
            )
        return np.asarray(output.float().cpu().numpy())

    for batch in batches:
        yield from halving.run(run, batch)


def recipe_inputs(
    recipe: Recipe,
    genome: Genome | None,
    adapt: Adapter,
    batch_size: int,
    tracks: Tracks | None = None,
) -> Iterator[Inputs]:
    """Yield the model's inputs for the examples of a recipe, ``batch_size`` at a time.

    Args:
        recipe: n examples.
        genome: the genome; None if the examples are those of a function.
        adapt: makes the model's inputs from sequences and signal.
        batch_size: examples at a time.
        tracks: what the model takes of signal; read where the recipe says, by default at the
            windows of the sequences.

    Raises:
        InputError: the examples come from a genome, and there is none; the adapter, the tracks or
            the user's function cannot give the inputs.
    """
    n = len(recipe.folds)
    if recipe.call is not None:
        yield from user_inputs(recipe.call, batch_size, n)
        return
    if genome is None:
        raise InputError("the examples come from a genome, but none was given; set genome.fasta")
    for first in range(0, n, batch_size):
        part = take(recipe, slice(first, first + batch_size))
        codes = realise(part, genome)
        places = part.signal or part.regions
        if tracks is None or places is None:
            yield adapt(codes)
        else:
            yield adapt(codes, tracks.values(places))


def spread_sample(groups: Sequence[int], per_group: int, at_most: int) -> list[int]:
    """Return how many examples to take from each group for the basis.

    Args:
        groups: number of examples each group has.
        per_group: examples wanted from each.
        at_most: bound on all together. It is kept by taking fewer from each and, when there are
            more groups than ``at_most``, by taking one from each of ``at_most`` groups spread
            evenly over the list.
    """
    if len(groups) > at_most:
        taken = np.zeros(len(groups), int)
        taken[np.linspace(0, len(groups) - 1, at_most).round().astype(int)] = 1
        return [int(number) for number in taken]
    share = min(per_group, at_most // max(1, len(groups)))
    return [min(share, size) for size in groups]


def schema(d: int) -> pa.Schema:
    """Return the columns of a file of activations."""
    name = pa.dictionary(pa.int32(), pa.string())
    return pa.schema(
        [
            ("concept", name),
            ("variant", name),
            ("control", name),
            ("example", pa.int32()),
            ("fold", pa.int16()),
            ("gc", pa.float32()),
            ("activation", vectors.vector_type(d)),
        ]
    )


def recipe_gc(recipe: Recipe, genome: Genome | None) -> np.ndarray:
    """Return the GC content of the n examples of a recipe, (n,); NaN where there is no sequence."""
    if recipe.call is not None or genome is None:
        return np.full(len(recipe.folds), np.nan)
    return gc_content(realise(recipe, genome))


def to_table(
    group: vectors.Group,
    folds: np.ndarray,
    gc: np.ndarray,
    activations: np.ndarray,
    first: int = 0,
) -> pa.Table:
    """Return activations (n, d) float32 of a group of examples as a table.

    Args:
        group: whose examples they are.
        folds: (n,) int, their folds.
        gc: (n,) float, GC contents of their sequences.
        activations: of n consecutive examples.
        first: number of the first of them within the group.
    """
    n, d = activations.shape
    columns = [
        *(constant(name, n) for name in group),
        np.arange(first, first + n, dtype=np.int32),
        folds.astype(np.int16),
        gc.astype(np.float32),
        vectors.to_column(activations),
    ]
    return pa.table(columns, schema=schema(d))
