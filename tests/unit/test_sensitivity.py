from __future__ import annotations

from statistics import NormalDist

import numpy as np
import pandas as pd
import pytest

from tpcav_core import metrics
from tpcav_core.bootstrap import DRAWS, interval
from tpcav_core.metrics import classification_metrics, metric_draws
from tpcav_core.sensitivity import (
    POINT_COLUMNS,
    SENSITIVITY_COLUMNS,
    area_over_counts,
    points_table,
    regression_line,
    residual,
    sensitivity_table,
)
from tpcav_core.splits import TEST
from tpcav_core.training import Examples, set_control, train_variant

CATALOGUE = pd.DataFrame(
    {
        "concept": ["a", "b", "c", "d", "plain"],
        "label": ["A/1", "B/2", "C/3", "D/4", "no motif"],
        "source": ["motifs"] * 4 + ["regions"],
        "information_content": [10.0, 11.0, 12.0, 14.0, np.nan],
        "information_content_gc": [1.0, 2.0, 3.0, 5.0, np.nan],
        "motif_length": [6, 8, 10, 12, np.nan],
    }
)
CONTENT = CATALOGUE.set_index("concept")["information_content_gc"]
KEYS = ["model", "layer", "concept"]
LINE = ["line_slope", "line_intercept"]


def rows(concept, curve, draws=None, layer="l", model="m"):
    """Rows of CAVs: `curve` has the F1 of each replicate by variant, `draws` their draws."""
    return pd.DataFrame(
        [
            {
                "model": model,
                "layer": layer,
                "concept": concept,
                "variant": variant,
                "replicate": str(index),
                "test_f1": value,
                "f1_draws": np.float32([value] * 3 if draws is None else draws[variant][index]),
            }
            for variant, values in curve.items()
            for index, value in enumerate(values)
        ]
    )


def decisions(shift, n, rng):
    """Of n examples of a concept and as many of a control, apart by `shift`, the plane midway."""
    return rng.normal(size=2 * n) + np.repeat([shift / 2, -shift / 2], n)


def expected_f1(shift):
    """F1 of `decisions` of endlessly many examples."""
    right = NormalDist().cdf(shift / 2)
    return 2 * right / (1 + right + (1 - right))


def simulated(shifts, rng, n=60, replicates=2, layer="l"):
    """Rows of concepts with `shifts` by variant; all variants have their examples in common."""
    is_concept = np.arange(2 * n) < n
    frames = []
    for concept, by_variant in shifts.items():
        own = rng.normal(size=n)
        noise = [np.concatenate([own, rng.normal(size=n)]) for _ in range(replicates)]
        seed = int(rng.integers(2**31))
        curve, draws = {}, {}
        for variant, shift in by_variant.items():
            made = [part + np.where(is_concept, shift / 2, -shift / 2) for part in noise]
            curve[variant] = [classification_metrics(is_concept, part)["f1"] for part in made]
            draws[variant] = [
                metric_draws(is_concept, part, np.random.default_rng(seed))["f1"] for part in made
            ]
        frames.append(rows(concept, curve, draws, layer))
    return pd.concat(frames, ignore_index=True)


SHIFTS = {
    "a": {"2": 0.2, "4": 0.6, "16": 2.0},
    "b": {"2": 0.5, "4": 1.0, "16": 2.5},
    "c": {"2": 0.0, "4": 0.0, "16": 0.5},
    "d": {"2": 1.0, "4": 2.0, "16": 3.5},
}


@pytest.fixture
def few_draws(monkeypatch):
    """As many draws as are kept."""
    monkeypatch.setattr(metrics, "DRAWS", metrics.KEPT)


def test_the_area_is_that_of_trapezoids_over_the_range():
    # (0.2 + 0.6)/2 * 2 + (0.6 + 1.0)/2 * 4 = 4, over 6
    counts, f1 = np.array([2, 4, 8]), np.array([0.2, 0.6, 1.0])
    assert area_over_counts(counts, f1) == pytest.approx(4 / 6)
    order = [2, 0, 1]
    assert area_over_counts(counts[order], f1[order]) == pytest.approx(4 / 6)
    assert area_over_counts(np.array([5]), np.array([0.4])) == 0.4
    assert area_over_counts(counts, np.full(3, 0.7)) == pytest.approx(0.7)
    columns = np.stack([f1, 1 - f1, np.full(3, 0.7)], axis=1)
    np.testing.assert_allclose(area_over_counts(counts, columns), [4 / 6, 2 / 6, 0.7])


