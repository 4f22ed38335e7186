from __future__ import annotations

import copy
from pathlib import Path

import pytest
import yaml

from tpcav_core.config import checked
from tpcav_core.contribution_sets import contribution_places, layer_set
from tpcav_core.errors import InputError
from tpcav_core.jobs import Jobs
from tpcav_core.twins import with_twins

SCHEMA = yaml.safe_load(
    (Path(__file__).parents[2] / "workflow" / "schemas" / "config.schema.yaml").read_text()
)


@pytest.fixture
def config(toy_meme):
    """Two models, three layers in all, two sets of three concepts."""
    motifs = {"source": "motifs", "file": str(toy_meme), "copies": [2]}
    model = {"factory": "net.py:build", "weights": "w.pt", "window": 128}
    layer = {"name": "b.1", "concepts": ["A*", "second_*"]}
    given = {
        "genome": {"fasta": "g.fa"},
        "models": {"m": {**model, "layers": ["a", layer]}, "n": {**model, "layers": ["a"]}},
        "concepts": {"first": motifs, "second": {**motifs, "prefix": "second_"}},
        "statistics": {"permutations_per_motif": 0},
        "targets": {"t": {"regions": "random", "n": 5}},
    }
    return checked(given, SCHEMA)


def jobs_with(config, change=None, **sets):
    config = copy.deepcopy(config)
    config["contributions"] = sets
    if change:
        change(config)
    return Jobs.from_config(with_twins(checked(config, SCHEMA)))


def test_there_are_none_unless_asked_for(config):
    assert config["contributions"] == {}
    assert contribution_places(jobs_with(config)) == []


def test_every_layer_with_a_concept_and_every_target_of_regions_has_a_place(config):
    def change(config):
        config["sanity_checks"] = True
        function = {"function": "f.py:f", "regions": None, "n": 5}
        config["targets"]["f"] = {**config["targets"]["t"], **function}

    jobs = jobs_with(
        config, change, one={"concepts": ["B_*"]}, two={"concepts": ["A*", "second_*"], "logos": 0}
    )
    # no twin, no target of a function
    assert [tuple(place) for place in contribution_places(jobs)] == [
        ("m", "a", "t", "one"),
        ("m", "a", "t", "two"),
        ("m", "b.1", "t", "two"),
        ("n", "a", "t", "one"),
        ("n", "a", "t", "two"),
    ]
    assert contribution_places(jobs, hypothetical=True) == []
    ids = [concept.id for concept, _ in layer_set(jobs, "m", "b.1", "two")]
    assert ids == ["A_one_x", "second_A_one_x", "second_B_two", "second_C.three"]


def test_the_largest_planted_count_is_the_variant_unless_one_is_asked_for(config):
    config["concepts"]["first"]["copies"] = [2, 10, 4]
    jobs = jobs_with(config, a={"concepts": ["B_two"]}, b={"concepts": ["B_two"], "variant": 2})
    for name, variant in (("a", "10"), ("b", "2")):
        assert [(c.id, v) for c, v in layer_set(jobs, "m", "a", name)] == [("B_two", variant)]


@pytest.mark.parametrize(
    ("entry", "change", "expected"),
    [
        (
            {"concepts": ["B_tow"]},
            None,
            "s.concepts: no concept matches 'B_tow'; did",
        ),
        ({"concepts": ["B*"], "variant": "9"}, None, "'B_two' has no variant '9'; there are 2"),
        (
            {"concepts": ["B*"]},
            lambda config: config["models"]["n"].update(inputs="adapt.py:adapt"),
            "contributions.s: model 'n' has inputs 'adapt.py:adapt', in which single bases",
        ),
        (
            {"concepts": ["B*"]},
            lambda config: config["targets"]["t"].update(regions=None, function="f.py:f"),
            "contributions.s: none of the targets consists of regions",
        ),
    ],
)
def test_what_cannot_be_done_is_one_line(config, entry, change, expected):
    with pytest.raises(InputError) as error:
        jobs_with(config, change, s=entry)
    assert expected in str(error.value)
    assert "\n" not in str(error.value)


def test_the_configuration_of_the_guide_is_valid():
    text = (Path(__file__).parents[2] / "docs" / "contributions.md").read_text()
    content = yaml.safe_load(text.split("```yaml\n")[1].split("```")[0])
    base = {
        "models": {"m": {"factory": "a.py:b", "weights": None, "window": 9, "layers": ["l"]}},
        "concepts": {"c": {"source": "gc_content"}},
        "targets": {"t": {"regions": "random", "n": 1}},
    }
    assert checked({**base, **content}, SCHEMA)["contributions"]["ctcf"]["logos"] == 10
