"""The list of concepts a configuration asks for: known before anything is computed.

The workflow reads it when it is parsed, so that a dry run shows every job; steps read it again to
get the definition of the concepts they are given. Importing this module imports no torch.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from .errors import InputError, suggest
from .motifs import Motif, read_consensus, read_meme

_UNSAFE = re.compile(r"[^A-Za-z0-9_.-]+")
#: concept ids that mean something else in the results
RESERVED = frozenset({"controls", "random", "sample", "control_gram"})


@dataclass(frozen=True)
class Concept:
    """One concept of the configuration.

    Attributes:
        id: unique and safe as a file name, ``[A-Za-z0-9_.-]+``.
        label: the name as its source gives it, any text.
        set: the key under ``concepts:`` it comes from.
        source: the kind of source, for example ``motifs``.
        copies: the variants: how many sites are planted.
        motif: what is planted.
        both_strands: whether half of the sites are reverse complements.
        margin: bases at either end of the window that stay free of sites.
    """

    id: str
    label: str
    set: str
    source: str
    copies: tuple[int, ...]
    motif: Motif
    both_strands: bool = True
    margin: int = 0

    @property
    def variants(self) -> tuple[str, ...]:
        """The variants as they are named in tables."""
        return tuple(str(number) for number in self.copies)

    def fingerprint(self) -> str:
        """Return a digest of everything that defines the examples of this concept."""
        content = [
            self.id,
            self.label,
            self.copies,
            self.both_strands,
            self.margin,
            [pwm.tolist() for pwm in self.motif.pwms],
        ]
        return hashlib.sha256(json.dumps(content).encode()).hexdigest()[:16]


def file_safe_ids(labels: Sequence[str], prefix: str = "") -> list[str]:
    """Return a unique id that is safe in file names for each label.

    Other characters than letters, digits, ``_``, ``.`` and ``-`` become ``_``. Labels whose ids
    would then be equal (also on file systems that ignore case) all get the first characters of a
    digest of their label, so that an id does not depend on the order of the labels.
    """
    plain = [prefix + (_UNSAFE.sub("_", label).strip("._-") or "concept") for label in labels]
    taken = Counter(name.casefold() for name in plain)
    reserved = {name.casefold() for name in RESERVED}
    return [
        f"{name}-{hashlib.sha256(label.encode()).hexdigest()[:8]}"
        if taken[name.casefold()] > 1 or name.casefold() in reserved
        else name
        for name, label in zip(plain, labels, strict=True)
    ]


def read_set(name: str, definition: Mapping[str, Any]) -> list[Concept]:
    """Return the concepts of one entry under ``concepts:``.

    Args:
        name: the key of the entry.
        definition: its validated content.

    Raises:
        InputError: for a file that cannot be used, or a selection that matches nothing.
    """
    read = read_consensus if definition["format"] == "consensus" else read_meme
    motifs = read(Path(definition["file"]))
    ids = file_safe_ids([motif.label for motif in motifs], definition["prefix"])
    wanted = definition["select"]
    for pattern in wanted:
        names = ids + [motif.label for motif in motifs]
        if not any(fnmatchcase(name, pattern) for name in names):
            raise InputError(
                f"concepts.{name}.select: {pattern!r} is not in {definition['file']}"
                f" ({len(motifs)} motifs){suggest(pattern, names)}"
            )
    return [
        Concept(
            id=identity,
            label=motif.label,
            set=name,
            source=definition["source"],
            copies=tuple(definition["copies"]),
            motif=motif,
            both_strands=definition["both_strands"],
            margin=definition["margin"],
        )
        for identity, motif in zip(ids, motifs, strict=True)
        if not wanted
        or any(fnmatchcase(identity, p) or fnmatchcase(motif.label, p) for p in wanted)
    ]


def read_catalogue(sets: Mapping[str, Mapping[str, Any]]) -> list[Concept]:
    """Return all concepts of the ``concepts:`` section, in its order.

    Raises:
        InputError: also when two sets give the same id.
    """
    concepts = [concept for name, entry in sets.items() for concept in read_set(name, entry)]
    seen: dict[str, Concept] = {}
    for concept in concepts:
        other = seen.setdefault(concept.id.casefold(), concept)
        if other is not concept:
            raise InputError(
                f"concepts.{concept.set}: the id {concept.id!r} is already taken by a concept of"
                f" concepts.{other.set}; give one of the two sets a `prefix`"
            )
    return concepts


def check_fit(concepts: Sequence[Concept], window: int, model: str) -> None:
    """Raise `InputError` if a concept's sites do not fit into the window of a model."""
    for concept in concepts:
        needed = max(concept.copies) * concept.motif.length
        room = window - 2 * concept.margin
        if needed > room:
            raise InputError(
                f"concept {concept.label!r}: {max(concept.copies)} copies of"
                f" {concept.motif.length} bp need {needed} bp, but model {model!r} has room for"
                f" {room} of its window of {window} bp; plant fewer copies"
            )


def select(concepts: Sequence[Concept], patterns: Sequence[str], where: str) -> list[Concept]:
    """Return the concepts whose id or label matches one of the patterns; none means all."""
    for pattern in patterns:
        if not any(fnmatchcase(c.id, pattern) or fnmatchcase(c.label, pattern) for c in concepts):
            names = [name for c in concepts for name in (c.id, c.label)]
            raise InputError(f"{where}: no concept matches {pattern!r}{suggest(pattern, names)}")
    return [
        concept
        for concept in concepts
        if not patterns
        or any(fnmatchcase(concept.id, p) or fnmatchcase(concept.label, p) for p in patterns)
    ]
