"""``profile``: write a Snakemake profile for a Slurm cluster."""

from __future__ import annotations

import argparse
import logging

from ..slurm_profile import unknown_partitions, write_profile

log = logging.getLogger("tpcav_core")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--partition", help="of jobs (default: the cluster's default)")
    parser.add_argument("--account", help="that jobs are charged to (default: the cluster's)")
    parser.add_argument("--gpu-partition", help="of jobs that ask for a GPU, if another")
    parser.add_argument("--name", default="slurm", help="of the profile (default: slurm)")
    parser.add_argument("--overwrite", action="store_true", help="replace a profile of that name")


def run(arguments: argparse.Namespace) -> None:
    # make hands on an option that was not given as an empty one
    values = {
        key: getattr(arguments, key) or None for key in ("partition", "account", "gpu_partition")
    }
    folder = write_profile(arguments.name, overwrite=arguments.overwrite, **values)
    for name in unknown_partitions(values["partition"], values["gpu_partition"]):
        log.warning("warning: the cluster has no partition %r; sinfo lists those it has", name)
    print(f"{folder}\nuse it with: snakemake --profile {arguments.name}")
