from __future__ import annotations

import copy
from pathlib import Path

import pytest
import yaml
from jsonschema import Draft202012Validator

from tpcav_core.config import checked
from tpcav_core.errors import InputError

ROOT = Path(__file__).parents[2]
SCHEMA = yaml.safe_load((ROOT / "workflow" / "schemas" / "config.schema.yaml").read_text())
SMALL = {
    "genome": {"fasta": "g.fa"},
    "models": {"m": {"window": 64, "layers": ["a", {"name": "b"}], "weights": None}},
    "concepts": {"s": {"source": "motifs", "file": "m.meme"}},
    "targets": {"t": {"regions": "random", "n": 5}},
}
REMOVE = object()


def changed(place, value):
    """`SMALL` with the value at a dotted place set, or removed."""
    config = copy.deepcopy(SMALL)
    *parents, last = [int(p) if p.isdigit() else p for p in place.split(".")]
    inside = config
    for part in parents:
        inside = inside.setdefault(part, {}) if isinstance(inside, dict) else inside[part]
    if value is REMOVE:
        del inside[last]
    else:
        inside[last] = value
    return config


def complaint(config):
    with pytest.raises(InputError) as caught:
        checked(config, SCHEMA)
    text = str(caught.value)
    assert "\n" not in text
    assert text.startswith("configuration")
    return text


@pytest.mark.parametrize(
    ("place", "near"),
    [
        ("exmaples", "examples"),
        ("genome.chromosome", "chromosomes"),
        ("models.m.layer", "layers"),
        ("models.m.layers.1.concept", "concepts"),
        ("concepts.s.copy", "copies"),
        ("examples.per_concpet", "per_concept"),
        ("controls.replicate", "replicates"),
        ("split.block_lenght", "block_length"),
        ("basis.component", "components"),
        ("cavs.penalty", "penalties"),
        ("targets.t.edge", "edges"),
        ("attributions.tolerence", "tolerance"),
        ("jobs.thread", "threads"),
    ],
)
def test_an_unknown_key_suggests_the_near_one(place, near):
    *parents, key = place.split(".")
    text = complaint(changed(place, 1))
    where = f"configuration, {'.'.join(parents)}" if parents else "configuration"
    assert text == f"{where}: unknown key {key!r}; did you mean {near!r}?"


def test_an_unknown_key_near_nothing_lists_the_known_ones():
    text = complaint(changed("examples.zzz", 1))
    assert text == "configuration, examples: unknown key 'zzz'; known keys: per_concept"


@pytest.mark.parametrize(
    ("place", "about"),
    [
        ("genome", "The genome that random regions"),
        ("targets", "Sets of regions"),
        ("genome.fasta", "FASTA file"),
        ("models.m.window", "Length of the sequences"),
        ("models.m.weights", "null for an untrained network"),
        ("models.m.layers", "Layers that are interpreted"),
        ("models.m.layers.1.name", "Name of the layer"),
        ("concepts.s.file", "Motif file"),
        ("targets.t.regions", "BED file"),
    ],
)
def test_a_missing_key_is_named_with_what_it_is(place, about):
    *parents, key = place.split(".")
    text = complaint(changed(place, REMOVE))
    where = f"configuration, {'.'.join(parents)}" if parents else "configuration"
    assert text.startswith(f"{where}: the key {key!r} is missing (")
    assert about in text


@pytest.mark.parametrize(
    ("place", "value"),
    [
        ("seed", "1"),
        ("seed", -1),
        ("seed", 1.5),
        ("genome", None),
        ("genome.chromosomes", "chr1"),
        ("genome.chromosomes", []),
        ("models", {}),
        ("models.m.window", 0),
        ("models.m.layers", []),
        ("models.m.layers", "a"),
        ("models.m.layers.0", 3),
        ("models.m.device", "gpu"),
        ("models.m.weights_format", "onnx"),
        ("models.m.allow_pickled_module", "yes"),
        ("concepts.s.source", "motif"),
        ("concepts.s.copies", []),
        ("concepts.s.copies", [4, 4]),
        ("concepts.s.copies", [0]),
        ("concepts.s.prefix", "a/b"),
        ("examples.per_concept", 19),
        ("examples", None),
        ("controls.replicates", 0),
        ("split.test_fraction", 0),
        ("split.test_fraction", 1),
        ("split.folds", 1),
        ("basis.components", -1),
        ("basis.components", "ful"),
        ("cavs.penalties", [0]),
        ("targets.t.n", 0),
        ("targets.t.edges", "keep"),
        ("attributions.method", "lime"),
        ("attributions.tolerance", 0),
        ("jobs.threads", 0),
    ],
)
def test_a_value_of_the_wrong_kind_is_named(place, value):
    assert complaint(changed(place, value)).startswith(f"configuration, {place}")


