"""Run all benchmarks in one go: ``make bench``, or ``python -m benchmarks.run``.

Writes ``benchmarks/results/*.json`` and prints a Markdown table. See ``benchmarks/README.md``.
"""

from __future__ import annotations

import argparse
import gzip
import shutil
import tempfile
from pathlib import Path

from benchmarks.measuring import (
    HERE,
    RESULTS,
    Row,
    alone,
    compared_f1,
    faster,
    measure,
    milliseconds,
    module,
    print_table,
    save,
    seconds,
    slower,
)
from benchmarks.surroundings import (
    BED,
    GENOME,
    MOTIFS,
    find_data,
    one_motif,
    published_python,
    study_data,
    study_options,
)

ALL_MOTIFS = Path("motifs", "vierstra_archetypes_v2.1beta.meme")
LAYERS = {"linear_layer_1": 128, "conv_layer_2": 65_536}
# Freed memory is kept for reuse, on both sides alike: else the same code takes 120,000 or 430,000
# page faults, depending on what ran before it.
KEPT = {"MALLOC_MMAP_THRESHOLD_": str(1 << 30), "MALLOC_TRIM_THRESHOLD_": str(1 << 32)}
ALL = ("windows", "recipes", "activations", "basis", "cavs", "attributions", "study")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", nargs="+", choices=ALL, default=ALL)
    parser.add_argument("--rounds", type=int, default=5, help="alternating rounds of processes")
    parser.add_argument(
        "--processes", type=int, nargs="+", default=[1, 2], help="of the published package's study"
    )
    arguments = parser.parse_args()
    only = set(arguments.only)
    data = find_data() if only - {"basis"} else Path()
    python = published_python() if only & {"windows", "cavs", "attributions", "study"} else Path()
    RESULTS.mkdir(exist_ok=True)
    rows: list[Row] = []
    with tempfile.TemporaryDirectory(prefix="tpcav-bench-") as folder:
        work = Path(folder)
        if "windows" in only:
            rows += windows(data, work, python, arguments.rounds)
        if "recipes" in only:
            rows += recipes(data)
        if "activations" in only:
            rows += activations(data, work, arguments.rounds)
        if "basis" in only:
            rows += basis(arguments.rounds)
        if "cavs" in only:
            rows += cavs(data, work, python, min(3, arguments.rounds))
        if "attributions" in only:
            rows += attributions(data, work, python, min(3, arguments.rounds))
        if "study" in only:
            rows += study(data, work, python, arguments.processes)
    print_table(rows)


def windows(data: Path, work: Path, python: Path, rounds: int) -> list[Row]:
    """Compare making the windows of one concept with the published package."""
    meme = one_motif(data, work)
    # The plain file is the faster one for the published package, and the one its tutorial uses.
    plain = work / "genome.fa"
    with gzip.open(data / GENOME) as source, plain.open("wb") as target:
        shutil.copyfileobj(source, target)
    published_script = str(HERE / "published" / "windows.py")
    ours, published = [], []
    for _ in range(rounds):
        published.append(
            measure([str(python), published_script, f"--fasta={plain}", f"--meme={meme}"])
        )
        ours.append(measure(module("windows", f"--fasta={data / GENOME}", f"--meme={meme}")))
    core, reference = save("windows", ours), save("windows_published", published)
    for medians in (core, reference):
        for unit in ("", "_cpu"):
            medians[f"both{unit}"] = medians[f"windows{unit}"] + medians[f"one_hot{unit}"]
    made = "1,000 windows of one concept, 12 planted sites"
    return [
        faster(made, core, "windows", reference),
        faster(f"{made}, as one-hot tensors", core, "both", reference),
        faster("their one-hot tensors alone", core, "one_hot", reference),
        alone("once per genome: reading chr20:1-7,391,880", milliseconds(core["read_genome"])),
        alone("once per genome: acceptable positions", milliseconds(core["find_positions"])),
    ]


def recipes(data: Path) -> list[Row]:
    """Make the recipes of all archetypes, and of a sixth of them, through Snakemake."""
    rows = []
    for name, select in (("recipes_part", "AC01*"), ("recipes", "*")):
        options = (f"--fasta={data / GENOME}", f"--meme={data / ALL_MOTIFS}", f"--select={select}")
        measured = measure(module("recipes", *options))
        about = measured["about"]
        what = f"recipes of {about['concepts']} archetypes, 3 counts, 1,000 examples, 2 cores"
        found = save(name, [measured])
        rows.append(alone(what, milliseconds(found["recipes"])))
        rows.append(alone("their size", f"{about['disk_mb']:,.0f} MB"))
        rows.append(alone("peak memory of a job", f"{about['peak_memory_mb']:,.0f} MB"))
    return rows


def activations(data: Path, work: Path, rounds: int) -> list[Row]:
    """Compare the activation pass with the bare network."""
    meme = one_motif(data, work)
    given = [f"--data={data}", f"--fasta={data / GENOME}", f"--meme={meme}"]
    rows: list[Row] = []
    for layer in ("conv_layer_2", "linear_layer_1"):
        command = module("activations", *given, f"--layer={layer}")
        measured = [measure(command, KEPT) for _ in range(rounds)]
        found = save(f"activations_{layer}", measured)
        name = f"activation pass to {layer}, batch of 64"
        for ours, bare, what in (
            ("pass", "bare_to", f"{name}, against the bare network up to it"),
            ("pass", "bare_full", f"{name}, against the bare network, whole"),
            ("bare_to_again", "bare_to", f"control: bare network to {layer} against itself"),
        ):
            rows.append(slower(what, measured, found, ours, bare))
    return rows


