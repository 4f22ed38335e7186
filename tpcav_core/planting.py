"""Planting motifs: where sites go, which bases they have, and putting them into windows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np

from .errors import InputError
from .genome import UNKNOWN
from .motifs import Motif

#: strands of the two motifs of a pair
ORIENTATIONS = ("++", "+-", "-+", "--")


class Sites(NamedTuple):
    """Planted sites of n examples with c sites each, widest site w.

    Attributes:
        start: (n, c) int32, position in the window; ascending, sites never overlap.
        strand: (n, c) int8, +1 or -1.
        width: (n, c) int16, bp.
        bases: (n, c, w) uint8 codes as they are in the window (of strand -1 already
            reverse-complemented), 4 beyond the width of a site.
    """

    start: np.ndarray
    strand: np.ndarray
    width: np.ndarray
    bases: np.ndarray


@dataclass(frozen=True)
class MotifPair:
    """Two motifs that are planted together.

    Attributes:
        first: the motif on the left when the pair is read on its own strand.
        second: the motif on its right.
        spacing: bases between the two, bp.
        orientation: strands of first and second, read on the pair's own strand.

    Raises:
        InputError: for a negative spacing or another orientation.
    """

    first: Motif
    second: Motif
    spacing: int
    orientation: Literal["++", "+-", "-+", "--"]

    def __post_init__(self) -> None:
        place = f"motif pair {self.label!r}"
        if self.spacing < 0:
            raise InputError(f"{place}: spacing {self.spacing} bp; expected 0 or more")
        if self.orientation not in ORIENTATIONS:
            expected = ", ".join(ORIENTATIONS)
            raise InputError(f"{place}: orientation {self.orientation!r}; expected {expected}")

    @property
    def label(self) -> str:
        """Both names, the spacing and the orientation."""
        return f"{self.first.label} + {self.second.label}, {self.spacing} bp, {self.orientation}"

    @property
    def length(self) -> int:
        """The width of the widest pair, bp, with the bases between the motifs."""
        return self.first.length + self.spacing + self.second.length

    @property
    def information_content(self) -> float:
        """The sum of the two motifs', in bits."""
        return self.first.information_content + self.second.information_content

    @property
    def information_content_gc(self) -> float:
        """The sum of the two motifs', each position weighted by its probability of C or G."""
        return self.first.information_content_gc + self.second.information_content_gc


def sample_sites(
    motif: Motif,
    n: int,
    copies: int,
    window: int,
    rng: np.random.Generator,
    *,
    both_strands: bool = True,
    start_margin: int = 0,
    end_margin: int = 0,
    consensus: bool = False,
) -> Sites:
    """Draw where a motif is planted in n windows, and its bases.

    Every arrangement of the sites that do not overlap is equally likely. A motif of several PWMs
    draws one for each site.

    Args:
        motif: what is planted.
        n: number of windows.
        copies: sites in each window.
        window: width in bp.
        rng: the random stream.
        both_strands: draw each strand with probability 1/2; False: all sites are of strand +1.
        start_margin: bases at the start of the window that stay free of sites.
        end_margin: the same at its end.
        consensus: plant the most probable base at each position, of equal ones the first in A C
            G T, instead of drawing bases. The places are the same either way.

    Raises:
        InputError: if that many copies do not fit.
    """
    _check_room(motif, copies, window, start_margin, end_margin)
    chosen, width = _choose(motif, n, copies, rng)
    reverse = rng.integers(0, 2 if both_strands else 1, (n, copies))
    start = _place(width, window, rng, start_margin, end_margin)
    bases = _sample_bases(motif, chosen, reverse, rng, consensus=consensus)
    return _sites(start, reverse, width, bases)


def sample_pair_sites(
    pair: MotifPair,
    n: int,
    copies: int,
    window: int,
    rng: np.random.Generator,
    *,
    both_strands: bool = True,
    start_margin: int = 0,
    end_margin: int = 0,
    consensus: bool = False,
) -> Sites:
    """Draw where pairs of motifs are planted in n windows, and their bases.

    As `sample_sites` with a pair in the place of a motif: pairs do not overlap, and every
    arrangement is equally likely. Bases between the two motifs are those of the background.

    Args:
        pair: what is planted.
        n: number of windows.
        copies: pairs in each window.
        window: width in bp.
        rng: the random stream.
        both_strands: reverse-complement each pair as a whole with probability 1/2.
        start_margin: bases at the start of the window that stay free of pairs.
        end_margin: the same at its end.
        consensus: as in `sample_sites`.

    Returns:
        2 * copies sites in each window: two neighbours are a pair.

    Raises:
        InputError: if that many copies do not fit.
    """
    _check_room(pair, copies, window, start_margin, end_margin)
    choices = [_choose(motif, n, copies, rng) for motif in (pair.first, pair.second)]
    turned = rng.integers(0, 2 if both_strands else 1, (n, copies))
    total = choices[0][1] + pair.spacing + choices[1][1]
    start = _place(total, window, rng, start_margin, end_margin)
    widest = max(pair.first.length, pair.second.length)
    members = []
    for number, motif in enumerate((pair.first, pair.second)):
        chosen, width = choices[number]
        reverse = turned ^ (pair.orientation[number] == "-")
        bases = _sample_bases(motif, chosen, reverse, rng, consensus=consensus)
        # on the left: the first motif, or the second of a pair that is turned round
        place = np.where(turned == number, start, start + total - width)
        members.append((place, reverse, width, _pad(bases, widest)))
    columns = zip(*members, strict=True)
    return _sites(*(_neighbours(first, second, turned) for first, second in columns))


