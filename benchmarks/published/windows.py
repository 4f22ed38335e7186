"""Time to make the windows of one concept with the published package; runs in its environment.

Its concept is iterated as its own training does: in batches of 8, until there are enough windows.
What one concept shares with others (its control regions, reading the motif file) is timed apart.
"""

from __future__ import annotations

import argparse
import json
import platform
import time
from importlib.metadata import version

from tpcav import helper
from tpcav.concepts import ConceptBuilder


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--fasta", required=True, help="in a folder that can be written to")
    parser.add_argument("--meme", required=True, help="a file of one motif")
    parser.add_argument("--window", type=int, default=1024)
    parser.add_argument("--examples", type=int, default=1000)
    parser.add_argument("--copies", type=int, default=12)
    parser.add_argument("--runs", type=int, default=5)
    arguments = parser.parse_args()

    builder = ConceptBuilder(
        genome_fasta=arguments.fasta,
        input_window_length=arguments.window,
        num_motifs=arguments.copies,
        include_reverse_complement=True,
        min_samples=arguments.examples,
        batch_size=8,
    )
    begin = time.perf_counter()
    builder.build_control()
    regions = time.perf_counter() - begin
    builder.add_meme_motif_concepts(arguments.meme)
    concept = builder.concepts[0]

    seconds: dict[str, list[float]] = {
        "windows": [],
        "windows_cpu": [],
        "all_windows": [],
        "one_hot": [],
        "one_hot_cpu": [],
        "control_regions": [regions],
    }
    number_of_all = []
    for _ in range(arguments.runs):
        batches = []
        made = 0
        enough = None
        begin, cpu_begin = time.perf_counter(), time.process_time()
        for sequences, _tracks in concept.data_iter:
            batches.append(sequences)
            made += len(sequences)
            if enough is None and made >= arguments.examples:
                enough = time.perf_counter() - begin
                seconds["windows_cpu"].append(time.process_time() - cpu_begin)
        seconds["all_windows"].append(time.perf_counter() - begin)
        if enough is None:
            raise SystemExit(f"the concept ended after {made} of {arguments.examples} windows")
        seconds["windows"].append(enough)
        number_of_all.append(made)
        begin, cpu_begin = time.perf_counter(), time.process_time()
        for sequences in batches[: arguments.examples // 8]:
            helper.fasta_to_one_hot_sequences(sequences)
        seconds["one_hot"].append(time.perf_counter() - begin)
        seconds["one_hot_cpu"].append(time.process_time() - cpu_begin)
    about = {
        "tpcav": version("tpcav"),
        "python": platform.python_version(),
        "motif": concept.name,
        "windows": arguments.examples,
        "copies": arguments.copies,
        "number_of_all_windows": number_of_all,
    }
    print(json.dumps({"seconds": seconds, "about": about}))


if __name__ == "__main__":
    main()
