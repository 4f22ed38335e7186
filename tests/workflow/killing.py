"""Kill a run at random moments, start it again, and compare the tables with an undisturbed run.

``python -m tests.workflow.killing --moments 20`` does it on a part of the small study of the tests,
with ``--demo`` on the embedded demo. A moment is drawn anew for each run: some seconds after some
number of jobs have ended. ``kill -9`` goes to every process of the run at once. With ``--one-run``
a single run is killed at all moments, one after the other, and then goes on to its end.
"""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from .conftest import ROOT, Study, _make_study, lean

#: what Snakemake prints when a job has ended
ENDED = "Finished jobid: "


@dataclass(frozen=True)
class Outcome:
    """What became of a run that was killed and started again.

    Attributes:
        after: number of jobs after which it was killed, and seconds after the last of them.
        done: files of the jobs that had ended by then.
        left: files that the next run planned to make.
        repeated: files of ended jobs that were there, and were planned or made again.
        parts: temporary files that were left by the kill, and after the second run.
        refusal: what Snakemake says of the lock.
    """

    after: tuple[int, float]
    done: int
    left: int
    repeated: list[str]
    parts: tuple[int, int]
    refusal: str


def command(study: Study, *options: str) -> list[str]:
    start = [sys.executable, "-m", "snakemake", "--snakefile", str(ROOT / "Snakefile")]
    place = ["--directory", str(study.folder), "--configfile", str(study.folder / "config.yaml")]
    return [*start, *place, "--cores", "2", *options]


def kill_after(study: Study, jobs: int, seconds: float, *targets: str) -> tuple[str, bool]:
    """Run, and kill every process of the run some time after a number of jobs have ended.

    Returns:
        what the run printed, and whether it was killed: it may have ended by itself before.
    """
    log = study.folder / "killed.log"
    with log.open("w") as output:
        process = subprocess.Popen(
            command(study, *targets),
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            env={**os.environ, "PYTHONPATH": ""},
        )
        while process.poll() is None and log.read_text().count(ENDED) < jobs:
            time.sleep(0.05)
        killed = False
        try:
            process.wait(seconds)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            killed = True
    return log.read_text(), killed


def files(study: Study) -> dict[str, tuple[int, int]]:
    """Return inode and time of every result, without logs, by name: of another file they differ."""
    found = {}
    for path in study.folder.glob(f"{study.config['results']}/**/*"):
        name = path.relative_to(study.folder).as_posix()
        if path.is_file() and not name.endswith(".part") and "/logs/" not in name:
            found[name] = (path.stat().st_ino, path.stat().st_mtime_ns)
    return found


def parts(study: Study) -> int:
    return len(list(study.folder.rglob("*.part")))


def outputs(printed: str) -> dict[str, str]:
    """Return the output files that Snakemake prints, with the number of their job."""
    found: dict[str, str] = {}
    here: list[str] = []
    for line in printed.splitlines():
        name, _, value = line.strip().partition(": ")
        if name == "output":
            here = value.split(", ")
        elif name == "jobid":
            found |= dict.fromkeys(here, value)
    return found


def finished_outputs(printed: str) -> set[str]:
    """Return the outputs of jobs that Snakemake says have ended."""
    ended = {
        line.removeprefix(ENDED).split()[0]
        for line in printed.splitlines()
        if line.startswith(ENDED)
    }
    return {path for path, number in outputs(printed).items() if number in ended}


def make_demo(folder: Path) -> Study:
    """Lay out the embedded demo, which makes its own data."""
    shutil.copytree(ROOT / "config", folder / "config")
    shutil.copy(folder / "config/config.yaml", folder / "config.yaml")
    return Study(folder)


def kill_and_resume(study: Study, jobs: int, seconds: float, *targets: str) -> Outcome:
    """Kill a run (of some targets) at a moment, run it to its end, and see what was made again."""
    printed, _ = kill_after(study, jobs, seconds, *targets)
    done = finished_outputs(printed)
    before, half = files(study), parts(study)
    refusal = unlock(study, *targets)
    plan = study.snakemake("--dry-run", *targets)
    assert plan.returncode == 0, plan.stdout
    again = study.snakemake(*targets)
    assert again.returncode == 0, again.stdout
    after = files(study)
    there = done & set(before)
    made = {name for name in there if name in after and before[name] != after[name]}
    repeated = sorted(made | (there & set(outputs(plan.stdout))))
    left = len(set(outputs(plan.stdout)))
    assert study.planned(*targets) == {}
    return Outcome((jobs, seconds), len(done), left, repeated, (half, parts(study)), refusal)


