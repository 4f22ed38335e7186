from __future__ import annotations

import logging

import numpy as np
import pandas as pd
import pytest

from tpcav_core import results, similarity
from tpcav_core.metrics import NAMES
from tpcav_core.results import Found, result_tables
from tpcav_core.significance import p_values, q_values
from tpcav_core.table_columns import LAYER, PLACE
from tpcav_core.verdicts import Rules

TWIN = "m.randomised"
CATALOGUE = pd.DataFrame(
    {
        "concept": ["m1", "m2", "r1"],
        "label": ["M/1", "M/2", "R 1"],
        "source": ["motifs", "motifs", "regions"],
        "control": ["random", "random", "random"],
        "information_content": [10.0, 12.0, np.nan],
        "information_content_gc": [4.0, 6.0, np.nan],
        "motif_length": [8, 9, np.nan],
    }
)
#: of each concept at layer l: effect and AUROC; nulls are below 1 in size and about 0.5
TRUE = {"m1": (5.0, 0.9), "m2": (-0.2, 0.95), "r1": (3.0, 0.5)}
NONE = {"m1": (0.1, 0.5), "m2": (-0.1, 0.5), "r1": (0.05, 0.49)}
PERMUTED, RANDOM = 60, 39


def cav_rows(name, variant, auroc, place):
    """Two rows, one for each replicate of the control."""
    rows = []
    for replicate in ("0", "1"):
        row = {"concept": name, "variant": variant, "replicate": replicate, **place}
        row |= {f"test_{metric}": auroc for metric in NAMES}
        row |= {f"test_{metric}_{end}": auroc for metric in NAMES for end in ("low", "high")}
        row |= {f"{part}_{metric}": auroc for part in ("validation", "train") for metric in NAMES}
        row |= {
            f"n_{side}{part}": 100 for side in ("concept", "control") for part in ("", "_train")
        }
        row |= {f"n_{side}_test": 20 for side in ("concept", "control")}
        row |= {"cav_norm": 1.0, "cav_cosine": 0.5, "gc_change": 0.02, "n_folds": 5}
        row |= {"classifier": "ridge", "norm": "l2", "split_seed": 1, "intercept": 0.0}
        row |= {"penalty": 0.1, "relative_penalty": 1.0}
        rows.append({**row, "f1_draws": np.full(3, auroc, np.float32)})
    return rows


def scores_of(effect):
    """Numbers of a score; the derivative has the sign of the effect and half its size."""
    ends = {"_low": effect - 0.1, "_high": effect + 0.1, "_sign_agreement": 1.0}
    row = {f"effect{end}": value for end, value in ends.items()}
    row |= {f"derivative{end}": value / 2 for end, value in ends.items()}
    row |= {"effect": effect, "derivative": effect / 2, "log_ratio": effect, "n_regions": 50}
    row |= {"n_positive": 30.0, "n_negative": 20.0, "fraction_positive": 0.6}
    return row | {"published_mean": effect, "tcav_fraction": 0.6, "f1": 0.7, "auroc": 0.7}


def about(name, variant, place):
    facts = {"n_concept": 100, "gc_change": 0.02, "effect_of_gc": 0.1}
    return {"concept": name, "variant": variant, **facts, **place}


