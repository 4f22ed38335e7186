"""``python -m tpcav_core methods``: plain TCAV, standardised TCAV and TPCAV, side by side."""

from __future__ import annotations

import argparse
import logging
from typing import Any

import numpy as np
import pyarrow as pa
from threadpoolctl import threadpool_limits

from .. import files
from ..basis_files import read_components, read_scaling
from ..scores import LayerTargets, layer_targets
from .scores import score_file

log = logging.getLogger("tpcav_core")
#: plain: raw activations; standardised: z, no PCA; tpcav: the embedding of z
METHODS = ("plain", "standardised", "tpcav")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--cavs", nargs="+", required=True, help="CAVs, parquet")
    parser.add_argument("--plain-cavs", nargs="+", required=True, help="of raw activations")
    parser.add_argument("--attributions", required=True, help="attributions, torch")
    parser.add_argument("--scaling", required=True, help="file of the `scaling` step")
    parser.add_argument("--plain-scaling", required=True, help="file of `scaling --plain`")
    parser.add_argument("--components", required=True, help="file of the `components` step")
    parser.add_argument("--threads", type=int, default=2, help="threads of linear algebra")
    parser.add_argument("--output", required=True, help="scores of all methods, parquet")


def run(arguments: argparse.Namespace) -> None:
    content = files.load_tensors(arguments.attributions, "attributions")
    rows = []
    with threadpool_limits(arguments.threads):
        for method in METHODS:
            target = method_target(arguments, content, method)
            paths = arguments.plain_cavs if method == "plain" else arguments.cavs
            for path in paths:
                rows += [{"method": method, **row} for row in score_file(path, target)]
            log.info("%s: scored", method)
    files.write_parquet(pa.Table.from_pylist(rows), arguments.output, "methods", {})


def method_target(
    arguments: argparse.Namespace, content: dict[str, Any], method: str
) -> LayerTargets:
    """Return a file of attributions in the coordinates of a method.

    The CAVs of standardised TCAV and TPCAV are the same (docs/method.md): only the published
    score differs between the two.
    """
    activations = content["activations"].numpy()
    scaling = read_scaling(arguments.plain_scaling if method == "plain" else arguments.scaling)
    none = np.zeros((activations.shape[1], 0), np.float32)
    components = read_components(arguments.components).vectors if method == "tpcav" else none
    return layer_targets(
        content["multipliers"].numpy(),
        activations,
        content["baseline_activations"].numpy(),
        scaling,
        components,
    )
