"""The workflow on a real Slurm: the bytes of a local run, whatever fails on the way."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from ..workflow.conftest import ROOT, Study
from .conftest import GPU_RULES, until

pytestmark = [pytest.mark.slow, pytest.mark.slurm]


def running(slurm, rule):
    return [job for job in slurm.jobs(rule) if job.state == "RUNNING"]


def same_as_local(study: Study, finished: Study, files) -> None:
    for file in files:
        theirs, ours = (one.folder / file for one in (finished, study))
        assert ours.read_bytes() == theirs.read_bytes(), file
    assert not list((study.folder / "out").rglob("*.part"))


def test_from_genome_to_cavs_and_attributions_through_failures(slurm, submit, study, finished):
    """The profile of the checkout; steps up to CAVs, one of them without enough memory at first.

    On the way a job is cancelled, the main process is killed and started again, and the
    controller is restarted.
    """
    names = ("cavs/mixed.parquet", "basis/components.pt", "attributions/peaks.pt")
    targets = [f"out/second/conv_2/{name}" for name in names]
    # the first attempt is killed: Snakemake alone needs more
    little = ("--set-resources", "preflight:mem_mb=150 if attempt == 1 else 4000")
    options = ("--workflow-profile", "slurm", *little)
    first = submit(study, *options, targets=targets)

    first.sees(lambda: running(slurm, "sample"), "sample runs")
    cancelled = running(slurm, "sample")[0].id
    slurm.call("scancel", cancelled)
    tries = [job for job in slurm.jobs("preflight") if job.state != "PENDING"]
    assert [(job.state, job.memory) for job in tries] == [("FAILED", 150), ("COMPLETED", 4000)]

    first.sees(lambda: running(slurm, "components"), "components runs")
    first.kill()
    # what docs/running.md says: end its jobs, unlock, start again
    slurm.call("scancel", f"--jobname={first.id}")
    until(lambda: not [job for job in slurm.jobs() if job.state == "RUNNING"], "jobs ended")
    unlock = [sys.executable, "-m", "snakemake", "--snakefile", str(ROOT / "Snakefile")]
    done = subprocess.run(
        [*unlock, "--configfile", "config.yaml", "--unlock"],
        cwd=study.folder,
        env={**os.environ, "PYTHONPATH": ""},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    second = submit(study, *options, targets=targets)
    # the run that was killed is not repeated from the start
    second.sees(lambda: running(slurm, "components"), "components runs again")
    slurm.stop_controller()
    slurm.start_controller()
    second.succeeds()

    same_as_local(study, finished, targets)
    jobs = slurm.jobs()
    assert {job.state for job in jobs if job.of("sample")} == {"CANCELLED", "COMPLETED"}
    assert [job.state for job in jobs if job.of("genome")].count("COMPLETED") == 1
    asking = [job for job in jobs if any(job.of(rule) for rule in GPU_RULES)]
    assert {job.node for job in asking if job.state == "COMPLETED"} == {"n2"}
    assert [job for job in jobs if job.gpus] == asking


def test_groups_and_partitions_of_a_site(slurm, submit, copy, finished, tmp_path):
    """A site profile, installed by the command, on top of the workflow's own; a node goes down."""
    env = {"XDG_CONFIG_HOME": str(tmp_path)}
    subprocess.run(
        [
            *(sys.executable, "-m", "tpcav_core", "profile"),
            *("--partition", "cpu", "--gpu-partition", "gpu"),
        ],
        env={**os.environ, "PYTHONPATH": str(ROOT), **env},
        check=True,
    )
    names = [path.name for path in (copy.folder / "out/small/conv_2/cavs").glob("*.parquet")]
    targets = sorted(f"out/small/conv_2/cavs/{name}" for name in names if "nulls" not in name)
    assert len(targets) == 5
    for target in targets:
        Path(copy.folder / target).unlink()
    run = submit(copy, "--profile", "slurm", targets=targets, **env)

    # the two chunks of concepts side by side, each with a GPU of its own
    run.sees(
        lambda: sorted(job.devices for job in running(slurm, "activations")) == ["0", "1"],
        "chunks on two GPUs",
    )
    # what needs a GPU is over: its only node may be the one that goes down
    run.sees(
        lambda: (
            [job.state for job in slurm.jobs("activations")] == ["COMPLETED"] * 2
            and running(slurm, "cavs")
        ),
        "CAV jobs run",
    )
    node = running(slurm, "cavs")[0].node
    slurm.call("scontrol", "update", f"nodename={node}", "state=down", "reason=test")
    lost = [job.id for job in slurm.jobs() if job.restarts]
    assert lost
    # Slurm would wait two minutes, until what it signed for the lost node is no longer valid
    slurm.call("scontrol", "update", f"jobid={','.join(lost)}", "starttime=now")
    run.succeeds()

    same_as_local(copy, finished, targets)
    jobs = slurm.jobs()
    # two chunks of concepts: a submission for each, none for each concept
    groups = [job for job in jobs if job.of("cavs")]
    assert len(groups) == len({job.what for job in groups}) == 2
    assert {job.node for job in groups if job.id in lost} == {"n1", "n2"} - {node}
    assert {(job.cpus, job.partition) for job in groups} == {(1, "cpu")}
    asking = [job for job in jobs if job.of("activations")]
    assert {(job.partition, job.node, job.gpus) for job in asking} == {("gpu", "n2", True)}
    assert len(jobs) == len(asking) + len(groups)
