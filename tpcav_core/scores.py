"""What the CAVs say about a target: does the output rise or fall along a concept's direction.

Formulas: docs/method.md. Every statistic here is unchanged when the sign of a basis vector flips;
``derivative`` and ``effect`` are unchanged by any rotation of the basis too. What they are compared
with, so that one can say more than that they differ from 0, is in `significance`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from .basis import Scaling, embed
from .bootstrap import DRAWS, interval, times_drawn
from .directions import consensus, unit
from .seeds import generator


class LayerTargets(NamedTuple):
    """A target set at a layer, ready for any number of concepts.

    Attributes:
        multipliers: σ∘m, (n, d) float64, in standardised coordinates.
        attributions: the published |Δ| attributions ``a = m_e ∘ |e(x) − e(b)|``, (n, k + d)
            float64.
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
    attributions = embedded_attributions(
        standardised, activations, baseline_activations, scaling, components
    )
    return LayerTargets(standardised.astype(float), attributions.astype(float), components)


def embedded_attributions(
    standardised: np.ndarray,
    activations: np.ndarray,
    baseline_activations: np.ndarray,
    scaling: Scaling,
    components: np.ndarray,
) -> np.ndarray:
    """Return the published attributions ``m_e ∘ |e(x) − e(b)|``, (n, k + d).

    Three matrix products with the components are all it takes.

    Args:
        standardised: σ∘m, (n, d).
        activations: y(x), (n, d).
        baseline_activations: y(b), (n, d).
        scaling: the layer's standardisation.
        components: V, (d, k).
    """
    change = activations - baseline_activations
    change /= scaling.std
    found = embed(change, components)
    np.abs(found, out=found)
    # z = Vp + r: by the chain rule the multipliers of r are those of z, not their residual.
    k = components.shape[1]
    found[:, :k] *= standardised @ components
    found[:, k:] *= standardised
    return found


def derivative(targets: LayerTargets, cavs: np.ndarray) -> np.ndarray:
    """Return ``σ∘m·ŵ`` of each region for each CAV.

    Args:
        targets: n regions.
        cavs: (c, d), unit CAVs in standardised coordinates.

    Returns:
        (n, c) float64: change of the output per unit step along the concept's direction.
    """
    return np.asarray(targets.multipliers @ cavs.T)


def effect(targets: LayerTargets, mean_differences: np.ndarray) -> np.ndarray:
    """Return ``σ∘m·(mean z of the concept − mean z of the control)`` of each region.

    Args:
        targets: n regions.
        mean_differences: (c, d), in standardised coordinates.

    Returns:
        (n, c) float64: first-order effect of putting the concept in, in units of the output.
    """
    return np.asarray(targets.multipliers @ mean_differences.T)


def published_score(targets: LayerTargets, cavs: np.ndarray) -> list[PublishedScore]:
    """Return the published score of each CAV, with its log ratio ``ln((n₊ + 1)/(n₋ + 1))``.

    A region whose ``a·w`` is exactly 0 counts half on either side.

    Args:
        targets: n regions.
        cavs: (c, d), CAVs in standardised coordinates; their length does not matter.
    """
    signs = np.sign(targets.attributions @ embed(cavs, targets.components).T)
    n = len(signs)
    positive = (signs > 0).sum(axis=0) + 0.5 * (signs == 0).sum(axis=0)
    return [
        PublishedScore(p, n - p, p / n, float(np.log((p + 1) / (n - p + 1))))
        for p in positive.tolist()
    ]


class Resampling(NamedTuple):
    """Resamplings of regions and control replicates, the same for all concepts of a target.

    Attributes:
        regions: (b, n) float64, how often each of n regions is in each, as a share of n.
        seed: of the configuration; replicates are drawn again from it.
        target: name of the target.
    """

    regions: np.ndarray
    seed: int
    target: str

    def replicates(self, r: int) -> np.ndarray:
        """Return (b, r) float64, the share that each of r replicates has in each resampling."""
        rng = generator(self.seed, "scores", self.target, "replicates", r)
        return times_drawn(rng.integers(0, r, (len(self.regions), r)), r) / r


def resampling(n: int, seed: int, target: str, draws: int = DRAWS) -> Resampling:
    """Draw the resamplings of a target of n regions."""
    drawn = generator(seed, "scores", target, "regions").integers(0, n, (draws, n))
    return Resampling(times_drawn(drawn, n) / n, seed, target)


