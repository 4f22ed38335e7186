"""Jobs on one machine take different GPUs."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tpcav_core import devices
from tpcav_core.hardware import has_gpu

HOLD = """
import sys
from pathlib import Path
from tpcav_core.devices import free_device
print(free_device(["a", "b"], Path(sys.argv[1])), flush=True)
sys.stdin.read()
"""


def _job(folder: Path) -> subprocess.Popen[str]:
    root = str(Path(__file__).parents[2])
    return subprocess.Popen(
        [sys.executable, "-c", HOLD, str(folder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": root},
    )


def _answer(job: subprocess.Popen[str]) -> int:
    assert job.stdout is not None
    return int(job.stdout.readline())


def test_a_device_has_one_job_until_the_job_ends(tmp_path):
    folder = tmp_path / "devices"
    first = _job(folder)
    assert _answer(first) == 0
    second = _job(folder)
    assert _answer(second) == 1
    # none is left: shared
    third = _job(folder)
    assert _answer(third) == 0
    for job in (first, third):
        job.kill()
        job.communicate()
    # given back, although its job was killed
    fourth = _job(folder)
    assert _answer(fourth) == 0
    for job in (second, fourth):
        job.communicate()


def test_a_process_keeps_its_device(tmp_path, monkeypatch):
    monkeypatch.setattr(devices, "_held", {})
    names = ["a", "b"]
    assert [devices.free_device(names, tmp_path) for _ in range(3)] == [0, 0, 0]


def test_a_gpu_is_told_by_its_device_file(tmp_path):
    # a driver alone is not a GPU
    (tmp_path / "nvidiactl").touch()
    assert not has_gpu(tmp_path)
    (tmp_path / "nvidia0").touch()
    assert has_gpu(tmp_path)
