"""Time and memory to train one CAV, on the activations that the published package was trained on.

The *job* is a process as the workflow starts it, from reading its files to writing the CAV;
*training* is the work in it, without start-up and files, which is what is timed of the published
package. *start* is the start of Python with all that the job imports, *bare* with the libraries
alone. *gram* is the inner products of the concept's examples with themselves and with the control,
*peak* as many floating-point operations in one large matrix product.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
from threadpoolctl import threadpool_limits

from benchmarks.timing import alternate, report
from tpcav_core import basis, files, grams, vectors
from tpcav_core.activations import to_table
from tpcav_core.basis_files import write_scaling
from tpcav_core.commands import main as command
from tpcav_core.seeds import generator
from tpcav_core.splits import TEST
from tpcav_core.training import Examples, set_control, train_variant

THREADS = 2
FOLDS = 5
BARE = "import numpy, pyarrow.parquet, threadpoolctl, argparse, json, logging"
OWN = "import tpcav_core.commands.cavs"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, required=True, help="of published/training.py")
    parser.add_argument("--runs", type=int, default=5)
    arguments = parser.parse_args()
    sides = [
        np.load(arguments.folder / f"{name}_activations.npy") for name in ("concept", "control")
    ]
    scaling = basis.fit_scaling(np.concatenate(sides))
    examples, control = (
        Examples(scaling.apply(side), fold_numbers(len(side), name))
        for side, name in zip(sides, ("concept", "control"), strict=True)
    )
    with tempfile.TemporaryDirectory(prefix="tpcav-cavs-") as folder:
        work = Path(folder)
        write_inputs(work, sides, [examples.folds, control.folds], scaling)
        shared = set_control({"0": control})
        timed = {
            "training": partial(train_variant, ("motif", "12"), examples, shared),
            "job": partial(run, job(work)),
            "gram": partial(both_products, examples.z, control.z),
            "start": partial(run, [sys.executable, "-c", OWN]),
            "bare": partial(run, [sys.executable, "-c", BARE]),
        }
        side = round((2 * examples.z.size * len(examples.z)) ** (1 / 3))
        square = generator(0, "benchmark", "peak").normal(size=(side, side)).astype(np.float32)
        with threadpool_limits(THREADS):
            timed["peak"] = partial(np.matmul, square, square)
            seconds = alternate(timed, arguments.runs)
        (row,) = files.read_parquet(work / "cavs.parquet", "cavs").select(["test_f1"]).to_pylist()
        report(
            seconds,
            features=examples.z.shape[1],
            examples=[len(side) for side in sides],
            threads=THREADS,
            multiplications=2 * examples.z.size * len(examples.z),
            peak_mib=peak_mib(job(work)),
            test_f1=row["test_f1"],
        )


def fold_numbers(n: int, name: str) -> np.ndarray:
    """Return the fold of each example: a fifth tests."""
    numbers = np.resize(np.append(TEST, np.arange(FOLDS - 1)), n).astype(np.int16)
    return generator(0, "benchmark", name).permutation(numbers)


def write_inputs(
    work: Path, sides: list[np.ndarray], folds: list[np.ndarray], scaling: basis.Scaling
) -> None:
    """Write the files of one CAV job, as the steps before it do."""
    write_scaling(scaling, str(work / "scaling.parquet"), {})
    for name, group, activations, fold in zip(
        ("activations", "controls"),
        (vectors.Group("motif", "12"), vectors.Group("random", "0")),
        sides,
        folds,
        strict=True,
    ):
        table = to_table(group, fold, activations)
        schema = files.described_schema(table.schema, "activations", {})
        with (
            files.atomic(work / f"{name}.parquet") as temporary,
            pq.ParquetWriter(temporary, schema, **vectors.WRITE_OPTIONS) as writer,
        ):
            rows = vectors.rows_at_a_time(activations.shape[1])
            writer.write_table(table.cast(schema), row_group_size=rows)
    options = ["--activations", "controls", "--scaling", "scaling", "--output", "gram"]
    words = [word if word[0] == "-" else str(work / f"{word}.parquet") for word in options]
    if command(["gram", *words]):
        raise SystemExit("the step `gram` failed")


def job(work: Path) -> list[str]:
    """Return the command of the job, as in the rule `cavs`."""
    files_of = {"activations": "activations", "controls": "controls", "gram": "gram"}
    files_of |= {"scaling": "scaling", "output": "cavs"}
    words = [f"--{key}={work / name}.parquet" for key, name in files_of.items()]
    return [sys.executable, "-m", "tpcav_core", "cavs", *words, f"--threads={THREADS}"]


def run(words: list[str]) -> None:
    subprocess.run(words, check=True, capture_output=True)


def peak_mib(words: list[str]) -> float:
    """Return the peak memory of a process."""
    # a process counts the memory of the one it was started from, which must be a small one
    small = (
        "import resource, subprocess, sys; subprocess.run(sys.argv[1:], check=True, stderr=-3);"
        "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)"
    )
    measured = subprocess.run(
        [sys.executable, "-c", small, *words], check=True, stdout=subprocess.PIPE, text=True
    )
    return int(measured.stdout) / 1024


def both_products(z: np.ndarray, others: np.ndarray) -> None:
    grams.inner_products(z, z)
    grams.inner_products(z, others)


if __name__ == "__main__":
    main()
