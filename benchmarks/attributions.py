"""Attributing regions at a layer against the published package: same regions, same basis.

In one run: theirs in its environment, then ours, with their basis, so that the two can be compared
value by value.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
from pathlib import Path

import numpy as np
import torch

from benchmarks.measuring import ROOT
from benchmarks.network import load
from benchmarks.timing import alternate, report
from tpcav_core.attributions import Attribution, attribute, concatenate
from tpcav_core.basis import Scaling
from tpcav_core.inputs import one_hot
from tpcav_core.scores import embedded_attributions
from tpcav_core.seeds import generator

WINDOW = 1024


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--layer", required=True)
    parser.add_argument("--published", type=Path, required=True, help="its interpreter")
    parser.add_argument("--regions", type=int, default=200)
    parser.add_argument("--components", type=int, default=80, help="as many samples: all of them")
    parser.add_argument("--batch-size", type=int, default=64)
    parser.add_argument("--runs", type=int, default=3)
    arguments = parser.parse_args()
    torch.set_num_threads(2)
    rng = generator(0, "benchmark", "attributions")
    numbers = {
        "sample": arguments.components,
        "targets": arguments.regions,
        "baselines": arguments.regions,
    }
    codes = {name: rng.integers(0, 4, (n, WINDOW), dtype=np.uint8) for name, n in numbers.items()}
    np.savez("codes.npz", **codes)
    done = subprocess.run(
        [
            *(str(arguments.published), "-m", "benchmarks.published.attributions"),
            *(f"--data={arguments.data}", "--codes=codes.npz", f"--layer={arguments.layer}"),
            *(f"--components={arguments.components}", f"--runs={arguments.runs}"),
        ],
        stdout=subprocess.PIPE,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    theirs = json.loads(done.stdout.splitlines()[-1])
    basis = dict(np.load("basis.npz"))
    scaling, components = read_basis(basis)
    model = load(arguments.data)

    def ours() -> np.ndarray:
        parts: list[Attribution] = []
        for first in range(0, arguments.regions, arguments.batch_size):
            rows = slice(first, first + arguments.batch_size)
            sides = ((one_hot(codes[side][rows]),) for side in ("targets", "baselines"))
            parts.append(attribute(model, arguments.layer, *sides))
        found = concatenate(parts)
        standardised = found.multipliers * scaling.std
        return embedded_attributions(standardised, *found[1:3], scaling, components)

    seconds = alternate({"ours": ours}, arguments.runs)
    expected, found = np.load("attributions.npy"), ours()
    assert expected.shape == found.shape, (expected.shape, found.shape)
    difference = float(np.abs(found - expected).max() / np.abs(expected).max())
    names = {f"published_{name}": value for name, value in theirs["seconds"].items()}
    report(
        seconds | names, largest_difference=difference, regions=len(expected), layer=arguments.layer
    )


def read_basis(basis: dict[str, np.ndarray]) -> tuple[Scaling, np.ndarray]:
    """Return standardisation and components, (d, k), of the published package's buffers."""
    scaling = Scaling(basis["zscore_mean"].ravel(), basis["zscore_std"].ravel())
    return scaling, np.ascontiguousarray(basis["Vh"].T)


if __name__ == "__main__":
    main()
