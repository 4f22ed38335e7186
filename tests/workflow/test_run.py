"""The whole workflow on a small study: complete, reproducible, and rerun only where needed."""

from __future__ import annotations

import os
import re
import shutil
from typing import Any

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from tpcav_core.memory import cav_job_memory

from ..conftest import made_once
from .conftest import ROOT, SUMMARY, Study, lean, run_of
from .contract import CONTRACT, read, read_text

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("table", CONTRACT)
def test_tables_have_the_columns_of_the_contract_in_both_formats(finished, table):
    tsv, parquet = read_text(finished, table), read(finished, table)
    columns = CONTRACT[table].split()
    assert list(tsv.columns)[: len(columns)] == columns
    assert table == "cavs" or len(tsv.columns) == len(columns)
    # nothing but missing values here: no type of its own in text
    missing = ["called_with_permuted_weights", "into"]
    tsv, parquet = (one.drop(columns=missing, errors="ignore") for one in (tsv, parquet))
    pd.testing.assert_frame_equal(tsv, parquet, check_dtype=False, rtol=1e-5)


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
    assert len(read(finished, "verdicts")) == len(scores)
    points, planting = read(finished, "motif_points"), read(finished, "planting")
    assert len(points) == len(concepts)
    # once for each model, whatever the layers
    assert planting.groupby("model").size().to_dict() == {"small": 8, "second": 2}
    assert (planting["n_backgrounds"] == 60).all()
    layers = read(finished, "layers")[["model", "layer_1", "layer_2", "n_concepts"]]
    # the one concept that both layers of the first model have, by target and variant
    assert layers.to_numpy().tolist() == [["small", "conv_2", "conv_1", 1]] * 4


def test_every_layer_and_target_has_its_nulls(finished):
    nulls = read(finished, "nulls")
    places = ["model", "layer", "target"]
    random, permuted = (nulls[nulls["null"] == kind] for kind in ("random", "permuted"))
    assert random[["control", "size", "n_nulls"]].to_numpy().tolist() == [["random", 60, 20]] * 6
    # of a motif, the nulls of all that are planted in as many copies in the same layer
    found = permuted.groupby(places)[["variant", "n_nulls"]].agg(list)
    for (model, layer, _), (variants, numbers) in found.iterrows():
        all_there = (model, layer) == ("small", "conv_2")
        expected = {"2": 3, "6": 3, "3": 2} if all_there else {"2": 1, "6": 1}
        assert dict(zip(variants, numbers, strict=True)) == expected
    assert len(found) == 6
    assert np.allclose(nulls["smallest_p"], 1 / (1 + nulls["n_nulls"]))
    values = read(finished, "null_values")
    assert len(values) == nulls["n_nulls"].sum()
    assert values.groupby([*places, "kind"]).ngroups == 12
    # each is a null of both verdicts
    assert values[["effect", "derivative", "log_ratio", "f1", "auroc"]].notna().all(axis=None)


def test_what_is_called_follows_from_q_and_size(finished):
    scores, concepts = read(finished, "scores"), read(finished, "concepts")
    smallest = read(finished, "nulls").query("null == 'permuted'")["smallest_p"].min()
    for table, statistics in ((scores, ("effect", "derivative")), (concepts, ("f1", "auroc"))):
        assert set(table["null"]) == {"permuted"}
        for name in statistics:
            p, q = table[f"{name}_p_permuted"], table[f"{name}_q"]
            assert p.between(smallest, 1).all()
            assert (table[f"{name}_p_random"].between(1 / 21, 1)).all()
            assert (q >= p - 1e-12).all()
    assert (concepts["encoded"] == (concepts["auroc_q"] <= 0.05)).all()
    assert (scores["used"] == ((scores["effect_q"] <= 0.05) & scores["large_enough"])).all()
    assert scores["effect"].between(scores["effect_low"], scores["effect_high"]).all()
    verdicts = read(finished, "verdicts")
    assert verdicts["called_with_permuted_weights"].isna().all()
    sizes = verdicts.groupby(["model", "layer", "target", "variant"])["effect"]
    assert sizes.apply(lambda effect: effect.abs().is_monotonic_decreasing).all()


