"""Baselines: what targets are compared with, one or several for each."""

from __future__ import annotations

from typing import Literal, NamedTuple, Protocol

import numpy as np
import torch

from .errors import InputError
from .inputs import Inputs
from .regions import Regions
from .seeds import generator
from .shuffling import dinucleotide_shuffle

Kind = Literal["regions", "shuffled", "zeros", "uniform"]


class Baselines(NamedTuple):
    """The baselines of n targets, the same number for each.

    Attributes:
        kind: ``regions``, other windows of the genome; ``shuffled``, the target's sequence with its
            dinucleotides shuffled; ``zeros``, all bases unknown; ``uniform``, all four bases to a
            quarter. But for the first, signal is that of the target.
        per_target: how many each target has.
        regions: for ``regions``, n windows for each of ``per_target``.
        seed: of the configuration, for ``shuffled``.
        name: of the target set, for ``shuffled``.
    """

    kind: Kind
    per_target: int = 1
    regions: tuple[Regions, ...] = ()
    seed: int = 0
    name: str = ""

    def inputs(self, number: int, rows: slice | np.ndarray, target: Target) -> Inputs:
        """Return the model's inputs for one baseline of some targets.

        Args:
            number: which baseline, from 0.
            rows: which targets.
            target: all targets, and how inputs are made.

        Raises:
            InputError: ``uniform`` for a model whose inputs are whole numbers.
        """
        if self.kind == "regions":
            return target.inputs(self.regions[number].take(rows))
        regions = target.regions.take(rows)
        codes = target.codes(regions)
        if self.kind == "shuffled":
            rng = generator(self.seed, "targets", self.name, "shuffles", number)
            seeds = rng.integers(0, 2**62, len(target.regions.start))[rows]
            return target.inputs(regions, dinucleotide_shuffle(codes, seeds))
        if self.kind == "zeros":
            return target.inputs(regions, np.full_like(codes, 4))
        each = [target.inputs(regions, np.full_like(codes, base)) for base in range(4)]
        if not all(tensor.is_floating_point() for tensor in each[0]):
            raise InputError(
                "baselines uniform: this model's inputs are whole numbers, which have no mean; use"
                " random, shuffled, zeros or regions"
            )
        return tuple(torch.stack(tensors).mean(dim=0) for tensors in zip(*each, strict=True))


class Target(Protocol):
    """Targets that are regions of a genome, and how a model's inputs are made of regions."""

    @property
    def regions(self) -> Regions:
        """All n target regions."""

    def codes(self, regions: Regions) -> np.ndarray:
        """Return their sequences, (n, L) uint8."""

    def inputs(self, regions: Regions, codes: np.ndarray | None = None) -> Inputs:
        """Return the model's inputs of regions, with another sequence if one is given."""


def given_regions(choice: Regions, n: int, per_target: int, seed: int, name: str) -> Baselines:
    """Return baselines drawn from regions that the user gives.

    Each number of baseline takes n of the regions in random order; none is taken twice before all
    others were taken.

    Args:
        choice: windows to draw from.
        n: number of targets.
        per_target: baselines for each.
        seed: the seed of the configuration.
        name: of the target set.
    """
    found = []
    for number in range(per_target):
        rng = generator(seed, "targets", name, "given baselines", number)
        rounds = -(-n // len(choice.start))
        order = np.concatenate([rng.permutation(len(choice.start)) for _ in range(rounds)])
        found.append(choice.take(order[:n]))
    return Baselines("regions", per_target, tuple(found))
