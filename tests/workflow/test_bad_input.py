"""Every unusable input ends the run with one line that says what, where and what to do.

Before any step that needs a GPU, with an exit status that is not 0, and nothing half-written.
"""

from __future__ import annotations

import gzip
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from .conftest import lean

pytestmark = pytest.mark.slow

MEME = "MEME version 4\n\nALPHABET= ACGT\n\n"
ROWS = """letter-probability matrix: alength= 4 w= 2 nsites= 20 E= 0
 0.7 0.1 0.1 0.1
 0.1 0.1 0.1 0.7
"""
MODELS = {
    "object_layer": """
from types import SimpleNamespace
import torch
class Pair(torch.nn.Module):
    def forward(self, x):
        return SimpleNamespace(a=x.mean(2))
class Net(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.pair, self.idle, self.out = Pair(), torch.nn.Linear(4, 4), torch.nn.Linear(4, 1)
    def forward(self, x):
        return self.out(self.pair(x).a)
build = Net
""",
    "nan": """
import torch
class Net(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.out = torch.nn.Flatten(), torch.nn.Linear(512, 1)
    def forward(self, x):
        return self.out(self.first(x).log())
build = Net
""",
}


def config(**changes: Any) -> Callable[[Path, dict[str, Any]], None]:
    """Change keys of the configuration, named as section__key__key."""

    def change(folder: Path, content: dict[str, Any]) -> None:
        for name, value in changes.items():
            *sections, key = name.split("__")
            place = content
            for section in sections:
                place = place.setdefault(section, {})
            place[key] = value

    return change


def text(file: str, content: str | bytes, **changes: Any) -> Callable[[Path, dict[str, Any]], None]:
    """Write a file of the study, then change the configuration."""

    def change(folder: Path, content_of: dict[str, Any]) -> None:
        data = content.encode() if isinstance(content, str) else content
        (folder / file).write_bytes(data)
        config(**changes)(folder, content_of)

    return change


def own_model(name: str, layer: str) -> Callable[[Path, dict[str, Any]], None]:
    """Replace the models by one of `MODELS`, untrained."""
    entry = {"factory": "own.py:build", "weights": None, "window": 128, "layers": [layer]}
    return text("own.py", MODELS[name], models={"own": entry})


def other_weights(folder: Path, content: dict[str, Any]) -> None:
    """Save weights of another network."""
    torch.save({"conv_1.0.weight": torch.zeros(3, 3), "head": torch.zeros(1)}, folder / "data/w.pt")
    content["models"]["small"]["weights"] = "data/w.pt"


