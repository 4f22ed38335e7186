"""The steps as calls: what they compose agrees with the parts, and goes to and from files."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tpcav_core.controls import control_recipes
from tpcav_core.errors import InputError
from tpcav_core.genome import Genome
from tpcav_core.models import ModelSpec
from tpcav_core.notebook import (
    Basis,
    ModelLayer,
    fit_basis,
    load_basis,
    motif_concepts,
    random_pairs,
    save_basis,
    wrap,
)
from tpcav_core.sampling import Sampling
from tpcav_core.sources.base import Setting
from tpcav_core.training import Examples, set_control, train_variant

WINDOW = 64
LAYER = "4"


@pytest.fixture(scope="module")
def at_layer(toy_network: Path) -> ModelLayer:
    return wrap(ModelSpec(factory=f"{toy_network}:build", weights=None, window=WINDOW), LAYER)


@pytest.fixture(scope="module")
def basis(at_layer: ModelLayer, toy_genome: Genome, toy_sampling: Callable[..., Sampling]) -> Basis:
    setting = Setting(toy_genome, toy_sampling())
    recipes = [recipe for _, recipe in control_recipes("random", 3, setting)]
    return fit_basis(at_layer.sample(recipes, toy_genome, per_recipe=12), 5)


def test_batches_do_not_change_activations(
    at_layer: ModelLayer, toy_genome: Genome, toy_sampling: Callable[..., Sampling]
) -> None:
    ((_, recipe),) = control_recipes("random", 1, Setting(toy_genome, toy_sampling(37)))
    whole = at_layer.activations(recipe, toy_genome)
    parts = ModelLayer(at_layer.model, LAYER, at_layer.adapt, batch_size=5)
    assert whole.shape == (37, 8)
    np.testing.assert_allclose(parts.activations(recipe, toy_genome), whole, rtol=1e-5, atol=1e-6)
    sample = at_layer.sample([recipe, recipe], toy_genome, per_recipe=4)
    np.testing.assert_allclose(sample, np.tile(whole[:4], (2, 1)), rtol=1e-5, atol=1e-6)


def test_a_basis_comes_back_from_its_files(basis: Basis, tmp_path: Path) -> None:
    save_basis(basis, tmp_path / "basis")
    again = load_basis(tmp_path / "basis")
    for mine, other in zip(
        (*basis.scaling, *basis.components), (*again.scaling, *again.components), strict=True
    ):
        np.testing.assert_array_equal(mine, other)


def test_a_missing_basis_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"scaling\.parquet: no such file"):
        load_basis(tmp_path)


def test_a_wrong_layer_is_found_when_the_model_is_wrapped(toy_network: Path) -> None:
    spec = ModelSpec(factory=f"{toy_network}:build", weights=None, window=WINDOW)
    with pytest.raises(InputError, match="layer '44': not among"):
        wrap(spec, "44")


def test_attributions_are_complete_and_all_there(
    at_layer: ModelLayer, basis: Basis, toy_genome: Genome
) -> None:
    pairs = random_pairs(toy_genome, WINDOW, 70, seed=3)
    result = at_layer.attribute(pairs, toy_genome)
    assert result.multipliers.shape == (70, 8)
    assert result.relative_error() < 1e-4
    assert basis.targets(result).attributions.shape == (70, 5 + 8)
    assert basis.embed(result.activations).shape == (70, 5 + 8)


def test_targets_and_baselines_are_different_windows(toy_genome: Genome) -> None:
    pairs = random_pairs(toy_genome, WINDOW, 200, seed=3)
    places = [
        set(zip(side.contig.tolist(), side.start.tolist(), strict=True))
        for side in (pairs.targets, pairs.baselines)
    ]
    assert len(places[0]) == len(places[1]) == 200
    assert not places[0] & places[1]


def test_concepts_of_a_file_keep_their_labels(toy_meme: Path) -> None:
    concepts = motif_concepts(toy_meme, [1, 3], select=["A*", "C.three"], prefix="toy_")
    assert [(c.id, c.label, c.copies) for c in concepts] == [
        ("toy_A_one_x", "A:one/x", (1, 3)),
        ("toy_C.three", "C.three", (1, 3)),
    ]


def examples(rng: np.random.Generator, shift: float = 0.0) -> Examples:
    folds = np.tile([-1, 0, 1, 2], 15)
    return Examples((rng.normal(size=(60, 6)) + shift).astype(np.float32), folds)


def test_a_control_in_memory_survives_the_way_to_another_process() -> None:
    rng = np.random.default_rng(1)
    concept = examples(rng, 1.0)
    control = set_control({"0": examples(rng), "1": examples(rng)})
    sent = pickle.loads(pickle.dumps(control))
    here = train_variant(("c", "1"), concept, control)
    there = train_variant(("c", "1"), concept, sent)
    assert [row["replicate"] for row in here] == ["0", "1"]
    for mine, other in zip(here, there, strict=True):
        np.testing.assert_array_equal(mine["weights"], other["weights"])
        assert mine["test_f1"] == other["test_f1"]


def test_mean_differences_are_those_of_the_two_sets() -> None:
    rng = np.random.default_rng(2)
    concept, other = examples(rng, 0.5), examples(rng)
    (row,) = train_variant(("c", "1"), concept, set_control({"0": other}))
    expected = concept.z.mean(axis=0) - other.z.mean(axis=0)
    np.testing.assert_allclose(row["mean_difference"], expected, rtol=1e-5, atol=1e-6)
    assert row["weights"] @ expected > 0
