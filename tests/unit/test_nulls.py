from __future__ import annotations

from functools import cache

import numpy as np
import pytest
from scipy.stats import kstest
from threadpoolctl import threadpool_limits

from tests.unit.cases import cosine
from tpcav_core import metrics, nulls
from tpcav_core.classifiers import Classifier
from tpcav_core.directions import consensus
from tpcav_core.metrics import NAMES
from tpcav_core.nulls import cut, make_pool, shuffled_labels, train_nulls
from tpcav_core.scores import LayerTargets, score_concept, score_nulls
from tpcav_core.seeds import generator
from tpcav_core.significance import p_values
from tpcav_core.splits import TEST
from tpcav_core.training import Examples, set_control, train_variant

SIZE, REPLICATES = 30, 3
#: a layer with fewer features than two parts have examples, and one with more
WIDTHS = {"primal": 24, "dual": 150}


def folds_of(n, folds=3):
    """A fifth tests, the rest trains in folds that are not of the same size."""
    return np.resize([TEST, 0, 1, 2, 0, TEST, 1, 0, 2, 2][: 4 + 2 * folds], n)


@cache
def mixing(d):
    return np.random.default_rng(99).normal(size=(d, d)) / d**0.5 + np.eye(d)


def noise(m, d, seed, spread=1.0):
    """Random examples; features are correlated and, by ``spread``, of different variance."""
    z = np.random.default_rng(seed).normal(size=(m, d)) @ mixing(d)
    return (z * spread).astype(np.float32)


def random_pool(d, m=(1 + REPLICATES) * SIZE, seed=1, size=SIZE):
    return make_pool(noise(m, d, seed), folds_of(m), size)


# parts


def cases():
    """Strata, size and number of parts, among them such that hardly fit."""
    for seed in range(200):
        rng = np.random.default_rng(seed)
        parts = int(rng.integers(1, 6))
        strata = rng.integers(-1, int(rng.integers(0, 8)), int(rng.integers(30, 200)))
        most = len(strata) // parts
        size = most if seed % 3 == 0 else int(rng.integers(min(5, most), most + 1))
        yield strata, size, parts, rng


def test_parts_are_disjoint_and_have_equal_numbers_from_every_stratum():
    for strata, size, parts, rng in cases():
        found = cut(strata, size, parts, rng)
        assert len(found) == parts
        everything = np.concatenate(found)
        assert len(np.unique(everything)) == len(everything)
        counts = [np.bincount(strata[part] + 1, minlength=9).tolist() for part in found]
        assert counts == counts[:1] * parts
        assert all((np.diff(part) > 0).all() for part in found)


def test_parts_have_the_share_of_each_stratum_and_hardly_fewer_examples_than_asked():
    for strata, size, parts, rng in cases():
        first = cut(strata, size, parts, rng)[0]
        counts = np.bincount(strata + 1)
        there = np.bincount(strata[first] + 1, minlength=len(counts))
        assert (np.abs(there - size * counts / len(strata)) < 1 + 1e-9).all()
        assert size - (counts > 0).sum() < len(first) <= size


def test_parts_are_as_large_as_asked_where_strata_allow_it():
    strata = np.repeat([TEST, 0, 1, 2], [40, 55, 33, 72])
    for size in range(20, 60):
        assert {len(part) for part in cut(strata, size, 3, np.random.default_rng(size))} == {size}


def test_the_same_stream_cuts_alike_and_every_example_is_as_likely_in_every_part():
    strata = folds_of(60)
    one, other = (cut(strata, 10, 3, np.random.default_rng(7)) for _ in range(2))
    for left, right in zip(one, other, strict=True):
        np.testing.assert_array_equal(left, right)
    rng = np.random.default_rng(8)
    counts = np.zeros((3, 60))
    for _ in range(2000):
        for part, rows in enumerate(cut(strata, 10, 3, rng)):
            counts[part, rows] += 1
    shares = counts / 2000
    for stratum in np.unique(strata):
        own = shares[:, strata == stratum]
        np.testing.assert_allclose(own, own.mean(), atol=0.05)


# a null is trained like a concept


def as_a_concept(pool, number, name, size=SIZE, replicates=REPLICATES, **options):
    """The rows that the training of concepts gives on the examples of a null."""
    rng = generator(5, "nulls", name, size, number)
    concept, *controls = (
        Examples(pool.z[rows], pool.folds[rows])
        for rows in cut(pool.strata, size, 1 + replicates, rng)
    )
    control = set_control({str(index): part for index, part in enumerate(controls)})
    return train_variant(("null", "all"), concept, control, **options)


@pytest.fixture(autouse=True)
def few_threads():
    """Small matrices gain nothing from threads, and lose much where tests run side by side."""
    with threadpool_limits(1):
        yield


