from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from tpcav_core import verdicts
from tpcav_core.matched_nulls import classified
from tpcav_core.significance import p_values, q_values
from tpcav_core.verdicts import (
    Rules,
    call_encoded,
    call_used,
    compare,
    null_summary,
)

SIDES = {"effect": "both", "f1": "greater"}
PLACE = ("model", "layer")
CATALOGUE = pd.DataFrame(
    {
        "concept": ["m1", "m2", "r1", "r2", "own", "quiet"],
        "control": ["random", "random", "random", "random", "gc_matched", "open"],
    }
)
#: motifs that are made in four ways: two controls, planted into random windows or into peaks
MADE = pd.DataFrame(
    {
        "concept": ["a", "b", "c", "d"],
        "control": ["random", "open", "random", "open"],
        "into": [None, None, "peaks.bed", "peaks.bed"],
    }
)


def concept(name, effect=0.0, f1=0.5, n=100, variant="4", **place):
    return {
        "concept": name,
        "variant": variant,
        "effect": effect,
        "f1": f1,
        "n_concept": n,
        **place,
    }


def permuted(of, values, variant="4", **place):
    return [
        concept(f"{of}.null{number:04d}", value, 0.5 + value / 100, variant=variant, **place)
        for number, value in enumerate(values)
    ]


def random(values, control="random", size=100, **place):
    return [
        {
            "control": control,
            "size": size,
            "null": number,
            "n_concept": size - 1,
            "effect": value,
            "f1": 0.5 + value / 100,
            **place,
        }
        for number, value in enumerate(values)
    ]


def shuffled(name, effect, variant="4", n=100, **place):
    return {**concept(name, effect, variant=variant, n=n, **place), "null": 0}


def table(*rows):
    flat = [row for part in rows for row in (part if isinstance(part, list) else [part])]
    frame = pd.DataFrame([{"model": "m", "layer": "l", **row} for row in flat])
    return classified(frame, CATALOGUE)


def compared(*rows, **options):
    return compare(table(*rows), CATALOGUE, SIDES, PLACE, **options).set_index("concept")


SMALL, LARGE = [0.1, -0.2, 0.3, -0.4], [10.0, -20.0, 30.0, -40.0, 50.0]


# whose rows


def test_rows_are_told_apart_by_concept_control_and_null():
    rows = table(
        concept("m1"), permuted("m1", [1.0]), random([1.0]), shuffled("m1", 2.0), concept("r1")
    )
    assert rows["kind"].tolist() == ["concept", "permuted", "random", "shuffled", "concept"]


def test_without_nulls_all_rows_are_of_concepts():
    rows = table(concept("m1"), concept("r1"))
    assert rows["kind"].tolist() == ["concept", "concept"]
    rows = table(concept("m1"), permuted("m1", [1.0]))
    assert rows["kind"].tolist() == ["concept", "permuted"]


def test_shuffled_labels_without_random_nulls_are_told_too():
    rows = table(concept("m1"), shuffled("m1", 1.0))
    assert rows["kind"].tolist() == ["concept", "shuffled"]


def test_a_table_without_rows_has_no_kinds():
    empty = pd.DataFrame(columns=["model", "concept", "variant"])
    found = compare(classified(empty, CATALOGUE), CATALOGUE, SIDES, ("model",))
    assert len(found) == 0
    # the columns that tables are made of are there all the same
    assert {"effect_p_random", "effect_p_permuted", "effect_q", "null"} < set(found.columns)


# which nulls a concept is compared with


def test_permuted_motifs_that_were_made_otherwise_do_not_count():
    rows = pd.DataFrame(
        [
            {"model": "m", "layer": "l", **row}
            for number, name in enumerate("abcd")
            for row in [
                concept(name, effect=3.0),
                *permuted(name, [10.0 ** (number - 1)] * (3 + number)),
            ]
        ]
    )
    rows = classified(rows, MADE)
    found = compare(rows, MADE, SIDES, PLACE).set_index("concept")
    # each stands against its own alone: 3 of 0.1, 4 of 1, 5 of 10, 6 of 100
    assert found["n_nulls"].to_dict() == {"a": 3, "b": 4, "c": 5, "d": 6}
    assert found["effect_p_permuted"].to_dict() == {"a": 1 / 4, "b": 1 / 5, "c": 1, "d": 1}
    alone = [
        compare(part, MADE, SIDES, PLACE).set_index("concept")
        for _, part in rows.groupby(rows["concept"].str[0])
    ]
    pd.testing.assert_series_equal(
        pd.concat(alone)["effect_p_permuted"], found["effect_p_permuted"]
    )
    summary = null_summary(rows.assign(derivative=0.0, fraction_positive=0.5), PLACE)
    assert summary["n_nulls"].tolist() == [3, 4, 5, 6]
    assert summary["control"].tolist() == ["random", "open", "random", "open"]
    assert summary["into"].fillna("").tolist() == ["", "", "peaks.bed", "peaks.bed"]


