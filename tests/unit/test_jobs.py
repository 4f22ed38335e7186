from __future__ import annotations

import copy
from contextlib import suppress
from itertools import product
from pathlib import Path

import pytest
import yaml

from tpcav_core.classifiers import GRIDS
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
        "statistics": {"permutations_per_motif": 0},
        "targets": {"t": {"regions": "random", "n": 5}},
    }
    return checked(given, SCHEMA)


def with_sizes(config, per_chunk, per_batch):
    config = copy.deepcopy(config)
    config["jobs"] |= {
        "concepts_per_activation_job": per_chunk,
        "concepts_per_job": per_batch,
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


@pytest.mark.parametrize("per_chunk", [1, 2, 100])
def test_nulls_are_apart_from_concepts_and_follow_them_to_their_layers(config, per_chunk):
    plain = with_sizes(config, per_chunk, 1)
    config["statistics"]["permutations_per_motif"] = 2
    jobs = with_sizes(config, per_chunk, 1)
    # nothing that concepts are made in changes
    assert jobs.concepts == plain.concepts
    assert jobs.chunks == plain.chunks
    nulls = [null for chunk in jobs.null_chunks.values() for null in chunk]
    assert [null.id for null in nulls] == [f"{name}.null000{k}" for name in ALL for k in (0, 1)]
    for place in jobs.places():
        assert jobs.layer_chunks(*place) == plain.layer_chunks(*place)
        wanted = {concept.id for concept in jobs.layer_concepts(*place)}
        chunks = jobs.layer_nulls(*place)
        assert [n for chunk in chunks.values() for n in chunk] == [
            n for n in nulls if n.of in wanted
        ]
        batches = jobs.batches(*place)
        own = {name: part for name, (_, part) in batches.items() if name in jobs.null_chunks}
        assert own == chunks
        others = {name: part for name, part in batches.items() if name not in own}
        assert others == plain.batches(*place)


def test_layers_have_the_concepts_of_their_patterns(config):
    jobs = Jobs.from_config(config)
    assert jobs.places() == [("m", "a"), ("m", "b.1"), ("n", "a")]
    assert jobs.all_layers() == ["a", "b.1"]
    assert [c.id for c in jobs.layer_concepts("m", "a")] == ALL
    assert [c.id for c in jobs.layer_concepts("m", "b.1")] == ["A_one_x", *ALL[3:]]


def test_names_of_jobs_are_unique_and_the_controls_have_theirs(config):
    jobs = with_sizes(config, 2, 1)
    batches = {name for place in jobs.places() for name in jobs.batches(*place)}
    for names in (jobs.chunks, batches):
        assert len({name.casefold() for name in names}) == len(names)
    assert batches == set(ALL)


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
    jobs.batches("m", "a")
    jobs.model("m")["window"] = 1
    assert config == before


def test_every_file_of_the_configuration_is_known_with_its_place(config, toy_meme):
    config["genome"]["exclude"] = "black.bed"
    config["targets"]["u"] = {**config["targets"]["t"], "regions": "peaks.bed", "n": None}
    assert Jobs.from_config(config).input_files() == {
        str(toy_meme): "concepts.second",
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


@pytest.fixture
def folder(tmp_path):
    """A file for each source."""
    beds = "".join(f"chrA\t{start}\t{start + 50}\n" for start in range(0, 5000, 100))
    for name in ("r.bed", "among.bed", "into.bed", "control.bed", "peaks.bed"):
        (tmp_path / name).write_text(beds)
    fasta = "".join(f">s{i}\n{'ACGT' * 16}\n" for i in range(30))
    for name in ("s.fa", "negatives.fa"):
        (tmp_path / name).write_text(fasta)
    for name in ("own.py", "control.py", "targets.py", "baselines.py", "net.py", "g.fa", "open.bw"):
        (tmp_path / name).write_text("")
    return tmp_path


@pytest.fixture
def every(folder, toy_meme):
    """A configuration with every source of concepts, controls and targets."""
    motifs = {"source": "motifs", "file": str(toy_meme), "copies": [2]}
    given = {
        "genome": {"fasta": f"{folder}/g.fa"},
        "tracks": {"open": {"file": f"{folder}/open.bw"}},
        "models": {
            "m": {
                "factory": f"{folder}/net.py:build",
                "weights": None,
                "window": 64,
                "layers": ["a"],
                "inputs": "one_hot_and_tracks",
                "tracks": ["open"],
            }
        },
        "concepts": {
            "motifs": {**motifs, "into": f"{folder}/into.bed", "control": "permuted_motifs"},
            "pairs": {
                **motifs, "source": "motif_pairs", "first": ["A*"], "second": ["B*"],
                "copies": [1], "control": "shuffled",
            },
            "regions": {"source": "regions", "file": f"{folder}/r.bed", "control": "others"},
            "signal": {"source": "signal", "track": "open", "among": f"{folder}/among.bed"},
            "gc": {"source": "gc_content", "control": "gc_matched"},
            "again": {"source": "shuffled", "of": "motifs", "control": "negatives"},
            "sequences": {"source": "sequences", "file": f"{folder}/s.fa"},
            "function": {
                "source": "function", "function": f"{folder}/own.py:examples", "control": "made",
            },
        },
        "controls": {
            "sets": {
                "others": {"source": "regions", "file": f"{folder}/control.bed"},
                "negatives": {"source": "sequences", "file": f"{folder}/negatives.fa"},
                "made": {"source": "function", "function": f"{folder}/control.py:examples"},
            }
        },
        "targets": {
            "peaks": {"regions": f"{folder}/peaks.bed"},
            "random": {"regions": "random", "n": 5},
            "own": {
                "function": f"{folder}/targets.py:inputs",
                "baseline_function": f"{folder}/baselines.py:inputs",
                "n": 5,
            },
        },
        "results": str(folder / "results"),
    }  # fmt: skip
    return checked(given, SCHEMA)


def complaint(config):
    with pytest.raises(InputError) as caught:
        Jobs.from_config(config)
    text = str(caught.value)
    assert "\n" not in text
    return text


def test_every_source_is_read(every):
    jobs = Jobs.from_config(every)
    assert {concept.source for concept in jobs.concepts} == {
        *("motifs", "regions", "signal", "gc_content", "shuffled", "sequences", "function")
    }
    assert {concept.set for concept in jobs.concepts} == set(every["concepts"])
    # pairs of motifs are motif concepts, those of motifs and pairs have controls of their own
    assert jobs.used_controls() == ["others", "negatives", "random", "made"]
    assert jobs.used_controls("m", "a") == jobs.used_controls()
    assert set(jobs.controls) == {"random", "others", "negatives", "made"}
    jobs.check_files(made=[every["results"]])


def test_only_the_controls_of_a_layer_are_used_there(every):
    every["models"]["m"]["layers"].append({"name": "b", "concepts": ["regions", "gc", "function"]})
    jobs = Jobs.from_config(every)
    assert jobs.used_controls("m", "b") == ["others", "made"]
    assert jobs.used_controls() == ["others", "negatives", "random", "made"]


#: files that the fixture names, each with its place in the configuration
NAMED = {
    "g.fa": "genome.fasta",
    "open.bw": "tracks.open.file",
    "net.py": "models.m",
    "into.bed": "concepts.motifs",
    "among.bed": "concepts.signal",
    "control.bed": "controls.sets.others",
    "negatives.fa": "controls.sets.negatives",
    "own.py": "concepts.function",
    "control.py": "controls.sets.made",
    "targets.py": "targets.own.function",
    "baselines.py": "targets.own.baseline_function",
    "peaks.bed": "targets.peaks.regions",
}


@pytest.mark.parametrize("name", NAMED)
def test_a_file_that_is_missing_is_named_whatever_names_it(every, folder, name):
    jobs = Jobs.from_config(every)
    jobs.check_files()
    (folder / name).unlink()
    with pytest.raises(InputError) as caught:
        jobs.check_files()
    expected = f"configuration, {NAMED[name]}: no file '{folder / name}' (looked in "
    if name == "open.bw":
        # the first place that names it is as good
        assert f"no file '{folder / name}' (looked in " in str(caught.value)
    else:
        assert str(caught.value).startswith(expected)
    jobs.check_files(made=[str(folder / name)])


@pytest.mark.parametrize(("name", "place"), [("r.bed", "regions"), ("s.fa", "sequences")])
def test_a_file_that_is_read_for_its_concepts_is_missed_at_once(every, folder, name, place):
    (folder / name).unlink()
    assert str(folder / name) in complaint(every)


def test_the_files_of_a_set_are_those_of_the_sets_it_is_made_from(every, folder, toy_meme):
    jobs = Jobs.from_config(every)
    motifs = [str(toy_meme), f"{folder}/into.bed"]
    assert jobs.set_files("motifs") == motifs
    assert jobs.set_files("again") == motifs
    assert sorted(jobs.set_files("signal")) == [f"{folder}/among.bed", f"{folder}/open.bw"]
    assert jobs.set_files("gc") == []
    assert jobs.set_files("function") == [f"{folder}/own.py"]


def test_functions_of_packages_are_no_files(every):
    every["concepts"]["function"]["function"] = "package.module:examples"
    every["controls"]["sets"]["made"]["function"] = "package.module:examples"
    every["targets"]["own"] |= {"function": "package.module:f", "baseline_function": None}
    jobs = Jobs.from_config(every)
    assert jobs.set_files("function") == []
    assert not any("package.module" in file for file in jobs.input_files())


@pytest.mark.parametrize(
    ("place", "change"),
    [
        ("concepts.signal.track", lambda c: c["concepts"]["signal"].update(track="opne")),
        ("models.m.tracks", lambda c: c["models"]["m"].update(tracks=["open", "opne"])),
    ],
)
def test_an_unknown_track_is_named_with_the_near_one(every, place, change):
    change(every)
    expected = f"configuration, {place}: no track 'opne'; did you mean 'open'?"
    assert complaint(every) == expected
    every["tracks"] = {}
    assert complaint(every).endswith("; there are none")


def test_an_unknown_control_is_named_with_the_near_one(every):
    every["concepts"]["regions"]["control"] = "othres"
    text = complaint(every)
    assert text == "concepts.regions.control: no control 'othres'; did you mean 'others'?"
    every["concepts"]["regions"]["control"] = "zzz"
    text = complaint(every)
    assert text.startswith("concepts.regions.control: no control 'zzz'; there are random, others")
    assert text.endswith("gc_matched, permuted_motifs, shuffled, low_signal")


@pytest.mark.parametrize("other", ["function", "again"])
def test_only_dna_that_is_not_shuffled_can_be_shuffled(every, other):
    every["concepts"]["more"] = {**every["concepts"]["again"], "of": other, "prefix": "x-"}
    expected = f"concepts.more.of: the examples of concepts.{other}, of source "
    assert complaint(every).startswith(expected)


def test_an_unknown_default_control_is_found_at_the_first_set_that_has_it(every):
    every["controls"]["default"] = "gc_match"
    text = complaint(every)
    assert text == "concepts.sequences.control: no control 'gc_match'; did you mean 'gc_matched'?"


FITS = {
    "permuted_motifs": {"motifs", "pairs"},
    "low_signal": {"signal"},
    "gc_matched": {"motifs", "pairs", "regions", "signal", "gc", "again", "sequences"},
    "shuffled": {"motifs", "pairs", "regions", "signal", "gc", "sequences"},
}


@pytest.mark.parametrize("control", FITS)
@pytest.mark.parametrize(
    "name", ["motifs", "pairs", "regions", "signal", "gc", "again", "sequences", "function"]
)
def test_a_control_fits_the_source_or_is_refused(every, control, name):
    every["concepts"][name]["control"] = control
    if name in FITS[control]:
        Jobs.from_config(every)
        return
    text = complaint(every)
    assert text.startswith(f"concepts.{name}.control: {control} ")
    assert "choose another control" in text


@pytest.mark.parametrize(
    "name", ["gc_matched", "permuted_motifs", "shuffled", "low_signal", "random"]
)
def test_a_control_cannot_have_the_name_of_one_that_is_built_in(every, name):
    every["controls"]["sets"][name] = {"source": "regions", "file": "mine.bed"}
    assert complaint(every) == (
        f"configuration, controls.sets.{name}: {name!r} is a control that is built in, and means"
        f" what it means everywhere; choose another name, such as my_{name}"
    )


def test_a_concept_cannot_have_the_name_of_a_control(every):
    every["controls"]["sets"]["GC"] = {"source": "random"}
    assert complaint(every).startswith("concepts.gc: the id 'gc' is the name of a control")


@pytest.fixture
def placeless(every):
    """A study of functions alone, without a genome."""
    every["genome"] = None
    every["models"]["m"] |= {"window": None, "inputs": "one_hot", "tracks": []}
    every["concepts"] = {"function": every["concepts"]["function"]}
    every["targets"] = {"own": every["targets"]["own"]}
    return every


def test_functions_need_no_genome(placeless):
    assert Jobs.from_config(placeless).used_controls() == ["made"]
    assert "genome.fasta" not in Jobs.from_config(placeless).input_files().values()


@pytest.mark.parametrize("name", ["regions", "signal", "gc", "sequences"])
def test_what_needs_a_genome_is_named_where_there_is_none(placeless, every, folder, name):
    others = {
        "regions": {"source": "regions", "file": f"{folder}/r.bed"},
        "signal": {"source": "signal", "track": "open"},
        "gc": {"source": "gc_content"},
        "sequences": {"source": "sequences", "file": f"{folder}/s.fa"},
    }
    given = {**placeless, "concepts": {**placeless["concepts"], name: others[name]}}
    given["controls"]["default"] = "made"
    config = checked(given, SCHEMA)
    config["concepts"][name]["control"] = "made"
    assert complaint(config).startswith(f"configuration, genome: '{name}' needs a genome; give one")


def test_a_control_or_target_that_needs_a_genome_is_named_too(placeless):
    placeless["concepts"]["function"]["control"] = "negatives"
    assert complaint(placeless).startswith("configuration, genome: 'negatives' needs a genome")
    placeless["concepts"]["function"]["control"] = "random"
    assert complaint(placeless).startswith("configuration, genome: 'random' needs a genome")
    placeless["concepts"]["function"]["control"] = "made"
    placeless["targets"]["own"] |= {"function": None, "regions": "random"}
    assert complaint(placeless).startswith("configuration, genome: 'own' needs a genome")


@pytest.mark.parametrize(
    "change", [{"regions": None, "function": None}, {"regions": "random", "function": "f.py:f"}]
)
def test_a_target_has_regions_or_a_function(every, change):
    every["targets"]["own"] |= change
    expected = "configuration, targets.own: expected either regions or function; give one"
    assert complaint(every) == expected


@pytest.mark.parametrize("name", ["own", "random"])
def test_how_many_targets_are_wanted_must_be_said_where_nothing_else_says_it(every, name):
    every["targets"][name]["n"] = None
    assert complaint(every) == f"configuration, targets.{name}: set n, how many are wanted"
    assert every["targets"]["peaks"]["n"] is None


def test_a_model_gets_the_tracks_it_names_in_its_order(every, folder):
    every["tracks"] = {"z": {"file": "z.bw", "missing": None}, **every["tracks"]}
    every["models"]["m"]["tracks"] = ["open", "z"]
    model = Jobs.from_config(every).model("m")
    assert list(model["tracks"]) == ["open", "z"]
    assert model["tracks"]["open"] == {"file": f"{folder}/open.bw", "missing": 0}
    assert Jobs.from_config(every).model_files("m") == [
        f"{folder}/net.py",
        f"{folder}/open.bw",
        "z.bw",
    ]


def test_a_layer_that_is_listed_twice_is_an_error(every):
    every["models"]["m"]["layers"] = ["a", {"name": "a", "concepts": []}]
    assert complaint(every).startswith("configuration, models.m.layers: a layer is listed twice")


@pytest.mark.parametrize(
    ("split", "expected"),
    [
        ({"by": "chromosomes", "block_length": 4096}, "split.block_length is 4096 bp"),
        ({"test_chromosomes": ["chr1"], "block_length": 4096}, "split.block_length is 4096 bp"),
        ({"test_chromosomes": ["chr8"]}, "'chr8' is not among the 2 of genome.chromosomes"),
    ],
)
def test_a_split_that_cannot_be_is_an_error(config, split, expected):
    config["genome"]["chromosomes"] = ["chr1", "chr18"]
    config["split"] |= split
    text = complaint(config)
    assert text.startswith("configuration, split.")
    assert expected in text


def test_chromosomes_of_no_genome_cannot_test(every):
    every["genome"] = None
    every["split"]["test_chromosomes"] = ["chr8"]
    every["concepts"] = {"function": every["concepts"]["function"]}
    every["targets"] = {"own": every["targets"]["own"]}
    text = complaint(every)
    assert text.startswith("configuration, split.test_chromosomes: there is no genome")


@pytest.mark.parametrize("split", [{"by": "chromosomes"}, {"test_chromosomes": ["chr18"]}])
def test_a_split_by_chromosomes_needs_no_other_option(config, split):
    config["split"] |= split
    for chromosomes in (None, ["chr1", "chr18"]):
        config["genome"]["chromosomes"] = chromosomes
        assert Jobs.from_config(config).concepts


@pytest.mark.parametrize("classifier", ["ridge", "svm", "pattern"])
def test_a_norm_that_the_classifier_lacks_is_an_error(config, classifier):
    config["cavs"] |= {"classifier": classifier, "norm": "l1"}
    text = complaint(config)
    assert text.startswith(f"configuration, cavs.norm: found l1 with classifier {classifier}")
    assert text.endswith("use classifier logistic or sgd, or norm l2")
    config["cavs"]["norm"] = "l2"
    Jobs.from_config(config)


def test_every_norm_that_jobs_accept_has_penalties_and_no_other(config):
    accepted = set()
    cavs = SCHEMA["properties"]["cavs"]["properties"]
    for classifier, norm in product(cavs["classifier"]["enum"], cavs["norm"]["enum"]):
        config["cavs"] |= {"classifier": classifier, "norm": norm}
        with suppress(InputError):
            Jobs.from_config(config)
            accepted.add((classifier, norm))
    assert accepted == set(GRIDS)


@pytest.mark.parametrize(
    ("n", "fraction", "left", "remedy"),
    [
        (20, 0.05, "1 of 20 examples to test and 19 to train", "raise it or examples.per_concept"),
        (20, 0.95, "19 of 20 examples to test and 1 to train", "lower it or raise examples.per"),
    ],
)
def test_either_side_of_the_split_needs_examples(config, n, fraction, left, remedy):
    config["examples"]["per_concept"] = n
    config["split"]["test_fraction"] = fraction
    with pytest.raises(InputError) as caught:
        Jobs.from_config(config)
    assert f"split.test_fraction: {fraction} leaves {left}" in str(caught.value)
    assert remedy in str(caught.value)
    config["split"]["test_fraction"] = 0.2
    Jobs.from_config(config)
