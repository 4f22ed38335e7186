"""A Snakemake profile for a Slurm cluster, in the user's configuration folder."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

import platformdirs
import yaml

from .errors import InputError
from .files import atomic

#: as in profiles/slurm of the workflow, but for what is the workflow's own
SETTINGS: dict[str, object] = {
    "jobs": 100,
    "max-jobs-per-timespan": "10/10s",
    "slurm-init-seconds-before-status-checks": 30,
    "slurm-status-command": "squeue",
    "slurm-status-attempts": 30,
    "retries": 2,
    "keep-going": True,
    "latency-wait": 60,
}
#: more than one of this workflow's jobs asks for
GPUS_PER_JOB = 8
_HEADER = (
    "# Written by `python -m tpcav_core profile`; key by key: docs/running.md of the workflow.\n"
)


def write_profile(
    name: str = "slurm",
    *,
    partition: str | None = None,
    account: str | None = None,
    gpu_partition: str | None = None,
    overwrite: bool = False,
    folder: Path | None = None,
) -> Path:
    """Write a profile that ``snakemake --profile NAME`` finds; return its folder.

    Args:
        name: of the profile.
        partition: of jobs, of those without a GPU if ``gpu_partition`` is given; None for the
            cluster's default.
        account: that jobs are charged to; None for the cluster's default.
        gpu_partition: of jobs that ask for a GPU; None for the same as all.
        overwrite: replace a profile that is there.
        folder: where profiles are; None for Snakemake's folder of this user.

    Raises:
        InputError: a name that Slurm could not have, or a profile that is there already.
    """
    _check("--name", name)
    for option, value in (
        ("--partition", partition),
        ("--account", account),
        ("--gpu-partition", gpu_partition),
    ):
        if value is not None:
            _check(option, value)
    if gpu_partition and not partition:
        raise InputError(
            "--gpu-partition without --partition: give the partition of the other jobs as well"
        )
    target = (folder or Path(platformdirs.user_config_dir("snakemake", "snakemake"))) / name
    if not overwrite and (target.exists() or target.is_symlink()):
        raise InputError(f"{target} is there already; give --overwrite to replace it, or --name")
    target.mkdir(parents=True, exist_ok=True)
    partitions = target / "partitions.yaml"
    if gpu_partition and partition:
        limits = {partition: 0, gpu_partition: GPUS_PER_JOB}
        content = {which: {"max_gpu": number} for which, number in limits.items()}
        _write(partitions, {"partitions": content})
    else:
        partitions.unlink(missing_ok=True)
    _write(target / "config.yaml", _settings(partition, account, gpu_partition))
    return target


def _settings(
    partition: str | None, account: str | None, gpu_partition: str | None
) -> dict[str, object]:
    resources: dict[str, object] = {"mem_mb": 2000, "runtime": 60}
    # Snakemake evaluates these: `input` or `1e5` would not stay a name without quotes
    if account:
        resources["slurm_account"] = repr(account)
    if partition and not gpu_partition:
        resources["slurm_partition"] = repr(partition)
    chosen: dict[str, object] = {"executor": "slurm", "default-resources": resources}
    if gpu_partition:
        # Snakemake takes a file beside the profile by its name
        chosen["slurm-partition-config"] = "partitions.yaml"
    return chosen | SETTINGS


def unknown_partitions(*names: str | None) -> list[str]:
    """Return those of the names that the cluster does not have; none where there is no cluster."""
    if shutil.which("sinfo") is None:
        return []
    answer = subprocess.run(
        ["sinfo", "--noheader", "--format=%R"], capture_output=True, text=True, check=False
    )
    there = answer.stdout.split()
    return [name for name in names if name and there and name not in there]


def _check(option: str, value: str) -> None:
    if not re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_.+,-]*", value):
        raise InputError(f"{option} {value!r}: expected letters, digits and _ . + , - only")


def _write(path: Path, content: Mapping[str, object]) -> None:
    with atomic(path) as temporary:
        temporary.write_text(_HEADER + yaml.safe_dump(dict(content), sort_keys=False))
