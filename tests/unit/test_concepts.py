from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tpcav_core.concepts import SCHEMA, Recipe, from_table, head, realise, take, to_table
from tpcav_core.controls import control_recipes, own_control
from tpcav_core.genome import encode
from tpcav_core.motifs import Motif
from tpcav_core.planting import plant
from tpcav_core.sampling import draw_windows
from tpcav_core.shuffling import dinucleotide_shuffle
from tpcav_core.sources.base import Setting
from tpcav_core.sources.motifs import MotifConcept
from tpcav_core.splits import TEST


def pwm_of(sequence):
    return np.eye(4)[encode(sequence)]


MOTIFS = {
    "one": Motif("one", (pwm_of("ACGTTGCA"),)),
    "several": Motif("several", (pwm_of("AACCGG"), pwm_of("TTT"), pwm_of("ACACACAC"))),
}


def concept(name="one", motif="one", **changes):
    content = {"label": name, "set": "s", "copies": (1, 4)}
    return MotifConcept(id=name, motif=MOTIFS[motif], **{**content, **changes})


def windows_of(sampling):
    """A setting of random windows: they need the sampling alone."""
    return Setting(None, sampling)


def recipes(sampling, *arguments, **options):
    return dict(concept(*arguments, **options).recipes(windows_of(sampling)))


def controls(name, replicates, sampling):
    return control_recipes(name, replicates, windows_of(sampling))


def same(left, right):
    """Whether two recipes are equal; beyond the width of a site its array may be wider."""
    for name in ("regions", "signal"):
        a, b = getattr(left, name), getattr(right, name)
        assert (a is None) == (b is None)
        for one, other in zip(a or (), b or (), strict=True):
            np.testing.assert_array_equal(one, other)
    for name in ("folds", "bases", "shuffle"):
        a, b = getattr(left, name), getattr(right, name)
        assert (a is None) == (b is None)
        if a is not None:
            np.testing.assert_array_equal(a, b)
            assert a.dtype == b.dtype
    assert left.call == right.call
    if left.sites is None or right.sites is None:
        assert left.sites is right.sites
        return
    for name in ("start", "strand", "width"):
        np.testing.assert_array_equal(getattr(left.sites, name), getattr(right.sites, name))
    w = min(left.sites.bases.shape[2], right.sites.bases.shape[2])
    np.testing.assert_array_equal(left.sites.bases[..., :w], right.sites.bases[..., :w])
    assert (left.sites.bases[..., w:] == 4).all()
    assert (right.sites.bases[..., w:] == 4).all()


@pytest.mark.parametrize("motif", MOTIFS)
def test_recipe_to_table_to_recipe_is_the_identity(toy_sampling, toy_genome, motif, tmp_path):
    for variant, recipe in recipes(toy_sampling(), "c", motif).items():
        table = to_table("c", variant, recipe, toy_genome.names)
        assert table.schema == SCHEMA
        assert set(table["concept"].to_pylist()) == {"c"}
        assert set(table["variant"].to_pylist()) == {variant}
        same(from_table(table, toy_genome), recipe)
        pq.write_table(table, tmp_path / "t.parquet")
        back = from_table(pq.read_table(tmp_path / "t.parquet"), toy_genome)
        same(back, recipe)
        np.testing.assert_array_equal(realise(back, toy_genome), realise(recipe, toy_genome))


def test_a_table_in_pieces_gives_the_same_recipe(toy_sampling, toy_genome):
    recipe = recipes(toy_sampling())["4"]
    table = to_table("c", "4", recipe, toy_genome.names)
    pieces = pa.concat_tables([table.slice(0, 20), table.slice(20)])
    same(from_table(pieces, toy_genome), recipe)


def test_controls_survive_the_table_without_sites(toy_sampling, toy_genome):
    for replicate, recipe in controls("random", 2, toy_sampling()):
        table = to_table("random", replicate, recipe, toy_genome.names)
        assert table["site_bases"].null_count == len(table)
        same(from_table(table, toy_genome), recipe)