def basis(rounds: int) -> list[Row]:
    """Compare fitting the basis with the Gram matrix product alone."""
    measured = [measure(module("basis")) for _ in range(rounds)]
    found = save("basis", measured)
    about = measured[0]["about"]
    what = f"scaling and all components of {about['examples']:,} x {about['features']:,}, against"
    rows = [
        slower(f"{what} the Gram product in float64", measured, found, "fit", "gram_float64"),
        slower(f"{what} the same in float32", measured, found, "fit", "gram_float32"),
    ]
    if about["peak_mib"] is not None:
        rows.append(alone("its peak memory", f"{about['peak_mib']:,.0f} MiB"))
        rows.append(alone("of which the sample", f"{about['sample_mib']:,.0f} MiB"))
    return rows


def cavs(data: Path, work: Path, python: Path, rounds: int) -> list[Row]:
    """Compare training one CAV with the published package, on the same activations."""
    given = study_data(data, work)
    rows: list[Row] = []
    for layer, d in LAYERS.items():
        folder = work / layer
        folder.mkdir(exist_ok=True)
        theirs = [
            *(str(python), "-m", "benchmarks.published.training", f"--data={data}"),
            *(f"--fasta={given / 'train.fa'}", f"--meme={one_motif(data, work)}"),
            *(f"--layer={layer}", f"--runs={1 if d > 1000 else 5}"),
        ]
        ours, published = [], []
        for _ in range(rounds):
            published.append(measure(theirs, folder=folder))
            ours.append(measure(module("cavs", f"--folder={folder}")))
        core, reference = save(f"cavs_{layer}", ours), save(f"cavs_published_{layer}", published)
        peaks = [max(one["about"]["peak_mib"] for one in side) for side in (ours, published)]
        name = f"one CAV, 2 x 1,000 examples, d = {d:,}"
        flops = 2 * ours[0]["about"]["multiplications"]
        rates = [flops / core[key] / 1e9 for key in ("gram", "peak")]
        trained = {"cav": core["training"], "cav_cpu": core["training_cpu"]}
        rows += [
            faster(f"{name}: training", trained, "cav", reference),
            (
                f"{name}: whole job, with start and files",
                milliseconds(core["job"]),
                milliseconds(reference["cav"]),
                f"{reference['cav'] / core['job']:.1f} times faster",
                "",
            ),
            (
                f"{name}: peak memory",
                *(f"{peak:,.0f} MiB" for peak in peaks),
                f"{peaks[0] / peaks[1]:.2f} of theirs",
                "",
            ),
            # processes of their own: their processor time is not in ours
            slower(
                "start of the job, against its libraries alone",
                ours,
                {key: core[key] for key in ("start", "bare")},
                "start",
                "bare",
            ),
            alone(f"{name}: Gram matrices", f"{rates[0]:,.0f} of {rates[1]:,.0f} Gflop/s"),
        ]
    return rows


def attributions(data: Path, work: Path, python: Path, rounds: int) -> list[Row]:
    """Compare attributing 200 regions with the published package, in the same basis."""
    rows: list[Row] = []
    for layer, k in (("linear_layer_1", 80), ("conv_layer_2", 80), ("conv_layer_2", 1000)):
        options = (f"--data={data}", f"--layer={layer}", f"--published={python}")
        folder = fresh_folder(work, f"attributions_{layer}_{k}")
        command = module("attributions", *options, f"--components={k}")
        measured = [measure(command, KEPT, folder) for _ in range(rounds)]
        found = save(f"attributions_{layer}_{k}", measured)
        name = f"200 regions attributed, d = {LAYERS[layer]:,}, {k:,} components"
        for size in (8, 64):
            theirs = {
                f"ours{unit}": found[f"published_batch_{size}{unit}"] for unit in ("", "_cpu")
            }
            rows.append(faster(f"{name}; theirs in batches of {size}", found, "ours", theirs))
        difference = max(one["about"]["largest_difference"] for one in measured)
        rows.append(alone(f"{name}: largest difference", f"{difference:.1g} of the largest value"))
    return rows


def study(data: Path, work: Path, python: Path, numbers: list[int]) -> list[Row]:
    """Compare a whole study, end to end: 7 motifs x 3 counts, 200 regions, on 2 cores."""
    given = study_data(data, work)
    rows: list[Row] = []
    for layer, d in LAYERS.items():
        ours = {
            replicates: measure(
                module(
                    "study",
                    "run",
                    *study_options(data, given),
                    f"--layer={layer}",
                    f"--replicates={replicates}",
                ),
                folder=fresh_folder(work, f"ours_{layer}_{replicates}"),
            )
            for replicates in (3, 1)
        }
        for processes in numbers:
            folder = fresh_folder(work, f"published_{layer}_{processes}")
            published = measure(
                [
                    *(str(python), "-m", "benchmarks.published.study", f"--data={data}"),
                    *(f"--fasta={given / 'train.fa'}", f"--whole={given / 'whole.fa'}"),
                    *(f"--meme={data / MOTIFS}", f"--bed={data / BED}", f"--layer={layer}"),
                    *(f"--fresh={given / 'fresh'}", f"--processes={processes}"),
                ],
                folder=folder,
            )
            shutil.rmtree(folder)
            reference = save(f"study_published_{layer}_{processes}", [published])
            for replicates, measured in ours.items():
                core = save(f"study_{layer}_{replicates}", [measured])
                what = f"whole study, d = {d:,}, {replicates} control(s) a concept"
                times = (seconds(core["total"]), seconds(reference["total"]))
                ratio = f"{reference['total'] / core['total']:.1f} times faster"
                rows.append((f"{what}; theirs with {processes} process(es)", *times, ratio, ""))
                rows.append(compared_f1(d, replicates, measured, published))
    return rows


def fresh_folder(work: Path, name: str) -> Path:
    folder = work / name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    return folder


if __name__ == "__main__":
    main()
