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
    config["tracks"] = {"a": {"file": "a.bw"}}
    config["controls"] = {"sets": {"own": {"source": "random"}}}
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
        ("statistics.random_null", "random_nulls"),
        ("statistics.permutation_per_motif", "permutations_per_motif"),
        ("sanity_check", "sanity_checks"),
        ("compare_method", "compare_methods"),
        ("targets.t.edge", "edges"),
        ("attributions.tolerence", "tolerance"),
        ("jobs.thread", "threads"),
        ("jobs.concepts_per_cav_job", "concepts_per_job"),
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
        ("models", "Models by name"),
        ("concepts", "Sets of concepts by name"),
        ("targets", "Sets of regions"),
        ("genome.fasta", "FASTA file"),
        ("models.m.window", "Length of the sequences"),
        ("models.m.weights", "null for an untrained network"),
        ("models.m.layers", "Layers that are interpreted"),
        ("models.m.layers.1.name", "Name of the layer"),
        ("concepts.s.source", "Where the concepts come from"),
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
        ("genome", "g.fa"),
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
        ("concepts.s.file", []),
        ("concepts.s.bins", 0),
        ("concepts.s.sites", "best"),
        ("concepts.s.start_margin", -1),
        ("tracks", []),
        ("tracks.a.missing", "none"),
        ("models.m.tracks", ["a", "a"]),
        ("models.m.reverse_complement", 1),
        ("controls.gc_tolerance", 0),
        ("controls.sets.own.source", "motifs"),
        ("examples.per_concept", 19),
        ("examples", None),
        ("controls.replicates", 0),
        ("split.test_fraction", 0),
        ("split.test_fraction", 1),
        ("split.folds", 1),
        ("split.by", "chromosome"),
        ("split.test_chromosomes", "chr8"),
        ("split.test_chromosomes", ["chr8", "chr8"]),
        ("split.seed", -1),
        ("basis.components", -1),
        ("basis.components", "ful"),
        ("cavs.penalties", [0]),
        ("cavs.penalties", []),
        ("cavs.penalties", [1, 1]),
        ("cavs.penalties", 1),
        ("cavs.classifier", "lda"),
        ("cavs.classifier", None),
        ("cavs.norm", "l0"),
        ("statistics", []),
        ("statistics.random_nulls", -1),
        ("statistics.random_nulls", 1.5),
        ("statistics.random_nulls", None),
        ("statistics.permutations_per_motif", -1),
        ("statistics.permutations_per_motif", "all"),
        ("statistics.planting_effect", "yes"),
        ("statistics.statistic", "score"),
        ("statistics.statistic", "log_ratio"),
        ("statistics.alpha", 0),
        ("statistics.alpha", 1),
        ("statistics.alpha", 1.5),
        ("statistics.minimum_effect", -0.1),
        ("statistics.minimum_effect", 1),
        ("statistics.inseparable", 0),
        ("statistics.inseparable", 1.1),
        ("sanity_checks", "yes"),
        ("compare_methods", 1),
        ("targets.t.n", 0),
        ("targets.t.edges", "keep"),
        ("attributions.method", "lime"),
        ("attributions.tolerance", 0),
        ("jobs.threads", 0),
    ],
)
def test_a_value_of_the_wrong_kind_is_named(place, value):
    assert complaint(changed(place, value)).startswith(f"configuration, {place}")


@pytest.mark.parametrize(
    ("place", "value", "expected"),
    [
        ("statistics.random_nulls", -1, "-1 is less than the minimum of 0 (CAVs between random"),
        ("statistics.permutations_per_motif", -1, "-1 is less than the minimum of 0 (Motifs with"),
        ("statistics.alpha", 1.5, "1.5 is greater than or equal to the maximum of 1 (Largest q-"),
        ("statistics.minimum_effect", 1, "1 is greater than or equal to the maximum of 1 (Small"),
        ("statistics.statistic", "score", "'score' is not one of ['effect', 'derivative'] (Stat"),
    ],
)
def test_what_is_found_and_what_is_expected_of_statistics_is_said(place, value, expected):
    assert complaint(changed(place, value)).startswith(f"configuration, {place}: {expected}")


def test_statistics_have_defaults_and_take_the_ends_of_their_ranges():
    default = checked(SMALL, SCHEMA)
    assert default["statistics"] == {
        "random_nulls": 200, "permutations_per_motif": None, "planting_effect": True,
        "statistic": "effect", "alpha": 0.05, "minimum_effect": 0.15, "inseparable": 0.9,
    }  # fmt: skip
    assert (default["sanity_checks"], default["compare_methods"]) == (False, False)
    for place, value in (
        ("random_nulls", 0),
        ("permutations_per_motif", 0),
        ("permutations_per_motif", None),
        ("planting_effect", False),
        ("statistic", "derivative"),
        ("minimum_effect", 0),
        ("inseparable", 1),
    ):
        found = checked(changed(f"statistics.{place}", value), SCHEMA)["statistics"]
        # one key leaves the others as they are
        assert found == {**default["statistics"], place: value}


