"""Time and result of attributing regions with the published package; runs in its environment.

Basis and attributions are written to the working folder.
"""

from __future__ import annotations

import argparse
import json
import platform
import time
from importlib.metadata import version
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import torch
from torch import Tensor, nn
from tpcav import TPCAV

from benchmarks.network import load


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--codes", type=Path, required=True, help="sample, targets, baselines")
    parser.add_argument("--layer", required=True)
    parser.add_argument("--components", type=int, required=True)
    parser.add_argument("--batch-sizes", type=int, nargs="+", default=[8, 64])
    parser.add_argument("--runs", type=int, default=3)
    arguments = parser.parse_args()
    codes = dict(np.load(arguments.codes))
    model = load(arguments.data).requires_grad_(True)  # its hooks need gradients
    tpcav = TPCAV(model, layer_name=arguments.layer, device="cpu")
    sample = SimpleNamespace(name="sample", data_iter=batches(codes["sample"], 64))
    tpcav.fit_pca([sample], len(codes["sample"]), num_pc=arguments.components)
    seconds: dict[str, list[float]] = {}
    for size in arguments.batch_sizes:
        sides = [batches(codes[side], size) for side in ("targets", "baselines")]
        for _ in range(arguments.runs):
            begin, cpu = time.perf_counter(), time.process_time()
            found = tpcav.layer_attributions(*sides)
            seconds.setdefault(f"batch_{size}", []).append(time.perf_counter() - begin)
            seconds.setdefault(f"batch_{size}_cpu", []).append(time.process_time() - cpu)
    np.save("attributions.npy", found.detach().numpy())
    np.savez(
        "basis.npz",
        **{
            name: value.numpy()
            for name, value in tpcav.named_buffers()
            if value is not None and "." not in name
        },
    )
    about = {"tpcav": version("tpcav"), "python": platform.python_version()}
    print(json.dumps({"seconds": seconds, "about": about}))


def batches(codes: np.ndarray, size: int) -> list[tuple[Tensor]]:
    """Return one-hot sequences, some at a time, from codes (n, window) uint8."""
    numbers = torch.from_numpy(codes.astype(np.int64))
    one_hot = nn.functional.one_hot(numbers, 4).transpose(1, 2).float()
    return [(part,) for part in one_hot.split(size)]


if __name__ == "__main__":
    main()
