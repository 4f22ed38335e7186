"""Debian's packages that tests need: installed where they are missing and that is allowed."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

from filelock import FileLock


def install(packages: Sequence[str]) -> str | None:
    """Install packages; return why they cannot be, in words, or None.

    One test process at a time: apt has a lock of its own, at which it gives up.
    """
    names = " ".join(packages)
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        return f"on Debian, as root: apt-get install {names}"
    command = ["apt-get", "install", "--yes", "--no-install-recommends", *packages]
    with FileLock(Path(tempfile.gettempdir()) / "tpcav-test-apt.lock", timeout=1200):
        for words in (command, ["apt-get", "update"], command):
            done = subprocess.run(
                words,
                capture_output=True,
                text=True,
                env={**os.environ, "DEBIAN_FRONTEND": "noninteractive"},
                check=False,
            )
            if words is command and done.returncode == 0:
                return None
    return f"could not install {names}: {done.stderr.strip()[-300:]}"
