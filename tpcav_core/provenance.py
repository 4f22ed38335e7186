"""Which source files a step runs: editing one reruns the steps it affects, and no others."""

from __future__ import annotations

import hashlib
import re
from functools import cache
from pathlib import Path

_PACKAGE = Path(__file__).parent
#: dots, module, names of a relative import. Parsing the package took a sixth of Snakemake's start,
#: which on a cluster each job pays twice. A string that looks like an import reruns steps too often
_RELATIVE = re.compile(r"\bfrom\s*(\.+)\s*([\w.]*)\s*\bimport\b\s*(\([^)]*\)|[^\n;]*)")
_PASSED_OVER = re.compile(r"#[^\n]*|\\\r?\n|\bas\s+\w+")


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
    source = _PASSED_OVER.sub(" ", path.read_text(encoding="utf-8"))
    for dots, module, names in _RELATIVE.findall(source):
        base = path.parents[min(len(dots), len(path.parents)) - 1].joinpath(*module.split("."))
        modules += [base, *(base / name for name in re.findall(r"\w+", names))]
    files = [file for module in modules for file in (module.with_suffix(".py"),) if file.is_file()]
    packages = [module / "__init__.py" for module in modules if module.is_dir()]
    return tuple(
        file
        for file in (*files, *packages)
        if (file.is_file() and file.parent != _PACKAGE / "commands") or file.name != "__init__.py"
        if file != _PACKAGE / "__init__.py" and file.is_relative_to(_PACKAGE)
    )