@pytest.fixture
def few_draws(monkeypatch):
    """Resamplings for intervals that no test here looks at."""
    monkeypatch.setattr(metrics, "DRAWS", 2)


CLASSIFIERS = [
    Classifier("ridge"),
    Classifier("svm", penalties=[1e-3, 1e-1]),
    Classifier("logistic", penalties=[1e-3, 1e-1]),
    Classifier("pattern"),
]


@pytest.mark.parametrize("classifier", CLASSIFIERS, ids=lambda one: one.kind)
@pytest.mark.parametrize("d", WIDTHS.values(), ids=WIDTHS)
@pytest.mark.usefixtures("few_draws")
def test_a_null_is_what_training_makes_of_the_same_examples(d, classifier):
    pool = random_pool(d)
    assert (pool.gram is None) == (d == WIDTHS["primal"])
    found = train_nulls(
        pool, [0, 1], SIZE, replicates=REPLICATES, classifier=classifier, seed=5, name="c"
    )
    for number, row in enumerate(found):
        expected = as_a_concept(pool, number, "c", classifier=classifier)
        weights = np.stack([one["weights"] for one in expected])
        differences = np.stack([one["mean_difference"] for one in expected])
        assert row["null"] == number
        assert row["n_concept"] == expected[0]["n_concept"]
        np.testing.assert_allclose(row["weights"], consensus(weights), atol=2e-4)
        np.testing.assert_allclose(row["mean_difference"], differences.mean(axis=0), atol=1e-5)
        assert row["cav_cosine"] == pytest.approx(expected[0]["cav_cosine"], abs=1e-3)
        for metric in NAMES:
            key = f"test_{metric}"
            values = [one[key] for one in expected]
            assert row[key] == pytest.approx(np.mean(values), abs=1e-9)


@pytest.mark.parametrize("kind", ["ridge", "svm", "pattern"])
def test_features_and_inner_products_give_the_same_nulls(kind):
    # of some other pools an example is decided by the last bits, 1e-7 of the others' decisions
    pool = random_pool(WIDTHS["dual"], seed=2)
    options = {"replicates": REPLICATES, "classifier": Classifier(kind), "seed": 5}
    dual = train_nulls(pool, range(3), SIZE, **options)
    primal = train_nulls(pool._replace(gram=None), range(3), SIZE, **options)
    for one, other in zip(dual, primal, strict=True):
        assert cosine(one["weights"], other["weights"]) > 0.9999
        np.testing.assert_array_equal(one["mean_difference"], other["mean_difference"])
        assert one["cav_cosine"] == pytest.approx(other["cav_cosine"], abs=1e-3)
        for metric in NAMES:
            assert one[f"test_{metric}"] == pytest.approx(other[f"test_{metric}"], abs=1e-9)


def test_norms_that_inner_products_do_not_give_are_trained_on_features():
    z, folds = noise(120, 150, 1), folds_of(120)
    assert make_pool(z, folds, SIZE, "l1").gram is None
    assert make_pool(z, folds, SIZE).gram is not None
    # twice as many features as examples is where training changes as well
    assert make_pool(z[:, : 2 * SIZE], folds, SIZE).gram is None
    assert make_pool(z[:, : 2 * SIZE + 1], folds, SIZE).gram is not None
    classifier = Classifier("logistic", "l1", [5.0])
    pool = make_pool(z, folds, SIZE, "l1")
    (row,) = train_nulls(pool, [0], SIZE, replicates=2, classifier=classifier, seed=1)
    assert 0 < (row["weights"] != 0).sum() < 150


@pytest.mark.parametrize("d", WIDTHS.values(), ids=WIDTHS)
@pytest.mark.parametrize("replicates", [1, 3])
def test_weights_are_of_unit_length_and_differences_are_of_means(d, replicates):
    pool = random_pool(d)
    for row in train_nulls(pool, range(4), SIZE, replicates=replicates, seed=5, name="c"):
        assert np.linalg.norm(row["weights"]) == pytest.approx(1, abs=1e-5)
        rng = generator(5, "nulls", "c", SIZE, row["null"])
        concept, *controls = cut(pool.strata, SIZE, 1 + replicates, rng)
        means = [pool.z[rows].mean(axis=0, dtype=float) for rows in controls]
        expected = pool.z[concept].mean(axis=0, dtype=float) - np.mean(means, axis=0)
        np.testing.assert_allclose(row["mean_difference"], expected, atol=1e-5)
        # the CAV points towards the concept
        assert row["weights"] @ row["mean_difference"] > 0
        assert np.isnan(row["cav_cosine"]) == (replicates == 1)


