from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from tpcav_core.classifiers import GRIDS
from tpcav_core.metrics import NAMES
from tpcav_core.sensitivity import SENSITIVITY_COLUMNS
from tpcav_core.summary import (
    CAV_COLUMNS,
    CONCEPT_COLUMNS,
    SCORE_COLUMNS,
    cav_table,
    concept_metrics,
    concept_table,
    hyperparameters,
    score_table,
    verdict,
)

CATALOGUE = pd.DataFrame(
    {
        "concept": ["a", "b", "c", "plain"],
        "label": ["A/1", "B/2", "C/3", "no motif"],
        "source": ["motifs", "motifs", "motifs", "regions"],
        "control": ["random", "random", "random", "gc_matched"],
        "information_content": [10.0, 11.0, 12.0, np.nan],
        "information_content_gc": [1.0, 2.0, 3.0, np.nan],
        "motif_length": [6, 8, 10, np.nan],
    }
)


#: prefix and suffix of a metric, and by how much it is larger than in the test part
PARTS = [
    ("test", "", 0.0),
    ("test", "_low", -0.05),
    ("test", "_high", 0.05),
    ("validation", "", -0.1),
    ("train", "", 0.1),
]


def cav_rows(concept="a", variant="2", f1=(0.8, 0.6), model="m", layer="l", penalties=None):
    """One row per replicate; every metric but F1 is F1 plus its place, its interval ±0.05."""
    penalties = penalties or [0.1] * len(f1)
    return pd.DataFrame(
        [
            {
                "model": model,
                "layer": layer,
                "concept": concept,
                "variant": variant,
                "replicate": str(index),
                "classifier": "ridge",
                "norm": "l2",
                "split_seed": 7,
                "n_concept": 100,
                "n_control": 90,
                "n_concept_train": 80,
                "n_control_train": 72,
                "n_concept_test": 20,
                "n_control_test": 18,
                "n_folds": 5,
                "intercept": 0.25,
                "cav_norm": 2.0 + index,
                "penalty": penalty / 64,
                "relative_penalty": penalty,
                "cav_cosine": 0.5,
                "gc_change": 0.01,
                **{
                    f"{part}_{name}{end}": value + by + (0 if name == "f1" else place / 100)
                    for part, end, by in PARTS
                    for place, name in enumerate(NAMES)
                },
            }
            for index, (value, penalty) in enumerate(zip(f1, penalties, strict=True))
        ]
    )


def concepts_of(cavs):
    """concepts.tsv without nulls: nothing is compared, nothing is called."""
    compared = {name: np.nan for name in CONCEPT_COLUMNS if name.endswith(("_random", "_permuted"))}
    compared |= {"f1_q": np.nan, "auroc_q": np.nan, "null": "none", "n_nulls": 0, "encoded": False}
    return concept_table(concept_metrics(cavs).assign(**compared), CATALOGUE)


#: the contract of the result tables
CONTRACT = {
    "concepts": "model layer concept label source variant n_concept n_control precision recall f1"
    " accuracy auroc average_precision mcc cav_norm hyperparameters",
    "cavs": "model layer concept label variant control replicate classifier norm penalty"
    " relative_penalty cav_norm split_seed n_folds n_concept_train n_control_train n_concept_test"
    " n_control_test test_precision test_precision_low test_precision_high test_recall"
    " test_recall_low test_recall_high test_f1 test_f1_low test_f1_high",
    "scores": "model layer target concept label variant n_regions n_positive n_negative"
    " fraction_positive log_ratio derivative effect",
    "motif_sensitivity": "model layer concept label f1_auc information_content"
    " information_content_gc motif_length sensitivity",
}


@pytest.mark.parametrize(
    ("table", "columns"),
    [
        ("concepts", CONCEPT_COLUMNS),
        ("cavs", CAV_COLUMNS),
        ("scores", SCORE_COLUMNS),
        ("motif_sensitivity", SENSITIVITY_COLUMNS),
    ],
)
def test_the_columns_of_the_contract_come_first_and_in_order(table, columns):
    contract = CONTRACT[table].split()
    assert columns[: len(contract)] == contract
    assert len(set(columns)) == len(columns)


