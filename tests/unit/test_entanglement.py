from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from tpcav_core import similarity
from tpcav_core.entanglement import (
    LAYER_COLUMNS,
    LISTED,
    PAIR_COLUMNS,
    REPRODUCED,
    layer_table,
    pair_table,
)

D, REPLICATES = 400, 4


def matrix(cavs, names=None, variants=None):
    """What the step of similarities makes of CAVs (c, r, d)."""
    c = len(cavs)
    agreement = similarity.agreement(cavs)
    return pd.DataFrame(
        {
            "concept": names or list("abcdefgh")[:c],
            "variant": variants or ["4"] * c,
            "within": agreement.within,
            "cosine": list(similarity.cosines(cavs)),
            "corrected": list(agreement.corrected),
        }
    )


def noisy(directions, noise=0.3, seed=1):
    rng = np.random.default_rng(seed)
    c, d = directions.shape
    return directions[:, None] + noise * rng.normal(size=(c, REPLICATES, d)) / d**0.5


def orthogonal(c, seed=0):
    return np.linalg.qr(np.random.default_rng(seed).normal(size=(D, c)))[0].T


def pairs(table):
    return {(row.concept_1, row.concept_2): row for row in table.itertuples()}


# pairs of concepts


@pytest.mark.parametrize("noise", [0.0, 0.3, 1.0])
def test_a_concept_twice_is_inseparable_and_two_at_a_right_angle_are_not_listed(noise):
    directions = orthogonal(3)[[0, 1, 0, 2]]
    table = pair_table({("m", "l"): matrix(noisy(directions, noise))}, 0.9)
    assert list(table.columns) == PAIR_COLUMNS
    (row,) = table.itertuples()
    assert (row.model, row.layer, row.variant) == ("m", "l", "4")
    assert (row.concept_1, row.concept_2) == ("a", "c")
    assert row.inseparable
    assert row.corrected == pytest.approx(1, abs=0.06)
    # what noise of the controls hides is corrected for
    assert row.cosine <= row.corrected + 1e-9
    assert (row.cosine > 0.9) == (noise < 1)


def test_pairs_that_are_somewhat_alike_are_listed_but_can_be_told_apart():
    first, second, third = orthogonal(3)
    alike, opposite = 0.6 * first + 0.8 * second, -0.8 * first - 0.6 * third
    directions = np.stack([first, alike, opposite, third])
    found = pairs(pair_table({("m", "l"): matrix(noisy(directions))}, 0.9))
    assert set(found) == {("a", "b"), ("a", "c"), ("c", "d")}
    assert found["a", "b"].corrected == pytest.approx(0.6, abs=0.05)
    assert found["a", "c"].corrected == pytest.approx(-0.8, abs=0.05)
    assert not any(row.inseparable for row in found.values())
    # from a lower threshold on; opposites never
    found = pairs(pair_table({("m", "l"): matrix(noisy(directions))}, 0.55))
    assert [key for key, row in found.items() if row.inseparable] == [("a", "b")]


def hand_made(cosine, corrected, within, variants=("4", "4")):
    def square(value):
        return [np.array([1.0, value]), np.array([value, 1.0])]

    return pd.DataFrame(
        {
            "concept": ["a", "b"],
            "variant": list(variants),
            "within": within,
            "cosine": square(cosine),
            "corrected": square(corrected),
        }
    )


@pytest.mark.parametrize(
    ("cosine", "corrected", "within", "inseparable"),
    [
        (0.6, 0.95, [0.5, 0.5], True),
        (0.6, 0.9, [0.5, 0.5], True),
        (0.6, 0.89, [0.5, 0.5], False),
        # CAVs that cannot be reproduced: what corrects them is noise too
        (0.6, 0.95, [0.5, REPRODUCED - 0.01], False),
        (0.6, 0.95, [REPRODUCED, REPRODUCED], True),
        (0.92, 0.3, [0.1, 0.5], True),
        # a single replicate has cosines only
        (0.6, np.nan, [np.nan, np.nan], False),
        (0.95, np.nan, [np.nan, np.nan], True),
    ],
)
def test_what_makes_a_pair_inseparable(cosine, corrected, within, inseparable):
    (row,) = pair_table({("m", "l"): hand_made(cosine, corrected, within)}, 0.9).itertuples()
    assert row.inseparable == inseparable
    assert row.cosine == cosine
    noisy_pair = not min(within) >= REPRODUCED
    assert np.isnan(row.corrected) == noisy_pair
    np.testing.assert_array_equal([row.within_1, row.within_2], within)


@pytest.mark.parametrize(
    ("cosine", "corrected", "within", "listed"),
    [
        (0.1, LISTED, [0.5, 0.5], True),
        (0.1, -LISTED, [0.5, 0.5], True),
        (0.9, LISTED - 0.01, [0.5, 0.5], False),
        (LISTED, 0.0, [0.1, 0.1], True),
        (0.4, 0.99, [0.1, 0.1], False),
        (np.nan, np.nan, [np.nan, 0.5], False),
    ],
)
def test_which_pairs_are_listed(cosine, corrected, within, listed):
    table = pair_table({("m", "l"): hand_made(cosine, corrected, within)}, 0.9)
    assert len(table) == listed
    assert list(table.columns) == PAIR_COLUMNS


