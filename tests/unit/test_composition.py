from __future__ import annotations

import numpy as np
import pytest

from tpcav_core.composition import gc_content, gc_slope
from tpcav_core.genome import encode

N, D = 120, 9


def test_gc_content_by_hand():
    codes = np.array([encode(text) for text in ("ACGT", "GGCC", "ATTA", "GNNA", "NNNC", "NNNN")])
    np.testing.assert_array_equal(gc_content(codes), [0.5, 1, 0, 0.5, 1, np.nan])
    assert gc_content(codes).dtype == np.float64


def test_gc_content_of_nothing():
    assert gc_content(np.empty((0, 8), np.uint8)).shape == (0,)


def planted(slope, gc, noise=0.0, seed=0):
    """Activations that change with GC content by ``slope``, and by nothing else that is linear."""
    rng = np.random.default_rng(seed)
    offset = rng.normal(size=D) * 5
    return (offset + np.outer(gc, slope) + noise * rng.normal(size=(len(gc), D))).astype(np.float32)


def contents(seed=0):
    return np.random.default_rng(seed).normal(0.42, 0.07, N)


def batched(z, size):
    return (z[first : first + size] for first in range(0, len(z), size))


@pytest.mark.parametrize("size", [1, 7, N, 1000])
def test_a_linear_dependence_is_found(size):
    slope = np.random.default_rng(1).normal(size=D) * 10
    gc = contents()
    found = gc_slope(batched(planted(slope, gc), size), gc)
    assert found.dtype == np.float64
    np.testing.assert_allclose(found, slope, atol=1e-3)


def test_it_is_the_slope_of_least_squares():
    gc = contents()
    z = planted(np.ones(D), gc, noise=3.0)
    expected = np.polyfit(gc, z.astype(float), 1)[0]
    np.testing.assert_allclose(gc_slope([z], gc), expected, rtol=1e-6)
    # what GC content does not explain linearly counts for nothing
    centred = gc - gc.mean()
    curve = centred**2 - np.polyval(np.polyfit(gc, centred**2, 1), gc)
    bent = (z + 100 * curve[:, None]).astype(np.float32)
    np.testing.assert_allclose(gc_slope([bent], gc), expected, atol=1e-3)


def test_units_and_offsets():
    gc = contents()
    z = planted(np.ones(D), gc, noise=1.0)
    found = gc_slope([z], gc)
    np.testing.assert_allclose(gc_slope([z], 100 * gc), found / 100)
    np.testing.assert_allclose(gc_slope([z], gc + 3), found, rtol=1e-6)
    np.testing.assert_allclose(gc_slope([z], 1 - gc), -found, rtol=1e-6)
    np.testing.assert_allclose(gc_slope([2 * z], gc), 2 * found, rtol=1e-6)
    np.testing.assert_allclose(gc_slope([z + 1000], gc), found, atol=1e-2)


def test_batches_that_are_overwritten_are_not_kept():
    gc = contents()
    z = planted(np.ones(D), gc, noise=1.0)

    def overwritten():
        batch = np.empty((50, D), np.float32)
        for part in batched(z, 50):
            batch[: len(part)] = part
            yield batch[: len(part)]
            batch[:] = np.nan

    np.testing.assert_allclose(gc_slope(overwritten(), gc), gc_slope([z], gc))


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_without_sequences_there_is_no_slope(value):
    gc = contents()
    gc[3] = value
    assert gc_slope([planted(np.ones(D), contents())], gc) is None
    assert gc_slope([planted(np.ones(D), contents())], np.full(N, np.nan)) is None


@pytest.mark.parametrize("value", [0.0, 0.5, 0.1 + 0.2, 1.0])
def test_content_that_does_not_vary_gives_no_slope(value):
    # as it is read from a file of float32
    gc = np.full(N, value, np.float32).astype(float)
    assert gc_slope([planted(np.ones(D), contents())], gc) is None
    # a single base of a long window is enough to vary
    gc[5] += 1e-4
    assert gc_slope([planted(np.ones(D), contents())], gc) is not None
