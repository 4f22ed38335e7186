"""The figure of docs/scaling.md, from the numbers that `scaling` wrote.

python -m benchmarks.scaling_figure benchmarks/results/scaling.json --output docs/figures/scaling
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from matplotlib import pyplot as plt
from matplotlib.figure import Figure

from tpcav_core.figures.style import BLUE, DARK, DOUBLE, LIGHT, ORANGE, save, styled

#: key of a study's numbers, what it is called, colour
TIME = (("seconds", "whole study", DARK),)
MEMORY = (
    ("peak_memory_bytes", "all processes", DARK),
    ("peak_job_memory_bytes", "largest job", ORANGE),
)
DISK = (
    ("final_disk_bytes", "results that stay", LIGHT),
    ("peak_activations_bytes", "activations (temporary)", BLUE),
)


def draw(studies: list[dict[str, Any]], small: list[dict[str, Any]]) -> Figure:
    """Draw time and memory, and the disk of ``small`` studies, against the number of motifs."""
    figure, axes = plt.subplots(1, 3, figsize=(DOUBLE, 2.1), layout="constrained")
    panels = (
        ("minutes", 60, TIME, studies),
        ("peak memory, GB", 1e9, MEMORY, studies),
        ("disk, GB", 1e9, DISK, small),
    )
    for axis, (label, unit, lines, shown) in zip(axes, panels, strict=True):
        motifs = [study["motifs"] for study in shown]
        for key, name, colour in lines:
            values = [study[key] / unit for study in shown]
            axis.plot(motifs, values, "o-", color=colour, label=name)
        axis.set(xlabel="motifs", ylabel=label, xlim=(0, None), ylim=(0, None), xticks=motifs)
        axis.legend(loc="best")
    return figure


def read(paths: list[Path]) -> list[dict[str, Any]]:
    """Return the studies of some files, by their number of motifs."""
    studies = [study for path in paths for study in json.loads(path.read_text())]
    return sorted(studies, key=lambda study: study["motifs"])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("measured", type=Path, nargs="+", help="JSON files of `scaling`")
    parser.add_argument("--disk", type=Path, nargs="+", help="others for the disk (default: same)")
    parser.add_argument("--output", type=Path, required=True, help="without its ending")
    arguments = parser.parse_args()
    with styled():
        figure = draw(read(arguments.measured), read(arguments.disk or arguments.measured))
        save(figure, arguments.output, "Time, memory and disk by the number of motifs")
        plt.close(figure)


if __name__ == "__main__":
    main()