@pytest.mark.parametrize("section", ["models", "targets", "concepts", "tracks", "controls.sets"])
def test_names_must_be_safe_as_folders(section):
    entries = changed("seed", 1)
    for part in section.split("."):
        entries = entries[part]
    config = changed(section, {"a b": next(iter(entries.values()))})
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
        given = SMALL.get(name)
        assert result[name] == ({**expected, **given} if given else expected), name
    assert SCHEMA["$defs"]["motifs"]["properties"]["copies"]["default"] == [4, 8, 16]
    for section, entry, schema in (
        ("models", result["models"]["m"], top["models"]["additionalProperties"]),
        ("concepts", result["concepts"]["s"], SCHEMA["$defs"]["motifs"]),
        ("targets", result["targets"]["t"], top["targets"]["additionalProperties"]),
    ):
        expected = defaults(schema)
        given = next(iter(SMALL[section].values()))
        assert {**expected, **given} | {"layers": None} == entry | {"layers": None}
    assert result["models"]["m"]["layers"] == ["a", {"name": "b", "concepts": []}]
    basis = {"components": "full", "fit_on": "concepts", "samples_per_concept": 10}
    assert result["basis"] == {**basis, "max_samples": 2500}


def test_every_default_is_valid_and_every_key_described():
    def visit(schema, place):
        Draft202012Validator.check_schema(schema)
        for key, part in schema.get("properties", {}).items():
            assert part.get("description"), f"{place}.{key} has no description"
            if "default" in part:
                Draft202012Validator(part).validate(part["default"])
            visit(part, f"{place}.{key}")
        if "allOf" in schema:
            # one alternative for each source, which knows all its keys
            sources = schema["properties"]["source"]["enum"]
            assert [c["if"]["properties"]["source"]["const"] for c in schema["allOf"]] == sources
            for source, choice in zip(sources, schema["allOf"], strict=True):
                visit(of_choice(choice), f"{place} ({source})")
        elif schema.get("type") == "object" and "properties" in schema:
            assert schema.get("additionalProperties") is False, place
        if isinstance(schema.get("additionalProperties"), dict):
            visit(schema["additionalProperties"], f"{place}.*")

    visit(SCHEMA, "")
    checked(checked(SMALL, SCHEMA), SCHEMA)


def test_defaults_are_not_shared_and_the_given_is_not_changed():
    given = copy.deepcopy(SMALL)
    first = checked(given, SCHEMA)
    assert given == SMALL
    first["split"]["test_chromosomes"].append("chr7")
    first["models"]["m"]["kwargs"]["x"] = 1
    again = checked(given, SCHEMA)
    assert again["split"]["test_chromosomes"] == []
    assert again["models"]["m"]["kwargs"] == {}


def test_the_classifier_has_defaults_and_takes_penalties_or_none():
    default = {"classifier": "ridge", "norm": "l2", "penalties": None}
    assert checked(SMALL, SCHEMA)["cavs"] == default
    for penalties in (None, [1], [1e-8, 2.5]):
        given = changed("cavs", {"classifier": "sgd", "norm": "l1", "penalties": penalties})
        assert checked(given, SCHEMA)["cavs"] == given["cavs"]


def of_choice(choice):
    """The keys of one source."""
    return SCHEMA["$defs"][choice["then"]["$ref"].removeprefix("#/$defs/")]


#: a place in the configuration and its definition, for each source with what it requires
SOURCES = {
    "motifs": ("concepts.x", "motifs", {}),
    "motif_pairs": ("concepts.x", "motif_pairs", {"first": ["a"], "second": ["b"]}),
    "regions": ("concepts.x", "regions", {"file": "r.bed"}),
    "signal": ("concepts.x", "signal", {"track": "a"}),
    "gc_content": ("concepts.x", "gc_content", {}),
    "shuffled": ("concepts.x", "shuffled", {"of": "s"}),
    "sequences": ("concepts.x", "sequences", {"file": "s.fa"}),
    "function": ("concepts.x", "function", {"function": "f.py:f"}),
    "random control": ("controls.sets.x", "control_random", {}),
    "regions control": ("controls.sets.x", "control_regions", {"file": "r.bed"}),
    "sequences control": ("controls.sets.x", "control_sequences", {"file": "s.fa"}),
    "function control": ("controls.sets.x", "control_function", {"function": "f.py:f"}),
}


def of_source(name, **more):
    place, _, given = SOURCES[name]
    return changed(place, {"source": name.removesuffix(" control"), **given, **more})


def test_every_source_is_among_those_tried_here():
    tried = {definition for _, definition, _ in SOURCES.values()}
    assert tried == set(SCHEMA["$defs"])


