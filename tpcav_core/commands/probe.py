"""``python -m tpcav_core probe``: try to explain a layer on a few examples, and is there room?"""

from __future__ import annotations

import argparse
import json
import logging
import os
import shutil
from pathlib import Path
from typing import Any

import pandas as pd

from ..errors import InputError
from ..layer_checks import check_layer
from ..memory import cav_job_memory
from ..models import ModelSpec, load_model, resolve_device
from ..probing import probe_layer
from ..readouts import readout
from .data import optional_genome
from .preflight import add_example_arguments, example_inputs
from .result_files import write_table

log = logging.getLogger("tpcav_core")
#: examples that are tried; the second half serves as baselines of the first
EXAMPLES = 16


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_example_arguments(parser)
    parser.add_argument("--model", required=True, help="JSON: a model of the configuration")
    parser.add_argument("--layer", required=True, help="name of a module in the model")
    parser.add_argument("--outputs", default='{"": 0}', help="JSON: what is explained, by name")
    parser.add_argument("--attributions", default="{}", help="JSON: method, tolerance, force")
    parser.add_argument("--sets", type=int, default=0, help="sets of activations kept at a time")
    parser.add_argument("--cav-memory", required=True, help="JSON: replicates, variants, norm")
    parser.add_argument("--output", required=True, help="table, .tsv (a .parquet goes beside it)")


def run(arguments: argparse.Namespace) -> None:
    loaded = optional_genome(arguments.genome)
    spec = ModelSpec.from_dict(json.loads(arguments.model))
    device = resolve_device(spec.device)
    model = load_model(spec).to(device)
    inputs = example_inputs(loaded, spec, arguments, EXAMPLES)
    inputs = tuple(tensor.to(device) for tensor in inputs)
    half = len(inputs[0]) // 2
    targets, baselines = (
        tuple(tensor[rows] for tensor in inputs) for rows in (slice(half), slice(half, 2 * half))
    )
    options, memory = json.loads(arguments.attributions), json.loads(arguments.cav_memory)
    rows: list[dict[str, Any]] = []
    for name, value in json.loads(arguments.outputs).items():
        read = readout(value)
        d = check_layer(model, arguments.layer, inputs, read, spec.batch_size).d
        found = probe_layer(
            model,
            arguments.layer,
            targets,
            baselines,
            output=read,
            batch_size=spec.batch_size,
            **options,
        )
        log.info("method %s: %s", found.method, found.reason)
        rows.append(
            {
                "layer": arguments.layer,
                "output": name or value,
                "d": d,
                "method": found.method,
                "completeness_error": found.error,
                "around_layer": found.around,
                "set_mb": round(arguments.examples * d * 4 / 1e6, 3),
                "disk_mb": round(arguments.sets * arguments.examples * d * 4 / 1e6, 3),
                "cav_job_mb": round(cav_job_memory(arguments.examples, d, **memory)),
            }
        )
    _check_disk(rows[0], Path(arguments.output).parent)
    _compare_memory(rows[0]["cav_job_mb"])
    table = pd.DataFrame(rows)
    log.info("%s", table.to_string(index=False))
    write_table(table, arguments.output)


def _compare_memory(needed: float) -> None:
    """Warn if one CAV job needs more memory than this machine has; jobs may run on others."""
    here = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e6
    if needed > here:
        log.warning(
            "a CAV job needs %s MB, this machine has %s; run on a larger one, lower"
            " examples.per_concept, or choose a smaller layer",
            f"{needed:,.0f}",
            f"{here:,.0f}",
        )


def _check_disk(row: dict[str, Any], folder: Path) -> None:
    """Raise `InputError` if the activations that are kept at a time do not fit on the disk."""
    free = shutil.disk_usage(folder).free / 1e6
    if row["disk_mb"] > free:
        raise InputError(
            f"layer {row['layer']!r}: activations of up to {row['disk_mb']:,.0f} MB lie in"
            f" {folder} at a time, {free:,.0f} MB are free; lower jobs.concepts_per_activation_job"
            " or examples.per_concept, choose a smaller layer or another disk"
        )
