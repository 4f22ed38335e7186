"""What every source of concepts offers, and what concepts are made from."""

from __future__ import annotations

import hashlib
import json
import re
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any, ClassVar, NamedTuple

from ..concepts import Recipe
from ..errors import InputError, suggest
from ..genome import Genome
from ..names import NULL_SUFFIX
from ..sampling import Sampling
from ..tracks import Tracks

_UNSAFE = re.compile(r"[^A-Za-z0-9_.-]+")
#: concept ids that mean something else in the results
RESERVED = frozenset({"controls", "random"})
#: the variant of concepts that come in one strength
ONLY = "all"


class Setting(NamedTuple):
    """What the examples of concepts are made from.

    Attributes:
        genome: of no contigs in a study whose model takes no DNA.
        sampling: how examples are drawn.
        tracks: bigWig files of the configuration; only some sources and models need them.
    """

    genome: Genome
    sampling: Sampling
    tracks: Tracks | None = None


class Availability(NamedTuple):
    """How many examples a source has.

    Attributes:
        candidates: what it offers; start positions where windows are drawn at random.
        available: how many of them can be examples; None: as many as are asked for.
        rejected: how many cannot, by reason.
    """

    candidates: int | None
    available: int | None
    rejected: Mapping[str, int]


@dataclass(frozen=True, kw_only=True)
class Concept(ABC):
    """One concept of the configuration.

    Attributes:
        id: unique and safe as a file name, ``[A-Za-z0-9_.-]+``.
        label: the name as its source gives it, any text.
        set: the key under ``concepts:`` it comes from.
        control: name of the control it is told apart from.
    """

    source: ClassVar[str]
    id: str
    label: str
    set: str
    control: str = "random"

    @property
    def variants(self) -> tuple[str, ...]:
        """The variants as they are named in tables."""
        return (ONLY,)

    @property
    def candidates(self) -> int | None:
        """Number of examples in the source, known without the genome; None: no limit."""
        return None

    @property
    def facts(self) -> dict[str, Any]:
        """What the catalogue says of the concept beside this, for example of its motif."""
        return {}

    @abstractmethod
    def content(self) -> list[Any]:
        """Return, in a form that is JSON, what defines the examples beside files."""

    @abstractmethod
    def recipes(self, setting: Setting) -> Iterator[tuple[str, Recipe]]:
        """Yield each variant with its recipe."""

    def availability(self, setting: Setting) -> Availability:
        """Return how many examples there are in a setting."""
        return random_windows(setting)

    def check_window(self, window: int | None, model: str) -> None:  # noqa: B027  # no limit here
        """Raise `InputError` if examples cannot have the window of a model."""

    def fingerprint(self) -> str:
        """Return a digest of everything that defines the examples of this concept."""
        content = [self.id, self.label, self.source, self.control, *self.content()]
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:16]


def random_windows(setting: Setting) -> Availability:
    """Return how many windows can be drawn at random, of all start positions of the genome."""
    sampling = setting.sampling
    lost = {reason: n for reason, n in sampling.lost.items() if n and reason != "total"}
    return Availability(sampling.lost.get("total"), int(sampling.starts.count.sum()), lost)


def file_safe_ids(labels: Sequence[str], prefix: str = "") -> list[str]:
    """Return a unique id that is safe in file names for each label.

    Other characters than letters, digits, ``_``, ``.`` and ``-`` become ``_``. Labels whose ids
    would then be equal (also on file systems that ignore case) all get the first characters of a
    digest of their label, so that an id does not depend on the order of the labels. So do those
    whose ids would mean something else: `RESERVED`, or those of nulls.
    """
    plain = [prefix + (_UNSAFE.sub("_", label).strip("._-") or "concept") for label in labels]
    taken = Counter(name.casefold() for name in plain)
    reserved = {name.casefold() for name in RESERVED}
    return [
        f"{name}-{hashlib.sha256(label.encode()).hexdigest()[:8]}"
        if taken[name.casefold()] > 1
        or name.casefold() in reserved
        or NULL_SUFFIX.search(name.casefold())
        else name
        for name, label in zip(plain, labels, strict=True)
    ]


def matches(pattern: str, *names: str) -> bool:
    """Return whether one of the names is the pattern or matches it (``*``, ``?``, ``[…]``).

    Names of motifs hold brackets: a name always selects itself.
    """
    return any(name == pattern or fnmatchcase(name, pattern) for name in names)


def wanted(
    name: str,
    definition: Mapping[str, Any],
    labels: Sequence[str],
    what: str,
    ids: Sequence[str] | None = None,
) -> list[tuple[str, str, int]]:
    """Apply ``select``, ``drop`` and ``prefix`` of a set.

    Args:
        name: the key of the set.
        definition: its validated content.
        labels: what its source offers.
        what: what that is, for messages, for example ``motifs.meme (7 motifs)``.
        ids: unique ids, with the prefix; None: made of the labels.

    Returns:
        (id, label, index in ``labels``) of each that is wanted.

    Raises:
        InputError: for a pattern that matches nothing, or if nothing is left.
    """
    ids = file_safe_ids(labels, definition["prefix"]) if ids is None else ids
    for key in ("select", "drop"):
        for pattern in definition[key]:
            names = [*ids, *labels]
            if not matches(pattern, *names):
                raise InputError(
                    f"concepts.{name}.{key}: {pattern!r} is not in {what}{suggest(pattern, names)}"
                )
    selected = definition["select"]
    found = [
        (identity, label, index)
        for index, (identity, label) in enumerate(zip(ids, labels, strict=True))
        if not selected or any(matches(p, identity, label) for p in selected)
        if not any(matches(p, identity, label) for p in definition["drop"])
    ]
    if not found:
        raise InputError(f"concepts.{name}: nothing of {what} is left; check select and drop")
    return found
