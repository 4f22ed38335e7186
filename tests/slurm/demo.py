"""The embedded demo through Slurm, from its data to its report, and by itself: the same tables.

``python -m tests.slurm.demo``, as root, where Slurm is installed and none is set up; 10 to 20 min.
"""

from __future__ import annotations

import tempfile
import time
from collections import Counter
from pathlib import Path

from ..workflow.killing import make_demo, tables
from .conftest import GPU_RULES, Run, running_slurm


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        alone, submitted = (make_demo(Path(folder) / name) for name in ("alone", "submitted"))
        begin = time.monotonic()
        done = alone.snakemake()
        assert done.returncode == 0, done.stdout
        print(f"by itself: {time.monotonic() - begin:.0f} s", flush=True)
        begin = time.monotonic()
        with running_slurm() as slurm:
            run = Run(submitted, "--workflow-profile", "slurm", targets=[])
            run.succeeds(3600)
            jobs = slurm.jobs()
        print(f"through Slurm: {time.monotonic() - begin:.0f} s, {len(jobs)} submissions")
        print(Counter((job.state, job.partition, job.node) for job in jobs))
        asking = [job for job in jobs if any(job.of(rule) for rule in GPU_RULES)]
        assert asking
        assert {job.node for job in asking} == {"n2"}
        assert (submitted.folder / "results/report.html").is_file()
        assert tables(alone) == tables(submitted)
        print("the same tables")


if __name__ == "__main__":
    main()