def test_permuted_motifs_are_trained_chunk_by_chunk_beside_the_concepts(finished):
    folders = {"small/conv_2": 5, "small/conv_1": 1, "second/conv_2": 1}
    for place, concepts in folders.items():
        files = sorted((finished.folder / "out" / place / "cavs").iterdir())
        chunks = [path for path in files if ".nulls-" in path.name]
        assert len(files) - len(chunks) == concepts
        tables = {
            path.stem: pq.read_table(path, columns=["concept", "variant"]).to_pandas()
            for path in chunks
        }
        trained = {name: table["concept"].unique().tolist() for name, table in tables.items()}
        every = ["rich_GC_one.null0000", "poor_AT.null0000", "mixed.null0000"]
        expected = {"motifs.nulls-0000": every if concepts == 5 else every[2:]}
        if concepts == 5:
            expected["boxes.nulls-0000"] = ["box.null0000", "site.null0000"]
        assert trained == expected
        # as many variants and replicates as the motif itself
        rows = {name: len(table) for name, table in tables.items()}
        assert rows == {
            name: len(ids) * 2 * (2 if name.startswith("motifs") else 1)
            for name, ids in expected.items()
        }


def test_large_intermediates_are_gone_and_nothing_is_half_written(finished):
    files = [path.name for path in (finished.folder / "out").rglob("*")]
    assert not list((finished.folder / "out").rglob("activations/*.parquet"))
    assert not [name for name in files if name.endswith(".part")]


def test_second_run_has_nothing_to_do(finished):
    assert finished.planned() == {}


def test_one_core_and_other_jobs_give_the_same_numbers(finished, study):
    study.configure(
        lambda config: config["jobs"].update(concepts_per_job=2, concepts_per_activation_job=1)
    )
    # one of three concepts and of three permuted motifs, which are made with the others or alone
    wanted = ["out/small/conv_1/scores/peaks.parquet", "out/small/conv_1/similarity.parquet"]
    result = study.snakemake("--", *wanted, cores=1)
    assert result.returncode == 0, result.stdout
    # what all CAVs wait for comes before the activations that are kept on the disk meanwhile
    order = re.findall(r"^(?:local)?rule (\w+):", result.stdout, re.MULTILINE)
    assert order.index("gram") < order.index("activations")
    for path in wanted:
        ours, theirs = (pd.read_parquet(one.folder / path) for one in (study, finished))
        assert len(ours)
        pd.testing.assert_frame_equal(ours, theirs, check_exact=True)


def test_several_concepts_a_job_give_the_same_bytes(finished, copy):
    copy.configure(lambda config: config["jobs"].update(concepts_per_job=2))
    # three concepts and two in the first layer, one in each of the others
    assert copy.planned()["cavs"] == 5
    result = copy.snakemake(SUMMARY)
    assert result.returncode == 0, result.stdout
    assert copy.summary() == finished.summary()


def test_a_cav_job_says_which_memory_it_needs_and_needs_no_more(finished):
    jobs = sorted((finished.folder / "out/benchmarks/cavs").glob("*/*/*.tsv"))
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
    assert copy.planned() == {
        "components": 3,
        "scores": 6,
        "summary": 1,
        "figures": 1,
        "report": 1,
        "all": 1,
    }


def test_other_rules_of_what_is_called_rerun_the_summary_only(copy):
    rules = {"alpha": 0.1, "minimum_effect": 0, "statistic": "derivative", "inseparable": 0.8}
    # what was measured stays in its place, and is left out of the tables
    rules["planting_effect"] = False
    copy.configure(lambda config: config["statistics"].update(rules))
    assert copy.planned() == {"summary": 1, "figures": 1, "report": 1, "all": 1}


def test_other_random_nulls_leave_concepts_alone(copy):
    copy.configure(lambda config: config["statistics"].update(random_nulls=30))
    # one job for each layer, and the scores of two targets; the control's activations are kept
    assert copy.planned() == {
        "nulls": 3,
        "scores": 6,
        "summary": 1,
        "figures": 1,
        "report": 1,
        "all": 1,
    }
    copy.configure(lambda config: config["statistics"].update(random_nulls=0))
    assert copy.planned() == {"scores": 6, "summary": 1, "figures": 1, "report": 1, "all": 1}