def score_concept(
    cavs: np.ndarray,
    mean_differences: np.ndarray,
    targets: LayerTargets,
    again: Resampling | None = None,
) -> dict[str, Any]:
    """Score one variant of a concept on a target; replicates of the control are joined.

    Args:
        cavs: (r, d), one for each control replicate, in standardised coordinates.
        mean_differences: (r, d), of the same concept and controls.
        targets: n regions.
        again: resamplings for the intervals; None: no intervals.

    Returns:
        ``n_regions``; the published score of the consensus of the CAVs (`published_score`) and
        ``published_mean``, its mean ``a·w``; ``derivative`` and ``effect``, averaged over regions,
        each with ``_low`` and ``_high``, the ends of a 95 % bootstrap interval (percentiles) over
        regions and replicates, and ``_sign_agreement``, the share of replicates that by themselves
        have its sign; ``tcav_fraction``, the share of regions whose derivative is above 0.
    """
    joined = consensus(cavs)
    by_region = derivative(targets, joined[None])[:, 0]
    attributed = targets.attributions @ embed(joined[None], targets.components)[0]
    units = unit(cavs)
    # their mean over replicates is the consensus's: all are divided by the length of the mean CAV
    length = float(np.linalg.norm(units.mean(axis=0))) or 1.0
    each = {
        "derivative": derivative(targets, units / length),
        "effect": effect(targets, mean_differences),
    }
    row: dict[str, Any] = {
        "n_regions": len(targets.multipliers),
        **published_score(targets, joined[None])[0]._asdict(),
        "published_mean": float(attributed.mean()),
        "tcav_fraction": float((by_region > 0).mean() + (by_region == 0).mean() / 2),
        "derivative": float(by_region.mean()),
        "effect": float(each["effect"].mean()),
    }
    for name, values in each.items():
        row[f"{name}_sign_agreement"] = float(
            (np.sign(values.mean(axis=0)) == np.sign(row[name])).mean()
        )
        if again is not None:
            row[f"{name}_low"], row[f"{name}_high"] = _interval(values, again)
    return row


def score_concepts(
    names: Sequence[tuple[str, str]],
    weights: np.ndarray,
    mean_differences: np.ndarray,
    targets: LayerTargets,
    again: Resampling | None = None,
) -> list[dict[str, Any]]:
    """Score every variant of every concept on a target.

    Args:
        names: r pairs of concept and variant, one per CAV.
        weights: (r, d), CAVs in standardised coordinates.
        mean_differences: (r, d), of the same concepts and controls.
        targets: n regions.
        again: resamplings for the intervals; None: no intervals.

    Returns:
        A row of the table of scores per (concept, variant), in the order of ``names``: both names,
        and what `score_concept` gives.
    """
    rows = []
    for concept, variant in dict.fromkeys(names):
        own = [row for row, name in enumerate(names) if name == (concept, variant)]
        scores = score_concept(weights[own], mean_differences[own], targets, again)
        rows.append({"concept": concept, "variant": variant, **scores})
    return rows


def _interval(values: np.ndarray, again: Resampling) -> tuple[float, float]:
    """Return the bootstrap interval of the mean of ``values`` (n, r) over regions and replicates.

    Of derivatives, all are in units of one length, that of the consensus: replicates that are drawn
    several times agree with themselves, so that the length of each resampling's own consensus would
    be larger and the interval would lie below the value.
    """
    means = ((again.regions @ values) * again.replicates(values.shape[1])).sum(axis=1)
    low, high = interval(means)
    return float(low), float(high)


def score_nulls(
    cavs: np.ndarray, mean_differences: np.ndarray, targets: LayerTargets
) -> dict[str, np.ndarray]:
    """Score null CAVs, each a consensus already.

    Args:
        cavs: (c, d) unit CAVs.
        mean_differences: (c, d), averaged over replicates.
        targets: n regions.

    Returns:
        (c,) of each number that `score_concept` gives without intervals and agreement.
    """
    by_region = derivative(targets, cavs)
    attributed = targets.attributions @ embed(cavs, targets.components).T
    published = published_score(targets, cavs)
    return {
        **{
            name: np.array([getattr(score, name) for score in published])
            for name in PublishedScore._fields
        },
        "published_mean": attributed.mean(axis=0),
        "tcav_fraction": (by_region > 0).mean(axis=0) + (by_region == 0).mean(axis=0) / 2,
        "derivative": by_region.mean(axis=0),
        "effect": targets.multipliers.mean(axis=0) @ mean_differences.T,
    }
