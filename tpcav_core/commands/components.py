"""``python -m tpcav_core components``: principal components of standardised activations."""

from __future__ import annotations

import argparse
import logging
from typing import Literal

from threadpoolctl import threadpool_limits

from .. import basis, decorrelation, files, vectors
from ..basis_files import read_scaling, write_components
from .result_files import write_table

log = logging.getLogger("tpcav_core")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--sample", required=True, help="activations of the basis sample, parquet")
    parser.add_argument("--scaling", required=True, help="file of the `scaling` step")
    parser.add_argument("--number", required=True, help="k: a number, 0 or 'full'")
    parser.add_argument("--threads", type=int, default=2, help="threads of linear algebra")
    parser.add_argument("--output", required=True, help="components, torch")
    parser.add_argument("--variance", required=True, help="table, .parquet (a .tsv goes beside it)")


def run(arguments: argparse.Namespace) -> None:
    sample = vectors.to_matrix(
        files.read_parquet(arguments.sample, "activations", ["activation"])["activation"]
    )
    number: int | Literal["full"] = "full" if arguments.number == "full" else int(arguments.number)
    with threadpool_limits(arguments.threads):
        fitted = basis.fit_components(sample, read_scaling(arguments.scaling), number)
    parameters = {"number": arguments.number, "examples": len(sample)}
    write_components(fitted, arguments.output, parameters)
    write_table(decorrelation.variance_table(fitted), arguments.variance)
    log.info(
        "%d components of %d examples hold %.1f %% of their variance",
        fitted.vectors.shape[1],
        len(sample),
        100 * fitted.variances.sum() / (fitted.total_variance or 1.0),
    )
