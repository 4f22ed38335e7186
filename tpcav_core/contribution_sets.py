"""Sets of concepts whose share of the prediction is followed to the input, as configured.

Known when the workflow is parsed; importing this module imports no torch.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from .catalogue import select
from .errors import InputError, suggest
from .sources.base import Concept
from .twins import twin_of

if TYPE_CHECKING:
    from .jobs import Jobs

#: inputs of models in which the bases can be told apart
INPUTS = ("one_hot", "one_hot_channels_last", "one_hot_and_tracks", "one_hot_stacked_tracks")


class Place(NamedTuple):
    """Where contributions are computed: one file of each kind.

    ``target`` is the name of target and output, as in the tables.
    """

    model: str
    layer: str
    target: str
    set: str


def check_contributions(config: Mapping[str, Any], concepts: Sequence[Concept]) -> None:
    """Raise `InputError` for sets that name no concept, and for models or targets without bases.

    Args:
        config: the validated configuration.
        concepts: all concepts of it.
    """
    sets = config["contributions"]
    for name in sets:
        chosen_concepts(config, name, concepts)
    if not sets:
        return
    first = next(iter(sets))
    if not genomic_targets(config):
        raise InputError(
            f"configuration, contributions.{first}: none of the targets consists of regions, whose"
            " bases could be shown; add a target with regions, or leave contributions out"
        )
    for name, entry in config["models"].items():
        if entry["inputs"] not in INPUTS:
            raise InputError(
                f"configuration, contributions.{first}: model {name!r} has inputs"
                f" {entry['inputs']!r}, in which single bases have no value of their own; expected"
                f" {', '.join(INPUTS)}; leave contributions out, or configure this model apart"
            )


def genomic_targets(config: Mapping[str, Any]) -> list[str]:
    """Return the names of the targets that consist of regions."""
    return [name for name, entry in config["targets"].items() if entry["regions"]]


def chosen_concepts(
    config: Mapping[str, Any], name: str, concepts: Sequence[Concept]
) -> list[tuple[Concept, str]]:
    """Return the concepts of a set, each with the variant that is used.

    Args:
        config: the validated configuration.
        name: of the set.
        concepts: those to choose from.

    Raises:
        InputError: a pattern matches none of them, or a concept does not have the variant.
    """
    entry = config["contributions"][name]
    where = f"configuration, contributions.{name}.concepts"
    return [
        (concept, _variant(concept, entry["variant"], name))
        for concept in select(concepts, entry["concepts"], where)
    ]


def layer_set(jobs: Jobs, model: str, layer: str, name: str) -> list[tuple[Concept, str]]:
    """Return the concepts of a set that are wanted at a layer, each with its variant."""
    here = {concept.id for concept in jobs.layer_concepts(model, layer)}
    chosen = chosen_concepts(jobs.config, name, jobs.concepts)
    return [(concept, variant) for concept, variant in chosen if concept.id in here]


def contribution_places(jobs: Jobs, *, hypothetical: bool = False) -> list[Place]:
    """Return all places of a configuration; those of sets with hypothetical ones if asked for.

    Layers at which no concept of a set is wanted, and models with permuted weights, have none.
    """
    sets = [
        name
        for name, entry in jobs.config["contributions"].items()
        if entry["hypothetical"] or not hypothetical
    ]
    return [
        Place(model, layer, target, name)
        for model, layer in jobs.places()
        if not twin_of(model)
        for name in sets
        if layer_set(jobs, model, layer, name)
        for target, (regions, _) in jobs.explained(model).items()
        if regions in genomic_targets(jobs.config)
    ]


def _variant(concept: Concept, wanted: str | int | None, name: str) -> str:
    """Return the variant asked for; None is the largest planted count, else the last variant."""
    variants = concept.variants
    if wanted is None:
        counts = all(variant.isdigit() for variant in variants)
        return max(variants, key=int) if counts else variants[-1]
    if str(wanted) not in variants:
        raise InputError(
            f"configuration, contributions.{name}.variant: concept {concept.id!r} has no variant"
            f" {str(wanted)!r}; there are {', '.join(variants)}{suggest(str(wanted), variants)}"
        )
    return str(wanted)
