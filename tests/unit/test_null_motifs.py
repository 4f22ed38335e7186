from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import pytest

from tests.conftest import WINDOW
from tpcav_core.concepts import realise, to_table
from tpcav_core.errors import InputError
from tpcav_core.genome import reverse_complement
from tpcav_core.motifs import Motif
from tpcav_core.names import null_of
from tpcav_core.planting import MotifPair
from tpcav_core.sources.base import Setting, file_safe_ids
from tpcav_core.sources.motifs import MotifConcept
from tpcav_core.sources.null_motifs import _made, null_motif, permutations

N = 40


def sharp(order, label="m"):
    """A motif whose every site spells its columns: base ``order[i]`` at position i."""
    return Motif(label, (np.eye(4)[list(order)],))


#: columns that no rearrangement leaves in place, and that tell orders apart
FIRST = sharp([0, 0, 0, 1, 1, 2, 3, 3], "first")
SECOND = sharp([3, 2, 2, 2, 0, 1], "second")


def concept(motif=FIRST, identity="M1", **options):
    own = {"id": identity, "label": motif.label, "set": "s", "motif": motif, "copies": (1, 3)}
    return MotifConcept(**{**own, **options})


@pytest.fixture
def setting(toy_genome, toy_sampling):
    return lambda n=N, **options: Setting(toy_genome, toy_sampling(n, **options))


def recipes(one, setting):
    return dict(one.recipes(setting))


def planted_words(recipe):
    """The words that are planted, as the motif has them, whatever strand they are on."""
    sites = recipe.sites
    words = set()
    for bases, strands, widths in zip(sites.bases, sites.strand, sites.width, strict=True):
        for word, strand, width in zip(bases, strands, widths, strict=True):
            forward = word[:width] if strand > 0 else reverse_complement(word[None, :width])[0]
            words.add(tuple(int(base) for base in forward))
    return words


def forward(one):
    """The same concept, planted on one strand only."""
    return replace(one, both_strands=False)


# what is planted


@pytest.mark.parametrize("number", range(6))
def test_columns_are_those_of_the_motif_in_another_order(setting, number):
    null = null_motif(forward(concept()), number)
    for recipe in recipes(null, setting()).values():
        (word,) = planted_words(recipe)
        original = FIRST.pwms[0].argmax(axis=1).tolist()
        assert sorted(word) == sorted(original)
        assert list(word) != original
        turned = reverse_complement(np.array([original], np.uint8))[0].tolist()
        assert list(word) != turned


def test_columns_that_are_no_single_bases_are_kept_as_a_whole(monkeypatch, setting):
    pwm = np.random.default_rng(1).dirichlet(np.ones(4), 7)
    seen = []
    original = MotifConcept._sites

    def spy(self, motif, *arguments):
        seen.append(motif)
        return original(self, motif, *arguments)

    monkeypatch.setattr(MotifConcept, "_sites", spy)
    null = null_motif(concept(Motif("soft", (pwm,))), 2)
    recipes(null, setting())
    # one permutation for all variants
    assert len(seen) == 2
    for motif in seen:
        (permuted,) = motif.pwms
        assert sorted(map(tuple, permuted)) == sorted(map(tuple, pwm))
        assert not np.array_equal(permuted, pwm)
        np.testing.assert_array_equal(permuted, seen[0].pwms[0])
    assert null.facts["information_content"] == pytest.approx(seen[0].information_content)
    assert null.facts["information_content_gc"] == pytest.approx(seen[0].information_content_gc)


def test_variants_are_those_of_the_motif_with_as_many_sites_and_equal_folds(setting):
    one = concept(copies=(2, 4, 1), start_margin=8, end_margin=4)
    null = null_motif(one, 3)
    assert null.variants == one.variants == ("2", "4", "1")
    found, expected = recipes(null, setting()), recipes(one, setting())
    assert list(found) == list(expected)
    for variant, recipe in found.items():
        assert len(recipe.folds) == N
        assert recipe.sites.start.shape == (N, int(variant))
        assert (recipe.sites.width == 8).all()
        assert (recipe.sites.start >= 8).all()
        assert (recipe.sites.start + recipe.sites.width <= WINDOW - 4).all()
        # as many examples test
        assert (recipe.folds == -1).sum() == (expected[variant].folds == -1).sum()


