"""Sequences and motifs without what they meant: shuffles that keep composition."""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import product

import numpy as np

from .errors import InputError
from .genome import LETTERS
from .motifs import Motif

_SIZE = len(LETTERS)
#: rows are shuffled in chunks of about this many bases, which bounds memory (8 bytes a base)
_CHUNK = 1 << 22
#: PWMs are the same if they differ by less than this many decimals
_DECIMALS = 9


def dinucleotide_shuffle(codes: np.ndarray, seeds: np.ndarray) -> np.ndarray:
    """Shuffle each sequence; all dinucleotide counts and the first and last base stay.

    Every sequence with these counts and ends is equally likely (Altschul and Erickson 1985): the
    bases are vertices and each step from one base to the next is an edge; a random arborescence
    gives the last edge out of each vertex, the other edges follow in random order. N is a fifth
    base.

    Args:
        codes: (n, L) uint8, A=0 C=1 G=2 T=3 N=4.
        seeds: (n,) integers. The random numbers of row i come from ``PCG64(seeds[i])`` alone, so
            that a row does not depend on the others.

    Returns:
        (n, L) uint8.

    Raises:
        InputError: if there is not one seed per sequence.
    """
    n, length = codes.shape
    if np.shape(seeds) != (n,):
        raise InputError(f"seeds of shape {np.shape(seeds)} for {n} sequences; give one for each")
    if length < 3:
        return codes.copy()
    shuffled = np.empty_like(codes)
    rows = max(1, _CHUNK // length)
    for first in range(0, n, rows):
        chunk = slice(first, first + rows)
        shuffled[chunk] = _shuffle(codes[chunk], _random_words(seeds[chunk], length))
    return shuffled


def _random_words(seeds: np.ndarray, count: int) -> np.ndarray:
    # negative seeds count as unsigned ones: PCG64 takes no others
    unsigned = np.asarray(seeds, np.int64).view(np.uint64).tolist()
    return np.stack([np.random.PCG64(seed).random_raw(count) for seed in unsigned])


def _shuffle(codes: np.ndarray, words: np.ndarray) -> np.ndarray:
    """Shuffle (n, L) codes with (n, L) random uint64: one for the tree and one for each edge."""
    n, length = codes.shape
    source, target = codes[:, :-1], codes[:, 1:]
    row = np.arange(n)
    pairs = (row[:, None] * _SIZE + source) * _SIZE + target
    edges = np.bincount(pairs.ravel(), minlength=n * _SIZE**2).reshape(n, _SIZE, _SIZE)
    parent = _random_trees(edges, codes[:, -1], words[:, 0])

    # One number for each edge: sorted, they list the edges by source (the 3 highest bits), in
    # random order, the last edge of each source at the end; the 3 lowest bits are the target.
    keys = words[:, 1:] >> np.uint64(4)
    keys &= ~np.uint64(7)
    keys |= target
    keys |= source.astype(np.uint64) << np.uint64(61)
    for vertex in range(_SIZE):
        last = (source == vertex) & (target == parent[:, vertex, None])
        chosen = np.flatnonzero(last.any(axis=1) & (codes[:, -1] != vertex))
        keys[chosen, last[chosen].argmax(axis=1)] |= np.uint64(1 << 60)
    keys.sort(axis=1)
    successors = (keys & np.uint64(7)).astype(np.uint8).ravel()

    degree = edges.sum(axis=2)
    place = (np.cumsum(degree, axis=1) - degree + row[:, None] * (length - 1)).ravel()
    walked = np.empty((length, n), np.uint8)
    walked[0] = base = codes[:, 0]
    for step in range(1, length):
        vertex_of_row = row * _SIZE + base
        edge = place[vertex_of_row]
        place[vertex_of_row] += 1
        walked[step] = base = successors[edge]
    return walked.T


def _trees(root: int) -> np.ndarray:
    """Return the (125, 5) arborescences towards ``root``: the parent of each vertex."""
    parents = np.array(list(product(range(_SIZE), repeat=_SIZE)))
    parents = parents[parents[:, root] == root]
    reached = np.broadcast_to(np.arange(_SIZE), parents.shape)
    for _ in range(_SIZE):
        reached = np.take_along_axis(parents, reached, axis=1)
    return np.asarray(parents[(reached == root).all(axis=1)])


_TREES = np.stack([_trees(root) for root in range(_SIZE)])


def _random_trees(edges: np.ndarray, root: np.ndarray, words: np.ndarray) -> np.ndarray:
    """Draw an arborescence of each multigraph, in proportion to the edges that make it.

    There are 125 at most, so that all are weighed at once. Drawing last edges until they form one
    would take thousands of tries where a base is left once and repeated often.

    Args:
        edges: (n, 5, 5) number of edges from each base to each base.
        root: (n,) the base that the sequence ends with.
        words: (n,) random uint64.

    Returns:
        (n, 5) the parent of each base; of a base that does not occur, the root.
    """
    row = np.arange(len(root))
    choices = edges.astype(np.float64)
    absent_row, absent = np.nonzero(edges.sum(axis=2) == 0)
    choices[absent_row, absent, root[absent_row]] = 1
    choices[row, root, root] = 1
    trees = _TREES[root]
    weight = choices[row[:, None, None], np.arange(_SIZE), trees].prod(axis=2)
    sums = np.cumsum(weight, axis=1)
    total = sums[:, -1]
    uniform = (words >> np.uint64(11)) * 2.0**-53
    threshold = np.minimum(uniform * total, np.nextafter(total, 0))
    return np.asarray(trees[row, (sums > threshold[:, None]).argmax(axis=1)])


def permute_columns(motif: Motif, rng: np.random.Generator) -> Motif:
    """Return the motif with the positions of each PWM in another random order.

    Every order that gives neither the original matrix nor its reverse complement is equally
    likely. Width, base composition and information content stay.

    Raises:
        InputError: if a PWM has no such order.
    """
    return Motif(motif.label, tuple(_permuted(motif.label, pwm, rng) for pwm in motif.pwms))


def permutations(motif: Motif, most: int, *, both_strands: bool) -> int:
    """Return how many motifs `permute_columns` can return that differ, or ``most`` if more.

    Args:
        motif: whose columns are permuted.
        most: as far as is counted.
        both_strands: whether a motif and its reverse complement are the same.
    """
    counts = [_permutations(pwm.round(_DECIMALS), most, both_strands) for pwm in motif.pwms]
    return min(most, math.prod(counts))


def looks(motif: Motif, *, both_strands: bool) -> bytes:
    """Return bytes that are the same for motifs that `permutations` counts as one."""
    return b"|".join(_look(pwm.round(_DECIMALS), both_strands) for pwm in motif.pwms)


def _permutations(rounded: np.ndarray, most: int, both_strands: bool) -> int:
    # orders of k different positions are a part of all, and quickly counted
    enough = 2 * (most + 1)
    if math.factorial(len({row.tobytes() for row in rounded})) >= enough:
        return most
    orders, own = _orders(rounded), len(_avoided(rounded))
    if orders >= enough or not both_strands:
        return min(most, orders - own)
    rows, repeats = np.unique(rounded, axis=0, return_counts=True)
    found = {_look(rows[list(order)], both_strands) for order in _arranged(repeats.tolist())}
    return min(most, len(found) - 1)


def _look(rounded: np.ndarray, both_strands: bool) -> bytes:
    own = rounded.tobytes()
    return min(own, rounded[::-1, ::-1].tobytes()) if both_strands else own


def _arranged(counts: list[int]) -> Iterator[tuple[int, ...]]:
    """Yield every order of things of which there are ``counts`` of each kind."""
    if not any(counts):
        yield ()
    for kind, number in enumerate(counts):
        if number:
            left = [*counts[:kind], number - 1, *counts[kind + 1 :]]
            yield from ((kind, *rest) for rest in _arranged(left))


def _permuted(label: str, pwm: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    rounded = pwm.round(_DECIMALS)
    avoided = _avoided(rounded)
    if _orders(rounded) <= len(avoided):
        raise InputError(
            f"motif {label!r}: the positions of a PWM of {len(pwm)} bp have no other order than"
            " its own and its reverse complement's; leave this motif out of the permuted ones"
        )
    # at least one order in three is allowed, so that this ends soon
    while True:
        order = rng.permutation(len(pwm))
        if rounded[order].tobytes() not in avoided:
            return np.asarray(pwm[order])


def _avoided(rounded: np.ndarray) -> set[bytes]:
    """Return the matrix itself, and its reverse complement where that has the same positions."""
    avoided = {rounded.tobytes()}
    reverse = rounded[::-1, ::-1]
    if np.array_equal(_sorted(reverse), _sorted(rounded)):
        avoided.add(reverse.tobytes())
    return avoided


def _orders(rounded: np.ndarray) -> int:
    _, repeats = np.unique(rounded, axis=0, return_counts=True)
    return math.factorial(len(rounded)) // math.prod(map(math.factorial, repeats.tolist()))


def _sorted(rows: np.ndarray) -> np.ndarray:
    return np.asarray(rows[np.lexsort(rows.T)])


def random_sequences(n: int, length: int, gc: float, rng: np.random.Generator) -> np.ndarray:
    """Return (n, length) uint8 codes of independent bases with P(G) = P(C) = gc / 2.

    Raises:
        InputError: if ``gc`` is not between 0 and 1.
    """
    if not 0 <= gc <= 1:
        raise InputError(f"a GC content of {gc}; expected a fraction from 0 to 1")
    uniform = rng.random((n, length))
    codes = np.zeros((n, length), np.uint8)
    for limit in ((1 - gc) / 2, 0.5, 0.5 + gc / 2):
        codes += uniform >= limit
    return codes
