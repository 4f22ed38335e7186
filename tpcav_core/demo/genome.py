"""A simulated genome of human-like composition."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from ..genome import LETTERS, UNKNOWN, Genome, assemble

#: GC content is constant over this many bp and moves in small steps from one to the next
STEP = 1_000
#: bp between the places where the GC content is drawn: human isochores, scaled to a few Mb
ISOCHORE = 80_000
#: observed / expected frequency of the dinucleotides of human DNA, rows first base, in ACGT order
_DINUCLEOTIDES = np.array(
    [
        [1.12, 0.84, 1.16, 0.87],
        [1.20, 1.22, 0.22, 1.16],
        [1.02, 1.0, 1.22, 0.84],
        [0.73, 1.02, 1.20, 1.12],
    ]
)
_C, _G = 1, 2
_FOLD = 80


@dataclass(frozen=True)
class Shape:
    """What a simulated genome is like.

    Attributes:
        lengths: bp of each contig, telomeres and gaps included.
        gc: lowest and highest GC content of an isochore.
        cpg: observed / expected frequency of CpG.
        unknown: share of each contig that is N.
        masked: share of the known bases in lower case.
    """

    lengths: dict[str, int] = field(
        default_factory=lambda: {"chr1": 2_500_000, "chr2": 2_000_000, "chr3": 1_500_000}
    )
    gc: tuple[float, float] = (0.35, 0.55)
    cpg: float = 0.22
    unknown: float = 0.05
    masked: float = 0.40


def simulate_genome(shape: Shape, rng: np.random.Generator) -> tuple[Genome, np.ndarray]:
    """Draw a genome.

    Returns:
        The genome, and (total,) bool: which of its bases are soft-masked.
    """
    codes, masks = [], []
    for length in shape.lengths.values():
        contig = _bases(_gc_content(length, shape.gc, rng), shape.cpg, rng)[:length]
        for start, end in _gaps(length, shape.unknown, rng):
            contig[start:end] = UNKNOWN
        codes.append(contig)
        masks.append(_masked(length, shape.masked, rng) & (contig != UNKNOWN))
    genome = assemble(tuple(shape.lengths), tuple(shape.lengths.values()), np.concatenate(codes))
    return genome, np.concatenate(masks)


def _gc_content(length: int, limits: tuple[float, float], rng: np.random.Generator) -> np.ndarray:
    """Return (steps,) the GC content of each `STEP`: smooth between the centres of isochores."""
    steps = -(-length // STEP)
    low, high = limits
    # Beta(1, 2): much more GC-poor than GC-rich sequence, as in the human genome (mean 0.41).
    centres = low + (high - low) * rng.beta(1.0, 2.0, 2 + length // ISOCHORE)
    content: np.ndarray = np.interp(
        np.arange(steps) * STEP / ISOCHORE, np.arange(len(centres)), centres
    )
    return content


def _dinucleotides(gc: np.ndarray, cpg: float) -> np.ndarray:
    """Return (steps, 4, 4) the frequency of each dinucleotide, the same on both strands.

    CpG is set; the others are fitted to the base composition by iterative proportional scaling,
    which keeps their odds near those of human DNA.
    """
    base = np.stack([1 - gc, gc, gc, 1 - gc], axis=1) / 2
    pairs = base[:, :, None] * base[:, None, :] * _DINUCLEOTIDES
    fixed = cpg * base[:, _C] * base[:, _G]
    first, second = base.copy(), base.copy()
    first[:, _C] -= fixed
    second[:, _G] -= fixed
    pairs[:, _C, _G] = 0
    for _ in range(50):
        pairs *= (first / pairs.sum(axis=2))[:, :, None]
        pairs *= (second / pairs.sum(axis=1))[:, None, :]
    pairs[:, _C, _G] = fixed
    return np.asarray(pairs)


def _bases(gc: np.ndarray, cpg: float, rng: np.random.Generator) -> np.ndarray:
    """Return (steps * STEP,) uint8 codes: a first-order Markov chain in each step.

    All chains advance together, one base at a time; each starts with a base of its composition.
    """
    pairs = _dinucleotides(gc, cpg)
    limits = np.cumsum(pairs / pairs.sum(axis=2, keepdims=True), axis=2)[:, :, :3]
    chains = np.arange(len(gc))
    codes = np.empty((STEP, len(gc)), np.uint8)
    start = np.cumsum(pairs.sum(axis=2), axis=1)[:, :3]
    codes[0] = (rng.random((len(gc), 1)) >= start).sum(axis=1)
    for position in range(1, STEP):
        drawn = rng.random((len(gc), 1))
        codes[position] = (drawn >= limits[chains, codes[position - 1]]).sum(axis=1)
    return codes.T.ravel()


def _gaps(length: int, share: float, rng: np.random.Generator) -> list[tuple[int, int]]:
    """Return spans of N: two telomeres, one gap as at a centromere, five short ones."""
    unknown = share * length
    telomere, centromere, short = (round(part * unknown) for part in (0.1, 0.6, 0.04))
    middle = round(rng.uniform(0.3, 0.5) * length)
    # One short gap in each fifth of the right arm, so that none touches another.
    room = length - telomere - (middle + centromere)
    fifth = room // 5
    places = middle + centromere + fifth * np.arange(5) + rng.integers(1, fifth - short, 5)
    return [
        (0, telomere),
        (middle, middle + centromere),
        *((int(place), int(place) + short) for place in places),
        (length - telomere, length),
    ]


def _masked(length: int, share: float, rng: np.random.Generator) -> np.ndarray:
    """Return (length,) bool: runs of soft-masked bases with gaps between, as repeats leave them."""
    mean = 400.0
    runs = 4 + 2 * int(2 * share * length / mean)
    means = np.where(np.arange(runs) % 2, mean, mean * (1 - share) / share)
    ends = np.cumsum(1 + rng.exponential(means).astype(np.int64))
    run = np.searchsorted(ends, np.arange(length), side="right")
    return np.asarray(run % 2 == 1)


def write_fasta(genome: Genome, masked: np.ndarray, path: Path) -> None:
    """Write a genome as bgzip-compressed FASTA, soft-masked bases in lower case."""
    from Bio.bgzf import BgzfWriter

    with BgzfWriter(path, "wb") as file:  # type: ignore[no-untyped-call]
        for part in _fasta_records(genome, masked):
            file.write(part)


def _fasta_records(genome: Genome, masked: np.ndarray) -> Iterator[bytes]:
    letters = np.frombuffer((LETTERS + LETTERS.lower()).encode(), np.uint8)
    for name, offset, length in zip(genome.names, genome.offsets, genome.lengths, strict=True):
        here = slice(offset, offset + length)
        text = letters[genome.codes[here] + len(LETTERS) * masked[here]]
        whole = length // _FOLD * _FOLD
        lines = np.full((whole // _FOLD, _FOLD + 1), ord("\n"), np.uint8)
        lines[:, :_FOLD] = text[:whole].reshape(-1, _FOLD)
        rest = text[whole:].tobytes()
        yield f">{name}\n".encode() + lines.tobytes() + (rest + b"\n" if rest else b"")
