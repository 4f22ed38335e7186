"""Motifs that were read before: kept by the content they were read from, never by its name.

The workflow is parsed again in every job that a cluster runs, and so are its motifs.
"""

from __future__ import annotations

import hashlib
import json
import os
import zipfile
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

from .errors import InputError
from .motifs import Motif

#: raise it when a reader of motifs, or what is kept, changes
_FORMAT = 1
#: fewer are read as quickly from the files themselves
FEWEST = 100


def kept(
    what: Any,
    paths: Iterable[str | os.PathLike[str]],
    read: Callable[[], Sequence[Motif]],
    folder: Path | None,
) -> list[Motif]:
    """Return the motifs that ``read`` returns, from the cache where they are in it.

    Args:
        what: all that the result depends on besides files, JSON.
        paths: files that it depends on, by content.
        read: reads the motifs.
        folder: the cache; None for none. One that cannot be read or written is passed over.
    """
    stored = None if folder is None else _place(folder, what, paths)
    motifs = None if stored is None else _load(stored)
    if motifs is not None:
        return motifs
    motifs = list(read())
    if stored is not None and len(motifs) >= FEWEST:
        _store(motifs, stored)
    return motifs


def _place(folder: Path, what: Any, paths: Iterable[str | os.PathLike[str]]) -> Path | None:
    digests = []
    for path in paths:
        try:
            with Path(path).open("rb") as file:
                digests.append(hashlib.file_digest(file, "sha256").hexdigest())
        except OSError:
            return None
    text = json.dumps([_FORMAT, what, digests], sort_keys=True)
    return folder / f"motifs-{hashlib.sha256(text.encode()).hexdigest()}.npz"


def _load(path: Path) -> list[Motif] | None:
    try:
        # opened here: numpy leaves what it cannot read open
        with path.open("rb") as file, np.load(file, allow_pickle=False) as stored:
            labels, widths, counts, rows = (
                stored[name] for name in ("labels", "widths", "counts", "rows")
            )
        pwms = np.split(rows, np.cumsum(widths)[:-1])
        ends = np.cumsum(counts).tolist()
        starts = [0, *ends[:-1]]
        return [
            Motif(str(label), tuple(pwms[first:last]))
            for label, first, last in zip(labels, starts, ends, strict=True)
        ]
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, InputError):
        return None


def _store(motifs: Sequence[Motif], path: Path) -> None:
    from .files import atomic

    pwms = [pwm for motif in motifs for pwm in motif.pwms]
    content: dict[str, Any] = {
        "labels": np.array([motif.label for motif in motifs]),
        "widths": np.array([len(pwm) for pwm in pwms]),
        "counts": np.array([len(motif.pwms) for motif in motifs]),
        "rows": np.concatenate(pwms),
    }
    with suppress(OSError), atomic(path) as temporary, temporary.open("wb") as file:
        np.savez(file, **content)
