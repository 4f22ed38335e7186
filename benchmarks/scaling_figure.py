"""The figure of docs/scaling.md, from the numbers that `scaling` wrote: what does not grow.

python -m benchmarks.scaling_figure benchmarks/results/disk_*.json --output docs/figures/scaling
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from matplotlib import pyplot as plt
from matplotlib.figure import Figure

from tpcav_core.figures.style import BLUE, DARK, DOUBLE, LIGHT, ORANGE, save, styled

#: what the vertical axis has, its unit; key of a study's numbers, what it is called, colour
PANELS = (
    (
        "peak memory, GB",
        1e9,
        (
            ("peak_memory_bytes", "all processes", DARK),
            ("peak_job_memory_bytes", "largest job", ORANGE),
        ),
    ),
    (
        "disk, MB",
        1e6,
        (
            ("final_disk_bytes", "results that stay", LIGHT),
            ("peak_activations_bytes", "activations, at their peak", BLUE),
        ),
    ),
)


def draw(studies: list[dict[str, Any]]) -> Figure:
    """Draw memory and disk against the number of motifs."""
    figure, axes = plt.subplots(1, 2, figsize=(DOUBLE * 0.8, 2.2), layout="constrained")
    motifs = [study["motifs"] for study in studies]
    for axis, (label, unit, lines) in zip(axes, PANELS, strict=True):
        for key, name, colour in lines:
            values = [study[key] / unit for study in studies]
            axis.plot(motifs, values, "o-", color=colour, label=name)
        most = max(study[key] for study in studies for key, _, _ in lines) / unit
        axis.set(
            xlabel="motifs", ylabel=label, xticks=motifs, xlim=(0, None), ylim=(0, 1.15 * most)
        )
        axis.legend(loc="best")
    return figure


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("measured", type=Path, nargs="+", help="JSON files of `scaling`")
    parser.add_argument("--output", type=Path, required=True, help="without its ending")
    arguments = parser.parse_args()
    studies = [study for path in arguments.measured for study in json.loads(path.read_text())]
    with styled():
        figure = draw(sorted(studies, key=lambda study: int(study["motifs"])))
        save(figure, arguments.output, "Memory and disk by the number of motifs")
        plt.close(figure)


if __name__ == "__main__":
    main()
