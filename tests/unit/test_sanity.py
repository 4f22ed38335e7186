from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.stats import binom

from tpcav_core.sanity import COLUMNS, check_row, sanity_table
from tpcav_core.significance import p_values, q_values

NAMES = {
    "model": "m", "layer": "l", "target": "t",
    "check": "shuffled labels", "verdict": "used", "variant": "4", "null": "random",
}  # fmt: skip


def row(p, q=None, alpha=0.05):
    p = np.array(p, float)
    return check_row(NAMES, p, q_values(p) if q is None else np.array(q, float), alpha)


def test_a_row_by_hand():
    found = row([0.01, 0.05, 0.0501, np.nan, 1.0], [0.04, 0.2, 0.2, np.nan, 1.0])
    assert list(found) == COLUMNS
    assert {key: found[key] for key in NAMES} == NAMES
    assert (found["n_tests"], found["n_p_below_alpha"], found["n_called"]) == (4, 2, 1)
    # of 4 independent tests two or more are below 0.05 in 1.4 % of cases, three in 0.05 %
    assert found["most_by_chance"] == 2
    assert not found["passed"]


def test_it_is_passed_where_nothing_is_called_and_few_p_are_small():
    assert row([0.5, 0.9, 0.2])["passed"]
    # one small p of forty is chance, and is not called
    one = row([0.03] + [0.5] * 39)
    assert (one["n_p_below_alpha"], one["n_called"], one["passed"]) == (1, 0, True)
    # many small ones are not, though none is called
    many = row([0.04] * 8 + [0.9] * 32)
    assert (many["n_called"], many["most_by_chance"]) == (0, 6)
    assert not many["passed"]
    # a single one that is called is not
    called = row([0.0001] + [0.9] * 39)
    assert (called["n_p_below_alpha"], called["n_called"], called["passed"]) == (1, 1, False)


@pytest.mark.parametrize("alpha", [0.01, 0.05, 0.2])
@pytest.mark.parametrize("tests", [1, 5, 40, 300])
def test_the_most_by_chance_is_what_independent_tests_seldom_exceed(tests, alpha):
    most = row(np.full(tests, 0.9), alpha=alpha)["most_by_chance"]
    assert binom.sf(most, tests, alpha) <= 0.01 < binom.sf(most - 1, tests, alpha)


def test_without_tests_there_is_nothing_to_fail():
    for p in ([], [np.nan, np.nan]):
        found = row(p)
        assert (found["n_tests"], found["n_p_below_alpha"], found["n_called"]) == (0, 0, 0)
        assert found["passed"]


def test_a_statistic_that_is_like_its_nulls_passes_and_one_that_is_not_fails():
    rng = np.random.default_rng(1)
    passed = {"like": [], "wider": []}
    for _ in range(200):
        null = rng.normal(size=200)
        for name, scale in (("like", 1), ("wider", 2)):
            p = p_values(scale * rng.normal(size=30), null)
            passed[name].append(row(p)["passed"])
    assert np.mean(passed["like"]) > 0.9
    assert np.mean(passed["wider"]) < 0.2


def compared(values, statistic="effect", **names):
    """Rows as `verdicts.compare` gives them: which null decides, both p, and q."""
    return pd.DataFrame(
        [
            {
                **{"model": "m", "layer": "l", "target": "t", **names},
                **{"null": null, f"{statistic}_p_random": by_chance},
                **{f"{statistic}_p_permuted": of_motifs, f"{statistic}_q": q},
            }
            for null, by_chance, of_motifs, q in values
        ]
    )


def test_the_p_that_decides_is_counted():
    table = compared(
        [
            ("permuted", 0.01, 0.9, 0.9),
            ("permuted", 0.01, 0.04, 0.08),
            ("random", 0.03, np.nan, 0.06),
            ("none", np.nan, np.nan, np.nan),
        ]
    )
    found = sanity_table([("permuted weights", "used", "effect", table)], 0.05)
    assert list(found.columns) == COLUMNS
    by_null = found.set_index("null")
    assert by_null["n_tests"].to_dict() == {"permuted": 2, "random": 1, "none": 0}
    assert by_null["n_p_below_alpha"].to_dict() == {"permuted": 1, "random": 1, "none": 0}
    assert by_null["n_called"].to_dict() == {"permuted": 0, "random": 0, "none": 0}
    assert (found["check"] == "permuted weights").all()
    assert (found["verdict"] == "used").all()


def test_there_is_a_row_for_each_place_check_and_verdict():
    values = [("random", 0.5, np.nan, 0.5)] * 3
    used = pd.concat(
        [compared(values), compared(values, layer="k"), compared(values, target="u")],
        ignore_index=True,
    )
    encoded = compared(values, "auroc").drop(columns="target")
    found = sanity_table(
        [("shuffled labels", "encoded", "auroc", encoded), ("a", "used", "effect", used)], 0.05
    )
    keys = ["check", "verdict", "model", "layer", "target"]
    assert found[keys].to_numpy().tolist() == [
        ["shuffled labels", "encoded", "m", "l", ""],
        ["a", "used", "m", "l", "t"],
        ["a", "used", "m", "k", "t"],
        ["a", "used", "m", "l", "u"],
    ]
    assert (found["n_tests"] == 3).all()
    assert found["passed"].all()


def test_each_variant_has_a_row_since_those_of_one_motif_are_hardly_independent():
    values = [("random", 0.01, np.nan, 0.5)] * 2 + [("random", 0.5, np.nan, 0.5)] * 38
    parts = [compared(values).assign(variant=variant) for variant in ("4", "8", "16")]
    found = sanity_table([("a", "used", "effect", pd.concat(parts))], 0.05)
    assert found["variant"].tolist() == ["4", "8", "16"]
    assert found["n_tests"].tolist() == [40] * 3
    assert found["n_p_below_alpha"].tolist() == [2] * 3
    assert found["passed"].all()


def test_without_rows_the_table_has_its_columns():
    none = compared([("random", 0.5, np.nan, 0.5)]).iloc[:0]
    for given in ([], [("a", "used", "effect", none)]):
        found = sanity_table(given, 0.05)
        assert list(found.columns) == COLUMNS
        assert len(found) == 0
