"""Numbers of the published package for a small network; runs in its environment.

    python -m benchmarks.published.reference --output tests/reference/attributions.npz

The file has the network's weights, sequences, basis and attributions; a test compares ours.
"""

from __future__ import annotations

import argparse
import warnings
from importlib.metadata import version
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import torch
from tpcav import TPCAV

from benchmarks.published.attributions import batches
from benchmarks.reference_network import LAYER, build


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", type=Path, required=True)
    arguments = parser.parse_args()
    torch.manual_seed(1)
    model = build().eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter *= 3  # changes large enough that dividing them in float32 is exact
    rng = np.random.default_rng(1)
    codes = {
        name: rng.integers(0, 4, (n, 40), dtype=np.uint8)
        for name, n in (("sample", 30), ("targets", 12), ("baselines", 12))
    }
    tpcav = TPCAV(model, layer_name=LAYER, device="cpu")
    sample = SimpleNamespace(name="sample", data_iter=batches(codes["sample"], 30))
    tpcav.fit_pca([sample], 30, num_pc=9)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = tpcav.layer_attributions(
            *(batches(codes[side], 4) for side in ("targets", "baselines"))
        )
    weights = {f"weights/{name}": value.numpy() for name, value in model.state_dict().items()}
    np.savez_compressed(
        arguments.output,
        **weights,
        **codes,
        mean=tpcav.zscore_mean.numpy().ravel(),
        std=tpcav.zscore_std.numpy().ravel(),
        components=tpcav.Vh.numpy().T,
        attributions=found.detach().numpy(),
        version=version("tpcav"),
    )


if __name__ == "__main__":
    main()
