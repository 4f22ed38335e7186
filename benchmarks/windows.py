"""Time to make the windows of one concept with tpcav_core, from nothing to base codes.

Every run draws new regions (split into folds), new sites and new bases, cuts the windows and
plants. Reading the genome and finding the acceptable positions happen once for all concepts.
"""

from __future__ import annotations

import argparse
import time
from itertools import count
from pathlib import Path

import numpy as np

from benchmarks.timing import alternate, report
from tpcav_core.concepts import Recipe, realise
from tpcav_core.genome import read_genome
from tpcav_core.inputs import one_hot
from tpcav_core.motifs import read_meme
from tpcav_core.planting import sample_sites
from tpcav_core.seeds import generator
from tpcav_core.splits import assign_folds, block_length, split_regions
from tpcav_core.starts import available_starts

TEST_FRACTION = 0.2


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--fasta", type=Path, required=True)
    parser.add_argument("--meme", type=Path, required=True, help="the first motif is planted")
    parser.add_argument("--window", type=int, default=1024)
    parser.add_argument("--examples", type=int, default=1000)
    parser.add_argument("--copies", type=int, default=12)
    parser.add_argument("--runs", type=int, default=20)
    arguments = parser.parse_args()
    n, window = arguments.examples, arguments.window

    begin = time.perf_counter()
    genome = read_genome(arguments.fasta)
    read = time.perf_counter()
    starts, _ = available_starts(genome, window, block_length=block_length(window))
    folds = assign_folds(starts, seed=0, test_fraction=TEST_FRACTION, folds=5)
    found = time.perf_counter()
    motif = read_meme(arguments.meme)[0]
    concepts = count()

    def make() -> np.ndarray:
        concept = next(concepts)
        regions, fold = split_regions(
            starts,
            folds,
            n,
            window,
            generator(0, "backgrounds", concept),
            test_fraction=TEST_FRACTION,
        )
        sites = sample_sites(motif, n, arguments.copies, window, generator(0, "sites", concept))
        return realise(Recipe(regions, fold, sites), genome)

    codes = make()
    if codes.shape != (n, window):
        raise SystemExit(f"made {codes.shape}, expected {(n, window)}")
    # One after the other: what one leaves in the memory allocator can change the other's time.
    seconds = alternate({"windows": make}, arguments.runs)
    seconds |= alternate({"one_hot": lambda: one_hot(codes)}, arguments.runs)
    report(
        {**seconds, "read_genome": [read - begin], "find_positions": [found - read]},
        motif=motif.label,
        windows=n,
        copies=arguments.copies,
    )


if __name__ == "__main__":
    main()