class Study:
    """What the steps of a study find, by hand: two motifs, a set of regions, and their nulls."""

    def __init__(self, seed=0):
        self.rng = np.random.default_rng(seed)
        self.cavs, self.nulls, self.scores, self.planting, self.methods = [], [], [], [], []
        self.layers = {}

    def add(self, model="m", layer="l", values=TRUE, permuted=PERMUTED, random=RANDOM):
        """Add a layer: its concepts of variant 4 and nulls."""
        place = {"model": model, "layer": layer}
        for name, (effect, auroc) in values.items():
            self.cavs += cav_rows(name, "4", auroc, place)
            self.scores.append({**about(name, "4", {**place, "target": "t"}), **scores_of(effect)})
        for number in range(permuted):
            name = f"m{1 + number % 2}.null{number // 2:04d}"
            effect, auroc = self.rng.uniform(-1, 1), self.rng.uniform(0.4, 0.6)
            self.cavs += cav_rows(name, "4", auroc, place)
            self.scores.append({**about(name, "4", {**place, "target": "t"}), **scores_of(effect)})
        for number in range(random):
            effect, auroc = self.rng.uniform(-1, 1), self.rng.uniform(0.4, 0.6)
            row = {"control": "random", "size": 100, "null": number, "n_concept": 100, **place}
            self.nulls.append({**row, **dict.fromkeys(NAMES, auroc), "cav_cosine": 0.1})
            self.scores.append({**row, "target": "t", **scores_of(effect)})
        rng = np.random.default_rng(5)
        directions = np.repeat(np.eye(30)[[0, 1, 2]][:, None], 2, axis=1)
        directions = directions + 0.01 * rng.normal(size=directions.shape)
        agreement = similarity.agreement(directions)
        self.layers[model, layer] = pd.DataFrame(
            {
                "concept": list(values),
                "variant": "4",
                "within": agreement.within,
                "cosine": list(similarity.cosines(directions)),
                "corrected": list(agreement.corrected),
            }
        )
        return self

    def add_planting(self, model="m", effects=(("m1", 4.0), ("m2", 0.1))):
        for name, effect in effects:
            self.planting.append(self._planted(model, name, effect))
        for number in range(PERMUTED):
            name = f"m{1 + number % 2}.null{number // 2:04d}"
            self.planting.append(self._planted(model, name, self.rng.uniform(-1, 1)))
        return self

    def _planted(self, model, name, effect):
        ends = {f"planting_effect_{end}": effect for end in ("low", "high")}
        numbers = {
            "output": "",
            "planting_effect": effect,
            "planting_positive": 0.5,
            "n_backgrounds": 100,
        }
        return {"model": model, **about(name, "4", {}), **ends, **numbers}

    def add_shuffled(self, effect=0.3, model="m", layer="l"):
        place = {"model": model, "layer": layer}
        for name in TRUE:
            row = {"concept": name, "variant": "4", "null": 0, "n_concept": 100, **place}
            self.nulls.append({**row, **dict.fromkeys(NAMES, 0.5), "cav_cosine": 0.1})
            self.scores.append({**row, "target": "t", **scores_of(effect)})
        return self

    def add_methods(self):
        for method, scale in (("plain", 0.1), ("tpcav", 1.0)):
            for row in [one for one in self.scores if isinstance(one.get("concept"), str)]:
                if row.get("null") is None:
                    own = {**row, **scores_of(scale * row["effect"]), "method": method}
                    self.methods.append(own)
        return self

    def found(self):
        empty = {"planting": ("model", "output"), "methods": PLACE, "nulls": LAYER}
        frames = {
            name: pd.DataFrame(getattr(self, name) or None, columns=self._columns(name, empty))
            for name in ("cavs", "nulls", "scores", "planting", "methods")
        }
        facts = frames["scores"][[*PLACE]].drop_duplicates().assign(method="deeplift", n_regions=9)
        return Found(CATALOGUE, similarity=self.layers, attributions=facts, **frames)

    def _columns(self, name, empty):
        return None if getattr(self, name) else [*empty[name], "concept", "variant"]

    def tables(self, rules=Rules(), **options):  # noqa: B008  # immutable
        return result_tables(self.found(), rules, 0.9, **options)


def study():
    return Study().add().add_planting()


def by_concept(table):
    assert not table["concept"].duplicated().any()
    return table.set_index("concept")


def test_the_tables_of_a_study_and_their_rows():
    tables = study().tables()
    rows = {name: len(table) for name, table in tables.items()}
    assert rows == {
        "verdicts": 3, "concepts": 3, "cavs": 6, "scores": 3, "planting": 2, "nulls": 2,
        "null_values": PERMUTED + RANDOM, "motif_sensitivity": 2, "motif_points": 2,
        "similarity": 0, "layers": 0, "attributions": 1,
    }  # fmt: skip


def test_no_table_of_concepts_has_a_null():
    study_ = study().add("m", "k")
    for name, table in study_.tables().items():
        if "concept" in table and name != "null_values":
            assert set(table["concept"]) <= set(CATALOGUE["concept"]), name


def test_what_the_verdicts_say():
    tables = study().tables()
    rows = by_concept(tables["verdicts"])
    assert rows["verdict"].to_dict() == {
        "m1": "encoded and used, raises the output",
        "m2": "encoded, not seen as used",
        "r1": "used, not seen as encoded, raises the output",
    }
    assert rows["null"].to_dict() == {"m1": "permuted", "m2": "permuted", "r1": "random"}
    # the largest effect first
    assert tables["verdicts"]["concept"].tolist() == ["m1", "r1", "m2"]
    assert rows.loc["m1", "planting_effect"] == 4.0
    assert np.isnan(rows.loc["r1", "planting_effect"])
    assert rows.loc["m1", "label"] == "M/1"
    assert rows["effect_of_gc"].tolist() == [0.1] * 3
    assert rows["called_with_permuted_weights"].isna().all()