@pytest.mark.parametrize("section", ["models", "targets", "concepts"])
def test_names_must_be_safe_as_folders(section):
    config = copy.deepcopy(SMALL)
    config[section] = {"a b": next(iter(config[section].values()))}
    assert complaint(config).startswith(f"configuration, {section}: 'a b' does not match")


def test_a_name_that_yaml_reads_as_a_number_is_text():
    config = copy.deepcopy(SMALL)
    config["models"] = {2024: config["models"]["m"]}
    assert list(checked(config, SCHEMA)["models"]) == ["2024"]


def test_variables_of_the_environment_are_replaced_everywhere(monkeypatch):
    monkeypatch.setenv("TOY_ROOT", "/somewhere")
    monkeypatch.setenv("TOY_NAME", "x")
    config = changed("genome.fasta", "${TOY_ROOT}/${TOY_NAME}.fa")
    config["models"]["m"]["layers"][0] = "${TOY_NAME}"
    config["models"]["m"]["kwargs"] = {"sizes": [{"path": "${TOY_ROOT}"}]}
    result = checked(config, SCHEMA)
    assert result["genome"]["fasta"] == "/somewhere/x.fa"
    assert result["models"]["m"]["layers"][0] == "x"
    assert result["models"]["m"]["kwargs"] == {"sizes": [{"path": "/somewhere"}]}


def test_a_variable_that_is_not_set_is_named_with_its_place(monkeypatch):
    monkeypatch.delenv("TOY_ROOT", raising=False)
    text = complaint(changed("genome.fasta", "${TOY_ROOT}/g.fa"))
    assert text.startswith("configuration, genome.fasta: the environment variable TOY_ROOT of")
    assert "export TOY_ROOT=" in text


def test_a_plain_dollar_stays():
    assert checked(changed("genome.fasta", "a$b{c}"), SCHEMA)["genome"]["fasta"] == "a$b{c}"


def defaults(schema):
    """The defaults of a mapping, read from the schema independently of `checked`."""
    parts = schema["properties"]
    return {
        key: defaults(part) if "properties" in part else part["default"]
        for key, part in parts.items()
        if "default" in part
    }


def test_what_is_left_out_gets_the_default_of_the_schema():
    result = checked(SMALL, SCHEMA)
    top = SCHEMA["properties"]
    for name, expected in defaults(SCHEMA).items():
        assert result[name] == expected, name
    entries = {
        "models": result["models"]["m"],
        "concepts": result["concepts"]["s"],
        "targets": result["targets"]["t"],
    }
    for section, entry in entries.items():
        expected = defaults(top[section]["additionalProperties"])
        given = next(iter(SMALL[section].values()))
        assert {**expected, **given} | {"layers": None} == entry | {"layers": None}
    assert result["models"]["m"]["layers"] == ["a", {"name": "b", "concepts": []}]
    assert result["basis"] == {"components": "full", "samples_per_concept": 10, "max_samples": 2500}


def test_every_default_is_valid_and_every_key_described():
    def visit(schema, place):
        Draft202012Validator.check_schema(schema)
        for key, part in schema.get("properties", {}).items():
            assert part.get("description"), f"{place}.{key} has no description"
            if "default" in part:
                Draft202012Validator(part).validate(part["default"])
            visit(part, f"{place}.{key}")
        if schema.get("type") == "object" and "properties" in schema:
            assert schema.get("additionalProperties") is False, place
        if isinstance(schema.get("additionalProperties"), dict):
            visit(schema["additionalProperties"], f"{place}.*")

    visit(SCHEMA, "")
    checked(checked(SMALL, SCHEMA), SCHEMA)


def test_defaults_are_not_shared_and_the_given_is_not_changed():
    given = copy.deepcopy(SMALL)
    first = checked(given, SCHEMA)
    assert given == SMALL
    first["cavs"]["penalties"].append(7)
    first["models"]["m"]["kwargs"]["x"] = 1
    again = checked(given, SCHEMA)
    assert 7 not in again["cavs"]["penalties"]
    assert again["models"]["m"]["kwargs"] == {}


@pytest.mark.parametrize("file", ["config/config.yaml", ".test/ctcf/config.yaml"])
def test_the_configurations_of_the_project_are_valid(file, monkeypatch):
    monkeypatch.setenv("TPCAV_DATA", "/data")
    checked(yaml.safe_load((ROOT / file).read_text()), SCHEMA)
