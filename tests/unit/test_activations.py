from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from tpcav_core import vectors
from tpcav_core.activations import layer_activations, recipe_batches, spread_sample, to_table
from tpcav_core.catalogue import Concept
from tpcav_core.concepts import control_recipes, motif_recipes, realise
from tpcav_core.errors import InputError
from tpcav_core.imports import load_object
from tpcav_core.inputs import input_adapter
from tpcav_core.motifs import Motif

ONE_HOT = input_adapter("one_hot")


@pytest.fixture
def model(toy_network):
    return load_object(f"{toy_network}:build", "factory")().eval().requires_grad_(False)


@pytest.fixture
def recipe(toy_sampling):
    motif = Motif("m", (np.full((5, 4), 0.25),))
    made = motif_recipes(Concept("m", "m", "s", "motifs", (3,), motif), toy_sampling(n=50))
    return next(made)[1]


def all_of(model, layer, batches):
    return np.concatenate(list(layer_activations(model, layer, ONE_HOT, batches)))


@pytest.mark.parametrize("batch_size", [1, 7, 50, 64])
def test_batches_are_all_examples_in_order(recipe, toy_genome, batch_size):
    batches = list(recipe_batches(recipe, toy_genome, batch_size))
    assert [len(b) for b in batches[:-1]] == [batch_size] * (len(batches) - 1)
    np.testing.assert_array_equal(np.concatenate(batches), realise(recipe, toy_genome))


@pytest.mark.parametrize(("layer", "end"), [("0", 1), ("2", 3), ("5", 6)])
def test_activations_are_those_of_the_layer_flattened(model, recipe, toy_genome, layer, end):
    codes = realise(recipe, toy_genome)
    with torch.no_grad():
        expected = model[:end](ONE_HOT(codes)[0]).flatten(1).numpy()
    found = all_of(model, layer, [codes])
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found, expected)


def test_the_batch_size_does_not_matter(model, recipe, toy_genome):
    whole = all_of(model, "4", recipe_batches(recipe, toy_genome, 50))
    for batch_size in (1, 7, 32):
        parts = all_of(model, "4", recipe_batches(recipe, toy_genome, batch_size))
        np.testing.assert_allclose(parts, whole, rtol=1e-5, atol=1e-6)


def test_a_later_in_place_operation_does_not_show(toy_network, recipe, toy_genome):
    build = load_object(f"{toy_network}:build", "factory")
    codes = [realise(recipe, toy_genome)]
    np.testing.assert_array_equal(
        all_of(build(inplace=True).eval(), "0", codes), all_of(build().eval(), "0", codes)
    )


def test_the_model_is_left_as_it_was(model, recipe, toy_genome):
    model.train()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    all_of(model, "4", recipe_batches(recipe, toy_genome, 20))
    assert model.training
    assert all(torch.equal(before[name], value) for name, value in model.state_dict().items())
    assert not any(module._forward_hooks for module in model.modules())


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_activations_that_are_not_finite_name_the_layer(recipe, toy_genome, value):
    class Bad(nn.Module):
        def forward(self, x):
            return torch.where(x.sum() > 0, x * value, x)

    model = nn.Sequential(nn.Identity(), Bad())
    with pytest.raises(InputError, match="layer '1' gives NaN or infinite activations"):
        all_of(model, "1", recipe_batches(recipe, toy_genome, 20))
    all_of(model, "0", recipe_batches(recipe, toy_genome, 20))


def test_an_unknown_layer_is_named(model, recipe, toy_genome):
    with pytest.raises(InputError, match="layer 'conv'"):
        all_of(model, "conv", recipe_batches(recipe, toy_genome, 20))


@pytest.mark.parametrize(
    ("groups", "per_group", "at_most", "expected"),
    [
        ([100, 100], 10, 1000, [10, 10]),
        ([100, 4], 10, 1000, [10, 4]),
        ([100, 100, 100], 10, 12, [4, 4, 4]),
        ([100, 100, 100], 10, 11, [3, 3, 3]),
        ([5] * 4, 10, 2, [1, 0, 0, 1]),
        ([5] * 9, 10, 3, [1, 0, 0, 0, 1, 0, 0, 0, 1]),
        ([], 10, 5, []),
    ],
)
def test_the_sample_is_spread_over_groups(groups, per_group, at_most, expected):
    assert spread_sample(groups, per_group, at_most) == expected


def test_the_sample_never_exceeds_its_bound_or_a_group():
    rng = np.random.default_rng(5)
    for _ in range(200):
        groups = rng.integers(1, 30, rng.integers(1, 40)).tolist()
        per_group, at_most = int(rng.integers(1, 20)), int(rng.integers(1, 100))
        taken = spread_sample(groups, per_group, at_most)
        assert 0 < sum(taken) <= at_most
        assert all(t <= min(size, per_group) for t, size in zip(taken, groups, strict=True))
        if len(groups) > at_most:
            assert sum(taken) == at_most
            assert max(taken) == 1


def test_the_table_keeps_every_value(model, toy_genome, toy_sampling):
    (_, control), *_ = control_recipes("random", 1, toy_sampling())
    values = all_of(model, "4", recipe_batches(control, toy_genome, 32))
    table = to_table("random", "0", control.folds, values)
    np.testing.assert_array_equal(vectors.to_matrix(table["activation"]), values)
    np.testing.assert_array_equal(table["fold"].to_numpy(), control.folds)
    assert table["example"].to_pylist() == list(range(60))
    assert set(table["concept"].to_pylist()) == {"random"}
