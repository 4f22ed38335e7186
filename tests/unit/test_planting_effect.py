from __future__ import annotations

import logging
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from torch import nn

from tests.conftest import WINDOW
from tpcav_core import concepts, files
from tpcav_core.bootstrap import DRAWS
from tpcav_core.commands import main, planting
from tpcav_core.errors import InputError
from tpcav_core.motifs import Motif
from tpcav_core.planting_effect import outputs, planting_effect
from tpcav_core.readouts import readout
from tpcav_core.sources.base import Setting
from tpcav_core.sources.motifs import MotifConcept
from tpcav_core.sources.null_motifs import null_motif

N = 30


def rng(seed=0):
    return np.random.default_rng(seed)


def read(model, batches, column):
    found = outputs(model, batches, {"one": readout(column)}, device="cpu")
    return found["one"]


# the statistic


def test_the_effect_by_hand():
    found = planting_effect([1.0, 2.0, 5.0, 3.0], np.array([0.0, 2.0, 7.0, 1.0]), rng())
    assert found.planting_effect == pytest.approx((1 + 0 - 2 + 2) / 4)
    assert found.planting_positive == (2 + 1 / 2) / 4
    assert found.n_backgrounds == 4
    assert found.planting_effect_low <= found.planting_effect <= found.planting_effect_high


def test_what_changes_alike_everywhere_is_known_exactly():
    bare = rng(1).normal(size=N)
    found = planting_effect(bare + 0.75, bare, rng())
    for value in found[:3]:
        assert value == pytest.approx(0.75)
    assert found.planting_positive == 1
    assert planting_effect(bare, bare, rng())[:4] == (0, 0, 0, 0.5)


def test_the_interval_is_that_of_a_mean_of_pairs():
    # backgrounds differ much more than the effect: the pairs tell, two means would not
    bare = 100 * rng(1).normal(size=400)
    change = 1 + 0.5 * rng(2).normal(size=400)
    found = planting_effect(bare + change, bare, rng())
    normal = 1.96 * change.std() / 20
    assert found.planting_effect == pytest.approx(change.mean())
    assert found.planting_effect_low == pytest.approx(change.mean() - normal, abs=0.01)
    assert found.planting_effect_high == pytest.approx(change.mean() + normal, abs=0.01)


def test_the_interval_holds_the_truth_as_often_as_it_says(monkeypatch):
    monkeypatch.setattr("tpcav_core.planting_effect.DRAWS", 300)
    draw, inside = rng(3), 0
    for trial in range(300):
        change = 0.3 + draw.normal(size=60)
        found = planting_effect(change, np.zeros(60), rng(trial))
        inside += found.planting_effect_low <= 0.3 <= found.planting_effect_high
    assert 0.90 <= inside / 300 <= 0.98


def test_turning_round_scaling_and_order():
    planted, bare = rng(1).normal(size=(2, 50))
    found = planting_effect(planted, bare, rng())
    turned = planting_effect(bare, planted, rng())
    assert turned.planting_effect == pytest.approx(-found.planting_effect)
    assert turned.planting_effect_low == pytest.approx(-found.planting_effect_high)
    assert turned.planting_positive == pytest.approx(1 - found.planting_positive)
    larger = planting_effect(3 * planted + 7, 3 * bare + 7, rng())
    for one, other in zip(larger[:3], found[:3], strict=True):
        assert one == pytest.approx(3 * other)
    assert planting_effect(planted, bare, rng()) == found
    assert planting_effect(planted, bare, rng(1)).planting_effect_low != found.planting_effect_low
    assert DRAWS >= 1000


# outputs of a model


class Columns(nn.Module):
    """Two outputs: sums of two channels."""

    def forward(self, x):
        return x[:, :2].sum(dim=2)


