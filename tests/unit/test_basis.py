from __future__ import annotations

import numpy as np
import pytest

from tpcav_core import basis
from tpcav_core.basis import Scaling, embed, fit_components, fit_scaling, reconstruct
from tpcav_core.errors import InputError

SHAPES = {"n<d": (20, 50), "n=d": (30, 30), "n>d": (80, 15)}


def sample(n=20, d=50, seed=0):
    """Correlated features of very different scales and offsets."""
    rng = np.random.default_rng(seed)
    mixed = rng.normal(size=(n, d)) @ rng.normal(size=(d, d)) / np.sqrt(d)
    return (mixed * 10 ** rng.uniform(-3, 3, d) + rng.normal(size=d) * 5).astype(np.float32)


def fitted(shape, number="full", seed=0):
    y = sample(*SHAPES[shape], seed)
    scaling = fit_scaling(y)
    return y, scaling, fit_components(y, scaling, number)


def ranks(shape):
    n, d = SHAPES[shape]
    return min(n - 1, d)


@pytest.mark.parametrize("shape", SHAPES)
def test_scaling_is_the_mean_and_population_standard_deviation(shape):
    y = sample(*SHAPES[shape])
    scaling = fit_scaling(y)
    np.testing.assert_allclose(scaling.mean, y.astype(float).mean(axis=0), rtol=1e-6)
    np.testing.assert_allclose(scaling.std, y.astype(float).std(axis=0), rtol=1e-5)
    z = scaling.apply(y)
    assert z.dtype == np.float32
    np.testing.assert_allclose(z.mean(axis=0), 0, atol=0.02)
    np.testing.assert_allclose(z.std(axis=0), 1, rtol=1e-3)


def test_scaling_does_not_depend_on_the_width_of_its_blocks(monkeypatch):
    y = sample(20, 50)
    whole, components = fit_scaling(y), fit_components(y, fit_scaling(y))
    monkeypatch.setattr(basis, "BLOCK", 7)
    for left, right in zip(whole, fit_scaling(y), strict=True):
        np.testing.assert_array_equal(left, right)
    blocked = fit_components(y, whole)
    np.testing.assert_allclose(blocked.variances, components.variances, rtol=1e-9)
    np.testing.assert_allclose(blocked.vectors, components.vectors, atol=1e-5)


@pytest.mark.parametrize("value", [0.0, 1.0, -3.7e5, 1e-20])
def test_constant_features_are_centred_and_not_blown_up(value):
    y = sample(20, 6)
    y[:, 2] = value
    scaling = fit_scaling(y)
    assert scaling.std[2] == 1
    z = scaling.apply(y)
    assert np.isfinite(z).all()
    assert (z[:, 2] == 0).all()
    components = fit_components(y, scaling)
    assert (np.abs(components.vectors[2]) < 1e-6).all()
    assert components.vectors.shape == (6, 5)


def test_a_feature_that_is_all_but_silent_is_not_blown_up():
    rng = np.random.default_rng(3)
    sample = rng.normal(size=(200, 7)).astype(np.float32)
    sample[:, 2] = 1e-8 * rng.random(200)
    sample[:, 4] *= 1e-4
    scaling = fit_scaling(sample)
    assert scaling.std[2] == 1
    # one that is small but does vary is standardised like any other
    np.testing.assert_allclose(scaling.apply(sample)[:, [0, 4]].std(axis=0), 1, rtol=1e-4)
    elsewhere = sample[:3].copy()
    elsewhere[:, 2] = 1.0
    assert np.abs(scaling.apply(elsewhere)).max() < 10


def test_float_noise_on_a_large_constant_counts_as_constant():
    y = sample(20, 3)
    y[:, 1] = 1e6 + 0.06 * (np.arange(20) % 2)
    assert fit_scaling(y).std[1] == 1


def test_a_sample_that_does_not_vary_has_no_components():
    y = np.full((10, 4), 2.5, np.float32)
    components = fit_components(y, fit_scaling(y))
    assert components.vectors.shape == (4, 0)
    assert components.total_variance == 0
    with pytest.raises(InputError, match="has only 0 components"):
        fit_components(y, fit_scaling(y), 1)


@pytest.mark.parametrize("n", [0, 1])
def test_a_basis_needs_two_examples(n):
    with pytest.raises(InputError, match=f"at least 2 examples, got {n}"):
        fit_scaling(sample(20, 5)[:n])


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("number", [0, 1, 7, "full"])
def test_components_are_orthonormal_and_as_many_as_asked(shape, number):
    _, _, components = fitted(shape, number)
    k = ranks(shape) if number == "full" else number
    vectors = components.vectors
    assert vectors.shape == (SHAPES[shape][1], k)
    assert vectors.dtype == np.float32
    np.testing.assert_allclose(vectors.T @ vectors, np.eye(k), atol=1e-5)


