"""The whole study with the published package, end to end; runs in its environment.

Its ``run_tpcav`` makes concepts, basis and CAVs; then target regions are attributed and scored.
With ``--fresh`` its classifiers are tested on examples that neither side has seen.
"""

from __future__ import annotations

import argparse
import json
import platform
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import torch
from pyfaidx import Fasta
from tpcav import cavs, helper

from benchmarks.fresh import f1_scores, short
from benchmarks.network import load

COUNTS = (12, 24, 36)
WINDOW = 1024
BATCH = 8
WORK = Path("classifiers")


def keep_classifiers() -> None:
    """Have each classifier written to the working folder, also by processes the package starts.

    The package keeps the weights and drops the intercepts, without which nothing can be classified.
    """
    fit = cavs._SGDWrapper.fit

    def fit_and_keep(self: Any, rows: np.ndarray, labels: np.ndarray) -> None:
        fit(self, rows, labels)
        WORK.mkdir(exist_ok=True)
        np.savez(WORK / f"{time.time_ns()}.npz", w=self.lm.coef_[0], b=self.lm.intercept_[0])

    cavs._SGDWrapper.fit = fit_and_keep


keep_classifiers()  # here, because processes it starts import this file and run no `main`


def main() -> None:
    arguments = parse()
    model = load(arguments.data).requires_grad_(True)  # its hooks need gradients
    begin = time.perf_counter()
    _, trainers, _ = cavs.run_tpcav(
        model,
        str(arguments.meme),
        str(arguments.fasta),
        num_motif_insertions=list(COUNTS),
        layer_name=arguments.layer,
        output_dir="published",
        num_samples_for_cav=arguments.examples,
        input_window_length=WINDOW,
        batch_size=BATCH,
        p=arguments.processes,
        save_cav_trainer=False,
        generate_html_report=False,
        device="cpu",
    )
    trained = time.perf_counter()
    tpcav = next(iter(trainers.values())).tpcav
    attributions = attribute(tpcav, arguments)
    attributed = time.perf_counter()
    scores = {
        count: trainer.tpcav_score_all_concepts_log_ratio(attributions)
        for count, trainer in trainers.items()
    }
    end = time.perf_counter()
    seconds = {
        "total": [end - begin],
        "concepts_basis_cavs": [trained - begin],
        "attributions": [attributed - trained],
        "scores": [end - attributed],
    }
    about = {
        "tpcav": version("tpcav"),
        "python": platform.python_version(),
        "processes": arguments.processes,
        "regions": len(attributions),
        "log_ratios": scores,
        "own_f": {count: trainer.cav_fscores for count, trainer in trainers.items()},
        "fresh_f1": test(tpcav, trainers, arguments.fresh),
    }
    print(json.dumps({"seconds": seconds, "about": about}, default=float))


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--fasta", type=Path, required=True, help="plain FASTA to train on")
    parser.add_argument("--whole", type=Path, required=True, help="plain FASTA of the targets")
    parser.add_argument("--meme", type=Path, required=True)
    parser.add_argument("--bed", type=Path, required=True, help="target regions")
    parser.add_argument("--targets", type=int, default=200)
    parser.add_argument("--layer", required=True)
    parser.add_argument("--examples", type=int, default=1000)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--fresh", type=Path, required=True, help="examples of `benchmarks.fresh`")
    return parser.parse_args()


def attribute(tpcav: Any, arguments: argparse.Namespace) -> torch.Tensor:
    """Attribute the first target regions against as many random windows."""
    lines = [line.split() for line in arguments.bed.read_text().splitlines()]
    starts = [(int(first) + int(last)) // 2 - WINDOW // 2 for _, first, last, *_ in lines]
    starts = starts[: arguments.targets]
    with Fasta(arguments.whole, as_raw=True, sequence_always_upper=True) as fasta:
        (contig,) = fasta.keys()
        rng = np.random.default_rng(0)
        others = rng.integers(60_000, len(fasta[contig]) - WINDOW, len(starts)).tolist()
        sides = [
            [fasta[contig][start : start + WINDOW] for start in places]
            for places in (starts, others)
        ]
    # it attributes whole batches only, so that 200 are 25 of 8
    batches = [
        [
            (helper.fasta_to_one_hot_sequences(side[first : first + BATCH]),)
            for first in range(0, len(side), BATCH)
        ]
        for side in sides
    ]
    attributions: torch.Tensor = tpcav.layer_attributions(*batches)
    return attributions


def test(tpcav: Any, trainers: dict[int, Any], fresh: Path) -> dict[str, list[float]]:
    """Return F1 on the fresh examples by count and motif."""
    kept = [dict(np.load(path)) for path in sorted(WORK.glob("*.npz"))]
    classifiers = {}
    for count, trainer in trainers.items():
        for name, weights in trainer.cav_weights.items():
            # the stored weights point to the concept, those of the classifier to the control
            (own,) = (one for one in kept if np.array_equal(-one["w"], weights.numpy()))
            classifiers[f"{count}-{short(name)}"] = (-own["w"][None], -own["b"][None])

    def embed(one_hot: torch.Tensor) -> np.ndarray:
        with torch.no_grad():
            residual, projected = tpcav.project_activations(tpcav._layer_output(one_hot))
        result: np.ndarray = torch.cat((projected, residual), dim=1).numpy()
        return result

    return f1_scores(fresh, embed, classifiers)


if __name__ == "__main__":
    main()
