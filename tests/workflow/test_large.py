"""Thousands of concepts: what a dry run and the command lines are then."""

from __future__ import annotations

import shlex
import subprocess
import sys

import numpy as np
import pytest

from .conftest import ROOT

#: bytes of one word of a command line that Linux takes; all words together may have 16 times that
WORD = 128 * 1024
#: with so few, and paths that are long instead, the dry run is short
MOTIFS = 150


@pytest.mark.slow
def test_commands_of_a_large_study_stay_short(study):
    rng = np.random.default_rng(0)
    parts = ["MEME version 4\n\nALPHABET= ACGT\n"]
    for number in range(MOTIFS):
        matrix = rng.dirichlet(np.ones(4), 8)
        rows = "\n".join(" ".join(f"{value:.6f}" for value in row) for row in matrix)
        parts.append(f"\nMOTIF M{number}\nletter-probability matrix: w= 8\n{rows}\n")
    (study.folder / "motifs.meme").write_text("".join(parts))

    def change(config):
        config.update(results="a_folder_of_a_long_name/" * 40 + "out", compare_methods=True)
        del config["concepts"]["boxes"], config["models"]["second"]
        config["models"]["small"]["layers"] = ["conv_2"]
        config["jobs"] = {"concepts_per_activation_job": 50}
        config["contributions"] = {"all": {"concepts": ["*"]}}

    study.configure(change)
    result = study.snakemake("--dry-run", "--printshellcmds")
    assert result.returncode == 0, result.stdout
    commands = {}
    for line in result.stdout.splitlines():
        if "python3 -m tpcav_core" in line:
            words = shlex.split(line)
            assert words.count("|") <= 1
            # `printf` is the shell's own: no program is started with what it prints
            started = words[words.index("|") + 1 if "|" in words else 0 :]
            commands.setdefault(started[started.index("tpcav_core") + 1], []).append(
                (line, started)
            )
    # one permutation of each motif, trained chunk by chunk
    assert len(commands["cavs"]) == 2 * (MOTIFS + MOTIFS // 50)
    for step, lines in commands.items():
        assert max(len(started) for _, started in lines) < 32_000, step
    # what this is about: in one word these would not start
    for step in ("similarity", "scores", "methods", "contributions", "sites", "summary"):
        assert max(len(line) for line, _ in commands[step]) > WORD, step


def test_more_words_than_a_system_takes_come_by_the_standard_input(tmp_path):
    names = [f"{'none' * 20}{number}.parquet" for number in range(40_000)]
    words = " ".join(names)
    assert len(words) > 16 * WORD
    start = [sys.executable, "-m", "tpcav_core", "similarity"]
    with pytest.raises(OSError, match="too long"):
        subprocess.run([*start, "--cavs", *names], check=False)
    script = tmp_path / "script.sh"
    end = "--output out.parquet --threads 1"
    script.write_text(f"printf '%s\\0' --cavs {words} | {shlex.join([*start, '@-'])} {end}")
    result = subprocess.run(
        ["bash", script], cwd=ROOT, check=False, stderr=subprocess.PIPE, text=True
    )
    assert result.returncode == 2
    assert result.stderr.startswith(f"error: {names[0]}: no such file")