@pytest.mark.parametrize("d", WIDTHS.values(), ids=WIDTHS)
def test_a_number_is_the_same_null_whatever_else_is_asked_for(d):
    pool = random_pool(d)
    options = {"replicates": REPLICATES, "seed": 5, "name": "c"}
    whole = train_nulls(pool, range(6), SIZE, **options)
    parts = [train_nulls(pool, numbers, SIZE, **options) for numbers in ([4], [5, 2], range(2))]
    for row in (row for part in parts for row in part):
        expected = whole[row["null"]]
        for key, value in row.items():
            np.testing.assert_allclose(value, expected[key], rtol=1e-5, atol=1e-7)


def test_another_number_name_seed_or_size_is_another_null():
    pool = random_pool(WIDTHS["primal"])
    base = {"replicates": REPLICATES, "seed": 5, "name": "c"}
    (first,) = train_nulls(pool, [0], SIZE, **base)
    others = [
        train_nulls(pool, [1], SIZE, **base),
        train_nulls(pool, [0], SIZE, **{**base, "seed": 6}),
        train_nulls(pool, [0], SIZE, **{**base, "name": "d"}),
        train_nulls(pool, [0], SIZE - 5, **base),
    ]
    for (other,) in others:
        assert abs(cosine(first["weights"], other["weights"])) < 0.9


@pytest.mark.parametrize("d", WIDTHS.values(), ids=WIDTHS)
def test_of_noise_a_classifier_is_right_in_half_of_cases(d):
    pool = random_pool(d, m=400, seed=3)
    rows = train_nulls(pool, range(100), SIZE, replicates=2, seed=1)
    # nulls of one pool share examples, so they are surer of their mean than independent ones
    for metric in ("f1", "accuracy", "auroc", "precision"):
        assert np.mean([row[f"test_{metric}"] for row in rows]) == pytest.approx(0.5, abs=0.03)
    assert np.mean([row["test_mcc"] for row in rows]) == pytest.approx(0, abs=0.06)


# the error of the first kind


def heavy_tailed_targets(d, seed, n=40):
    """Multipliers of regions: a few features and a few regions matter most."""
    rng = np.random.default_rng(seed)
    multipliers = rng.standard_t(2, (n, d)) * rng.lognormal(0, 1, d) + rng.normal(size=d)
    return LayerTargets(multipliers, multipliers, np.zeros((d, 0)))


def statistics_of_nulls(rows, targets):
    weights, differences = (
        np.stack([row[name] for row in rows]) for name in ("weights", "mean_difference")
    )
    found = score_nulls(weights, differences, targets)
    return {
        "derivative": found["derivative"],
        "effect": found["effect"],
        "auroc": np.array([row["test_auroc"] for row in rows]),
    }


def statistics_of_set(seed, d, targets, size, spread):
    """A random set against random controls, all of them fresh, as a concept is trained."""
    parts = [Examples(noise(size, d, [seed, part], spread), folds_of(size)) for part in range(3)]
    control = set_control({"0": parts[1], "1": parts[2]})
    rows = train_variant(("random", "all"), parts[0], control)
    weights, differences = (
        np.stack([row[name] for row in rows]) for name in ("weights", "mean_difference")
    )
    found = score_concept(weights, differences, targets)
    auroc = np.mean([row["test_auroc"] for row in rows])
    return {"derivative": found["derivative"], "effect": found["effect"], "auroc": auroc}


SIDES = {"derivative": "both", "effect": "both", "auroc": "greater"}


@pytest.mark.parametrize("d", WIDTHS.values(), ids=WIDTHS)
@pytest.mark.usefixtures("few_draws")
def test_random_sets_are_like_the_nulls_of_other_examples(d):
    """Sets and controls of their own against nulls of pools as the workflow has them."""
    size, pools, sets, count = 30, 10, 30, 100
    spread = np.random.default_rng(7).lognormal(0, 1, d)
    p = {name: [] for name in SIDES}
    for number in range(pools):
        targets = heavy_tailed_targets(d, number)
        z = noise(3 * size, d, [1, number], spread)
        pool = make_pool(z, np.tile(folds_of(size), 3), size)
        rows = train_nulls(pool, range(count), size, replicates=2)
        null = statistics_of_nulls(rows, targets)
        own = range(number * sets, (number + 1) * sets)
        tested = [statistics_of_set(seed, d, targets, size, spread) for seed in own]
        for name, side in SIDES.items():
            observed = np.array([one[name] for one in tested])
            p[name] += p_values(observed, null[name], side).tolist()
    for name, values in p.items():
        assert 0.02 <= (np.array(values) <= 0.05).mean() <= 0.09, name
        # p has steps; spread evenly over its step it is uniform
        steps = np.random.default_rng(1).uniform(size=len(values)) / (1 + count)
        assert kstest(values - steps, "uniform").pvalue > 0.01, name


# shuffled labels


