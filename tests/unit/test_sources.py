"""Concepts of every source: how many examples, from where, of which seed, on which side."""

from __future__ import annotations

import json
import re
import time
from collections import Counter
from dataclasses import replace
from itertools import permutations
from pathlib import Path

import numpy as np
import pyBigWig
import pytest
import yaml

from tests.conftest import WINDOW
from tpcav_core.catalogue import read_catalogue, read_set, resolved
from tpcav_core.composition import gc_content
from tpcav_core.concepts import from_table, realise, to_table
from tpcav_core.config import checked
from tpcav_core.controls import own_control, shared_control
from tpcav_core.errors import InputError
from tpcav_core.genome import decode, encode, read_genome, reverse_complement
from tpcav_core.regions import Regions
from tpcav_core.sampling import draw_folds, window_sampling
from tpcav_core.seeds import generator
from tpcav_core.sources.base import Setting
from tpcav_core.sources.composition import shuffled
from tpcav_core.sources.signal import partners
from tpcav_core.splits import TEST, fold_of
from tpcav_core.tracks import Track, Tracks

SCHEMA = yaml.safe_load(
    (Path(__file__).parents[2] / "workflow" / "schemas" / "config.schema.yaml").read_text()
)
SAFE = re.compile(r"^[A-Za-z0-9_-][A-Za-z0-9_.-]*$")
N = 60
FUNCTION = """
import torch


def dna(n, seed, width=64):
    generator = torch.Generator().manual_seed(seed)
    return (torch.rand(n, 4, width, generator=generator),)
"""


def sets(**definitions):
    """Return the section ``concepts:`` with its defaults, as the workflow has it."""
    config = {
        "models": {"m": {"window": WINDOW, "layers": ["l"], "weights": None}},
        "targets": {"t": {}},
        "concepts": definitions,
    }
    return checked(config, SCHEMA)["concepts"]


def read(**definitions):
    """Return the concepts of one set: ``read(name={...})``."""
    return read_catalogue(sets(**definitions))


def only(**definitions):
    (concept,) = read(**definitions)
    return concept


# --- files ------------------------------------------------------------------------------------


def bed_line(contig, start, end, label, strand):
    return f"{contig}\t{start}\t{end}\t{label}\t0\t{strand}\n"


def write_bed(path, rows, label="x", strand="+"):
    path.write_text("".join(bed_line(*row, label, strand) for row in rows))
    return str(path)


