"""Options that several steps share."""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch

    from ..genome import Genome
    from ..models import ModelSpec
    from ..tracks import Tracks


def add_model_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of a step that runs a model."""
    parser.add_argument("--model", required=True, help="JSON: a model of the configuration")
    parser.add_argument("--layer", required=True, help="name of a module in the model")
    parser.add_argument("--threads", type=int, default=2, help="threads of torch on the CPU")


def read_model(arguments: argparse.Namespace) -> tuple[ModelSpec, torch.device]:
    """Return the model's description and its device; torch is set to ``--threads``.

    The number of threads is part of the configuration and not taken from the machine: sums are
    split among threads, so another number can change the last bits of a result.
    """
    import torch

    from ..models import ModelSpec, resolve_device

    torch.set_num_threads(arguments.threads)
    spec = ModelSpec.from_dict(json.loads(arguments.model))
    return spec, resolve_device(spec.device)


def open_tracks(tracks: Mapping[str, Any], genome: Genome | None) -> Tracks | None:
    """Return the bigWig files of (part of) the section ``tracks``; None if there are none."""
    if not tracks or genome is None:
        return None
    from ..tracks import Track, Tracks

    return Tracks([Track(name, **entry) for name, entry in tracks.items()], genome)


def load_genome(path: str) -> Genome:
    """Read the file of the ``genome`` step; pages are read when windows are cut from them."""
    from .. import files
    from ..genome import genome_from_tensors

    return genome_from_tensors(files.load_tensors(path, "genome", mmap=True))
