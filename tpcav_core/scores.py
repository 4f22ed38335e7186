"""What the CAVs say about a target: does the output rise or fall along a concept's direction.

Formulas: docs/method.md. Every statistic here is unchanged when the sign of a basis vector flips;
``derivative`` and ``effect`` are unchanged by any rotation of the basis too.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from .basis import Scaling, embed
from .directions import consensus


class LayerTargets(NamedTuple):
    """A target set at a layer, ready for any number of concepts.

    Attributes:
        multipliers: σ∘m, (n, d) float32, in standardised coordinates.
        attributions: the published |Δ| attributions ``a = m_e ∘ |e(x) − e(b)|``, (n, k + d).
        components: V, (d, k).
    """

    multipliers: np.ndarray
    attributions: np.ndarray
    components: np.ndarray


class PublishedScore(NamedTuple):
    """The published score of one concept: counts of regions by the sign of ``a·w``."""

    n_positive: float
    n_negative: float
    fraction_positive: float
    log_ratio: float


def layer_targets(
    multipliers: np.ndarray,
    activations: np.ndarray,
    baseline_activations: np.ndarray,
    scaling: Scaling,
    components: np.ndarray,
) -> LayerTargets:
    """Bring the attributions of a target set into standardised and embedding coordinates.

    Args:
        multipliers: m, (n, d) float32, in the layer's own coordinates.
        activations: y(x), (n, d).
        baseline_activations: y(b), (n, d).
        scaling: the layer's standardisation.
        components: V, (d, k).
    """
    standardised = multipliers * scaling.std
    change = (activations - baseline_activations) / scaling.std
    # z = Vp + r: by the chain rule the multipliers of r are those of z, not their residual.
    embedded = np.concatenate([standardised @ components, standardised], axis=1)
    attributions = embedded * np.abs(embed(change, components))
    return LayerTargets(standardised, attributions, components)


def derivative(targets: LayerTargets, cavs: np.ndarray) -> np.ndarray:
    """Return ``σ∘m·ŵ`` of each region for each CAV.

    Args:
        targets: n regions.
        cavs: (c, d), unit CAVs in standardised coordinates.

    Returns:
        (n, c) float64: change of the output per unit step along the concept's direction.
    """
    return np.asarray(targets.multipliers.astype(float) @ cavs.T)


def effect(targets: LayerTargets, mean_differences: np.ndarray) -> np.ndarray:
    """Return ``σ∘m·(mean z of the concept − mean z of the control)`` of each region.

    Args:
        targets: n regions.
        mean_differences: (c, d), in standardised coordinates.

    Returns:
        (n, c) float64: first-order effect of putting the concept in, in units of the output.
    """
    return np.asarray(targets.multipliers.astype(float) @ mean_differences.T)


def published_score(targets: LayerTargets, cavs: np.ndarray) -> list[PublishedScore]:
    """Return the published score of each CAV, with its log ratio ``ln((n₊ + 1)/(n₋ + 1))``.

    A region whose ``a·w`` is exactly 0 counts half on either side.

    Args:
        targets: n regions.
        cavs: (c, d), CAVs in standardised coordinates; their length does not matter.
    """
    signs = np.sign(targets.attributions.astype(float) @ embed(cavs, targets.components).T)
    n = len(signs)
    positive = (signs > 0).sum(axis=0) + 0.5 * (signs == 0).sum(axis=0)
    return [
        PublishedScore(p, n - p, p / n, float(np.log((p + 1) / (n - p + 1))))
        for p in positive.tolist()
    ]


def score_concepts(
    names: Sequence[tuple[str, str]],
    weights: np.ndarray,
    mean_differences: np.ndarray,
    targets: LayerTargets,
) -> list[dict[str, Any]]:
    """Score every variant of every concept on a target; replicates of the control are joined.

    Args:
        names: r pairs of concept and variant, one per CAV.
        weights: (r, d), CAVs in standardised coordinates.
        mean_differences: (r, d), of the same concepts and controls.
        targets: n regions.

    Returns:
        A row of the table of scores per (concept, variant), in the order of ``names``: the
        published score, ``derivative`` and ``effect`` averaged over regions.
    """
    groups = {
        name: np.array([row for row, other in enumerate(names) if other == name])
        for name in dict.fromkeys(names)
    }
    cavs = np.stack([consensus(weights[rows]) for rows in groups.values()])
    means = np.stack([mean_differences[rows].mean(axis=0) for rows in groups.values()])
    derivatives = derivative(targets, cavs).mean(axis=0)
    effects = effect(targets, means).mean(axis=0)
    return [
        {
            "concept": concept,
            "variant": variant,
            "n_regions": len(targets.multipliers),
            **published._asdict(),
            "derivative": float(derivatives[index]),
            "effect": float(effects[index]),
        }
        for index, ((concept, variant), published) in enumerate(
            zip(groups, published_score(targets, cavs), strict=True)
        )
    ]
