"""The user's own Python: find what ``path/to/file.py:name`` means, and say where it fails."""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import sys
import sysconfig
import traceback
from pathlib import Path
from types import ModuleType
from typing import Any

from .errors import InputError, suggest

#: frames of these say less to the user than the line of their own code that called them
_LIBRARIES = (
    "<frozen",
    str(Path(__file__).parent),
    *(sysconfig.get_path(name) for name in ("stdlib", "purelib", "platlib")),
)


def source_file(reference: str | None) -> str | None:
    """Return the file of ``path/to/file.py:name``; None for ``package.module:name`` and others."""
    source, _, _ = (reference or "").rpartition(":")
    return source if source.endswith(".py") else None


def load_object(reference: str, what: str) -> Any:
    """Return what ``path/to/file.py:name`` or ``package.module:name`` refers to.

    A file is loaded under a module name of its own, and nothing is added to ``sys.path``.

    Args:
        reference: the reference.
        what: what it is for, for messages, for example ``factory``.

    Raises:
        InputError: no such file, module or name, or importing it raises.
    """
    source, colon, name = reference.rpartition(":")
    label = f"{what} {reference!r}"
    if not (colon and source and name):
        raise InputError(f"{label}: expected path/to/file.py:function or package.module:function")
    if source.endswith(".py") or "/" in source:
        module = import_file(source, label)
    else:
        try:
            module = importlib.import_module(source)
        except Exception as error:
            raise InputError(
                f"{label}: importing {source} raised {describe_error(error)}"
            ) from error
    if not hasattr(module, name):
        options = [option for option in vars(module) if not option.startswith("_")]
        raise InputError(f"{label}: {source} does not define {name!r}{suggest(name, options)}")
    return getattr(module, name)


def import_file(path: str, label: str) -> ModuleType:
    """Return the module in a Python file; ``label`` says what it is for.

    Raises:
        InputError: no such file, or importing it raises.
    """
    file = Path(path)
    if not file.is_file():
        raise InputError(f"{label}: {path}: no such file; paths are relative to {Path.cwd()}")
    # By path and content, so that an edited file is loaded anew in a long-lived notebook.
    key = hashlib.sha256(str(file.resolve()).encode() + b"\0" + file.read_bytes()).hexdigest()
    name = f"_tpcav_{file.stem}_{key[:16]}"
    if name in sys.modules:
        return sys.modules[name]
    spec = importlib.util.spec_from_file_location(name, file)
    if spec is None or spec.loader is None:
        raise InputError(f"{label}: {path}: expected a Python file (.py)")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        del sys.modules[name]
        raise InputError(f"{label}: importing raised {describe_error(error)}") from error
    return module


def describe_error(error: BaseException) -> str:
    """Return type, first line of the message and place of an error in the user's own code."""
    text = (str(error).splitlines() or [""])[0]
    if isinstance(error, SyntaxError):
        return f"{type(error).__name__}: {error.msg} (line {error.lineno} of {error.filename})"
    frames = [
        frame
        for frame in traceback.extract_tb(error.__traceback__)
        if not frame.filename.startswith(_LIBRARIES)
    ]
    place = f" (line {frames[-1].lineno} of {frames[-1].filename})" if frames else ""
    return f"{type(error).__name__}: {text}{place}"