def test_motifs_made_alike_share_their_nulls():
    alike = MADE.assign(control="random", into=None)
    rows = classified(table(*(permuted(n, [1.0, 2.0]) for n in "ab"), concept("a", 1.5)), alike)
    (found,) = compare(rows, alike, SIDES, PLACE).to_dict("records")
    assert (found["n_nulls"], found["effect_p_permuted"]) == (4, 3 / 5)


# which null decides


def test_permuted_motifs_decide_for_motifs_and_random_sets_for_all_others():
    rows = compared(
        concept("m1", 5.0), concept("m2", 5.0), concept("r1", 5.0),
        permuted("m1", LARGE), permuted("m2", [0.0]), random(SMALL),
    )  # fmt: skip
    assert rows["null"].to_dict() == {"m1": "permuted", "m2": "permuted", "r1": "random"}
    # the permuted motifs of both are the nulls of both
    for name in ("m1", "m2"):
        assert rows.loc[name, "effect_p_permuted"] == 6 / 7
        assert rows.loc[name, "effect_p_random"] == 1 / 5
    assert np.isnan(rows.loc["r1", "effect_p_permuted"])
    assert rows.loc["r1", "effect_p_random"] == 1 / 5
    # q is of the p that decides
    deciding = np.array([6 / 7, 6 / 7, 1 / 5])
    np.testing.assert_allclose(rows["effect_q"], q_values(deciding))


def test_a_motif_without_permuted_ones_is_compared_with_random_sets():
    rows = compared(concept("m1", 5.0), concept("m2", 5.0), permuted("m1", SMALL), random(LARGE))
    assert rows["null"].to_dict() == {"m1": "permuted", "m2": "random"}
    assert rows.loc["m2", "effect_p_random"] == 1
    assert np.isnan(rows.loc["m2", "effect_p_permuted"])


def test_without_any_null_there_is_no_p():
    rows = compared(concept("m1", 5.0), concept("r1", 1.0))
    assert rows["null"].tolist() == ["none", "none"]
    for name in SIDES:
        for end in ("p_random", "p_permuted", "q"):
            assert rows[f"{name}_{end}"].isna().all()
    # of permuted motifs only
    rows = compared(concept("m1", 5.0), concept("r1", 1.0), permuted("m1", SMALL))
    assert rows["null"].tolist() == ["permuted", "none"]
    assert rows["effect_q"].notna().tolist() == [True, False]


def test_values_are_extreme_on_both_sides_or_above():
    for sign in (1, -1):
        rows = compared(concept("r1", sign * 0.25, 0.5 + sign), random(SMALL))
        assert rows.loc["r1", "effect_p_random"] == 3 / 5
        assert rows.loc["r1", "f1_p_random"] == (1 / 5 if sign > 0 else 1)


def test_p_and_q_are_those_of_significance():
    rng = np.random.default_rng(1)
    nulls = rng.normal(size=50)
    names = ["m1", "m2", "r1", "r2"]
    values = rng.normal(size=4) * 3
    rows = compared(
        *(concept(name, value) for name, value in zip(names, values, strict=True)),
        random(nulls.tolist()),
    )
    np.testing.assert_allclose(rows["effect_p_random"], p_values(values, nulls))
    np.testing.assert_allclose(rows["effect_q"], q_values(p_values(values, nulls)))


# random nulls of as many examples


@pytest.mark.parametrize(
    ("n", "size"), [(100, 100), (150, 100), (99, 50), (50, 50), (49, 25), (25, 25), (10, 25)]
)
def test_nulls_are_of_as_many_examples_or_the_next_fewer(n, size):
    values = {100: [1.0], 50: [2.0, 2.0], 25: [4.0, 4.0, 4.0]}
    rows = compared(
        concept("r1", 3.0, n=n), *(random(one, size=each) for each, one in values.items())
    )
    nulls = values[size]
    assert rows.loc["r1", "effect_p_random"] == (1 + sum(v >= 3 for v in nulls)) / (1 + len(nulls))


def test_concepts_of_one_table_have_nulls_of_their_own_size():
    rows = compared(
        concept("r1", 3.0, n=100), concept("r2", 3.0, n=60),
        random([1.0], size=100), random([4.0] * 4, size=50),
    )  # fmt: skip
    assert rows.loc["r1", "effect_p_random"] == 1 / 2
    assert rows.loc["r2", "effect_p_random"] == 1


