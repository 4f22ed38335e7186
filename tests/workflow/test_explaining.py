"""What is explained and against what: outputs, baselines, and the probe before a run."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from .conftest import SUMMARY
from .contract import read

pytestmark = pytest.mark.slow

READ = """
def difference(result):
    return result[:, 1] - result[:, 0]
"""


def several(config: dict[str, Any]) -> None:
    """Explain three outputs of a model, and compare one target with shuffled copies."""
    own = {"first": 0, "second": 1, "difference": "read.py:difference"}
    config["models"] = {"small": {**config["models"]["small"], "output": own}}
    config["models"]["small"]["layers"] = ["conv_2"]
    config["targets"]["peaks"]["baselines"] = {"source": "shuffled", "per_target": 3}


def test_each_output_has_scores_of_its_own_and_nothing_is_trained_again(copy):
    before = {table: read(copy, table) for table in ("scores", "planting", "concepts")}
    (copy.folder / "read.py").write_text(READ)
    copy.configure(several)
    planned = copy.planned()
    assert planned == {
        "preflight_target": 1,
        "probe": 1,
        "attributions": 6,
        "scores": 6,
        "sites": 6,
        "planting": planned["planting"],
        "catalogue": 1,
        "summary": 1,
        "figures": 1,
        "report": 1,
        "all": 1,
    }
    result = copy.snakemake(SUMMARY)
    assert result.returncode == 0, result.stdout
    scores, planting = (read(copy, table) for table in ("scores", "planting"))
    names = [f"{t}.{o}" for t in ("peaks", "anywhere") for o in ("first", "second", "difference")]
    assert set(scores["target"]) == set(names)
    assert set(planting["output"]) == {"first", "second", "difference"}
    # a readout that is linear in two others has the difference of their effects
    for table, keys, value in (
        (scores, "target", "effect"),
        (planting, "output", "planting_effect"),
    ):
        wide = table.assign(output=table[keys].str.rpartition(".")[2]).pivot_table(
            index=[name for name in ("concept", "variant") if name in table],
            columns="output",
            values=value,
            aggfunc="sum",
        )
        assert wide["difference"].abs().max() > 0
        np.testing.assert_allclose(
            wide["difference"], wide["second"] - wide["first"], rtol=1e-3, atol=1e-5
        )
    # output 0 against random windows is what it was
    same = ["concept", "variant", "effect", "derivative", "log_ratio"]
    old = before["scores"]
    old = old[
        (old["model"] == "small") & (old["layer"] == "conv_2") & (old["target"] == "anywhere")
    ]
    new = scores[scores["target"] == "anywhere.first"]
    left, right = (t[same].sort_values(same[:2]).reset_index(drop=True) for t in (old, new))
    pd.testing.assert_frame_equal(left, right)
    verdicts = read(copy, "verdicts")
    direct = verdicts.dropna(subset="planting_effect")
    assert direct.groupby("target")["planting_effect"].nunique().min() > 1
    content = torch.load(copy.folder / "out/small/conv_2/attributions/peaks.first.pt")
    assert content["baselines_per_target"] == 3


def test_the_probe_says_how_each_layer_is_explained(finished):
    for model, layer in (("small", "conv_1"), ("small", "conv_2"), ("second", "conv_2")):
        table = pd.read_csv(finished.folder / f"out/{model}/{layer}/probe.tsv", sep="\t")
        assert table["method"].tolist() == ["deeplift"]
        assert table["completeness_error"].item() < 1e-4
        assert table["around_layer"].item() < 1e-6
        assert table["disk_mb"].item() > table["set_mb"].item() > 0


def test_an_output_that_is_not_there_and_a_branch_are_refused_in_seconds(study):
    study.configure(lambda config: config["models"]["small"].update(output=7))
    written = study.refused(["output column 7", "it has 2"])
    assert not [path for path in written if path.name == "verdicts.tsv"]