def test_the_residual_is_what_a_line_leaves():
    x = np.array([0.0, 1.0, 2.0])
    np.testing.assert_allclose(residual(x, 3 * x + 1), 0, atol=1e-12)
    # least squares through (0, 0), (1, 1), (2, 0) is flat at 1/3
    np.testing.assert_allclose(residual(x, np.array([0.0, 1.0, 0.0])), [-1 / 3, 2 / 3, -1 / 3])
    x, *ys = np.random.default_rng(0).normal(size=(4, 20))
    y = np.stack(ys, axis=1)
    left = residual(x, y)
    np.testing.assert_allclose(left.sum(axis=0), 0, atol=1e-9)
    np.testing.assert_allclose(x @ left, 0, atol=1e-9)
    for column, alone in zip(left.T, ys, strict=True):
        np.testing.assert_allclose(residual(x, alone), column, atol=1e-12)
        np.testing.assert_allclose(regression_line(x, alone), np.polyfit(x, alone, 1))


@pytest.mark.parametrize("x", [[], [1.0], [1.0, 2.0], [2.0] * 3, [0.3, 0.1 + 0.2, 0.3]])
def test_where_there_is_no_line_the_residual_is_nan(x):
    y = np.arange(2.0 * len(x)).reshape(len(x), 2)
    for values in (residual(np.array(x), y), residual(np.array(x), y[:, 0])):
        assert len(values) == len(x)
        assert np.isnan(values).all()


def test_the_tables_by_hand():
    cavs = pd.concat(
        [
            rows(concept, {"12": [height * peak], "4": [0.0, 0.0]}, layer=layer)
            for layer, height in (("l", 1.0), ("k", 0.5))
            for concept, peak in (("a", 0.0), ("b", 0.9), ("c", 0.0), ("plain", 1.0))
        ],
        ignore_index=True,
    )
    table = sensitivity_table(cavs, CATALOGUE)
    assert list(table.columns) == SENSITIVITY_COLUMNS
    assert table["label"].tolist() == ["A/1", "B/2", "C/3"] * 2
    np.testing.assert_allclose(table["f1_auc"], [0, 0.45, 0, 0, 0.225, 0])
    # the line is that of a layer, on the information content weighted by GC: 1, 2, 3
    np.testing.assert_allclose(table["line_intercept"], [0.15] * 3 + [0.075] * 3)
    np.testing.assert_allclose(table["line_slope"], 0, atol=1e-12)
    np.testing.assert_allclose(
        table["sensitivity"], [-0.15, 0.3, -0.15, -0.075, 0.15, -0.075], atol=1e-12
    )
    assert table["information_content"].tolist() == [10.0, 11.0, 12.0] * 2
    assert table["motif_length"].tolist() == [6, 8, 10] * 2
    points = points_table(cavs, CATALOGUE)
    assert list(points.columns) == POINT_COLUMNS
    assert points["copies"].tolist() == [12, 4] * 6
    assert points["variant"].tolist() == ["12", "4"] * 6
    np.testing.assert_allclose(points["f1"], [0, 0, 0.9, 0, 0, 0, 0, 0, 0.45, 0, 0, 0])


def test_draws_of_replicates_are_averaged_one_by_one():
    draws = {"2": [np.linspace(0, 1, 101), np.linspace(1, 0, 101)]}
    cavs = rows("a", {"2": [0.4, 0.6]}, draws)
    (point,) = points_table(cavs, CATALOGUE).to_dict("records")
    for name in ("f1", "f1_low", "f1_high"):
        assert point[name] == pytest.approx(0.5)
    alike = rows("a", {"2": [0.4, 0.6]}, {"2": draws["2"][:1] * 2})
    (point,) = points_table(alike, CATALOGUE).to_dict("records")
    assert (point["f1_low"], point["f1_high"]) == (pytest.approx(0.025), pytest.approx(0.975))


