"""The benchmark with known truth, small: one genome, one network, fewer nulls, its own code."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from benchmarks.truth import concepts, evaluate, nulls, report, simulation, train
from benchmarks.truth.rows import centred
from tests.conftest import made_once

pytestmark = pytest.mark.slow(minutes=True)

CONTIGS = {"chr1": 3_000_000, "chr2": 1_000_000, "chr3": 1_000_000}


def learn(folder: Path) -> None:
    """Write the rows of a small study, and what its network learned."""
    folder.mkdir()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(simulation, "CONTIGS", CONTIGS)
        patch.setattr(train, "EPOCHS", {"cnn": 8})
        patch.setattr(train, "BACKGROUNDS", 200)
        patch.setattr(evaluate, "TARGETS", 100)
        patch.setattr(evaluate, "RANDOM_NULLS", 40)
        patch.setattr(evaluate, "FRESH", 10)
        patch.setattr(evaluate, "CLASSIFIERS", ("pattern",))
        patch.setattr(evaluate, "PLANTED", {"study": (4,)})
        patch.setattr(evaluate, "NULLS_PER_MOTIF", {"study": 6})
        for module in (concepts, evaluate):
            patch.setattr(module, "EXAMPLES", 200)
        study = simulation.simulate(2)
        model = train.train(study, "cnn")
        rows = pd.DataFrame(evaluate.run(model, study, study.seed, "study"))
        rows = rows.assign(network="cnn", seed=study.seed, has_gc=study.has_gc)
        rows = rows.assign(tcav_fraction=rows["tcav_fraction"] - 0.5, study="study")
        learned = rows.assign(centred=centred(rows)), train.learned(study, model)
    pd.to_pickle(learned, folder / "learned.pickle")


@pytest.fixture(scope="module")
def learned(tmp_path_factory: pytest.TempPathFactory) -> tuple[pd.DataFrame, dict[str, float]]:
    """What `learn` wrote."""
    return pd.read_pickle(made_once(tmp_path_factory, "learned", learn) / "learned.pickle")


def test_the_network_learned_the_truth(learned):
    _, about = learned
    assert about["auroc_0"] > about["best_0"] - 0.1
    assert about["activators"] > 1


def test_effect_ranks_the_truth_before_decoys_and_with_the_right_sign(learned):
    table = report.recovery(learned[0]).set_index("statistic")
    for layer in ("middle", "late"):
        assert table.loc["effect", f"{layer} AUROC"] >= 0.95
        assert table.loc["effect", f"{layer} sign"] == 1
        package = table.loc["published log ratio, PCA", f"{layer} AUROC"]
        assert table.loc["effect", f"{layer} AUROC"] > package


def test_decoys_are_not_called_against_permuted_motifs(learned):
    table = nulls.calls(learned[0], ["layer", "network"])
    table = table[(table["statistic"] == "effect") & table["minimum effect"]]
    own = table[(table["null"] == "permuted") & (table["layer"] != "early")]
    assert (own["decoys called"] <= 0.1).all()
    assert (own["power"] >= 0.75).all()


def test_random_sets_are_not_called_and_the_published_score_saturates_on_them(learned):
    table = nulls.fresh(learned[0])
    # ten sets against nulls of one pool: enough to see a null that is far too narrow
    assert (table["p < 0.05"] <= 0.3).all()
    assert table["p < 0.05"].mean() <= 0.15
    assert (table.loc[table["statistic"] == "effect", "fraction beyond 0.1 or 0.9"] > 0.3).all()


def test_shuffled_labels_give_no_call(learned):
    table = nulls.sanity(learned[0])
    assert set(table["check"]) == {"shuffled labels"}
    assert (table["q < 0.05"] == 0).all()


def test_effect_follows_the_planting_effect(learned):
    table = report.with_planting(learned[0]).set_index(["statistic", "layer"])
    for layer in ("middle", "late"):
        # most motifs are decoys, whose ranks among themselves are chance
        assert table.loc[("effect", layer), "mean"] > 0.4
        assert 0.5 < table.loc[("effect", layer), "slope"] < 1.5