def test_other_permuted_motifs_leave_concepts_and_random_nulls_alone(copy):
    copy.configure(lambda config: config["statistics"].update(permutations_per_motif=2))
    # six and four nulls in two chunks of three each; of the other model, whose motif is the third,
    # the nulls are all in the second chunk
    assert copy.planned() == {
        "concepts": 5,
        "planting": 5,
        "activations": 6,
        "cavs": 6,
        "scores": 6,
        "summary": 1,
        "figures": 1,
        "report": 1,
        "all": 1,
    }
    copy.configure(lambda config: config["statistics"].update(permutations_per_motif=0))
    assert copy.planned() == {"scores": 6, "summary": 1, "figures": 1, "report": 1, "all": 1}


MORE = """
MOTIF more
letter-probability matrix: alength= 4 w= 4 nsites= 20 E= 0
 0.85 0.05 0.05 0.05
 0.05 0.85 0.05 0.05
 0.05 0.05 0.85 0.05
 0.05 0.05 0.05 0.85
"""


@pytest.mark.parametrize(
    ("file", "text", "new", "activations"),
    [
        # the chunks of three motifs and three nulls are full: a fourth motif has one of its own
        ("motifs.meme", MORE, ["motifs-0001", "motifs.nulls-0001"], 6),
        # two consensus motifs and two nulls share a chunk, which changes
        ("consensus.tsv", "more\tGATTACA\n", ["boxes-0000", "boxes.nulls-0000"], 4),
    ],
)
def test_another_motif_makes_no_other_recipes_than_those_of_its_chunks(
    copy, file, text, new, activations
):
    path = copy.folder / file
    path.write_text(path.read_text() + text)
    # one layer has all concepts: its basis is of other examples, so all is trained again there
    assert copy.planned() == {
        "concepts": 2,
        "catalogue": 1,
        "planting": 2,
        "activations": activations,
        "sample": 1,
        "scaling": 1,
        "components": 1,
        "gram": 1,
        "nulls": 1,
        "cavs": 6 + activations // 2,
        "similarity": 1,
        "scores": 2,
        "sites": 2,
        "summary": 1,
        "figures": 1,
        "report": 1,
        "all": 1,
    }
    lines = [line.strip() for line in copy.snakemake("--dry-run").stdout.splitlines()]
    recipes = sorted(line for line in lines if line.startswith("output: out/small/concepts/"))
    assert recipes == [f"output: out/small/concepts/{chunk}.parquet" for chunk in new]


def test_with_a_basis_of_the_controls_another_motif_leaves_all_others_as_they_are(copy):
    copy.configure(lambda config: config.update(basis={"fit_on": "controls"}))
    # as if it had been so from the start: only what follows from the change below is looked at
    result = copy.snakemake("--touch", "--quiet", "all")
    assert result.returncode == 0, result.stdout
    assert copy.planned() == {}
    path = copy.folder / "motifs.meme"
    path.write_text(path.read_text() + MORE)
    assert copy.planned() == {
        # the motif and its permutation, each in a chunk of its own
        "concepts": 2,
        "planting": 2,
        "activations": 2,
        "cavs": 2,
        "catalogue": 1,
        "similarity": 1,
        "scores": 2,
        "sites": 2,
        "summary": 1,
        "figures": 1,
        "report": 1,
        "all": 1,
    }


@pytest.fixture(scope="module")
def checked_twice(pristine: Study, tmp_path_factory: pytest.TempPathFactory) -> Study:
    """One model, layer and set, with sanity checks and other methods; do not change it."""

    def change(config):
        config.update(sanity_checks=True, compare_methods=True)
        lean(config)
        config["jobs"]["concepts_per_job"] = 3

    return Study(
        made_once(
            tmp_path_factory,
            "checked_twice",
            lambda folder: run_of(pristine, folder, change, SUMMARY),
        )
    )


def test_sanity_checks_have_a_row_for_each_verdict(checked_twice):
    sanity = read(checked_twice, "sanity")
    columns = ["model", "layer", "target", "check", "verdict", "variant", "null"]
    # labels are shuffled among a concept and its controls, which permuted motifs say nothing of
    assert sorted(sanity[columns].to_numpy().tolist()) == sorted(
        ["small", "conv_2", target, check, verdict, variant, null]
        for check, null in (("permuted weights", "permuted"), ("shuffled labels", "random"))
        for verdict, target in (("encoded", ""), ("used", "peaks"))
        for variant in "26"
    )
    # three motifs at either number of copies
    assert (sanity["n_tests"] == 3).all()
    small = sanity["n_p_below_alpha"] <= sanity["most_by_chance"]
    assert (sanity["passed"] == ((sanity["n_called"] == 0) & small)).all()
    verdicts = read(checked_twice, "verdicts")
    assert set(verdicts["called_with_permuted_weights"]) <= {True, False}
    # a twin is in no other table, and its nulls count for no concept
    for table in ("concepts", "scores", "verdicts", "cavs", "planting", "nulls", "null_values"):
        assert set(read(checked_twice, table)["model"]) == {"small"}, table
    catalogue = pd.read_csv(checked_twice.folder / "out/catalogue.tsv", sep="\t")
    assert set(catalogue["model"]) == {"small"}