@pytest.mark.parametrize("seed", range(3))
def test_laws_of_the_tables(seed, few_draws):
    rng = np.random.default_rng(seed)
    cavs = pd.concat(
        [simulated(SHIFTS, rng), simulated(SHIFTS, rng, n=15, layer="k")], ignore_index=True
    )
    table, points = sensitivity_table(cavs, CATALOGUE), points_table(cavs, CATALOGUE)
    for name in ("f1_auc", "sensitivity"):
        assert (table[f"{name}_low"] < table[name]).all()
        assert (table[name] < table[f"{name}_high"]).all()
    assert ((points["f1_low"] <= points["f1"]) & (points["f1"] <= points["f1_high"])).all()
    assert table["f1_auc"].between(0, 1).all()
    np.testing.assert_allclose(table["f1_auc"] - table["expected"], table["sensitivity"])
    np.testing.assert_allclose(
        table["expected"],
        table["line_slope"] * table["concept"].map(CONTENT) + table["line_intercept"],
    )
    for (_, layer), group in table.groupby(["model", "layer"]):
        assert group["sensitivity"].sum() == pytest.approx(0, abs=1e-9)
        assert group["line_slope"].nunique() == group["line_intercept"].nunique() == 1
        alone = sensitivity_table(cavs[cavs["layer"] == layer], CATALOGUE)
        pd.testing.assert_frame_equal(alone, group.reset_index(drop=True))
    mixed = cavs.sample(frac=1, random_state=seed).reset_index(drop=True)
    for make, found in ((sensitivity_table, table), (points_table, points)):
        keys = [*KEYS, "variant"] if make is points_table else KEYS
        other = make(mixed, CATALOGUE.sample(frac=1, random_state=seed))
        pd.testing.assert_frame_equal(
            *(one.sort_values(keys).reset_index(drop=True) for one in (found, other))
        )


def test_motifs_on_a_line_have_no_sensitivity():
    cavs = pd.concat(
        [
            rows(name, {"2": [0.1 * content], "8": [0.1 * content + 0.2]})
            for name, content in CONTENT.dropna().items()
        ]
    )
    table = sensitivity_table(cavs, CATALOGUE)
    np.testing.assert_allclose(table["line_slope"], 0.1)
    np.testing.assert_allclose(table["line_intercept"], 0.1)
    # draws are float32
    for name in ("sensitivity", "sensitivity_low", "sensitivity_high"):
        np.testing.assert_allclose(table[name], 0, atol=1e-6)
    np.testing.assert_allclose(table["f1_auc"], table["expected"])


def test_the_area_of_one_count_is_its_f1(few_draws):
    shifts = {name: {"4": by_variant["4"]} for name, by_variant in SHIFTS.items()}
    cavs = simulated(shifts, np.random.default_rng(1))
    table, points = sensitivity_table(cavs, CATALOGUE), points_table(cavs, CATALOGUE)
    for end in ("", "_low", "_high"):
        assert table[f"f1_auc{end}"].tolist() == points[f"f1{end}"].tolist()
    means = cavs.groupby("concept")["test_f1"].mean()
    np.testing.assert_allclose(table["f1_auc"], means)


def test_two_motifs_have_no_line_and_others_no_row(few_draws):
    rng = np.random.default_rng(1)
    cavs = simulated({name: SHIFTS[name] for name in ("a", "b")}, rng)
    cavs = pd.concat([cavs, rows("plain", {"1": [0.5]}, {"1": [np.zeros(metrics.KEPT)]})])
    table = sensitivity_table(cavs, CATALOGUE)
    assert table["concept"].tolist() == ["a", "b"]
    lines = ["sensitivity", "sensitivity_low", "sensitivity_high", "expected", *LINE]
    assert table[lines].isna().all(axis=None)
    assert table.drop(columns=lines).notna().all(axis=None)
    assert points_table(cavs, CATALOGUE)["concept"].tolist() == ["a"] * 3 + ["b"] * 3


@pytest.mark.parametrize("cavs", [rows("plain", {"1": [0.5]}), rows("a", {"1": [0.5]}).iloc[:0]])
def test_no_motifs_give_empty_tables_with_all_columns(cavs):
    for make, columns in ((sensitivity_table, SENSITIVITY_COLUMNS), (points_table, POINT_COLUMNS)):
        table = make(cavs, CATALOGUE)
        assert list(table.columns) == columns
        assert len(table) == 0


