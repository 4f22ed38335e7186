from __future__ import annotations

import numpy as np
import pytest

from tpcav_core.bootstrap import DRAWS
from tpcav_core.directions import consensus, unit
from tpcav_core.scores import (
    LayerTargets,
    derivative,
    effect,
    published_score,
    resampling,
    score_concept,
    score_concepts,
    score_nulls,
)

D = 40
BOTH = ("derivative", "effect")


def targets_of(multipliers, attributions=None):
    multipliers = np.asarray(multipliers, float)
    attributions = multipliers if attributions is None else attributions
    return LayerTargets(multipliers, attributions, np.zeros((multipliers.shape[1], 0)))


def study(seed=0, n=80, replicates=3, cosine=0.6, d=D):
    """A concept that is used: its CAVs and mean differences, and targets.

    Args:
        seed: of all that is drawn.
        n: regions.
        replicates: of the control.
        cosine: between its CAVs, about.
        d: features.
    """
    rng = np.random.default_rng(seed)
    direction = unit(rng.normal(size=(1, d)))[0]
    off = rng.normal(size=(replicates, d)) / d**0.5
    cavs = cosine**0.5 * direction + (1 - cosine) ** 0.5 * off
    differences = direction + 0.3 * rng.normal(size=(replicates, d)) / d**0.5
    multipliers = 2 * direction + 0.3 * rng.normal(size=(n, d))
    attributions = multipliers * np.abs(rng.normal(size=(n, d)))
    lengths = rng.uniform(0.1, 9, (replicates, 1))
    return lengths * cavs, differences, targets_of(multipliers, attributions)


# values


def test_a_concept_s_numbers_are_those_of_its_consensus_and_mean_difference():
    cavs, differences, targets = study()
    row = score_concept(cavs, differences, targets)
    joined = consensus(cavs)
    by_region = derivative(targets, joined[None])[:, 0]
    assert row["n_regions"] == 80
    assert row["derivative"] == pytest.approx(by_region.mean())
    assert row["tcav_fraction"] == (by_region > 0).mean()
    assert row["effect"] == pytest.approx(effect(targets, differences).mean())
    (published,) = published_score(targets, joined[None])
    assert {key: row[key] for key in published._fields} == published._asdict()
    assert row["published_mean"] == pytest.approx((targets.attributions @ joined).mean())
    assert not any(key.endswith(("_low", "_high")) for key in row)


def test_the_published_numbers_are_of_embeddings():
    """Mean and signs of ``a·w``, w with its residual: not all of it, which has the components."""
    cavs, differences, targets = study()
    rng = np.random.default_rng(3)
    components = np.linalg.qr(rng.normal(size=(D, D)))[0][:, :7]
    attributions = rng.normal(size=(80, 7 + D)) + 0.1
    embedded = LayerTargets(targets.multipliers, attributions, components)
    w = consensus(cavs)
    rest = w - components @ (components.T @ w)
    products = attributions @ np.concatenate([components.T @ w, rest])
    row = score_concept(cavs, differences, embedded)
    nulls = score_nulls(w[None], differences.mean(axis=0)[None], embedded)
    for found in (row, nulls):
        assert found["published_mean"] == pytest.approx(products.mean())
        assert found["fraction_positive"] == pytest.approx((products > 0).mean())


def test_regions_without_a_derivative_count_half():
    targets = targets_of([[1.0, 0], [0, 1], [0, 5], [-2, 0], [3, 0]])
    row = score_concept(np.array([[2.0, 0]]), np.array([[1.0, 1]]), targets)
    assert row["tcav_fraction"] == pytest.approx((2 + 2 / 2) / 5)
    assert row["derivative"] == pytest.approx(2 / 5)
    assert row["effect"] == pytest.approx(8 / 5)


@pytest.mark.parametrize("replicates", [1, 3, 8])
def test_nulls_are_scored_as_a_concept_of_the_same_consensus_is(replicates):
    parts = [study(seed, replicates=replicates)[:2] for seed in range(5)]
    targets = study()[2]
    joined = np.stack([consensus(cavs) for cavs, _ in parts])
    differences = np.stack([part.mean(axis=0) for _, part in parts])
    found = score_nulls(joined, differences, targets)
    for index, (cavs, own) in enumerate(parts):
        expected = score_concept(cavs, own, targets)
        for key, values in found.items():
            assert values.shape == (5,)
            assert values[index] == pytest.approx(expected[key]), key
        left = {key for key in expected if not key.endswith("_sign_agreement")} - set(found)
        assert left == {"n_regions"}


# agreement


