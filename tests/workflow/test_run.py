"""The whole workflow on a small study: complete, reproducible, and rerun only where needed."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq
import pytest

from tpcav_core.memory import cav_job_memory

from .conftest import ROOT, Study

pytestmark = pytest.mark.slow

CONTRACT = {
    "concepts": (
        "model layer concept label source variant n_concept n_control precision recall f1"
        " accuracy auroc average_precision mcc cav_norm hyperparameters"
    ),
    "cavs": (
        "model layer concept label variant control replicate classifier norm penalty"
        " relative_penalty cav_norm split_seed n_folds n_concept_train n_control_train"
        " n_concept_test n_control_test test_precision test_precision_low test_precision_high"
        " test_recall test_recall_low test_recall_high test_f1 test_f1_low test_f1_high"
    ),
    "scores": (
        "model layer target concept label variant n_regions n_positive n_negative"
        " fraction_positive log_ratio derivative effect"
    ),
    "verdicts": (
        "model layer target concept label variant encoded used direction verdict f1 auroc auroc_q"
        " effect effect_low effect_high effect_q"
    ),
    "planting": "model concept label variant n_backgrounds planting_effect",
    "motif_points": "model layer concept label variant copies f1 f1_low f1_high",
    "motif_sensitivity": (
        "model layer concept label f1_auc information_content information_content_gc"
        " motif_length sensitivity"
    ),
}


@pytest.fixture
def copy(finished: Study, tmp_path: Path) -> Study:
    """A finished run that may be changed; times of files are kept."""
    return Study(Path(shutil.copytree(finished.folder, tmp_path / "copy")))


@pytest.mark.parametrize("table", CONTRACT)
def test_tables_have_the_columns_of_the_contract_in_both_formats(finished, table):
    summary = finished.folder / "out/summary"
    text = {"variant": str, "replicate": str}
    tsv = pd.read_csv(summary / f"{table}.tsv", sep="\t", na_values="NA", dtype=text)
    columns = CONTRACT[table].split()
    assert list(tsv.columns)[: len(columns)] == columns
    parquet = pq.read_table(summary / f"{table}.parquet").to_pandas()
    # nothing but missing values without sanity checks: no type of its own in text
    tsv, parquet = (
        one.drop(columns="called_with_permuted_weights", errors="ignore") for one in (tsv, parquet)
    )
    pd.testing.assert_frame_equal(tsv.astype({"label": str}), parquet, check_dtype=False, rtol=1e-5)


def test_every_concept_variant_layer_and_target_is_in_the_tables(finished):
    summary = finished.folder / "out/summary"
    concepts = pd.read_csv(summary / "concepts.tsv", sep="\t")
    rows = concepts.groupby(["model", "layer"]).size().to_dict()
    # three motifs at 2 and 6 copies, two consensus motifs at 3
    assert rows == {("small", "conv_2"): 8, ("small", "conv_1"): 2, ("second", "conv_2"): 2}
    cavs = pd.read_csv(summary / "cavs.tsv", sep="\t")
    keys = ["model", "layer", "concept", "variant"]
    assert dict(cavs.groupby(keys).size()) == dict(concepts.groupby(keys)["n_replicates"].sum())
    assert set(cavs["classifier"]) == {"ridge"}
    scores = pd.read_csv(summary / "scores.tsv", sep="\t")
    assert len(scores) == 2 * len(concepts)
    assert dict(scores.groupby("target")["n_regions"].unique().map(list)) == {
        "anywhere": [24],
        "peaks": [20],
    }
    assert (scores["n_positive"] + scores["n_negative"] == scores["n_regions"]).all()
    assert set(concepts["label"]) == {"rich/GC:one", "poor,AT", "mixed", "box", "site"}
    assert (concepts["n_concept"] == 60).all()
    assert (concepts["n_control"] == 60).all()


def test_large_intermediates_are_gone_and_nothing_is_half_written(finished):
    files = [path.name for path in (finished.folder / "out").rglob("*")]
    assert not list((finished.folder / "out").rglob("activations/*.parquet"))
    assert not [name for name in files if name.endswith(".part")]


def test_second_run_has_nothing_to_do(finished):
    assert finished.planned() == {}


def test_one_core_gives_the_same_bytes_as_two(finished, study):
    result = study.snakemake(cores=1)
    assert result.returncode == 0, result.stdout
    assert study.summary() == finished.summary()


def test_cutting_the_work_into_other_jobs_gives_the_same_tables(finished, study):
    study.configure(
        lambda config: config["jobs"].update(concepts_per_job=2, concepts_per_activation_job=1)
    )
    result = study.snakemake()
    assert result.returncode == 0, result.stdout
    tables = {name: data for name, data in study.summary().items() if name.endswith(".tsv")}
    assert tables == {name: finished.summary()[name] for name in tables}


def test_several_concepts_a_job_give_the_same_bytes(finished, copy):
    copy.configure(lambda config: config["jobs"].update(concepts_per_job=2))
    # three concepts and two in the first layer, one in each of the others
    assert copy.planned()["cavs"] == 5
    result = copy.snakemake()
    assert result.returncode == 0, result.stdout
    assert copy.summary() == finished.summary()


def test_a_cav_job_says_which_memory_it_needs_and_needs_no_more(finished):
    jobs = sorted((finished.folder / "out/benchmarks").glob("*/*/cavs/*.tsv"))
    # five, one and one concepts; permuted motifs of two, one and one chunks
    assert len(jobs) == 11
    for path in jobs:
        used = pd.read_csv(path, sep="\t", na_values="-")["max_rss"].item()
        # a job that is over before Snakemake looks at it has no value
        assert not used > 500
    wide = cav_job_memory(60, 960, replicates=2, variants=2)
    assert 500 < wide < 520


def test_other_components_neither_run_the_model_nor_retrain(copy):
    copy.configure(lambda config: config.update(basis={"components": 3}))
    assert copy.planned() == {"components": 3, "scores": 6, "summary": 1, "all": 1}


def test_another_level_reruns_the_summary_only(copy):
    copy.configure(lambda config: config["statistics"].update(alpha=0.1, minimum_effect=0))
    assert copy.planned() == {"summary": 1, "all": 1}


def test_other_random_nulls_leave_concepts_alone(copy):
    copy.configure(lambda config: config["statistics"].update(random_nulls=21))
    assert copy.planned() == {"nulls": 3, "scores": 6, "summary": 1, "all": 1}


def test_sanity_checks_and_other_methods_have_their_tables(study):
    def change(config):
        config.update(sanity_checks=True, compare_methods=True)
        del config["models"]["second"], config["targets"]["anywhere"]
        config["models"]["small"]["layers"] = ["conv_2"]

    study.configure(change)
    result = study.snakemake()
    assert result.returncode == 0, result.stdout
    summary = study.folder / "out/summary"
    sanity = pd.read_csv(summary / "sanity.tsv", sep="\t", keep_default_na=False)
    assert set(sanity["model"]) == {"small"}
    assert set(sanity["check"]) == {"permuted weights", "shuffled labels"}
    assert (sanity.groupby(["check", "verdict"])["n_tests"].sum() == 8).all()
    methods = pd.read_csv(summary / "methods.tsv", sep="\t")
    assert methods.groupby("method").size().to_dict() == {
        "plain": 8,
        "standardised": 8,
        "tpcav": 8,
    }
    # the same CAVs, with and without components
    wide = methods.pivot(index=["concept", "variant"], columns="method", values="derivative")
    pd.testing.assert_series_equal(
        wide["standardised"], wide["tpcav"], check_names=False, rtol=1e-3
    )
    for table in ("concepts", "scores", "verdicts", "cavs"):
        assert set(pd.read_csv(summary / f"{table}.tsv", sep="\t")["model"]) == {"small"}


def test_another_target_does_not_retrain(copy):
    copy.configure(lambda config: config["targets"].update(more={"regions": "random", "n": 5}))
    assert copy.planned() == {
        "preflight_target": 2,
        "attributions": 3,
        "scores": 3,
        "summary": 1,
        "all": 1,
    }


def test_another_layer_leaves_the_others_alone(copy):
    copy.configure(lambda config: config["models"]["second"]["layers"].append("conv_1"))
    planned = copy.planned()
    # five concepts in two chunks, one of them new to this model (and its catalogue), and as many
    # chunks of permuted motifs; two targets
    assert planned == {
        "preflight": 1,
        "concepts": 2,
        "catalogue": 1,
        "activations": 4,
        "control_activations": 2,
        "sample": 1,
        "scaling": 1,
        "components": 1,
        "gram": 1,
        "cavs": 7,
        "nulls": 1,
        "similarity": 1,
        "planting": 4,
        "attributions": 2,
        "scores": 2,
        "summary": 1,
        "all": 1,
    }


def test_a_comment_in_the_configuration_reruns_nothing(copy):
    path = copy.folder / "config.yaml"
    path.write_text("# a comment\n" + path.read_text())
    assert copy.planned() == {}


def test_lint_is_clean(study):
    result = study.snakemake("--lint")
    assert result.returncode == 0, result.stdout


def test_demo_finds_the_known_truth(tmp_path):
    shutil.copytree(ROOT / "config", tmp_path / "config")
    demo = Study(tmp_path)
    (tmp_path / "config.yaml").symlink_to(tmp_path / "config/config.yaml")
    result = demo.snakemake()
    assert result.returncode == 0, result.stdout
    truth = pd.read_csv(tmp_path / "resources/demo/truth.tsv", sep="\t").set_index("motif")
    scores = pd.read_csv(tmp_path / "results/summary/scores.tsv", sep="\t")
    strongest = scores[(scores["layer"] == "conv_2") & (scores["variant"] == 8)]
    effect = strongest.set_index("concept")["effect"]
    used = truth["role"] != "decoy"
    # on this network, concepts that the labels depend on are all ranked above all decoys
    assert effect[used[used].index].abs().min() > effect[used[~used].index].abs().max()
    sign = truth.loc[used, "strength"].apply(lambda value: 1 if value > 0 else -1)
    assert (effect[used[used].index].apply(lambda value: 1 if value > 0 else -1) == sign).all()


@pytest.mark.real
def test_real_ctcf_network_reads_the_ctcf_motif(tmp_path, real_data, monkeypatch):
    monkeypatch.setenv("TPCAV_DATA", str(real_data))
    shutil.copytree(ROOT / ".test/ctcf", tmp_path / ".test/ctcf")
    study = Study(tmp_path)
    shutil.copy(tmp_path / ".test/ctcf/config.yaml", tmp_path / "config.yaml")
    few = {"random_nulls": 10, "permutations_per_motif": 1}
    study.configure(lambda config: config.update(statistics=few))
    result = study.snakemake("--cores", str(os.cpu_count()))
    assert result.returncode == 0, result.stdout
    summary = tmp_path / "results/ctcf/summary"
    concepts = pd.read_csv(summary / "concepts.tsv", sep="\t")
    ctcf = "AC0078:CTCF/CTCFL:C2H2_ZF"
    linear = concepts[concepts["layer"] == "linear_layer_1"]
    assert len(linear) == 21
    f1 = linear[(linear["label"] == ctcf) & (linear["variant"] == 36)]["f1"].item()
    assert f1 >= 0.90
    sensitivity = pd.read_csv(summary / "motif_sensitivity.tsv", sep="\t")
    area = sensitivity[sensitivity["layer"] == "linear_layer_1"].set_index("label")["f1_auc"]
    assert area.idxmax() == ctcf
    scores = pd.read_csv(summary / "scores.tsv", sep="\t")
    own = scores[scores["label"] == ctcf]
    assert set(own["layer"]) == {"linear_layer_1", "conv_layer_2"}
    assert (own["n_positive"] == 201).all()
    assert (own["effect"] > 0).all()