@pytest.mark.parametrize("shape", SHAPES)
def test_components_are_the_singular_vectors_up_to_sign(shape):
    y, scaling, components = fitted(shape)
    k = ranks(shape)
    z = (y.astype(float) - scaling.mean) / scaling.std
    _, singular, right = np.linalg.svd(z, full_matrices=False)
    np.testing.assert_allclose(components.variances, singular[:k] ** 2 / len(y), rtol=1e-6)
    agreement = np.abs((right[:k] * components.vectors.T).sum(axis=1))
    np.testing.assert_allclose(agreement, 1, atol=1e-4)
    assert components.total_variance == pytest.approx((z**2).sum() / len(y))
    assert components.total_variance == pytest.approx(components.variances.sum())


@pytest.mark.parametrize("shape", SHAPES)
def test_the_first_components_are_the_first_of_all(shape):
    _, _, full = fitted(shape)
    _, _, some = fitted(shape, 4)
    np.testing.assert_array_equal(some.vectors, full.vectors[:, :4])
    np.testing.assert_array_equal(some.variances, full.variances[:4])
    assert (np.diff(full.variances) <= 0).all()


@pytest.mark.parametrize("shape", SHAPES)
def test_signs_are_fixed_by_the_largest_entry(shape):
    _, _, components = fitted(shape)
    vectors = components.vectors
    largest = np.abs(vectors).argmax(axis=0)
    assert (vectors[largest, np.arange(vectors.shape[1])] > 0).all()


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("number", [0, 1, 7, "full"])
def test_project_then_reconstruct_is_the_identity(shape, number):
    y, scaling, components = fitted(shape, number)
    unseen = np.random.default_rng(9).normal(size=(5, y.shape[1])).astype(np.float32)
    for z in (scaling.apply(y), 10 * unseen):
        e = embed(z, components.vectors)
        assert e.shape == (len(z), components.vectors.shape[1] + z.shape[1])
        np.testing.assert_allclose(reconstruct(e, components.vectors), z, atol=1e-4)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("number", [0, 1, 7, "full"])
def test_embeddings_have_the_inner_products_of_what_is_embedded(shape, number):
    _, _, components = fitted(shape, number)
    rng = np.random.default_rng(3)
    d = SHAPES[shape][1]
    left, right = rng.normal(size=(6, d)), rng.normal(size=(4, d))
    products = embed(left, components.vectors) @ embed(right, components.vectors).T
    np.testing.assert_allclose(products, left @ right.T, atol=1e-4 * d)


def test_the_residual_is_orthogonal_to_the_components():
    _, _, components = fitted("n<d", 7)
    residual = embed(np.random.default_rng(1).normal(size=(5, 50)), components.vectors)[:, 7:]
    np.testing.assert_allclose(residual @ components.vectors, 0, atol=1e-5)


def test_without_components_the_embedding_is_z():
    z = np.random.default_rng(1).normal(size=(5, 8))
    np.testing.assert_array_equal(embed(z, np.zeros((8, 0))), z)


@pytest.mark.parametrize("shape", SHAPES)
def test_more_components_than_there_are_is_an_error(shape):
    n, d = SHAPES[shape]
    rank = ranks(shape)
    fitted(shape, rank)
    with pytest.raises(InputError) as caught:
        fitted(shape, rank + 1)
    assert f"basis.components is {rank + 1}" in str(caught.value)
    assert f"{n} examples x {d} features has only {rank} components" in str(caught.value)


def test_duplicated_examples_lower_the_rank():
    y = np.repeat(np.random.default_rng(2).normal(size=(6, 50)).astype(np.float32), 4, axis=0)
    assert fit_components(y, fit_scaling(y)).vectors.shape == (50, 5)


def test_the_sample_is_not_changed():
    y = sample(20, 50)
    before = y.copy()
    fit_components(y, fit_scaling(y))
    np.testing.assert_array_equal(y, before)


def test_scaling_given_is_used_as_it_is():
    y = sample(30, 4)
    plain = Scaling(np.zeros(4, np.float32), np.ones(4, np.float32))
    components = fit_components(y, plain)
    assert components.total_variance == pytest.approx((y.astype(float) ** 2).sum() / 30, rel=1e-6)