def test_pairs_are_of_one_variant_and_one_layer():
    directions = orthogonal(2)[[0, 1, 0, 0]]
    one = matrix(noisy(directions), names=["a", "b", "a", "b"], variants=["4", "4", "8", "8"])
    other = matrix(noisy(orthogonal(2)[[0, 0]]))
    table = pair_table({("m", "l"): one, ("m", "k"): other}, 0.9)
    keys = ["layer", "variant", "concept_1", "concept_2"]
    # a of 4 copies is a of 8 copies, but that is no pair
    assert table[keys].to_numpy().tolist() == [["l", "8", "a", "b"], ["k", "4", "a", "b"]]
    assert len(pair_table({}, 0.9)) == 0


def test_the_order_of_variants_in_a_file_does_not_matter():
    directions = orthogonal(3)[[0, 1, 0, 2, 2, 1]]
    names, variants = list("abcabc"), ["4"] * 3 + ["8"] * 3
    cavs = noisy(directions)
    straight = matrix(cavs, names, variants)
    order = [0, 3, 1, 4, 2, 5]
    mixed = matrix(
        cavs[order], *([values[place] for place in order] for values in (names, variants))
    )
    tables = [pair_table({("m", "l"): one}, 0.9) for one in (straight, mixed)]
    pd.testing.assert_frame_equal(*tables)
    assert len(tables[0]) == 2


# layers


def scores(layers, effects, variant="4", model="m", target="t"):
    return pd.DataFrame(
        [
            {
                **{"model": model, "layer": layer, "target": target},
                **{"concept": name, "variant": variant, "effect": value, "derivative": -value},
            }
            for layer in layers
            for name, value in effects.items()
        ]
    )


EFFECTS = {"a": 1.0, "b": -2.0, "c": 0.5, "d": 3.0}


def test_two_identical_layers_agree_completely():
    one = matrix(noisy(orthogonal(4)))
    matrices = {("m", "l"): one, ("m", "k"): one}
    for statistic in ("effect", "derivative"):
        table = layer_table(matrices, scores(["l", "k"], EFFECTS), statistic)
        assert list(table.columns) == LAYER_COLUMNS
        (row,) = table.to_dict("records")
        assert (row["model"], row["target"], row["variant"]) == ("m", "t", "4")
        assert (row["layer_1"], row["layer_2"], row["n_concepts"]) == ("l", "k", 4)
        for name in ("effect_correlation", "equal_sign", "similarity_correlation"):
            assert row[name] == pytest.approx(1)


def test_layers_that_disagree_are_told_by_the_statistic_asked_for():
    one = matrix(noisy(orthogonal(4)))
    turned = {name: -value for name, value in EFFECTS.items()}
    table = pd.concat([scores(["l"], EFFECTS), scores(["k"], turned)], ignore_index=True)
    (row,) = layer_table({("m", "l"): one, ("m", "k"): one}, table, "effect").to_dict("records")
    assert row["effect_correlation"] == pytest.approx(-1)
    assert row["equal_sign"] == 0
    assert row["similarity_correlation"] == pytest.approx(1)


def test_every_pair_of_layers_target_and_variant_has_a_row():
    one = matrix(noisy(orthogonal(4)))
    both = matrix(
        noisy(orthogonal(4)[[0, 1, 2, 3, 0, 1, 2, 3]]), list("abcdabcd"), ["4"] * 4 + ["8"] * 4
    )
    matrices = {("m", name): both for name in "lkj"} | {("n", "l"): one, ("n", "k"): one}
    table = pd.concat(
        [
            *(
                scores("lkj", EFFECTS, variant, target=target)
                for variant in "48"
                for target in "tu"
            ),
            scores("lk", EFFECTS, model="n"),
        ],
        ignore_index=True,
    )
    found = layer_table(matrices, table, "effect")
    assert len(found) == 3 * 2 * 2 + 1
    assert not found[["model", "target", "variant", "layer_1", "layer_2"]].duplicated().any()
    assert (found["n_concepts"] == 4).all()
    np.testing.assert_allclose(found["effect_correlation"], 1)


def test_concepts_of_one_layer_only_are_left_out():
    rng = np.random.default_rng(2)
    one = matrix(noisy(orthogonal(4)), names=list("abcd"))
    other = matrix(noisy(rng.normal(size=(5, D)) / D**0.5), names=list("ebcdf"))
    effects = {"e": 1.0, "b": -2.0, "c": 0.5, "d": 3.0, "f": 9.0}
    table = pd.concat([scores(["l"], EFFECTS), scores(["k"], effects)], ignore_index=True)
    (row,) = layer_table({("m", "l"): one, ("m", "k"): other}, table, "effect").to_dict("records")
    assert row["n_concepts"] == 3
    assert row["effect_correlation"] == pytest.approx(1)


def test_a_model_of_one_layer_has_no_row():
    table = layer_table(
        {("m", "l"): matrix(noisy(orthogonal(4)))}, scores(["l"], EFFECTS), "effect"
    )
    assert list(table.columns) == LAYER_COLUMNS
    assert len(table) == 0