def test_sign_agreement_by_hand():
    # one region, m = (1, 0): the derivative of a CAV is its first entry
    targets = targets_of([[1.0, 0]])
    cavs = np.array([[1.0, 0], [0.6, 0.8], [-0.6, 0.8], [0, 1]])
    differences = np.array([[5.0, 0], [-1, 0], [-1, 0], [-1, 0]])
    row = score_concept(cavs, differences, targets)
    # their mean is positive; the third has another sign, the last has none
    assert row["derivative_sign_agreement"] == 2 / 4
    assert row["effect"] == pytest.approx(0.5)
    assert row["effect_sign_agreement"] == 1 / 4
    turned = score_concept(-cavs, -differences, targets)
    assert turned["derivative_sign_agreement"] == 2 / 4
    assert turned["effect_sign_agreement"] == 1 / 4


def test_a_single_replicate_agrees_with_itself():
    cavs, differences, targets = study(replicates=1)
    row = score_concept(cavs, differences, targets)
    assert row["derivative_sign_agreement"] == row["effect_sign_agreement"] == 1


# intervals


@pytest.mark.parametrize("cosine", [0.05, 0.3, 0.9])
@pytest.mark.parametrize("replicates", [1, 2, 3, 5, 10])
def test_the_value_is_well_inside_its_interval(replicates, cosine):
    for seed in range(6):
        cavs, differences, targets = study(seed, replicates=replicates, cosine=cosine)
        row = score_concept(cavs, differences, targets, resampling(80, seed, "t"))
        for name in BOTH:
            low, high = row[f"{name}_low"], row[f"{name}_high"]
            assert low < row[name] < high
            # of an interval of percentiles about a mean the value is about in the middle
            assert 0.25 < (row[name] - low) / (high - low) < 0.75


def test_intervals_narrow_with_regions_and_with_replicates():
    def width(name, **options):
        cavs, differences, targets = study(**options)
        again = resampling(options["n"], 1, "t")
        row = score_concept(cavs, differences, targets, again)
        return row[f"{name}_high"] - row[f"{name}_low"]

    for name in BOTH:
        # one replicate: only regions vary
        ratio = width(name, n=50, replicates=1) / width(name, n=800, replicates=1)
        assert ratio == pytest.approx(4, rel=0.25)
        wide = np.mean([width(name, n=800, replicates=3, seed=seed) for seed in range(8)])
        narrow = np.mean([width(name, n=800, replicates=12, seed=seed) for seed in range(8)])
        assert 1.3 < wide / narrow < 3


def test_the_interval_of_one_replicate_is_that_of_the_mean_over_regions():
    cavs, differences, targets = study(replicates=1, n=50)
    again = resampling(50, 3, "t")
    row = score_concept(cavs, differences, targets, again)
    values = {
        "derivative": derivative(targets, unit(cavs))[:, 0],
        "effect": effect(targets, differences)[:, 0],
    }
    for name, by_region in values.items():
        ends = np.quantile(again.regions @ by_region, [0.025, 0.975])
        np.testing.assert_allclose([row[f"{name}_low"], row[f"{name}_high"]], ends)
        normal = 1.96 * by_region.std() / 50**0.5
        np.testing.assert_allclose(ends - by_region.mean(), [-normal, normal], atol=normal / 4)


def test_the_bootstrap_draws_regions_and_replicates():
    cavs, differences, targets = study(n=30, replicates=4)
    again = resampling(30, 3, "t")
    row = score_concept(cavs, differences, targets, again)
    values = effect(targets, differences)
    # every resampling anew, from how often each region and replicate is in it
    shares = again.replicates(4)
    means = [region @ values @ share for region, share in zip(again.regions, shares, strict=True)]
    assert len(means) == DRAWS
    np.testing.assert_allclose(
        [row["effect_low"], row["effect_high"]], np.quantile(means, [0.025, 0.975])
    )


def test_resamplings_are_shares_of_whole_numbers_of_draws():
    again = resampling(17, 5, "t")
    for shares, n in ((again.regions, 17), (again.replicates(3), 3), (again.replicates(1), 1)):
        assert shares.shape == (DRAWS, n)
        np.testing.assert_allclose(shares.sum(axis=1), 1)
        np.testing.assert_allclose(shares * n, (shares * n).round(), atol=1e-9)
        np.testing.assert_allclose(shares.mean(axis=0), 1 / n, atol=0.03)
    assert (again.replicates(1) == 1).all()


def test_resamplings_have_a_stream_of_their_own_for_each_seed_and_target():
    first = resampling(17, 5, "t")
    np.testing.assert_array_equal(first.regions, resampling(17, 5, "t").regions)
    for other in (resampling(17, 6, "t"), resampling(17, 5, "u")):
        assert not np.array_equal(first.regions, other.regions)
        assert not np.array_equal(first.replicates(3), other.replicates(3))


