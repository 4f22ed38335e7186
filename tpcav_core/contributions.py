"""Contributions of the bases of target regions to what a network reads along chosen concepts.

The multipliers at the layer are restricted to the span of the concepts' CAVs (`concept_span`) and
the weighted sum of activations they define is attributed to the input (`input_attributions`).
All that leaves this module is in genome orientation: of regions on the minus strand, positions run
along the genome and channels are those of its plus strand.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import partial
from typing import NamedTuple, Protocol

import numpy as np
import torch
from torch import Tensor, nn

from . import deeplift
from .attributions import Method
from .concept_span import OwnDirections, Restriction
from .contribution_values import Contributions, average, genome_orientation, joined
from .errors import InputError
from .explain import PairSource
from .input_attributions import InputMultipliers, complete_multipliers
from .inputs import Inputs
from .out_of_memory import Halving
from .progress import Progress
from .regions import Regions

log = logging.getLogger("tpcav_core")
#: share of the sizes of summed terms that their sum is uncertain by
ROUNDING = 1e-5


class LayerPairs(NamedTuple):
    """What is known of the pairs at the layer, from the step `attributions`.

    Attributes:
        multipliers: (n, d) float32, in the layer's own coordinates.
        activations: (n, d) float32, of the targets.
        baseline_activations: (n, d) float32.
    """

    multipliers: np.ndarray
    activations: np.ndarray
    baseline_activations: np.ndarray

    def rounding(self) -> float:
        """Return what of a score is rounding of float32, from the mean size of what is summed."""
        change = self.activations - self.baseline_activations
        return ROUNDING * float(np.abs(self.multipliers * change).sum(axis=1, dtype=float).mean())

    def take(self, rows: np.ndarray) -> LayerPairs:
        """Return some rows; one may be there several times."""
        return LayerPairs(*(column[rows] for column in self))


class Share(NamedTuple):
    """What of n pairs is followed to the input.

    Attributes:
        pairs: what is known of them at the layer.
        restriction: to some concepts, the same for all pairs or one for each.
    """

    pairs: LayerPairs
    restriction: Restriction | OwnDirections

    def of(self, rows: slice) -> tuple[np.ndarray, np.ndarray]:
        """Return the weights c (m, d) float32 of some rows, and ``Σ_j c_j (y_j(x) − y_j(b))``."""
        weights = self.restriction.apply(self.pairs.multipliers[rows], rows).astype(np.float32)
        change = self.pairs.activations[rows].astype(float) - self.pairs.baseline_activations[rows]
        return weights, (weights * change).sum(axis=1)


class Source(PairSource, Protocol):
    """Targets that are regions of a genome, and their baselines."""

    @property
    def regions(self) -> Regions:
        """The target regions."""


def contribute(
    model: nn.Module,
    layer: str,
    adapter: str,
    source: Source,
    share: Share,
    *,
    method: Method,
    tolerance: float = 0.01,
    force: bool = False,
    hypothetical: bool = False,
    correct_off_simplex: bool = False,
    batch_size: int = 64,
    device: torch.device | str = "cpu",
) -> tuple[Contributions, Method]:
    """Attribute the concepts' share of the output to the bases of the target regions.

    Args:
        model: the network in evaluation mode, on ``device``.
        layer: name of a module in it.
        adapter: name of the adapter that makes the model's inputs.
        source: n target regions and their baselines; of several, contributions are averaged.
        share: what of them is followed.
        method: ``auto`` takes DeepLIFT, and integrated gradients where it is not complete between
            input and layer.
        tolerance: largest completeness error, as a share of the mean absolute score; rounding is
            allowed in any case.
        force: return contributions that exceed it.
        hypothetical: also return what the other bases would contribute.
        correct_off_simplex: subtract at each position the mean of the four bases' hypothetical
            contributions (Majdandzic et al. 2023), which makes contributions independent of which
            base the baseline has there; their sum is then not the score.
        batch_size: pairs per pass.
        device: where the model is.

    Returns:
        The contributions, and the method that made them.

    Raises:
        InputError: NaN or infinity, or a completeness error above ``tolerance``; gradients are
            never complete and not checked.
    """
    work = _Work(model, layer, adapter, source, share, batch_size, device)
    score = np.concatenate([share.of(rows)[1] for rows in work.batches()])
    # rounding alone is left where a set has nearly no share, for example the complement of all
    allowed = max(tolerance * float(np.abs(score).mean()), share.pairs.rounding())
    finish = partial(_finished, hypothetical=hypothetical, correct=correct_off_simplex)
    used: Method = "deeplift" if method == "auto" else method
    try:
        found = _against_all(work, finish, used, allowed, strict=method == "auto")
    except (deeplift.UnfitError, _IncompleteError) as problem:
        if method != "auto":
            raise
        log.info("integrated gradients, because DeepLIFT is not complete: %s", problem)
        used = "integrated_gradients"
        found = _against_all(work, finish, used, allowed)
    error = np.maximum(found.completeness_error, np.abs(found.score - score))
    found = found._replace(score=score, completeness_error=error)
    result = genome_orientation(found, source.regions.strand)
    _check(result, layer, used, allowed, force)
    return result, used


class _IncompleteError(Exception):
    """DeepLIFT does not fit the network between input and layer."""


class _Work(NamedTuple):
    model: nn.Module
    layer: str
    adapter: str
    source: Source
    share: Share
    batch_size: int
    device: torch.device | str

    def batches(self) -> list[slice]:
        return [slice(i, i + self.batch_size) for i in range(0, self.source.size, self.batch_size)]


def _against_all(
    work: _Work,
    finish: Callable[[InputMultipliers], Contributions],
    method: Method,
    allowed: float,
    *,
    strict: bool = False,
) -> Contributions:
    """Return contributions against all baselines; if ``strict``, raise where one is incomplete."""
    halving = Halving()

    def explain(
        inputs: Inputs, baselines: Inputs, weights: tuple[Tensor, ...]
    ) -> tuple[Contributions, float]:
        multipliers = complete_multipliers(
            work.model,
            work.layer,
            work.adapter,
            tuple(tensor.to(work.device) for tensor in inputs),
            tuple(tensor.to(work.device) for tensor in baselines),
            weights[0].to(work.device),
            method=method,
            largest_error=allowed,
        )
        return finish(multipliers), float(multipliers.error().max())

    found = []
    progress = Progress("regions and baselines", work.source.size * work.source.per_target)
    for number in range(work.source.per_target):
        parts = []
        sides = work.source.batches(work.batch_size, number)
        for rows, (inputs, baselines) in zip(work.batches(), sides, strict=True):
            weights = torch.from_numpy(work.share.of(rows)[0])
            for part, worst in halving.run(explain, inputs, baselines, (weights,)):
                if strict and not worst <= allowed:
                    raise _IncompleteError(f"error {worst:.2g}, allowed {allowed:.2g}")
                parts.append(part)
            progress.add(len(weights))
        found.append(joined(parts))
    return average(found)


def _finished(found: InputMultipliers, *, hypothetical: bool, correct: bool) -> Contributions:
    by_base = found.contributions()
    others = found.hypothetical() if hypothetical or correct else None
    if others is not None and correct:
        others = others - others.mean(axis=1, keepdims=True)
        by_base = (found.one_hot * others).sum(axis=1)
    return Contributions(
        by_base.astype(np.float32),
        others.astype(np.float32) if others is not None and hypothetical else None,
        found.tracks.astype(np.float32),
        found.change,
        found.error(),
    )


def _check(result: Contributions, layer: str, method: Method, allowed: float, force: bool) -> None:
    if not np.isfinite(result.contributions).all() or not np.isfinite(result.tracks).all():
        raise InputError("contributions are NaN or infinite; check the model's weights")
    error = result.relative_error()
    log.info("completeness error: %.2g of the mean score", error)
    if method != "gradient" and not result.completeness_error.max() <= allowed and not force:
        share = allowed / float(np.abs(result.score).mean() or 1)
        another = "attributions.method to auto, " if method == "deeplift" else ""
        raise InputError(
            f"{method} is not complete between the input and layer {layer!r}: error {error:.2g} of"
            f" the mean score, tolerance {share:.2g}; set {another}attributions.tolerance higher or"
            " attributions.force to true"
        )
