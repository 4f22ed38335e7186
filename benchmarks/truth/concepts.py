"""Activations of concepts, controls and nulls at all layers of a network, in one pass each."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import torch
from torch import nn

from benchmarks.truth.networks import LAYERS
from benchmarks.truth.simulation import WINDOW, Study
from tpcav_core.composition import gc_content
from tpcav_core.concepts import Recipe, realise
from tpcav_core.controls import control_recipes
from tpcav_core.inputs import one_hot
from tpcav_core.sampling import draw_windows, window_sampling
from tpcav_core.sources.base import Setting
from tpcav_core.sources.motifs import MotifConcept
from tpcav_core.sources.null_motifs import NullMotif, null_motif

COPIES = (4, 8)
EXAMPLES = 400
REPLICATES = 3


class Pass(NamedTuple):
    """What a network makes of examples.

    Attributes:
        layers: (n, d) float32 by layer.
        output: (n, 2) float32 logits.
        folds: (n,) int16.
        gc: (n,) float64, GC contents.
    """

    layers: dict[str, np.ndarray]
    output: np.ndarray
    folds: np.ndarray
    gc: np.ndarray


def setting(study: Study, seed: int) -> Setting:
    """Return what examples are drawn from."""
    drawn = window_sampling(study.genome, WINDOW, EXAMPLES, seed=seed)
    return Setting(study.genome, drawn)


def concepts(study: Study, copies: tuple[int, ...] = COPIES) -> list[MotifConcept]:
    """Return the concept of each motif."""
    return [
        MotifConcept(id=motif.label, label=motif.label, set="motifs", motif=motif, copies=copies)
        for motif in study.motifs
    ]


def nulls(study: Study, per_motif: int, copies: tuple[int, ...] = COPIES) -> list[MotifConcept]:
    """Return permutations of each motif."""
    return [
        null_motif(concept, number)
        for concept in concepts(study, copies)
        for number in range(per_motif)
    ]


def run(model: nn.Module, study: Study, recipe: Recipe) -> Pass:
    """Run the examples of a recipe through a network."""
    seen: dict[str, list[np.ndarray]] = {layer: [] for layer in LAYERS}
    hooks = []
    for layer in LAYERS:

        def keep(_: nn.Module, __: object, value: torch.Tensor, layer: str = layer) -> None:
            seen[layer].append(value.flatten(1).numpy().copy())

        hooks.append(getattr(model, layer).register_forward_hook(keep))
    outputs = []
    codes = realise(recipe, study.genome)
    with torch.no_grad():
        for first in range(0, len(codes), 200):
            outputs.append(model(one_hot(codes[first : first + 200])).numpy())
    for hook in hooks:
        hook.remove()
    layers = {layer: np.concatenate(parts) for layer, parts in seen.items()}
    return Pass(layers, np.concatenate(outputs), recipe.folds, gc_content(codes))


def variants(
    model: nn.Module, study: Study, where: Setting, chosen: list[MotifConcept]
) -> Iterator[tuple[MotifConcept, str, Pass, np.ndarray]]:
    """Yield each variant of each concept, what the network makes of it, and what planting adds.

    The last is f(planted) − f(not planted) of the first output, (n,); NaN for nulls.
    """
    nan = np.full(1, np.nan)
    for concept in chosen:
        bare: np.ndarray | None = None
        for variant, recipe in concept.recipes(where):
            found = run(model, study, recipe)
            if bare is None and not isinstance(concept, NullMotif):
                bare = run(model, study, recipe._replace(sites=None)).output[:, 0]
            yield concept, variant, found, nan if bare is None else found.output[:, 0] - bare


def controls(
    model: nn.Module, study: Study, where: Setting, number: int, name: str = "random"
) -> list[Pass]:
    """Return sets of random windows."""
    return [run(model, study, recipe) for _, recipe in control_recipes(name, number, where)]


def random_sets(
    model: nn.Module, study: Study, where: Setting, number: int
) -> Iterator[tuple[Pass, list[Pass]]]:
    """Yield fresh random sets, each with its own controls."""
    for index in range(number):
        regions, folds = draw_windows(where.sampling, "fresh", index)
        own = run(model, study, Recipe(regions, folds))
        yield own, controls(model, study, where, REPLICATES, f"fresh-{index}")