def windows_inside_blocks(n, offset=100):
    """Return n regions of 40 bp whose windows are known and inside a block, 400 bp apart."""
    rows = []
    for contig, length in (("chrA", 40_000), ("chrB", 25_000)):
        for block in range(0, length - 1024, 1024):
            for start in (block + offset, block + offset + 400):
                if contig == "chrB" or not 9_900 < start < 12_000:
                    rows.append((contig, start, start + 40))
    return rows[:n]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("sources")
    rng = np.random.default_rng(3)
    rows = []
    for number in range(900):
        contig, length = (("chrA", 40_000), ("chrB", 25_000))[number % 2]
        start = int(rng.integers(0, length - 60))
        label = "few" if number < 30 else ("SINE/Alu", "LINE:L1")[number % 2 ^ number // 3 % 2]
        strand = "+-"[int(rng.integers(0, 2))]
        rows.append((contig, start, start + int(rng.integers(5, 60)), label, strand))
    lines = "".join(bed_line(*row) for row in sorted(rows))
    (path / "repeats.bed").write_text(lines)
    (path / "elements.bed").write_text(lines.replace("SINE/Alu", "e").replace("LINE:L1", "e"))
    write_bed(path / "sparse.bed", windows_inside_blocks(100))
    (path / "examples.py").write_text(FUNCTION)
    write_sequences(path, rng)
    write_track(path / "open.bw", rng)
    return path


def write_sequences(path, rng):
    """Write 120 sequences: each with its copy and its reverse complement, in random order."""
    forward = rng.integers(0, 4, (40, WINDOW)).astype(np.uint8)
    codes = np.concatenate([forward, forward, reverse_complement(forward)])[rng.permutation(120)]
    letters = [decode(row) for row in codes]
    (path / "own.fa").write_text("".join(f">s{i}\n{s}\n" for i, s in enumerate(letters)))
    families = [f"f{number}" for number in rng.integers(0, 50, 160)]
    other = [decode(row) for row in rng.integers(0, 4, (160, WINDOW))]
    lines = ["design\tfamily\tsequence\n"]
    lines += [
        f"{'ab'[i % 2]}\t{f}\t{s}\n" for i, (f, s) in enumerate(zip(families, other, strict=True))
    ]
    (path / "designs.tsv").write_text("".join(lines))


def write_track(path, rng):
    lengths = {"chrA": 40_000, "chrB": 25_000, "tiny": 50}
    file = pyBigWig.open(str(path), "w")
    file.addHeader(list(lengths.items()))
    for name, length in lengths.items():
        starts = np.arange(0, length, 50)
        values = rng.gamma(0.5, 2.0, len(starts))
        ends = np.minimum(starts + 50, length)
        file.addEntries([name] * len(starts), starts.tolist(), ends.tolist(), values.tolist())
    file.close()


@pytest.fixture(scope="module")
def definitions(folder, toy_meme):
    """Definitions of sets by kind, each with at least one concept."""
    motifs = {"source": "motifs", "file": str(toy_meme), "copies": [1, 3]}
    pairs = {"first": ["A*"], "second": ["C*"], "spacings": [3], "copies": [2]}
    repeats = {"source": "regions", "file": str(folder / "repeats.bed"), "select": ["SINE*"]}
    signal = {
        "source": "signal",
        "track": "open",
        "top": 0.2,
        "candidates": 1500,
        "gc_tolerance": 0.05,
    }
    table = {"source": "sequences", "file": str(folder / "designs.tsv"), "format": "table"}
    return {
        "motifs": motifs,
        "into": {**motifs, "into": str(folder / "elements.bed")},
        "bins": {**motifs, "bins": 2},
        "motif_pairs": {**motifs, "source": "motif_pairs", **pairs},
        "regions": repeats,
        "sequence_only": {**repeats, "take": "sequence"},
        "signal_only": {**repeats, "take": "signal"},
        "signal": signal,
        "among": {
            **signal,
            "top": 0.3,
            "among": str(folder / "elements.bed"),
            "max_overlap": 0.8,
            "gc_tolerance": 0.1,
        },
        "gc_content": {"source": "gc_content", "steps": [0.25, 0.6]},
        "sequences": {"source": "sequences", "file": str(folder / "own.fa")},
        "table": {**table, "group_column": "family"},
        "labels": {**table, "label_column": "design"},
        "function": {
            "source": "function",
            "function": f"{folder / 'examples.py'}:dna",
            "variants": {"narrow": {"width": 4}, "wide": {"width": 9}},
        },
        "shuffled": {"source": "shuffled", "of": "motifs"},
    }


KINDS = (
    "motifs",
    "into",
    "bins",
    "motif_pairs",
    "regions",
    "sequence_only",
    "signal_only",
    "signal",
    "among",
    "gc_content",
    "sequences",
    "table",
    "labels",
    "function",
    "shuffled",
)
OF_THE_GENOME = tuple(
    kind for kind in KINDS if kind not in ("gc_content", "sequences", "table", "labels", "function")
)


@pytest.fixture(scope="module")
def concepts(definitions):
    """All concepts of each kind, read alone."""
    found = {}
    for kind in KINDS:
        chosen = {kind: definitions[kind]}
        if kind == "shuffled":
            chosen = {"motifs": definitions["motifs"], **chosen}
        found[kind] = [concept for concept in read(**chosen) if concept.set == kind]
    return found


@pytest.fixture(scope="module")
def setting(toy_genome, toy_sampling, folder):
    def make(n=N, **options):
        tracks = Tracks([Track("open", str(folder / "open.bw"), 0.0)], toy_genome)
        return Setting(toy_genome, toy_sampling(n, **options), tracks)

    return make


def tables(concept, setting):
    """Return the tables of a concept's variants, as the workflow stores them."""
    return {
        variant: to_table("c", variant, recipe, setting.genome.names)
        for variant, recipe in concept.recipes(setting)
    }


# --- laws of every source ----------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_every_variant_has_as_many_examples_as_asked(concepts, setting, kind):
    assert concepts[kind]
    for concept in concepts[kind]:
        recipes = dict(concept.recipes(setting()))
        assert tuple(recipes) == concept.variants
        for recipe in recipes.values():
            assert recipe.folds.shape == (N,)
            if kind not in ("table", "sequences"):
                assert (recipe.folds == TEST).sum() == 15
            if recipe.call is None:
                codes = realise(recipe, setting().genome)
                assert codes.shape == (N, WINDOW)
                assert (codes < 4).all()


@pytest.mark.parametrize("kind", KINDS)
def test_the_same_seed_gives_the_same_bytes_and_another_seed_others(concepts, setting, kind):
    for concept in concepts[kind]:
        first = tables(concept, setting())
        again = tables(replace(concept), setting())
        other = tables(replace(concept), setting(seed=2))
        for variant, table in first.items():
            assert table.equals(again[variant])
            assert not table.equals(other[variant])
            back = from_table(table, setting().genome)
            if back.call is None:
                recipe = dict(concept.recipes(setting()))[variant]
                np.testing.assert_array_equal(
                    realise(back, setting().genome), realise(recipe, setting().genome)
                )


@pytest.mark.parametrize("kind", KINDS)
def test_no_two_concepts_share_a_random_stream(concepts, setting, kind):
    made = setting()
    for concept in concepts[kind]:
        own, other = (tables(c, made) for c in (concept, replace(concept, id="another")))
        for variant, table in own.items():
            pairs = zip(table.to_pylist(), other[variant].to_pylist(), strict=True)
            same = sum(one == two for one, two in pairs)
            assert same < 0.1 * N
            if kind in ("motifs", "bins", "motif_pairs", "signal"):
                starts = [t["start"].to_numpy() for t in (table, other[variant])]
                assert (starts[0] == starts[1]).mean() < 0.1
            if table["site_start"].null_count == 0 and kind != "shuffled":
                sites = [t["site_bases"].to_pylist() for t in (table, other[variant])]
                assert sites[0] != sites[1]


def test_recipes_do_not_depend_on_other_concepts(definitions, concepts, setting):
    kinds = ("regions", "labels", "function", "motifs", "gc_content", "signal")
    asked = {kind: definitions[kind] for kind in kinds}
    # nor on the other variants
    asked["motifs"] = {**asked["motifs"], "copies": [3], "drop": ["A*"]}
    alone = {(kind, concept.id): concept for kind in kinds for concept in concepts[kind]}
    compared = Counter()
    made = setting()
    for concept in read(**asked):
        expected = tables(alone[concept.set, concept.id], setting())
        for variant, table in tables(concept, made).items():
            assert table.equals(expected[variant])
            compared[concept.set] += 1
    assert [compared[kind] for kind in kinds] == [1, 2, 2, 2, 2, 1]


@pytest.mark.parametrize("kind", KINDS)
def test_the_fingerprint_changes_with_what_defines_the_examples(concepts, kind):
    for concept in concepts[kind]:
        same = replace(concept)
        assert concept.fingerprint() == same.fingerprint()
        assert concept.fingerprint() != replace(concept, id="another").fingerprint()
        assert concept.fingerprint() != replace(concept, control="another").fingerprint()
        json.dumps(concept.content())


@pytest.mark.parametrize("kind", KINDS)
def test_candidates_are_available_or_rejected(concepts, setting, kind):
    for concept in concepts[kind]:
        found = concept.availability(setting())
        if found.candidates is None:
            assert found.available is None
        else:
            assert found.available >= N
            assert found.available + sum(found.rejected.values()) == found.candidates


# --- the split ---------------------------------------------------------------------------------


def overlaps_across_folds(genome, placed):
    """Return whether windows of two folds share a base; ``placed``: (regions, folds) each."""
    fold_of_base = np.full(len(genome.codes), -9, np.int16)
    bases = [
        (genome.offsets[regions.contig] + regions.start)[:, None] + np.arange(WINDOW)
        for regions, _ in placed
    ]
    for (_, folds), covered in zip(placed, bases, strict=True):
        fold_of_base[covered] = folds[:, None]
    # a base of two folds has kept the one written last
    return any(
        (fold_of_base[covered] != folds[:, None]).any()
        for (_, folds), covered in zip(placed, bases, strict=True)
    )


def test_the_measure_of_overlap_sees_one_base(toy_genome):
    def window(start):
        one = np.array([1], np.int8)
        return Regions(np.array([0], np.int32), np.array([start]), np.array([start + WINDOW]), one)

    test, fold = np.array([TEST]), np.array([0])
    assert overlaps_across_folds(toy_genome, [(window(100), test), (window(163), fold)])
    assert not overlaps_across_folds(toy_genome, [(window(100), test), (window(164), fold)])
    assert not overlaps_across_folds(toy_genome, [(window(100), test), (window(101), test)])


def test_no_example_of_any_concept_overlaps_one_of_another_side(concepts, setting):
    made = setting()
    placed, kinds = [], Counter()
    for kind in OF_THE_GENOME:
        for concept in concepts[kind]:
            for _, recipe in concept.recipes(made):
                both = [recipe.regions, recipe.signal]
                placed += [(regions, recipe.folds) for regions in both if regions is not None]
                kinds[kind] += 1
            if kind in ("signal", "among"):
                low = concept.low_signal(made, recipe, 0)
                placed.append((low.regions, low.folds))
    assert len(kinds) == len(OF_THE_GENOME)
    assert not overlaps_across_folds(made.genome, placed)
    # the measure would see it if the folds were drawn by lot
    rng = np.random.default_rng(1)
    by_lot = [(regions, rng.permutation(folds)) for regions, folds in placed]
    assert overlaps_across_folds(made.genome, by_lot)


def of_another_split(made, toy_genome):
    """The setting with another seed of the split, all else being equal."""
    sampling = made.sampling
    share = {"test_fraction": sampling.test_fraction, "folds": sampling.fold_count}
    usual = window_sampling(toy_genome, WINDOW, sampling.n, seed=sampling.seed, **share)
    np.testing.assert_array_equal(usual.folds, sampling.folds)
    other = window_sampling(
        toy_genome, WINDOW, sampling.n, seed=sampling.seed, split_seed=5, **share
    )
    return made._replace(sampling=other)


@pytest.mark.parametrize("kind", KINDS)
def test_another_split_keeps_what_does_not_depend_on_it(concepts, setting, toy_genome, kind):
    made = setting()
    other = of_another_split(made, toy_genome)
    for concept in concepts[kind]:
        for (_, usual), (_, recipe) in zip(
            concept.recipes(made), concept.recipes(other), strict=True
        ):
            assert not np.array_equal(usual.folds, recipe.folds)
            assert np.count_nonzero(recipe.folds == TEST) == np.count_nonzero(usual.folds == TEST)
            assert recipe.call == usual.call
            if usual.sites is not None:
                for one, two in zip(usual.sites, recipe.sites, strict=True):
                    np.testing.assert_array_equal(one, two)
            if kind == "gc_content":
                np.testing.assert_array_equal(usual.bases, recipe.bases)
            if kind in ("motifs", "bins", "motif_pairs"):
                changed = usual.regions.start != recipe.regions.start
                places = fold_of(usual.regions, other.sampling.starts, other.sampling.folds)
                assert changed.sum() == abs((places == TEST).sum() - 15)


def test_no_example_overlaps_one_of_another_side_in_another_split(concepts, setting, toy_genome):
    made = of_another_split(setting(), toy_genome)
    placed = []
    for kind in OF_THE_GENOME:
        for concept in concepts[kind]:
            for _, recipe in concept.recipes(made):
                both = [recipe.regions, recipe.signal]
                placed += [(regions, recipe.folds) for regions in both if regions is not None]
                control = own_control(
                    replace(concept, control="gc_matched"), "all", recipe, 0, made, gc_tolerance=0.1
                )
                placed.append((control.regions, control.folds))
                np.testing.assert_array_equal(control.folds == TEST, recipe.folds == TEST)
    assert not overlaps_across_folds(made.genome, placed)


def twins_in_training(concept, control, concept_tests, control_tests):
    """Return the share of test examples whose window is also one that trains."""
    places = [
        place
        for recipe in (concept, control)
        for place in zip(recipe.regions.contig.tolist(), recipe.regions.start.tolist(), strict=True)
    ]
    tests = np.concatenate([concept_tests, control_tests]).tolist()
    sides = list(zip(places, tests, strict=True))
    training = {place for place, test in sides if not test}
    return float(np.mean([place in training for place, test in sides if test]))


def test_one_pool_of_regions_for_concept_and_control_gives_no_twins(folder, toy_meme, setting):
    file = str(folder / "sparse.bed")
    concept = only(
        m={"source": "motifs", "file": str(toy_meme), "copies": [2], "select": ["B*"], "into": file}
    )
    pool = {"source": "regions", "file": file, "strand": "both", "max_overlap": 0.5}
    made = setting(60)
    _, planted = next(concept.recipes(made))
    control = shared_control("pool", {**pool, "min_examples": None}).draw(
        made, "controls", "pool", 0
    )
    # The published construction: the motif is planted into regions that are the control as well,
    # and examples are split at random. Most examples that test were trained on, without the motif.
    rng = np.random.default_rng(1)
    lots = [[rng.permutation(60) < 15 for _ in range(2)] for _ in range(20)]
    lot = lots[0]
    untouched = planted._replace(sites=None)
    assert np.mean([twins_in_training(planted, untouched, *sides) for sides in lots]) > 0.65
    # so it is where the control draws its own regions of the file
    assert np.mean([twins_in_training(planted, control, *sides) for sides in lots]) > 0.35
    own = [planted.folds == TEST, control.folds == TEST]
    assert twins_in_training(planted, control, *own) == 0
    assert twins_in_training(planted, untouched, own[0], own[0]) == 0
    assert overlaps_across_folds(
        made.genome, [(planted.regions, ~lot[0] - 2), (untouched.regions, ~lot[1] - 2)]
    )
    assert not overlaps_across_folds(
        made.genome, [(planted.regions, planted.folds), (control.regions, control.folds)]
    )


def canonical(codes):
    return [
        min(a.tobytes(), b.tobytes()) for a, b in zip(codes, reverse_complement(codes), strict=True)
    ]


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_equal_sequences_and_reverse_complements_are_on_one_side(concepts, setting, folder, seed):
    made = setting(90, seed=seed)
    (concept,) = concepts["sequences"]
    _, recipe = next(concept.recipes(made))
    # a control of the same file agrees about the sides
    plain = {"column": "sequence", "group_column": None, "crop": False, "min_examples": None}
    source = {"source": "sequences", "file": str(folder / "own.fa"), "format": "fasta", **plain}
    control = shared_control("own", source).draw(made, "controls", "own", 0)
    fold_of = {}
    names = canonical(np.concatenate([recipe.bases, control.bases]))
    for name, fold in zip(names, [*recipe.folds, *control.folds], strict=True):
        assert fold_of.setdefault(name, fold) == fold
    assert max(Counter(names[:90]).values()) == 3
    assert {fold == TEST for fold in fold_of.values()} == {True, False}


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_members_of_a_group_are_on_one_side(concepts, setting, folder, seed):
    (concept,) = concepts["table"]
    lines = [line.split("\t") for line in (folder / "designs.tsv").read_text().splitlines()[1:]]
    family = {encode(sequence).tobytes(): name for _, name, sequence in lines}
    _, recipe = next(concept.recipes(setting(100, seed=seed)))
    fold_of = {}
    for row, fold in zip(recipe.bases, recipe.folds, strict=True):
        assert fold_of.setdefault(family[row.tobytes()], fold) == fold
    assert 20 < len(fold_of) < 60


# --- regions -----------------------------------------------------------------------------------


def test_windows_are_centred_on_the_annotation(folder, concepts, setting):
    (concept,) = concepts["regions"]
    made = setting()
    _, recipe = next(concept.recipes(made))
    expected = {}
    for line in (folder / "repeats.bed").read_text().splitlines():
        contig, start, end, label, _, strand = line.split("\t")
        if label == "SINE/Alu":
            middle = int(start) + (int(end) - int(start)) // 2 - WINDOW // 2
            expected.setdefault((contig, middle), set()).add(1 if strand == "+" else -1)
    names = [made.genome.names[number] for number in recipe.regions.contig]
    rows = zip(names, recipe.regions.start.tolist(), recipe.regions.strand.tolist(), strict=True)
    for contig, start, strand in rows:
        assert strand in expected[contig, start]
    assert set(recipe.regions.strand) == {1, -1}


def test_a_reverse_region_is_the_reverse_complement_of_a_forward_one(tmp_path, setting):
    rows = windows_inside_blocks(100)
    made = setting(40)
    drawn = {}
    for name, strand in (("plus", "+"), ("minus", "-")):
        file = write_bed(tmp_path / f"{name}.bed", rows, strand=strand)
        for how in ("annotated", "+"):
            concept = only(s={"source": "regions", "file": file, "strand": how})
            drawn[name, how] = realise(next(concept.recipes(made))[1], made.genome)
    plus, minus = drawn["plus", "annotated"], drawn["minus", "annotated"]
    np.testing.assert_array_equal(minus, reverse_complement(plus))
    assert not np.array_equal(minus, plus)
    np.testing.assert_array_equal(drawn["minus", "+"], plus)


def test_strands_are_drawn_where_there_is_none(tmp_path, setting):
    file = write_bed(tmp_path / "none.bed", windows_inside_blocks(100), strand=".")
    _, recipe = next(only(s={"source": "regions", "file": file}).recipes(setting(60)))
    assert 15 < (recipe.regions.strand == 1).sum() < 45


def test_examples_come_from_all_over_the_file(tmp_path, setting):
    rows = [("chrB", start, start + 10) for start in range(50, 25_000, 50)]
    file = write_bed(tmp_path / "sorted.bed", rows)
    concept = only(s={"source": "regions", "file": file})
    made = setting(40)
    _, recipe = next(concept.recipes(made))
    place = recipe.regions.start / 25_000
    assert concept.candidates > 10 * 40
    assert place.min() < 0.15
    assert place.max() > 0.85
    assert (place < 0.1).mean() < 0.4
    again, other = (
        set(next(concept.recipes(setting(40, seed=s)))[1].regions.start) for s in (1, 4)
    )
    assert again == set(recipe.regions.start)
    assert len(other & again) < 20


@pytest.mark.parametrize("overlap", [0.0, 0.4, 0.75])
def test_no_two_examples_share_more_than_allowed(folder, setting, overlap):
    file = str(folder / "elements.bed")
    concept = only(s={"source": "regions", "file": file, "max_overlap": overlap, "drop": ["few"]})
    made = setting(100)
    _, recipe = next(concept.recipes(made))
    place = np.sort(made.genome.offsets[recipe.regions.contig] + recipe.regions.start)
    assert WINDOW - np.diff(place).min() <= overlap * WINDOW
    if overlap:
        assert np.diff(place).min() < WINDOW


def test_labels_with_few_regions_are_left_out_when_asked(folder):
    file = str(folder / "repeats.bed")
    everything = read(s={"source": "regions", "file": file})
    assert {c.label for c in everything} == {"SINE/Alu", "LINE:L1", "few"}
    assert {c.id for c in everything} == {"SINE_Alu", "LINE_L1", "few"}
    counts = {c.label: c.candidates for c in everything}
    assert counts["few"] == 30
    assert sum(counts.values()) == 900
    assert len(read(s={"source": "regions", "file": file, "min_examples": 30})) == 3
    enough = read(s={"source": "regions", "file": file, "min_examples": 31})
    assert {c.label for c in enough} == {"SINE/Alu", "LINE:L1"}
    with pytest.raises(
        InputError, match=r"concepts\.s: none of the 3 labels of .* has 9000 regions"
    ):
        read(s={"source": "regions", "file": file, "min_examples": 9000})


def test_too_few_usable_windows_are_an_error_with_numbers(folder, setting):
    source = {"source": "regions", "file": str(folder / "repeats.bed"), "select": ["few"]}
    concept = only(s=source)
    available = concept.availability(setting()).available
    assert 20 <= available < 30
    message = (
        r"concept 'few'.*: \d+ examples can be used \(\d+ to train and \d+ to test, of (\d+) and"
        r" (\d+) available\), expected 60, 2 or more of either; lower min_examples"
    )
    with pytest.raises(InputError, match=message) as caught:
        list(concept.recipes(setting()))
    found = re.match(message, str(caught.value))
    assert found
    assert int(found[1]) + int(found[2]) == available
    lenient = only(s={**source, "min_examples": 20})
    _, recipe = next(lenient.recipes(setting()))
    assert 20 <= len(recipe.folds) <= available
    assert len(set(recipe.regions.start.tolist())) == len(recipe.folds)


def test_sequence_and_signal_may_be_of_two_places_of_one_fold(concepts, setting):
    made = setting()
    (both, sequence, signal) = (
        next(concepts[kind][0].recipes(made))[1]
        for kind in ("regions", "sequence_only", "signal_only")
    )
    assert both.signal is None
    np.testing.assert_array_equal(sequence.regions.start, both.regions.start)
    np.testing.assert_array_equal(signal.signal.start, both.regions.start)
    np.testing.assert_array_equal(realise(sequence, made.genome), realise(both, made.genome))
    own = made.tracks.values(both.regions)
    np.testing.assert_array_equal(made.tracks.values(signal.signal), own)
    for recipe in (sequence, signal):
        np.testing.assert_array_equal(recipe.folds, both.folds)
        assert (recipe.signal.start != recipe.regions.start).mean() > 0.95
    assert not np.array_equal(made.tracks.values(sequence.signal), own)
    assert not np.array_equal(realise(signal, made.genome), realise(both, made.genome))


# --- signal ------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["signal", "among"])
def test_examples_have_more_signal_than_any_of_the_control(concepts, setting, kind):
    (concept,) = concepts[kind]
    made = setting()
    found = concept.sets(made).found
    _, recipe = next(concept.recipes(made))
    assert made.tracks.means("open", recipe.regions).min() >= found.high_threshold
    assert found.high_threshold > found.low_threshold
    replicates = [concept.low_signal(made, recipe, number) for number in range(3)]
    for control in replicates:
        assert made.tracks.means("open", control.regions).max() <= found.low_threshold
        gc = [gc_content(realise(r, made.genome)) for r in (recipe, control)]
        assert np.abs(gc[0] - gc[1]).max() <= concept.tolerance + 1e-9
        np.testing.assert_array_equal(control.folds == TEST, recipe.folds == TEST)
        places = zip(control.regions.contig, control.regions.start, strict=True)
        assert len(set(places)) == N
    assert (replicates[0].regions.start == replicates[1].regions.start).mean() < 0.5
    other = replace(concept, id="another").low_signal(made, recipe, 0)
    assert (replicates[0].regions.start == other.regions.start).mean() < 0.5


def test_the_sets_are_those_of_the_setting_at_hand(concepts, setting):
    concept = replace(concepts["signal"][0], id="fresh", _found=[])
    made = setting()
    first = concept.sets(made).found
    assert concept.sets(made).found is first
    assert concept.sets(Setting(*made)).found is first
    # the same places, another seed: other candidates
    other = made._replace(sampling=made.sampling._replace(seed=9))
    second = concept.sets(other).found
    assert not np.array_equal(first.high.start, second.high.start)
    fresh = replace(concept, _found=[])
    np.testing.assert_array_equal(fresh.sets(other).found.high.start, second.high.start)


def test_signal_without_tracks_or_with_too_few_windows_is_an_error(concepts, setting):
    (concept,) = concepts["signal"]
    with pytest.raises(InputError, match=r"concept 'signal': no tracks were given"):
        concept.sets(setting()._replace(tracks=None))
    with pytest.raises(InputError, match=r"'signal'.*: \d+ examples can be used .*expected 900"):
        list(concept.recipes(setting(900)))
    with pytest.raises(InputError, match="no track 'opne' among open; did you mean 'open'"):
        list(replace(concept, track="opne", _found=[]).recipes(setting()))
    with pytest.raises(InputError, match=r"concept 'signal': .*two shares above 0"):
        list(replace(concept, low=0.9, _found=[]).recipes(setting()))


# --- composition -------------------------------------------------------------------------------


def test_random_sequences_have_the_gc_content_of_their_step(setting):
    concept = only(gc={"source": "gc_content", "steps": [0, 0.3, 0.5, 1]})
    assert concept.variants == ("0", "0.3", "0.5", "1")
    for variant, recipe in concept.recipes(setting(200)):
        step = float(variant)
        error = np.sqrt(step * (1 - step) / (200 * WINDOW))
        assert abs((gc_content(recipe.bases)).mean() - step) <= 5 * error
        counts = np.bincount(recipe.bases.ravel(), minlength=4)
        assert abs(counts[0] - counts[3]) < 0.1 * counts.sum()
        assert recipe.regions is None


def dinucleotides(codes):
    pairs = codes[:, :-1].astype(int) * 5 + codes[:, 1:]
    return np.stack([np.bincount(row, minlength=25) for row in pairs])


def test_shuffled_examples_are_the_other_ones_shuffled(concepts, setting):
    made = setting()
    assert [c.id for c in concepts["shuffled"]] == [f"shuffled-{c.id}" for c in concepts["motifs"]]
    for concept, parent in zip(concepts["shuffled"], concepts["motifs"], strict=True):
        assert concept.label == f"{parent.label}, shuffled"
        assert concept.variants == parent.variants
        originals = dict(parent.recipes(made))
        for variant, recipe in concept.recipes(made):
            one, other = (realise(r, made.genome) for r in (recipe, originals[variant]))
            np.testing.assert_array_equal(dinucleotides(one), dinucleotides(other))
            assert (one != other).any(axis=1).all()
            np.testing.assert_array_equal(recipe.folds, originals[variant].folds)


def test_shuffled_sets_take_ids_and_labels_of_their_own(definitions):
    motifs = {**definitions["motifs"], "prefix": "p."}
    for pattern in ("shuffled-p.B_two", "B,two", "shuffled-p.B*"):
        chosen = {"source": "shuffled", "of": "m", "select": [pattern]}
        found = [c for c in read(m=motifs, s=chosen) if c.set == "s"]
        assert [c.id for c in found] == ["shuffled-p.B_two"]


def test_what_has_no_dna_or_is_shuffled_cannot_be_shuffled(definitions, concepts, setting):
    function, motifs = definitions["function"], definitions["motifs"]
    with pytest.raises(
        InputError, match=r"concepts\.s\.of: .* concepts\.f, of source function, ca"
    ):
        read(f=function, s={"source": "shuffled", "of": "f"})
    twice = {"source": "shuffled", "of": "s", "prefix": "again-"}
    with pytest.raises(
        InputError, match=r"concepts\.t\.of: .* concepts\.s, of source shuffled, ca"
    ):
        read(m=motifs, s={"source": "shuffled", "of": "m"}, t=twice)
    for kind, message in (("function", "are no DNA"), ("shuffled", "are shuffled")):
        _, recipe = next(concepts[kind][0].recipes(setting()))
        with pytest.raises(InputError, match=rf"'x': its examples {message}, they cannot be"):
            shuffled(recipe, 1, "concepts", "x")


def test_a_set_of_another_set_finds_it(definitions):
    chosen = sets(
        m={**definitions["motifs"], "control": "gc_matched"},
        s={"source": "shuffled", "of": "m"},
    )
    found = resolved(chosen, "s", "background")
    assert found["control"] == "background"
    assert found["parent"]["control"] == "gc_matched"
    assert chosen["s"]["control"] is None
    assert len(read_set("s", found)) == 3
    with pytest.raises(InputError, match=r"concepts\.s\.of: no set 'motif'; did you mean 'motifs'"):
        resolved(sets(motifs=definitions["motifs"], s={"source": "shuffled", "of": "motif"}), "s")
    for circle in ({"a": "a"}, {"a": "b", "b": "a"}, {"a": "b", "b": "c", "c": "b"}):
        circular = sets(**{name: {"source": "shuffled", "of": of} for name, of in circle.items()})
        with pytest.raises(InputError, match=r"\.of: '.' refers back to it"):
            resolved(circular, "a")


# --- motifs ------------------------------------------------------------------------------------


def edges(recipe):
    return int(recipe.sites.start.min()), int((recipe.sites.start + recipe.sites.width).max())


def test_sites_of_a_bin_are_inside_it(toy_meme, setting):
    source = {"source": "motifs", "file": str(toy_meme), "copies": [1, 2], "select": ["C*"]}
    concepts = read(m={**source, "bins": 3, "start_margin": 4, "end_margin": 6})
    assert [c.id for c in concepts] == [f"C.three.bin{i}of3" for i in (1, 2, 3)]
    assert concepts[1].label == "C.three, bin 2 of 3"
    # 54 bp between the margins, three bins of 18
    for concept, (start, end) in zip(concepts, ((4, 22), (22, 40), (40, 58)), strict=True):
        for _, recipe in concept.recipes(setting(300)):
            assert edges(recipe) == (start, end)


def test_margins_stay_free(toy_meme, setting):
    source = {"source": "motifs", "file": str(toy_meme), "copies": [2], "select": ["C*"]}
    concept = only(m={**source, "start_margin": 7, "end_margin": 20})
    assert edges(next(concept.recipes(setting(300)))[1]) == (7, 44)


def test_sites_that_do_not_fit_a_bin_are_an_error(toy_meme):
    source = {"source": "motifs", "file": str(toy_meme), "copies": [2], "select": ["C*"]}
    (first, *_) = read(m={**source, "bins": 6})
    first.check_window(61, "m")
    with pytest.raises(
        InputError, match="2 copies of 5 bp need 10 bp, but model 'm' has room for 9"
    ):
        first.check_window(59, "m")
    with pytest.raises(InputError, match="model 'm' has no window to plant motifs into"):
        first.check_window(None, "m")


def test_the_consensus_is_planted_where_asked(toy_meme, setting):
    source = {"source": "motifs", "file": str(toy_meme), "copies": [2], "select": ["B*"]}
    concept = only(m={**source, "sites": "consensus"})
    best = concept.motif.pwms[0].argmax(axis=1)
    _, recipe = next(concept.recipes(setting()))
    forward = recipe.sites.strand == 1
    assert 0.3 < forward.mean() < 0.7
    assert (recipe.sites.bases[forward] == best).all()
    assert (recipe.sites.bases[~forward] == reverse_complement(best)).all()
    drawn = next(only(m=source).recipes(setting()))[1]
    assert not (drawn.sites.bases[drawn.sites.strand == 1] == best).all()
    one_way = only(m={**source, "both_strands": False})
    assert (next(one_way.recipes(setting()))[1].sites.strand == 1).all()


def test_motifs_are_planted_into_windows_centred_on_regions(folder, concepts, setting):
    made = setting()
    centres = set()
    for line in (folder / "elements.bed").read_text().splitlines():
        contig, start, end, *_ = line.split("\t")
        centres.add((contig, (int(start) + int(end)) // 2 - WINDOW // 2))
    for concept in concepts["into"]:
        backgrounds = []
        for _, recipe in concept.recipes(made):
            names = [made.genome.names[number] for number in recipe.regions.contig]
            places = set(zip(names, recipe.regions.start.tolist(), strict=True))
            assert len(places) == N
            assert places <= centres
            backgrounds.append(recipe.regions.start)
        np.testing.assert_array_equal(*backgrounds)


PAIRS = {
    "source": "motif_pairs",
    "first": ["A*", "B*"],
    "second": ["A*", "C*"],
    "spacings": [0, 4, 11],
    "orientations": ["++", "+-", "-+", "--"],
    "copies": [1],
}


def test_pairs_have_ids_of_their_own(toy_meme):
    concepts = read(p={**PAIRS, "file": str(toy_meme)})
    assert len(concepts) == 2 * 2 * 3 * 4
    ids = {concept.id.casefold() for concept in concepts}
    assert len(ids) == len({concept.label for concept in concepts}) == len(concepts)
    assert all(SAFE.match(concept.id) for concept in concepts)
    assert concepts[0].label == "A:one/x + A:one/x, 0 bp, ++"


def test_pairs_can_be_selected_and_dropped(toy_meme):
    source = {**PAIRS, "file": str(toy_meme)}
    chosen = read(p={**source, "select": ["A_one_x_C*"], "drop": ["*, 4 bp, *", "*_mm"]})
    assert {(c.motif.spacing, c.motif.orientation) for c in chosen} == {
        (spacing, strands) for spacing in (0, 11) for strands in ("++", "+-", "-+")
    }
    assert {c.motif.second.label for c in chosen} == {"C.three"}
    with pytest.raises(InputError, match=r"concepts\.p\.drop: 'Z\*' is not in the pairs of"):
        read(p={**source, "drop": ["Z*"]})
    with pytest.raises(
        InputError, match=r"concepts\.p\.second: 'C\.tree' .*did you mean 'C\.three'"
    ):
        read(p={**source, "second": ["C.tree"]})


def test_pairs_keep_their_distance_and_orientation(toy_meme, setting):
    for concept in read(p={**PAIRS, "file": str(toy_meme), "first": ["B*"], "second": ["C*"]}):
        _, recipe = next(concept.recipes(setting()))
        start, strand, width = (column.astype(int) for column in recipe.sites[:3])
        assert (start[:, 1] - start[:, 0] - width[:, 0] == concept.motif.spacing).all()
        signs = np.array([1 if sign == "+" else -1 for sign in concept.motif.orientation])
        # a pair that is turned round has the second motif first, and both other strands
        turned = width[:, 0] == 5
        assert 0.25 < turned.mean() < 0.75
        expected = np.where(turned[:, None], -signs[::-1], signs)
        np.testing.assert_array_equal(strand, expected)


# --- sequences and functions -------------------------------------------------------------------


def test_sequences_are_those_of_the_file(folder, concepts, setting):
    lines = [line.split("\t") for line in (folder / "designs.tsv").read_text().splitlines()[1:]]
    assert [c.label for c in concepts["labels"]] == ["a", "b"]
    for concept in concepts["labels"]:
        assert concept.candidates == 80
        there = {
            encode(sequence).tobytes() for label, _, sequence in lines if label == concept.label
        }
        _, recipe = next(concept.recipes(setting()))
        found = {row.tobytes() for row in recipe.bases}
        assert found <= there
        assert len(found) == N


def test_too_few_sequences_are_an_error_with_numbers(folder, setting):
    source = {"source": "sequences", "file": str(folder / "own.fa")}
    with pytest.raises(
        InputError, match=r"concept 's'.*: \d+ examples can be used .* expected 200"
    ):
        list(only(s=source).recipes(setting(200)))
    _, recipe = next(only(s={**source, "min_examples": 50}).recipes(setting(200)))
    assert 50 <= len(recipe.folds) <= 120
    with pytest.raises(InputError, match=r"concepts\.s: .*own\.fa has 120 sequences, expected 121"):
        read(s={**source, "min_examples": 121})


def test_longer_sequences_are_cut_around_their_centre_when_asked(tmp_path, setting):
    rng = np.random.default_rng(1)
    codes = rng.integers(0, 4, (30, 70)).astype(np.uint8)
    file = tmp_path / "long.fa"
    file.write_text("".join(f">{i}\n{decode(row)}\n" for i, row in enumerate(codes)))
    source = {"source": "sequences", "file": str(file)}
    with pytest.raises(InputError, match=r"has 70 bp, longer than the window of 64 bp; set crop"):
        list(only(s=source).recipes(setting(20)))
    _, recipe = next(only(s={**source, "crop": True}).recipes(setting(20)))
    centres = {row[3:67].tobytes() for row in codes}
    assert {row.tobytes() for row in recipe.bases} <= centres


def test_a_function_is_called_with_a_seed_of_its_own(concepts, setting, folder):
    (concept,) = concepts["function"]
    assert concept.variants == ("narrow", "wide")
    calls = {variant: json.loads(recipe.call) for variant, recipe in concept.recipes(setting())}
    for variant, call in calls.items():
        assert call["function"] == f"{folder / 'examples.py'}:dna"
        assert call["n"] == N
        assert call["kwargs"] == {"width": {"narrow": 4, "wide": 9}[variant]}
    seeds = {call["seed"] for call in calls.values()}
    seeds |= {json.loads(r.call)["seed"] for _, r in concept.recipes(setting(seed=2))}
    assert len(seeds) == 4


# --- real data ---------------------------------------------------------------------------------


@pytest.mark.real
def test_all_archetypes_are_concepts(real_data):
    file = real_data / "motifs" / "vierstra_archetypes_v2.1beta.meme"
    concepts = read(all={"source": "motifs", "file": str(file)})
    assert len(concepts) == 637
    assert all(SAFE.match(concept.id) for concept in concepts)
    assert len({concept.id.casefold() for concept in concepts}) == 637
    named = [line.split()[1] for line in file.read_text().splitlines() if line.startswith("MOTIF ")]
    assert [concept.label for concept in concepts] == named
    assert any(character in "".join(named) for character in ":/,")


@pytest.mark.real
def test_repeats_of_a_chromosome(real_data):
    genome = read_genome(real_data / "genome" / "hg38.chr1_1-1000000.fa.gz")
    file = real_data / "regions" / "repeatmasker.hg38.chr1_1-1000000.bed"
    repeats = {"source": "regions", "file": str(file)}
    concepts = read(r={**repeats, "min_examples": 45})
    assert {(c.label, c.candidates) for c in concepts} == {
        ("LINE/L2_L2a", 52),
        ("SINE/MIR_MIRb", 55),
        ("SINE/Alu_AluJr", 59),
        ("SINE/Alu_AluJb", 46),
    }
    assert len(read(r=repeats)) > 200
    made = Setting(genome, window_sampling(genome, 256, 40, seed=1))
    lenient = read(r={**repeats, "min_examples": 20, "select": ["SINE*"]})
    assert len(lenient) == 11
    for concept in lenient:
        found = concept.availability(made)
        assert found.available + sum(found.rejected.values()) == found.candidates
        if found.available < 30:
            continue
        _, recipe = next(concept.recipes(made))
        assert 20 <= len(recipe.folds) <= 40
        assert (realise(recipe, genome) < 4).all()


@pytest.mark.real
def test_accessible_windows_of_a_partial_chromosome(real_data):
    genome = read_genome(real_data / "genome" / "hg38.chr22_partial.fa.gz")
    track = Track("open", str(real_data / "signal" / "MCF7_accessibility.hg38.chr22.bw"), 0.0)
    concept = only(
        s={
            "source": "signal",
            "track": "open",
            "candidates": 4000,
            "top": 0.1,
            "gc_tolerance": 0.05,
        }
    )
    with Tracks([track], genome) as tracks:
        made = Setting(genome, window_sampling(genome, 1024, 100, seed=1), tracks)
        begin = time.perf_counter()
        _, recipe = next(concept.recipes(made))
        control = concept.low_signal(made, recipe, 0)
        assert time.perf_counter() - begin < 10
        high, low = (tracks.means("open", r.regions) for r in (recipe, control))
    assert high.min() > low.max()
    gc = [gc_content(realise(r, genome)) for r in (recipe, control)]
    assert np.abs(gc[0] - gc[1]).max() <= 0.05 + 1e-9
    np.testing.assert_array_equal(recipe.folds == TEST, control.folds == TEST)
    assert concept.availability(made).candidates > 2000


def test_matching_by_gc_content_pairs_as_many_as_can_be():
    # by brute force: the largest matching of small sets
    rng = np.random.default_rng(8)
    for _ in range(40):
        left, right = rng.integers(0, 12, 4) / 10, rng.integers(0, 12, 5) / 10
        folds = (np.zeros(4, int), np.zeros(5, int))
        partner = partners(folds, (left, right), 0.11)
        used = partner[partner >= 0]
        assert len(set(used)) == len(used)
        assert (np.abs(left[partner >= 0] - right[used]) <= 0.11).all()
        fits = np.abs(left[:, None] - right) <= 0.11
        most = max(
            sum(fits[row, other] for row, other in enumerate(order[:4]))
            for order in permutations(range(5))
        )
        assert len(used) == most


def test_partners_are_of_the_same_part():
    folds = (np.array([TEST, 0, 1]), np.array([2, TEST, TEST]))
    partner = partners(folds, (np.full(3, 0.5), np.full(3, 0.5)), 0.02)
    assert partner.tolist() in ([1, 0, -1], [1, -1, 0])


def test_equal_sequences_of_two_files_are_mostly_on_one_side(toy_sampling):
    sampling = toy_sampling(60)
    groups = np.random.default_rng(1).integers(-(2**62), 2**62, 400)
    one, other = (
        draw_folds(part, sampling, generator(1, "sequences", "folds"))
        for part in (groups[:300], groups[100:])
    )
    agree = (one[100:] == TEST) == (other[:200] == TEST)
    assert agree.mean() > 0.9


def test_jaspar_gives_concepts_by_id_and_by_taxonomic_group():
    pytest.importorskip("pyjaspar")
    by_id = only_set(jaspar={"ids": ["MA0139.1"]})
    assert [(c.id, c.label) for c in by_id] == [("MA0139.1_CTCF", "MA0139.1 CTCF")]
    yeast = only_set(jaspar={"tax_group": ["fungi"], "collection": "CORE"}, select=["*GAL4*"])
    assert len(yeast) == 1
    assert yeast[0].motif.information_content > 5
    with pytest.raises(InputError, match="MA9999"):
        only_set(jaspar={"ids": ["MA9999.1"]})


def only_set(**keys):
    """Return the concepts of one set of motifs."""
    return read_set("s", sets(s={"source": "motifs", "control": "random", **keys})["s"])
