"""Contributions of bases, asked for in a study that is finished otherwise."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pyBigWig
import pytest

from tpcav_core import files

from ..conftest import made_once
from .conftest import Study

pytestmark = pytest.mark.slow

SETS = {
    "rich": {"concepts": ["rich*"], "hypothetical": True, "logos": 2},
    "rest": {"concepts": ["rich*"], "complement": True, "logos": 0},
    "mixed": {"concepts": ["mixed"], "variant": 2, "correct_off_simplex": True},
}
#: one layer has all concepts, the two others the one called mixed
PLACES = ["small/conv_2", "small/conv_1", "second/conv_2"]


@pytest.fixture(scope="module")
def done(finished: Study, tmp_path_factory: pytest.TempPathFactory) -> tuple[Study, dict]:
    """The study with contributions, and the jobs that asking for them made."""

    def make(folder: Path) -> None:
        study = Study(Path(shutil.copytree(finished.folder, folder)))
        study.configure(lambda config: config.update(contributions=SETS))
        planned = study.planned()
        result = study.snakemake()
        assert result.returncode == 0, result.stdout
        (folder / "planned.json").write_text(json.dumps(planned))

    folder = made_once(tmp_path_factory, "contributions", make)
    return Study(folder), json.loads((folder / "planned.json").read_text())


def test_asking_for_contributions_runs_nothing_else(done):
    assert done[1] == {"contributions": 10, "contribution_files": 10, "modisco_files": 2, "all": 1}
    assert done[0].planned() == {}


def test_every_place_has_its_files_and_no_other(done):
    endings = ("pt", "bw", "tsv", "parquet", "bed", "svg")
    for place in PLACES:
        folder = done[0].folder / "out" / place / "contributions"
        sets = ["rich", "rest", "mixed"] if place == "small/conv_2" else ["mixed"]
        expected = {f"{t}.{s}.{e}" for t in ("peaks", "anywhere") for s in sets for e in endings}
        if "rich" in sets:
            expected |= {
                f"{t}.rich.{e}.npz" for t in ("peaks", "anywhere") for e in ("ohe", "contribs")
            }
        assert {path.name for path in folder.iterdir()} == expected


@pytest.mark.parametrize(("target", "n"), [("peaks", 20), ("anywhere", 24)])
def test_a_set_and_its_complement_make_the_change_of_the_output(done, target, n):
    folder = done[0].folder / "out/small/conv_2"
    whole = files.load_tensors(folder / f"attributions/{target}.pt", "attributions")
    part, rest = (
        files.load_tensors(folder / f"contributions/{target}.{name}.pt", "contributions")
        for name in ("rich", "rest")
    )
    change = (whole["output"].double() - whole["baseline_output"]).numpy()
    total = (part["contributions"] + rest["contributions"]).sum(dim=1).numpy()
    assert total.shape == (n,)
    np.testing.assert_allclose(total, change, atol=1e-4 * np.abs(change).mean())
    assert part["tpcav"]["parameters"]["concepts"] == [("rich_GC_one", "6")]
    assert part["method"] == whole["method"] == "deeplift"


def test_the_track_and_the_table_say_what_the_tensors_do(done):
    folder = done[0].folder / "out/small/conv_2/contributions"
    content = files.load_tensors(folder / "peaks.rich.pt", "contributions")
    table = pd.read_csv(folder / "peaks.rich.tsv", sep="\t")
    assert table["score"].abs().is_monotonic_decreasing
    rows = table["target_row"].to_numpy()
    np.testing.assert_allclose(table["score"], content["score"].numpy()[rows], rtol=1e-5)
    with pyBigWig.open(str(folder / "peaks.rich.bw")) as file:
        assert file.chroms() == {"chrA": 200_000, "chrB": 120_000}
        starts = table["start"].to_numpy()
        alone = np.flatnonzero((np.abs(starts[:, None] - starts) < 128).sum(axis=1) == 1)
        assert len(alone)
        for place in alone:
            chrom, start, end = table.loc[place, ["chrom", "start", "end"]]
            found = np.array(file.values(chrom, start, end), np.float32)
            np.testing.assert_array_equal(found, content["contributions"][rows[place]].numpy())
    bed = pd.read_csv(folder / "peaks.rich.bed", sep="\t", header=None)
    assert set(bed[3]) <= set(table["region"])
    ohe, hypothetical = (
        np.load(folder / f"peaks.rich.{e}.npz")["arr_0"] for e in ("ohe", "contribs")
    )
    assert ohe.shape == hypothetical.shape == (20, 4, 128)
    there = (ohe * hypothetical).sum(axis=1)
    np.testing.assert_allclose(there, content["contributions"].numpy(), atol=1e-6)


def test_what_changes_reruns_what_it_affects(done, tmp_path):
    study = Study(Path(shutil.copytree(done[0].folder, tmp_path / "copy")))
    study.configure(lambda config: config["contributions"]["rich"].update(logos=3))
    assert study.planned() == {"contribution_files": 2, "all": 1}
    # contributions do not depend on principal components
    study.configure(lambda config: config["contributions"]["rich"].update(logos=2))
    study.configure(lambda config: config.update(basis={"components": 3}))
    assert study.planned() == {
        "components": 3,
        "scores": 6,
        "summary": 1,
        "figures": 1,
        "report": 1,
        "all": 1,
    }


def test_a_concept_that_is_not_there_is_one_line(study):
    study.configure(lambda config: config.update(contributions={"s": {"concepts": ["mixd"]}}))
    written = study.refused(["contributions.s.concepts", "no concept matches 'mixd'", "'mixed'"])
    assert written == []
