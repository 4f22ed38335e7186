"""Time and memory to train one CAV with the published package; runs in its environment.

The classifier is trained in a process of its own, as the package does with several processes. The
activations it is trained on are written to the working folder, so that the other side can train on
the same ones.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import platform
import resource
import time
from importlib.metadata import version
from pathlib import Path

import numpy as np
import torch
from tpcav import TPCAV, cavs, helper
from tpcav.concepts import ConceptBuilder

from benchmarks.network import load

WINDOW = 1024
BATCH = 8


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--fasta", type=Path, required=True, help="plain FASTA to train on")
    parser.add_argument("--meme", type=Path, required=True, help="a file of one motif")
    parser.add_argument("--layer", required=True)
    parser.add_argument("--examples", type=int, default=1000)
    parser.add_argument("--copies", type=int, default=12)
    parser.add_argument("--runs", type=int, default=3)
    arguments = parser.parse_args()
    write_embeddings(arguments)
    queue = multiprocessing.get_context("spawn").Queue()
    child = multiprocessing.get_context("spawn").Process(target=train, args=(queue, arguments.runs))
    child.start()
    seconds, peak = queue.get()
    child.join()
    about = {
        "tpcav": version("tpcav"),
        "python": platform.python_version(),
        "layer": arguments.layer,
        "peak_mib": peak,
    }
    print(json.dumps({"seconds": seconds, "about": about}))


def write_embeddings(arguments: argparse.Namespace) -> None:
    """Write activations and embeddings of one concept and its control to the working folder."""
    builder = ConceptBuilder(
        genome_fasta=str(arguments.fasta),
        input_window_length=WINDOW,
        num_motifs=arguments.copies,
        include_reverse_complement=True,
        min_samples=arguments.examples,
        batch_size=BATCH,
    )
    builder.build_control()
    builder.add_meme_motif_concepts(str(arguments.meme))
    builder.apply_transform(helper.fasta_chrom_to_one_hot_seq)
    tpcav = TPCAV(load(arguments.data).requires_grad_(True), layer_name=arguments.layer)
    tpcav.fit_pca(builder.concepts_for_pca(), num_samples_per_concept=60, num_pc="full")
    for name, concept in (
        ("concept", builder.concepts[0]),
        ("control", builder.control_concepts[0]),
    ):
        activations = tpcav._sample_concept(concept, num_samples=arguments.examples).flatten(1)
        np.save(f"{name}_activations.npy", activations.numpy())
        embeddings = torch.cat(tpcav.project_activations(activations)[::-1], dim=1)
        np.save(f"{name}_embeddings.npy", embeddings.numpy())


def train(queue: multiprocessing.Queue, runs: int) -> None:
    """Train the CAV ``runs`` times; put seconds and peak memory in MiB into the queue."""
    seconds: dict[str, list[float]] = {"cav": [], "cav_cpu": []}
    for _ in range(runs):
        begin, cpu_begin = time.perf_counter(), time.process_time()
        cavs._train("concept_embeddings.npy", "control_embeddings.npy", Path("classifier"))
        seconds["cav_cpu"].append(time.process_time() - cpu_begin)
        seconds["cav"].append(time.perf_counter() - begin)
    queue.put((seconds, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024))


if __name__ == "__main__":
    main()
