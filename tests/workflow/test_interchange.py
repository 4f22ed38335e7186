"""Results of a run, read back for use elsewhere."""

from __future__ import annotations

import re
import warnings

import anndata
import numpy as np
import pandas as pd
import pytest
from pyarrow.parquet import read_schema

from tpcav_core.interchange import read_cavs, score_anndata

from .conftest import ROOT
from .contract import read

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("target", ["peaks", "anywhere"])
def test_concepts_by_regions_average_to_the_tables(finished, target, tmp_path):
    found = score_anndata(finished.folder / "out/small/conv_2", target)
    table = read(finished, "scores")
    table = table[(table["model"] == "small") & (table["layer"] == "conv_2")]
    table = table[table["target"] == target].astype({"variant": str})
    table = table.set_index(["concept", "variant"])
    keys = list(zip(found.obs["concept"], found.obs["variant"], strict=True))
    assert sorted(keys) == sorted(table.index)
    table = table.loc[keys]
    assert found.shape == (len(table), table["n_regions"].iloc[0])
    for values, name in (
        (found.X, "effect"),
        (found.layers["derivative"], "derivative"),
        (found.layers["published"], "published_mean"),
    ):
        np.testing.assert_allclose(values.mean(axis=1), table[name], rtol=1e-5, atol=1e-9)
    # behind this layer the network is linear: only what holds changes of activations differs
    assert found.layers["published"].std(axis=1).min() > 0
    np.testing.assert_array_equal(found.obs["effect"], table["effect"])
    # and it is a file that AnnData writes and reads
    found.write_h5ad(tmp_path / "scores.h5ad")
    again = anndata.read_h5ad(tmp_path / "scores.h5ad")
    np.testing.assert_array_equal(again.X, found.X)
    assert again.obs["effect"].tolist() == found.obs["effect"].tolist()


def test_regions_of_the_matrix_are_the_targets(finished):
    found = score_anndata(finished.folder / "out/small/conv_2", "peaks")
    peaks = pd.read_csv(finished.folder / "data/peaks.bed", sep="\t", header=None)
    centres = ((peaks[1] + peaks[2]) // 2).to_numpy()
    regions = found.var
    assert set(regions["contig"]) == {"chrA"}
    assert ((regions["end"] - regions["start"]) == 128).all()
    middle = ((regions["start"] + regions["end"]) // 2).to_numpy()
    assert np.isin(middle, centres).all()


def test_cavs_of_a_layer_are_those_of_the_table(finished):
    cavs = read_cavs(finished.folder / "out/small/conv_2/cavs")
    table = read(finished, "cavs")
    table = table[(table["model"] == "small") & (table["layer"] == "conv_2")]
    keys = ["concept", "variant", "replicate"]
    mine = cavs.table.astype(dict.fromkeys(keys, str)).set_index(keys)["test_f1"]
    theirs = table.astype(dict.fromkeys(keys, str)).set_index(keys)
    assert sorted(mine.index) == sorted(theirs.index)
    columns = [name for name in theirs if name.endswith("f1")]
    assert "test_f1" in columns
    np.testing.assert_array_equal(mine.loc[theirs.index], theirs["test_f1"])


def test_the_page_runs_as_it_stands(finished, tmp_path, monkeypatch, capsys):
    page = (ROOT / "docs/interchange.md").read_text(encoding="utf-8")
    (tmp_path / "results").symlink_to(finished.folder / "out")
    for name in ("data", "model.py"):
        (tmp_path / name).symlink_to(finished.folder / name)
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {}
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Using default classifier for TCAV")
        for block in re.findall(r"^```python\n(.*?)^```", page, re.MULTILINE | re.DOTALL):
            exec(compile(block, "interchange.md", "exec"), names)
    assert names["weights"].shape == (4, 24)
    assert names["directions"].shape == (8, 24)
    assert names["embeddings"].shape == (16, 48)
    assert (tmp_path / "peaks.h5ad").is_file()
    assert "AnnData object with n_obs × n_vars = 8 × 20" in capsys.readouterr().out


def test_the_page_describes_every_column_of_cavs(finished):
    page = (ROOT / "docs/interchange.md").read_text(encoding="utf-8")
    described = page.split("### Columns of a file of CAVs")[1].split("\n\n")[1]
    words = re.findall(r"`(\w+)(…)?(_\w+)?`", described)
    prefixes = tuple(word for word, more, _ in words if more)
    exact = {word for word, more, _ in words if not more}
    columns = read_schema(finished.folder / "out/small/conv_2/cavs/mixed.parquet").names
    unknown = [
        name
        for name in columns
        if not (name in exact or name.startswith((*prefixes, "n_concept_", "n_control_")))
    ]
    assert unknown == []
    assert exact - {"_train", "_test", "_low", "_high"} <= set(columns)