def test_outputs_are_those_of_one_column_in_any_batches():
    x = torch.randn(7, 4, 5, generator=torch.Generator().manual_seed(1))
    whole = read(Columns(), [(x,)], 1)
    assert whole.dtype == np.float64
    np.testing.assert_allclose(whole, x[:, 1].sum(dim=1).numpy(), rtol=1e-6)
    parts = read(Columns(), [(x[:3],), (x[3:],)], 1)
    np.testing.assert_array_equal(parts, whole)
    first = read(Columns(), [(x,)], 0)
    np.testing.assert_allclose(first, x[:, 0].sum(dim=1).numpy(), rtol=1e-6)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_an_output_that_is_no_number_is_an_error(value):
    x = torch.ones(4, 4, 5)
    x[2, 0, 0] = value
    with pytest.raises(InputError, match="the output is NaN or infinite"):
        read(Columns(), [(x[:2],), (x[2:],)], 0)
    # of another column it does not matter
    read(Columns(), [(x,)], 1)


# the step

WEIGHTS = (0.5, -1.0, 2.0, 0.25)
LINEAR = """
import torch
from torch import nn


class Linear(nn.Module):
    '''A weighted count of bases.'''

    def forward(self, x):
        return torch.einsum("nbl,b->n", x, torch.tensor({weights}))


class Broken(nn.Module):
    def forward(self, x):
        return x.sum(dim=(1, 2)) / 0


def build():
    return Linear()


def broken():
    return Broken()
"""


class Step:
    """Recipes of motifs, and the step on a linear model."""

    def __init__(self, folder, genome, sampling):
        self.folder = folder
        self.setting = Setting(genome, sampling(N))
        (folder / "linear.py").write_text(LINEAR.format(weights=list(WEIGHTS)))

    def write(self, chosen, name="recipes.parquet"):
        """Write recipes as the workflow does, a row group for each variant."""
        path = self.folder / name
        schema = files.described_schema(concepts.SCHEMA, "recipes", {})
        with pq.ParquetWriter(path, schema) as writer:
            for concept in chosen:
                for variant, recipe in concept.recipes(self.setting):
                    names = self.setting.genome.names
                    table = concepts.to_table(concept.id, variant, recipe, names)
                    writer.write_table(pa.table(table.columns, schema=schema))
                    if concept.control == "permuted_motifs":
                        other = concept.permuted(self.setting, variant, 0)
                        table = concepts.to_table(concept.id, variant, other, names, "0")
                        writer.write_table(pa.table(table.columns, schema=schema))
        return str(path)

    def run(self, recipes, *words, factory="build", seed=1, output="planting.parquet"):
        path = str(self.folder / output)
        model = (
            f'{{"factory": "{self.folder}/linear.py:{factory}", "weights": null,'
            f' "window": {WINDOW}, "device": "cpu", "batch_size": 8}}'
        )
        status = main(
            [
                *("planting", "--model", model, "--threads", "1", "--recipes", recipes),
                *("--genome", "unused", "--seed", str(seed), "--output", path, *words),
            ]
        )
        return status, path

    def rows(self, recipes, *words, **options):
        status, path = self.run(recipes, *words, **options)
        assert status == 0
        return files.read_parquet(path, "planting").to_pylist()


