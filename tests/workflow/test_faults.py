"""A run that is killed, started twice, or finds files it cannot trust: nothing is lost."""

from __future__ import annotations

import os
import shutil
import time

import pytest
import torch

from tpcav_core import files

from .conftest import ROOT, Study
from .killing import kill_and_resume

pytestmark = pytest.mark.slow


# whole runs at more moments: python -m tests.workflow.killing --moments 20
@pytest.mark.slow(minutes=True)
def test_a_killed_run_goes_on_to_the_same_files(finished, study):
    wanted = ["out/small/conv_2/scores/peaks.parquet", "out/small/conv_2/similarity.parquet"]
    # the jobs of CAVs have begun
    outcome = kill_and_resume(study, 14, 1.0, *wanted)
    for path in wanted:
        assert (study.folder / path).read_bytes() == (finished.folder / path).read_bytes(), path
    assert outcome.repeated == []
    assert outcome.parts[1] == 0
    assert outcome.done >= 14
    assert outcome.left > 0
    assert "cannot be locked" in outcome.refusal


def test_a_second_run_in_the_same_folder_is_refused_and_changes_nothing(copy):
    # what a run in progress holds
    locks = copy.folder / ".snakemake" / "locks"
    locks.mkdir(exist_ok=True)
    summary = (copy.folder / "out").glob("summary/*")
    outputs = [f"{path.relative_to(copy.folder)}\n" for path in summary]
    (locks / "0.output.lock").write_text("".join(outputs))
    copy.configure(lambda config: config["statistics"].update(alpha=0.1))
    before = copy.summary()
    result = copy.snakemake()
    assert result.returncode != 0
    assert "Directory cannot be locked" in result.stdout
    assert "--unlock" in result.stdout
    assert copy.summary() == before


@pytest.mark.skipif(torch.cuda.is_available(), reason="has the device that is asked for")
def test_a_device_that_is_not_there_stops_the_run_before_its_first_job(study):
    study.configure(lambda config: config["models"]["small"].update(device="cuda"))
    written = study.refused(["models.small", "device 'cuda'", "set device: auto or cpu"])
    assert written == []


def test_a_device_that_no_job_needs_is_not_asked_for(copy):
    copy.configure(lambda config: config["models"]["small"].update(device="cuda"))
    for ending in ("tsv", "parquet"):
        (copy.folder / f"out/catalogue.{ending}").unlink()
    result = copy.snakemake("out/catalogue.tsv")
    assert result.returncode == 0, result.stdout
    assert (copy.folder / "out/catalogue.tsv").exists()


def test_files_from_the_future_are_named_and_change_nothing(copy):
    ahead = time.time() + 7200
    for path in (copy.folder / "data").iterdir():
        os.utime(path, (ahead, ahead))
    # Snakemake goes by content where a file is small, and by what it wrote down of the last run
    assert set(copy.planned("--rerun-triggers", "code", "input", "params")) <= {"all"}

    # written by a machine whose clock is ahead, read by one whose clock is not
    similarity = copy.folder / "out/small/conv_2/similarity.parquet"
    before = similarity.read_bytes()
    cavs = copy.folder / "out/small/conv_2/cavs/mixed.parquet"
    os.utime(cavs, (ahead, ahead))
    wanted = ["--force", "out/small/conv_2/similarity.parquet"]
    refused = copy.snakemake(*wanted)
    assert refused.returncode != 0
    assert "mixed.parquet" in refused.stdout
    assert "This could indicate a clock skew problem" in refused.stdout
    # the remedy of docs/faults.md
    cavs.touch()
    result = copy.snakemake(*wanted)
    assert result.returncode == 0, result.stdout
    assert similarity.read_bytes() == before


#: what a step renames to its final name is not there for some seconds, as for another node
LATE = """
import os, subprocess, sys

if "tpcav_core" in sys.orig_argv:
    rename = os.replace

    def replace(source, target):
        rename(source, f"{target}.late")
        appear = ["sh", "-c", 'sleep 4; mv -- "$1.late" "$1"', "sh", target]
        none = subprocess.DEVNULL
        subprocess.Popen(appear, start_new_session=True, stdout=none, stderr=none)

    os.replace = replace
"""


def test_files_that_are_seen_late_are_waited_for(study, finished, tmp_path):
    """A network file system's delay, simulated where a step renames its finished file."""
    (tmp_path / "sitecustomize.py").write_text(LATE)
    wanted = "out/small/concepts/boxes-0000.parquet"
    impatient = study.snakemake("--latency-wait", "1", wanted, modules=tmp_path)
    assert impatient.returncode != 0
    # what docs/faults.md says
    assert "Missing files after 1 seconds" in impatient.stdout
    assert "--latency-wait" in impatient.stdout
    patient = study.snakemake("--latency-wait", "30", wanted, modules=tmp_path)
    assert patient.returncode == 0, patient.stdout
    for path in (wanted, "out/genome/genome.arrow"):
        assert (study.folder / path).read_bytes() == (finished.folder / path).read_bytes()
    assert not list(study.folder.glob("out/**/*.late"))


@pytest.mark.parametrize("damage", ["cut", "older"])
def test_a_file_that_cannot_be_trusted_is_named_with_the_remedy(copy, damage, monkeypatch):
    path = copy.folder / "out/small/conv_2/cavs/mixed.parquet"
    stat = path.stat()
    if damage == "cut":
        path.write_bytes(path.read_bytes()[:200])
    else:
        table = files.read_parquet(path, "cavs")
        monkeypatch.setitem(files.FORMATS, "cavs", files.FORMATS["cavs"] - 1)
        files.write_parquet(table, path, "cavs", {})
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    (copy.folder / "out/small/conv_2/similarity.parquet").unlink()
    result = copy.snakemake("out/small/conv_2/similarity.parquet")
    assert result.returncode != 0
    assert "out/small/conv_2/cavs/mixed.parquet: " in result.stdout
    assert "delete it and run the workflow again" in result.stdout
    assert "Traceback" not in result.stdout
    # the remedy works: the activations of its chunk are made again, and all that is trained on them
    path.unlink()
    planned = copy.planned("out/small/conv_2/similarity.parquet")
    assert planned == {"activations": 1, "cavs": 3, "similarity": 1}


def test_a_batch_or_chunk_that_is_not_there_is_named(copy):
    for path in ("small/conv_2/cavs/mixd.parquet", "small/concepts/motif-0000.parquet"):
        result = copy.snakemake("--dry-run", f"out/{path}")
        assert result.returncode != 0
        assert "in this configuration; did you mean" in result.stdout


def test_editing_a_module_reruns_its_own_steps(copy, tmp_path):
    checkout = tmp_path / "checkout"
    checkout.mkdir()
    for name in ("Snakefile", "workflow", "profiles", "tpcav_core", "config"):
        source = ROOT / name
        (shutil.copy if source.is_file() else shutil.copytree)(source, checkout / name)
    command = Study(copy.folder)

    def planned() -> dict[str, int]:
        return command.planned(snakefile=checkout / "Snakefile")

    assert planned() == {}
    expected = {
        "commands/similarity.py": {"similarity"},
        "significance.py": set(),
        "deeplift/rules.py": {"attributions", "scores", "sites", "probe"},
    }
    last = {"summary", "figures", "report", "all"}
    for file, rules in expected.items():
        path = checkout / "tpcav_core" / file
        text = path.read_text()
        path.write_text(text + "\n# edited\n")
        assert set(planned()) == rules | last, file
        path.write_text(text)
