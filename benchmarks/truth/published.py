"""Have the published package score the networks of known truth, and keep what it says.

Its script runs in its own environment (`benchmarks/published/truth.py`); this one writes what it
needs: genome, motifs, targets and baselines.
"""

from __future__ import annotations

import argparse
import os
import subprocess
from pathlib import Path

import numpy as np

from benchmarks.measuring import ROOT
from benchmarks.surroundings import published_python
from benchmarks.truth.evaluate import pairs
from benchmarks.truth.networks import NETWORKS
from benchmarks.truth.simulation import WINDOW, Study, simulate
from benchmarks.truth.train import network_path


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--work", type=Path, required=True, help="folder of the networks")
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3, 4, 5])
    parser.add_argument("--networks", nargs="+", default=[*NETWORKS], choices=[*NETWORKS])
    parser.add_argument("--layers", nargs="+", default=["middle", "late"])
    parser.add_argument("--copies", type=int, nargs="+", default=[4])
    arguments = parser.parse_args()
    python = published_python()
    for seed in arguments.seeds:
        data = (arguments.work / f"published-{seed}").resolve()
        if not data.exists():
            write_data(simulate(seed), data)
        for kind in arguments.networks:
            for layer in arguments.layers:
                output = (arguments.work / f"published-{kind}-{seed}-{layer}.csv").resolve()
                if output.exists():
                    continue
                weights = network_path(arguments.work, kind, seed).resolve()
                command = [str(python), "-m", "benchmarks.published.truth", f"--data={data}"]
                command += [f"--network={kind}", f"--weights={weights}", f"--layer={layer}"]
                command += [f"--output={output}", "--copies", *map(str, arguments.copies)]
                folder = data / f"{kind}-{layer}"
                folder.mkdir(exist_ok=True)
                environment = {**os.environ, "PYTHONPATH": str(ROOT)}
                subprocess.run(command, check=True, cwd=folder, env=environment)
                print(output.name, flush=True)


def write_data(study: Study, folder: Path) -> None:
    """Write the genome as FASTA, the motifs as MEME, and the sequences of targets and baselines."""
    folder.mkdir(parents=True)
    letters = np.frombuffer(b"ACGTN", np.uint8)
    with (folder / "genome.fa").open("w") as file:
        for name, offset, length in zip(
            study.genome.names, study.genome.offsets, study.genome.lengths, strict=True
        ):
            text = letters[study.genome.codes[offset : offset + length]].tobytes().decode()
            lines = [text[first : first + 100] for first in range(0, length, 100)]
            file.write("\n".join([f">{name}", *lines, ""]))
    with (folder / "motifs.meme").open("w") as file:
        file.write("MEME version 4\n\nALPHABET= ACGT\n\nstrands: + -\n\n")
        file.write("Background letter frequencies\nA 0.25 C 0.25 G 0.25 T 0.25\n\n")
        for motif in study.motifs:
            (pwm,) = motif.pwms
            file.write(f"MOTIF {motif.label}\nletter-probability matrix: alength= 4 w= {len(pwm)}")
            file.write(" nsites= 1000 E= 0\n")
            file.writelines(" ".join(f"{value:.6f}" for value in row) + "\n" for row in pwm)
            file.write("\n")
    for name, side in pairs(study, study.seed)._asdict().items():
        codes = study.genome.windows(side.contig, side.start, WINDOW, side.strand)
        np.save(folder / f"{name}.npy", codes)


if __name__ == "__main__":
    main()
