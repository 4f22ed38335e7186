"""The published package on a network of known truth; runs in its environment.

Writes a table of motif, copies, its log ratio and the mean of what the log ratio counts.
"""

from __future__ import annotations

import argparse
import csv
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from tpcav import cavs

from benchmarks.truth.networks import NETWORKS

BATCH = 8


class FirstOutput(nn.Module):
    """The first of the two outputs: the package explains models with one."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, one_hot: Tensor) -> Tensor:
        """Return (n, 1)."""
        logits: Tensor = self.network(one_hot)
        return logits[:, :1]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="genome, motifs, targets")
    parser.add_argument("--network", required=True)
    parser.add_argument("--weights", type=Path, required=True)
    parser.add_argument("--layer", required=True)
    parser.add_argument("--copies", type=int, nargs="+", default=[4])
    parser.add_argument("--examples", type=int, default=400)
    parser.add_argument("--window", type=int, default=512)
    parser.add_argument("--output", type=Path, required=True)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    np.random.seed(0)  # the package draws from it
    network = NETWORKS[arguments.network]()
    network.load_state_dict(torch.load(arguments.weights, weights_only=True))
    model = FirstOutput(network).eval().requires_grad_(True)  # its hooks need gradients
    _, trainers, _ = cavs.run_tpcav(
        model,
        str(arguments.data / "motifs.meme"),
        str(arguments.data / "genome.fa"),
        num_motif_insertions=arguments.copies,
        layer_name=f"network.{arguments.layer}",
        output_dir="published",
        num_samples_for_cav=arguments.examples,
        input_window_length=arguments.window,
        batch_size=BATCH,
        p=1,
        save_cav_trainer=False,
        generate_html_report=False,
        device="cpu",
    )
    tpcav = next(iter(trainers.values())).tpcav
    attributions = tpcav.layer_attributions(
        *(batches(arguments.data / f"{side}.npy") for side in ("targets", "baselines"))
    )
    rows = []
    for copies, trainer in trainers.items():
        ratios = trainer.tpcav_score_all_concepts_log_ratio(attributions)
        flat = attributions.flatten(1).double()
        for name, ratio in ratios.items():
            weights = trainer.cav_weights[name].flatten().double()
            rows.append((name, copies, float(ratio), float((flat @ weights).mean())))
    with arguments.output.open("w", newline="") as file:
        csv.writer(file).writerows([("concept", "copies", "log_ratio", "mean"), *rows])


def batches(path: Path) -> list[tuple[Tensor]]:
    """Return one-hot sequences, 8 at a time, from codes (n, window) uint8."""
    codes = torch.from_numpy(np.load(path).astype(np.int64)).clamp(max=3)
    one_hot = nn.functional.one_hot(codes, 4).transpose(1, 2).float()
    return [(part,) for part in one_hot.split(BATCH)]


if __name__ == "__main__":
    main()
