"""A small study in a folder of its own, and Snakemake run on it as a user would."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from safetensors.torch import save_file

from tests.conftest import made_once
from tpcav_core.config import checked
from tpcav_core.demo.genome import Shape, simulate_genome, write_fasta
from tpcav_core.errors import InputError
from tpcav_core.imports import load_object
from tpcav_core.jobs import Jobs

ROOT = Path(__file__).parents[2]
SMALL = ROOT / ".test" / "small"
#: what makes all tables, and neither figures nor the report
SUMMARY = "out/summary/scores.tsv"


@dataclass
class Study:
    """A folder with data, a configuration and results."""

    folder: Path

    @property
    def config(self) -> dict[str, Any]:
        """The configuration, as written."""
        return yaml.safe_load((self.folder / "config.yaml").read_text())

    def configure(self, change: Callable[[dict[str, Any]], None]) -> None:
        """Change the configuration."""
        config = self.config
        change(config)
        (self.folder / "config.yaml").write_text(yaml.safe_dump(config, sort_keys=False))

    def snakemake(
        self,
        *options: str,
        cores: int = 2,
        snakefile: Path = ROOT / "Snakefile",
        modules: Path | None = None,
    ) -> subprocess.CompletedProcess[str]:
        """Run Snakemake in the folder; return its exit status and all it prints.

        Its jobs find the modules of a folder before any others.
        """
        command = [
            *(sys.executable, "-m", "snakemake", "--snakefile", str(snakefile)),
            *("--directory", str(self.folder), "--configfile", str(self.folder / "config.yaml")),
            *("--cores", str(cores), *options),
        ]
        return self._run(command, str(modules or ""))

    def refused(self, expected: list[str], *targets: str) -> list[Path]:
        """Run; check that it ends with one line that holds all of ``expected``; return its files.

        Nothing is half-written, and no traceback is shown.
        """
        result = self.snakemake(*targets)
        assert result.returncode != 0
        lines = [
            line for line in result.stdout.splitlines() if all(part in line for part in expected)
        ]
        assert lines, f"no line with {expected} in:\n{result.stdout}"
        assert "Traceback (most recent call last)" not in result.stdout
        written = [path.relative_to(self.folder) for path in self.folder.rglob("out/**/*")]
        assert not [path for path in written if path.suffix == ".part"]
        return written

    def unreadable(self, expected: list[str]) -> None:
        """Read the configuration as the workflow does: one line that holds all of ``expected``."""
        schema = yaml.safe_load((ROOT / "workflow/schemas/config.schema.yaml").read_text())
        with contextlib.chdir(self.folder), pytest.raises(InputError) as error:
            Jobs.from_config(checked(self.config, schema)).check_files()
        message = str(error.value)
        assert "\n" not in message
        assert [part for part in expected if part not in message] == [], message

    def command(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run a command of the package in the folder."""
        return self._run([sys.executable, "-m", "tpcav_core", *arguments], str(ROOT))

    def _run(self, command: list[str], path: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            cwd=self.folder,
            env={**os.environ, "PYTHONPATH": path},
            check=False,
        )

    def planned(self, *options: str, snakefile: Path = ROOT / "Snakefile") -> dict[str, int]:
        """Return the number of jobs by rule that a dry run announces."""
        done = self.snakemake("--dry-run", *options, "--quiet", "host", snakefile=snakefile)
        assert done.returncode == 0, done.stdout
        if "Job stats:" not in done.stdout:
            return {}
        table = done.stdout.split("Job stats:")[1].split("total")[0].splitlines()
        return {
            line.split()[0]: int(line.split()[1])
            for line in table
            if len(line.split()) == 2 and line.split()[1].isdigit()
        }

    def summary(self) -> dict[str, bytes]:
        """Return the bytes of the result tables by name."""
        return {path.name: path.read_bytes() for path in (self.folder / "out/summary").iterdir()}


def lean(config: dict[str, Any]) -> None:
    """Leave one model, layer, set and target: every rule still has a job."""
    del config["models"]["second"], config["concepts"]["boxes"], config["targets"]["anywhere"]
    config["models"]["small"]["layers"] = ["conv_2"]


def _make_study(folder: Path) -> Study:
    shutil.copytree(SMALL, folder, dirs_exist_ok=True)
    data = folder / "data"
    data.mkdir()
    rng = np.random.default_rng(3)
    genome, masked = simulate_genome(Shape(lengths={"chrA": 200_000, "chrB": 120_000}), rng)
    write_fasta(genome, masked, data / "genome.fa.gz")
    (data / "exclude.bed").write_text("chrA\t60000\t70000\n")
    starts = np.sort(rng.choice(np.arange(20_000, 60_000, 200), 40, replace=False))
    lines = [f"chrA\t{start}\t{start + 90}\tpeak{i}\t0\t+\n" for i, start in enumerate(starts)]
    (data / "peaks.bed").write_text("".join(lines))
    build = load_object(f"{folder / 'model.py'}:build", "factory")
    for name, save in (("weights.pt", torch.save), ("second.safetensors", save_file)):
        with torch.random.fork_rng():
            torch.manual_seed(len(name))
            save(dict(build().state_dict()), data / name)
    return Study(folder)


@pytest.fixture(scope="session")
def pristine(tmp_path_factory: pytest.TempPathFactory) -> Study:
    """The study before any run; do not change it."""
    return _make_study(tmp_path_factory.mktemp("study") / "small")


@pytest.fixture
def study(pristine: Study, tmp_path: Path) -> Study:
    """A copy of the study before any run; without figures, which `finished` has."""
    study = Study(Path(shutil.copytree(pristine.folder, tmp_path / "study")))
    study.configure(lambda config: config.update(figures=False))
    return study


def run_of(
    pristine: Study,
    folder: Path,
    change: Callable[[dict[str, Any]], None],
    *targets: str,
    cores: int = 2,
) -> None:
    """Run the study (or what some files need) in a new folder, with another configuration."""
    study = Study(Path(shutil.copytree(pristine.folder, folder)))
    study.configure(change)
    result = study.snakemake(*targets, cores=cores)
    assert result.returncode == 0, result.stdout


@pytest.fixture(scope="session")
def finished(pristine: Study, tmp_path_factory: pytest.TempPathFactory) -> Study:
    """The study after a complete run on 4 cores, for which most tests wait; do not change it."""
    return Study(
        made_once(
            tmp_path_factory,
            "finished",
            lambda folder: run_of(pristine, folder, lambda config: None, cores=4),
        )
    )


@pytest.fixture
def copy(finished: Study, tmp_path: Path) -> Study:
    """A finished run that may be changed; times of files are kept."""
    return Study(Path(shutil.copytree(finished.folder, tmp_path / "copy")))