@pytest.fixture(autouse=True)
def own_logging():
    """A step sets up logging for its process; tests share one."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    logging.captureWarnings(False)


@pytest.fixture
def step(tmp_path, toy_genome, toy_sampling, monkeypatch):
    monkeypatch.setattr(planting, "optional_genome", lambda paths: toy_genome)
    return Step(tmp_path, toy_genome, toy_sampling)


def motif(identity, bases=(2, 2, 0, 3, 1), **options):
    own = {"id": identity, "label": identity, "set": "s", "copies": (1, 2, 4)}
    planted = Motif(identity, (np.eye(4)[list(bases)],))
    return MotifConcept(**{**own, "motif": planted, **options})


def test_of_a_linear_model_the_effect_is_exact(step):
    """What planting changes is the bases under the sites: their weighted counts tell."""
    one = motif("m", both_strands=False)
    rows = step.rows(step.write([one]))
    assert {row["concept"] for row in rows} == {"m"}
    assert [row["variant"] for row in rows] == ["1", "2", "4"]
    for row, (_, recipe) in zip(rows, one.recipes(step.setting), strict=True):
        codes = [
            concepts.realise(part, step.setting.genome)
            for part in (recipe, recipe._replace(sites=None))
        ]
        # unknown bases have no weight
        weights = np.array([*WEIGHTS, 0.0])
        change = weights[codes[0]].sum(axis=1) - weights[codes[1]].sum(axis=1)
        assert row["planting_effect"] == pytest.approx(change.mean(), rel=1e-5)
        rising = (change > 1e-6).mean() + (np.abs(change) < 1e-6).mean() / 2
        assert row["planting_positive"] == pytest.approx(rising, abs=0.04)
        assert row["planting_effect_low"] <= row["planting_effect"] <= row["planting_effect_high"]
        assert row["n_backgrounds"] == N
    # more copies, more of it
    effects = [row["planting_effect"] for row in rows]
    assert effects[2] > effects[0] > 0


def count_of(monkeypatch):
    """Count the examples that go through the model, planted and bare."""
    counts = {"planted": 0, "bare": 0}
    original = planting.activations.recipe_inputs

    def spy(recipe, *arguments):
        counts["bare" if recipe.sites is None else "planted"] += 1
        return original(recipe, *arguments)

    monkeypatch.setattr(planting.activations, "recipe_inputs", spy)
    return counts


def test_variants_share_backgrounds_that_are_run_once(step, monkeypatch):
    counts = count_of(monkeypatch)
    chosen = [motif("a"), motif("b", copies=(2, 3)), null_motif(motif("a"), 0)]
    rows = step.rows(step.write(chosen))
    assert len(rows) == 8
    assert counts == {"planted": 8, "bare": 3}


def test_other_backgrounds_under_one_name_are_run_again(step, monkeypatch):
    """Variants that did not share them would otherwise be compared with other regions."""
    counts = count_of(monkeypatch)
    one = motif("a", copies=(2,))
    path = step.write([one])
    table = pq.read_table(path)
    elsewhere = step.setting._replace(sampling=step.setting.sampling._replace(seed=5))
    ((variant, recipe),) = replace(one, copies=(3,)).recipes(elsewhere)
    schema = table.schema
    with pq.ParquetWriter(path, schema) as writer:
        writer.write_table(table)
        names = step.setting.genome.names
        second = concepts.to_table("a", variant, recipe, names)
        writer.write_table(pa.table(second.columns, schema=schema))
    rows = step.rows(path)
    assert counts == {"planted": 2, "bare": 2}
    weights = np.array([*WEIGHTS, 0.0])
    with_sites, bare = (
        weights[concepts.realise(part, step.setting.genome)].sum(axis=1)
        for part in (recipe, recipe._replace(sites=None))
    )
    assert rows[1]["planting_effect"] == pytest.approx((with_sites - bare).mean(), rel=1e-5)


def test_only_the_concepts_asked_for_and_never_their_controls(step):
    path = step.write([motif("a", control="permuted_motifs"), motif("b")])
    assert {row["concept"] for row in step.rows(path)} == {"a", "b"}
    assert len(step.rows(path)) == 6
    assert {row["concept"] for row in step.rows(path, "--ids", "b")} == {"b"}


def test_a_concept_does_not_depend_on_the_others_in_its_file(step):
    together = step.rows(step.write([motif("a"), motif("b")]))
    alone = step.rows(step.write([motif("b")], "other.parquet"))
    assert [row for row in together if row["concept"] == "b"] == alone
    # the seed draws the intervals, not the values
    other = step.rows(step.write([motif("b")], "other.parquet"), seed=2)
    for one, two in zip(alone, other, strict=True):
        assert one["planting_effect"] == two["planting_effect"]
        assert one["planting_effect_low"] != two["planting_effect_low"]


def test_what_cannot_be_compared_is_an_error(step, capsys):
    status, _ = step.run(step.write([motif("a")]), factory="broken")
    assert status == 2
    assert "NaN or infinite" in capsys.readouterr().err
    path = step.write([])
    schema = pq.read_schema(path)
    _, recipe = next(motif("a").recipes(step.setting))
    bare = recipe._replace(sites=None)
    with pq.ParquetWriter(path, schema) as writer:
        table = concepts.to_table("bare", "1", bare, step.setting.genome.names)
        writer.write_table(pa.table(table.columns, schema=schema))
    status, _ = step.run(path)
    assert status == 2
    assert "nothing is planted in 'bare'" in capsys.readouterr().err
