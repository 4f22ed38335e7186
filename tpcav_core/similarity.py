"""What CAVs have in common: between concepts of a layer, and between the layers of a model."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import NamedTuple

import numpy as np

from .directions import consensus, unit

#: concepts whose CAVs agree as well cannot be told apart
INSEPARABLE = 0.9
#: fewest values that a comparison of layers is made of
_FEWEST = 3


class Agreement(NamedTuple):
    """How far the CAVs of concepts agree, for c of them.

    Attributes:
        between: (c, c), mean cosine between CAVs against different control replicates.
        within: (c,), the same of each concept with itself: how far its CAVs can be reproduced.
        corrected: (c, c), ``between`` as if CAVs were free of the noise of the controls.
    """

    between: np.ndarray
    within: np.ndarray
    corrected: np.ndarray


class Layer(NamedTuple):
    """What is compared between layers, for c concepts.

    Attributes:
        keys: c distinct names, for example (concept, variant).
        effects: (c,), a statistic of each; NaN where there is none.
        cosines: (c, c), between their CAVs; NaN where there is none.
    """

    keys: Sequence[Hashable]
    effects: np.ndarray
    cosines: np.ndarray


class Consistency(NamedTuple):
    """What two layers have in common; NaN where fewer than three values are there.

    Attributes:
        n_concepts: concepts that both have.
        effect_correlation: rank correlation (Spearman) of their effects.
        equal_sign: share of them whose effects have the same sign.
        similarity_correlation: rank correlation of the cosines of all pairs of them.
    """

    n_concepts: int
    effect_correlation: float
    equal_sign: float
    similarity_correlation: float


def cosines(cavs: np.ndarray) -> np.ndarray:
    """Return the cosines (c, c) between consensus CAVs; NaN where replicates cancel.

    Noise makes them smaller, and a control that concepts share makes them larger: `agreement`
    corrects for both.

    Args:
        cavs: (c, r, d), of c concepts against r control replicates, any lengths.
    """
    directions = consensus(cavs)
    directions = np.where(directions.any(axis=1, keepdims=True), directions, np.nan)
    return np.asarray(directions @ directions.T)


def agreement(cavs: np.ndarray) -> Agreement:
    """Return how far CAVs agree, corrected for the noise of the control replicates.

    With u the unit CAVs, between(i, j) = mean over r ≠ s of ``u_i^r · u_j^s``, within(i) =
    between(i, i) and corrected(i, j) = between(i, j) / √(within(i) within(j)): the correction for
    attenuation (Spearman 1904, doi 10.2307/1412159). CAVs against the same replicate (r = s) have
    its noise in common and would seem alike, so they are left out. What the examples of a concept
    add by chance is in all its CAVs and stays.

    Args:
        cavs: (c, r, d), of c concepts against the same r control replicates, any lengths.

    Returns:
        All NaN for one replicate. ``corrected`` is NaN where a concept's CAVs do not agree with
        each other (within ≤ 0); it is an estimate and can be beyond ±1.
    """
    c, r, d = cavs.shape
    if r < 2:
        return Agreement(*(np.full(shape, np.nan) for shape in ((c, c), (c,), (c, c))))
    rows = unit(cavs).reshape(c * r, d)
    products = (rows @ rows.T).reshape(c, r, c, r)
    same = np.einsum("irjr->ij", products)
    between = (products.sum(axis=(1, 3)) - same) / (r * (r - 1))
    within = between.diagonal().copy()
    reproduced = np.sqrt(np.where(within > 0, within, np.nan))
    return Agreement(between, within, between / np.outer(reproduced, reproduced))


def inseparable(
    corrected: np.ndarray, cosine: np.ndarray, threshold: float = INSEPARABLE
) -> list[tuple[int, int]]:
    """Return the pairs i < j of concepts whose CAVs are too much alike to be told apart.

    Args:
        corrected: (c, c), of `agreement`.
        cosine: (c, c), of `cosines`; counts where ``corrected`` is NaN.
        threshold: what they reach or exceed.
    """
    alike = np.where(np.isnan(corrected), cosine, corrected) >= threshold
    return [(int(i), int(j)) for i, j in np.argwhere(np.triu(alike, 1))]


def layer_consistency(first: Layer, second: Layer) -> Consistency:
    """Return how far two layers of a model, or two models, agree on the concepts both have.

    Directions of different layers cannot be compared, but the similarities between concepts can
    (representational similarity, Kriegeskorte et al. 2008, doi 10.3389/neuro.06.004.2008).
    """
    places = [{key: place for place, key in enumerate(layer.keys)} for layer in (first, second)]
    common = [key for key in first.keys if key in places[1]]
    own, other = (
        _chosen(layer, [place[key] for key in common])
        for layer, place in zip((first, second), places, strict=True)
    )
    there = np.isfinite(own.effects) & np.isfinite(other.effects)
    equal = np.sign(own.effects[there]) == np.sign(other.effects[there])
    pairs = np.triu_indices(len(common), 1)
    return Consistency(
        len(common),
        _rank_correlation(own.effects, other.effects),
        float(equal.mean()) if len(equal) >= _FEWEST else float("nan"),
        _rank_correlation(own.cosines[pairs], other.cosines[pairs]),
    )


def _chosen(layer: Layer, rows: list[int]) -> Layer:
    index = np.array(rows, int)
    keys = [layer.keys[row] for row in rows]
    return Layer(keys, layer.effects[index], layer.cosines[np.ix_(index, index)])


def _rank_correlation(x: np.ndarray, y: np.ndarray) -> float:
    """Return Spearman's rank correlation of the finite pairs; NaN for too few or a constant."""
    there = np.isfinite(x) & np.isfinite(y)
    x, y = x[there], y[there]
    if len(x) < _FEWEST or np.ptp(x) == 0 or np.ptp(y) == 0:
        return float("nan")
    from scipy.stats import spearmanr  # takes long to import

    return float(spearmanr(x, y).statistic)
