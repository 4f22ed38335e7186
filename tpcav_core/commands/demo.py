"""``python -m tpcav_core demo``: simulate a genome, train a network on it, write the truth."""

from __future__ import annotations

import argparse
import json
import logging
import time
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
#: of the sequence between the sites, which bring CpG with them (0.26 in all, as in human DNA)
CPG = 0.12


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--motifs", required=True, help="MEME file")
    parser.add_argument("--roles", required=True, help="table: motif, role, strength")
    parser.add_argument("--seed", type=int, default=1, help="of all random choices")
    parser.add_argument("--epochs", type=int, default=training.EPOCHS, help="of training")
    parser.add_argument("--output", required=True, help="folder of the data")


def run(arguments: argparse.Namespace) -> None:
    folder = Path(arguments.output)
    roles = simulation.read_roles(arguments.roles, read_meme(arguments.motifs))
    simulated = simulation.simulate(roles, genome.Shape(cpg=CPG), model.WINDOW, arguments.seed)
    log.info("simulated %d windows of %d bp", len(simulated.label), model.WINDOW)
    codes = simulated.genome.windows(simulated.contig, simulated.start, model.WINDOW)
    held = simulated.contig == simulated.genome.index(HELD_OUT)
    begin = time.perf_counter()
    network = training.train(codes[~held], simulated.label[~held], arguments.seed, arguments.epochs)
    # Not into a file: the same seed gives the same bytes.
    log.info("trained for %d epochs in %.1f s", arguments.epochs, time.perf_counter() - begin)
    logits = training.predict(network, codes[held])
    facts = {
        "auroc_held_out": float(roc_auc_score(simulated.label[held], logits)),
        "auroc_best_possible": float(
            roc_auc_score(simulated.label[held], simulated.probability[held])
        ),
        "windows_trained": int((~held).sum()),
        "windows_held_out": int(held.sum()),
        "epochs": arguments.epochs,
    }
    log.info(
        "AUROC on %s: %.4f (best possible %.4f)",
        HELD_OUT,
        facts["auroc_held_out"],
        facts["auroc_best_possible"],
    )
    peaks = _choose_peaks(simulated, held, logits, arguments.seed)
    with files.atomic(folder / "genome.fa.gz") as path:
        genome.write_fasta(simulated.genome, simulated.masked, path)
    # Not by name: torch writes the name of a file into it, and this one is temporary.
    with files.atomic(folder / "weights.pt") as path, path.open("wb") as file:
        torch.save(dict(network.state_dict()), file)
    _write_peaks(simulated, peaks, folder / "peaks.bed")
    _write_truth(simulated, roles, folder / "truth.tsv")
    with files.atomic(folder / "training.json") as path:
        path.write_text(json.dumps(facts, indent=2) + "\n")


def _choose_peaks(
    simulated: Simulation, held: np.ndarray, logits: np.ndarray, seed: int
) -> np.ndarray:
    """Return held-out windows whose label is 1 and that the network is sure of, in their order."""
    confident = logits > np.log(CONFIDENT / (1 - CONFIDENT))
    peaks = np.flatnonzero(held)[simulated.label[held] & confident]
    if len(peaks) < N_PEAKS:
        raise InputError(
            f"only {len(peaks)} windows are called peaks, {N_PEAKS} are needed; train for more"
            " epochs (--epochs)"
        )
    return np.sort(generator(seed, "demo", "peaks").choice(peaks, N_PEAKS, replace=False))


def _write_peaks(simulated: Simulation, peaks: np.ndarray, path: Path) -> None:
    """Write windows as BED6."""
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
