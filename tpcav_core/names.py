"""Names that mean something: ids of nulls, and controls that are made from a concept's examples.

Imports nothing, so that a step that only reads names does not run with what makes examples.
"""

from __future__ import annotations

import re

#: controls made from the examples of each concept
OWN = ("gc_matched", "permuted_motifs", "shuffled", "low_signal")
#: the control that concepts share, random windows, unless they name another
RANDOM = "random"
#: what ids of permuted motifs end with; no other concept has such an id
NULL_SUFFIX = re.compile(r"\.null(\d{4,})$")


def null_of(identity: str) -> tuple[str, int] | None:
    """Return the concept and the number of a null motif's id; None for other ids."""
    found = NULL_SUFFIX.search(identity)
    return (identity[: found.start()], int(found[1])) if found else None


def null_control(control: str) -> str:
    """Return the shared control whose nulls a concept with this control is compared with."""
    return RANDOM if control in OWN else control
