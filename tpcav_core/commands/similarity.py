"""``python -m tpcav_core similarity``: which CAVs of a layer say the same."""

from __future__ import annotations

import argparse
import logging

import numpy as np
import pyarrow as pa
from threadpoolctl import threadpool_limits

from .. import files, similarity, vectors

log = logging.getLogger("tpcav_core")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--cavs", nargs="+", required=True, help="CAVs of a layer, parquet")
    parser.add_argument("--threads", type=int, default=2, help="threads of linear algebra")
    parser.add_argument("--output", required=True, help="matrices of cosines, parquet")


def run(arguments: argparse.Namespace) -> None:
    parts = [
        files.read_parquet(path, "cavs", ["concept", "variant", "replicate", "weights"])
        for path in arguments.cavs
    ]
    table = pa.concat_tables(parts)
    names = list(zip(table["concept"].to_pylist(), table["variant"].to_pylist(), strict=True))
    keys = list(dict.fromkeys(names))
    weights = vectors.to_matrix(table["weights"])
    # rows of a (concept, variant) follow each other, one per replicate, in the order of replicates
    cavs = weights.reshape(len(keys), -1, weights.shape[1])
    with threadpool_limits(arguments.threads):
        agreement = similarity.agreement(cavs)
        cosines = similarity.cosines(cavs)
    columns = {
        "concept": [concept for concept, _ in keys],
        "variant": [variant for _, variant in keys],
        "within": agreement.within,
        "cosine": vectors.to_column(cosines.astype(np.float32)),
        "corrected": vectors.to_column(agreement.corrected.astype(np.float32)),
    }
    files.write_parquet(pa.table(columns), arguments.output, "similarity", {})
    log.info("%d CAVs compared", len(keys))
