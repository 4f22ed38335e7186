"""What this machine has, told without torch: the workflow asks before any step runs."""

from __future__ import annotations

from pathlib import Path


def has_gpu(devices: Path = Path("/dev")) -> bool:
    """Whether a driver of NVIDIA offers a GPU, on Linux or in WSL."""
    return any(devices.glob("nvidia[0-9]*")) or (devices / "dxg").exists()