def test_intervals_cover_the_truth_as_often_as_they_say(few_draws):
    rng = np.random.default_rng(7)
    areas = {
        name: float(area_over_counts(np.array([2, 4, 16]), np.array([*map(expected_f1, by)])))
        for name, by in ((name, list(shifts.values())) for name, shifts in SHIFTS.items())
    }
    truth = np.array(list(areas.values()))
    left = residual(CONTENT[list(areas)].to_numpy(), truth)
    covered = np.zeros((2, 4))
    for _ in range(200):
        table = sensitivity_table(simulated(SHIFTS, rng), CATALOGUE)
        for row, (name, true) in enumerate((("f1_auc", truth), ("sensitivity", left))):
            low, high = table[f"{name}_low"].to_numpy(), table[f"{name}_high"].to_numpy()
            covered[row] += (low <= true) & (true <= high)
    assert (covered / 200 > 0.88).all()
    assert (covered / 200 < 0.99).all()


def test_the_truth_of_the_simulation_is_that_of_very_many_examples():
    rng = np.random.default_rng(2)
    for shift in (0.0, 0.6, 2.5):
        found = classification_metrics(np.arange(400_000) < 200_000, decisions(shift, 200_000, rng))
        assert found["f1"] == pytest.approx(expected_f1(shift), abs=0.005)


def examples(n, seed, shift=0.0):
    z = np.random.default_rng(seed).normal(size=(n, 12)).astype(np.float32)
    z[:, :3] += shift
    return Examples(z, np.resize([TEST, 0, 1, 2], n))


def test_variants_and_replicates_of_a_concept_are_resampled_alike():
    same = examples(200, 2)
    control = set_control({"0": same, "1": same, "2": examples(200, 3)})

    def draws(concept, variant, shift=0.5):
        trained = train_variant((concept, variant), examples(200, 1, shift), control)
        return np.array([row["f1_draws"] for row in trained])

    found = draws("c", "2")
    assert (found.dtype, found.shape) == (np.float32, (3, metrics.KEPT))
    np.testing.assert_array_equal(found[0], found[1])
    assert (found[0] != found[2]).any()
    np.testing.assert_array_equal(draws("c", "4"), found)
    assert (draws("d", "2") != found).any(axis=1).all()
    # a little more of the same motif: the difference is surer than either
    stronger = draws("c", "4", shift=0.55)
    assert (stronger - found).std() < 0.7 * found.std(axis=1).mean()


def test_the_first_draws_are_kept_of_those_the_interval_is_made_of(monkeypatch):
    control = set_control({"0": examples(200, 2)})
    (row,) = train_variant(("c", "2"), examples(200, 1, 0.5), control)
    monkeypatch.setattr(metrics, "KEPT", DRAWS)
    (whole,) = train_variant(("c", "2"), examples(200, 1, 0.5), control)
    np.testing.assert_array_equal(whole["f1_draws"][: len(row["f1_draws"])], row["f1_draws"])
    ends = (row["test_f1_low"], row["test_f1_high"])
    assert interval(whole["f1_draws"]) == pytest.approx(ends, abs=1e-6)
    assert ends == (whole["test_f1_low"], whole["test_f1_high"])


def test_motifs_that_were_planted_otherwise_have_a_line_of_their_own():
    few = {"a": [0.6, 0.7], "b": [0.7, 0.8], "c": [0.75, 0.9], "d": [0.8, 0.95]}
    names = list(few)
    more = {f"{name}2": [0.9 + 0.02 * k, 0.95] for k, name in enumerate(names)}
    catalogue = pd.concat(
        [CATALOGUE[:4], CATALOGUE[:4].assign(concept=[f"{name}2" for name in names])]
    )
    parts = [
        *(rows(name, {"1": [v[0]], "2": [v[1]]}) for name, v in few.items()),
        *(rows(name, {"8": [v[0]], "16": [v[1]]}) for name, v in more.items()),
    ]
    together = sensitivity_table(pd.concat(parts, ignore_index=True), catalogue)
    assert together["copies"].tolist() == ["1,2"] * 4 + ["8,16"] * 4
    apart = [
        sensitivity_table(pd.concat(half, ignore_index=True), catalogue)
        for half in (parts[:4], parts[4:])
    ]
    pd.testing.assert_frame_equal(together, pd.concat(apart, ignore_index=True))
    assert together["line_slope"].nunique() == 2