def test_a_row_of_concepts_is_the_mean_over_replicates():
    table = concepts_of(cav_rows(penalties=[0.1, 10.0]))
    assert list(table.columns) == CONCEPT_COLUMNS
    (row,) = table.to_dict("records")
    assert (row["label"], row["source"], row["variant"]) == ("A/1", "motifs", "2")
    assert (row["n_concept"], row["n_control"], row["n_replicates"]) == (100, 90, 2)
    assert row["f1"] == pytest.approx(0.7)
    assert (row["f1_min"], row["f1_max"]) == (0.6, 0.8)
    for place, name in enumerate(NAMES):
        expected = 0.7 + (0 if name == "f1" else place / 100)
        assert row[name] == pytest.approx(expected), name
        assert row[f"{name}_low"] == pytest.approx(expected - 0.05), name
        assert row[f"{name}_high"] == pytest.approx(expected + 0.05), name
    assert row["cav_norm"] == pytest.approx(2.5)
    assert row["cav_cosine"] == 0.5
    assert row["validation_f1"] == pytest.approx(0.6)
    place = NAMES.index("accuracy")
    assert row["validation_accuracy"] == pytest.approx(0.6 + place / 100)
    assert row["train_accuracy"] == pytest.approx(0.8 + place / 100)
    assert row["hyperparameters"] == "ridge penalty=l2 C=0.1,10/mean_diagonal"
    assert row["control"] == "random"


@pytest.mark.parametrize(
    ("classifier", "norm", "penalties", "expected"),
    [
        ("ridge", "l2", [0.1, 10.0], "ridge penalty=l2 C=0.1,10/mean_diagonal"),
        ("svm", "l2", [1e-4], "svm penalty=l2 C=0.0001/mean_diagonal"),
        ("logistic", "l2", [1.0, 1.0], "logistic penalty=l2 C=1,1/mean_diagonal"),
        ("logistic", "l1", [2.0, 30.0], "logistic penalty=l1 C=2,30*l1_min_C"),
        ("sgd", "l2", [1e-4, 1e-8], "sgd penalty=l2 alpha=0.0001,1e-08"),
        ("sgd", "l1", [1.0], "sgd penalty=l1 alpha=1"),
        ("pattern", "l2", [1.0, 1.0], "pattern"),
    ],
)
def test_hyperparameters_name_the_classifier_and_the_penalty_of_each_replicate(
    classifier, norm, penalties, expected
):
    assert hyperparameters(classifier, norm, penalties) == expected
    cavs = cav_rows(f1=[0.5] * len(penalties), penalties=penalties)
    cavs = cavs.assign(classifier=classifier, norm=norm)
    assert concepts_of(cavs)["hyperparameters"].tolist() == [expected]


def test_every_kind_of_classifier_has_its_hyperparameters():
    said = {hyperparameters(kind, norm, [0.5]) for kind, norm in GRIDS}
    assert len(said) == len(GRIDS)


def test_the_table_of_cavs_has_a_row_for_each_with_what_it_was_given():
    cavs = pd.concat(
        [
            cav_rows("b", "4", (0.9, 0.4), penalties=[1.0, 100.0]),
            cav_rows("plain", "1", (0.5,), layer="k").assign(classifier="sgd", norm="l1"),
            cav_rows("a", "2", (0.3,), model="n").assign(split_seed=8),
        ],
        ignore_index=True,
    )
    table = cav_table(cavs, CATALOGUE)
    assert list(table.columns) == CAV_COLUMNS
    added = ["label", "control"]
    given = table.drop(columns=added)
    pd.testing.assert_frame_equal(given, cavs[given.columns])
    assert table["label"].tolist() == ["B/2", "B/2", "no motif", "A/1"]
    assert table["control"].tolist() == ["random", "random", "gc_matched", "random"]
    # all that is known of a CAV but what is other in every layer and control, or of them together
    left_out = {"intercept", "cav_cosine", "gc_change", "n_concept", "n_control"}
    assert set(cavs.columns) - set(table.columns) == left_out


