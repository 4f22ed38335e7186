"""Recipes of a whole motif database through Snakemake: time, disk, and memory by chunk.

637 archetypes × 3 counts × 1,000 examples on 2 cores, from the FASTA to the catalogue; and a part
of them, to see that memory does not grow with the number of concepts.
"""

from __future__ import annotations

import argparse
import csv
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import yaml

from benchmarks.timing import report

ROOT = Path(__file__).resolve().parents[1]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--fasta", type=Path, required=True)
    parser.add_argument("--meme", type=Path, required=True)
    parser.add_argument("--select", default="*", help="pattern of the motifs that are taken")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="tpcav-recipes-") as folder:
        seconds, about = measure(Path(folder), arguments)
        report({"recipes": [seconds]}, **about)


def measure(folder: Path, arguments: argparse.Namespace) -> tuple[float, dict[str, float]]:
    """Run the workflow up to the catalogue; return seconds, and concepts, disk and memory."""
    config = {
        "results": "out",
        "genome": {"fasta": str(arguments.fasta.resolve())},
        "models": {
            "none": {
                "factory": "tpcav_core.demo.model:build",
                "weights": None,
                "window": 1024,
                "layers": ["conv_2"],
            }
        },
        "concepts": {
            "archetypes": {
                "source": "motifs",
                "file": str(arguments.meme.resolve()),
                "select": [arguments.select],
                "copies": [12, 24, 36],
            }
        },
        "targets": {"random": {"regions": "random", "n": 1}},
    }
    (folder / "config.yaml").write_text(yaml.safe_dump(config, sort_keys=False))
    command = [sys.executable, "-m", "snakemake", "--snakefile", str(ROOT / "Snakefile")]
    command += ["--configfile", "config.yaml", "--cores", "2", "out/catalogue.tsv"]
    begin = time.perf_counter()
    subprocess.run(command, cwd=folder, check=True, capture_output=True)
    seconds = time.perf_counter() - begin
    files = (folder / "out/none/concepts").glob("*.parquet")
    benchmarks = (folder / "out/benchmarks/none/concepts").glob("*.tsv")
    rows = [next(csv.DictReader(path.open(), delimiter="\t")) for path in benchmarks]
    catalogue = csv.DictReader((folder / "out/catalogue.tsv").open(), delimiter="\t")
    return seconds, {
        "concepts": sum(row["kind"] == "concept" for row in catalogue),
        "disk_mb": sum(path.stat().st_size for path in files) / 1e6,
        "peak_memory_mb": max(float(row["max_rss"]) for row in rows if row["max_rss"] != "NA"),
    }


if __name__ == "__main__":
    main()
