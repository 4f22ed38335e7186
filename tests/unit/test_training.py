from __future__ import annotations

import numpy as np
import pytest

from tpcav_core import cavs
from tpcav_core.errors import InputError
from tpcav_core.splits import TEST
from tpcav_core.training import Control, Examples, set_control, train_variant

D = 30


def examples(n, seed, shift=0.0):
    z = np.random.default_rng(seed).normal(size=(n, D)).astype(np.float32)
    z[:, :4] += shift
    return Examples(z, np.resize([TEST, 0, 1, 2], n))


CONCEPT = examples(60, 1, shift=0.8)
# replicates of different sizes: rows that were counted wrongly would show
REPLICATES = {"0": examples(60, 2), "1": examples(44, 3), "2": examples(80, 4)}


def streamed(size):
    """The control of `set_control`, its rows in batches that respect no replicate's bounds."""
    whole = set_control(REPLICATES)
    rows = np.concatenate([part.z for part in REPLICATES.values()])
    batches = [rows[first : first + size] for first in range(0, len(rows), size)]
    return Control(lambda: iter(batches), whole.folds, whole.grams)


@pytest.mark.parametrize("size", [1, 7, 64, 1000])
def test_a_streamed_control_gives_the_cav_of_each_dense_replicate(size):
    rows = train_variant(("c", "4"), CONCEPT, streamed(size))
    assert [row["replicate"] for row in rows] == list(REPLICATES)
    for row, other in zip(rows, REPLICATES.values(), strict=True):
        z = np.concatenate([CONCEPT.z, other.z]).astype(float)
        is_concept = np.arange(len(z)) < 60
        folds = np.concatenate([CONCEPT.folds, other.folds])
        fit = cavs.fit_cav(z @ z.T, is_concept, folds)
        assert row["relative_penalty"] == fit.relative_penalty
        np.testing.assert_allclose(row["weights"], z.T @ fit.dual, atol=1e-4)
        assert row["intercept"] == pytest.approx(fit.intercept, abs=1e-3)
        difference = z[is_concept].mean(axis=0) - z[~is_concept].mean(axis=0)
        np.testing.assert_allclose(row["mean_difference"], difference, atol=1e-6)
        assert row["cav_norm"] == pytest.approx(np.linalg.norm(z.T @ fit.dual), rel=1e-4)


def test_numbers_and_parts_of_the_examples():
    for row, other in zip(
        train_variant(("c", "4"), CONCEPT, set_control(REPLICATES)),
        REPLICATES.values(),
        strict=True,
    ):
        assert (row["concept"], row["variant"]) == ("c", "4")
        assert (row["n_concept"], row["n_control"]) == (60, len(other.z))
        assert (row["n_concept_test"], row["n_control_test"]) == (15, len(other.z) // 4)
        w, b = row["weights"], row["intercept"]
        z = np.concatenate([CONCEPT.z, other.z])
        is_concept = np.arange(len(z)) < 60
        right = (z @ w + b > 0) == is_concept
        folds = np.concatenate([CONCEPT.folds, other.folds])
        assert row["test_accuracy"] == pytest.approx(right[folds == TEST].mean())
        assert row["train_accuracy"] == pytest.approx(right[folds != TEST].mean())
        assert row["validation_accuracy"] < row["train_accuracy"]


def test_one_replicate_does_not_depend_on_the_others():
    everything = train_variant(("c", "4"), CONCEPT, set_control(REPLICATES))
    for name, part in REPLICATES.items():
        (alone,) = train_variant(("c", "4"), CONCEPT, set_control({name: part}))
        row = everything[int(name)]
        np.testing.assert_allclose(alone["weights"], row["weights"], atol=1e-6)
        assert alone["test_f1"] == row["test_f1"]


def test_a_concept_against_itself_is_not_told_apart():
    same = {"0": Examples(CONCEPT.z[::-1].copy(), CONCEPT.folds[::-1].copy())}
    (row,) = train_variant(("c", "4"), CONCEPT, set_control(same))
    np.testing.assert_allclose(row["mean_difference"], 0, atol=1e-6)
    assert row["test_auroc"] == pytest.approx(0.5)


def test_too_few_examples_name_the_concept():
    with pytest.raises(InputError, match=r"concept 'c': .* at least 2 of each are needed"):
        train_variant(("c", "4"), examples(5, 1), set_control(REPLICATES))
