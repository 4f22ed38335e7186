"""Results of a run, read back for use elsewhere."""

from __future__ import annotations

import anndata
import numpy as np
import pandas as pd
import pytest

from tpcav_core.interchange import read_cavs, score_anndata

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
        assert values.std(axis=1).min() > 0
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
