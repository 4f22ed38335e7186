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
from ..basis_files import read_scaling
from ..contributions import LayerPairs, Share, contribute
from ..directions import consensus
from ..errors import InputError
from ..explain import RegionPairs
from ..genome import Genome
from ..models import ModelSpec, load_model
from .contribution_data import read_regions, save_contributions
from .data import load_genome
from .options import add_target_arguments, read_model
from .target_sources import target_source

log = logging.getLogger("tpcav_core")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_target_arguments(parser)
    parser.add_argument("--concepts", required=True, help="JSON: pairs of concept and variant")
    parser.add_argument("--set", required=True, help="JSON: name, complement, hypothetical, …")
    parser.add_argument("--force", action="store_true", help="go on where it is exceeded")
    parser.add_argument("--output", required=True, help="contributions, torch")


def run(arguments: argparse.Namespace) -> None:
    spec, device = read_model(arguments)
    genome, chosen = load_genome(arguments.genome), json.loads(arguments.set)
    content = files.load_tensors(arguments.attributions, "attributions", mmap=True)
    concepts = [(concept, variant) for concept, variant in json.loads(arguments.concepts)]
    source, pairs = attributed_pairs(arguments, genome, spec, content)
    model = load_model(spec).to(device)
    try:
        with threadpool_limits(arguments.threads, "blas"):
            basis = concept_span.span(read_directions(arguments.cavs, concepts))
            scaling = read_scaling(arguments.scaling)
            result, method = contribute(
                model,
                arguments.layer,
                spec.inputs,
                source,
                Share(pairs, concept_span.Restriction(basis, scaling, chosen["complement"])),
                method=method_below(content),
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


def method_below(content: dict[str, Any]) -> Method:
    """Return the method between input and layer.

    The one that was asked for; else ``auto``, whatever it chose above the layer: that DeepLIFT is
    not complete there says nothing about what is below, where integrated gradients of kinked
    networks need very many steps.
    """
    method: Method = content["method"]
    return method if content["reason"] == "asked for" else "auto"


def attributed_pairs(
    arguments: argparse.Namespace, genome: Genome, spec: ModelSpec, content: dict[str, Any]
) -> tuple[RegionPairs, LayerPairs]:
    """Return the target regions, and what a file of attributions (``content``) holds of them.

    Raises:
        InputError: the targets are no regions of a genome, or the file is of other regions.
    """
    target, sampling = json.loads(arguments.target), json.loads(arguments.sampling)
    source = target_source(genome, target, spec, sampling, arguments.seed)
    if not isinstance(source, RegionPairs):
        raise InputError(
            f"target {target['name']!r}: bases are followed in regions of a genome only; give"
            " regions instead of a function"
        )
    _check_source(source, content, arguments.attributions)
    return source, LayerPairs(*(content[name].numpy() for name in LayerPairs._fields))


def _check_source(source: RegionPairs, content: dict[str, Any], path: str) -> None:
    """Raise `InputError` if a file of attributions is of other regions than these."""
    same = content.get("contigs") == list(source.genome.names) and all(
        np.array_equal(left, right)
        for left, right in zip(source.regions, read_regions(content["targets"]), strict=True)
    )
    if not same:
        raise InputError(f"{path}: made of other regions; delete it and run the workflow again")


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
