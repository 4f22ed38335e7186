"""``python -m tpcav_core demo``: simulate a genome, train a network on it, write the truth."""

from __future__ import annotations

import argparse
import json
import logging
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from sklearn.metrics import roc_auc_score

from .. import files
from ..demo import genome, model, simulation, training
from ..demo.simulation import Role, Simulation
from ..errors import InputError
from ..motifs import read_meme
from ..seeds import generator

log = logging.getLogger("tpcav_core")
#: the contig that no training window comes from; the peaks are on it
HELD_OUT = "chr3"
#: windows that the network calls with more than this probability can be peaks
CONFIDENT = 0.9
N_PEAKS = 200


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--motifs", required=True, help="MEME file")
    parser.add_argument("--roles", required=True, help="table: motif, role, strength")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--epochs", type=int, default=training.EPOCHS)
    parser.add_argument("--output", required=True, help="folder of the data")


def run(arguments: argparse.Namespace) -> None:
    folder = Path(arguments.output)
    roles = simulation.read_roles(arguments.roles, read_meme(arguments.motifs))
    simulated = simulation.simulate(roles, genome.Shape(), model.WINDOW, arguments.seed)
    log.info("simulated %d windows of %d bp", len(simulated.label), model.WINDOW)
    codes = simulated.genome.windows(simulated.contig, simulated.start, model.WINDOW)
    held = simulated.contig == simulated.genome.index(HELD_OUT)
    network = training.train(codes[~held], simulated.label[~held], arguments.seed, arguments.epochs)
    logits = training.predict(network, codes[held])
    figures = {
        "auroc_held_out": float(roc_auc_score(simulated.label[held], logits)),
        "auroc_best_possible": float(
            roc_auc_score(simulated.label[held], simulated.probability[held])
        ),
        "windows_trained": int((~held).sum()),
        "windows_held_out": int(held.sum()),
        "epochs": arguments.epochs,
    }
    log.info("AUROC on %s: %s", HELD_OUT, figures)
    with files.atomic(folder / "genome.fa.gz") as path:
        genome.write_fasta(simulated.genome, simulated.masked, path)
    with files.atomic(folder / "weights.pt") as path:
        torch.save(network.state_dict(), path)
    _write_peaks(simulated, held, logits, arguments.seed, folder / "peaks.bed")
    _write_truth(simulated, roles, folder / "truth.tsv")
    with files.atomic(folder / "training.json") as path:
        path.write_text(json.dumps(figures, indent=2) + "\n")


def _write_peaks(
    simulated: Simulation, held: np.ndarray, logits: np.ndarray, seed: int, path: Path
) -> None:
    """Write held-out windows whose label is 1 and that the network is sure of, as BED6."""
    confident = logits > np.log(CONFIDENT / (1 - CONFIDENT))
    peaks = np.flatnonzero(held)[simulated.label[held] & confident]
    if len(peaks) < N_PEAKS:
        raise InputError(
            f"only {len(peaks)} windows are called peaks, {N_PEAKS} are needed; train for more"
            " epochs (--epochs)"
        )
    peaks = np.sort(generator(seed, "demo", "peaks").choice(peaks, N_PEAKS, replace=False))
    table = pd.DataFrame(
        {
            "chrom": np.array(simulated.genome.names)[simulated.contig[peaks]],
            "start": simulated.start[peaks],
            "end": simulated.start[peaks] + model.WINDOW,
            "name": [f"peak_{number}" for number in range(1, N_PEAKS + 1)],
            "score": 0,
            "strand": ".",
        }
    )
    with files.atomic(path) as temporary:
        table.to_csv(temporary, sep="\t", header=False, index=False)


def _write_truth(simulated: Simulation, roles: list[Role], path: Path) -> None:
    counts = np.bincount(simulated.sites.motif, minlength=len(roles))
    table = pd.DataFrame(
        {
            "motif": [role.motif.label for role in roles],
            "role": [role.role for role in roles],
            "strength": [role.strength for role in roles],
            "sites": counts,
        }
    )
    with files.atomic(path) as temporary:
        table.to_csv(temporary, sep="\t", index=False)
