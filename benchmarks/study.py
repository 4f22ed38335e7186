"""The whole study through Snakemake, end to end, and its CAVs on examples neither side has seen.

``data`` writes what both sides get: the genome in two parts, one to train on and one for the fresh
examples, the targets, and the fresh examples. ``run`` runs the workflow and tests its CAVs.
"""

from __future__ import annotations

import argparse
import gzip
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import torch
import yaml

from benchmarks.fresh import f1_scores, short
from benchmarks.network import load
from benchmarks.timing import report
from tpcav_core import files, vectors
from tpcav_core.basis_files import read_scaling
from tpcav_core.genome import Genome, read_genome
from tpcav_core.motifs import read_meme
from tpcav_core.planting import plant, sample_sites
from tpcav_core.seeds import generator
from tpcav_core.starts import available_starts, random_regions

ROOT = Path(__file__).resolve().parents[1]
COUNTS = (12, 24, 36)
WINDOW = 1024
FRESH = 2000
#: bases of chromosome 20 that train; the rest is for the fresh examples
CUT = 5_400_000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("step", choices=("data", "run"))
    parser.add_argument("--data", type=Path, required=True, help="the real data")
    parser.add_argument("--fasta", type=Path, required=True)
    parser.add_argument("--meme", type=Path, required=True)
    parser.add_argument("--bed", type=Path, required=True)
    parser.add_argument("--work", type=Path, required=True, help="folder made by `data`")
    parser.add_argument("--layer", default="conv_layer_2")
    parser.add_argument("--examples", type=int, default=1000)
    parser.add_argument("--targets", type=int, default=200)
    parser.add_argument("--replicates", type=int, default=3)
    arguments = parser.parse_args()
    if arguments.step == "data":
        make_data(arguments)
    else:
        run(arguments)


def make_data(arguments: argparse.Namespace) -> None:
    """Write the files that both sides get."""
    with gzip.open(arguments.fasta, "rt") as source:
        header, _, text = source.read().partition("\n")
    bases = text.replace("\n", "")
    parts = {"whole": bases, "train": bases[:CUT], "fresh": bases[CUT:]}
    for name, part in parts.items():
        lines = [part[first : first + 100] for first in range(0, len(part), 100)]
        (arguments.work / f"{name}.fa").write_text("\n".join([header, *lines, ""]))
    contig = header.removeprefix(">").split()[0]
    (arguments.work / "fresh.bed").write_text(f"{contig}\t{CUT}\t{len(bases)}\n")
    peaks = arguments.bed.read_text().splitlines(keepends=True)
    (arguments.work / "targets.bed").write_text("".join(peaks[: arguments.targets]))
    folder = arguments.work / "fresh"
    folder.mkdir(exist_ok=True)
    genome = read_genome(arguments.work / "fresh.fa")
    np.save(folder / "control.npy", fresh_windows(genome, "control"))
    backgrounds = fresh_windows(genome, "concepts")
    for motif in read_meme(arguments.meme):
        for count in COUNTS:
            rng = generator(0, "benchmark", "fresh", motif.label, count)
            sites = sample_sites(motif, FRESH, count, WINDOW, rng)
            np.save(folder / f"{count}-{short(motif.label)}.npy", plant(backgrounds, sites))


def fresh_windows(genome: Genome, name: str) -> np.ndarray:
    starts, _ = available_starts(genome, WINDOW)
    regions = random_regions(starts, FRESH, WINDOW, generator(0, "benchmark", "fresh", name))
    return genome.windows(regions.contig, regions.start, WINDOW, regions.strand)


def run(arguments: argparse.Namespace) -> None:
    """Run the workflow in the current folder, report its time, memory and F1."""
    Path("config.yaml").write_text(yaml.safe_dump(configuration(arguments), sort_keys=False))
    command = [sys.executable, "-m", "snakemake", "--snakefile", str(ROOT / "Snakefile")]
    command += ["--configfile", "config.yaml", "--cores", "2"]
    begin = time.perf_counter()
    subprocess.run(command, check=True, capture_output=True)
    seconds = time.perf_counter() - begin
    report(
        {"total": [seconds]},
        layer=arguments.layer,
        replicates=arguments.replicates,
        fresh_f1=fresh_f1(arguments),
        steps=steps(),
    )


def configuration(arguments: argparse.Namespace) -> dict[str, object]:
    return {
        "results": "out",
        "genome": {
            "fasta": str(arguments.work / "whole.fa"),
            "exclude": str(arguments.work / "fresh.bed"),
        },
        "models": {
            "ctcf": {
                "factory": str(ROOT / ".test" / "ctcf" / "model.py") + ":build",
                "weights": str(arguments.data / "models" / "mcf7_ctcf.state_dict.pt"),
                "window": WINDOW,
                "layers": [arguments.layer],
            }
        },
        "concepts": {
            "archetypes": {
                "source": "motifs",
                "file": str(arguments.meme),
                "copies": list(COUNTS),
            }
        },
        "examples": {"per_concept": arguments.examples},
        "controls": {"replicates": arguments.replicates},
        "targets": {"peaks": {"regions": str(arguments.work / "targets.bed")}},
    }


def fresh_f1(arguments: argparse.Namespace) -> dict[str, list[float]]:
    """Return F1 on the fresh examples by count and motif, for each replicate."""
    folder = Path("out", "ctcf", arguments.layer)
    scaling = read_scaling(str(folder / "basis" / "scaling.parquet"))
    network = load(arguments.data)
    classifiers = {}
    for path in sorted((folder / "cavs").glob("*.parquet")):
        table = files.read_parquet(path, "cavs")
        weights = vectors.to_matrix(table["weights"])
        intercepts = table["intercept"].to_numpy()
        concepts, variants = (table[name].to_pylist() for name in ("concept", "variant"))
        for count in map(str, COUNTS):
            rows = [row for row, variant in enumerate(variants) if variant == count]
            name = f"{count}-{concepts[0].split('_')[0]}"
            classifiers[name] = (weights[rows], intercepts[rows])

    def embed(one_hot: torch.Tensor) -> np.ndarray:
        with torch.no_grad():
            return scaling.apply(network.up_to(arguments.layer, one_hot).flatten(1).numpy())

    return f1_scores(arguments.work / "fresh", embed, classifiers)


def steps() -> dict[str, list[str]]:
    """Return seconds and peak memory in MB of every job, as Snakemake measured them."""
    return {
        str(path.relative_to("out/benchmarks")): path.read_text().splitlines()[1].split("\t")[:3]
        for path in sorted(Path("out/benchmarks").rglob("*.tsv"))
    }


if __name__ == "__main__":
    main()