def test_models_layers_and_variants_stay_apart_in_the_order_given():
    cavs = pd.concat(
        [
            cav_rows("b", "4", (0.9,)),
            cav_rows("a", "2", (0.1, 0.3)),
            cav_rows("a", "4", (0.5,)),
            cav_rows("a", "2", (0.7,), layer="k"),
            cav_rows("a", "2", (0.6,), model="n"),
        ],
        ignore_index=True,
    )
    table = concepts_of(cavs)
    rows = table[["model", "layer", "concept", "variant"]].to_numpy().tolist()
    assert rows == [
        ["m", "l", "b", "4"],
        ["m", "l", "a", "2"],
        ["m", "l", "a", "4"],
        ["m", "k", "a", "2"],
        ["n", "l", "a", "2"],
    ]
    np.testing.assert_allclose(table["f1"], [0.9, 0.2, 0.5, 0.7, 0.6])


def test_scores_get_their_labels_and_keep_their_rows():
    own = [name for name in SCORE_COLUMNS[6:] if not name.startswith("saturat")]
    numbers = dict(zip(own, range(len(own)), strict=True))
    rows = [
        {"model": "m", "layer": "l", "target": t, "concept": c, "variant": "2", **numbers}
        for t in ("t", "u")
        for c in ("b", "a")
    ]
    nulls = pd.DataFrame(
        {
            "model": "m",
            "layer": "l",
            "target": ["t", "t", "t"],
            "null": ["random", "random", "permuted"],
            "control": "random",
            "size": [50, 100, np.nan],
            "saturation": [0.9, 0.25, 0.5],
            "saturated": [True, True, True],
        }
    )
    table = score_table(pd.DataFrame(rows), CATALOGUE, nulls)
    assert list(table.columns) == SCORE_COLUMNS
    assert table["label"].tolist() == ["B/2", "A/1", "B/2", "A/1"]
    assert table["target"].tolist() == ["t", "t", "u", "u"]
    assert table[own].to_numpy().tolist() == [list(numbers.values())] * 4
    # the nulls with as many examples as asked for say whether fractions are saturated
    assert table["saturation"].tolist()[:2] == [0.25, 0.25]
    assert table["saturation"].isna().tolist() == [False, False, True, True]


def test_fractions_are_saturated_by_the_nulls_of_a_concepts_own_control():
    place = {"model": "m", "layer": "l", "target": "t"}
    own = dict.fromkeys(SCORE_COLUMNS[6:], 0.0)
    for name in ("saturation", "saturated"):
        del own[name]
    rows = [{**place, "concept": c, "variant": "2", **own} for c in ("a", "b", "plain")]
    nulls = pd.DataFrame(
        {
            **place,
            "null": "random",
            "size": 100,
            "control": ["open", "random"],
            "saturation": [0.9, 0.1],
            "saturated": [True, False],
        }
    )
    catalogue = CATALOGUE.assign(control=["open", "random", "random", "gc_matched"])
    table = score_table(pd.DataFrame(rows), catalogue, nulls).set_index("concept")
    assert table["saturation"].to_dict() == {"a": 0.9, "b": 0.1, "plain": 0.1}
    assert table["saturated"].to_dict() == {"a": True, "b": False, "plain": False}


@pytest.mark.parametrize(
    ("encoded", "used", "direction", "words"),
    [
        (True, True, "+", "encoded and used, raises the output"),
        (True, True, "-", "encoded and used, lowers the output"),
        (True, False, "-", "encoded, not seen as used"),
        (False, True, "+", "used, not seen as encoded, raises the output"),
        (False, False, "+", "neither"),
    ],
)
def test_the_two_verdicts_are_kept_apart_in_words(encoded, used, direction, words):
    assert verdict(encoded=encoded, used=used, direction=direction) == words
