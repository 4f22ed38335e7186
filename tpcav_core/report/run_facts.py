"""How the results were made: versions, hashes of inputs, time and memory of each step."""

from __future__ import annotations

import hashlib
import platform
from collections.abc import Iterable, Mapping
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


def step_costs(folder: Path, models: Iterable[str]) -> list[dict[str, Any]]:
    """Return jobs, seconds and memory of each rule from Snakemake's benchmark files.

    Args:
        folder: with files ``rule.tsv`` or ``rule/….tsv``.
        models: whose names older versions gave to folders there, which are left out.
    """
    models = set(models)
    steps: dict[str, list[dict[str, float]]] = {}
    for path in sorted(folder.rglob("*.tsv")) if folder.is_dir() else []:
        step = path.relative_to(folder).parts[0].removesuffix(".tsv")
        if step in models or twin_of(step) in models:
            continue
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
