"""One study of the first N archetypes, start to report: time, memory and disk while it runs.

    python -m benchmarks.scaling --motifs 50 200 637 --work W

Each study is run by Snakemake in an empty folder. Every second the memory of all its processes and
the bytes in its folder are looked at; time by step is from Snakemake's benchmark files.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import subprocess
import sys
import threading
import time
from collections import defaultdict
from pathlib import Path
from statistics import median
from typing import Any

import psutil
import yaml

from .measuring import RESULTS, ROOT

CONFIGS = ROOT / ".test" / "ctcf"
#: folders of benchmark files with several jobs each
STEPS = (
    *("activations", "concepts", "controls", "basis", "cavs", "nulls", "attributions", "planting"),
    *("scores", "sites", "targets", "methods", "shuffled"),
)


def run(motifs: int, work: Path, options: argparse.Namespace) -> dict[str, Any]:
    """Run a study of some motifs; return what it took."""
    folder = work / str(motifs)
    folder.mkdir(parents=True)
    names = first_motifs(options.meme, motifs)
    own = {"results": str(folder / "results"), "concepts": {"archetypes": {"select": names}}}
    own |= {"jobs": options.jobs} if options.jobs else {}
    own |= {"examples": {"per_concept": options.examples}} if options.examples else {}
    changes = folder / "changes.yaml"
    changes.write_text(yaml.safe_dump(own))
    configs = [str(CONFIGS / name) for name in ("config.yaml", *options.configs)]
    command = [
        *(sys.executable, "-m", "snakemake", "--cores", str(options.cores)),
        *("--configfile", *configs, str(changes)),
    ]
    environment = {**os.environ, "TPCAV_DATA": str(options.data)}
    begin = time.perf_counter()
    with (folder / "log.txt").open("w") as log:
        running = subprocess.Popen(command, cwd=ROOT, stdout=log, stderr=log, env=environment)
        watch = Watch(running.pid, folder / "results")
        status = running.wait()
    watch.stop()
    seconds = time.perf_counter() - begin
    if status:
        raise SystemExit(f"the study failed: {folder / 'log.txt'}")
    steps = step_seconds(folder / "results" / "benchmarks")
    starts = sum(len(steps[name]) * start_seconds(name) for name in steps)
    work_seconds = sum(sum(times) for times in steps.values())
    return {
        "motifs": motifs,
        "examples": options.examples,
        "seconds": seconds,
        "jobs": {name: len(times) for name, times in steps.items()},
        "job_seconds": {name: sum(times) for name, times in steps.items()},
        "start_seconds": starts,
        "snakemake_cpu_seconds": watch.own_cpu,
        "work_cpu_seconds": watch.cpu - watch.own_cpu,
        "all_job_seconds": work_seconds,
        "peak_memory_bytes": watch.memory,
        "peak_job_memory_bytes": watch.job_memory,
        "peak_activations_bytes": watch.activations,
        "peak_disk_bytes": watch.disk,
        "final_disk_bytes": size(folder / "results"),
    }


class Watch(threading.Thread):
    """Looks at a process, its children and a folder every second."""

    def __init__(self, pid: int, folder: Path) -> None:
        super().__init__(daemon=True)
        self.process, self.folder = psutil.Process(pid), folder
        self.memory = self.job_memory = self.activations = self.disk = 0
        self.own_cpu = self.cpu = 0.0
        self.over = threading.Event()
        self.start()

    def run(self) -> None:
        """Look until it is over."""
        while not self.over.wait(1):
            self.look()

    def look(self) -> None:
        """Keep the largest values."""
        try:
            times = self.process.cpu_times()
            self.own_cpu = times.user + times.system
            self.cpu = self.own_cpu + times.children_user + times.children_system
            own = self.process.memory_info().rss
            jobs = [child_memory(child) for child in self.process.children(recursive=True)]
        except psutil.Error:
            return
        self.memory = max(self.memory, own + sum(jobs))
        self.job_memory = max(self.job_memory, *jobs, 0)
        self.activations = max(self.activations, size(self.folder, "*/*/activations/*"))
        self.disk = max(self.disk, size(self.folder))

    def stop(self) -> None:
        """End."""
        self.over.set()
        self.join()


def child_memory(process: psutil.Process) -> int:
    try:
        return int(process.memory_info().rss)
    except psutil.Error:
        return 0


def size(folder: Path, pattern: str = "**/*") -> int:
    """Return the bytes of all files of a folder that fit a pattern."""
    total = 0
    for path in folder.glob(pattern):
        try:
            total += path.stat().st_size if path.is_file() else 0
        except OSError:  # removed meanwhile
            continue
    return total


def step_seconds(folder: Path) -> dict[str, list[float]]:
    """Return the seconds of each job by step."""
    found: dict[str, list[float]] = defaultdict(list)
    for path in sorted(folder.rglob("*.tsv")):
        parts = path.relative_to(folder).parts
        step = next((name for name in STEPS if name in parts), path.stem)
        with path.open() as table:
            found[step] += [float(row["s"]) for row in csv.DictReader(table, delimiter="\t")]
    return dict(found)


def start_seconds(step: str, rounds: int = 3) -> float:
    """Return how long a process takes until its step could begin, median of some."""
    modules = {"controls": "gram", "basis": "components", "targets": "preflight"}
    name = modules.get(step, step)
    if not (ROOT / "tpcav_core" / "commands" / f"{name}.py").is_file():
        name = "summary"
    command = [sys.executable, "-c", f"import tpcav_core.commands.{name}"]
    times = []
    for _ in range(rounds):
        begin = time.perf_counter()
        subprocess.run(command, cwd=ROOT, check=True)
        times.append(time.perf_counter() - begin)
    return median(times)


def first_motifs(meme: Path, number: int) -> list[str]:
    """Return the ids of motifs spread over a MEME file; all of them for as many."""
    ids = [line.split()[1] for line in meme.read_text().splitlines() if line.startswith("MOTIF ")]
    if number > len(ids):
        raise SystemExit(f"{meme}: {len(ids)} motifs, asked {number}")
    return [ids[index * len(ids) // number] for index in range(number)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--motifs", type=int, nargs="+", default=[50, 200, 637])
    parser.add_argument("--work", type=Path, required=True, help="folder to be made, several GB")
    parser.add_argument(
        "--configs", nargs="+", default=["archetypes.yaml"], help="after config.yaml"
    )
    parser.add_argument("--jobs", type=json.loads, help="JSON: the section jobs")
    parser.add_argument("--examples", type=int, help="of each concept (default: as configured)")
    parser.add_argument("--cores", type=int, default=2)
    parser.add_argument("--name", default="scaling", help="of the file in benchmarks/results")
    data = os.environ.get("TPCAV_DATA", ROOT.parent / "shared" / "data")
    parser.add_argument("--data", type=Path, default=Path(data))
    options = parser.parse_args()
    options.meme = options.data / "motifs" / "vierstra_archetypes_v2.1beta.meme"
    RESULTS.mkdir(exist_ok=True)
    measured = [run(number, options.work, options) for number in options.motifs]
    (RESULTS / f"{options.name}.json").write_text(json.dumps(measured, indent=2) + "\n")
    print(json.dumps(measured, indent=2))


if __name__ == "__main__":
    main()
