"""``python -m tpcav_core scaling``: mean and standard deviation of activations."""

from __future__ import annotations

import argparse
import logging

from .. import basis, files, vectors
from ..basis_files import write_scaling

log = logging.getLogger("tpcav_core")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--sample", required=True, help="activations of the basis sample, parquet")
    parser.add_argument(
        "--plain", action="store_true", help="leave activations as they are, as plain TCAV does"
    )
    parser.add_argument("--output", required=True, help="scaling, parquet")


def run(arguments: argparse.Namespace) -> None:
    sample = vectors.to_matrix(
        files.read_parquet(arguments.sample, "activations", ["activation"])["activation"]
    )
    scaling = basis.no_scaling(sample.shape[1]) if arguments.plain else basis.fit_scaling(sample)
    write_scaling(scaling, arguments.output, {"examples": len(sample)})
    log.info("standardised on %d examples x %d features", *sample.shape)
