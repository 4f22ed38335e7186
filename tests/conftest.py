"""What tests share."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from filelock import FileLock

from tpcav_core.genome import Genome, read_genome
from tpcav_core.sampling import Sampling
from tpcav_core.splits import assign_folds
from tpcav_core.starts import available_starts


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of the real data, or a skip that says where it was looked for."""
    beside = Path(__file__).resolve().parents[2] / "shared" / "data"
    folder = Path(os.environ.get("TPCAV_DATA") or beside)
    if not folder.is_dir():
        pytest.skip(f"no real data at {folder}; set TPCAV_DATA to the folder that has them")
    return folder


def made_once(factory: pytest.TempPathFactory, name: str, make: Callable[[Path], object]) -> Path:
    """Return a folder that one test process makes for all, where a fixture is made in each."""
    base = factory.getbasetemp()
    folder = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / name
    with FileLock(f"{folder}.lock"):
        if not folder.exists():
            begun = folder.with_name(f"{name}.begun")
            make(begun)
            begun.rename(folder)
    return folder


@pytest.fixture(scope="session", autouse=True)
def one_thread() -> None:
    """Small tensors gain nothing from threads, and lose much where tests run side by side."""
    torch.set_num_threads(1)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put slow tests first, as many in each process's share; quick ones fill the time that is left.

    Those on a real Slurm mostly wait, and only one can have it: they are in the first share.
    """

    def slowness(item: pytest.Item) -> int:
        slow = item.get_closest_marker("slow")
        if slow is None:
            return 0
        return 3 if item.get_closest_marker("slurm") else 1 + bool(slow.kwargs.get("minutes"))

    items.sort(key=slowness, reverse=True)
    alone = sum(slowness(item) == 3 for item in items)
    # pytest-xdist gives each process a share of neighbours
    shares = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", 1))
    rest = items[alone:]
    items[alone:] = [item for first in range(shares) for item in rest[first::shares]]


WINDOW = 64
NETWORK = '''
"""A convolutional network for 64 bp."""

import torch
from torch import nn


def build(seed=0, inplace=False):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return nn.Sequential(
            nn.Conv1d(4, 6, 7, padding=3),
            nn.ReLU(inplace=inplace),
            nn.MaxPool1d(4),
            nn.Flatten(),
            nn.Linear(96, 8),
            nn.ReLU(inplace=inplace),
            nn.Linear(8, 2),
        )
'''


def contig(name: str, length: int, rng: np.random.Generator) -> str:
    letters = np.array(list("ACGT"))[rng.integers(0, 4, length)]
    return f">{name}\n{''.join(letters)}\n"


@pytest.fixture(scope="session")
def toy_fasta(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two contigs of 40 and 25 kb, one of them with a run of N, and one of 50 bp."""
    rng = np.random.default_rng(20)
    text = contig("chrA", 40_000, rng)
    text = text[:10_000] + "N" * 2_000 + text[12_000:]
    path = tmp_path_factory.mktemp("genome") / "toy.fa"
    path.write_text(text + contig("chrB", 25_000, rng) + contig("tiny", 50, rng))
    return path


@pytest.fixture(scope="session")
def toy_genome(toy_fasta: Path) -> Genome:
    return read_genome(toy_fasta)


@pytest.fixture(scope="session")
def toy_meme(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three motifs of 6, 8 and 5 bp, whose names are not safe as file names."""
    rng = np.random.default_rng(21)
    parts = ["MEME version 4\n\nALPHABET= ACGT\n"]
    for label, width in (("A:one/x", 6), ("B,two", 8), ("C.three", 5)):
        rows = rng.dirichlet(np.full(4, 0.2), width)
        lines = "\n".join(" ".join(f"{value:.6f}" for value in row) for row in rows)
        parts.append(f"\nMOTIF {label}\nletter-probability matrix: w= {width}\n{lines}\n")
    path = tmp_path_factory.mktemp("motifs") / "toy.meme"
    path.write_text("".join(parts))
    return path


@pytest.fixture(scope="session")
def toy_network(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file whose ``build`` returns a ReLU network for windows of 64 bp, with two outputs."""
    path = tmp_path_factory.mktemp("network") / "network.py"
    path.write_text(NETWORK)
    return path


@pytest.fixture(scope="session")
def toy_sampling(toy_genome: Genome) -> Callable[..., Sampling]:
    """Make a `Sampling` of windows of 64 bp: n examples, seed."""

    def make(n: int = 60, *, seed: int = 1, test_fraction: float = 0.25) -> Sampling:
        starts, lost = available_starts(toy_genome, WINDOW, block_length=16 * WINDOW)
        folds = assign_folds(starts, seed=seed, test_fraction=test_fraction, folds=3)
        block = 16 * WINDOW
        return Sampling(
            starts, folds, lost, WINDOW, n, test_fraction, seed, fold_count=3, block=block
        )

    return make