def test_an_effect_that_lowers_the_output_and_one_that_is_neither():
    values = {"m1": (-5.0, 0.9), "m2": (-5.0, 0.5), "r1": (0.3, 0.5)}
    rows = by_concept(Study().add(values=values).tables()["verdicts"])
    assert rows["verdict"].to_dict() == {
        "m1": "encoded and used, lowers the output",
        "m2": "used, not seen as encoded, lowers the output",
        "r1": "neither",
    }


def test_p_and_q_of_all_tables_are_those_of_the_nulls_that_decide():
    made = study()
    tables = made.tables()
    scores, planting = pd.DataFrame(made.scores), pd.DataFrame(made.planting)
    permuted = scores["concept"].str.contains("null", na=False)
    random = scores["null"].notna()
    rows = by_concept(tables["scores"])
    of_motifs, by_chance = scores.loc[permuted, "effect"], scores.loc[random, "effect"]
    p = [
        p_values([5.0], of_motifs)[0],
        p_values([-0.2], of_motifs)[0],
        p_values([3.0], by_chance)[0],
    ]
    np.testing.assert_allclose(rows.loc[["m1", "m2", "r1"], "effect_q"], q_values(p))
    np.testing.assert_allclose(rows.loc[["m1", "m2"], "effect_p_permuted"], p[:2])
    np.testing.assert_allclose(
        rows.loc[["m1", "m2", "r1"], "effect_p_random"], p_values([5.0, -0.2, 3.0], by_chance)
    )
    # permuted motifs of the model decide for planting effects as well
    own = planting["concept"].str.contains("null")
    p = p_values([4.0, 0.1], planting.loc[own, "planting_effect"])
    direct = by_concept(tables["planting"])
    np.testing.assert_allclose(direct.loc[["m1", "m2"], "planting_effect_p_permuted"], p)
    np.testing.assert_allclose(direct.loc[["m1", "m2"], "planting_effect_q"], q_values(p))
    # metrics of CAVs, averaged over replicates, one sided
    cavs = pd.DataFrame(made.cavs)
    null = cavs[cavs["concept"].str.contains("null")].groupby("concept")["test_auroc"].mean()
    found = by_concept(tables["concepts"])
    for name, value in (("m1", 0.9), ("m2", 0.95)):
        assert found.loc[name, "auroc_p_permuted"] == p_values([value], null, "greater")
    by_chance = pd.DataFrame(made.nulls)["auroc"]
    assert found.loc["r1", "auroc_p_random"] == p_values([0.5], by_chance, "greater")


def test_the_statistic_asked_for_decides():
    made = study()
    for row in made.scores:
        if row.get("concept") == "m1":
            row["derivative"] = 0.0
    rows = by_concept(made.tables(Rules(statistic="derivative"))["verdicts"])
    assert not rows.loc["m1", "used"]
    assert rows.loc["m1", "direction"] == "0"
    assert by_concept(made.tables()["verdicts"]).loc["m1", "used"]


def test_layers_do_not_mix():
    alone = Study(1).add("m", "k", NONE).tables()["scores"]
    both = Study(1).add("m", "k", NONE).add("m", "l", TRUE).tables()["scores"]
    pd.testing.assert_frame_equal(both[both["layer"] == "k"].reset_index(drop=True), alone)


def test_the_summary_of_nulls_and_all_their_values():
    made = study()
    tables = made.tables()
    found = tables["nulls"].set_index("null")
    assert found["n_nulls"].to_dict() == {"random": RANDOM, "permuted": PERMUTED}
    assert found["smallest_p"].to_dict() == {"random": 1 / 40, "permuted": 1 / 61}
    assert not found["saturated"].any()
    assert not tables["scores"]["saturated"].any()
    values = tables["null_values"]
    assert values.groupby("kind").size().to_dict() == {"permuted": PERMUTED, "random": RANDOM}
    # scores and metrics of one null are in one row
    scores, cavs = pd.DataFrame(made.scores), pd.DataFrame(made.cavs)
    for row in values[values["kind"] == "permuted"].head(5).itertuples():
        own = cavs.loc[cavs["concept"] == row.concept, "test_auroc"]
        assert row.auroc == pytest.approx(own.mean())
        assert row.effect == scores.loc[scores["concept"] == row.concept, "effect"].item()
    nulls = pd.DataFrame(made.nulls).set_index("null")
    for row in values[values["kind"] == "random"].itertuples():
        assert row.auroc == nulls.loc[row.null, "auroc"]


