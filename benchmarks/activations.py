"""Time of the activation pass of tpcav_core against the bare network on the same batches.

The pass starts from recipes: it cuts windows, plants, makes one-hot tensors, runs the network up
to the layer, checks the values and hands over arrays. The bare network gets finished tensors.

The two take turns batch by batch, in random order, and each batch gives one ratio: on a shared
machine the same code takes from one to five times as long a few seconds later, which makes ratios
of separately measured medians come out as low as 0.65, less than the network alone. The bare
network is also timed against itself: unless that ratio is 1, nothing here means anything.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.network import CtcfNetwork, load
from benchmarks.timing import report
from tpcav_core.activations import layer_activations, recipe_inputs
from tpcav_core.concepts import Recipe
from tpcav_core.genome import Genome, read_genome
from tpcav_core.inputs import Inputs, input_adapter
from tpcav_core.motifs import Motif, read_meme
from tpcav_core.planting import sample_sites
from tpcav_core.seeds import generator
from tpcav_core.splits import block_length
from tpcav_core.starts import available_starts, random_regions

LAYERS = ("conv_layer_2", "linear_layer_1")
WINDOW = 1024


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--fasta", type=Path, required=True)
    parser.add_argument("--meme", type=Path, required=True, help="the first motif is planted")
    parser.add_argument("--layer", choices=LAYERS, default=LAYERS[0])
    parser.add_argument("--batches", type=int, default=15)
    parser.add_argument("--copies", type=int, default=12)
    parser.add_argument("--batch-size", type=int, default=64)
    parser.add_argument("--runs", type=int, default=3, help="times over all batches")
    arguments = parser.parse_args()

    network = load(arguments.data)
    genome = read_genome(arguments.fasta)
    motif = read_meme(arguments.meme)[0]
    n = arguments.batches * arguments.batch_size
    recipe = make_recipe(genome, motif, n, arguments.copies)

    adapt = input_adapter("one_hot")

    def inputs() -> Iterator[Inputs]:
        return recipe_inputs(recipe, genome, adapt, arguments.batch_size)

    def passing() -> Iterator[np.ndarray]:
        return layer_activations(network, arguments.layer, inputs())

    tensors = [tensor for (tensor,) in inputs()]
    check(network, arguments.layer, passing(), tensors)
    turns(network, arguments.layer, passing, tensors, 1)
    report(
        turns(network, arguments.layer, passing, tensors, arguments.runs),
        layer=arguments.layer,
        batches=arguments.batches,
        batch_size=arguments.batch_size,
        torch=torch.__version__,
        threads=torch.get_num_threads(),
    )


def turns(
    network: CtcfNetwork,
    layer: str,
    passing: Callable[[], Iterator[np.ndarray]],
    tensors: list[torch.Tensor],
    runs: int,
) -> dict[str, list[float]]:
    """Return seconds for each batch of the pass, of the network, and of the network again."""
    rng = generator(0, "benchmark", "turns")
    seconds: dict[str, list[float]] = {}
    for _ in range(runs):
        activations = passing()
        for tensor in tensors:
            functions: dict[str, Callable[[], Any]] = {
                "pass": partial(next, activations),
                "bare_to": partial(bare_to, network, layer, tensor),
                "bare_to_again": partial(bare_to, network, layer, tensor),
                "bare_full": partial(bare_full, network, tensor),
            }
            for name in rng.permutation(list(functions)):
                begin = time.perf_counter()
                functions[name]()
                seconds.setdefault(str(name), []).append(time.perf_counter() - begin)
    return seconds


def make_recipe(genome: Genome, motif: Motif, n: int, copies: int) -> Recipe:
    """Return n random windows with sites planted."""
    rng = generator(0, "benchmark", "activations")
    starts, _ = available_starts(genome, WINDOW, block_length=block_length(WINDOW))
    regions = random_regions(starts, n, WINDOW, rng)
    sites = sample_sites(motif, n, copies, WINDOW, rng)
    return Recipe(regions, np.zeros(n, np.int16), sites)


def bare_to(network: CtcfNetwork, layer: str, tensor: torch.Tensor) -> torch.Tensor:
    """Run the modules up to the layer on a finished tensor."""
    with torch.no_grad():
        return network.up_to(layer, tensor)


def bare_full(network: CtcfNetwork, tensor: torch.Tensor) -> torch.Tensor:
    """Run the whole network on a finished tensor."""
    with torch.no_grad():
        output: torch.Tensor = network(tensor)
    return output


def check(
    network: CtcfNetwork,
    layer: str,
    activations: Iterator[np.ndarray],
    tensors: list[torch.Tensor],
) -> None:
    """Stop if the pass and the bare network do not give the same activations."""
    for passed, tensor in zip(activations, tensors, strict=True):
        if not np.array_equal(passed, bare_to(network, layer, tensor).flatten(1).numpy()):
            raise SystemExit(f"{layer}: the pass and the bare network differ")


if __name__ == "__main__":
    main()