def test_a_twin_sees_the_same_examples_and_says_other_things_of_them(checked_twice):
    out = checked_twice.folder / "out"
    recipes = [path.relative_to(out / "small") for path in out.glob("small/co*s/*.parquet")]
    # a set, its nulls, the control and what its nulls are cut from beside it
    assert len(recipes) == 4
    for file in recipes:
        own, twin = (pq.read_table(out / model / file) for model in ("small", "small.randomised"))
        assert own.equals(twin), file
    left, right = (
        pq.read_table(out / model / "conv_2/cavs/motifs-0000.0000.parquet")["weights"]
        for model in ("small", "small.randomised")
    )
    assert not left.equals(right)
    # labels are shuffled for the model itself, one file beside each of its CAVs
    assert sorted(path.stem for path in out.glob("*/*/shuffled/*")) == sorted(
        path.stem for path in out.glob("small/conv_2/cavs/*") if ".nulls-" not in path.name
    )


def test_methods_are_scored_on_the_same_examples_and_regions(checked_twice):
    methods = read(checked_twice, "methods")
    keys = ["model", "layer", "target", "concept", "label", "variant"]
    scores = read(checked_twice, "scores").set_index(keys)
    parts = {name: part.set_index(keys) for name, part in methods.groupby("method", sort=False)}
    assert list(parts) == ["plain", "standardised", "tpcav"]
    # the score of the workflow is the last, compared with permuted motifs in the same way
    shared = [name for name in methods if name in scores.columns]
    assert {"derivative", "effect", "log_ratio_q", "published_mean", "n_regions"} <= set(shared)
    numbers = parts["tpcav"].loc[scores.index, shared]
    pd.testing.assert_frame_equal(numbers, scores[shared], check_dtype=False)
    for name, part in parts.items():
        assert sorted(part.index) == sorted(scores.index), name
        # what replacing the control by the concept does depends on no coordinates
        np.testing.assert_allclose(
            part.loc[scores.index, "effect"], scores["effect"], rtol=1e-3, atol=1e-7
        )
        for statistic in ("derivative", "effect", "log_ratio", "published_mean"):
            assert (part[f"{statistic}_q"] >= part[f"{statistic}_p_permuted"] - 1e-12).all()
    # CAVs of standardised activations are those of TPCAV, those of plain ones are not
    columns = ["f1", "auroc", "derivative"]
    pd.testing.assert_frame_equal(parts["standardised"][columns], parts["tpcav"][columns])
    assert (parts["plain"]["derivative"] != parts["tpcav"]["derivative"]).all()


def test_another_target_does_not_retrain(copy):
    copy.configure(lambda config: config["targets"].update(more={"regions": "random", "n": 5}))
    assert copy.planned() == {
        "preflight_target": 2,
        "attributions": 3,
        "scores": 3,
        "sites": 3,
        "summary": 1,
        "figures": 1,
        "report": 1,
        "all": 1,
    }


def test_another_layer_leaves_the_others_alone(copy):
    copy.configure(lambda config: config["models"]["second"]["layers"].append("conv_1"))
    planned = copy.planned()
    # five concepts in two chunks, one of them new to this model (and its catalogue), and as many
    # chunks of permuted motifs; two targets
    assert planned == {
        "preflight": 1,
        "probe": 1,
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
        "sites": 2,
        "summary": 1,
        "figures": 1,
        "report": 1,
        "all": 1,
    }


def test_a_comment_in_the_configuration_reruns_nothing(copy):
    path = copy.folder / "config.yaml"
    path.write_text("# a comment\n" + path.read_text())
    assert copy.planned() == {}


def test_lint_is_clean(study):
    result = study.snakemake("--lint")
    assert result.returncode == 0, result.stdout


