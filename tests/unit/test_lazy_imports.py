"""A step, and the workflow as it is parsed, start without what they do not need."""

from __future__ import annotations

import subprocess
import sys

import pytest

#: run once per concept, or by whoever has no torch at hand
LIGHT = [
    *("catalogue", "cavs", "components", "concepts", "figures", "genome", "gram", "methods"),
    *("nulls", "profile", "report", "scaling", "scores", "show", "shuffled", "similarity"),
    *("summary", "summary_files", "tables", "variants"),
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
