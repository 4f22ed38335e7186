"""The steps of the workflow as calls for a notebook, and files exchanged with the workflow.

Each composes functions of the modules that the rules use, so that a notebook with the seed and
the names of a configuration gets the numbers of the workflow. docs/tutorial.md walks through it.
Everything is held in memory: n × d × 4 bytes per set of activations. For large layers or many
concepts run the workflow, and load what it made.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
import torch
from torch import nn

from .activations import layer_activations, recipe_inputs
from .attributions import Attribution, Method
from .basis import Components, Scaling, embed, fit_components, fit_scaling
from .basis_files import read_components, read_scaling, write_components, write_scaling
from .catalogue import read_set
from .concepts import Recipe, head
from .errors import InputError
from .explain import attribute_pairs
from .genome import Genome
from .inputs import Adapter, example_codes, input_adapter
from .layer_checks import check_layer
from .models import ModelSpec, load_model, resolve_device
from .regions import Regions
from .scores import LayerTargets, layer_targets
from .sources.base import Concept
from .starts import available_starts
from .targets import Pairs, pair_with_random
from .tracks import Tracks
from .training import Examples


def motif_concepts(
    path: str | os.PathLike[str],
    copies: Sequence[int] = (4, 8, 16),
    *,
    format: Literal["auto", "meme", "jaspar", "consensus"] = "auto",  # noqa: A002  # the key of the configuration
    select: Sequence[str] = (),
    both_strands: bool = True,
    start_margin: int = 0,
    end_margin: int = 0,
    prefix: str = "",
    control: str = "random",
) -> list[Concept]:
    """Return the motif concepts of a file; the arguments are the keys of the configuration.

    Args:
        path: motif file.
        copies: the variants: how many sites are planted into each example.
        format: MEME minimal, JASPAR, or a table of consensus sequences; ``auto`` finds out.
        select: names or ids of the motifs to take, ``*`` and ``?`` allowed; empty for all.
        both_strands: plant each site in either orientation with probability 1/2.
        start_margin: bases at the start of the window that stay free of planted sites.
        end_margin: the same at its end.
        prefix: put before the ids.
        control: what the concepts are told apart from.

    Raises:
        InputError: for a file that cannot be used, or a selection that matches nothing.
    """
    definition = {
        "source": "motifs",
        "file": os.fspath(path),
        "format": format,
        "select": list(select),
        "copies": list(copies),
        "both_strands": both_strands,
        "start_margin": start_margin,
        "end_margin": end_margin,
        "prefix": prefix,
        "control": control,
        "drop": [],
        "sites": "pwm",
        "bins": 1,
        "into": None,
    }
    return read_set("motifs", definition)


@dataclass(frozen=True)
class ModelLayer:
    """A model, one of its layers, and how sequences become the model's inputs.

    Attributes:
        model: the network in evaluation mode, on ``device``.
        layer: name of a module in it.
        adapt: makes the model's inputs from (n, L) uint8 codes.
        output: what of the model's output is explained, see `readouts`.
        batch_size: examples per forward pass.
        device: where the model is.
        tracks: signal that the model takes.
    """

    model: nn.Module
    layer: str
    adapt: Adapter
    output: int | str = 0
    batch_size: int = 64
    device: torch.device | str = "cpu"
    tracks: Tracks | None = None

    def activations(self, recipe: Recipe, genome: Genome) -> np.ndarray:
        """Return the activations of the n examples of a recipe, (n, d) float32, flattened."""
        batches = recipe_inputs(recipe, genome, self.adapt, self.batch_size, self.tracks)
        parts = layer_activations(self.model, self.layer, batches, device=self.device)
        return np.concatenate(list(parts))

    def sample(self, recipes: Iterable[Recipe], genome: Genome, per_recipe: int = 10) -> np.ndarray:
        """Return the activations of the first examples of each recipe: what a basis is fitted on.

        Returns:
            (recipes × per_recipe, d) float32; examples of a recipe are in random order.
        """
        parts = [self.activations(head(recipe, per_recipe), genome) for recipe in recipes]
        return np.concatenate(parts)

    def attribute(
        self, pairs: Pairs, genome: Genome, method: Method = "auto", tolerance: float = 0.01
    ) -> Attribution:
        """Return the multipliers of n target regions, each against its baseline.

        See `explain.attribute_pairs`, which also raises if they are not complete.
        """
        return attribute_pairs(
            self.model,
            self.layer,
            self.adapt,
            genome,
            pairs,
            output=self.output,
            method=method,
            tolerance=tolerance,
            batch_size=self.batch_size,
            device=self.device,
            tracks=self.tracks,
        )[0]


def wrap(spec: ModelSpec, layer: str) -> ModelLayer:
    """Load a model, move it to its device and check that a layer of it can be used.

    Raises:
        InputError: anything that is wrong with the model, the layer or the adapter.
    """
    device = resolve_device(spec.device)
    model = load_model(spec).to(device)
    adapt = input_adapter(spec.inputs)
    if spec.window is None or spec.tracks:
        raise InputError("a notebook wraps models of DNA alone; run the workflow for others")
    inputs = tuple(tensor.to(device) for tensor in adapt(example_codes(2, spec.window)))
    check_layer(model, layer, inputs, spec.output)
    return ModelLayer(model, layer, adapt, spec.output, spec.batch_size, device)


class Basis(NamedTuple):
    """Standardisation and principal components of a layer."""

    scaling: Scaling
    components: Components

    def examples(self, activations: np.ndarray, recipe: Recipe) -> Examples:
        """Return what a CAV is trained on, from activations (n, d) of the recipe's n examples."""
        return Examples(self.scaling.apply(activations), recipe.folds)

    def embed(self, activations: np.ndarray) -> np.ndarray:
        """Return the embeddings ``[Vᵀz ; z − VVᵀz]``, (n, k + d), of activations (n, d)."""
        return embed(self.scaling.apply(activations), self.components.vectors)

    def targets(self, attribution: Attribution) -> LayerTargets:
        """Return attributions of n regions in the coordinates that concepts are scored in."""
        return layer_targets(
            attribution.multipliers,
            attribution.activations,
            attribution.baseline_activations,
            self.scaling,
            self.components.vectors,
        )


