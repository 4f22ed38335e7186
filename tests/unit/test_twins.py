from __future__ import annotations

import copy
import re
from pathlib import Path

import pytest
import yaml

from tpcav_core.config import checked
from tpcav_core.errors import InputError
from tpcav_core.models import ModelSpec
from tpcav_core.twins import twin_of, with_twins

ROOT = Path(__file__).parents[2]
SCHEMA = yaml.safe_load((ROOT / "workflow" / "schemas" / "config.schema.yaml").read_text())


def config(sanity_checks, seed=7):
    models = {name: {"window": 64, "weights": None, "layers": ["l"]} for name in ("a", "b-2")}
    return {"models": models, "sanity_checks": sanity_checks, "seed": seed, "other": [1]}


def test_without_sanity_checks_the_configuration_stays():
    assert with_twins(config(False)) == config(False)


@pytest.mark.parametrize("seed", [0, 7])
def test_every_model_has_a_twin_that_differs_by_its_weights_only(seed):
    given = config(True, seed)
    before = copy.deepcopy(given)
    found = with_twins(given)
    assert given == before
    assert list(found["models"])[:2] == ["a", "b-2"]
    assert len(found["models"]) == 4
    assert {key: found[key] for key in found if key != "models"} == {
        key: given[key] for key in given if key != "models"
    }
    twins = {twin_of(name): name for name in found["models"] if twin_of(name) is not None}
    assert list(twins) == ["a", "b-2"]
    for name, twin in twins.items():
        assert found["models"][name] == given["models"][name]
        assert found["models"][twin] == {**given["models"][name], "randomise": seed}
        # a name that is safe in file names
        assert re.fullmatch(r"[A-Za-z0-9_.-]+", twin)


@pytest.mark.parametrize("name", ["a", "randomised", "a-randomised", "a.randomised.x"])
def test_other_models_are_no_twins(name):
    assert twin_of(name) is None


def test_no_model_of_a_configuration_has_the_name_of_a_twin():
    (twin,) = set(with_twins({**config(True), "models": {"a": {}}})["models"]) - {"a"}
    content = {
        "models": {twin: {"window": 64, "layers": ["l"], "weights": None}},
        "targets": {"t": {"regions": "random", "n": 5}},
        "concepts": {"gc": {"source": "gc_content"}},
    }
    with pytest.raises(InputError, match=re.escape(twin)):
        checked(content, SCHEMA)


def test_a_twin_is_a_model_that_can_be_loaded():
    entry = {"window": 64, "weights": None, "factory": "a.py:b"}
    found = with_twins({"models": {"a": entry}, "sanity_checks": True, "seed": 3})
    assert ModelSpec.from_dict(found["models"]["a"]).randomise is None
    assert ModelSpec.from_dict(found["models"]["a.randomised"]).randomise == 3