def strong(n=60, d=20, shift=8.0, seed=1):
    """A concept far away from its control, and the control."""
    rng = np.random.default_rng(seed)
    sets = [
        Examples(rng.normal(size=(n, d)).astype(np.float32), folds_of(n))
        for _ in range(1 + REPLICATES)
    ]
    sets[0].z[:, :3] += shift
    return sets[0], {str(index): part for index, part in enumerate(sets[1:])}


def test_shuffled_labels_of_a_strong_concept_find_nothing():
    concept, controls = strong()
    control = set_control(controls)
    targets = heavy_tailed_targets(20, seed=3)
    rows = [shuffled_labels(concept, control, seed=seed, name="c") for seed in range(60)]
    (true, *_) = train_variant(("c", "all"), concept, control)
    assert true["test_auroc"] > 0.999
    shuffled = statistics_of_nulls(rows, targets)
    assert shuffled["auroc"].mean() == pytest.approx(0.5, abs=0.04)
    z = np.concatenate([part.z for part in controls.values()])
    folds = np.concatenate([part.folds for part in controls.values()])
    extra = np.random.default_rng(4).normal(size=(60, 20)).astype(np.float32)
    pool = make_pool(np.concatenate([z, extra]), np.concatenate([folds, folds_of(60)]), 60)
    null = statistics_of_nulls(train_nulls(pool, range(300), 60, replicates=REPLICATES), targets)
    for name in ("effect", "auroc"):
        p = p_values(shuffled[name], null[name], SIDES[name])
        assert (p <= 0.05).mean() <= 0.15, name
        assert kstest(shuffled[name], null[name]).pvalue > 0.01, name
    # the check can tell: with the true labels it is far beyond all of them
    scored = score_concept(true["weights"][None], true["mean_difference"][None], targets)
    assert p_values([scored["effect"]], null["effect"]) == 1 / 301


def test_without_equal_shares_of_the_concept_shuffled_labels_would_find_it():
    """The reason why sets are cut by kind: their shares of the concept differ by chance else."""
    concept, controls = strong()
    z = np.concatenate([concept.z, *(part.z for part in controls.values())])
    folds = np.concatenate([concept.folds, *(part.folds for part in controls.values())])
    kinds = (np.arange(len(z)) >= 60).astype(np.int64)
    found = {}
    for name, by in (("equal", kinds), ("any", None)):
        pool = make_pool(z, folds, 60, kinds=by)
        rows = train_nulls(pool, range(150), 60, replicates=REPLICATES)
        differences = np.stack([row["mean_difference"] for row in rows])
        found[name] = differences[:, :3].std()
    within = (1 / 60 + 1 / 180) ** 0.5
    assert found["equal"] == pytest.approx(within, rel=0.2)
    assert found["any"] > 3 * within


def test_shuffled_sets_are_mixed_of_as_many_examples_as_the_cavs_have(monkeypatch):
    rng = np.random.default_rng(2)
    concept = Examples(rng.normal(size=(60, 10)).astype(np.float32), folds_of(60))
    sizes = {"0": 400, "1": 60, "2": 45}
    control = set_control(
        {
            name: Examples(rng.normal(size=(m, 10)).astype(np.float32), folds_of(m))
            for name, m in sizes.items()
        }
    )
    seen = []

    def spy(strata, size, parts, stream):
        seen.append((len(strata), cut(strata, size, parts, stream)))
        return seen[-1][1]

    monkeypatch.setattr(nulls, "cut", spy)
    row = shuffled_labels(concept, control, seed=1, name="c")
    ((total, parts),) = seen
    # of each as many as the smallest has, as for CAVs: else hardly any would be of the concept
    assert total == 4 * 45
    shares = [(part < 45).mean() for part in parts]
    assert all(share == pytest.approx(1 / 4, abs=0.04) for share in shares)
    assert row["n_concept"] == 45


def test_a_streamed_control_whose_batches_are_overwritten_is_shuffled_alike():
    concept, controls = strong(d=200)
    larger = Examples(np.tile(controls["0"].z, (3, 1))[:150] + 1, folds_of(150))
    whole = set_control({**controls, "0": larger})
    rows = np.concatenate(list(whole.rows()))

    def overwritten():
        batch = np.empty((50, rows.shape[1]), np.float32)
        for first in range(0, len(rows), 50):
            part = rows[first : first + 50]
            batch[: len(part)] = part
            yield batch[: len(part)]
            batch[:] = np.nan

    found = shuffled_labels(concept, whole._replace(rows=overwritten), seed=1, name="c")
    expected = shuffled_labels(concept, whole, seed=1, name="c")
    for key, value in expected.items():
        np.testing.assert_array_equal(found[key], value)
    other = shuffled_labels(concept, whole, seed=1, name="d")
    assert abs(cosine(other["weights"], expected["weights"])) < 0.9