def test_backgrounds_are_its_own_and_shared_by_its_variants(setting):
    one = concept()
    sets = [recipes(other, setting()) for other in (one, null_motif(one, 0), null_motif(one, 1))]
    starts = []
    for found in sets:
        first, *others = found.values()
        for recipe in others:
            np.testing.assert_array_equal(recipe.regions.start, first.regions.start)
            np.testing.assert_array_equal(recipe.regions.contig, first.regions.contig)
        starts.append(first.regions.start)
    for index in range(3):
        for other in range(index):
            assert (starts[index] == starts[other]).mean() < 0.1


def test_all_but_the_order_of_columns_and_the_identity_is_that_of_the_concept():
    one = concept(
        copies=(2,), both_strands=False, start_margin=3, end_margin=4, bin=(1, 2), consensus=True
    )
    one = replace(one, control="permuted_motifs")
    null = null_motif(one, 5)
    for name in (
        "set", "control", "motif", "copies", "both_strands", "start_margin", "end_margin",
        "bin", "consensus", "into", "source", "facts",
    ):  # fmt: skip
        assert getattr(null, name) == getattr(one, name)
    assert (null.of, null.number) == ("M1", 5)
    assert null.label == "first, columns permuted (5)"
    null.check_window(WINDOW, "m")
    with pytest.raises(InputError, match="plant fewer copies"):
        null.check_window(20, "m")


def test_of_a_pair_the_columns_of_each_are_permuted_and_the_distance_is_kept(setting):
    pair = MotifPair(FIRST, SECOND, 5, "+-")
    null = null_motif(concept(pair, copies=(1, 2)), 1)
    seen = set()
    for variant, recipe in recipes(null, setting()).items():
        sites = recipe.sites
        assert sites.start.shape == (N, 2 * int(variant))
        assert set(np.unique(sites.width)) == {6, 8}
        seen |= planted_words(recipe)
    lengths = {8: FIRST, 6: SECOND}
    assert {len(word) for word in seen} == {6, 8}
    for word in seen:
        original = lengths[len(word)].pwms[0].argmax(axis=1)
        assert sorted(word) == sorted(original.tolist())
        assert word != tuple(original)
    # one order of each in all examples
    assert len(seen) == 2
    gaps = []
    for recipe in (recipes(null, setting())["1"], recipes(concept(pair), setting())["1"]):
        order = np.argsort(recipe.sites.start, axis=1)
        start = np.take_along_axis(recipe.sites.start, order, axis=1)
        width = np.take_along_axis(recipe.sites.width, order, axis=1)
        gaps.append(set((start[:, 1] - start[:, 0] - width[:, 0]).tolist()))
    assert gaps[0] == gaps[1] == {5}


# seeds


def same(left, right):
    return all(
        to_table("c", "v", left[name], ["chrA", "chrB", "tiny"]).equals(
            to_table("c", "v", right[name], ["chrA", "chrB", "tiny"])
        )
        for name in left
    )


def test_the_same_seed_gives_the_same_bytes_and_another_seed_others(setting):
    null = null_motif(concept(), 4)
    again = null_motif(concept(), 4)
    assert same(recipes(null, setting()), recipes(again, setting()))
    assert not same(recipes(null, setting()), recipes(null, setting(seed=2)))
    codes = [realise(recipes(one, setting())["3"], setting().genome) for one in (null, again)]
    np.testing.assert_array_equal(*codes)


def test_numbers_are_different_permutations_with_sites_of_their_own(setting):
    nulls = [null_motif(forward(concept()), number) for number in range(12)]
    words, starts = [], []
    for null in nulls:
        found = recipes(null, setting())["3"]
        words += planted_words(found)
        starts.append(found.sites.start.tobytes())
    assert len(set(words)) > 8
    assert len(set(starts)) == 12


def test_permutations_of_one_motif_in_two_concepts_are_other_ones(setting):
    found = []
    for identity in ("M1", "M2"):
        null = null_motif(forward(concept(identity=identity)), 0)
        (word,) = planted_words(recipes(null, setting())["1"])
        found.append(word)
    assert found[0] != found[1]


def test_the_fingerprint_tells_what_the_examples_are_made_from():
    one = concept()
    base = null_motif(one, 0)
    others = [
        one,
        null_motif(one, 1),
        null_motif(concept(identity="M2"), 0),
        null_motif(concept(SECOND), 0),
        null_motif(concept(copies=(1, 4)), 0),
        null_motif(concept(both_strands=False), 0),
        null_motif(concept(control="permuted_motifs"), 0),
    ]
    prints = [other.fingerprint() for other in (base, *others)]
    assert len(set(prints)) == len(prints)
    assert null_motif(concept(), 0).fingerprint() == base.fingerprint()


# ids


