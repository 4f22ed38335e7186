from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from tpcav_core.basis import Scaling, embed
from tpcav_core.scores import (
    LayerTargets,
    derivative,
    effect,
    layer_targets,
    published_score,
)

N, D, K = 30, 12, 5


def orthonormal(d=D, k=K, seed=0):
    return np.linalg.qr(np.random.default_rng(seed).normal(size=(d, d)))[0][:, :k]


class Layer:
    """Multipliers and activations of N regions at a layer, and CAVs."""

    def __init__(self, seed=0):
        rng = np.random.default_rng(seed)
        self.multipliers = rng.normal(size=(N, D))
        self.activations = rng.normal(size=(N, D)) + 1
        self.baselines = rng.normal(size=(N, D))
        self.scaling = Scaling(rng.normal(size=D), rng.uniform(0.5, 3, D))
        self.cavs = rng.normal(size=(4, D))
        self.differences = rng.normal(size=(4, D))

    def targets(self, components):
        return layer_targets(
            self.multipliers, self.activations, self.baselines, self.scaling, components
        )


LAYER = Layer()
FLIPS = np.array([1, -1, -1, 1, -1.0])


def rotation(k=K, seed=7):
    return np.linalg.qr(np.random.default_rng(seed).normal(size=(k, k)))[0]


def positives(targets):
    return [score.n_positive for score in published_score(targets, LAYER.cavs)]


def test_no_score_changes_when_components_flip_sign():
    targets, flipped = LAYER.targets(orthonormal()), LAYER.targets(orthonormal() * FLIPS)
    np.testing.assert_allclose(derivative(flipped, LAYER.cavs), derivative(targets, LAYER.cavs))
    left, right = effect(flipped, LAYER.differences), effect(targets, LAYER.differences)
    np.testing.assert_allclose(left, right)
    assert published_score(flipped, LAYER.cavs) == published_score(targets, LAYER.cavs)
    # what flips is the pair of signed factors, so signed differences would not survive
    assert not np.allclose(targets.attributions, flipped.attributions)


def test_derivative_and_effect_do_not_change_when_components_rotate():
    targets, turned = LAYER.targets(orthonormal()), LAYER.targets(orthonormal() @ rotation())
    np.testing.assert_allclose(derivative(turned, LAYER.cavs), derivative(targets, LAYER.cavs))
    left, right = effect(turned, LAYER.differences), effect(targets, LAYER.differences)
    np.testing.assert_allclose(left, right)
    # the published score is no such statistic: the check can tell
    assert positives(turned) != positives(targets)


@pytest.mark.parametrize("k", [0, K, D])
def test_derivative_and_effect_are_products_in_embedding_coordinates(k):
    components = orthonormal(k=k)
    targets = LAYER.targets(components)
    m_z = targets.multipliers
    m_e = np.concatenate([m_z @ components, m_z], axis=1)
    w_e, mean_e = embed(LAYER.cavs, components), embed(LAYER.differences, components)
    np.testing.assert_allclose(derivative(targets, LAYER.cavs), m_e @ w_e.T)
    np.testing.assert_allclose(effect(targets, LAYER.differences), m_e @ mean_e.T)


def test_the_derivative_is_the_change_per_step_along_the_cav():
    # f(y) = m·y: a step of 1 in z along ŵ changes y by σ∘ŵ
    targets = LAYER.targets(orthonormal())
    w = LAYER.cavs / np.linalg.norm(LAYER.cavs, axis=1, keepdims=True)
    expected = LAYER.multipliers @ (LAYER.scaling.std * w).T
    np.testing.assert_allclose(derivative(targets, w), expected)


def test_the_effect_of_replacing_the_control_by_the_concept_in_a_linear_model_is_exact():
    # means of y of concept and control, and a linear f: the effect is their difference in f
    rng = np.random.default_rng(1)
    concept, control = rng.normal(size=(2, D))
    difference = (concept - control) / LAYER.scaling.std
    targets = LAYER.targets(orthonormal())
    found = effect(targets, difference[None])[:, 0]
    np.testing.assert_allclose(found, LAYER.multipliers @ (concept - control))


class Rest(nn.Module):
    """A random network after the layer."""

    def __init__(self):
        super().__init__()
        self.inner = nn.Sequential(nn.Linear(D, 9), nn.Tanh(), nn.Linear(9, 6), nn.ELU())
        self.last = nn.Linear(6, 1)

    def forward(self, y):
        return self.last(self.inner(y) ** 2)[:, 0]