def test_where_fractions_of_nulls_are_extreme_the_scores_say_so():
    made = study()
    for row in made.scores:
        if row.get("null") is not None and row["null"] % 2:
            row["fraction_positive"] = 0.95
    scores = made.tables()["scores"]
    assert scores["saturated"].all()
    np.testing.assert_allclose(scores["saturation"], 19 / 39)


def test_layers_that_agree_and_concepts_that_cannot_be_told_apart():
    made = Study().add().add("m", "k")
    tables = made.tables()
    (row,) = tables["layers"].to_dict("records")
    assert (row["layer_1"], row["layer_2"], row["n_concepts"]) == ("l", "k", 3)
    assert row["effect_correlation"] == row["similarity_correlation"] == pytest.approx(1)
    assert len(tables["similarity"]) == 0
    for layer in made.layers.values():
        twice = np.ones((3, 3))
        layer["cosine"] = layer["corrected"] = list(twice)
    table = made.tables()["similarity"]
    assert len(table) == 6
    assert table["inseparable"].all()


# twins


def checked(effects=NONE, shuffled=0.3):
    made = Study().add().add_planting()
    made.add(TWIN, values=effects)
    made.layers.pop((TWIN, "l"))
    return made.add_shuffled(shuffled)


def test_twins_change_no_table_and_have_no_rows_of_their_own():
    plain = study().tables()
    tables = checked().tables(sanity_checks=True)
    assert set(tables) == {*plain, "sanity"}
    for name, table in tables.items():
        assert TWIN not in table["model"].to_numpy(), name
        if name not in ("sanity", "verdicts"):
            pd.testing.assert_frame_equal(table, plain[name], check_dtype=False)
    changed = "called_with_permuted_weights"
    pd.testing.assert_frame_equal(
        tables["verdicts"].drop(columns=changed), plain["verdicts"].drop(columns=changed)
    )


def test_sanity_has_the_twins_under_the_name_of_their_model():
    sanity = checked().tables(sanity_checks=True)["sanity"]
    keys = ["check", "verdict", "null"]
    assert (sanity["model"] == "m").all()
    assert sanity.set_index(keys)["n_tests"].to_dict() == {
        ("permuted weights", "encoded", "permuted"): 2,
        ("permuted weights", "encoded", "random"): 1,
        ("permuted weights", "used", "permuted"): 2,
        ("permuted weights", "used", "random"): 1,
        # of shuffled labels random sets decide, whatever they are of
        ("shuffled labels", "encoded", "random"): 3,
        ("shuffled labels", "used", "random"): 3,
    }
    assert sanity["passed"].all()
    assert (sanity["n_called"] == 0).all()


def test_a_twin_in_which_something_is_used_does_not_pass():
    tables = checked(effects=TRUE).tables(sanity_checks=True)
    failed = tables["sanity"].set_index(["check", "verdict", "null"])["passed"]
    assert not failed["permuted weights", "encoded", "permuted"]
    assert not failed["permuted weights", "used", "permuted"]
    assert not failed["permuted weights", "used", "random"]
    assert failed["permuted weights", "encoded", "random"]
    assert failed["shuffled labels"].all()
    rows = by_concept(tables["verdicts"])["called_with_permuted_weights"]
    assert rows.to_dict() == {"m1": True, "m2": False, "r1": True}
    rows = by_concept(checked().tables(sanity_checks=True)["verdicts"])
    assert rows["called_with_permuted_weights"].to_dict() == dict.fromkeys(TRUE, False)


def test_a_twin_is_compared_with_its_own_nulls():
    made = checked()
    for row in made.scores:
        if row["model"] == TWIN and ".null" in str(row.get("concept")):
            row["effect"] *= 1e-6
    sanity = made.tables(sanity_checks=True)["sanity"].set_index(["check", "verdict", "null"])
    assert sanity.loc[("permuted weights", "used", "permuted"), "n_p_below_alpha"] == 2


def test_shuffled_labels_that_find_something_do_not_pass():
    sanity = checked(shuffled=8.0).tables(sanity_checks=True)["sanity"]
    failed = sanity.set_index(["check", "verdict", "null"])["passed"]
    assert not failed["shuffled labels", "used", "random"]
    assert failed["shuffled labels", "encoded", "random"]
    assert failed["permuted weights"].all()


# parts of a study that are not asked for


