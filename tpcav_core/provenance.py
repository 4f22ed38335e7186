"""Which source files a step runs: editing one reruns the steps it affects, and no others."""

from __future__ import annotations

import ast
import hashlib
from functools import cache
from pathlib import Path

_PACKAGE = Path(__file__).parent


@cache
def code_digest(step: str) -> str:
    """Return a digest of the source of a step: its command and all it imports of this package.

    The workflow gives it to each rule as a parameter, which Snakemake compares with that of the
    last run. Comments count, and so do files in a folder ``templates`` beside a module; the command
    line's dispatcher and the version do not.
    """
    digest = hashlib.sha256()
    modules = _closure(_PACKAGE / "commands" / f"{step}.py")
    templates = {
        path for folder in {m.parent for m in modules} for path in folder.glob("templates/*")
    }
    for path in sorted(modules | templates):
        digest.update(path.relative_to(_PACKAGE).as_posix().encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


def _closure(start: Path) -> set[Path]:
    found: set[Path] = set()
    todo = [start]
    while todo:
        path = todo.pop()
        if path not in found:
            found.add(path)
            todo += _imports(path)
    return found


@cache
def _imports(path: Path) -> tuple[Path, ...]:
    """Return the files of this package that one file imports, relative imports only."""
    modules = []
    for node in ast.walk(ast.parse(path.read_bytes())):
        if isinstance(node, ast.ImportFrom) and node.level:
            folder = path.parents[node.level - 1]
            base = folder.joinpath(*(node.module or "").split(".")) if node.module else folder
            modules += [base, *(base / alias.name for alias in node.names)]
    files = [file for module in modules for file in (module.with_suffix(".py"),) if file.is_file()]
    packages = [module / "__init__.py" for module in modules if module.is_dir()]
    return tuple(
        file
        for file in (*files, *packages)
        if (file.is_file() and file.parent != _PACKAGE / "commands") or file.name != "__init__.py"
        if file != _PACKAGE / "__init__.py"
    )