def test_a_table_of_a_genome_with_other_contig_numbers_finds_its_contigs(toy_sampling, toy_genome):
    recipe = recipes(toy_sampling())["1"]
    table = to_table("c", "1", recipe, toy_genome.names)
    order = [2, 0, 1]
    codes = [
        toy_genome.codes[toy_genome.offsets[i] : toy_genome.offsets[i] + toy_genome.lengths[i]]
        for i in order
    ]
    lengths = toy_genome.lengths[order]
    other = type(toy_genome)(
        names=tuple(toy_genome.names[i] for i in order),
        lengths=lengths,
        offsets=np.cumsum(lengths) - lengths,
        codes=np.concatenate(codes),
        unknown=toy_genome.unknown,
    )
    back = from_table(table, other)
    assert not np.array_equal(back.regions.contig, recipe.regions.contig)
    np.testing.assert_array_equal(realise(back, other), realise(recipe, toy_genome))


@pytest.mark.parametrize("motif", MOTIFS)
def test_realise_plants_into_the_windows_of_the_genome(toy_sampling, toy_genome, motif):
    recipe = recipes(toy_sampling(), "c", motif)["4"]
    regions = recipe.regions
    backgrounds = toy_genome.windows(regions.contig, regions.start, 64, regions.strand)
    codes = realise(recipe, toy_genome)
    assert codes.shape == (60, 64)
    assert codes.dtype == np.uint8
    np.testing.assert_array_equal(codes, plant(backgrounds, recipe.sites))
    planted = np.zeros(codes.shape, bool)
    for row in range(60):
        for start, width in zip(recipe.sites.start[row], recipe.sites.width[row], strict=True):
            planted[row, start : start + width] = True
    np.testing.assert_array_equal(codes[~planted], backgrounds[~planted])
    assert (codes != backgrounds)[planted].mean() > 0.5


def test_the_motif_is_there_as_often_as_asked(toy_sampling, toy_genome):
    sequence, reverse = encode("ACGTTGCA"), encode("TGCAACGT")
    codes = realise(recipes(toy_sampling())["4"], toy_genome)
    windows = np.lib.stride_tricks.sliding_window_view(codes, 8, axis=1)
    found = ((windows == sequence).all(-1) | (windows == reverse).all(-1)).sum(axis=1)
    assert (found >= 4).all()


@pytest.mark.parametrize(
    "rows", [slice(0, 7), slice(50, 200), slice(None, None, 3), np.array([5, 1, 1])], ids=str
)
def test_some_rows_are_those_rows_of_all(toy_sampling, toy_genome, rows):
    for recipe in recipes(toy_sampling()).values():
        np.testing.assert_array_equal(
            realise(take(recipe, rows), toy_genome), realise(recipe, toy_genome)[rows]
        )


@pytest.mark.parametrize("n", [0, 1, 17, 60, 100])
def test_the_head_is_the_first_examples(toy_sampling, toy_genome, n):
    recipe = recipes(toy_sampling(), "c", "several")["4"]
    part = head(recipe, n)
    assert len(part.folds) == min(n, 60)
    if n:
        np.testing.assert_array_equal(realise(part, toy_genome), realise(recipe, toy_genome)[:n])
    assert head(next(controls("r", 1, toy_sampling()))[1], 3).sites is None


def test_the_same_seed_gives_the_same_recipes_whatever_else_is_made(toy_sampling):
    sampling = toy_sampling()
    alone = recipes(sampling, "b")
    recipes(sampling, "a")
    list(controls("random", 3, sampling))
    for variant, recipe in recipes(toy_sampling(), "b").items():
        same(recipe, alone[variant])
    # one variant does not depend on which others there are
    same(recipes(sampling, "b", copies=(4,))["4"], alone["4"])


def places(recipe):
    return set(zip(recipe.regions.contig.tolist(), recipe.regions.start.tolist(), strict=True))


