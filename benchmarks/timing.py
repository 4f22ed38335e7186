"""Timing several functions in turn, and the one form in which every benchmark reports."""

from __future__ import annotations

import gc
import json
import os
import platform
import time
from collections.abc import Callable, Mapping
from typing import Any


def alternate(
    functions: Mapping[str, Callable[[], Any]], runs: int, *, warm: bool = False
) -> dict[str, list[float]]:
    """Time functions in turn, so that a busy moment of the machine meets all of them.

    Args:
        functions: what to time, by name.
        runs: timed runs of each.
        warm: they have run before; otherwise each runs once before, untimed.

    Returns:
        Seconds of each run, by name; and under ``<name>_cpu`` the processor time of all threads,
        which work of others on the machine changes less.
    """
    if not warm:
        for function in functions.values():
            function()
    seconds: dict[str, list[float]] = {}
    for _ in range(runs):
        for name, function in functions.items():
            gc.collect()
            begin, cpu_begin = time.perf_counter(), time.process_time()
            function()
            end, cpu_end = time.perf_counter(), time.process_time()
            seconds.setdefault(name, []).append(end - begin)
            seconds.setdefault(f"{name}_cpu", []).append(cpu_end - cpu_begin)
    return seconds


def report(seconds: Mapping[str, list[float]], **about: Any) -> None:
    """Print what was measured as JSON: seconds of each run by name, and what it was."""
    machine = {"python": platform.python_version(), "cores": os.cpu_count()}
    print(json.dumps({"seconds": seconds, "about": {**machine, **about}}))