def test_scores_and_intervals_do_not_depend_on_what_else_is_scored():
    parts = {
        ("a", "4"): study(1),
        ("b", "4"): study(2, replicates=5),
        ("b", "8"): study(3, replicates=1),
    }
    targets = study(0)[2]
    again = resampling(80, 1, "t")
    names = [name for name, part in parts.items() for _ in part[0]]
    cavs, differences = (
        np.concatenate([part[place] for part in parts.values()]) for place in (0, 1)
    )
    together = score_concepts(names, cavs, differences, targets, again)
    assert [(row["concept"], row["variant"]) for row in together] == list(parts)
    for row, (name, (own, means, _)) in zip(together, parts.items(), strict=True):
        (alone,) = score_concepts([name] * len(own), own, means, targets, again)
        assert alone == row
        backwards = score_concepts(names[::-1], cavs[::-1], differences[::-1], targets, again)
        same = next(one for one in backwards if (one["concept"], one["variant"]) == name)
        # replicates in another order are drawn otherwise, the values are the same
        for key, value in row.items():
            if not key.endswith(("_low", "_high")):
                assert same[key] == pytest.approx(value), key


def test_intervals_scale_and_turn_round_with_what_is_scored():
    cavs, differences, targets = study()
    again = resampling(80, 1, "t")
    base = score_concept(cavs, differences, targets, again)
    longer = score_concept(cavs * [[2], [30], [0.1]], 3 * differences, targets, again)
    turned = score_concept(-cavs, -differences, targets, again)
    for end, other in (("", ""), ("_low", "_high"), ("_high", "_low")):
        # lengths of CAVs do not count, those of mean differences do
        assert longer[f"derivative{end}"] == pytest.approx(base[f"derivative{end}"])
        assert longer[f"effect{end}"] == pytest.approx(3 * base[f"effect{end}"])
        for name in BOTH:
            assert turned[name + end] == pytest.approx(-base[name + other])


def test_replicates_that_cancel_have_a_derivative_of_0():
    cavs = np.array([[1.0, 0], [-2.0, 0]])
    targets = targets_of([[1.0, 2], [3, 4]])
    row = score_concept(cavs, np.array([[1.0, 0], [-1, 0]]), targets, resampling(2, 1, "t"))
    assert row["derivative"] == row["effect"] == 0
    assert row["derivative_low"] <= 0 <= row["derivative_high"]
    assert row["tcav_fraction"] == 0.5
    assert np.isfinite([value for value in row.values() if isinstance(value, float)]).all()


def test_a_single_region_has_an_interval_of_no_width():
    cavs, differences, targets = study(n=1, replicates=1)
    row = score_concept(cavs, differences, targets, resampling(1, 1, "t"))
    for name in BOTH:
        assert row[f"{name}_low"] == row[f"{name}_high"] == pytest.approx(row[name])


@pytest.mark.parametrize("tails", ["normal", "heavy"])
def test_the_interval_over_regions_holds_the_truth_as_often_as_it_says(tails):
    """Regions drawn again and again from a population whose mean effect is known."""
    rng = np.random.default_rng(11)
    n, d, trials = 60, 6, 400
    mean, difference = rng.normal(size=(2, d))
    truth = {"effect": mean @ difference, "derivative": mean @ unit(difference[None])[0]}
    inside = dict.fromkeys(truth, 0)
    for trial in range(trials):
        noise = rng.normal(size=(n, d)) if tails == "normal" else rng.standard_t(5, (n, d))
        targets = targets_of(mean + 2 * noise)
        again = resampling(n, trial, "t", draws=400)
        row = score_concept(difference[None], difference[None], targets, again)
        for name, value in truth.items():
            inside[name] += row[f"{name}_low"] <= value <= row[f"{name}_high"]
    for name, count in inside.items():
        assert 0.90 <= count / trials <= 0.98, name


def test_the_interval_over_replicates_holds_the_truth_nearly_as_often():
    """Many replicates drawn from a population of controls, on regions that hardly vary."""
    rng = np.random.default_rng(12)
    replicates, d, trials = 12, 6, 300
    mean, difference = rng.normal(size=(2, d))
    inside = 0
    for trial in range(trials):
        own = difference + rng.normal(size=(replicates, d))
        targets = targets_of(mean + 0.01 * rng.normal(size=(50, d)))
        again = resampling(50, trial, "t", draws=400)
        row = score_concept(own, own, targets, again)
        inside += row["effect_low"] <= mean @ difference <= row["effect_high"]
    # percentiles of few replicates are somewhat too narrow
    assert 0.85 <= inside / trials <= 0.97
