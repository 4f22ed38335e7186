"""Simulated studies of which everything is known: motifs, what they do, and who could know better.

All motifs have the same information content, so that no statistic can tell those that matter from
decoys by how conspicuous they are.
"""

from __future__ import annotations

import dataclasses
from typing import NamedTuple

import numpy as np
from sklearn.metrics import roc_auc_score

from tpcav_core.composition import gc_content
from tpcav_core.demo.genome import Shape, simulate_genome
from tpcav_core.demo.simulation import place_sites, tiles, write_sites
from tpcav_core.genome import Genome
from tpcav_core.motifs import Motif
from tpcav_core.seeds import generator

WINDOW = 512
#: probability of the dominant base of each column, in another order in each motif
DOMINANT = (0.92, 0.92, 0.9, 0.9, 0.88, 0.88, 0.88, 0.86, 0.86, 0.84)
#: most equal dominant bases that two motifs may have, at any offset and on either strand
MOST_ALIKE = 6
CONTIGS = {"chr1": 7_000_000, "chr2": 6_000_000, "chr3": 2_500_000}
TEST_CONTIG = "chr3"
#: share of the windows with a cluster of a motif, and with clusters of both motifs of the pair
CLUSTER, BOTH = 0.14, 0.08
#: sites of a cluster: homotypic clusters are learned in seconds
SITES = 4
#: logits per site; of the pair: of a window that has both; of GC content: per standard deviation
ACTIVATORS, REPRESSOR, PAIR, GC = (1.3, 0.95, 0.65), -1.1, 4.0, 0.8
#: logits per site of the second output
ELSEWHERE = (1.2, 0.9, 0.7, 0.6, 1.0, -1.0, -0.8, -0.6)
DECOYS = 8
INTERCEPT = -1.0
ROLES = (
    *("activator" for _ in ACTIVATORS),
    "repressor",
    *("pair", "pair"),
    *("decoy_used_elsewhere" for _ in ELSEWHERE),
    *("decoy" for _ in range(DECOYS)),
)


class Study(NamedTuple):
    """A simulated study with windows that tile a genome.

    Attributes:
        seed: it was made from.
        genome: with all sites planted.
        motifs: one for each of `ROLES`.
        strengths: logits per site of the first output; of either motif of the pair, of both.
        contig, start: (n,) int64, place of each window.
        has_gc: whether GC content adds to the first output.
        probability: (n, 2) float64, of the labels being 1: what the best predictor would say.
        labels: (n, 2) bool, drawn with that probability.
        test: (n,) bool, windows of the contig that no network is trained on.
    """

    seed: int
    genome: Genome
    motifs: list[Motif]
    strengths: np.ndarray
    contig: np.ndarray
    start: np.ndarray
    has_gc: bool
    probability: np.ndarray
    labels: np.ndarray
    test: np.ndarray

    def codes(self, rows: np.ndarray) -> np.ndarray:
        """Return the sequences of windows, (m, WINDOW) uint8, all of the forward strand."""
        return self.genome.windows(self.contig[rows], self.start[rows], WINDOW)

    def best_auroc(self) -> list[float]:
        """Return the largest AUROC that any predictor could expect on the test windows."""
        labels, probability = self.labels[self.test], self.probability[self.test]
        return [float(roc_auc_score(labels[:, head], probability[:, head])) for head in (0, 1)]


def simulate(seed: int) -> Study:
    """Simulate the study of a seed; GC content matters in odd ones."""
    motifs = draw_motifs(len(ROLES), generator(seed, "truth", "motifs"))
    bare, _ = simulate_genome(Shape(lengths=CONTIGS), generator(seed, "truth", "genome"))
    contig, start = tiles(bare, WINDOW)
    wanted = _draw_counts(len(start), generator(seed, "truth", "counts"))
    sites = place_sites(wanted, motifs, WINDOW, generator(seed, "truth", "sites"))
    codes = bare.codes.copy()
    first_base = (bare.offsets[contig] + start)[sites.window] + sites.start
    write_sites(codes, first_base, sites, motifs, generator(seed, "truth", "bases"))
    genome = dataclasses.replace(bare, codes=codes)
    counts = np.zeros_like(wanted)
    np.add.at(counts, (sites.window, sites.motif), 1)
    has_gc = seed % 2 == 1
    gc = gc_content(genome.windows(contig, start, WINDOW))
    probability = 1 / (1 + np.exp(-_logits(counts, gc, has_gc)))
    labels = generator(seed, "truth", "labels").random(probability.shape) < probability
    strengths = np.zeros(len(ROLES))
    strengths[:6] = [*ACTIVATORS, REPRESSOR, PAIR, PAIR]
    test = contig == list(CONTIGS).index(TEST_CONTIG)
    return Study(seed, genome, motifs, strengths, contig, start, has_gc, probability, labels, test)


def _draw_counts(n: int, rng: np.random.Generator) -> np.ndarray:
    """Return (n, motifs) sites: every motif equally often, the two of the pair often together."""
    there = rng.random((n, len(ROLES))) < CLUSTER
    first, second = (number for number, role in enumerate(ROLES) if role == "pair")
    lot = rng.random(n)
    there[:, first] = lot < CLUSTER
    there[:, second] = (lot < BOTH) | ((lot >= CLUSTER) & (lot < 2 * CLUSTER - BOTH))
    return SITES * there.astype(np.int64)


def _logits(counts: np.ndarray, gc: np.ndarray, has_gc: bool) -> np.ndarray:
    """Return (n, 2) logits of the two labels."""
    own = len(ACTIVATORS) + 1
    first = counts[:, :own] @ np.array([*ACTIVATORS, REPRESSOR])
    first += PAIR * (counts[:, own : own + 2] > 0).all(axis=1)
    if has_gc:
        first += GC * (gc - gc.mean()) / gc.std()
    second = counts[:, own + 2 : own + 2 + len(ELSEWHERE)] @ np.array(ELSEWHERE)
    return INTERCEPT + np.stack([first, second], axis=1)


def draw_motifs(count: int, rng: np.random.Generator) -> list[Motif]:
    """Draw motifs of one information content and of any composition, each unlike the others."""
    chosen: list[np.ndarray] = []
    while len(chosen) < count:
        bases = rng.integers(0, 4, len(DOMINANT))
        palindrome = _shared(bases, 3 - bases[::-1]) > MOST_ALIKE
        repeat = len(set(bases.tolist())) < 3
        if not (palindrome or repeat or any(_alike(bases, one) > MOST_ALIKE for one in chosen)):
            chosen.append(bases)
    return [
        Motif(f"motif{number:02d}", (_pwm(bases, rng.permutation(DOMINANT)),))
        for number, bases in enumerate(chosen)
    ]


def _pwm(bases: np.ndarray, dominant: np.ndarray) -> np.ndarray:
    pwm = np.repeat((1 - dominant[:, None]) / 3, 4, axis=1)
    pwm[np.arange(len(bases)), bases] = dominant
    return pwm


def _alike(left: np.ndarray, right: np.ndarray) -> int:
    """Return the most equal bases at any offset, on either strand."""
    return max(_shared(left, right), _shared(left, 3 - right[::-1]))


def _shared(left: np.ndarray, right: np.ndarray) -> int:
    """Return the most equal bases at any offset."""
    length = len(left)
    return max(
        int((left[max(0, k) : length + min(0, k)] == right[max(0, -k) : length - max(0, k)]).sum())
        for k in range(1 - length, length)
    )