def test_nulls_are_those_of_the_control():
    rows = compared(
        concept("r1", 3.0), concept("own", 3.0), concept("quiet", 3.0),
        random(SMALL), random(LARGE, control="open"),
    )  # fmt: skip
    # a control that is made of a concept's own examples has no nulls but the random ones
    assert rows["effect_p_random"].to_dict() == {"r1": 1 / 5, "own": 1 / 5, "quiet": 1}
    rows = compared(concept("quiet", 3.0), concept("r1", 3.0), random(SMALL))
    assert rows["null"].to_dict() == {"quiet": "none", "r1": "random"}


# families


def test_q_is_adjusted_within_a_place_and_a_variant():
    rng = np.random.default_rng(2)
    parts, wanted = [], {}
    for model in ("m", "m2"):
        for layer in ("l", "k"):
            place = {"model": model, "layer": layer}
            nulls = rng.normal(size=20)
            parts.append(random(nulls.tolist(), **place))
            for variant in ("4", "8"):
                names = ["m1", "m2", "r1", "r2"][: 4 if variant == "4" else 2]
                values = rng.normal(size=len(names)) * 3
                p = p_values(values, nulls)
                for name, value, q in zip(names, values, q_values(p), strict=True):
                    parts.append(concept(name, value, variant=variant, **place))
                    wanted[model, layer, variant, name] = q
    order = np.random.default_rng(3).permutation(len(parts))
    rows = table(*(parts[place] for place in order))
    found = compare(rows, CATALOGUE, SIDES, PLACE)
    keys = ["model", "layer", "variant", "concept"]
    assert found.set_index(keys)["effect_q"].to_dict() == pytest.approx(wanted)
    # in the order of the rows given
    own = rows[rows["kind"] == "concept"]
    pd.testing.assert_frame_equal(found[keys], own[keys])


def test_permuted_motifs_are_those_of_the_same_place_and_variant():
    rows = compare(
        table(
            concept("m1", 5.0),
            concept("m1", 5.0, variant="8"),
            concept("m1", 5.0, layer="k"),
            permuted("m1", SMALL),
            permuted("m1", LARGE, variant="8"),
            permuted("m1", [7.0], layer="k"),
        ),
        CATALOGUE,
        SIDES,
        PLACE,
    )
    assert rows["effect_p_permuted"].tolist() == [1 / 5, 1, 1]


def test_random_nulls_are_those_of_the_same_place_and_of_all_variants():
    rows = compare(
        table(
            concept("r1", 5.0),
            concept("r1", 5.0, variant="8"),
            concept("r1", 5.0, layer="k"),
            random(SMALL),
            random(LARGE, layer="k"),
        ),
        CATALOGUE,
        SIDES,
        PLACE,
    )
    assert rows["effect_p_random"].tolist() == [1 / 5, 1 / 5, 1]


def test_what_is_known_of_concepts_is_kept_and_of_nulls_is_not():
    rows = compared(concept("r1", 5.0), random(SMALL))
    assert rows.loc["r1", ["effect", "f1", "n_concept"]].tolist() == [5.0, 0.5, 100]
    assert not {"control", "size"} & set(rows.columns)
    assert len(rows) == 1


# shuffled labels


def test_shuffled_labels_are_compared_with_random_sets_whatever_they_are_of():
    rows = compared(
        concept("m1", 5.0), shuffled("m1", 0.25), shuffled("r1", 9.0),
        permuted("m1", LARGE), random(SMALL), kind="shuffled",
    )  # fmt: skip
    assert rows["null"].to_dict() == {"m1": "random", "r1": "random"}
    assert rows["effect_p_random"].to_dict() == {"m1": 3 / 5, "r1": 1 / 5}
    assert rows["effect_p_permuted"].isna().all()
    np.testing.assert_allclose(rows["effect_q"], q_values([3 / 5, 1 / 5]))
    # and are nulls of nothing
    rows = compared(concept("m1", 0.25), shuffled("m1", 100.0), random(SMALL))
    assert rows.loc["m1", "effect_p_random"] == 3 / 5


# verdicts


def test_a_concept_is_encoded_if_q_reaches_alpha():
    rows = pd.DataFrame({"auroc_q": [0.01, 0.05, 0.0500001, np.nan, 1.0]})
    assert call_encoded(rows, Rules())["encoded"].tolist() == [True, True, False, False, False]
    strict = call_encoded(rows, Rules(alpha=0.01))
    assert strict["encoded"].tolist() == [True, False, False, False, False]
    assert strict["encoded"].dtype == bool


