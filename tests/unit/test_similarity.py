from __future__ import annotations

import numpy as np
import pytest

from tpcav_core.directions import consensus, replicate_cosine, unit
from tpcav_core.similarity import (
    Layer,
    agreement,
    cosines,
    inseparable,
    layer_consistency,
)

D = 4000


def noisy(directions, replicates, noise, seed, shared=0.0):
    """CAVs (c, r, d): directions (c, d), own noise of each, and noise of each control replicate."""
    rng = np.random.default_rng([seed, 1])
    c, d = directions.shape
    own = noise * rng.normal(size=(c, replicates, d)) / d**0.5
    return directions[:, None] + own + shared * rng.normal(size=(replicates, d)) / d**0.5


def orthogonal(c, seed, d=D):
    return np.linalg.qr(np.random.default_rng(seed).normal(size=(d, c)))[0].T


def by_pairs(cavs):
    """Definitions of `agreement`, pair by pair."""
    c, r, _ = cavs.shape
    directions = [unit(part) for part in cavs]
    between = np.zeros((c, c))
    for i in range(c):
        for j in range(c):
            pairs = [(k, m) for k in range(r) for m in range(r) if k != m]
            between[i, j] = np.mean([directions[i][k] @ directions[j][m] for k, m in pairs])
    return between


@pytest.mark.parametrize("replicates", [2, 3, 5])
def test_agreement_is_the_mean_over_pairs_of_other_replicates(replicates):
    cavs = np.random.default_rng(1).normal(size=(4, replicates, 9)) + 1
    found = agreement(cavs)
    between = by_pairs(cavs)
    np.testing.assert_allclose(found.between, between)
    np.testing.assert_allclose(found.within, [replicate_cosine(part) for part in cavs])
    for i in range(4):
        for j in range(4):
            expected = between[i, j] / np.sqrt(between[i, i] * between[j, j])
            assert found.corrected[i, j] == pytest.approx(expected)


def test_cosines_are_those_of_consensus_cavs():
    cavs = np.random.default_rng(2).normal(size=(5, 3, 8)) + 0.5
    found = cosines(cavs)
    for i in range(5):
        for j in range(5):
            assert found[i, j] == pytest.approx(consensus(cavs[i]) @ consensus(cavs[j]))
    np.testing.assert_allclose(found.diagonal(), 1)


@pytest.mark.parametrize("seed", range(3))
def test_coordinates_lengths_and_the_order_of_replicates_do_not_count(seed):
    rng = np.random.default_rng(seed)
    cavs = rng.normal(size=(5, 3, 20)) + 0.5
    rotation = np.linalg.qr(rng.normal(size=(20, 20)))[0]
    others = [
        cavs @ rotation,
        cavs * rng.choice([-1.0, 1.0], 20),
        cavs[:, :, rng.permutation(20)],
        cavs * rng.uniform(0.01, 100, (5, 3, 1)),
        cavs[:, rng.permutation(3)],
        np.concatenate([cavs, np.zeros((5, 3, 4))], axis=2),
    ]
    for other in others:
        np.testing.assert_allclose(cosines(other), cosines(cavs))
        for one, same in zip(agreement(other), agreement(cavs), strict=True):
            np.testing.assert_allclose(one, same)


def test_the_order_of_concepts_is_that_given():
    cavs = np.random.default_rng(4).normal(size=(5, 3, 20)) + 0.5
    order = np.array([3, 0, 4, 2, 1])
    np.testing.assert_allclose(cosines(cavs[order]), cosines(cavs)[np.ix_(order, order)])
    found, moved = agreement(cavs), agreement(cavs[order])
    np.testing.assert_allclose(moved.within, found.within[order])
    np.testing.assert_allclose(moved.corrected, found.corrected[np.ix_(order, order)])


def test_a_concept_turned_round_has_the_opposite_cosines():
    cavs = np.random.default_rng(5).normal(size=(3, 3, 20)) + 0.5
    turned = cavs * np.array([-1.0, 1, 1])[:, None, None]
    signs = np.outer([-1, 1, 1], [-1, 1, 1])
    np.testing.assert_allclose(cosines(turned), signs * cosines(cavs))
    np.testing.assert_allclose(agreement(turned).corrected, signs * agreement(cavs).corrected)
    np.testing.assert_allclose(agreement(turned).within, agreement(cavs).within)


@pytest.mark.parametrize("seed", range(3))
def test_one_direction_found_with_noise_is_one_direction(seed):
    direction = orthogonal(1, seed)
    cavs = noisy(np.repeat(direction, 3, axis=0), 4, noise=1.5, seed=seed)
    found, plain = agreement(cavs), cosines(cavs)
    pairs = np.triu_indices(3, 1)
    np.testing.assert_allclose(found.corrected[pairs], 1, atol=0.1)
    assert (plain[pairs] < 0.8).all()
    assert inseparable(found.corrected, plain, 0.85) == [(0, 1), (0, 2), (1, 2)]
    assert inseparable(np.full((3, 3), np.nan), plain, 0.85) == []


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("shared", [0.0, 1.0])
def test_directions_at_a_right_angle_stay_so_though_controls_are_shared(seed, shared):
    cavs = noisy(orthogonal(3, seed), 4, noise=0.5, seed=seed, shared=shared)
    found, plain = agreement(cavs), cosines(cavs)
    pairs = np.triu_indices(3, 1)
    np.testing.assert_allclose(found.corrected[pairs], 0, atol=0.08)
    # what CAVs against the same replicate have in common makes concepts seem alike
    assert (plain[pairs] > 0.1).all() == (shared > 0)


