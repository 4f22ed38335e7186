"""The profile that makes `snakemake --profile slurm` work on a cluster."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tpcav_core.commands import main
from tpcav_core.errors import InputError
from tpcav_core.slurm_profile import SETTINGS, write_profile

ROOT = Path(__file__).parents[2]


def read(folder: Path) -> dict:
    return yaml.safe_load((folder / "config.yaml").read_text())


def test_nothing_but_what_was_given_is_said_about_the_site(tmp_path):
    content = read(write_profile(folder=tmp_path))
    assert content["executor"] == "slurm"
    assert content["default-resources"] == {"mem_mb": 2000, "runtime": 60}
    content = read(write_profile("b", partition="cpu", account="lab", folder=tmp_path))
    # quoted twice: Snakemake evaluates what it reads
    assert content["default-resources"]["slurm_partition"] == "'cpu'"
    assert content["default-resources"]["slurm_account"] == "'lab'"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["b", "slurm"]


def test_a_gpu_partition_is_for_jobs_that_ask_for_one(tmp_path):
    folder = write_profile(partition="cpu", gpu_partition="007", folder=tmp_path)
    assert read(folder)["slurm-partition-config"] == "partitions.yaml"
    assert "slurm_partition" not in read(folder)["default-resources"]
    there = yaml.safe_load((folder / "partitions.yaml").read_text())["partitions"]
    assert there["cpu"]["max_gpu"] == 0
    assert there["007"]["max_gpu"] > 0
    write_profile(partition="cpu", folder=tmp_path, overwrite=True)
    assert [path.name for path in folder.iterdir()] == ["config.yaml"]
    with pytest.raises(InputError, match="give the partition of the other jobs as well"):
        write_profile("b", gpu_partition="gpu", folder=tmp_path)


def test_a_profile_that_is_there_is_kept(tmp_path):
    folder = write_profile(partition="mine", folder=tmp_path)
    before = (folder / "config.yaml").read_bytes()
    with pytest.raises(InputError, match="is there already; give --overwrite"):
        write_profile(partition="other", folder=tmp_path)
    assert (folder / "config.yaml").read_bytes() == before
    write_profile(partition="other", folder=tmp_path, overwrite=True)
    assert read(folder)["default-resources"]["slurm_partition"] == "'other'"


@pytest.mark.parametrize("value", ["a b", "$(touch x)", "a'b", "a\nb", "-p", "../x", "é"])
@pytest.mark.parametrize("option", ["name", "partition", "account", "gpu_partition"])
def test_what_slurm_could_not_mean_is_refused(tmp_path, option, value):
    given = {"partition": "cpu", option: value}
    with pytest.raises(InputError, match="expected letters, digits"):
        write_profile(folder=tmp_path, **given)
    assert list(tmp_path.iterdir()) == []


def test_snakemake_finds_the_profile_by_its_name(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    # names that Snakemake would evaluate, were they not quoted
    assert main(["profile", "--name", "site", "--partition", "input", "--account", "1e5"]) == 0
    assert "snakemake --profile site" in capsys.readouterr().out
    assert main(["profile", "--name", "site"]) == 2
    rule = "rule only:\n    output: 'x'\n    shell: 'touch {output}'\n"
    (tmp_path / "Snakefile").write_text(rule)
    done = subprocess.run(
        [sys.executable, "-m", "snakemake", "--profile", "site", "--dry-run"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": ""},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    line = next(line for line in done.stdout.splitlines() if "resources: " in line)
    assert {"slurm_partition=input", "slurm_account=1e5", "runtime=60"} <= set(
        line.strip().removeprefix("resources: ").split(", ")
    )


def test_the_profile_of_the_workflow_agrees(tmp_path):
    """profiles/slurm is what the command writes, and all that profiles/default has."""
    whole, default = (
        yaml.safe_load((ROOT / "profiles" / name / "config.yaml").read_text())
        for name in ("slurm", "default")
    )
    assert whole == {**read(write_profile(folder=tmp_path)), **default}
    assert SETTINGS.items() <= whole.items()
    # a key of profiles/default would hide the same key of the site's profile
    assert not {"default-resources", "executor", *SETTINGS} & set(default)
