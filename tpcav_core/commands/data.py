"""Genome and signal as several steps open them; apart from models, which fewer steps need."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ..errors import InputError, reason

if TYPE_CHECKING:
    from ..genome import Genome
    from ..tracks import Tracks


def open_tracks(tracks: Mapping[str, Any], genome: Genome | None) -> Tracks | None:
    """Return the bigWig files of (part of) the section ``tracks``; None if there are none."""
    if not tracks or genome is None:
        return None
    from ..tracks import Track, Tracks

    return Tracks([Track(name, **entry) for name, entry in tracks.items()], genome)


def optional_genome(paths: list[str] | None) -> Genome | None:
    """Read the file that ``--genome`` names; None where there is no genome, and so no file."""
    return load_genome(paths[0]) if paths else None


def load_genome(path: str) -> Genome:
    """Read the file of the ``genome`` step; pages are read when windows are cut from them."""
    from .. import files
    from ..genome import genome_from_table

    try:
        return genome_from_table(files.open_mapped(path, "genome"))
    except (KeyError, ValueError) as error:
        raise InputError(
            f"{path}: not a readable genome ({reason(error)}); delete it and run the workflow again"
        ) from None