def test_angles_are_found_whatever_the_noise():
    first, second = orthogonal(2, 6)
    directions = np.stack([first, 0.6 * first + 0.8 * second, -first])
    for noise in (0.0, 0.5, 1.0):
        found = agreement(noisy(directions, 5, noise, seed=1, shared=noise / 2)).corrected
        expected = [[1, 0.6, -1], [0.6, 1, -0.6], [-1, -0.6, 1]]
        np.testing.assert_allclose(found, expected, atol=1e-9 if noise == 0 else 0.08)


def test_one_replicate_has_cosines_only():
    cavs = np.array([[[1.0, 0]], [[3.0, 4]], [[2.0, 0]]])
    found = agreement(cavs)
    assert [part.shape for part in found] == [(3, 3), (3,), (3, 3)]
    assert all(np.isnan(part).all() for part in found)
    np.testing.assert_allclose(cosines(cavs), [[1, 0.6, 1], [0.6, 1, 0.6], [1, 0.6, 1]])
    assert inseparable(found.corrected, cosines(cavs)) == [(0, 2)]


def test_a_concept_whose_cavs_disagree_has_no_corrected_agreement():
    agreeing, opposite = [[1.0, 0], [2.0, 0]], [[0, 1.0], [0, -5.0]]
    cavs = np.array([agreeing, opposite, agreeing])
    found, plain = agreement(cavs), cosines(cavs)
    np.testing.assert_allclose(found.within, [1, -1, 1])
    assert np.isnan(found.corrected[1]).all()
    assert np.isnan(found.corrected[:, 1]).all()
    assert found.corrected[0, 2] == pytest.approx(1)
    # nor a consensus
    assert np.isnan(plain[1]).all()
    assert inseparable(found.corrected, plain) == [(0, 2)]


def test_pairs_reach_the_threshold_and_opposites_do_not():
    corrected = np.array([[1, 0.9, -1], [0.9, 1, np.nan], [-1, np.nan, 1]])
    cosine = np.array([[1, 0.1, -1], [0.1, 1, 0.95], [-1, 0.95, 1]])
    assert inseparable(corrected, cosine) == [(0, 1), (1, 2)]
    assert inseparable(corrected, cosine, 0.91) == [(1, 2)]
    assert inseparable(corrected, cosine, -2) == [(0, 1), (0, 2), (1, 2)]


def layer(seed=0, c=6):
    rng = np.random.default_rng(seed)
    keys = [(name, "4") for name in "abcdefghij"[:c]]
    return Layer(keys, rng.normal(size=c), cosines(rng.normal(size=(c, 2, 30))))


def taken(one, rows):
    return Layer(
        [one.keys[row] for row in rows], one.effects[rows], one.cosines[np.ix_(rows, rows)]
    )


def test_a_layer_is_consistent_with_itself_in_any_order_and_scale():
    one = layer()
    order = [4, 2, 0, 5, 1, 3]
    other = taken(one, order)
    stretched = other._replace(
        effects=100 * np.sign(other.effects) * other.effects**2,
        cosines=np.arctanh(other.cosines / 2),
    )
    for same in (one, other, stretched):
        found = layer_consistency(one, same)
        assert found == (6, pytest.approx(1), 1, pytest.approx(1))
    turned = layer_consistency(one, one._replace(effects=-one.effects, cosines=-one.cosines))
    assert turned == (6, pytest.approx(-1), 0, pytest.approx(-1))


def test_the_comparison_by_hand():
    pairs = np.array([[1, 0.1, 0.5], [0.1, 1, 0.9], [0.5, 0.9, 1]])
    swapped = np.array([[1, 0.5, 0.1], [0.5, 1, 0.9], [0.1, 0.9, 1]])
    one = Layer(["a", "b", "c"], np.array([1.0, 2, 3]), pairs)
    other = Layer(["a", "b", "c"], np.array([-1.0, 5, 4]), swapped)
    # one swap of neighbours among three ranks: 1 - 6 * 2 / (3 * 8)
    found = layer_consistency(one, other)
    assert found == (3, pytest.approx(0.5), pytest.approx(2 / 3), pytest.approx(0.5))


def test_only_common_concepts_are_compared_and_both_ways_alike():
    one, other = layer(1, 8), layer(2, 10)
    some, more = taken(one, [7, 1, 3, 4, 0]), taken(other, [9, 3, 4, 8, 1, 0])
    expected = layer_consistency(taken(one, [0, 1, 3, 4]), taken(other, [0, 1, 3, 4]))
    assert expected.n_concepts == 4
    for found in (layer_consistency(some, more), layer_consistency(more, some)):
        assert found == pytest.approx(expected)


def test_fewer_than_three_concepts_are_not_compared():
    one = layer()
    for rows in ([], [2], [2, 5]):
        found = layer_consistency(one, taken(one, rows))
        assert found.n_concepts == len(rows)
        assert np.isnan(found[1:]).all()
    apart = layer_consistency(one, one._replace(keys=list("uvwxyz")))
    assert apart.n_concepts == 0
    assert np.isnan(apart[1:]).all()


def test_missing_and_equal_values_are_left_out_or_give_nan():
    one = layer()
    effects = one.effects.copy()
    effects[0] = np.nan
    missing = one._replace(effects=effects)
    assert layer_consistency(one, missing) == (6, pytest.approx(1), 1, pytest.approx(1))
    constant = one._replace(effects=np.ones(6), cosines=np.ones((6, 6)))
    found = layer_consistency(one, constant)
    assert found.equal_sign == (one.effects > 0).mean()
    assert np.isnan([found.effect_correlation, found.similarity_correlation]).all()
