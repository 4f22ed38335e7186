"""Timing several functions in turn, and the one form in which every benchmark reports."""

from __future__ import annotations

import gc
import json
import os
import platform
import time
from collections.abc import Callable, Mapping
from typing import Any


def alternate(functions: Mapping[str, Callable[[], Any]], runs: int) -> dict[str, list[float]]:
    """Time functions in turn, so that a busy moment of the machine meets all of them.

    Args:
        functions: what to time, by name. Each runs once before, untimed.
        runs: timed runs of each.

    Returns:
        Seconds of each run, by name.
    """
    for function in functions.values():
        function()
    seconds: dict[str, list[float]] = {name: [] for name in functions}
    for _ in range(runs):
        for name, function in functions.items():
            gc.collect()
            begin = time.perf_counter()
            function()
            seconds[name].append(time.perf_counter() - begin)
    return seconds


def report(seconds: Mapping[str, list[float]], **about: Any) -> None:
    """Print what was measured as JSON: seconds of each run by name, and what it was."""
    machine = {"python": platform.python_version(), "cores": os.cpu_count()}
    print(json.dumps({"seconds": seconds, "about": {**machine, **about}}))
