from __future__ import annotations

import numpy as np
import pytest
from threadpoolctl import threadpool_limits

from tests.unit.cases import cosine
from tpcav_core import cavs
from tpcav_core.classifiers import Classifier
from tpcav_core.coordinates import Primal
from tpcav_core.errors import InputError
from tpcav_core.metrics import NAMES
from tpcav_core.seeds import generator
from tpcav_core.splits import TEST
from tpcav_core.training import Control, Examples, _balanced, set_control, train_variant

D = 30


def examples(n, seed, shift=0.0):
    z = np.random.default_rng(seed).normal(size=(n, D)).astype(np.float32)
    z[:, :4] += shift
    return Examples(z, np.resize([TEST, 0, 1, 2], n))


CONCEPT = examples(60, 1, shift=0.8)
# replicates of different sizes: rows that were counted wrongly would show
REPLICATES = {"0": examples(60, 2), "1": examples(72, 3), "2": examples(80, 4)}


def streamed(size, replicates=REPLICATES):
    """The control of `set_control`, its rows in batches that respect no replicate's bounds."""
    whole = set_control(replicates)
    rows = np.concatenate([part.z for part in replicates.values()])
    batches = [rows[first : first + size] for first in range(0, len(rows), size)]
    return Control(lambda: iter(batches), whole.folds, whole.gram)


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


def test_of_the_replicates_here_two_are_too_large_for_the_concept():
    assert [len(part.z) for part in USED.values()] == [60, 60, 60]


@pytest.mark.parametrize("kind", ["ridge", "pattern"])
def test_a_concept_with_more_examples_than_its_control_is_cut_to_it(kind):
    # so that both classes have as many examples, as those of the nulls from that control have
    control = set_control({"0": examples(44, 2), "1": examples(40, 3)})
    rows = train_variant(("c", "4"), CONCEPT, control, Classifier(kind), seed=3)
    for part in ("", "_train", "_test"):
        assert {row[f"n_concept{part}"] for row in rows} == {
            row[f"n_control{part}"] for row in rows
        }
    assert rows[0]["n_concept"] == 40
    kept = Examples(CONCEPT.z[:40], CONCEPT.folds[:40])
    for own, again in zip(
        rows, train_variant(("c", "4"), kept, control, Classifier(kind), seed=3), strict=True
    ):
        np.testing.assert_array_equal(own["weights"], again["weights"])
        np.testing.assert_array_equal(own["mean_difference"], again["mean_difference"])


#: layers with more features than examples, and with fewer
WIDTHS = {"primal": None, "dual": 400}


def widened(part, width):
    """The same examples with more features, of little variance, so that inner products are used."""
    if width is None:
        return part
    more = np.random.default_rng(len(part.z)).normal(size=(len(part.z), width - D)) * 0.01
    return part._replace(z=np.concatenate([part.z, more.astype(np.float32)], axis=1))


@pytest.mark.parametrize("kind", ["ridge", "svm", "logistic", "sgd", "pattern"])
@pytest.mark.parametrize("width", WIDTHS.values(), ids=WIDTHS)
@pytest.mark.parametrize("size", [7, 1000])
def test_a_streamed_control_gives_the_cav_of_each_dense_replicate(size, width, kind):
    concept = widened(CONCEPT, width)
    replicates = {name: widened(part, width) for name, part in REPLICATES.items()}
    rows = train_variant(("c", "4"), concept, streamed(size, replicates), Classifier(kind), seed=3)
    assert [row["replicate"] for row in rows] == list(REPLICATES)
    for row, (name, part) in zip(rows, replicates.items(), strict=True):
        used = used_of(concept.folds, part.folds)
        z = np.concatenate([concept.z, part.z[used]]).astype(float)
        is_concept = np.arange(len(z)) < 60
        folds = np.concatenate([concept.folds, part.folds[used]])
        rng = generator(3, "cavs", "c", "4", name)
        fit = cavs.fit_cav(Primal(z), is_concept, folds, Classifier(kind), rng=rng)
        assert row["relative_penalty"] == fit.relative_penalty
        weights = fit.direction.weights
        assert cosine(row["weights"], weights) > 0.9999
        np.testing.assert_allclose(row["weights"], weights, atol=2e-3 * np.abs(weights).max())
        assert row["intercept"] == pytest.approx(fit.intercept, abs=2e-3)
        difference = z[is_concept].mean(axis=0) - z[~is_concept].mean(axis=0)
        np.testing.assert_allclose(row["mean_difference"], difference, atol=1e-6)
        assert row["cav_norm"] == pytest.approx(np.linalg.norm(weights), rel=1e-3)


@pytest.mark.parametrize("width", WIDTHS.values(), ids=WIDTHS)
def test_batches_of_a_control_that_are_overwritten_are_not_kept(width):
    concept = widened(CONCEPT, width)
    whole = set_control({name: widened(part, width) for name, part in REPLICATES.items()})
    rows = np.concatenate(list(whole.rows()))

    def overwritten():
        batch = np.empty((50, rows.shape[1]), np.float32)
        for first in range(0, len(rows), 50):
            part = rows[first : first + 50]
            batch[: len(part)] = part
            yield batch[: len(part)]
            batch[:] = np.nan

    found = train_variant(("c", "4"), concept, whole._replace(rows=overwritten))
    expected = train_variant(("c", "4"), concept, whole)
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one["weights"], other["weights"], atol=1e-5)
        np.testing.assert_allclose(one["mean_difference"], other["mean_difference"], atol=1e-6)


def test_both_norms_of_a_wide_layer_are_trained_on_its_features():
    concept = widened(CONCEPT, 400)
    control = set_control({"0": widened(REPLICATES["0"], 400)})
    (lasso,) = train_variant(("c", "4"), concept, control, Classifier("logistic", "l1"))
    assert 0 < (lasso["weights"] != 0).sum() < 100
    (dense,) = train_variant(("c", "4"), concept, control, Classifier("logistic"))
    assert (dense["weights"] != 0).all()
    assert lasso["test_auroc"] > 0.75


def test_the_number_of_threads_changes_next_to_nothing():
    concept = widened(CONCEPT, 400)
    control = set_control({name: widened(part, 400) for name, part in REPLICATES.items()})
    found = []
    for threads in (1, 2):
        with threadpool_limits(threads):
            found.append(train_variant(("c", "4"), concept, control))
    for one, other in zip(*found, strict=True):
        assert one["relative_penalty"] == other["relative_penalty"]
        np.testing.assert_allclose(one["weights"], other["weights"], rtol=1e-5, atol=1e-7)


def test_intervals_hold_the_value_and_narrow_with_more_examples():
    widths = []
    for n in (60, 960):
        concept, control = examples(n, 1, shift=0.5), {"0": examples(n, 2)}
        (row,) = train_variant(("c", "4"), concept, set_control(control))
        for name in NAMES:
            low, high = row[f"test_{name}_low"], row[f"test_{name}_high"]
            assert low <= row[f"test_{name}"] <= high
            assert np.isfinite([low, high]).all()
        widths.append(row["test_auroc_high"] - row["test_auroc_low"])
    assert widths[1] < widths[0] / 2


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
