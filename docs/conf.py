"""The documentation as a site: `make docs`, see docs/decisions/0023-documentation.md.

The source folder is that of the repository, so that a link between two files means the same on the
site and wherever else the files are read.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from pygments.lexers.special import TextLexer

sys.path.insert(0, str(Path(__file__).parents[1]))
import tpcav_core

project = "TPCAV workflow"
author = "The TPCAV workflow authors"
release = version = tpcav_core.__version__

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
root_doc = "docs/index"
include_patterns = [
    "docs/**.md",
    "config/README.md",
    "benchmarks/README.md",
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "CODE_OF_CONDUCT.md",
]

myst_heading_anchors = 4
# `name` in a docstring is code; what is no link must not be looked up as one
default_role = "code"
autodoc_member_order = "bysource"
autodoc_typehints = "signature"
napoleon_use_ivar = True
# Snakemake and configurations have examples that are no complete YAML
highlight_language = "none"

html_theme = "furo"
html_title = f"TPCAV workflow {release}"
html_extra_path = ["root"]
html_copy_source = False
html_show_copyright = False


def skip_field(
    app: Any, what: str, name: str, member: object, skip: bool, options: Any
) -> bool | None:
    """Leave out fields of named tuples: the class's docstring describes them."""
    return True if str(getattr(member, "__doc__", "")).startswith("Alias for field") else None


def absolute_value(
    app: Any, what: str, name: str, member: object, options: Any, lines: list[str]
) -> None:
    """Keep |Δ| in docstrings, where it is not code, from being taken for a substitution."""
    for number, line in enumerate(lines):
        parts = line.split("``")
        parts[::2] = [part.replace("|Δ|", r"\|Δ\|") for part in parts[::2]]
        lines[number] = "``".join(parts)


def setup(app: Any) -> None:
    """Register what is above."""
    app.connect("autodoc-skip-member", skip_field)
    app.connect("autodoc-process-docstring", absolute_value)
    app.add_lexer("tsv", TextLexer)
