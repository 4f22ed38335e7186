"""Time and memory to fit scaling and all components of 2,200 x 65,536 activations.

The lower bound beside it is the Gram matrix product alone: any exact method needs it, or an SVD
that costs more.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import threadpoolctl

from benchmarks.timing import alternate, report
from tpcav_core.basis import fit_components, fit_scaling
from tpcav_core.seeds import generator

FACTORS = 60
BLOCK = 4096
_STATUS = Path("/proc/self/status")
_CLEAR = Path("/proc/self/clear_refs")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--examples", type=int, default=2200)
    parser.add_argument("--features", type=int, default=65536)
    parser.add_argument("--runs", type=int, default=1)
    arguments = parser.parse_args()
    sample = structured_sample(arguments.examples, arguments.features)

    def fit() -> Any:
        return fit_components(sample, fit_scaling(sample), "full")

    def gram_float32() -> Any:
        return sample @ sample.T

    def gram_float64() -> Any:
        gram = np.zeros((len(sample), len(sample)))
        for first in range(0, sample.shape[1], BLOCK):
            block = sample[:, first : first + BLOCK].astype(np.float64)
            gram += block @ block.T
        return gram

    before = memory("VmRSS")
    peak = peak_of(fit)
    gram_float32()
    gram_float64()
    functions = {"gram_float32": gram_float32, "gram_float64": gram_float64, "fit": fit}
    seconds = alternate(functions, arguments.runs, warm=True)
    report(
        seconds,
        examples=arguments.examples,
        features=arguments.features,
        sample_mib=sample.nbytes / 2**20,
        resident_before_mib=before,
        peak_mib=peak,
        threads=max((pool["num_threads"] for pool in threadpoolctl.threadpool_info()), default=1),
    )


def structured_sample(n: int, d: int) -> np.ndarray:
    """Return (n, d) float32 that look like activations.

    Factors of falling strength and noise, a scale and an offset for each feature, a leaky
    rectifier; 2 % of the features do not vary.
    """
    rng = generator(0, "benchmark", "basis")
    strength = np.arange(1, FACTORS + 1, dtype=np.float32) ** -0.7
    scores = rng.standard_normal((n, FACTORS), np.float32) * strength
    sample = np.empty((n, d), np.float32)
    for first in range(0, d, BLOCK):
        width = min(BLOCK, d - first)
        block = scores @ rng.standard_normal((FACTORS, width), np.float32)
        block += 0.7 * rng.standard_normal((n, width), np.float32)
        block *= rng.lognormal(0, 1, width).astype(np.float32)
        block += rng.standard_normal(width, np.float32)
        np.maximum(block, 0.01 * block, out=block)
        block[:, rng.random(width) < 0.02] = 0.25
        sample[:, first : first + width] = block
    return sample


def memory(field: str) -> float | None:
    """Return a line of this process's memory status in MiB, or None where there is none."""
    if not _STATUS.exists():
        return None
    for line in _STATUS.read_text().splitlines():
        if line.startswith(field):
            return int(line.split()[1]) / 1024
    return None


def peak_of(function: Callable[[], Any]) -> float | None:
    """Run ``function`` and return the peak of this process's memory in MiB meanwhile, on Linux."""
    try:
        _CLEAR.write_text("5")  # forgets the peak so far
    except OSError:
        function()
        return None
    function()
    return memory("VmHWM")


if __name__ == "__main__":
    main()
