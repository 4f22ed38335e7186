"""A real Slurm on this machine, for as long as a test needs it."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import pytest
from filelock import FileLock

from ..debian import install

# fixtures of the small study
from ..workflow.conftest import ROOT, Study, copy, finished, pristine, study  # noqa: F401

HERE = Path(__file__).parent
PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "squeue")
PACKAGES = ("munge", "slurmctld", "slurmd", "slurm-client")
#: rules whose jobs ask for a GPU
GPU_RULES = ("activations", "control_activations", "sample", "attributions")


@dataclass
class Job:
    """A submission, as the controller shows it.

    Attributes:
        id: of Slurm.
        name: the run's, one for all its jobs.
        what: rule and wildcards, or the group.
        state: RUNNING and so on.
        node: where it runs or ran.
        memory: asked for, MB.
        gpus: whether it asks for one.
        devices: numbers of those it has, while it runs; empty otherwise.
    """

    id: str
    name: str
    what: str
    state: str
    node: str
    partition: str
    cpus: int
    memory: int
    gpus: bool
    devices: str
    restarts: int

    def of(self, rule: str) -> bool:
        """Whether it is of a rule or a group of that name."""
        return re.fullmatch(rf"rule_{rule}(_wildcards_.*)?|rule_{rule}\..*", self.what) is not None


class Slurm:
    """The running Slurm."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def jobs(self, rule: str | None = None) -> list[Job]:
        """Return all submissions (of a rule or group), ended ones as well."""
        answer = self.call("scontrol", "show", "job", "--details", "--oneliner").stdout
        lines = [line for line in answer.splitlines() if line.startswith("JobId=")]
        # but for those of start.sh
        found = [_job(line) for line in lines if " JobName=settled " not in line]
        return [job for job in found if rule is None or job.of(rule)]

    def call(self, *command: str) -> subprocess.CompletedProcess[str]:
        """Run a command of Slurm."""
        return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)

    def stop_controller(self) -> None:
        """Stop the controller; jobs go on."""
        pid = int((self.folder / "slurmctld.pid").read_text())
        os.kill(pid, signal.SIGTERM)
        until(lambda: not Path(f"/proc/{pid}").exists(), "controller stopped")

    def start_controller(self) -> None:
        """Start it again, with what it knew."""
        subprocess.run(["slurmctld"], check=True, timeout=30)


def _job(line: str) -> Job:
    def value(key: str) -> str:
        found = re.search(rf"(?:^| ){key}=(\S*)", line)
        return found[1] if found else ""

    return Job(
        id=value("JobId"),
        name=value("JobName"),
        what=value("Comment"),
        state=value("JobState"),
        node=value("NodeList"),
        partition=value("Partition"),
        cpus=int(value("NumCPUs")),
        memory=_megabytes(value("MinMemoryNode")),
        gpus="gpu" in value("TresPerJob"),
        devices=devices[1] if (devices := re.search(r"GRES=gpu\S*\(IDX:(\S+)\)", line)) else "",
        restarts=int(value("Restarts")),
    )


def _megabytes(text: str) -> int:
    return int(float(text[:-1]) * {"M": 1, "G": 1024}[text[-1]]) if text[-1:] in "MG" else int(text)


def until(ready: Callable[[], object], what: str, seconds: float = 300) -> None:
    """Wait for something; fail with its name."""
    end = time.monotonic() + seconds
    while not ready():
        assert time.monotonic() < end, f"not within {seconds} s: {what}"
        time.sleep(0.3)


@pytest.fixture
def slurm() -> Iterator[Slurm]:
    """Slurm with two nodes, n2 with two GPUs that are none; one at a time on this machine."""
    with running_slurm() as slurm:
        yield slurm


@contextmanager
def running_slurm() -> Iterator[Slurm]:
    """Start one, and stop it."""
    with FileLock(Path(tempfile.gettempdir()) / "tpcav-test-slurm.lock", timeout=1200):
        _install()
        # a short path, for sockets
        folder = Path(tempfile.mkdtemp(prefix="slurm-"))
        try:
            started = subprocess.run(
                [HERE / "start.sh", folder],
                capture_output=True,
                text=True,
                timeout=120,
                check=False,
            )
            if "/etc/slurm/" in started.stderr and "exists" in started.stderr:
                pytest.skip(started.stderr.strip())
            assert started.returncode == 0, started.stderr
            yield Slurm(folder)
        finally:
            subprocess.run([HERE / "stop.sh", folder], timeout=120, check=False)
            shutil.rmtree(folder, ignore_errors=True)


def _install() -> None:
    missing = [name for name in PROGRAMS if shutil.which(name) is None]
    if os.geteuid() != 0:
        pytest.skip("Slurm's daemons need root to start jobs; run as root, in a container")
    if not missing:
        return
    if Path("/run/systemd/system").exists():
        pytest.skip(
            f"no {', '.join(missing)}; install {' '.join(PACKAGES)} (not done here, where systemd"
            " would start them as services)"
        )
    reason = install(PACKAGES)
    if reason:
        pytest.skip(f"no {', '.join(missing)}; {reason}")


class Run:
    """Snakemake in a study's folder, submitting to Slurm."""

    def __init__(self, place: Study, *options: str, targets: list[str], **env: str) -> None:
        self.log = place.folder / f"main-{len(list(place.folder.glob('main-*')))}.txt"
        command = [
            *(sys.executable, "-m", "snakemake", "--snakefile", str(ROOT / "Snakefile")),
            *("--configfile", "config.yaml", *options),
            # as often as so few jobs allow
            *("--slurm-init-seconds-before-status-checks", "8", "--latency-wait", "5"),
            *("--max-jobs-per-timespan", "20/1s", "--", *targets),
        ]
        self.out: IO[str] = self.log.open("w")
        self.process = subprocess.Popen(
            command,
            stdout=self.out,
            stderr=subprocess.STDOUT,
            cwd=place.folder,
            env={**os.environ, "PYTHONPATH": "", **env},
        )

    @property
    def text(self) -> str:
        """All it printed so far."""
        return self.log.read_text()

    @property
    def id(self) -> str:
        """The name of its jobs, as it says."""
        found = re.search(r"SLURM run ID: (\S+)", self.text)
        return found[1] if found else ""

    def sees(self, ready: Callable[[], object], what: str, seconds: float = 300) -> None:
        """Wait for something that happens while it runs."""

        def ready_or_over() -> object:
            assert self.process.poll() is None, f"over before: {what}\n{self.text[-6000:]}"
            return ready()

        until(ready_or_over, what, seconds)

    def kill(self) -> None:
        """End it at once, as a lost connection or a reboot of the login node would."""
        self.process.kill()
        self.process.wait()

    def succeeds(self, seconds: float = 600) -> None:
        """Wait for its end."""
        try:
            assert self.process.wait(seconds) == 0, self.text[-6000:]
        except subprocess.TimeoutExpired:
            pytest.fail(f"not over after {seconds} s:\n{self.text[-6000:]}")


@pytest.fixture
def submit() -> Iterator[Callable[..., Run]]:
    """Start Snakemake; whatever still runs when the test ends is killed."""
    runs = []

    def start(*arguments, **named) -> Run:
        runs.append(Run(*arguments, **named))
        return runs[-1]

    yield start
    for run in runs:
        run.kill()
        run.out.close()
