"""Where concepts come from: one module per family of sources, one reader per ``source:``.

A reader takes the name and the validated definition of a set, and a folder for what is expensive
to find out again, and returns the set's concepts; it needs neither genome nor torch.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ..imports import source_file
from . import annotated, composition, motifs, own, signal
from .base import Concept

Reader = Callable[..., Sequence[Concept]]
#: readers by ``source:``; ``shuffled`` is made from the concepts of another set
READERS: dict[str, Reader] = {
    "motifs": motifs.read,
    "motif_pairs": motifs.read_pairs,
    "regions": annotated.read,
    "signal": signal.read,
    "gc_content": composition.read_gc,
    "sequences": own.read,
    "function": own.read_function,
}
#: keys of a definition that name files
_FILE_KEYS = ("file", "into", "among")


def named_files(definition: Mapping[str, Any]) -> list[str]:
    """Return the files that the definition of a set or control names."""
    values = [definition.get(key) for key in _FILE_KEYS]
    files = [item for value in values for item in (value if isinstance(value, list) else [value])]
    return [file for file in [*files, source_file(definition.get("function"))] if file]
