"""The workflow as a part of another: as a module, from a checkout or a repository, and deployed."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from .conftest import ROOT, Study

pytestmark = pytest.mark.slow

OWN = """
configfile: "config.yaml"


module tpcav:
    snakefile:
        "{snakefile}"
    config:
        {{**config, "results": "paper/tpcav", "seed": 11}}


use rule * from tpcav as tpcav_*


use rule genome from tpcav as tpcav_genome with:
    priority: 50


rule count:
    default_target: True
    input:
        rules.tpcav_catalogue.output.tsv,
    output:
        "paper/count.txt",
    shell:
        "wc -l < {{input:q}} > {{output:q}}"
"""


SECOND = """

module second:
    snakefile:
        "{snakefile}"
    config:
        {{
            **config["tpcav"],
            "results": "results/second",
            "models": {{"other": config["tpcav"]["models"]["seed_1"]}},
        }}


use rule * from second exclude demo as second_*


rule compare:
    input:
        rules.tpcav_summary.output,
        rules.second_summary.output,
"""


def snakemake(
    folder: Path, *options: str, cache: Path | None = None
) -> subprocess.CompletedProcess[str]:
    environment = {
        **os.environ,
        "PYTHONPATH": "",
        **({"XDG_CACHE_HOME": str(cache)} if cache else {}),
    }
    return subprocess.run(
        [sys.executable, "-m", "snakemake", "--cores", "2", *options],
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )


def test_another_workflow_imports_renames_and_overrides(study: Study) -> None:
    # one model and one set are enough to see rules at work
    study.configure(
        lambda config: (config["models"].pop("second"), config["concepts"].pop("boxes"))
    )
    (study.folder / "Snakefile").write_text(OWN.format(snakefile=ROOT / "Snakefile"))
    done = snakemake(study.folder)
    assert done.returncode == 0, done.stdout
    # its own target, not the module's
    assert set(re.findall(r"^(?:local)?rule (\w+):", done.stdout, re.MULTILINE)) == {
        "tpcav_genome", "tpcav_concepts", "tpcav_controls", "tpcav_catalogue", "count"
    }  # fmt: skip
    assert "priority: 50" in done.stdout
    catalogue = pd.read_csv(study.folder / "paper/tpcav/catalogue.tsv", sep="\t")
    assert int((study.folder / "paper/count.txt").read_text()) == len(catalogue) + 1
    # nothing went where the configuration file has it
    assert not (study.folder / "out").exists()


def test_a_prefix_is_refused_with_the_remedy(study: Study) -> None:
    text = OWN.format(snakefile=ROOT / "Snakefile").replace(
        "    config:", '    prefix: "x"\n    config:'
    )
    (study.folder / "Snakefile").write_text(text)
    done = snakemake(study.folder, "--dry-run")
    assert done.returncode != 0
    assert "module: found prefix or replace_prefix, expected neither" in done.stdout
    assert "key results" in done.stdout


@pytest.fixture(scope="module")
def hosted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache in which Snakemake finds the repository as if it had cloned it from a host."""
    folder = tmp_path_factory.mktemp("hosted")
    work = folder / "work"
    for name in ("config", "workflow"):
        shutil.copytree(ROOT / name, work / name)
    shutil.copy(ROOT / "Snakefile", work)
    clone = "snakemake/snakemake/source-cache/snakemake-git-cache/github.com/OWNER/tpcav-workflow"
    who = ["-c", "user.name=test", "-c", "user.email=test@localhost"]
    for command in (
        ["init", "--quiet"],
        ["add", "."],
        [*who, "commit", "--quiet", "--message", "all"],
        ["tag", "v0.1.0"],
        ["tag", "vX.Y.Z"],
        ["clone", "--quiet", "--bare", ".", str(folder / clone)],
    ):
        subprocess.run(["git", *command], cwd=work, check=True, capture_output=True)
    return folder


def planned(done: subprocess.CompletedProcess[str]) -> int:
    assert done.returncode == 0, done.stdout
    return int(re.search(r"^total +(\d+)", done.stdout, re.MULTILINE)[1])


def test_the_pipeline_of_the_guide_plans_the_study_and_its_figure(
    hosted: Path, tmp_path: Path
) -> None:
    text = (ROOT / "docs/howto/paper-pipeline.md").read_text(encoding="utf-8")
    for name, block in re.findall(r"^```\w+\n# (\S+)\n(.*?)^```", text, re.MULTILINE | re.DOTALL):
        (tmp_path / name).write_text(block)
    for name in ("hg38.fa.gz", "model.py", "seed_1.pt", "k562.bed"):
        (tmp_path / name).touch()
    shutil.copy(ROOT / "config/demo/motifs.meme", tmp_path)
    # a second study beside it, from a checkout
    with (tmp_path / "Snakefile").open("a") as file:
        file.write(SECOND.format(snakefile=ROOT / "Snakefile"))
    done = snakemake(tmp_path, "--dry-run", "figure_3", "compare", cache=hosted)
    jobs = dict(re.findall(r"^(\w+) +(\d+)$", done.stdout, re.MULTILINE))
    assert planned(done) > 30
    assert jobs["figure_3"] == "1"
    assert int(jobs["tpcav_cavs"]) > 10
    assert jobs["second_cavs"] == jobs["tpcav_cavs"]
    assert "results/second/other/7/cavs/" in done.stdout


def test_deployed_it_plans_the_demo(hosted: Path, tmp_path: Path) -> None:
    # what `snakedeploy deploy-workflow` writes
    shutil.copytree(ROOT / "config", tmp_path / "config")
    (tmp_path / "workflow").mkdir()
    (tmp_path / "workflow/Snakefile").write_text(
        'configfile: "config/config.yaml"\n\n'
        "module tpcav_workflow:\n    snakefile:\n"
        '        github("OWNER/tpcav-workflow", path="workflow/Snakefile", tag="v0.1.0")\n'
        "    config:\n        config\n\n"
        "use rule * from tpcav_workflow\n"
    )
    done = snakemake(tmp_path, "--dry-run", cache=hosted)
    assert planned(done) > 30
    assert "rule all:" in done.stdout
