"""Options that the steps with a model share."""

from __future__ import annotations

import argparse
import ctypes
import json
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

    from ..models import ModelSpec


def add_model_arguments(parser: argparse.ArgumentParser, *, layer: bool = True) -> None:
    """Add the options of a step that runs a model, to a layer or all through."""
    parser.add_argument("--model", required=True, help="JSON: a model of the configuration")
    if layer:
        parser.add_argument("--layer", required=True, help="name of a module in the model")
    parser.add_argument("--threads", type=int, default=2, help="threads of torch on the CPU")


def add_target_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of a step that goes from a layer down to the bases of target regions."""
    add_model_arguments(parser)
    parser.add_argument("--genome", required=True, help="genome file of the `genome` step")
    parser.add_argument("--attributions", required=True, help="attributions of a target, torch")
    parser.add_argument("--target", required=True, help="JSON: a target of the configuration")
    parser.add_argument("--sampling", required=True, help="JSON: chromosomes, exclude")
    parser.add_argument("--seed", type=int, required=True, help="of all random choices")
    parser.add_argument("--scaling", required=True, help="file of the `scaling` step")
    parser.add_argument("--cavs", nargs="+", required=True, help="CAVs of the concepts, parquet")
    parser.add_argument("--tolerance", type=float, default=0.01, help="of the completeness error")


def read_model(arguments: argparse.Namespace) -> tuple[ModelSpec, torch.device]:
    """Return the model's description and its device; torch is set to ``--threads``.

    The number of threads is part of the configuration and not taken from the machine: sums are
    split among threads, so another number can change the last bits of a result.
    """
    import torch

    from ..models import ModelSpec, resolve_device

    keep_freed_memory()
    torch.set_num_threads(arguments.threads)
    spec = ModelSpec.from_dict(json.loads(arguments.model))
    return spec, resolve_device(spec.device)


def keep_freed_memory() -> None:
    """Have the C library keep large pieces of freed memory for the next batch.

    glibc gives pieces above 32 MB back to the system and asks for them anew, page by page, at every
    layer of every batch; on a CPU the passes of small networks take three times as long for it.
    """
    trim_threshold, mmap_threshold = -1, -3  # malloc.h
    with suppress(OSError, AttributeError):
        library = ctypes.CDLL("libc.so.6")
        library.mallopt(mmap_threshold, 2**30)
        library.mallopt(trim_threshold, 2**31 - 1)
