from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tpcav_core.catalogue import Concept
from tpcav_core.concepts import (
    SCHEMA,
    control_recipes,
    from_table,
    head,
    motif_recipes,
    realise,
    to_table,
)
from tpcav_core.genome import encode
from tpcav_core.motifs import Motif
from tpcav_core.planting import plant
from tpcav_core.splits import TEST


def pwm_of(sequence):
    return np.eye(4)[encode(sequence)]


MOTIFS = {
    "one": Motif("one", (pwm_of("ACGTTGCA"),)),
    "several": Motif("several", (pwm_of("AACCGG"), pwm_of("TTT"), pwm_of("ACACACAC"))),
}


def concept(name="one", motif="one", **changes):
    content = {"label": name, "set": "s", "source": "motifs", "copies": (1, 4)}
    return Concept(id=name, motif=MOTIFS[motif], **{**content, **changes})


def recipes(sampling, *arguments, **options):
    return dict(motif_recipes(concept(*arguments, **options), sampling))


def same(left, right):
    """Whether two recipes are equal; beyond the width of a site its array may be wider."""
    for a, b in zip((*left.regions, left.folds), (*right.regions, right.folds), strict=True):
        np.testing.assert_array_equal(a, b)
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
    for replicate, recipe in control_recipes("random", 2, toy_sampling()):
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
            realise(recipe, toy_genome, rows), realise(recipe, toy_genome)[rows]
        )


@pytest.mark.parametrize("n", [0, 1, 17, 60, 100])
def test_the_head_is_the_first_examples(toy_sampling, toy_genome, n):
    recipe = recipes(toy_sampling(), "c", "several")["4"]
    part = head(recipe, n)
    assert len(part.folds) == min(n, 60)
    if n:
        np.testing.assert_array_equal(
            realise(part, toy_genome), realise(recipe, toy_genome, slice(0, n))
        )
    assert head(next(control_recipes("r", 1, toy_sampling()))[1], 3).sites is None


def test_the_same_seed_gives_the_same_recipes_whatever_else_is_made(toy_sampling):
    sampling = toy_sampling()
    alone = recipes(sampling, "b")
    recipes(sampling, "a")
    list(control_recipes("random", 3, sampling))
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
    drawn = [recipe for _, recipe in control_recipes("a", 3, sampling)]
    drawn += [recipe for _, recipe in control_recipes("b", 1, sampling)]
    drawn += [recipes(sampling, "a")["1"]]
    for index, left in enumerate(drawn):
        for right in drawn[:index]:
            assert len(places(left) & places(right)) < 5
    # more replicates do not change the first ones
    same(drawn[0], dict(control_recipes("a", 1, sampling))["0"])


def test_variants_share_backgrounds_but_not_sites(toy_sampling):
    one, four = (recipes(toy_sampling())[variant] for variant in ("1", "4"))
    same(one._replace(sites=None), four._replace(sites=None))
    assert (one.sites.start[:, 0] == four.sites.start[:, 0]).mean() < 0.3


def test_options_of_the_concept_reach_the_sites(toy_sampling):
    forward = recipes(toy_sampling(), both_strands=False)["4"]
    assert (forward.sites.strand == 1).all()
    inner = recipes(toy_sampling(n=200), margin=10)["4"]
    assert inner.sites.start.min() == 10
    assert (inner.sites.start + inner.sites.width).max() == 54


def test_as_many_examples_as_asked_with_the_exact_test_share(toy_sampling):
    for recipe in recipes(toy_sampling(n=60)).values():
        assert len(recipe.folds) == len(recipe.sites.start) == 60
        assert (recipe.folds == TEST).sum() == 15
