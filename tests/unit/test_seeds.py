from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
import pytest

from tpcav_core.seeds import generator


def draw(*arguments):
    return generator(*arguments).integers(0, 2**63, 8).tolist()


def test_one_purpose_is_one_stream_whatever_is_drawn_before():
    alone = draw(1, "concepts", "CTCF", 3)
    generator(1, "concepts", "other").random(1000)
    draw(2, "concepts", "CTCF", 3)
    assert draw(1, "concepts", "CTCF", 3) == alone


def test_the_stream_is_the_one_of_every_earlier_release():
    # A change here changes every result of every user; it must be meant.
    raw = generator(1, "concepts", "CTCF", 3).bit_generator.random_raw(2)
    assert raw.tolist() == [2807363924731979001, 4807676885137912698]


def test_other_seeds_and_purposes_give_other_streams():
    purposes = [
        (1, "a", "b"),
        (2, "a", "b"),
        (1, "b", "a"),
        (1, "ab"),
        (1, "a", "b", ""),
        (1, "a", 1),
        (1, "a", "1"),
        (1, "a"),
        (1,),
    ]
    streams = [tuple(draw(*purpose)) for purpose in purposes]
    assert len(set(streams)) == len(purposes)


def test_streams_of_near_purposes_are_uncorrelated():
    table = np.array([generator(1, "x", index).normal(size=2000) for index in range(20)])
    correlations = np.corrcoef(table)[np.triu_indices(20, 1)]
    assert np.abs(correlations).max() < 5 / np.sqrt(2000)


def test_numpys_global_state_is_neither_read_nor_changed():
    before = np.random.get_state()[1].copy()
    first = draw(1, "x")
    assert (np.random.get_state()[1] == before).all()
    np.random.seed(99)
    assert draw(1, "x") == first


@pytest.mark.parametrize("hash_seed", ["0", "1"])
def test_another_process_gets_the_same_stream(hash_seed):
    script = (
        "from tpcav_core.seeds import generator as g; print(g(7, 'a', 2).integers(0, 2**40, 3))"
    )
    environment = {**os.environ, "PYTHONHASHSEED": hash_seed}
    out = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, env=environment, check=True
    )
    assert out.stdout.strip() == str(generator(7, "a", 2).integers(0, 2**40, 3))
