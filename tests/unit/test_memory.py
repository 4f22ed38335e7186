from __future__ import annotations

import pytest

from tpcav_core.memory import BASE, cav_job_memory, null_job_memory

GIVEN = {"replicates": 3, "variants": 3}


def test_a_job_of_a_large_layer_needs_its_examples_and_some_matrices():
    needed = cav_job_memory(1000, 65_536, **GIVEN)
    examples = 1000 * 65_536 * 4 / 1e6
    assert examples < needed < examples + 1500
    # hundreds of concepts, or a control a hundred times as large, would not be held at once
    assert needed < 3 * examples * (1 + GIVEN["replicates"])


@pytest.mark.parametrize(
    "change", [{"n": 2000}, {"d": 100_000}, {"replicates": 9}, {"variants": 30}]
)
def test_more_work_needs_more_memory(change):
    base = {"n": 1000, "d": 65_536, **GIVEN}
    before, after = ({**base, **extra} for extra in ({}, change))
    assert cav_job_memory(before.pop("n"), before.pop("d"), **before) < cav_job_memory(
        after.pop("n"), after.pop("d"), **after
    )


def test_features_are_held_for_a_small_layer_and_for_a_norm_that_is_not_l2():
    small, lasso = (
        cav_job_memory(1000, 128, **GIVEN),
        cav_job_memory(1000, 65_536, **GIVEN, norm="l1"),
    )
    assert small < 520
    assert lasso > 3 * 1000 * 65_536 * 4 / 1e6


NULLS = {"replicates": 3, "nulls": 100}


@pytest.mark.parametrize(
    "change", [{"n": 2000}, {"d": 100_000}, {"replicates": 9}, {"nulls": 300}, {"norm": "l1"}]
)
def test_more_nulls_need_more_memory(change):
    base = {"n": 1000, "d": 65_536, **NULLS}
    before, after = ({**base, **extra} for extra in ({}, change))
    assert null_job_memory(before.pop("n"), before.pop("d"), **before) < null_job_memory(
        after.pop("n"), after.pop("d"), **after
    )


@pytest.mark.parametrize("d", [16, 1999, 2001, 65_536, 500_000])
def test_a_job_of_nulls_has_room_for_all_it_holds(d):
    pool = 4 * 1000
    examples, products, results = 4 * pool * d, 8 * pool * pool, 2 * 8 * d * NULLS["nulls"]
    needed = null_job_memory(1000, d, **NULLS)
    # the examples, what they are read from, and beside them the results as they are written
    assert needed > BASE + (2 * examples + products + 2 * results) / 1e6
    # nulls are cut from one pool: none of them adds its own examples
    assert null_job_memory(1000, d, replicates=3, nulls=200) - needed < examples / 1e6 + 10
    # features themselves are held, some in working copies, where inner products are not used
    lasso = null_job_memory(1000, d, **NULLS, norm="l1")
    assert lasso > BASE + (examples + 2 * 8 * 2 * 1000 * d) / 1e6
