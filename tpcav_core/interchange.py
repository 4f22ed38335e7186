"""CAVs, scores and the basis for use elsewhere: captum, AnnData, plain PyTorch.

The files that a run leaves, with their columns, are described in docs/interchange.md.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pandas as pd
import pyarrow as pa
import torch
from torch import Tensor, nn

from . import files, scores, vectors
from .basis import Scaling, embed
from .basis_files import read_components, read_scaling
from .directions import consensus
from .errors import InputError

if TYPE_CHECKING:
    from anndata import AnnData
    from captum.concept import CAV, Concept

    from .notebook import Basis

#: null CAVs stand in files of their own beside those of the concepts
NULLS = ".nulls-"


class Cavs(NamedTuple):
    """The CAVs of a layer, one for each concept, variant and replicate of the control.

    Attributes:
        table: r rows: ``concept``, ``variant``, ``replicate``, and what is known of each, as in
            ``cavs.tsv``.
        weights: (r, d) float32, in standardised coordinates; their length means nothing.
        mean_differences: (r, d) float32, mean z of the concept − mean z of the control.
    """

    table: pd.DataFrame
    weights: np.ndarray
    mean_differences: np.ndarray

    def joined(self) -> Cavs:
        """Join the replicates of each variant: v unit vectors, their mean direction.

        These are the CAVs that the workflow scores. ``table`` has ``concept``, ``variant`` and
        ``n_replicates`` then.
        """
        groups = self.table.groupby(["concept", "variant"], sort=False).indices
        own = list(groups.values())
        table = pd.DataFrame(list(groups), columns=["concept", "variant"])
        return Cavs(
            table.assign(n_replicates=[len(rows) for rows in own]),
            np.stack([consensus(self.weights[rows].astype(float)) for rows in own]),
            np.stack([self.mean_differences[rows].mean(axis=0, dtype=float) for rows in own]),
        )


def read_cavs(path: str | os.PathLike[str]) -> Cavs:
    """Read a file of CAVs, or all concepts' in a folder: ``results/{model}/{layer}/cavs``.

    Raises:
        InputError: no CAVs there, or a file that is none.
    """
    path = Path(path)
    found = [file for file in sorted(path.glob("*.parquet")) if NULLS not in file.name]
    if path.is_dir() and not found:
        raise InputError(f"{path}: no CAVs (*.parquet) in this folder; run the workflow first")
    tables = [files.read_parquet(file, "cavs") for file in found or [path]]
    table = pa.concat_tables(tables, promote_options="permissive")
    return Cavs(
        vectors.narrow(table).to_pandas(),
        vectors.to_matrix(table["weights"]),
        vectors.to_matrix(table["mean_difference"]),
    )


def layer_directions(cavs: np.ndarray, scaling: Scaling) -> np.ndarray:
    """Return CAVs as directions in the layer's own coordinates: ``σ∘w``.

    A step ``t·w`` in standardised coordinates is ``t·σ∘w`` in activations, so that the gradient at
    the layer times this is the derivative along the CAV.

    Args:
        cavs: (c, d), in standardised coordinates.
        scaling: of the layer.

    Returns:
        (c, d) float64.
    """
    return np.asarray(cavs * scaling.std.astype(float))


class Projection(nn.Module):
    """The embedding of a layer as a module: ``e = [Vᵀz ; z − VVᵀz]``, ``z = (y − μ)/σ``.

    It has buffers and no parameters, is differentiable, and moves with ``to(device)``.

    Args:
        basis: standardisation and components, see `notebook.load_basis`.
    """

    mean: Tensor
    std: Tensor
    components: Tensor

    def __init__(self, basis: Basis) -> None:
        super().__init__()
        self.register_buffer("mean", torch.tensor(basis.scaling.mean))
        self.register_buffer("std", torch.tensor(basis.scaling.std))
        self.register_buffer("components", torch.tensor(basis.components.vectors))

    def forward(self, activations: Tensor) -> Tensor:
        """Return (n, k + d) embeddings of activations (n, …), which are flattened to (n, d)."""
        z = (activations.flatten(1) - self.mean) / self.std
        projected = z @ self.components
        return torch.cat([projected, z - projected @ self.components.T], dim=1)

    def inverse(self, embeddings: Tensor) -> Tensor:
        """Return flattened activations (n, d) of embeddings (n, k + d)."""
        k = self.components.shape[1]
        z = embeddings[:, :k] @ self.components.T + embeddings[:, k:]
        return z * self.std + self.mean


class CaptumCavs(NamedTuple):
    """CAVs as captum's TCAV holds them.

    Attributes:
        cavs: by key of the experimental set and layer; the value for ``TCAV.cavs``.
        experimental_sets: a pair [concept, control] for each CAV; the value for
            ``TCAV.interpret(inputs, experimental_sets=…)``.
    """

    cavs: dict[str, dict[str, CAV]]
    experimental_sets: list[list[Concept]]


def captum_cavs(names: Sequence[str], cavs: np.ndarray, scaling: Scaling, layer: str) -> CaptumCavs:
    """Return CAVs as captum's TCAV holds them, in the layer's own coordinates.

    ``TCAV.interpret`` then trains nothing; its ``sign_count`` is the share of inputs whose output
    rises along the CAV, its ``magnitude`` their mean derivative.

    Args:
        names: of c CAVs, each of which becomes a concept.
        cavs: (c, d), in standardised coordinates.
        scaling: of the layer.
        layer: its name in the network.

    Raises:
        InputError: if there is not one name for each CAV.
    """
    from captum.concept import CAV, Concept

    if len(names) != len(cavs):
        raise InputError(f"{len(names)} names for {len(cavs)} CAVs; give one for each")
    control = Concept(0, "control", None)
    found = CaptumCavs({}, [])
    for number, (name, direction) in enumerate(
        zip(names, layer_directions(cavs, scaling), strict=True), start=1
    ):
        pair = [Concept(number, name, None), control]
        weights = torch.tensor(np.stack([direction, -direction]), dtype=torch.float32)
        stats = {"weights": weights, "classes": [one.id for one in pair]}
        key = "-".join(str(one.id) for one in pair)
        found.cavs[key] = {layer: CAV(pair, layer, stats)}
        found.experimental_sets.append(pair)
    return found


def region_scores(cavs: Cavs, targets: scores.LayerTargets) -> dict[str, np.ndarray]:
    """Return what each of v joined CAVs says of each of n regions.

    Args:
        cavs: of `Cavs.joined`.
        targets: n regions at the layer.

    Returns:
        (v, n) float64 each: ``derivative`` and ``effect``, whose means over regions are those of
        the tables, and ``published``, the published attributions along the CAV, ``a·w``.
    """
    embedded = embed(cavs.weights, targets.components)
    return {
        "derivative": scores.derivative(targets, cavs.weights).T,
        "effect": scores.effect(targets, cavs.mean_differences).T,
        "published": np.asarray(targets.attributions @ embedded.T).T,
    }


def score_anndata(layer: str | os.PathLike[str], target: str) -> AnnData:
    """Return the scores of a layer on a target as concepts × regions.

    Args:
        layer: folder of its results, ``results/{model}/{layer}``.
        target: name of the target, with that of the output if there are several.

    Returns:
        ``X`` is the effect of each concept in each region, in units of the output; ``layers`` has
        ``derivative`` and ``published`` as well; ``obs`` the concepts and variants with all columns
        of their scores, ``var`` the regions with output, baseline output and completeness error.

    Raises:
        InputError: a file is missing or of another format, or the package anndata is not there.
    """
    try:
        from anndata import AnnData
    except ImportError:
        raise InputError("AnnData needs the package anndata: pip install anndata") from None
    folder = Path(layer)
    content = files.load_tensors(folder / "attributions" / f"{target}.pt", "attributions")
    scaling = read_scaling(str(folder / "basis" / "scaling.parquet"))
    components = read_components(str(folder / "basis" / "components.pt")).vectors
    multipliers, activations, baselines = (content[name].numpy() for name in _AT_LAYER)
    targets = scores.layer_targets(multipliers, activations, baselines, scaling, components)
    cavs = read_cavs(folder / "cavs").joined()
    found = region_scores(cavs, targets)
    table = files.read_parquet(folder / "scores" / f"{target}.parquet", "scores").to_pandas()
    keys = ["concept", "variant"]
    # random nulls have neither
    table = table.dropna(subset=keys)
    obs = cavs.table.merge(table, on=keys, how="left", validate="one_to_one")
    obs.index = pd.Index(obs["concept"] + "/" + obs["variant"].astype(str))
    return AnnData(
        X=found.pop("effect"),
        obs=_plain(obs),
        var=_plain(_regions(content)),
        layers=found,
        uns={"target": target, "method": content["method"]},
    )


#: what of a file of attributions is in a layer's coordinates
_AT_LAYER = ("multipliers", "activations", "baseline_activations")


def _regions(content: dict[str, Any]) -> pd.DataFrame:
    """Return the targets of a file of attributions, one row each; with places if they have some."""
    names = ("output", "baseline_output", "completeness_error")
    table = pd.DataFrame({name: content[name].numpy() for name in names})
    table.index = table.index.astype(str)
    if "targets" in content:
        places = {name: value.numpy() for name, value in content["targets"].items()}
        contigs = np.array(content["contigs"], dtype=object)
        places["contig"] = contigs[places["contig"]]
        table = pd.DataFrame(places, index=table.index).join(table)
    return table


def _plain(table: pd.DataFrame) -> pd.DataFrame:
    """Return a table whose text has the type that AnnData writes; columns without a value go."""
    table = table.dropna(axis="columns", how="all")
    text = table.select_dtypes(exclude=["number", "bool"]).columns
    table = table.astype(dict.fromkeys(text, object))
    table.index = table.index.astype(object)
    return table
