"""``python -m tpcav_core modisco_files``: sequences and contributions as TF-MoDISco reads them."""

from __future__ import annotations

import argparse

import numpy as np

from .. import files
from ..errors import InputError
from ..inputs import one_hot
from .contribution_data import read_contributions
from .data import load_genome


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--genome", required=True, help="genome file of the `genome` step")
    parser.add_argument("--contributions", required=True, help="file of that step, torch")
    parser.add_argument("--sequences", required=True, help="one-hot sequences, .npz")
    parser.add_argument("--attributions", required=True, help="hypothetical contributions, .npz")


def run(arguments: argparse.Namespace) -> None:
    genome = load_genome(arguments.genome)
    result, regions = read_contributions(arguments.contributions, genome)
    if result.hypothetical is None:
        raise InputError(
            f"{arguments.contributions}: holds no hypothetical contributions; set hypothetical of"
            " the set to true"
        )
    length = result.contributions.shape[1]
    # in genome orientation, as the contributions are
    codes = genome.windows(regions.contig, regions.start, length)
    save_npz(arguments.sequences, one_hot(codes).numpy().astype(np.int8))
    save_npz(arguments.attributions, result.hypothetical)


def save_npz(path: str, array: np.ndarray) -> None:
    """Write one array, (n, 4, L), under the name that ``modisco motifs`` looks for."""
    with files.atomic(path) as temporary, temporary.open("wb") as file:
        np.savez_compressed(file, arr_0=array)
