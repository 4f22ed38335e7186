from __future__ import annotations

import copy
from pathlib import Path

import pytest
import yaml

from tpcav_core.config import checked
from tpcav_core.errors import InputError
from tpcav_core.jobs import Jobs

SCHEMA = yaml.safe_load(
    (Path(__file__).parents[2] / "workflow" / "schemas" / "config.schema.yaml").read_text()
)


@pytest.fixture
def config(toy_meme):
    """Two models, three layers in all, two sets of three concepts."""
    motifs = {"source": "motifs", "file": str(toy_meme), "copies": [2]}
    given = {
        "genome": {"fasta": "g.fa"},
        "models": {
            "m": {
                "factory": "net.py:build",
                "weights": "w.pt",
                "inputs": "adapt.py:adapt",
                "window": 64,
                "layers": ["a", {"name": "b.1", "concepts": ["A*", "second_*"]}],
            },
            "n": {"factory": "package.net:build", "weights": None, "window": 80, "layers": ["a"]},
        },
        "concepts": {"first": motifs, "second": {**motifs, "prefix": "second_"}},
        "targets": {"t": {"regions": "random", "n": 5}},
    }
    return checked(given, SCHEMA)


def with_sizes(config, per_chunk, per_batch):
    config = copy.deepcopy(config)
    config["jobs"] |= {
        "concepts_per_activation_job": per_chunk,
        "concepts_per_cav_job": per_batch,
    }
    return Jobs.from_config(config)


ALL = ["A_one_x", "B_two", "C.three", "second_A_one_x", "second_B_two", "second_C.three"]


@pytest.mark.parametrize("per_chunk", [1, 2, 3, 100])
@pytest.mark.parametrize("per_batch", [1, 2, 100])
def test_every_wanted_concept_is_in_one_chunk_and_one_batch(config, per_chunk, per_batch):
    jobs = with_sizes(config, per_chunk, per_batch)
    assert [c.id for c in jobs.concepts] == ALL
    assert [c for chunk in jobs.chunks.values() for c in chunk] == list(jobs.concepts)
    for chunk in jobs.chunks.values():
        assert len(chunk) <= per_chunk
        assert len({c.set for c in chunk}) == 1
    for place in jobs.places():
        wanted = jobs.layer_concepts(*place)
        chunks = jobs.layer_chunks(*place)
        assert [c for chunk in chunks.values() for c in chunk] == wanted
        assert all(chunks.values())
        batches = jobs.batches(*place)
        assert [c for _, part in batches.values() for c in part] == wanted
        for name, (chunk, part) in batches.items():
            assert 0 < len(part) <= per_batch
            assert set(part) <= set(chunks[chunk])
            if per_batch == 1:
                assert name == part[0].id


def test_layers_have_the_concepts_of_their_patterns(config):
    jobs = Jobs.from_config(config)
    assert jobs.places() == [("m", "a"), ("m", "b.1"), ("n", "a")]
    assert jobs.all_layers() == ["a", "b.1"]
    assert [c.id for c in jobs.layer_concepts("m", "a")] == ALL
    assert [c.id for c in jobs.layer_concepts("m", "b.1")] == ["A_one_x", *ALL[3:]]


def test_names_of_jobs_are_unique_and_the_controls_have_theirs(config):
    jobs = with_sizes(config, 2, 1)
    for names in (list(jobs.chunks), jobs.all_batches()):
        assert len({name.casefold() for name in names}) == len(names)
    assert set(jobs.all_batches()) == set(ALL)


def test_a_model_is_described_without_its_layers_and_with_its_files(config):
    jobs = Jobs.from_config(config)
    assert "layers" not in jobs.model("m")
    assert jobs.model("m")["window"] == 64
    assert jobs.model_files("m") == ["net.py", "adapt.py", "w.pt"]
    assert jobs.model_files("n") == []


def test_a_layer_that_wants_an_unknown_concept_is_an_error(config):
    config["models"]["m"]["layers"][1]["concepts"] = ["second_B_tow"]
    with pytest.raises(InputError, match=r"models\.m\.layers, b\.1: .*did you mean 'second_B_two'"):
        Jobs.from_config(config)


def test_concepts_must_fit_every_model(config):
    config["concepts"]["first"]["copies"] = [9]
    with pytest.raises(InputError, match=r"'B,two': 9 copies.* model 'm' has room for 64"):
        Jobs.from_config(config)
    config["models"]["m"]["window"] = 72
    Jobs.from_config(config)


def test_the_configuration_is_not_changed(config):
    before = copy.deepcopy(config)
    jobs = Jobs.from_config(config)
    jobs.all_batches()
    jobs.model("m")["window"] = 1
    assert config == before


def test_every_file_of_the_configuration_is_known_with_its_place(config, toy_meme):
    config["genome"]["exclude"] = "black.bed"
    config["targets"]["u"] = {"regions": "peaks.bed", "n": None, "edges": "error"}
    assert Jobs.from_config(config).input_files() == {
        "g.fa": "genome.fasta",
        "black.bed": "genome.exclude",
        "net.py": "models.m",
        "adapt.py": "models.m",
        "w.pt": "models.m",
        "peaks.bed": "targets.u.regions",
    }


def test_a_missing_file_is_named_with_its_place(config, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    jobs = Jobs.from_config(config)
    for name in ("g.fa", "net.py", "adapt.py"):
        (tmp_path / name).write_text("")
    with pytest.raises(InputError, match=r"configuration, models\.m: no file 'w\.pt' \(looked in"):
        jobs.check_files()
    jobs.check_files(made=["w.pt"])
    (tmp_path / "w.pt").write_text("")
    jobs.check_files()