@pytest.mark.parametrize("k", [0, K, D])
def test_multipliers_in_embedding_coordinates_equal_those_through_an_explicit_wrapper(k):
    torch.manual_seed(3)
    rest = Rest().double()
    V, std = torch.from_numpy(orthonormal(k=k)), torch.from_numpy(LAYER.scaling.std)
    mean = torch.from_numpy(LAYER.scaling.mean)
    y = torch.from_numpy(LAYER.activations).requires_grad_()
    (m,) = torch.autograd.grad(rest(y).sum(), y)
    z = (LAYER.activations - LAYER.scaling.mean) / LAYER.scaling.std
    e = torch.from_numpy(embed(z, V.numpy())).requires_grad_()
    rebuilt = (e[:, :k] @ V.T + e[:, k:]) * std + mean
    np.testing.assert_allclose(rebuilt.detach().numpy(), LAYER.activations)
    (wanted,) = torch.autograd.grad(rest(rebuilt).sum(), e)
    standardised = m.numpy() * LAYER.scaling.std
    # the wrapper's gradient for r is m_z itself; that for p is Vᵀm_z
    np.testing.assert_allclose(standardised @ V.numpy(), wanted[:, :k].numpy(), atol=1e-12)
    np.testing.assert_allclose(standardised, wanted[:, k:].numpy(), atol=1e-12)
    explicit = wanted.numpy() * np.abs(
        embed((LAYER.activations - LAYER.baselines) / LAYER.scaling.std, V.numpy())
    )
    found = layer_targets(
        m.numpy(), LAYER.activations, LAYER.baselines, LAYER.scaling, V.numpy()
    ).attributions
    np.testing.assert_allclose(found, explicit, atol=1e-10)


@pytest.mark.parametrize("k", [0, K, D])
def test_the_signed_sum_over_the_embedding_is_that_at_the_layer(k):
    V = orthonormal(k=k)
    standardised = LAYER.multipliers * LAYER.scaling.std
    m = np.concatenate([standardised @ V, standardised], axis=1)
    change = embed((LAYER.activations - LAYER.baselines) / LAYER.scaling.std, V)
    wanted = (LAYER.multipliers * (LAYER.activations - LAYER.baselines)).sum(axis=1)
    np.testing.assert_allclose((m * change).sum(axis=1), wanted)
    # the published form is the same with absolute changes
    published = LAYER.targets(V).attributions
    np.testing.assert_allclose(published, m * np.abs(change))


def of_signs(*values):
    """Targets with one feature whose ``a·w`` are ``values`` for w = 1."""
    column = np.array(values, float)[:, None]
    return LayerTargets(column, column, np.zeros((1, 0)))


def test_three_positive_of_a_hundred_give_the_published_number():
    (score,) = published_score(of_signs(*[1] * 3, *[-1] * 97), np.ones((1, 1)))
    assert score == (3, 97, 0.03, pytest.approx(-3.1986731175506815, abs=0, rel=1e-15))
    assert score.log_ratio == pytest.approx(np.log(4 / 98), rel=1e-15)


def test_exact_zeros_count_half_on_either_side():
    (score,) = published_score(of_signs(2, 0, 0, 0, -1), np.ones((1, 1)))
    assert (score.n_positive, score.n_negative, score.fraction_positive) == (2.5, 2.5, 0.5)
    assert score.log_ratio == 0
    (all_zero,) = published_score(of_signs(0, 0, 0), np.ones((1, 1)))
    assert (all_zero.n_positive, all_zero.n_negative, all_zero.log_ratio) == (1.5, 1.5, 0)


def test_the_length_of_a_cav_does_not_matter_and_its_sign_swaps_the_counts():
    targets = LAYER.targets(orthonormal())
    plain = published_score(targets, LAYER.cavs)
    assert published_score(targets, 100 * LAYER.cavs) == plain
    for score, other in zip(plain, published_score(targets, -LAYER.cavs), strict=True):
        assert (other.n_positive, other.n_negative) == (score.n_negative, score.n_positive)
        assert other.log_ratio == pytest.approx(-score.log_ratio)
        assert score.n_positive + score.n_negative == N


def test_the_published_score_does_not_see_an_exchange_of_target_and_baseline():
    first = LAYER.targets(orthonormal())
    second = layer_targets(
        LAYER.multipliers, LAYER.baselines, LAYER.activations, LAYER.scaling, orthonormal()
    )
    np.testing.assert_array_equal(first.attributions, second.attributions)


def test_attributions_without_components_are_in_standardised_coordinates():
    targets = LAYER.targets(np.zeros((D, 0)))
    change = np.abs(LAYER.activations - LAYER.baselines)
    np.testing.assert_allclose(targets.attributions, LAYER.multipliers * change)


def test_many_cavs_at_once_are_the_same_as_one_by_one():
    targets = LAYER.targets(orthonormal())
    together = derivative(targets, LAYER.cavs), published_score(targets, LAYER.cavs)
    for index in range(len(LAYER.cavs)):
        one = LAYER.cavs[index : index + 1]
        np.testing.assert_allclose(derivative(targets, one)[:, 0], together[0][:, index])
        assert published_score(targets, one) == together[1][index : index + 1]