def scored(values, q, layer="l", variant="4"):
    return pd.DataFrame(
        {
            **{"model": "m", "layer": layer, "target": "t", "variant": variant},
            **{"effect": values, "effect_q": q},
            **{"derivative": [-value for value in values], "derivative_q": q[::-1]},
        }
    )


SCORED = ("model", "layer", "target")


def test_a_concept_is_used_if_q_reaches_alpha_and_its_size_is_large_enough():
    rows = scored([10.0, -2.0, 0.5, 0.0, np.nan], [0.01, 0.05, 0.01, 0.5, np.nan])
    found = call_used(rows, Rules(), SCORED)
    assert found["large_enough"].tolist() == [True, True, False, False, False]
    assert found["used"].tolist() == [True, True, False, False, False]
    assert found["direction"].tolist() == ["+", "-", "+", "0", "0"]
    # without a minimum all that is significant counts
    found = call_used(rows, Rules(minimum_effect=0.0), SCORED)
    assert found["used"].tolist() == [True, True, True, False, False]


def test_the_statistic_that_decides_is_the_one_asked_for():
    rows = scored([10.0, -2.0, 0.5], [0.01, 0.05, 0.9])
    found = call_used(rows, Rules(statistic="derivative"), SCORED)
    assert found["used"].tolist() == [False, True, False]
    assert found["direction"].tolist() == ["-", "+", "-"]


def test_sizes_are_compared_within_a_place_and_a_variant():
    parts = [
        scored([100.0, 5.0], [0.01, 0.01]),
        scored([1.0, 0.5], [0.01, 0.01], layer="k"),
        scored([0.01, 0.0001], [0.01, 0.01], variant="8"),
    ]
    rows = pd.concat(parts, ignore_index=True).iloc[[4, 0, 3, 1, 5, 2]]
    found = call_used(rows, Rules(), SCORED)
    assert found["large_enough"].tolist() == [True, True, True, False, False, True]


# what nulls are like


def test_the_summary_of_nulls_by_hand():
    fractions = {"fraction_positive": 0.95}
    rows = table(
        [{**one, **fractions, "derivative": 2 * one["effect"]} for one in random(SMALL)],
        [{**one, "fraction_positive": 0.5, "derivative": 1.0} for one in random([8.0], size=50)],
        [{**one, "fraction_positive": 0.5, "derivative": 0.0} for one in permuted("m1", LARGE)],
        {**concept("m1", 99.0), "fraction_positive": 0.0, "derivative": 99.0},
    ).assign(target="t")
    found = null_summary(rows, SCORED)
    assert found[["null", "n_nulls"]].to_numpy().tolist() == [
        ["random", 4], ["random", 1], ["permuted", 5]
    ]  # fmt: skip
    by_size = found.set_index("n_nulls")
    four, five = by_size.loc[4], by_size.loc[5]
    assert (four["control"], four["size"], four["smallest_p"]) == ("random", 100, 1 / 5)
    assert (five["variant"], five["smallest_p"]) == ("4", 1 / 6)
    assert four["effect_median"] == pytest.approx(0.25)
    assert four["derivative_median"] == pytest.approx(0.5)
    assert four["effect_q95"] == pytest.approx(np.quantile([0.1, 0.2, 0.3, 0.4], 0.95))
    assert (four["saturation"], four["saturated"]) == (1, True)
    assert (five["saturation"], five["saturated"]) == (0, False)
    assert found["model"].tolist() == ["m"] * 3


def test_the_summary_without_nulls_has_its_columns():
    found = null_summary(table(concept("m1")).assign(target="t"), SCORED)
    assert len(found) == 0
    assert {"null", "n_nulls", "smallest_p", "saturation", "saturated"} < set(found.columns)


def test_the_mean_effect_of_a_motifs_own_permutations_is_beside_its_own():
    names = ["a", "b", "a.null0000", "a.null0001", "b.null0000"]
    rows = pd.DataFrame({"concept": names, "effect": [5.0, 1.0, 2.0, 4.0, -1.0]})
    rows = rows.assign(variant="4", n_concept=100, model="m", derivative=0.0, log_ratio=0.0)
    catalogue = pd.DataFrame({"concept": ["a", "b"], "control": "random"})
    rows = classified(rows, catalogue)
    found = verdicts.compare(rows, catalogue, verdicts.USED, ("model",)).set_index("concept")
    assert found["effect_permuted"].to_dict() == {"a": 3.0, "b": -1.0}
    alone = verdicts.compare(rows[:2], catalogue, verdicts.USED, ("model",))
    assert alone["effect_permuted"].isna().all()