def test_without_random_nulls_motifs_are_compared_all_the_same():
    tables = Study().add(random=0).add_planting().tables()
    rows = by_concept(tables["verdicts"])
    assert rows["null"].to_dict() == {"m1": "permuted", "m2": "permuted", "r1": "none"}
    assert rows.loc["m1", "verdict"] == "encoded and used, raises the output"
    # what is compared with nothing is not called
    assert rows.loc["r1", "verdict"] == "neither"
    assert tables["nulls"]["null"].tolist() == ["permuted"]
    assert tables["scores"]["saturated"].isna().all()


def test_without_permuted_motifs_all_are_compared_with_random_sets():
    tables = Study().add(permuted=0).tables()
    assert by_concept(tables["verdicts"])["null"].to_dict() == dict.fromkeys(TRUE, "random")
    assert tables["nulls"]["null"].tolist() == ["random"]
    assert len(tables["planting"]) == 0
    assert tables["verdicts"]["planting_effect"].isna().all()


def test_without_any_null_nothing_is_called():
    tables = Study().add(permuted=0, random=0).tables()
    rows = by_concept(tables["verdicts"])
    assert rows["null"].to_dict() == dict.fromkeys(TRUE, "none")
    assert not rows[["used", "encoded"]].to_numpy().any()
    assert len(tables["nulls"]) == len(tables["null_values"]) == 0
    # values are there all the same
    assert rows["effect"].to_dict() == {name: effect for name, (effect, _) in TRUE.items()}


def test_sanity_checks_without_random_nulls():
    made = Study().add(random=0).add_planting()
    made.add(TWIN, values=NONE, random=0).add_shuffled()
    made.layers.pop((TWIN, "l"))
    sanity = made.tables(sanity_checks=True)["sanity"].set_index(["check", "verdict", "null"])
    assert sanity.loc[("permuted weights", "used", "permuted"), "n_tests"] == 2
    assert sanity.loc[("shuffled labels", "used", "none"), "n_tests"] == 0


# methods


def test_methods_are_compared_each_with_its_own_nulls():
    made = study().add_methods()
    table = made.tables()["methods"]
    assert len(table) == 2 * 3
    rows = table.set_index(["method", "concept"])
    for name in ("m1", "m2"):
        # other units, the same p
        for column in ("effect_p_permuted", "log_ratio_p_permuted", "published_mean_p_permuted"):
            assert rows.loc[("plain", name), column] == rows.loc[("tpcav", name), column]
    assert rows.loc[("plain", "m1"), "effect_p_permuted"] == 1 / 61
    assert rows.loc[("plain", "m1"), "effect"] == pytest.approx(0.5)
    assert np.isnan(rows.loc[("plain", "r1"), "effect_q"])
    assert "methods" not in study().tables()


# too few nulls


def test_too_few_permuted_motifs_are_told(caplog):
    with caplog.at_level(logging.WARNING, "tpcav_core"):
        study().tables()
    # 2 of 61: one motif alone can have q 2/61
    assert not caplog.records
    with caplog.at_level(logging.WARNING, "tpcav_core"):
        Study().add(permuted=20).tables()
    (record,) = caplog.records
    message = record.getMessage()
    assert "m l t 4: 20 permuted motifs for 2 of 2 concepts" in message
    assert "only if 2 or more" in message


def test_only_concepts_with_few_nulls_are_told_of(caplog):
    place = dict.fromkeys(PLACE, "x") | {"variant": "4", "null": "permuted"}
    many = [{**place, "n_nulls": 600, "used": number < 5} for number in range(30)]
    one = {**place, "n_nulls": 20, "used": False}
    with caplog.at_level(logging.WARNING, "tpcav_core"):
        results._warn_of_few_nulls(pd.DataFrame([*many, one]), Rules())
    (record,) = caplog.records
    assert record.getMessage().startswith("x x x 4: 20 permuted motifs for 1 of 31 concepts")


@pytest.mark.parametrize("called", [True, False])
def test_nulls_that_let_one_of_twenty_be_called_only_with_others_are_told_if_none_is(
    called, caplog
):
    place = dict.fromkeys(PLACE, "x") | {"variant": "4"}
    row = {**place, "null": "permuted", "n_nulls": 250, "used": False}
    concepts = pd.DataFrame([row] * 20)
    concepts.loc[0, "used"] = called
    with caplog.at_level(logging.WARNING, "tpcav_core"):
        results._warn_of_few_nulls(concepts, Rules())
    assert len(caplog.records) == (not called)