@pytest.mark.parametrize("identity", ["M1", "a.null", "a.null12", "A-1_x.bin1of2", "a.nullb.b"])
@pytest.mark.parametrize("number", [0, 7, 9999, 10_000, 123_456])
def test_the_id_tells_the_concept_and_the_number(identity, number):
    null = null_motif(concept(identity=identity), number)
    assert null_of(null.id) == (identity, number)
    assert file_safe_ids([null.id])[0] != null.id


@pytest.mark.parametrize(
    "identity", ["M1", "null0001", "M1.null", "M1.null12", "M1.null0001.bin1of2", "M1.nullable", ""]
)
def test_other_ids_are_of_no_null(identity):
    assert null_of(identity) is None


@pytest.mark.parametrize("label", ["M1.null0001", "M1 x.null00012", "M1.NULL0001", "a/.null0003"])
def test_a_concept_of_the_user_never_has_the_id_of_a_null(label):
    for prefix in ("", "p_"):
        (identity,) = file_safe_ids([label], prefix)
        assert null_of(identity) is None
        assert null_of(identity.casefold()) is None
        # other ids that are made of the label stay as they were
    (identity,) = file_safe_ids([label.replace("0", "x")])
    assert "-" not in identity


def test_a_prefix_that_completes_the_id_of_a_null_does_not_make_one():
    (identity,) = file_safe_ids(["0001"], "M1.null")
    assert null_of(identity) is None


#: motifs and how many orders of their columns are neither their own nor its reverse complement;
#: and how many of them there are if an order and its reverse complement are one
COUNTED = {
    "one base": ([0] * 6, 0, 0),
    "one column": ([1], 0, 0),
    "CG": ([1, 2], 1, 1),
    "TATA": ([3, 0, 3, 0], 5, 4),
    "AAAAT": ([0, 0, 0, 0, 3], 4, 4),
    "GATA": ([2, 0, 3, 0], 11, 11),
    "GATAAG": ([2, 0, 3, 0, 0, 2], 59, 59),
    "CACGTG": ([1, 0, 1, 2, 3, 2], 179, 101),
}


def turned(order):
    """The reverse complement of an order of bases."""
    return tuple(3 - base for base in reversed(order))


@pytest.mark.parametrize("both_strands", [False, True])
@pytest.mark.parametrize("name", COUNTED)
def test_no_permutation_is_made_twice_and_all_there_are(name, both_strands):
    order, *counts = COUNTED[name]
    expected = counts[both_strands]
    one = concept(sharp(order), both_strands=both_strands)
    assert permutations(one, 1000) == expected
    orders = set(itertools.permutations(order)) - {tuple(order), turned(order)}
    made = [null_motif(one, number).permutation(seed=3) for number in range(expected)]
    found = [tuple(motif.pwms[0].argmax(axis=1).tolist()) for motif in made]
    assert set(found) <= orders
    if both_strands:
        found = [min(order, turned(order)) for order in found]
        orders = {min(order, turned(order)) for order in orders}
    assert len(set(found)) == len(found)
    assert set(found) == orders


def test_a_permutation_does_not_depend_on_which_were_made_before():
    one = concept(SECOND)
    first = [null_motif(one, number).permutation(seed=8).pwms[0] for number in (7, 2, 9, 0)]
    _made.cache_clear()
    for pwm, number in zip(first, (7, 2, 9, 0), strict=True):
        np.testing.assert_array_equal(null_motif(one, number).permutation(seed=8).pwms[0], pwm)
        _made.cache_clear()


@pytest.mark.parametrize("most", [1, 4, 59, 60])
def test_permutations_are_counted_as_far_as_they_matter(most):
    assert permutations(concept(sharp(COUNTED["GATAAG"][0])), most) == min(most, 59)
    assert permutations(concept(), most) == most


def test_permutations_of_a_pair_are_those_of_both():
    both = MotifPair(sharp([3, 0, 3, 0]), sharp([2, 0, 3, 0]), 3, "++")
    assert permutations(concept(both), 1000) == 5 * 11
    made = {
        tuple(part.pwms[0].tobytes() for part in (one.first, one.second))
        for one in (null_motif(concept(both), number).permutation(seed=1) for number in range(55))
    }
    assert len(made) == 55
    assert permutations(concept(MotifPair(FIRST, sharp([2] * 5), 3, "++")), 9) == 0


def test_a_permutation_stays_if_there_are_more():
    made = [null_motif(concept(SECOND), number).permutation(seed=3) for number in range(9)]
    again = null_motif(concept(SECOND), 4).permutation(seed=3)
    np.testing.assert_array_equal(again.pwms[0], made[4].pwms[0])
    assert len({one.pwms[0].tobytes() for one in made}) == 9
