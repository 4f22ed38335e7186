"""All classifiers on the same examples: what a default is chosen by.

For each motif, at each planted count, every classifier is trained against three replicates of the
control, and tested on the fresh examples of `benchmarks.study`: F1, AUROC, the cosine between the
CAVs of the replicates, and seconds per CAV, with its share of the Gram matrices.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from statistics import mean
from typing import Any

import numpy as np
import torch
from sklearn.metrics import roc_auc_score
from threadpoolctl import threadpool_limits

from benchmarks.fresh import f1, one_hot, short
from benchmarks.network import load
from benchmarks.study import COUNTS, WINDOW
from tpcav_core.basis import Scaling, fit_scaling
from tpcav_core.classifiers import Classifier
from tpcav_core.commands.options import keep_freed_memory
from tpcav_core.directions import replicate_cosine
from tpcav_core.genome import read_genome
from tpcav_core.motifs import read_meme
from tpcav_core.planting import plant, sample_sites
from tpcav_core.sampling import draw_windows, window_sampling
from tpcav_core.seeds import generator
from tpcav_core.training import Examples, set_control, train_variant

KINDS = ("ridge", "svm", "logistic", "sgd", "pattern")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--work", type=Path, required=True, help="folder made by `study data`")
    parser.add_argument("--meme", type=Path, required=True)
    parser.add_argument("--layer", required=True)
    parser.add_argument("--counts", type=int, nargs="+", default=COUNTS)
    parser.add_argument("--kinds", nargs="+", default=KINDS)
    arguments = parser.parse_args()
    keep_freed_memory()
    torch.set_num_threads(2)
    scene = Scene(arguments)
    rows = []
    for motif in read_meme(arguments.meme):
        codes, folds = scene.windows("concept", motif.label)
        for count in arguments.counts:
            rng = generator(1, "sites", motif.label, count)
            planted = plant(codes, sample_sites(motif, len(codes), count, WINDOW, rng))
            examples = Examples(scene.activations(planted), folds)
            name = f"{count}-{short(motif.label)}"
            rows += [
                {"name": name, **one} for one in scene.compare(name, examples, arguments.kinds)
            ]
    print_means(rows)
    print(json.dumps({"about": {"layer": arguments.layer}, "rows": rows}))


class Scene:
    """A layer of the network, its control, and the fresh examples of the control."""

    def __init__(self, arguments: argparse.Namespace) -> None:
        self.layer, self.network = arguments.layer, load(arguments.data)
        self.fresh = arguments.work / "fresh"
        self.genome = read_genome(arguments.work / "train.fa")
        self.sampling = window_sampling(self.genome, WINDOW, 1000, seed=1)
        sets = {str(number): self.windows("control", number) for number in range(3)}
        self.scaling = Scaling(np.zeros(1, np.float32), np.ones(1, np.float32))
        sample = [self.activations(codes[:100]) for codes, _ in sets.values()]
        self.scaling = fit_scaling(np.concatenate(sample))
        self.control = set_control(
            {
                name: Examples(self.activations(codes), folds)
                for name, (codes, folds) in sets.items()
            }
        )
        self.other = self.activations(np.load(self.fresh / "control.npy"))

    def windows(self, *purpose: str | int) -> tuple[np.ndarray, np.ndarray]:
        """Return base codes of random windows, and their folds."""
        regions, folds = draw_windows(self.sampling, *purpose)
        return self.genome.windows(regions.contig, regions.start, WINDOW, regions.strand), folds

    def activations(self, codes: np.ndarray) -> np.ndarray:
        """Return standardised activations (n, d) of base codes."""
        with torch.no_grad():
            parts = [
                self.scaling.apply(self.network.up_to(self.layer, batch).flatten(1).numpy())
                for batch in one_hot(codes, 64)
            ]
        return np.concatenate(parts)

    def compare(self, name: str, examples: Examples, kinds: list[str]) -> list[dict[str, Any]]:
        """Train and test every classifier."""
        own = self.activations(np.load(self.fresh / f"{name}.npy"))
        is_concept = np.arange(len(own) + len(self.other)) < len(own)
        rows = []
        for kind in kinds:
            begin = time.perf_counter()
            with threadpool_limits(2):
                cavs = train_variant((name, ""), examples, self.control, Classifier(kind))
            seconds = (time.perf_counter() - begin) / len(cavs)
            weights = np.stack([row["weights"] for row in cavs])
            intercepts = [row["intercept"] for row in cavs]
            sides = [part @ weights.T.astype(np.float32) + intercepts for part in (own, self.other)]
            decisions = np.concatenate(sides).T
            found = {
                "f1": float(f1(*sides).mean()),
                "auroc": mean(float(roc_auc_score(is_concept, row)) for row in decisions),
                "cosine": replicate_cosine(weights),
                "seconds": seconds,
            }
            rows.append({"kind": kind, **found})
        return rows


def print_means(rows: list[dict[str, Any]]) -> None:
    print("| classifier | F1 | AUROC | cosine | seconds a CAV |")
    print("|---|--:|--:|--:|--:|")
    for kind in dict.fromkeys(row["kind"] for row in rows):
        own = [row for row in rows if row["kind"] == kind]
        means = [mean(row[key] for row in own) for key in ("f1", "auroc", "cosine", "seconds")]
        print(f"| {kind} | {means[0]:.4f} | {means[1]:.4f} | {means[2]:.3f} | {means[3]:.3f} |")


if __name__ == "__main__":
    main()
