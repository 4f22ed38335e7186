"""``python -m tpcav_core contributions``: the concepts' share of the output, base by base."""

from __future__ import annotations

import argparse
import json
import logging
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from threadpoolctl import threadpool_limits

from .. import concept_span, files, vectors
from ..attributions import Method
from ..contributions import LayerPairs, contribute
from ..directions import consensus
from ..errors import InputError
from ..explain import RegionPairs
from ..genome import Genome
from ..inputs import input_adapter
from ..models import ModelSpec, load_model
from ..targets import Pairs
from .contribution_data import read_regions, save_contributions
from .data import load_genome, open_tracks
from .options import add_model_arguments, read_model
from .scaling import read_scaling

log = logging.getLogger("tpcav_core")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_model_arguments(parser)
    parser.add_argument("--genome", required=True, help="genome file of the `genome` step")
    parser.add_argument("--attributions", required=True, help="attributions of a target, torch")
    parser.add_argument("--scaling", required=True, help="file of the `scaling` step")
    parser.add_argument("--cavs", nargs="+", required=True, help="CAVs of the concepts, parquet")
    parser.add_argument("--concepts", required=True, help="JSON: pairs of concept and variant")
    parser.add_argument("--set", required=True, help="JSON: name, complement, hypothetical, …")
    parser.add_argument("--tolerance", type=float, default=0.01, help="of the completeness error")
    parser.add_argument("--force", action="store_true", help="go on where it is exceeded")
    parser.add_argument("--output", required=True, help="contributions, torch")


def run(arguments: argparse.Namespace) -> None:
    spec, device = read_model(arguments)
    genome, chosen = load_genome(arguments.genome), json.loads(arguments.set)
    content = files.load_tensors(arguments.attributions, "attributions", mmap=True)
    concepts = [(concept, variant) for concept, variant in json.loads(arguments.concepts)]
    pairs = LayerPairs(*(content[name].numpy() for name in LayerPairs._fields))
    model = load_model(spec).to(device)
    try:
        with threadpool_limits(arguments.threads, "blas"):
            basis = concept_span.span(read_directions(arguments.cavs, concepts))
            scaling = read_scaling(arguments.scaling)
            result, method = contribute(
                model,
                arguments.layer,
                spec.inputs,
                region_pairs(content, genome, spec, arguments.attributions),
                pairs,
                concept_span.Restriction(basis, scaling, chosen["complement"]),
                method=first_method(content),
                tolerance=arguments.tolerance,
                force=arguments.force,
                hypothetical=chosen["hypothetical"],
                correct_off_simplex=chosen["correct_off_simplex"],
                batch_size=spec.batch_size,
                device=device,
            )
    except InputError as error:
        raise InputError(f"contributions {chosen['name']!r}: {error}") from error
    log.info("%d concepts span %d directions", len(concepts), basis.shape[1])
    about = {"concepts": concepts, "set": chosen, "directions": basis.shape[1]}
    found = {name: content[name] for name in ("targets", "contigs")}
    save_contributions(result, found | {"method": method}, arguments.output, about)


def first_method(content: dict[str, Any]) -> Method:
    """Return the method that is tried first between input and layer.

    The one that was asked for; else DeepLIFT: that it is not complete above the layer says nothing
    about what is below, where integrated gradients of kinked networks need very many steps.
    """
    method: Method = content["method"]
    asked = content["reason"] == "asked for"
    return "deeplift" if method == "integrated_gradients" and not asked else method


def region_pairs(
    content: dict[str, Any], genome: Genome, spec: ModelSpec, path: str
) -> RegionPairs:
    """Return the target regions and baselines of a file of attributions."""
    if "targets" not in content:
        raise InputError(f"{path}: its targets are no regions of a genome, which have no bases")
    if content["contigs"] != list(genome.names):
        raise InputError(f"{path}: made with another genome; delete it and run the workflow again")
    pairs = Pairs(*(read_regions(content[side]) for side in ("targets", "baselines")))
    return RegionPairs(genome, pairs, input_adapter(spec.inputs), open_tracks(spec.tracks, genome))


def read_directions(paths: list[str], concepts: list[tuple[str, str]]) -> np.ndarray:
    """Return the consensus CAVs (c, d) of pairs of concept and variant, standardised coordinates.

    Raises:
        InputError: a pair is in none of the files.
    """
    found: dict[tuple[str, str], np.ndarray] = {}
    for path in paths:
        table = files.read_parquet(path, "cavs", ["concept", "variant", "weights"])
        for concept, variant in concepts:
            wanted = pc.and_(
                pc.equal(table["concept"], concept), pc.equal(table["variant"], variant)
            )
            own: pa.Table = table.filter(wanted)
            if len(own):
                found[concept, variant] = consensus(vectors.to_matrix(own["weights"]).astype(float))
    for concept, variant in concepts:
        if (concept, variant) not in found:
            raise InputError(f"no CAV of concept {concept!r}, variant {variant!r}, in the files")
    return np.stack([found[pair] for pair in concepts])
