"""The list of concepts a configuration asks for: known before anything is computed.

The workflow reads it when it is parsed, so that a dry run shows every job; steps read it again to
get the definition of the concepts they are given. Importing this module imports no torch.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from .errors import InputError, suggest
from .sources import READERS
from .sources.base import Concept, matches
from .sources.composition import shuffled_concepts


def read_set(
    name: str, definition: Mapping[str, Any], *, cache: Path | None = None
) -> list[Concept]:
    """Return the concepts of one entry under ``concepts:``.

    Args:
        name: the key of the entry.
        definition: its validated content; of a set of shuffled concepts ``of`` is the name of the
            other set, whose definition is under ``parent``.
        cache: folder for what is expensive to find out again, None for none.

    Raises:
        InputError: for a file that cannot be used, or a selection that matches nothing.
    """
    if definition["source"] == "shuffled":
        parents = read_set(definition["of"], definition["parent"], cache=cache)
        return shuffled_concepts(name, definition, parents)
    return list(READERS[definition["source"]](name, definition, cache))


def resolved(
    sets: Mapping[str, Mapping[str, Any]], name: str, default_control: str = "random"
) -> dict[str, Any]:
    """Return the definition of a set with all that it refers to.

    Raises:
        InputError: if it refers to a set that does not exist, or to itself.
    """
    chain = [name]
    while "of" in sets[chain[-1]]:
        other = sets[chain[-1]]["of"]
        if other not in sets:
            raise InputError(f"concepts.{chain[-1]}.of: no set {other!r}{suggest(other, sets)}")
        if other in chain:
            raise InputError(f"concepts.{chain[-1]}.of: {other!r} refers back to it; name another")
        chain.append(other)
    definition: dict[str, Any] = {}
    for member in reversed(chain):
        parent = {"parent": definition} if definition else {}
        definition = {**sets[member], **parent}
        definition["control"] = definition["control"] or default_control
    return definition


def read_catalogue(
    sets: Mapping[str, Mapping[str, Any]],
    *,
    default_control: str = "random",
    taken: Sequence[str] = (),
    cache: Path | None = None,
) -> list[Concept]:
    """Return all concepts of the ``concepts:`` section, in its order.

    Args:
        sets: the section, validated.
        default_control: of sets that name none.
        taken: names that no id may have.
        cache: folder for what is expensive to find out again, None for none.

    Raises:
        InputError: also when two sets give the same id.
    """
    concepts = [
        concept
        for name in sets
        for concept in read_set(name, resolved(sets, name, default_control), cache=cache)
    ]
    seen: dict[str, Concept] = {}
    reserved = {name.casefold() for name in taken}
    for concept in concepts:
        other = seen.setdefault(concept.id.casefold(), concept)
        if other is not concept:
            raise InputError(
                f"concepts.{concept.set}: the id {concept.id!r} is already taken by a concept of"
                f" concepts.{other.set}; give one of the two sets a `prefix`"
            )
        if concept.id.casefold() in reserved:
            raise InputError(
                f"concepts.{concept.set}: the id {concept.id!r} is the name of a control; give the"
                " set a `prefix` or the control another name"
            )
    return concepts


def check_fit(concepts: Sequence[Concept], window: int | None, model: str) -> None:
    """Raise `InputError` if the examples of a concept cannot have the window of a model."""
    for concept in concepts:
        concept.check_window(window, model)


def select(concepts: Sequence[Concept], patterns: Sequence[str], where: str) -> list[Concept]:
    """Return the concepts whose id or label matches one of the patterns; none means all."""
    for pattern in patterns:
        if not any(matches(pattern, c.id, c.label) for c in concepts):
            names = [name for c in concepts for name in (c.id, c.label)]
            raise InputError(f"{where}: no concept matches {pattern!r}{suggest(pattern, names)}")
    return [
        concept
        for concept in concepts
        if not patterns or any(matches(p, concept.id, concept.label) for p in patterns)
    ]
