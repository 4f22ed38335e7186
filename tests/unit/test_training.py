from __future__ import annotations

import numpy as np
import pytest

from tpcav_core import cavs
from tpcav_core.errors import InputError
from tpcav_core.splits import TEST
from tpcav_core.training import Control, Examples, _balanced, set_control, train_variant

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


def used_of(folds, others):
    """The rows of a control that count, one after the other: no more of a part than `folds` has."""
    left = {True: int((folds == TEST).sum()), False: int((folds != TEST).sum())}
    rows = []
    for row, fold in enumerate(others):
        if left[bool(fold == TEST)] > 0:
            left[bool(fold == TEST)] -= 1
            rows.append(row)
    return rows


#: of each replicate, the examples that the concept is told apart from
USED = {
    name: Examples(*(column[used_of(CONCEPT.folds, part.folds)] for column in part))
    for name, part in REPLICATES.items()
}


def test_of_the_replicates_here_one_is_too_large_for_the_concept():
    assert [len(part.z) for part in USED.values()] == [60, 44, 60]


@pytest.mark.parametrize("size", [1, 7, 64, 1000])
def test_a_streamed_control_gives_the_cav_of_each_dense_replicate(size):
    rows = train_variant(("c", "4"), CONCEPT, streamed(size))
    assert [row["replicate"] for row in rows] == list(REPLICATES)
    for row, other in zip(rows, USED.values(), strict=True):
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
        USED.values(),
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
    with pytest.raises(
        InputError, match=r"concept 'c': .* at least 2 training folds are needed, each with 2"
    ):
        train_variant(("c", "4"), examples(5, 1), set_control(REPLICATES))


@pytest.mark.parametrize("n", [20, 60, 200])
def test_no_more_control_examples_of_a_part_than_the_concept_has(n):
    rng = np.random.default_rng(n)
    for _ in range(20):
        folds = rng.choice([TEST, 0, 1, 2], 60)
        others = rng.choice([TEST, 0, 1, 2], n, p=[0.4, 0.3, 0.2, 0.1])
        used = _balanced(folds, others)
        assert used.tolist() == used_of(folds, others)
        for part in (True, False):
            there, here = (int(((f == TEST) == part).sum()) for f in (others, folds))
            assert ((others[used] == TEST) == part).sum() == min(there, here)


def test_examples_that_are_not_used_change_nothing():
    large = examples(200, 5)
    z = large.z.copy()
    unused = np.setdiff1d(np.arange(200), used_of(CONCEPT.folds, large.folds))
    assert len(unused) == 140
    z[unused] *= -100
    alone = Examples(*(np.delete(column, unused, axis=0) for column in large))
    rows = [
        train_variant(("c", "4"), CONCEPT, set_control({"0": one}))[0]
        for one in (large, Examples(z, large.folds), alone)
    ]
    for row in rows[1:]:
        assert row.keys() == rows[0].keys()
        for name in row.keys() - {"concept", "variant", "replicate"}:
            np.testing.assert_allclose(row[name], rows[0][name], rtol=1e-6, atol=1e-6)


def test_precision_does_not_depend_on_how_many_examples_the_control_has():
    """Of a concept that is like its control, half of what is called the concept is the concept."""
    means = []
    for n in (200, 1600):
        rows = []
        for seed in range(10, 18):
            control = set_control({"0": examples(n, 100 + seed)})
            rows += train_variant(("c", "4"), examples(200, seed), control)
        assert {(row["n_concept"], row["n_control"]) for row in rows} == {(200, 200)}
        assert {(row["n_concept_test"], row["n_control_test"]) for row in rows} == {(50, 50)}
        means.append(np.mean([row["test_precision"] for row in rows]))
    # if all 1600 counted it would be 200 / 1800
    assert all(0.42 < mean < 0.58 for mean in means)


def test_a_concept_with_more_examples_than_the_control_uses_all_of_both():
    (row,) = train_variant(("c", "4"), CONCEPT, set_control({"1": REPLICATES["1"]}))
    assert (row["n_concept"], row["n_control"]) == (60, 44)
