"""Labels with a known truth: motifs planted into a simulated genome, and what follows from them."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from ..errors import InputError, suggest
from ..genome import UNKNOWN, Genome, reverse_complement
from ..motifs import Motif
from ..seeds import generator
from .genome import Shape, simulate_genome

#: mean number of clusters of each motif in a window; the same for all motifs
CLUSTERS_PER_WINDOW = 0.15
#: sites of a cluster: homotypic clusters, as regulatory elements have them, are learned in seconds
SITES_PER_CLUSTER = 4
#: logit of the label of a window without sites
INTERCEPT = -1.5

_SIGNS = {"activator": 1, "repressor": -1, "decoy": 0}
_COLUMNS = ["motif", "role", "strength"]


class Role(NamedTuple):
    """What one motif does to the label.

    Attributes:
        motif: what is planted.
        role: activator, repressor or decoy.
        strength: logits that each site adds to its window.
    """

    motif: Motif
    role: str
    strength: float


class Sites(NamedTuple):
    """All s planted sites, by window and from left to right; none overlaps another.

    Attributes:
        window: (s,) int64, number of the window.
        motif: (s,) int64, number of the motif.
        start: (s,) int64, position in the window.
        strand: (s,) int8, +1 or -1.
    """

    window: np.ndarray
    motif: np.ndarray
    start: np.ndarray
    strand: np.ndarray


class Simulation(NamedTuple):
    """A genome tiled into n windows with sites and labels.

    Attributes:
        genome: with the sites planted.
        masked: (total,) bool, soft-masked bases.
        contig, start: (n,) int64, place of each window.
        sites: what was planted.
        probability: (n,) float64, of the label being 1: what the best predictor would say.
        label: (n,) bool, drawn with that probability.
    """

    genome: Genome
    masked: np.ndarray
    contig: np.ndarray
    start: np.ndarray
    sites: Sites
    probability: np.ndarray
    label: np.ndarray


def read_roles(path: str | os.PathLike[str], motifs: Sequence[Motif]) -> list[Role]:
    """Read the table motif, role, strength; one row for each motif.

    Raises:
        InputError: for a table that does not fit the motifs, an unknown role, or a strength whose
            sign is not that of its role.
    """
    try:
        table = pd.read_csv(Path(path), sep="\t", dtype=str, keep_default_na=False)
    except FileNotFoundError:
        raise InputError(
            f"{path}: no such file; expected a table of motif, role, strength"
        ) from None
    except (ValueError, OSError) as error:
        reason = str(error).splitlines()[0]
        raise InputError(f"{path}: not a readable table ({reason})") from None
    if list(table.columns) != _COLUMNS:
        raise InputError(f"{path}: columns {list(table.columns)}, expected {_COLUMNS}")
    named = {motif.label: motif for motif in motifs}
    roles = [_role(f"{path}, line {line}", row, named) for line, row in enumerate(table.values, 2)]
    given = [role.motif.label for role in roles]
    twice = sorted({name for name in given if given.count(name) > 1})
    absent = sorted(set(named) - set(given))
    if twice or absent:
        what = f"motif {twice[0]!r} twice" if twice else f"no motif {absent[0]!r}"
        raise InputError(f"{path}: has {what}; give each motif of the MEME file one row")
    return roles


def _role(place: str, row: np.ndarray, named: dict[str, Motif]) -> Role:
    label, role, text = row
    if label not in named:
        raise InputError(f"{place}: motif {label!r} is not in the MEME file{suggest(label, named)}")
    if role not in _SIGNS:
        raise InputError(
            f"{place}: role {role!r}; expected one of {', '.join(_SIGNS)}{suggest(role, _SIGNS)}"
        )
    try:
        strength = float(text)
    except ValueError:
        strength = np.nan
    if not np.isfinite(strength) or np.sign(strength) != _SIGNS[role]:
        expected = {1: "a number above 0", -1: "a number below 0", 0: "0"}[_SIGNS[role]]
        raise InputError(f"{place}: strength {text!r} of {role} {label!r}; expected {expected}")
    return Role(named[label], role, strength)


def simulate(roles: Sequence[Role], shape: Shape, window: int, seed: int) -> Simulation:
    """Simulate a genome, plant motifs and draw labels.

    Args:
        roles: the motifs; all are planted equally often.
        shape: what the genome is like.
        window: width of the windows in bp; they tile each contig, those with N are left out.
        seed: seed of the demo.

    Raises:
        InputError: if the motifs do not fit into the window.
    """
    bare, masked = simulate_genome(shape, generator(seed, "demo", "genome"))
    contig, start = tiles(bare, window)
    motifs = [role.motif for role in roles]
    sites = _draw_sites(len(start), motifs, window, generator(seed, "demo", "sites"))
    codes = bare.codes.copy()
    first_base = (bare.offsets[contig] + start)[sites.window] + sites.start
    write_sites(codes, first_base, sites, motifs, generator(seed, "demo", "bases"))
    strengths = np.array([role.strength for role in roles])[sites.motif]
    logit = INTERCEPT + np.bincount(sites.window, strengths, minlength=len(start))
    probability = 1 / (1 + np.exp(-logit))
    label = generator(seed, "demo", "labels").random(len(start)) < probability
    genome = dataclasses.replace(bare, codes=codes)
    return Simulation(genome, masked, contig, start, sites, probability, label)


def tiles(genome: Genome, window: int) -> tuple[np.ndarray, np.ndarray]:
    """Return contig and start, (n,) int64 each, of the windows without N that tile each contig."""
    contigs, starts = [], []
    for number, (offset, length) in enumerate(zip(genome.offsets, genome.lengths, strict=True)):
        every = genome.codes[offset : offset + length // window * window].reshape(-1, window)
        known = np.flatnonzero((every != UNKNOWN).all(axis=1)) * window
        contigs.append(np.full(len(known), number))
        starts.append(known)
    return np.concatenate(contigs), np.concatenate(starts)


def _draw_sites(n: int, motifs: Sequence[Motif], window: int, rng: np.random.Generator) -> Sites:
    shape = (n, len(motifs))
    return place_sites(
        SITES_PER_CLUSTER * rng.poisson(CLUSTERS_PER_WINDOW, shape), motifs, window, rng
    )


def place_sites(
    counts: np.ndarray, motifs: Sequence[Motif], window: int, rng: np.random.Generator
) -> Sites:
    """Place (n, motifs) sites at random in n windows; none overlaps another.

    Windows in which they do not fit get no more sites of each motif than always fits.

    Raises:
        InputError: if one site of each motif together is longer than the window.
    """
    n = len(counts)
    width = np.array([motif.length for motif in motifs])
    most = window // int(width.sum())
    if most == 0:
        raise InputError(f"motifs of {width.sum()} bp together do not fit into {window} bp")
    full = counts @ width > window
    counts = np.where(full[:, None], np.minimum(counts, most), counts)
    of_window = np.repeat(np.arange(n), counts.sum(axis=1))
    motif = np.repeat(np.tile(np.arange(len(motifs)), n), counts.ravel())
    motif = motif[np.lexsort((rng.random(len(motif)), of_window))]
    # Sorted free bases before each site, plus the sites before it, never overlap.
    taken = np.bincount(of_window, width[motif], minlength=n).astype(np.int64)
    free = rng.integers(0, window - taken[of_window], endpoint=True)
    free = free[np.lexsort((free, of_window))]
    before = np.cumsum(width[motif]) - width[motif] - (np.cumsum(taken) - taken)[of_window]
    strand = rng.choice(np.array([1, -1], np.int8), len(motif))
    return Sites(of_window, motif, free + before, strand)


def write_sites(
    codes: np.ndarray,
    first_base: np.ndarray,
    sites: Sites,
    motifs: Sequence[Motif],
    rng: np.random.Generator,
) -> None:
    """Draw the bases of each of s sites from its motif's only PWM and write them.

    Args:
        codes: (total,) uint8, changed in place.
        first_base: (s,) index into ``codes``.
        sites: what is written.
        motifs: that the sites number.
        rng: source of the bases.
    """
    for number, motif in enumerate(motifs):
        (pwm,) = motif.pwms
        here = np.flatnonzero(sites.motif == number)
        drawn = rng.random((len(here), len(pwm), 1))
        bases = (drawn >= np.cumsum(pwm, axis=1)[:, :3]).sum(axis=2).astype(np.uint8)
        reverse = sites.strand[here] < 0
        bases[reverse] = reverse_complement(bases[reverse])
        codes[first_base[here, None] + np.arange(len(pwm))] = bases
