"""How the results were made: versions, hashes of inputs, time and memory of each step."""

from __future__ import annotations

import hashlib
import platform
from collections.abc import Iterable, Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from .. import __version__
from ..twins import twin_of

#: packages whose version numbers matter for results
PACKAGES = ("torch", "captum", "numpy", "scipy", "scikit-learn", "pandas", "pyarrow", "snakemake")


def versions() -> list[list[str]]:
    """Return names and versions of what ran, as far as it is installed here."""
    found = [["tpcav_core", __version__], ["Python", platform.python_version()]]
    for name in PACKAGES:
        try:
            found.append([name, version(name)])
        except PackageNotFoundError:
            continue
    return found


def file_facts(files: Mapping[str, str]) -> list[dict[str, Any]]:
    """Return path, place in the configuration, bytes and SHA-256 of each input file."""
    found = []
    for name, place in files.items():
        path = Path(name)
        size, digest = None, "not found"
        if path.is_file():
            size = path.stat().st_size
            with path.open("rb") as file:
                digest = hashlib.file_digest(file, "sha256").hexdigest()
        found.append({"file": name, "used as": place, "bytes": size, "sha256": digest})
    return found


def step_costs(folder: Path, models: Iterable[str], layers: Iterable[str]) -> list[dict[str, Any]]:
    """Return jobs, seconds and memory of each step from Snakemake's benchmark files.

    Args:
        folder: with files ``[model/[layer/]]step[/…].tsv``.
        models: names of models, which are no steps.
        layers: names of layers, which are none either.
    """
    models, layers = set(models), set(layers)
    steps: dict[str, list[dict[str, float]]] = {}
    for path in sorted(folder.rglob("*.tsv")) if folder.is_dir() else []:
        step = _step(path.relative_to(folder).with_suffix("").parts, models, layers)
        steps.setdefault(step, []).extend(_read(path))
    rows: list[dict[str, Any]] = [
        {
            "step": step,
            "jobs": len(jobs),
            "seconds": round(sum(job.get("s", 0.0) for job in jobs), 1),
            "longest job, s": round(max(job.get("s", 0.0) for job in jobs), 1),
            "CPU seconds": round(sum(job.get("cpu_time", 0.0) for job in jobs), 1),
            "peak memory, MB": round(max(job.get("max_rss", 0.0) for job in jobs)),
        }
        for step, jobs in steps.items()
        if jobs
    ]
    return sorted(rows, key=lambda row: -row["seconds"])


def _step(parts: Sequence[str], models: set[str], layers: set[str]) -> str:
    rest = list(parts)
    if len(rest) > 1 and (rest[0] in models or twin_of(rest[0]) in models):
        rest = rest[1:]
    if len(rest) > 1 and rest[0] in layers:
        rest = rest[1:]
    # other folders are of one step, or of steps that belong together
    return rest[-1] if rest[0] == "basis" else rest[0]


def _read(path: Path) -> list[dict[str, float]]:
    lines = path.read_text(errors="replace").splitlines()
    names = lines[0].split("\t") if lines else []
    return [
        {
            name: float(value)
            for name, value in zip(names, line.split("\t"), strict=False)
            if _is_number(value)
        }
        for line in lines[1:]
    ]


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return text.lower() != "nan"