def unlock(study: Study, *targets: str) -> str:
    """Start a run that was killed again: it is refused; unlock it, which changes no file.

    Where it was killed before it had a lock, it runs to its end now.

    Returns:
        what Snakemake says of the lock; ``none`` where there was none.
    """
    before = files(study)
    locked = study.snakemake(*targets)
    lines = [line for line in locked.stdout.splitlines() if "cannot be locked" in line]
    if not lines:
        assert locked.returncode == 0, locked.stdout
        return "none"
    assert "--unlock" in locked.stdout
    unlocked = study.snakemake("--unlock")
    assert unlocked.returncode == 0, unlocked.stdout
    assert files(study) == before
    return lines[0]


def kill_again_and_again(study: Study, moments: int, total: int, rng: np.random.Generator) -> None:
    """Kill one run of ``total`` jobs again and again, and let it go on to its end.

    Files of jobs that had ended before a kill are there at the end, and are those they were, but
    those that a run removes when they have served.
    """
    kept: dict[str, tuple[int, int]] = {}
    kills = 0
    for _ in range(moments):
        # one job at the least: the folder is locked then. Half of them are left for the seconds
        jobs = int(rng.integers(1, max(2, total // moments)))
        printed, killed = kill_after(study, jobs, float(rng.uniform(0, 3)))
        if not killed:
            break
        kills += 1
        found, half = files(study), parts(study)
        assert all(found[name] == kept[name] for name in kept.keys() & found.keys())
        kept |= {name: found[name] for name in finished_outputs(printed) & found.keys()}
        refusal = unlock(study)
        ended = printed.count(ENDED)
        print(f"{kills:3} after {ended} more jobs, {half} half-written: {refusal}", flush=True)
        assert "cannot be locked" in refusal
    result = study.snakemake()
    assert result.returncode == 0, result.stdout
    found = files(study)
    lost = {name for name in kept if found.get(name) != kept[name]}
    assert {name for name in lost if "/activations/" not in name} == set(), lost
    assert not lost & found.keys()
    assert not parts(study)
    assert kills > moments // 2, "the run ended before most of the moments"
    print(f"killed {kills} times")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--moments", type=int, default=20)
    parser.add_argument("--demo", action="store_true", help="the embedded demo")
    parser.add_argument("--one-run", action="store_true", help="kill one run at all moments")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    rng = np.random.default_rng(arguments.seed)
    with tempfile.TemporaryDirectory() as folder:
        base = Path(folder) / "pristine"
        if arguments.demo:
            pristine = make_demo(base)
        else:
            pristine = _make_study(base)
            pristine.configure(lean)
        whole = Study(Path(shutil.copytree(base, Path(folder) / "whole")))
        result = whole.snakemake()
        assert result.returncode == 0, result.stdout
        total = result.stdout.count(ENDED)
        print(f"undisturbed: {total} jobs", flush=True)
        if arguments.one_run:
            kill_again_and_again(pristine, arguments.moments, total, rng)
            assert tables(pristine) == tables(whole)
            print("the same tables")
            return
        for number in range(arguments.moments):
            place = Path(folder) / "killed"
            study = Study(Path(shutil.copytree(pristine.folder, place)))
            # the last job makes nothing
            moment = int(rng.integers(0, total - 1)), float(rng.uniform(0, 3))
            outcome = kill_and_resume(study, *moment)
            same = tables(study) == tables(whole)
            print(f"{number + 1:3} same tables: {same} {outcome}", flush=True)
            assert same
            assert not outcome.repeated
            shutil.rmtree(place)


def tables(study: Study) -> dict[str, bytes]:
    folder = study.folder / study.config["results"] / "summary"
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


if __name__ == "__main__":
    main()