@pytest.mark.parametrize("name", SOURCES)
def test_a_source_gets_its_own_defaults_and_no_others(name):
    place, definition, given = SOURCES[name]
    entry = checked(of_source(name), SCHEMA)
    for part in place.split("."):
        entry = entry[part]
    expected = defaults(SCHEMA["$defs"][definition])
    assert entry == {"source": name.removesuffix(" control"), **expected, **given}


def test_a_source_in_another_place_keeps_what_is_given():
    config = of_source("signal", control="gc_matched", top=0.1)
    config["concepts"]["y"] = {"source": "signal", "track": "a"}
    config["concepts"]["z"] = {"source": "motifs", "file": ["a", "b"], "control": None}
    result = checked(config, SCHEMA)["concepts"]
    assert (result["x"]["control"], result["x"]["top"]) == ("gc_matched", 0.1)
    assert (result["y"]["control"], result["y"]["top"]) == ("low_signal", 0.05)
    assert (result["z"]["control"], result["z"]["file"]) == (None, ["a", "b"])


def test_a_database_of_motifs_gets_its_defaults():
    result = checked(changed("concepts.s", {"source": "motifs", "jaspar": {}}), SCHEMA)
    jaspar = {"release": "JASPAR2024", "collection": "CORE", "tax_group": [], "ids": []}
    assert result["concepts"]["s"]["jaspar"] == {**jaspar, "names": []}
    assert "file" not in result["concepts"]["s"]


@pytest.mark.parametrize("name", SOURCES)
def test_an_unknown_key_of_a_source_is_named(name):
    place, definition, _ = SOURCES[name]
    known = list(SCHEMA["$defs"][definition]["properties"])
    longest = max(known, key=len)
    text = complaint(of_source(name, **{longest + "s": 1}))
    key = longest + "s"
    assert text == f"configuration, {place}: unknown key {key!r}; did you mean {longest!r}?"
    text = complaint(of_source(name, zzzzzz=1))
    assert text == f"configuration, {place}: unknown key 'zzzzzz'; known keys: {', '.join(known)}"


@pytest.mark.parametrize(
    ("name", "foreign"),
    [("gc_content", "copies"), ("regions", "track"), ("motifs", "spacings"), ("signal", "file")],
)
def test_a_key_of_another_source_is_unknown(name, foreign):
    text = complaint(of_source(name, **{foreign: 1}))
    assert text.startswith(f"configuration, concepts.x: unknown key {foreign!r}")


@pytest.mark.parametrize("name", [name for name, (_, _, given) in SOURCES.items() if given])
def test_a_key_that_a_source_requires_is_named(name):
    place, definition, given = SOURCES[name]
    key = next(iter(given))
    text = complaint(changed(place, {"source": name.removesuffix(" control")}))
    about = SCHEMA["$defs"][definition]["properties"][key]["description"]
    assert text == f"configuration, {place}: the key {key!r} is missing ({about})"


@pytest.mark.parametrize(
    ("name", "key", "value"),
    [
        ("motif_pairs", "first", []),
        ("motif_pairs", "spacings", [-1]),
        ("motif_pairs", "orientations", ["+"]),
        ("regions", "strand", "minus"),
        ("regions", "max_overlap", 1.5),
        ("regions", "min_examples", 19),
        ("regions", "take", "neither"),
        ("regions", "features", []),
        ("signal", "top", 0),
        ("signal", "low", 1),
        ("signal", "candidates", 99),
        ("gc_content", "steps", [0.5, 1.1]),
        ("shuffled", "prefix", ""),
        ("sequences", "format", "json"),
        ("function", "variants", {}),
        ("function", "variants", {"all": 3}),
        ("regions control", "max_overlap", -1),
        ("sequences control", "crop", 1),
        ("function control", "kwargs", []),
    ],
)
def test_a_value_that_a_source_does_not_take_is_named(name, key, value):
    text = complaint(of_source(name, **{key: value}))
    assert text.startswith(f"configuration, {SOURCES[name][0]}.{key}")


def test_models_without_dna_need_neither_genome_nor_window():
    config = changed("models.m.window", None)
    del config["genome"]
    config["targets"]["t"] = {"function": "f.py:f", "n": 3}
    result = checked(config, SCHEMA)
    assert result["genome"] is None
    assert result["models"]["m"]["window"] is None
    assert result["targets"]["t"]["regions"] is None


CONFIGURATIONS = sorted(
    path.relative_to(ROOT).as_posix()
    for pattern in ("config/*.yaml", ".test/*/config.yaml", ".test/sources/*.yaml")
    for path in ROOT.glob(pattern)
)


def test_the_configurations_of_the_project_are_found():
    known = {"config/config.yaml", ".test/ctcf/config.yaml", ".test/sources/own.yaml"}
    assert known <= set(CONFIGURATIONS)


@pytest.mark.parametrize("file", CONFIGURATIONS)
def test_the_configurations_of_the_project_are_valid(file, monkeypatch):
    monkeypatch.setenv("TPCAV_DATA", "/data")
    checked(yaml.safe_load((ROOT / file).read_text()), SCHEMA)
