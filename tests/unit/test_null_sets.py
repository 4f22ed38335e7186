from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pytest

from tpcav_core.motifs import Motif
from tpcav_core.names import null_control, null_of
from tpcav_core.null_sets import (
    NULL_MOTIFS,
    NULLS_PER_JOB,
    SMALLEST,
    null_controls,
    null_motifs,
    null_parts,
    null_sizes,
    study_sizes,
)
from tpcav_core.sources.base import Concept
from tpcav_core.sources.given import Given
from tpcav_core.sources.motifs import MotifConcept


@dataclass(frozen=True, kw_only=True)
class Plain(Concept):
    """A concept that plants nothing."""

    source = "plain"

    def content(self):
        return []

    def recipes(self, setting):
        yield from ()


def plain(identity="r", control="random"):
    return Plain(id=identity, label=identity, set="s", control=control)


def motif(identity, bases=(0, 1, 2, 3, 3, 0, 2), control="random", into=None):
    planted = Motif(identity, (np.eye(4)[list(bases)],))
    return MotifConcept(
        id=identity,
        label=identity,
        set="m",
        motif=planted,
        copies=(4,),
        control=control,
        into=into and Given.of({}, into),
    )


# sizes


@pytest.mark.parametrize(
    ("n", "fewest", "expected"),
    [
        (1000, 1000, [1000]),
        (1000, 100, [1000, 500, 250, 125, 100]),
        (1000, 125, [1000, 500, 250, 125]),
        (1000, 999, [1000, 999]),
        (200, 5, [200, 100, 50, 25, SMALLEST]),
        (30, 30, [30]),
        (30, 10, [30, SMALLEST]),
        (20, 20, [20]),
        (12, 12, [12]),
        (100, 5000, [100]),
    ],
)
def test_sizes_are_halved_down_to_the_fewest(n, fewest, expected):
    assert null_sizes(n, fewest) == expected


@pytest.mark.parametrize("n", [20, 21, 37, 64, 500, 1001])
@pytest.mark.parametrize("fewest", [1, 20, 33, 400])
def test_every_concept_has_nulls_of_as_many_examples_or_at_least_half_of_them(n, fewest):
    sizes = null_sizes(n, fewest)
    assert sizes[0] == n
    assert all(larger > smaller for larger, smaller in pairwise(sizes))
    assert all(size >= SMALLEST for size in sizes)
    for examples in range(max(SMALLEST, min(fewest, n)), n + 1):
        nearest = max(size for size in sizes if size <= examples)
        assert 2 * nearest + 1 >= examples


def config(per_concept, **minima):
    entries = {name: {"min_examples": value} for name, value in minima.items()}
    return {"examples": {"per_concept": per_concept}, "concepts": {**entries, "plain": {}}}


def test_sizes_of_a_study_reach_down_to_its_smallest_concept():
    assert study_sizes(config(400)) == [400]
    assert study_sizes(config(400, a=None)) == [400]
    assert study_sizes(config(400, a=150, b=None, c=60)) == [400, 200, 100, 50, 30]
    # more than all examples are no reason for larger nulls
    assert study_sizes(config(400, a=900)) == [400]


# permuted motifs


@pytest.mark.parametrize(("motifs", "each"), [(1, 200), (3, 67), (10, 20), (200, 1), (900, 1)])
def test_there_are_as_many_permutations_as_make_enough_in_all(motifs, each):
    found = null_motifs([motif(f"m{index}") for index in range(motifs)], None)
    assert len(found) == motifs * each >= NULL_MOTIFS
    # one fewer of each would be too few
    assert motifs * (each - 1) < NULL_MOTIFS


def test_there_are_enough_for_motifs_that_are_made_in_each_way():
    concepts = [
        motif("a"),
        motif("b"),
        motif("c", control="open"),
        motif("d", into="peaks.bed"),
        motif("e", into="peaks.bed"),
        motif("f", into="other.bed"),
    ]
    counts = Counter(null.of for null in null_motifs(concepts, None))
    assert counts == {"a": 100, "b": 100, "c": 200, "d": 100, "e": 100, "f": 200}


def test_a_short_motif_has_no_permutation_twice():
    concepts = [motif("tata", (3, 0, 3, 0)), motif("m")]
    for asked, made in ((None, 100), (30, 30), (3, 3)):
        counts = Counter(null.of for null in null_motifs(concepts, asked))
        assert counts == {"tata": min(4, made), "m": made}


def test_permutations_are_numbered_motif_by_motif():
    concepts = [motif("b"), plain("r"), motif("a", (3, 3, 1, 0, 2))]
    found = null_motifs(concepts, 3)
    assert [null_of(null.id) for null in found] == [
        ("b", 0), ("b", 1), ("b", 2), ("a", 0), ("a", 1), ("a", 2)
    ]  # fmt: skip
    assert len({null.id for null in found}) == 6
    # the first of them stay if there are more
    assert null_motifs(concepts, 5)[:3] == found[:3]


def test_only_motifs_with_another_order_of_columns_are_permuted():
    concepts = [plain(), motif("poly_a", (0, 0, 0, 0)), motif("m")]
    assert {null.of for null in null_motifs(concepts, 4)} == {"m"}
    assert len(null_motifs(concepts, None)) == NULL_MOTIFS
    assert null_motifs(concepts[:2], None) == []
    assert null_motifs([], None) == null_motifs(concepts, 0) == []


# controls


def test_controls_made_of_a_concept_are_compared_with_random_sets():
    own = ["gc_matched", "permuted_motifs", "shuffled", "low_signal"]
    assert {null_control(name) for name in (*own, "random")} == {"random"}
    assert null_control("open_chromatin") == "open_chromatin"
    concepts = [plain("a", "quiet"), plain("b", "shuffled"), plain("c", "quiet"), plain("d")]
    assert null_controls(concepts) == ["quiet", "random"]
    assert null_controls([]) == []


# jobs


@pytest.mark.parametrize("total", [0, 1, 99, 100, 101, 250, 1000])
def test_every_null_is_trained_by_one_job(total):
    parts = null_parts(total)
    numbers = [first + index for first, count in parts.values() for index in range(count)]
    assert numbers == list(range(total))
    assert all(1 <= count <= NULLS_PER_JOB for _, count in parts.values())
    assert list(parts) == [f"{index:04d}" for index in range(len(parts))]
    # more nulls leave the jobs that there are as they were, the last one that was not full apart
    larger = null_parts(total + 300)
    assert all(larger[name] == part for name, part in parts.items() if part[1] == NULLS_PER_JOB)
