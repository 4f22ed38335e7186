"""A step, and the workflow as it is parsed, start without what they do not need."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

#: run once per concept, or by whoever has no torch at hand
LIGHT = [
    *("catalogue", "cavs", "components", "concepts", "figures", "genome", "gram", "methods"),
    *("nulls", "profile", "report", "scaling", "scores", "show", "shuffled", "similarity"),
    *("summary", "summary_files", "variants", "vector_files"),
]


def commands(*names: str) -> list[str]:
    return [f"commands.{name}" for name in names]


def imported_with(modules: list[str]) -> set[str]:
    code = f"import sys, importlib\nfor name in {modules!r}:\n"
    code += "    importlib.import_module(f'tpcav_core.{name}')\nprint(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


@pytest.mark.parametrize(
    ("modules", "absent"),
    [
        (commands(*LIGHT), {"torch", "captum", "sklearn", "plotly", "transformers", "Bio"}),
        (commands("cavs", "nulls", "concepts", "gram"), {"pandas", "scipy", "matplotlib"}),
        (commands("activations", "attributions", "planting"), {"captum", "sklearn"}),
        # what Snakemake imports in every job
        (["jobs", "annotations", "figures.names"], {"torch", "pandas", "matplotlib", "yaml"}),
        (commands("figures"), {"torch", "matplotlib"}),
        # the environment of its job has neither
        (commands("catalogue"), {"torch", "yaml"}),
        (
            [f"figures.{name}" for name in ("comparison", "effects", "encoded", "nulls")]
            + ["figures.sensitivity", "figures.similarity"],
            {"torch", "sklearn"},
        ),
    ],
    ids=["light", "per concept", "with a network", "parsing", "figures", "catalogue", "drawing"],
)
def test_what_starting_a_step_imports(modules, absent):
    found = imported_with(modules)
    assert {f"tpcav_core.{name}" for name in modules} <= found
    assert not {*absent, "anndata", "snakemake"} & found


RUN = """
import sys
from tpcav_core.__main__ import main
try:
    main()
finally:
    print(*sys.modules)
"""


def test_recipes_are_made_without_torch(tmp_path):
    """Importing it takes longer than all else that the step of a small set does."""
    fasta, genome = tmp_path / "genome.fa", tmp_path / "genome.arrow"
    fasta.write_text(">chr1\n" + "ACGTTGCA" * 2_000 + "\n")
    sampling = {"chromosomes": None, "exclude": None, "test_fraction": 0.2, "folds": 2}
    sampling |= {"block_length": None, "by": "blocks", "test_chromosomes": [], "seed": 1}
    control = {"name": "random", "replicates": 1, "definition": {"source": "random"}}
    made = ["--genome", str(genome), "--controls", json.dumps(control), "--window", "50"]
    made += ["--examples", "20", "--seed", "1", "--sampling", json.dumps(sampling)]
    recipes = tmp_path / "recipes.parquet"
    for step, output, options in (
        ("genome", genome, ["--fasta", str(fasta)]),
        ("concepts", recipes, made),
    ):
        command = [sys.executable, "-c", RUN, step, *options, "--output", str(output)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert output.is_file(), done.stderr
        assert not {"torch", "sklearn"} & set(done.stdout.split())
