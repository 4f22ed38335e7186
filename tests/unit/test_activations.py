from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from torch import nn

from tpcav_core import vectors
from tpcav_core.activations import (
    layer_activations,
    recipe_gc,
    recipe_inputs,
    spread_sample,
    to_table,
)
from tpcav_core.composition import gc_content
from tpcav_core.concepts import Recipe, realise
from tpcav_core.controls import control_recipes
from tpcav_core.errors import InputError
from tpcav_core.imports import load_object
from tpcav_core.inputs import input_adapter
from tpcav_core.motifs import Motif
from tpcav_core.sampling import draw_windows
from tpcav_core.sources.base import Setting
from tpcav_core.sources.motifs import MotifConcept

ONE_HOT = input_adapter("one_hot")


@pytest.fixture
def model(toy_network):
    return load_object(f"{toy_network}:build", "factory")().eval().requires_grad_(False)


@pytest.fixture
def recipe(toy_genome, toy_sampling):
    motif = Motif("m", (np.full((5, 4), 0.25),))
    concept = MotifConcept(id="m", label="m", set="s", copies=(3,), motif=motif)
    return next(concept.recipes(Setting(toy_genome, toy_sampling(n=50))))[1]


def plain(codes, tracks=None):
    """An adapter that changes nothing."""
    arrays = (codes,) if tracks is None else (codes, tracks)
    return tuple(torch.from_numpy(np.array(array)) for array in arrays)


def one_hot_of(recipe, genome, batch_size):
    return recipe_inputs(recipe, genome, ONE_HOT, batch_size)


def all_of(model, layer, batches):
    return np.concatenate(list(layer_activations(model, layer, batches)))


@pytest.mark.parametrize("batch_size", [1, 7, 50, 64])
def test_batches_are_all_examples_in_order(recipe, toy_genome, batch_size):
    batches = [codes.numpy() for (codes,) in recipe_inputs(recipe, toy_genome, plain, batch_size)]
    assert [len(b) for b in batches[:-1]] == [batch_size] * (len(batches) - 1)
    np.testing.assert_array_equal(np.concatenate(batches), realise(recipe, toy_genome))


@pytest.mark.parametrize(("layer", "end"), [("0", 1), ("2", 3), ("5", 6)])
def test_activations_are_those_of_the_layer_flattened(model, recipe, toy_genome, layer, end):
    codes = realise(recipe, toy_genome)
    with torch.no_grad():
        expected = model[:end](ONE_HOT(codes)[0]).flatten(1).numpy()
    found = all_of(model, layer, [ONE_HOT(codes)])
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found, expected)


def test_the_batch_size_does_not_matter(model, recipe, toy_genome):
    whole = all_of(model, "4", one_hot_of(recipe, toy_genome, 50))
    for batch_size in (1, 7, 32):
        parts = all_of(model, "4", one_hot_of(recipe, toy_genome, batch_size))
        np.testing.assert_allclose(parts, whole, rtol=1e-5, atol=1e-6)


def test_a_later_in_place_operation_does_not_show(toy_network, recipe, toy_genome):
    build = load_object(f"{toy_network}:build", "factory")
    inputs = [ONE_HOT(realise(recipe, toy_genome))]
    np.testing.assert_array_equal(
        all_of(build(inplace=True).eval(), "0", inputs), all_of(build().eval(), "0", inputs)
    )


def test_the_model_is_left_as_it_was(model, recipe, toy_genome):
    model.train()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    all_of(model, "4", one_hot_of(recipe, toy_genome, 20))
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
        all_of(model, "1", one_hot_of(recipe, toy_genome, 20))
    all_of(model, "0", one_hot_of(recipe, toy_genome, 20))


def test_an_unknown_layer_is_named(model, recipe, toy_genome):
    with pytest.raises(InputError, match="layer 'conv'"):
        all_of(model, "conv", one_hot_of(recipe, toy_genome, 20))


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


@pytest.mark.parametrize("own", [None, "3"])
def test_the_table_keeps_every_value(model, toy_genome, toy_sampling, own):
    ((_, control),) = control_recipes("random", 1, Setting(toy_genome, toy_sampling()))
    values = all_of(model, "4", one_hot_of(control, toy_genome, 32))
    gc = np.linspace(0, 1, 60)
    table = to_table(vectors.Group("random", "0", own), control.folds, gc, values)
    np.testing.assert_array_equal(vectors.to_matrix(table["activation"]), values)
    np.testing.assert_array_equal(table["fold"].to_numpy(), control.folds)
    np.testing.assert_array_equal(table["gc"].to_numpy(), gc.astype(np.float32))
    assert table["example"].to_pylist() == list(range(60))
    assert set(table["concept"].to_pylist()) == {"random"}
    assert set(table["variant"].to_pylist()) == {"0"}
    assert table["control"].to_pylist() == [own] * 60


