"""A step starts without what it does not need."""

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


def imported_with(commands: list[str]) -> set[str]:
    code = f"import sys, importlib\nfor name in {commands!r}:\n"
    code += "    importlib.import_module(f'tpcav_core.commands.{name}')\nprint(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


@pytest.mark.parametrize(
    ("commands", "absent"),
    [
        (LIGHT, {"torch", "captum", "sklearn", "plotly", "transformers", "Bio", "anndata"}),
        (["cavs", "nulls", "concepts", "gram"], {"pandas", "scipy", "matplotlib", "snakemake"}),
        (["activations", "attributions", "planting"], {"captum", "sklearn", "transformers"}),
    ],
    ids=["light", "per concept", "with a network"],
)
def test_what_starting_a_step_imports(commands, absent):
    found = imported_with(commands)
    assert {"tpcav_core.commands." + name for name in commands} <= found
    assert not absent & found