def test_no_two_concepts_share_a_stream(toy_sampling):
    sampling = toy_sampling()
    drawn = [recipes(sampling, name)["4"] for name in ("a", "b")]
    drawn += [recipes(toy_sampling(seed=2), "a")["4"]]
    for index, left in enumerate(drawn):
        for right in drawn[:index]:
            assert len(places(left) & places(right)) < 5
            assert (left.sites.start == right.sites.start).all(axis=1).mean() < 0.1
            assert 0.25 < (left.sites.strand == right.sites.strand).mean() < 0.75
            assert 0.25 < (left.regions.strand == right.regions.strand).mean() < 0.75


def test_controls_share_no_stream_with_each_other_or_with_concepts(toy_sampling):
    sampling = toy_sampling()
    drawn = [recipe for _, recipe in controls("a", 3, sampling)]
    drawn += [recipe for _, recipe in controls("b", 1, sampling)]
    drawn += [recipes(sampling, "a")["1"]]
    for index, left in enumerate(drawn):
        for right in drawn[:index]:
            assert len(places(left) & places(right)) < 5
    # more replicates do not change the first ones
    same(drawn[0], dict(controls("a", 1, sampling))["0"])


def test_variants_share_backgrounds_but_not_sites(toy_sampling):
    one, four = (recipes(toy_sampling())[variant] for variant in ("1", "4"))
    same(one._replace(sites=None), four._replace(sites=None))
    assert (one.sites.start[:, 0] == four.sites.start[:, 0]).mean() < 0.3


def test_options_of_the_concept_reach_the_sites(toy_sampling):
    forward = recipes(toy_sampling(), both_strands=False)["4"]
    assert (forward.sites.strand == 1).all()
    for start, end in ((10, 10), (10, 4), (0, 20)):
        margins = {"start_margin": start, "end_margin": end}
        inner = recipes(toy_sampling(n=200), **margins)["4"]
        assert inner.sites.start.min() == start
        assert (inner.sites.start + inner.sites.width).max() == 64 - end


def test_as_many_examples_as_asked_with_the_exact_test_share(toy_sampling):
    for recipe in recipes(toy_sampling(n=60)).values():
        assert len(recipe.folds) == len(recipe.sites.start) == 60
        assert (recipe.folds == TEST).sum() == 15


CALL = '{"function": "net.py:examples", "kwargs": {"x": "ä\\"\\\\"}, "n": 60, "seed": 3}'


def of_kind(kind, sampling):
    """A recipe of each kind that a source or a control makes."""
    rng = np.random.default_rng(5)
    n = sampling.n
    regions, folds = draw_windows(sampling, "here")
    elsewhere, _ = draw_windows(sampling, "there")
    planted = recipes(sampling, "c", "several")["4"]
    bases = rng.integers(0, 5, (n, 64), dtype=np.uint8)
    shuffle = rng.integers(0, 2**62, n)
    shuffle[:2] = 0, 2**62 - 1
    return {
        "windows": Recipe(regions, folds),
        "bases": Recipe(None, folds, bases=bases),
        "bases with signal": Recipe(None, folds, bases=bases, signal=elsewhere),
        "bases, planted": Recipe(None, folds, sites=planted.sites, bases=bases),
        "shuffled": Recipe(regions, folds, shuffle=shuffle),
        "planted, then shuffled": planted._replace(shuffle=shuffle),
        "signal from elsewhere": Recipe(regions, folds, signal=elsewhere),
        "call": Recipe(None, folds, call=CALL),
        "everything": planted._replace(shuffle=shuffle, signal=elsewhere),
    }[kind]


KINDS = [
    "windows",
    "bases",
    "bases with signal",
    "bases, planted",
    "shuffled",
    "planted, then shuffled",
    "signal from elsewhere",
    "call",
    "everything",
]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("control", [None, "2"])
def test_every_kind_of_recipe_survives_the_table_and_parquet(
    toy_sampling, toy_genome, kind, control, tmp_path
):
    recipe = of_kind(kind, toy_sampling())
    table = to_table("c", "v", recipe, toy_genome.names, control)
    assert table.schema == SCHEMA
    assert set(table["control"].to_pylist()) == {control}
    pq.write_table(table, tmp_path / "t.parquet")
    for back in (table, pq.read_table(tmp_path / "t.parquet"), pq.read_table(tmp_path)):
        same(from_table(back, toy_genome), recipe)
        if kind != "call":
            np.testing.assert_array_equal(
                realise(from_table(back, toy_genome), toy_genome), realise(recipe, toy_genome)
            )


