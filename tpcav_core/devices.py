"""Which of several GPUs a process takes, and how exactly it computes there."""

from __future__ import annotations

import fcntl
import os
import tempfile
from collections.abc import Sequence
from pathlib import Path

import torch

_held: dict[tuple[str, ...], tuple[int, int]] = {}


def free_device(names: Sequence[str], folder: Path | None = None) -> int:
    """Return the index of a device that no other process holds, and hold it.

    It is held until the process ends, however it ends, and given again to the same process. The
    first device is returned when all are held: jobs then share it, which is slow but right.

    Args:
        names: of the devices, the same in every process of this machine.
        folder: where the locks are; None for the folder of temporary files.
    """
    key = tuple(names)
    if key in _held:
        return _held[key][0]
    folder = folder or Path(tempfile.gettempdir()) / f"tpcav-devices-{os.getuid()}"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    for index, name in enumerate(names):
        handle = os.open(folder / f"{name}.lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(handle)
            continue
        _held[key] = (index, handle)
        return index
    return 0


def full_float32() -> None:
    """Have this process compute float32 products in float32 on a GPU too.

    Newer GPUs take TensorFloat-32 for convolutions unless told otherwise, whose 10 bits of mantissa
    are worth three digits: completeness errors would be of the size of the tolerance.
    """
    torch.set_float32_matmul_precision("highest")
    torch.backends.cudnn.allow_tf32 = False
    # the newer of PyTorch's two sets of switches; they may not disagree
    torch.backends.fp32_precision = "ieee"  # type: ignore[attr-defined]
