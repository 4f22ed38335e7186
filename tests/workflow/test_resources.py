"""What jobs ask for on one machine, and that those with a GPU take turns."""

from __future__ import annotations

import os
import re
import subprocess
import sys

import pytest

from .conftest import ROOT

pytestmark = pytest.mark.slow

TWO_STEPS = """
resource_scopes:
    gpu="local",

rule all:
    input:
        "a.txt",
        "b.txt",

rule step:
    output:
        "{name}.txt",
    resources:
        gpu=1,
    shell:
        "echo start >>order; sleep 1; echo end >>order; touch {output}"
"""


def test_steps_that_use_the_gpu_take_turns(tmp_path):
    (tmp_path / "Snakefile").write_text(TWO_STEPS)
    command = [sys.executable, "-m", "snakemake", "--cores", "2", "--workflow-profile"]
    for extra, order in (([], "start end start end"), (["gpu=2"], "start start end end")):
        done = subprocess.run(
            [*command, str(ROOT / "profiles/default"), *(["--resources", *extra] if extra else [])],
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": ""},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        assert (tmp_path / "order").read_text().split() == order.split()
        for name in ("a.txt", "b.txt", "order"):
            (tmp_path / name).unlink()


def test_only_steps_that_can_use_a_gpu_ask_for_one(study):
    devices = {"small": "cuda", "second": "cpu"}

    def choose(config):
        for model, device in devices.items():
            config["models"][model]["device"] = device

    study.configure(choose)
    done = study.snakemake("--dry-run", "--forceall")
    assert done.returncode == 0, done.stdout
    asked = set()
    for job in done.stdout.split("\n\n"):
        for text in re.findall(r"rule (\w+):\n((?:\s{4,}.*\n?)+)", job):
            model = re.search(r"wildcards: model=(\w+)", text[1])
            gpu = re.search(r"\bgpu=(\d)", text[1])
            if model and gpu:
                asked.add((model[1], text[0], int(gpu[1])))
    steps = ("activations", "control_activations", "sample", "attributions", "planting", "sites")
    assert asked == {(model, step, int(model == "small")) for model in devices for step in steps}