def test_the_gc_content_is_that_of_the_sequences_with_what_is_planted(recipe, toy_genome):
    codes = realise(recipe, toy_genome)
    known = (codes < 4).sum(axis=1)
    expected = ((codes == 1) | (codes == 2)).sum(axis=1) / known
    np.testing.assert_allclose(recipe_gc(recipe, toy_genome), expected)
    # what is planted counts
    bare = recipe._replace(sites=None)
    assert (recipe_gc(bare, toy_genome) != expected).any()
    np.testing.assert_array_equal(
        recipe_gc(bare, toy_genome), gc_content(realise(bare, toy_genome))
    )


def test_without_a_sequence_the_gc_content_is_not_known(recipe, toy_genome):
    call = Recipe(None, np.zeros(7, np.int16), call="{}")
    for found, n in (
        (recipe_gc(call, toy_genome), 7),
        (recipe_gc(call, None), 7),
        (recipe_gc(recipe, None), len(recipe.folds)),
    ):
        assert found.shape == (n,)
        assert np.isnan(found).all()


class Signal:
    """Stands for tracks: the values of a window are its contig and its start."""

    def values(self, regions):
        places = np.stack([regions.contig, regions.start], axis=1).astype(np.float32)
        return np.repeat(places[:, :, None], 64, axis=2)


def signal_of(inputs):
    """The (contig, start) that each example's signal was read from."""
    return np.concatenate([batch[1][:, :, 0].numpy() for batch in inputs])


def places(regions):
    return np.stack([regions.contig, regions.start], axis=1)


@pytest.mark.parametrize("batch_size", [7, 60])
def test_signal_is_read_at_the_windows_unless_the_recipe_says_where(
    toy_sampling, toy_genome, batch_size
):
    here, folds = draw_windows(toy_sampling(), "here")
    there, _ = draw_windows(toy_sampling(), "there")
    bases = np.random.default_rng(3).integers(0, 4, (60, 64), dtype=np.uint8)
    for recipe, expected in (
        (Recipe(here, folds), here),
        (Recipe(here, folds, signal=there), there),
        (Recipe(None, folds, bases=bases, signal=there), there),
    ):
        found = list(recipe_inputs(recipe, toy_genome, plain, batch_size, Signal()))
        np.testing.assert_array_equal(signal_of(found), places(expected))
        codes = np.concatenate([batch[0].numpy() for batch in found])
        np.testing.assert_array_equal(codes, realise(recipe, toy_genome))
    placeless = recipe_inputs(Recipe(None, folds, bases=bases), toy_genome, plain, 9, Signal())
    assert {len(batch) for batch in placeless} == {1}


def test_a_model_without_tracks_gets_no_signal(toy_sampling, toy_genome):
    regions, folds = draw_windows(toy_sampling(), "here")
    recipe = Recipe(regions, folds, signal=regions)
    assert {len(batch) for batch in recipe_inputs(recipe, toy_genome, plain, 9)} == {1}


YIELDS = """
import torch


def examples(n, seed, shift=0.0):
    generator = torch.Generator().manual_seed(seed)
    for first in range(0, n, 11):
        rows = min(11, n - first)
        values = torch.rand(rows, 4, 64, generator=generator) + shift
        yield values, torch.arange(first, first + rows)
"""


@pytest.mark.parametrize("batch_size", [1, 13, 64])
def test_the_inputs_of_a_function_are_what_it_yields(tmp_path, batch_size):
    (tmp_path / "own.py").write_text(YIELDS)
    function = f"{tmp_path / 'own.py'}:examples"
    call = json.dumps({"function": function, "n": 30, "seed": 4, "kwargs": {"shift": 2.0}})
    # the first examples of a recipe are the first that the function yields
    for n in (30, 12):
        recipe = Recipe(None, np.zeros(n, np.int16), call=call)
        batches = list(recipe_inputs(recipe, None, plain, batch_size))
        assert [len(batch[0]) for batch in batches[:-1]] == [batch_size] * (len(batches) - 1)
        values, numbers = (torch.cat(parts) for parts in zip(*batches, strict=True))
        assert numbers.tolist() == list(range(n))
        whole = load_object(function, "function")(n=30, seed=4, shift=2.0)
        assert torch.equal(values, torch.cat([part for part, _ in whole])[:n])
        assert values.min() >= 2


def test_windows_without_a_genome_are_an_error(recipe):
    with pytest.raises(InputError, match=r"none was given; set genome\.fasta"):
        next(recipe_inputs(recipe, None, ONE_HOT, 5))