IMPORTS = """
module tpcav:
    snakefile:
        "{snakefile}"
    config:
        {{**config, "results": "paper/tpcav"}}


use rule * from tpcav as tpcav_*


rule paper:
    default_target: True
    input:
        rules.tpcav_all.input,
"""


@pytest.mark.slow(minutes=True)
def test_demo_as_a_module_of_another_workflow_finds_the_known_truth(tmp_path):
    shutil.copytree(ROOT / "config", tmp_path / "config")
    demo = Study(tmp_path)
    shutil.copy(tmp_path / "config/config.yaml", tmp_path / "config.yaml")

    def fewer(config: dict[str, Any]) -> None:
        config["models"]["demo"]["layers"] = ["conv_2"]
        config["concepts"]["motifs"]["copies"] = [4, 8]
        # as few nulls as let q be below 0.05 for the motifs that are used, a third of the demo's
        config["statistics"] = {"random_nulls": 40, "permutations_per_motif": 6}
        # most of a job of one small concept is the start of Python
        config["jobs"]["concepts_per_job"] = 11
        config.update(figures=False, sites={"regions": 0})

    demo.configure(fewer)
    (tmp_path / "Snakefile").write_text(IMPORTS.format(snakefile=ROOT / "Snakefile"))
    result = demo.snakemake(snakefile=tmp_path / "Snakefile")
    assert result.returncode == 0, result.stdout
    rules = re.findall(r"^(?:local)?rule (\w+):", result.stdout, re.MULTILINE)
    assert {rule for rule in rules if not rule.startswith("tpcav_")} == {"paper"}
    assert not (tmp_path / "results").exists()
    truth = pd.read_csv(tmp_path / "resources/demo/truth.tsv", sep="\t").set_index("motif")
    scores = pd.read_csv(tmp_path / "paper/tpcav/summary/scores.tsv", sep="\t")
    strongest = scores[(scores["layer"] == "conv_2") & (scores["variant"] == 8)]
    effect = strongest.set_index("concept")["effect"]
    used = truth["role"] != "decoy"
    # on this network, concepts that the labels depend on are all ranked above all decoys
    assert effect[used[used].index].abs().min() > effect[used[~used].index].abs().max()
    sign = truth.loc[used, "strength"].apply(lambda value: 1 if value > 0 else -1)
    assert (effect[used[used].index].apply(lambda value: 1 if value > 0 else -1) == sign).all()
    # at either number of copies, these are called and no decoy is
    verdicts = pd.read_csv(tmp_path / "paper/tpcav/summary/verdicts.tsv", sep="\t")
    assert len(verdicts) == 2 * len(truth)
    assert set(verdicts["null"]) == {"permuted"}
    assert (verdicts["used"] == verdicts["concept"].map(used)).all()
    called = verdicts[verdicts["used"]]
    assert (called["direction"] == called["concept"].map(sign).map({1: "+", -1: "-"})).all()
    # the reference that needs no layer: what planting does to the output
    agree = np.sign(called["planting_effect"]) == called["concept"].map(sign)
    assert agree.all()
    assert (called["planting_effect_q"] <= 0.05).all()


@pytest.mark.slow(minutes=True)
@pytest.mark.real
def test_real_ctcf_network_reads_the_ctcf_motif(tmp_path, real_data, monkeypatch):
    monkeypatch.setenv("TPCAV_DATA", str(real_data))
    shutil.copytree(ROOT / ".test/ctcf", tmp_path / ".test/ctcf")
    study = Study(tmp_path)
    shutil.copy(tmp_path / ".test/ctcf/config.yaml", tmp_path / "config.yaml")
    family = ["AC0078*", "AC0111*"]

    def few(config: dict[str, Any]) -> None:
        nulls = {"random_nulls": 10, "permutations_per_motif": 0}
        config["statistics"] = {**nulls, "planting_effect": False}
        config["models"]["mcf7_ctcf"]["layers"][1]["concepts"] = family
        # one thread: other tests have the other core
        config["jobs"].update(concepts_per_job=4, threads=1)
        config.update(figures=False, sites={"regions": 0})
        config["examples"]["per_concept"] = 500

    study.configure(few)
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
    both = scores[scores["label"].isin([ctcf, "AC0111:CTCF/KLF:C2H2_ZF"])]
    assert len(both) == 12
    assert (both["effect"] > 0).all()
