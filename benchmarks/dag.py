"""What Snakemake needs for a study of thousands of concepts before anything runs.

``python -m benchmarks.dag`` measures the dry run of 10,000 motifs, and the start of one job as a
cluster runs it: the workflow is parsed again there, then the job alone is planned. Nothing is
computed, and the data are empty files.
"""

from __future__ import annotations

import argparse
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import yaml

ROOT = Path(__file__).parents[1]
SMALL = ROOT / ".test" / "small"
DATA = ("genome.fa.gz", "exclude.bed", "peaks.bed", "weights.pt")
#: what the job of a concept reads, which has to be there for it to be planned alone
INPUTS = (
    "activations/motifs-0000.parquet",
    "controls/random/activations.parquet",
    "controls/random/gram.parquet",
    "basis/scaling.parquet",
)


def make_study(folder: Path, concepts: int) -> None:
    """Write a study of random motifs, three counts each, with random and permuted nulls."""
    shutil.copytree(SMALL, folder, dirs_exist_ok=True)
    (folder / "data").mkdir()
    for name in DATA:
        (folder / "data" / name).touch()
    rng = np.random.default_rng(0)
    parts = ["MEME version 4\n\nALPHABET= ACGT\n"]
    for number in range(concepts):
        matrix = rng.dirichlet(np.full(4, 0.3), int(rng.integers(6, 16)))
        rows = "\n".join(" ".join(f"{value:.6f}" for value in row) for row in matrix)
        head = f"letter-probability matrix: w= {len(matrix)}"
        parts.append(f"\nMOTIF M{number:05d}\n{head}\n{rows}\n")
    (folder / "motifs.meme").write_text("".join(parts))
    config = yaml.safe_load((SMALL / "config.yaml").read_text())
    del config["models"]["second"], config["concepts"]["boxes"], config["jobs"]
    config["models"]["small"]["layers"] = ["conv_2"]
    config["concepts"]["motifs"]["copies"] = [2, 4, 6]
    config["statistics"] = {"random_nulls": 500}
    (folder / "config.yaml").write_text(yaml.safe_dump(config, sort_keys=False))


def timed(folder: Path, *options: str) -> tuple[str, str]:
    """Return the seconds that Snakemake took, on the clock and of a core, and what it printed."""
    command = [sys.executable, "-m", "snakemake", "--snakefile", str(ROOT / "Snakefile")]
    command += ["--configfile", "config.yaml", "--cores", "1", "--dry-run", *options]
    start, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(
        command,
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    core = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    seconds = f"{time.perf_counter() - start:.1f} s, {core:.1f} s of a core"
    if done.returncode:
        sys.exit(done.stdout)
    return seconds, done.stdout


def measure(folder: Path, concepts: int) -> dict[str, Any]:
    """Return times of the dry run, with motifs new and known, and of the start of one job."""
    make_study(folder, concepts)
    first, _ = timed(folder, "--quiet", "all", "host")
    known, output = timed(folder, "--quiet", "host")
    jobs = next(line.split()[1] for line in output.splitlines() if line.startswith("total "))
    place = folder / "out/small/conv_2"
    for name in INPUTS:
        (place / name).parent.mkdir(parents=True, exist_ok=True)
        (place / name).touch()
    (place / "preflight.tsv").write_text("d\n10\n")
    job = ["--target-jobs", "cavs:model=small,layer=conv_2,batch=M00003", "--allowed-rules", "cavs"]
    one, output = timed(folder, *job, "--force", "--nolock", "--mode", "remote")
    nothing, _ = timed(folder, "--version")
    return {
        "concepts": concepts,
        "jobs": int(jobs),
        "dry run, first": first,
        "dry run, again": known,
        "start of one job": one,
        "of which Snakemake's imports": nothing,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--concepts", type=int, default=10_000)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        for name, value in measure(Path(folder) / "study", arguments.concepts).items():
            print(f"{name:36} {value}")


if __name__ == "__main__":
    main()