CASES = {
    "no FASTA": (config(genome__fasta="data/hg99.fa"), ["data/hg99.fa", "no file", "correct the"]),
    "FASTA gzipped, not bgzipped": (
        text("data/genome.fa.gz", gzip.compress(b">chrA\nACGT\n")),
        ["data/genome.fa.gz", "bgzip"],
    ),
    "chromosome not in the FASTA": (
        config(genome__chromosomes=["chrA", "chrC"]),
        ["chrC", "did you mean"],
    ),
    "test chromosome that the genome does not have": (
        config(split={"test_chromosomes": ["chrA2"]}),
        ["split.test_chromosomes", "chrA2", "did you mean 'chrA'"],
    ),
    "blocks in a split by chromosomes": (
        config(split={"by": "chromosomes", "block_length": 4096}),
        ["split.block_length", "4096", "leave it out"],
    ),
    "too few examples to test": (
        config(examples__per_concept=20, split={"test_fraction": 0.05}),
        ["split.test_fraction", "1 of 20 examples", "raise it or examples.per_concept"],
    ),
    "unknown classifier": (
        config(cavs={"classifier": "svn"}),
        ["cavs.classifier", "'svn'", "'ridge', 'svm'"],
    ),
    "classifier without the norm": (
        config(cavs={"norm": "l1"}),
        ["cavs.norm", "classifier ridge", "use classifier logistic or sgd"],
    ),
    "window longer than every contig": (
        config(models__small__window=300_000),
        ["300000", "contig"],
    ),
    "fewer regions than asked": (
        config(examples__per_concept=900_000),
        ["720000", "ask for fewer"],
    ),
    "malformed MEME": (text("motifs.meme", "MOTIF a\n0.1 0.2\n"), ["motifs.meme", "MEME version"]),
    "MEME without motifs": (text("motifs.meme", MEME), ["motifs.meme", "no motif"]),
    "MEME rows that do not sum to 1": (
        text("motifs.meme", MEME + "MOTIF a\n" + ROWS.replace("0.7", "0.9")),
        ["motifs.meme", "sum"],
    ),
    "two motifs of one name": (
        text("motifs.meme", MEME + ("MOTIF twice\n" + ROWS) * 2),
        ["motifs.meme", "twice"],
    ),
    "copies that do not fit": (
        config(concepts__motifs__copies=[40]),
        ["40 copies", "128 bp", "fewer copies"],
    ),
    "BED unknown chromosome": (
        text("data/peaks.bed", "chr7\t500\t900\n"),
        ["peaks.bed", "chr7"],
    ),
    "factory that cannot be imported": (
        text("model.py", "import no_such_package\n"),
        ["model.py", "no_such_package"],
    ),
    "weights of another network": (
        other_weights,
        ["data/w.pt", "conv_1.0.weight", "missing", "head"],
    ),
    "layer that does not exist": (
        config(models__small__layers=["conv2"]),
        ["conv2", "did you mean 'conv_2'"],
    ),
    "layer never called": (own_model("object_layer", "idle"), ["idle", "never called"]),
    "layer without a tensor": (own_model("object_layer", "pair"), ["pair", "SimpleNamespace"]),
    "model that gives NaN": (own_model("nan", "first"), ["NaN", "own"]),
    "unknown key": (config(genome__fast="x"), ["genome", "'fast'", "did you mean 'fasta'"]),
    "a number of nulls below 0": (
        config(statistics__random_nulls=-1),
        ["statistics.random_nulls", "-1", "minimum of 0"],
    ),
    "a number of permutations below 0": (
        config(statistics__permutations_per_motif=-1),
        ["statistics.permutations_per_motif", "-1", "minimum of 0"],
    ),
    "a level that everything reaches": (
        config(statistics__alpha=1.5),
        ["statistics.alpha", "1.5", "maximum of 1"],
    ),
    "a statistic that decides nothing": (
        config(statistics__statistic="score"),
        ["statistics.statistic", "'score'", "'effect', 'derivative'"],
    ),
    "an effect larger than the largest": (
        config(statistics__minimum_effect=1),
        ["statistics.minimum_effect", "1", "share of the largest"],
    ),
    "unknown key of statistics": (
        config(statistics__random_null=20),
        ["statistics", "'random_null'", "did you mean 'random_nulls'"],
    ),
    "concept that is not there": (
        config(concepts__motifs__select=["mixd"]),
        ["mixd", "did you mean 'mixed'"],
    ),
}


#: found by a job of the run; the others when the configuration is read
FOUND_BY_JOBS = {
    "FASTA gzipped, not bgzipped",
    "chromosome not in the FASTA",
    "test chromosome that the genome does not have",
    "window longer than every contig",
    "fewer regions than asked",
    "BED unknown chromosome",
    "factory that cannot be imported",
    "weights of another network",
    "layer that does not exist",
    "layer never called",
    "layer without a tensor",
    "model that gives NaN",
}


def spoilt(study, name):
    """Change a study as a case says; return what is expected of the message."""
    change, expected = CASES[name]
    content = study.config
    change(study.folder, content)
    study.configure(lambda current: (current.clear(), current.update(content)))
    return expected


@pytest.mark.parametrize("name", sorted(CASES.keys() - FOUND_BY_JOBS))
def test_unusable_input_is_one_line_when_the_configuration_is_read(study, name):
    study.unreadable(spoilt(study, name))


@pytest.mark.parametrize("name", ["no FASTA", "unknown key", *sorted(FOUND_BY_JOBS)])
def test_unusable_input_is_one_line_before_any_work(study, name):
    study.configure(lean)
    written = study.refused(spoilt(study, name))
    assert not [path for path in written if "activations" in path.parts or "basis" in path.parts]
