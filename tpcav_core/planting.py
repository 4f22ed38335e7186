"""Planting motifs: where sites go, which bases they have, and putting them into windows."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from .errors import InputError
from .genome import UNKNOWN
from .motifs import Motif


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

    Raises:
        InputError: if that many copies do not fit.
    """
    room = _room(motif, copies, window, start_margin, end_margin)
    widths = np.array([len(pwm) for pwm in motif.pwms])
    chosen = rng.integers(0, len(widths), (n, copies))
    reverse = rng.integers(0, 2 if both_strands else 1, (n, copies))
    width = widths[chosen]
    free = room - width.sum(axis=1)
    # The free bases before each site: sorted distinct numbers less their rank (stars and bars).
    gaps = _distinct(free + copies, copies, rng) - np.arange(copies)
    start = start_margin + gaps + np.cumsum(width, axis=1) - width
    return Sites(
        start=start.astype(np.int32),
        strand=(1 - 2 * reverse).astype(np.int8),
        width=width.astype(np.int16),
        bases=_sample_bases(motif, chosen, reverse, rng),
    )


def _room(motif: Motif, copies: int, window: int, start_margin: int, end_margin: int) -> int:
    """Return the bases between the margins; check that the sites fit there."""
    room = window - start_margin - end_margin
    needed = copies * motif.length
    if needed > room:
        margins = f" less margins of {start_margin} and {end_margin} bp" if room < window else ""
        raise InputError(
            f"motif {motif.label!r}: {copies} copies of {motif.length} bp need {needed} bp, more"
            f" than the window of {window} bp{margins}; plant fewer copies"
        )
    return room


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
    motif: Motif, chosen: np.ndarray, reverse: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """Return (n, copies, length) uint8 codes drawn from PWM ``chosen``, or from its reverse."""
    uniform = rng.random((*chosen.shape, motif.length))
    bases = np.full(uniform.shape, UNKNOWN, np.uint8)
    for number, pwm in enumerate(motif.pwms):
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
            if codes.shape[1] < motif.length:
                codes = np.pad(
                    codes, ((0, 0), (0, motif.length - len(pwm))), constant_values=UNKNOWN
                )
            bases[sites] = codes
    return bases


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
