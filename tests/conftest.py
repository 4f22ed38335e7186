"""What tests share."""

from __future__ import annotations

import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of the real data, or a skip that says where it was looked for."""
    beside = Path(__file__).resolve().parents[2] / "shared" / "data"
    folder = Path(os.environ.get("TPCAV_DATA") or beside)
    if not folder.is_dir():
        pytest.skip(f"no real data at {folder}; set TPCAV_DATA to the folder that has them")
    return folder
