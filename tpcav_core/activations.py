"""One forward pass, stopped at the layer: what the layer makes of each example.

Activations do not depend on the basis: the same pass serves the standardisation, the principal
components and every CAV.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence

import numpy as np
import pyarrow as pa
import torch

from . import vectors
from .concepts import Recipe, realise
from .errors import InputError
from .genome import Genome
from .inputs import Inputs
from .layers import layer_output

Adapter = Callable[[np.ndarray], Inputs]


def layer_activations(
    model: torch.nn.Module,
    layer: str,
    adapt: Adapter,
    codes: Iterable[np.ndarray],
    *,
    device: torch.device | str = "cpu",
) -> Iterator[np.ndarray]:
    """Yield the activations of batches of sequences at a layer.

    Args:
        model: the network, on ``device``.
        layer: name of a module in it.
        adapt: makes the model's inputs from (n, L) uint8 codes.
        codes: batches of (n, L) uint8 codes.
        device: where the model is.

    Yields:
        (n, d) float32, flattened, unstandardised.

    Raises:
        InputError: if an activation is not finite.
    """
    for batch in codes:
        inputs = tuple(tensor.to(device) for tensor in adapt(batch))
        output = layer_output(model, layer, inputs)
        # the sum is finite if all values are (unless it overflows), and costs a fifth of the check
        if not bool(output.sum().isfinite()) and not bool(output.isfinite().all()):
            raise InputError(
                f"layer {layer!r} gives NaN or infinite activations for some examples; check the"
                " weights and the model's inputs"
            )
        yield output.float().cpu().numpy()


def recipe_batches(recipe: Recipe, genome: Genome, batch_size: int) -> Iterator[np.ndarray]:
    """Yield the sequences of a recipe, (b, window) uint8 codes, ``batch_size`` at a time."""
    for first in range(0, len(recipe.folds), batch_size):
        yield realise(recipe, genome, slice(first, first + batch_size))


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
            ("example", pa.int32()),
            ("fold", pa.int16()),
            ("activation", vectors.vector_type(d)),
        ]
    )


def to_table(concept: str, variant: str, folds: np.ndarray, activations: np.ndarray) -> pa.Table:
    """Return the activations (n, d) float32 of one variant of one concept as a table."""
    n, d = activations.shape
    constant = pa.array(np.zeros(n, np.int32))
    columns = [
        pa.DictionaryArray.from_arrays(constant, pa.array([concept])),
        pa.DictionaryArray.from_arrays(constant, pa.array([variant])),
        np.arange(n, dtype=np.int32),
        folds.astype(np.int16),
        vectors.to_column(activations),
    ]
    return pa.table(columns, schema=schema(d))
