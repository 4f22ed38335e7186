"""Time of the activation pass of tpcav_core, or of the bare network on the same batches.

The pass starts from recipes: it cuts windows, plants, makes one-hot tensors, runs the network up
to the layer, checks the values and hands over arrays. The bare network gets finished tensors.

One variant per process: in one process the variants change each other's times through the state
of the memory allocator (the same code takes 120,000 or 430,000 page faults), enough to make the
pass look faster than the network inside it.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import torch

from benchmarks.network import CtcfNetwork, load
from benchmarks.timing import alternate, report
from tpcav_core.activations import layer_activations, recipe_batches
from tpcav_core.concepts import Recipe
from tpcav_core.genome import Genome, read_genome
from tpcav_core.inputs import input_adapter
from tpcav_core.motifs import Motif, read_meme
from tpcav_core.planting import sample_sites
from tpcav_core.regions import available_starts, random_regions
from tpcav_core.seeds import generator
from tpcav_core.splits import block_length

LAYERS = ("conv_layer_2", "linear_layer_1")
WINDOW = 1024


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--fasta", type=Path, required=True)
    parser.add_argument("--meme", type=Path, required=True, help="the first motif is planted")
    parser.add_argument("--examples", type=int, default=1000)
    parser.add_argument("--copies", type=int, default=12)
    parser.add_argument("--batch-size", type=int, default=64)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--layer", choices=LAYERS, default=LAYERS[0])
    parser.add_argument("--what", choices=("pass", "bare_to", "bare_full"), required=True)
    arguments = parser.parse_args()

    network = load(arguments.data)
    genome = read_genome(arguments.fasta)
    motif = read_meme(arguments.meme)[0]
    recipe = make_recipe(genome, motif, arguments.examples, arguments.copies)
    adapt = input_adapter("one_hot")
    batches = [adapt(codes)[0] for codes in recipe_batches(recipe, genome, arguments.batch_size)]
    layer = arguments.layer
    check(network, layer, recipe, genome, arguments.batch_size, batches)
    functions: dict[str, Callable[[], None]] = {
        "pass": partial(full_pass, network, layer, recipe, genome, arguments.batch_size),
        "bare_to": partial(bare_to, network, layer, batches),
        "bare_full": partial(bare_full, network, batches),
    }
    what = arguments.what
    report(
        alternate({what: functions[what]}, arguments.runs),
        layer=layer,
        windows=arguments.examples,
        batch_size=arguments.batch_size,
        torch=torch.__version__,
        threads=torch.get_num_threads(),
    )


def make_recipe(genome: Genome, motif: Motif, n: int, copies: int) -> Recipe:
    """Return n random windows with sites planted."""
    rng = generator(0, "benchmark", "activations")
    starts, _ = available_starts(genome, WINDOW, block_length=block_length(WINDOW))
    regions = random_regions(starts, n, WINDOW, rng)
    sites = sample_sites(motif, n, copies, WINDOW, rng)
    return Recipe(regions, np.zeros(n, np.int16), sites)


def full_pass(
    network: CtcfNetwork, layer: str, recipe: Recipe, genome: Genome, batch_size: int
) -> None:
    """Run the pass of tpcav_core, letting go of each batch of activations."""
    for _ in layer_activations(
        network, layer, input_adapter("one_hot"), recipe_batches(recipe, genome, batch_size)
    ):
        pass


def bare_to(network: CtcfNetwork, layer: str, batches: list[torch.Tensor]) -> None:
    """Run the modules up to the layer on finished tensors."""
    with torch.no_grad():
        for batch in batches:
            network.up_to(layer, batch)


def bare_full(network: CtcfNetwork, batches: list[torch.Tensor]) -> None:
    """Run the whole network on finished tensors."""
    with torch.no_grad():
        for batch in batches:
            network(batch)


def check(
    network: CtcfNetwork,
    layer: str,
    recipe: Recipe,
    genome: Genome,
    batch_size: int,
    batches: list[torch.Tensor],
) -> None:
    """Stop if the pass and the bare network do not give the same activations."""
    adapt = input_adapter("one_hot")
    passed = layer_activations(network, layer, adapt, recipe_batches(recipe, genome, batch_size))
    for ours, batch in zip(passed, batches, strict=True):
        with torch.no_grad():
            bare = network.up_to(layer, batch).flatten(1).numpy()
        if not np.array_equal(ours, bare):
            raise SystemExit(f"{layer}: the pass and the bare network differ")


if __name__ == "__main__":
    main()
