"""Run a benchmark in a process of its own, keep what it measured, and say it in a table row."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from statistics import median
from typing import Any

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
RESULTS = HERE / "results"
Measured = dict[str, Any]
Medians = dict[str, float]
Row = tuple[str, str, str, str, str]


def measure(
    command: list[str],
    environment: Mapping[str, str] | None = None,
    folder: Path = ROOT,
) -> Measured:
    """Run one benchmark in a process of its own, in a folder; return what it measured."""
    print("+", " ".join(command), file=sys.stderr, flush=True)
    done = subprocess.run(
        command,
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT), **(environment or {})},
        stdout=subprocess.PIPE,
        text=True,
        check=False,
    )
    if done.returncode:
        raise SystemExit(f"benchmark failed with status {done.returncode}: {' '.join(command)}")
    measured: Measured = json.loads(done.stdout.splitlines()[-1])
    return measured


def module(name: str, *options: str) -> list[str]:
    return [sys.executable, "-m", f"benchmarks.{name}", *options]


def save(name: str, measured: list[Measured]) -> Medians:
    """Write what the processes measured; return the median over all runs of each, in seconds."""
    seconds = {
        key: [value for process in measured for value in process["seconds"][key]]
        for key in measured[0]["seconds"]
    }
    medians = {key: median(values) for key, values in seconds.items()}
    content = {
        "about": [process["about"] for process in measured],
        "median_seconds": medians,
        "seconds": seconds,
    }
    (RESULTS / f"{name}.json").write_text(json.dumps(content, indent=2) + "\n")
    return medians


def paired(measured: list[Measured], ours: str, bare: str) -> str:
    """Return the median ratio of neighbouring runs, and its range over the processes."""
    ratios = [
        [a / b for a, b in zip(process["seconds"][ours], process["seconds"][bare], strict=True)]
        for process in measured
    ]
    medians = [median(process) for process in ratios]
    middle = median([ratio for process in ratios for ratio in process])
    return f"{middle:.2f} ({min(medians):.2f} to {max(medians):.2f})"


def faster(what: str, ours: Medians, name: str, published: Medians) -> Row:
    """Return the row that says how many times the published package's time ours saves."""
    ratio, cpu = (published[f"{name}{unit}"] / ours[f"{name}{unit}"] for unit in ("", "_cpu"))
    times = milliseconds(ours[name]), milliseconds(published[name])
    return what, *times, f"{ratio:.1f} times faster", f"{cpu:.1f}"


def slower(what: str, measured: list[Measured], found: Medians, ours: str, bare: str) -> Row:
    """Return the row that says how many times the bare time ours takes, run by run."""
    times = milliseconds(found[ours]), milliseconds(found[bare])
    cpu = paired(measured, f"{ours}_cpu", f"{bare}_cpu") if f"{ours}_cpu" in found else ""
    return what, *times, f"{paired(measured, ours, bare)} times the time", cpu


def compared_f1(d: int, replicates: int, measured: Measured, published: Measured) -> Row:
    """Return the row that compares F1 on the common fresh examples."""
    own, other = (
        {name: sum(values) / len(values) for name, values in one["about"]["fresh_f1"].items()}
        for one in (measured, published)
    )
    worst = min(own, key=lambda name: own[name] - other[name])
    means = [sum(side.values()) / len(side) for side in (own, other)]
    return (
        f"F1 on fresh examples, d = {d:,}, {replicates} control(s), mean of {len(own)}",
        *(f"{mean:.4f}" for mean in means),
        f"lowest difference {own[worst] - other[worst]:+.3f} ({worst})",
        "",
    )


def alone(what: str, value: str) -> Row:
    return what, value, "", "", ""


def seconds(value: float) -> str:
    return f"{value:,.0f} s"


def milliseconds(seconds: float) -> str:
    return f"{1000 * seconds:,.{1 if seconds < 1 else 0}f} ms"


def print_table(rows: list[Row]) -> None:
    print("| what | tpcav_core | published or bare | ratio | in processor time |")
    print("|---|--:|--:|--:|--:|")
    for row in rows:
        print(f"| {' | '.join(row)} |")