def fit_basis(sample: np.ndarray, components: int | Literal["full"] = "full") -> Basis:
    """Fit mean, standard deviation and principal components of activations (n, d) float32."""
    scaling = fit_scaling(sample)
    return Basis(scaling, fit_components(sample, scaling, components))


def save_basis(basis: Basis, folder: str | os.PathLike[str]) -> None:
    """Write ``scaling.parquet`` and ``components.pt``, the files of the workflow's basis."""
    write_scaling(basis.scaling, str(Path(folder) / "scaling.parquet"), {})
    write_components(basis.components, str(Path(folder) / "components.pt"), {})


def load_basis(folder: str | os.PathLike[str]) -> Basis:
    """Read a basis that `save_basis` or the workflow wrote (``results/…/basis``).

    Raises:
        InputError: if a file is missing, damaged or of another format.
    """
    scaling = read_scaling(str(Path(folder) / "scaling.parquet"))
    return Basis(scaling, read_components(str(Path(folder) / "components.pt")))


def random_pairs(
    genome: Genome,
    window: int,
    n: int,
    *,
    seed: int,
    name: str = "random",
    chromosomes: Sequence[str] | None = None,
    exclude: Regions | None = None,
) -> Pairs:
    """Return n random target regions and n other random regions as their baselines.

    Args:
        genome: the genome.
        window: width in bp.
        n: number of targets.
        seed: the seed of the configuration.
        name: of the target set; another name draws other regions.
        chromosomes: names of the contigs to use; None: all.
        exclude: regions that no window may touch.
    """
    starts, lost = available_starts(
        genome,
        window,
        chromosomes=chromosomes,
        exclude=exclude,
    )
    return pair_with_random(n, starts, window, seed, name, lost=lost)