@pytest.mark.parametrize("kind", ["bases", "call"])
def test_examples_without_a_place_need_no_genome(toy_sampling, kind):
    recipe = of_kind(kind, toy_sampling())
    same(from_table(to_table("c", "v", recipe, ()), None), recipe)


def test_recipes_of_all_kinds_share_one_file(toy_sampling, toy_genome, tmp_path):
    made = {kind: of_kind(kind, toy_sampling()) for kind in KINDS}
    with pq.ParquetWriter(tmp_path / "t.parquet", SCHEMA) as writer:
        for kind, recipe in made.items():
            writer.write_table(to_table(kind, "v", recipe, toy_genome.names))
    with pq.ParquetFile(tmp_path / "t.parquet") as file:
        assert file.num_row_groups == len(KINDS)
        for index, recipe in enumerate(made.values()):
            same(from_table(file.read_row_group(index), toy_genome), recipe)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "rows", [slice(0, 7), slice(50, 200), slice(None, None, 3), np.array([5, 1, 1])], ids=str
)
def test_take_slices_everything_a_recipe_has(toy_sampling, toy_genome, kind, rows):
    recipe = of_kind(kind, toy_sampling())
    part = take(recipe, rows)
    wanted = np.arange(60)[rows]
    np.testing.assert_array_equal(part.folds, recipe.folds[wanted])
    for name in ("regions", "signal", "sites"):
        whole, found = getattr(recipe, name), getattr(part, name)
        assert type(found) is type(whole)
        for mine, all_of_it in zip(found or (), whole or (), strict=True):
            np.testing.assert_array_equal(mine, all_of_it[wanted])
    for name in ("bases", "shuffle"):
        whole, found = getattr(recipe, name), getattr(part, name)
        assert (found is None) == (whole is None)
        if whole is not None:
            np.testing.assert_array_equal(found, whole[wanted])
    assert part.call == recipe.call
    if kind != "call":
        np.testing.assert_array_equal(
            realise(part, toy_genome), realise(recipe, toy_genome)[wanted]
        )


def test_sequences_are_planted_first_and_shuffled_last(toy_sampling, toy_genome):
    recipe = of_kind("planted, then shuffled", toy_sampling())
    planted = realise(recipe._replace(shuffle=None), toy_genome)
    found = realise(recipe, toy_genome)
    np.testing.assert_array_equal(found, dinucleotide_shuffle(planted, recipe.shuffle))
    assert (found != planted).any(axis=1).all()
    np.testing.assert_array_equal(np.sort(found), np.sort(planted))


def test_own_bases_are_the_sequences(toy_sampling, toy_genome):
    recipe = of_kind("bases with signal", toy_sampling())
    np.testing.assert_array_equal(realise(recipe, toy_genome), recipe.bases)
    planted = of_kind("bases, planted", toy_sampling())
    np.testing.assert_array_equal(realise(planted, toy_genome), plant(planted.bases, planted.sites))


def test_the_examples_of_a_function_have_no_sequences(toy_sampling, toy_genome):
    with pytest.raises(ValueError, match="no sequences"):
        realise(of_kind("call", toy_sampling()), toy_genome)


def test_own_controls_share_no_stream_with_their_concept_or_each_other(toy_sampling, toy_genome):
    setting = Setting(toy_genome, toy_sampling())
    one = concept("a", control="permuted_motifs")
    recipe = dict(one.recipes(setting))["4"]
    drawn = [recipe, *(own_control(one, "4", recipe, number, setting) for number in range(2))]
    drawn.append(own_control(concept("b", control="permuted_motifs"), "4", recipe, 0, setting))
    for index, left in enumerate(drawn):
        assert (left.folds == TEST).sum() == 15
        for right in drawn[:index]:
            assert len(places(left) & places(right)) < 5
            assert (left.sites.start == right.sites.start).all(axis=1).mean() < 0.1
    same(own_control(one, "4", recipe, 1, setting), drawn[2])
