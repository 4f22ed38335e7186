"""Controls: shared ones, and those made from the examples of each concept."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import yaml

from tests.conftest import WINDOW
from tpcav_core.catalogue import read_catalogue
from tpcav_core.composition import gc_content
from tpcav_core.concepts import realise, to_table
from tpcav_core.config import checked
from tpcav_core.controls import check_control, control_recipes, own_control, shared_control
from tpcav_core.errors import InputError
from tpcav_core.genome import LETTERS, decode, encode, reverse_complement
from tpcav_core.names import OWN
from tpcav_core.sampling import draw_windows
from tpcav_core.sources.base import Setting
from tpcav_core.splits import TEST

SCHEMA = yaml.safe_load(
    (Path(__file__).parents[2] / "workflow" / "schemas" / "config.schema.yaml").read_text()
)
N = 60
#: the columns are almost certain and all different, so that sites show which column is where
CONSENSUS = "AACCGTGT"


def filled(part, definitions):
    """Return the section ``concepts:`` or ``controls.sets`` with its defaults."""
    config = {
        "models": {"m": {"window": WINDOW, "layers": ["l"], "weights": None}},
        "targets": {"t": {}},
        "concepts": definitions if part == "concepts" else {"c": {"source": "gc_content"}},
        "controls": {"sets": definitions if part == "controls" else {}},
    }
    full = checked(config, SCHEMA)
    return full["concepts"] if part == "concepts" else full["controls"]["sets"]


def only(**definition):
    (concept,) = read_catalogue(filled("concepts", {"s": definition}))
    return concept


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("controls")
    rng = np.random.default_rng(8)
    rows = [
        f"{contig}\t{start}\t{start + 30}\tx\t0\t{'+-'[int(rng.integers(0, 2))]}\n"
        for contig, length in (("chrA", 39_000), ("chrB", 24_000))
        for start in range(100, length, 90)
    ]
    (path / "regions.bed").write_text("".join(rows))
    sequences = rng.integers(0, 4, (200, WINDOW)).astype(np.uint8)
    fasta = "".join(f">n{i}\n{decode(row)}\n" for i, row in enumerate(sequences))
    (path / "negatives.fa").write_text(fasta)
    meme = ["MEME version 4\n\nALPHABET= ACGT\n\nMOTIF sharp\nletter-probability matrix: w= 8\n"]
    for number, letter in enumerate(CONSENSUS):
        rest = 0.001 * (number + 1)
        values = [1 - 3 * rest if base == letter else rest for base in "ACGT"]
        meme.append(" ".join(f"{value:.6f}" for value in values) + "\n")
    (path / "sharp.meme").write_text("".join(meme))
    return path


@pytest.fixture(scope="module")
def shared(folder):
    return filled(
        "controls",
        {
            "random": {"source": "random"},
            "open": {"source": "regions", "file": str(folder / "regions.bed")},
            "negatives": {"source": "sequences", "file": str(folder / "negatives.fa")},
            "simulated": {
                "source": "function",
                "function": "package.module:simulate",
                "kwargs": {"gc": 0.4},
            },
        },
    )


@pytest.fixture
def setting(toy_genome, toy_sampling):
    return Setting(toy_genome, toy_sampling(N))


@pytest.fixture(scope="module")
def sharp(folder):
    def make(**changes):
        motifs = {"source": "motifs", "file": str(folder / "sharp.meme"), "copies": [1, 4]}
        return only(**{**motifs, "sites": "consensus", "control": "permuted_motifs", **changes})

    return make


def rows(recipe, genome):
    return to_table("c", "0", recipe, genome.names).to_pylist()


# --- shared controls ---------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["random", "open", "negatives", "simulated"])
def test_replicates_are_independent_and_made_again_the_same(shared, setting, toy_sampling, name):
    replicates = dict(control_recipes(name, 3, setting, shared[name]))
    assert list(replicates) == ["0", "1", "2"]
    made = [rows(recipe, setting.genome) for recipe in replicates.values()]
    for index, one in enumerate(made):
        assert len(one) == N
        assert sum(row["fold"] == TEST for row in one) == 15
        for other in made[:index]:
            assert sum(a == b for a, b in zip(one, other, strict=True)) < 0.1 * N
    # more replicates change nothing about the first
    (first,) = dict(control_recipes(name, 1, setting, shared[name])).values()
    assert rows(first, setting.genome) == made[0]
    # another name, another seed: other examples
    (renamed,) = dict(control_recipes("other", 1, setting, shared[name])).values()
    elsewhere = setting._replace(sampling=toy_sampling(N, seed=2))
    (reseeded,) = dict(control_recipes(name, 1, elsewhere, shared[name])).values()
    for recipe in (renamed, reseeded):
        pairs = zip(rows(recipe, setting.genome), made[0], strict=True)
        assert sum(a == b for a, b in pairs) < 0.1 * N


@pytest.mark.parametrize("name", ["random", "open", "negatives", "simulated"])
def test_a_shared_control_says_how_much_there_is(shared, setting, name):
    found = shared_control(name, shared[name]).availability(setting)
    if name == "simulated":
        assert (found.candidates, found.available) == (None, None)
    else:
        assert found.available + sum(found.rejected.values()) == found.candidates
        assert found.available >= N


def test_no_definition_means_random_windows(setting):
    ((_, recipe),) = control_recipes("random", 1, setting)
    drawn, folds = draw_windows(setting.sampling, "controls", "random", 0)
    np.testing.assert_array_equal(recipe.regions.start, drawn.start)
    np.testing.assert_array_equal(recipe.folds, folds)


def test_a_shared_control_has_the_examples_of_its_source(shared, setting, folder):
    lines = [line.split("\t") for line in (folder / "regions.bed").read_text().splitlines()]
    centres = {(contig, int(start) + 15 - WINDOW // 2) for contig, start, *_ in lines}
    ((_, recipe),) = control_recipes("open", 1, setting, shared["open"])
    names = [setting.genome.names[number] for number in recipe.regions.contig]
    assert set(zip(names, recipe.regions.start.tolist(), strict=True)) <= centres
    text = (folder / "negatives.fa").read_text().splitlines()[1::2]
    ((_, recipe),) = control_recipes("negatives", 1, setting, shared["negatives"])
    assert {row.tobytes() for row in recipe.bases} <= {encode(line).tobytes() for line in text}
    ((_, recipe),) = control_recipes("simulated", 1, setting, shared["simulated"])
    call = json.loads(recipe.call)
    assert (call["function"], call["kwargs"], call["n"]) == (
        "package.module:simulate",
        {"gc": 0.4},
        N,
    )


def test_too_few_regions_for_a_control_are_an_error(shared, toy_sampling, toy_genome):
    many = Setting(toy_genome, toy_sampling(2000))
    with pytest.raises(InputError, match=r"'open'.*: \d+ examples can be used .*expected 2000"):
        list(control_recipes("open", 1, many, shared["open"]))


# --- permuted motifs ---------------------------------------------------------------------------


def planted(recipe):
    """Return the one sequence that all sites of strand + have, and check strand -."""
    forward = recipe.sites.bases[recipe.sites.strand == 1]
    reverse = recipe.sites.bases[recipe.sites.strand == -1]
    assert len(forward)
    assert len(reverse)
    assert (forward == forward[0]).all()
    assert (reverse == reverse_complement(forward[0])).all()
    return decode(forward[0])


def test_a_permuted_motif_has_the_same_columns_in_another_order(sharp, setting):
    concept = sharp()
    assert planted(dict(concept.recipes(setting))["4"]) == CONSENSUS
    opposite = decode(reverse_complement(encode(CONSENSUS)))
    found = []
    for replicate in range(6):
        recipes = {
            variant: own_control(concept, variant, recipe, replicate, setting)
            for variant, recipe in concept.recipes(setting)
        }
        sequences = {planted(recipe) for recipe in recipes.values()}
        assert len(sequences) == 1
        (sequence,) = sequences
        assert sorted(sequence) == sorted(CONSENSUS)
        assert sequence not in (CONSENSUS, opposite)
        one, four = recipes["1"], recipes["4"]
        np.testing.assert_array_equal(one.regions.start, four.regions.start)
        np.testing.assert_array_equal(one.folds, four.folds)
        assert (one.sites.start.shape, four.sites.start.shape) == ((N, 1), (N, 4))
        found.append((sequence, one.regions.start))
    assert len({sequence for sequence, _ in found}) >= 5
    assert (found[0][1] == found[1][1]).mean() < 0.1


def test_columns_themselves_are_permuted_not_their_bases(sharp, setting):
    concept = sharp(sites="pwm", copies=[4])
    recipe = own_control(concept, "4", next(concept.recipes(setting))[1], 0, setting)
    forward = recipe.sites.bases[recipe.sites.strand == 1]
    best = [LETTERS[np.bincount(column).argmax()] for column in forward.T]
    assert sorted(best) == sorted(CONSENSUS)
    assert 0.9 < (forward == encode("".join(best))).mean() < 1


def test_a_permuted_control_keeps_margins_bins_and_regions(sharp, setting, folder):
    file = str(folder / "regions.bed")
    concepts = read_catalogue(
        filled(
            "concepts",
            {
                "s": {
                    "source": "motifs",
                    "file": str(folder / "sharp.meme"),
                    "copies": [2],
                    "bins": 2,
                    "start_margin": 4,
                    "into": file,
                    "control": "permuted_motifs",
                }
            },
        )
    )
    lines = [line.split("\t") for line in (folder / "regions.bed").read_text().splitlines()]
    centres = {int(start) + 15 - WINDOW // 2 for _, start, *_ in lines}
    for concept, (start, end) in zip(concepts, ((4, 34), (34, 64)), strict=True):
        recipe = own_control(concept, "2", next(concept.recipes(setting))[1], 0, setting)
        assert recipe.sites.start.min() >= start
        assert (recipe.sites.start + recipe.sites.width).max() <= end
        assert set(recipe.regions.start.tolist()) <= centres


def test_both_motifs_of_a_pair_are_permuted(sharp, setting):
    concept = sharp(source="motif_pairs", first=["sharp"], second=["sharp"], copies=[2])
    recipe = own_control(concept, "2", next(concept.recipes(setting))[1], 0, setting)
    start, strand, width = (column.astype(int) for column in recipe.sites[:3])
    assert (start[:, 1::2] - start[:, ::2] - width[:, ::2] == 5).all()
    turned = strand[:, ::2] == -1
    halves = [recipe.sites.bases[:, side::2] for side in (0, 1)]
    parts = [{row.tobytes() for row in half[~turned]} for half in halves]
    (first,), (second,) = parts
    letters = [decode(np.frombuffer(part, np.uint8)) for part in (first, second)]
    assert all(sorted(part) == sorted(CONSENSUS) for part in letters)
    assert CONSENSUS not in letters
    assert letters[0] != letters[1]


# --- other own controls --------------------------------------------------------------------------


@pytest.mark.parametrize("source", ["motifs", "regions", "sequences", "gc_content"])
def test_gc_matched_windows_match_row_by_row(sharp, setting, folder, source):
    definition = {
        "motifs": {"file": str(folder / "sharp.meme"), "copies": [2]},
        "regions": {"file": str(folder / "regions.bed")},
        "sequences": {"file": str(folder / "negatives.fa")},
        "gc_content": {"steps": [0.45]},
    }[source]
    concept = only(source=source, control="gc_matched", **definition)
    variant, recipe = next(concept.recipes(setting))
    wanted = gc_content(realise(recipe, setting.genome))
    replicates = [
        own_control(concept, variant, recipe, number, setting, gc_tolerance=0.03)
        for number in range(2)
    ]
    for control in replicates:
        found = gc_content(realise(control, setting.genome))
        assert np.abs(found - wanted).max() <= 0.03 + 1e-9
        assert np.abs(found[::-1] - wanted).max() > 0.03
        np.testing.assert_array_equal(control.folds == TEST, recipe.folds == TEST)
        assert control.sites is None
        assert len(set(zip(control.regions.contig, control.regions.start, strict=True))) == N
        block = list(zip(control.regions.contig, control.regions.start // 1024, strict=True))
        folds = dict(zip(block, control.folds, strict=True))
        assert [folds[key] for key in block] == control.folds.tolist()
    assert (replicates[0].regions.start == replicates[1].regions.start).mean() < 0.2
    again = own_control(concept, variant, recipe, 0, setting, gc_tolerance=0.03)
    np.testing.assert_array_equal(again.regions.start, replicates[0].regions.start)


def test_gc_that_no_window_has_is_an_error_with_numbers(setting):
    concept = only(source="gc_content", steps=[1.0], control="gc_matched")
    variant, recipe = next(concept.recipes(setting))
    with pytest.raises(InputError, match=r"45 of 45 examples of the training part found no window"):
        own_control(concept, variant, recipe, 0, setting)


def test_no_window_is_further_from_its_example_than_the_tolerance(tmp_path, setting):
    rng = np.random.default_rng(2)
    file = tmp_path / "odd.fa"
    # 31 of 63 known bases: the nearest that a window of 64 known ones can have is 0.0077 away
    codes = [rng.permutation(np.repeat([0, 1, 4], [32, 31, 1])) for _ in range(80)]
    file.write_text("".join(f">{i}\n{decode(row)}\n" for i, row in enumerate(codes)))
    concept = only(source="sequences", file=str(file), control="gc_matched")
    variant, recipe = next(concept.recipes(setting))
    control = own_control(concept, variant, recipe, 0, setting, gc_tolerance=0.008)
    gc = gc_content(realise(control, setting.genome))
    assert set(gc * 64) <= {31, 32}
    with pytest.raises(InputError, match=r"found no window within 0\.003 of their GC content"):
        own_control(concept, variant, recipe, 0, setting, gc_tolerance=0.003)


def dinucleotides(codes):
    pairs = codes[:, :-1].astype(int) * 5 + codes[:, 1:]
    return np.stack([np.bincount(row, minlength=25) for row in pairs])


def test_shuffled_controls_are_the_examples_shuffled(sharp, setting):
    concept = sharp(control="shuffled")
    shuffles = []
    for variant, recipe in concept.recipes(setting):
        codes = realise(recipe, setting.genome)
        for replicate in range(2):
            control = own_control(concept, variant, recipe, replicate, setting)
            shuffled = realise(control, setting.genome)
            np.testing.assert_array_equal(dinucleotides(shuffled), dinucleotides(codes))
            assert (shuffled != codes).any(axis=1).all()
            np.testing.assert_array_equal(control.folds, recipe.folds)
            np.testing.assert_array_equal(control.regions.start, recipe.regions.start)
            shuffles.append(control.shuffle)
    # each variant and replicate has seeds of its own
    assert len(set(np.concatenate(shuffles).tolist())) == 4 * N


@pytest.mark.parametrize("control", ["gc_matched", "permuted_motifs", "shuffled"])
def test_no_two_concepts_share_the_stream_of_a_control(sharp, setting, control):
    made = []
    for identity in ("one", "two"):
        concept = replace(sharp(control=control), id=identity)
        recipe = dict(sharp().recipes(setting))["4"]
        made.append(rows(own_control(concept, "4", recipe, 0, setting), setting.genome))
    assert sum(a == b for a, b in zip(*made, strict=True)) < 0.1 * N


def test_a_control_is_on_the_sides_of_the_genome(sharp, setting):
    """No window of a control overlaps one that is on another side, of the concept or a control."""
    fold_of_base = np.full(len(setting.genome.codes), -9, np.int16)
    placed = []
    for control in ("gc_matched", "permuted_motifs", "shuffled"):
        concept = sharp(control=control)
        for variant, recipe in concept.recipes(setting):
            placed.append(recipe)
            placed += [own_control(concept, variant, recipe, i, setting) for i in range(3)]
    placed += [recipe for _, recipe in control_recipes("random", 5, setting)]
    covered = [
        (setting.genome.offsets[r.regions.contig] + r.regions.start)[:, None] + np.arange(WINDOW)
        for r in placed
    ]
    for recipe, bases in zip(placed, covered, strict=True):
        fold_of_base[bases] = recipe.folds[:, None]
    conflicts = [
        (fold_of_base[bases] != recipe.folds[:, None]).sum()
        for recipe, bases in zip(placed, covered, strict=True)
    ]
    assert sum(conflicts) == 0
    # far more windows than fit side by side: sides drawn by lot would have collided
    assert sum(len(recipe.folds) for recipe in placed) * WINDOW > 1.5 * (fold_of_base > -9).sum()


def test_a_function_has_no_sequences_to_make_a_control_of(setting):
    for control, message in (
        ("gc_matched", "cannot make control 'gc_matched'"),
        ("shuffled", "no DNA"),
        ("permuted_motifs", "cannot make control 'permuted_motifs'"),
        ("low_signal", "cannot make control 'low_signal'"),
    ):
        concept = only(source="function", function="package.module:f", control=control)
        _, recipe = next(concept.recipes(setting))
        with pytest.raises(InputError, match=message):
            own_control(concept, "all", recipe, 0, setting)


# --- which control fits which concept ------------------------------------------------------------


def test_controls_that_fit_pass(sharp, shared):
    for name in ("gc_matched", "permuted_motifs", "shuffled", "random", "open"):
        check_control(sharp(control=name), shared)
    check_control(only(source="signal", track="open"), shared)
    assert only(source="signal", track="open").control == "low_signal"


def test_unknown_and_unfitting_controls_are_errors(sharp, shared, folder):
    with pytest.raises(
        InputError, match=r"concepts\.s\.control: no control 'opne'; did you mean 'op"
    ):
        check_control(sharp(control="opne"), shared)
    known = ", ".join([*shared, *OWN])
    with pytest.raises(InputError, match=f"no control 'zzz'; there are {known}"):
        check_control(sharp(control="zzz"), shared)
    regions = {"source": "regions", "file": str(folder / "regions.bed")}
    with pytest.raises(
        InputError, match=r"permuted_motifs is for concepts of source motifs, 'x' is of"
    ):
        check_control(only(**regions, control="permuted_motifs"), shared)
    with pytest.raises(InputError, match=r"low_signal is for concepts of source signal, 'x' is of"):
        check_control(only(**regions, control="low_signal"), shared)
    gc = only(source="gc_content", control="permuted_motifs")
    with pytest.raises(InputError, match=r"concepts\.s\.control: .*'s' is of source gc_content"):
        check_control(gc, shared)


def test_controls_that_cannot_be_made_are_errors_before_anything_is_drawn(sharp, shared, folder):
    motifs = {"source": "motifs", "file": str(folder / "sharp.meme")}
    twice = {"source": "shuffled", "of": "m", "control": "shuffled"}
    concepts = read_catalogue(filled("concepts", {"m": motifs, "s": twice}))
    function = {"source": "function", "function": "package.module:f"}
    unfit = [
        (only(**function, control="gc_matched"), "gc_matched", "function"),
        (only(**function, control="shuffled"), "shuffled", "function"),
        (concepts[-1], "shuffled", "shuffled"),
    ]
    for concept, control, source in unfit:
        message = rf"s\.control: {control} cannot be made of concepts of source {source}; choose"
        with pytest.raises(InputError, match=message):
            check_control(concept, shared)
    check_control(replace(concepts[-1], control="gc_matched"), shared)
    check_control(only(**function, control="random"), shared)


def test_replicates_that_must_have_examples_in_common_are_told(folder, setting, caplog):
    regions = {"source": "regions", "file": str(folder / "regions.bed")}
    definition = filled("controls", {"open": regions})["open"]
    available = shared_control("open", definition).availability(setting).available
    enough = available // N - 1
    for replicates, told in ((enough, False), (enough + 1, True), (1, False)):
        caplog.clear()
        list(control_recipes("open", replicates, setting, definition))
        warned = [record.getMessage() for record in caplog.records]
        assert len(warned) == told
        assert all(text.startswith(f"control open: {available} examples") for text in warned)