def _neighbours(first: np.ndarray, second: np.ndarray, turned: np.ndarray) -> np.ndarray:
    """Return (n, 2 copies, …) with first and second of each pair in the order of their places."""
    pairs = np.stack([first, second], axis=2)
    pairs[turned == 1] = pairs[turned == 1][:, ::-1]
    n, copies = turned.shape
    return pairs.reshape(n, 2 * copies, *first.shape[2:])


def _sites(start: np.ndarray, reverse: np.ndarray, width: np.ndarray, bases: np.ndarray) -> Sites:
    return Sites(
        start=start.astype(np.int32),
        strand=(1 - 2 * reverse).astype(np.int8),
        width=width.astype(np.int16),
        bases=bases,
    )


def _check_room(
    motif: Motif | MotifPair, copies: int, window: int, start_margin: int, end_margin: int
) -> None:
    room = window - start_margin - end_margin
    needed = copies * motif.length
    if needed > room:
        margins = f" less margins of {start_margin} and {end_margin} bp" if room < window else ""
        raise InputError(
            f"motif {motif.label!r}: {copies} copies of {motif.length} bp need {needed} bp, more"
            f" than the window of {window} bp{margins}; plant fewer copies"
        )


def _choose(
    motif: Motif, n: int, copies: int, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Return which PWM each site uses and how wide it is, (n, copies) each."""
    widths = np.array([len(pwm) for pwm in motif.pwms])
    chosen = rng.integers(0, len(widths), (n, copies))
    return chosen, widths[chosen]


def _place(
    width: np.ndarray, window: int, rng: np.random.Generator, start_margin: int, end_margin: int
) -> np.ndarray:
    """Return the starts of things of (n, copies) widths, ascending and apart, uniformly drawn."""
    copies = width.shape[1]
    free = window - start_margin - end_margin - width.sum(axis=1)
    # The free bases before each: sorted distinct numbers less their rank (stars and bars).
    gaps = _distinct(free + copies, copies, rng) - np.arange(copies)
    return np.asarray(start_margin + gaps + np.cumsum(width, axis=1) - width)


def _distinct(limit: np.ndarray, k: int, rng: np.random.Generator) -> np.ndarray:
    """Return (n, k) sorted distinct integers of ``[0, limit)``, each subset equally likely.

    Floyd's algorithm for all rows at once: its steps are the k numbers, not the n rows.
    """
    numbers = np.empty((len(limit), k), np.int64)
    for step in range(k):
        top = limit - k + step
        drawn = rng.integers(0, top, endpoint=True)
        taken = (numbers[:, :step] == drawn[:, None]).any(axis=1)
        numbers[:, step] = np.where(taken, top, drawn)
    return np.sort(numbers, axis=1)


def _sample_bases(
    motif: Motif,
    chosen: np.ndarray,
    reverse: np.ndarray,
    rng: np.random.Generator,
    *,
    consensus: bool,
) -> np.ndarray:
    """Return (n, copies, length) uint8 codes drawn from PWM ``chosen``, or from its reverse."""
    uniform = rng.random((*chosen.shape, motif.length))
    bases = np.full(uniform.shape, UNKNOWN, np.uint8)
    for number, pwm in enumerate(motif.pwms):
        if consensus:
            pwm = np.eye(4)[pwm.argmax(axis=1)]
        # Reverse complements are matrices of their own, so that no site has to be turned round.
        for turned, matrix in enumerate((pwm, pwm[::-1, ::-1])):
            sites = (chosen == number) & (reverse == turned)
            # The probability of a base after A, C, G at each position. A base of probability 0 is
            # never drawn: adding 0 leaves the sum exactly as it is.
            sums = np.cumsum(matrix[:, ::-1], axis=1)[:, ::-1]
            beyond = sums[:, 1:] / sums[:, :1]
            drawn = uniform[sites][:, : len(pwm)]
            codes = np.zeros(drawn.shape, np.uint8)
            for base in range(3):
                codes += drawn < beyond[:, base]
            bases[sites] = _pad(codes, motif.length)
    return bases


def _pad(codes: np.ndarray, width: int) -> np.ndarray:
    """Return codes (…, w) with code 4 behind them up to (…, width)."""
    if codes.shape[-1] == width:
        return codes
    behind = [(0, 0)] * (codes.ndim - 1) + [(0, width - codes.shape[-1])]
    return np.pad(codes, behind, constant_values=UNKNOWN)


def plant(codes: np.ndarray, sites: Sites) -> np.ndarray:
    """Return windows with sites planted; the windows given stay as they are.

    Args:
        codes: (n, length) uint8.
        sites: n examples.

    Returns:
        (n, length) uint8.

    Raises:
        InputError: if the numbers of windows and examples differ or a site is not in its window.
    """
    n, length = codes.shape
    if len(sites.start) != n:
        raise InputError(f"sites of {len(sites.start)} examples for {n} windows; expected as many")
    if ((sites.start < 0) | (sites.start + sites.width > length)).any():
        raise InputError(f"sites reach over an end of windows of {length} bp; draw them again")
    planted = codes.copy()
    for width in np.unique(sites.width):
        rows, copies = np.nonzero(sites.width == width)
        places = np.lib.stride_tricks.sliding_window_view(planted, width, axis=1, writeable=True)
        places[rows, sites.start[rows, copies]] = sites.bases[rows, copies, :width]
    return planted
