"""What concepts are told apart from: controls that concepts share, and controls of their own.

A shared control (random windows, regions, sequences or a function of the user's) is the same for
every concept that names it. An own control is made from the concept's examples: windows of like GC
content, its motif with permuted columns, its sequences shuffled, windows of low signal. Each comes
in several independent replicates.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from typing import Any

from .composition import gc_content
from .concepts import Recipe, realise
from .errors import InputError, suggest
from .matching import gc_matched_windows
from .names import OWN, RANDOM
from .sampling import draw_windows
from .seeds import generator
from .sources.annotated import RegionConcept
from .sources.base import ONLY, Availability, Concept, Setting, random_windows
from .sources.composition import UNSHUFFLED, shuffled
from .sources.given import Given
from .sources.motifs import MotifConcept
from .sources.own import FunctionConcept, SequenceConcept
from .sources.own import read as read_sequences
from .sources.signal import SignalConcept

log = logging.getLogger("tpcav_core")
#: largest difference in GC content between an example and its control
GC_TOLERANCE = 0.02


def shared_controls(sets: Mapping[str, Mapping[str, Any]]) -> dict[str, Mapping[str, Any]]:
    """Return the definitions of the controls that concepts may share: ``random``, and ``sets``.

    Raises:
        InputError: one has the name of a control that there is anyway, which it would not be.
    """
    for name in sets:
        if name in (*OWN, RANDOM):
            raise InputError(
                f"configuration, controls.sets.{name}: {name!r} is a control that is built in, and"
                f" means what it means everywhere; choose another name, such as my_{name}"
            )
    return {RANDOM: {"source": "random"}, **sets}


def check_control(concept: Concept, controls: Mapping[str, Mapping[str, Any]]) -> None:
    """Raise `InputError` unless the control that a concept names is defined and fits it."""
    name = concept.control
    if name not in OWN and name not in controls:
        known = [*controls, *OWN]
        hint = suggest(name, known) or f"; there are {', '.join(known)}"
        raise InputError(f"concepts.{concept.set}.control: no control {name!r}{hint}")
    needs = {"permuted_motifs": (MotifConcept, "motifs"), "low_signal": (SignalConcept, "signal")}
    if name in needs and not isinstance(concept, needs[name][0]):
        raise InputError(
            f"concepts.{concept.set}.control: {name} is for concepts of source {needs[name][1]},"
            f" {concept.id!r} is of source {concept.source}; choose another control"
        )
    impossible = {"gc_matched": {"function"}, "shuffled": UNSHUFFLED}
    if concept.source in impossible.get(name, ()):
        raise InputError(
            f"concepts.{concept.set}.control: {name} cannot be made of concepts of source"
            f" {concept.source}; choose another control"
        )


class RandomWindows:
    """The shared control of random windows."""

    def draw(self, setting: Setting, *purpose: str | int) -> Recipe:
        """Return examples drawn for a purpose."""
        return Recipe(*draw_windows(setting.sampling, *purpose))

    def availability(self, setting: Setting) -> Availability:
        """Return how many windows can be drawn."""
        return random_windows(setting)


def shared_control(
    name: str, definition: Mapping[str, Any]
) -> RandomWindows | RegionConcept | SequenceConcept | FunctionConcept:
    """Return the source of a control that concepts share, from its validated definition."""
    identity: dict[str, str] = {"id": name, "label": name, "set": name, "control": ""}
    if definition["source"] == "random":
        return RandomWindows()
    if definition["source"] == "regions":
        given = Given.of({**definition, "format": "bed"}, definition["file"])
        return RegionConcept(**identity, given=given, count=0)
    if definition["source"] == "function":
        calls = {ONLY: definition["kwargs"]}
        return FunctionConcept(**identity, function=definition["function"], calls=calls)
    own: dict[str, Any] = {
        "control": "",
        "prefix": "",
        "select": [],
        "drop": [],
        "label_column": None,
    }
    (sequences,) = read_sequences(name, {**own, **definition})
    return sequences


def control_recipes(
    name: str, replicates: int, setting: Setting, definition: Mapping[str, Any] | None = None
) -> Iterator[tuple[str, Recipe]]:
    """Yield each independent replicate of a shared control with its recipe.

    Args:
        name: of the control; another name draws other examples.
        replicates: how many.
        setting: what examples are made from.
        definition: validated; None: random windows.
    """
    source = shared_control(name, definition or {"source": "random"})
    available = source.availability(setting).available
    n = setting.sampling.n
    if replicates > 1 and available is not None and available < (replicates + 1) * n:
        log.warning(
            "control %s: %d examples for %d replicates of %d and the nulls: they have examples in"
            " common, so that p-values are a little too small and cav_cosine too large; give more,"
            " or lower examples.per_concept",
            name,
            available,
            replicates,
            n,
        )
    for replicate in range(replicates):
        yield str(replicate), source.draw(setting, "controls", name, replicate)


def own_control(
    concept: Concept,
    variant: str,
    recipe: Recipe,
    replicate: int,
    setting: Setting,
    *,
    gc_tolerance: float = GC_TOLERANCE,
) -> Recipe:
    """Return one replicate of a concept's own control.

    Args:
        concept: names the control.
        variant: of the concept.
        recipe: the examples of that variant.
        replicate: from 0.
        setting: what examples are made from.
        gc_tolerance: of control ``gc_matched``.

    Raises:
        InputError: if it cannot be made, for example for want of windows of like GC content.
    """
    purpose = ("controls", concept.control, concept.id, variant, replicate)
    if concept.control == "permuted_motifs" and isinstance(concept, MotifConcept):
        return concept.permuted(setting, variant, replicate)
    if concept.control == "low_signal" and isinstance(concept, SignalConcept):
        return concept.low_signal(setting, recipe, replicate)
    if concept.control == "shuffled":
        return shuffled(recipe, setting.sampling.seed, *purpose)
    if concept.control == "gc_matched" and recipe.call is None:
        rng = generator(setting.sampling.seed, *purpose)
        gc = gc_content(realise(recipe, setting.genome))
        if setting.sampling.window == 0:
            raise InputError(f"concept {concept.label!r}: gc_matched needs a genome")
        regions, folds, tried = gc_matched_windows(
            gc, recipe.folds, setting.genome, setting.sampling, rng, tolerance=gc_tolerance
        )
        log.info("gc_matched: %d windows of %d looked at", len(folds), tried)
        return Recipe(regions, folds)
    raise InputError(f"concept {concept.label!r}: cannot make control {concept.control!r} of it")
