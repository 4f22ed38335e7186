from __future__ import annotations

import argparse
import gc
import json
import logging
import re
import shutil
import subprocess
import sys
from contextlib import nullcontext
from itertools import combinations
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch

from tpcav_core import activations, commands, files, vectors
from tpcav_core.basis import embed
from tpcav_core.basis_files import read_components, read_scaling
from tpcav_core.classifiers import GRIDS, Classifier
from tpcav_core.commands import STEPS, main
from tpcav_core.commands.data import load_genome
from tpcav_core.commands.gram import read_gram
from tpcav_core.commands.show import sanity
from tpcav_core.errors import InputError
from tpcav_core.splits import TEST

WINDOW, EXAMPLES, LAYER = 64, 40, "4"
SAMPLING = {
    "chromosomes": None,
    "exclude": None,
    "block_length": None,
    "test_fraction": 0.25,
    "folds": 3,
    "by": "blocks",
    "test_chromosomes": [],
    "seed": None,
}
SPLIT = {**{key: SAMPLING[key] for key in ("test_fraction", "folds", "by")}, "seed": 3}
#: each kind of classifier, with few penalties where cross-validation would take long
CLASSIFIERS = {
    "ridge": {},
    "svm": {"kind": "svm", "penalties": [0.01, 1.0]},
    "logistic": {"kind": "logistic", "penalties": [0.01, 1.0]},
    "sparse logistic": {"kind": "logistic", "norm": "l1", "penalties": [2.0]},
    "sgd": {"kind": "sgd", "penalties": [1e-2, 1e-4]},
    "sparse sgd": {"kind": "sgd", "norm": "l1", "penalties": [0.1]},
    "pattern": {"kind": "pattern"},
}
IDS = ["A_one_x", "B_two", "C.three"]
#: names of command lines in `Work` that are another use of a step
STEP_OF = {
    "controls": "concepts",
    "pool": "concepts",
    "control activations": "activations",
    "pool activations": "activations",
    "sample": "activations",
}


@pytest.fixture(autouse=True)
def own_logging():
    """A step sets up logging for its process; tests share one."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    for handler in set(root.handlers) - set(handlers):
        handler.close()
    root.handlers[:] = handlers
    root.setLevel(level)
    logging.captureWarnings(False)


class Work:
    """The steps of one small run, with the options the workflow gives them."""

    def __init__(self, folder: Path, fasta: Path, meme: Path, network: Path, *, layer: str = LAYER):
        self.folder, self.fasta, self.layer = folder, fasta, layer
        weights = folder / "weights.pt"
        folder.mkdir(exist_ok=True)
        bed = [f"chrA\t{start}\t{start + 30}\n" for start in range(500, 9000, 700)]
        (folder / "peaks.bed").write_text("".join(bed))
        build: dict = {}
        exec(network.read_text(), build)
        torch.save(build["build"]().state_dict(), weights)
        self.model = {"factory": f"{network}:build", "weights": str(weights), "window": WINDOW}
        self.set = {
            "source": "motifs", "file": str(meme), "format": "auto", "select": [], "drop": [],
            "copies": [2, 4], "both_strands": True, "sites": "pwm", "start_margin": 0,
            "end_margin": 0, "bins": 1, "into": None, "prefix": "", "control": "random",
        }  # fmt: skip
        self.target = {
            "regions": str(folder / "peaks.bed"), "n": None, "edges": "error", "function": None,
            "baseline_function": None, "kwargs": {}, "baseline_kwargs": {},
            "baselines": {"source": "random", "file": None, "per_target": 1},
        }  # fmt: skip

    def path(self, name: str) -> str:
        return str(self.folder / name)

    def arguments(self, step: str, **changes: object) -> list[str]:
        """The command line of a step; options given replace the usual ones, None leaves one out."""
        options = {**self.usual().get(step, {}), **changes}
        words = [step]
        for name, value in options.items():
            option = f"--{name.replace('_', '-')}"
            if value is True:
                words += [option]
            elif isinstance(value, dict):
                words += [option, json.dumps(value)]
            elif isinstance(value, list) and value and isinstance(value[0], list):
                words += [word for group in value for word in (option, *group)]
            elif isinstance(value, list):
                words += [option, *map(str, value)]
            elif value is not None:
                words += [option, str(value)]
        return words

    def usual(self) -> dict[str, dict[str, object]]:
        p = self.path
        model = {"model": self.model, "layer": self.layer, "threads": 1}
        model["genome"] = p("genome.arrow")
        recipes = {
            "genome": p("genome.arrow"),
            "window": WINDOW,
            "examples": EXAMPLES,
            "sampling": SAMPLING,
            "seed": 1,
        }
        named = {"name": "s", **self.set}
        places = {"chromosomes": None, "exclude": None}
        return {
            "genome": {"fasta": self.fasta, "output": p("genome.arrow")},
            "preflight": {
                "genome": p("genome.arrow"),
                "models": {"m": {"model": self.model, "layers": [LAYER, "0"]}},
                "targets": {"t": self.target},
                "sampling": SAMPLING,
                "examples": EXAMPLES,
                "seed": 1,
                "output": p("preflight.tsv"),
            },
            "concepts": {**recipes, "set": named, "output": p("concepts.parquet")},
            "controls": {
                **recipes,
                "controls": {"name": "random", "replicates": 2, "definition": {"source": "random"}},
                "output": p("controls.parquet"),
            },
            "pool": {
                **recipes,
                "controls": {
                    "name": "random.pool",
                    "replicates": 1,
                    "definition": {"source": "random"},
                },
                "output": p("pool.parquet"),
            },
            "catalogue": {
                "concepts": {"s": self.set},
                "recipes": [["m", p("controls.parquet"), p("concepts.parquet")]],
                "output": p("catalogue.tsv"),
            },
            "activations": {
                **model,
                "recipes": [p("concepts.parquet")],
                "output": p("activations.parquet"),
            },
            "control activations": {
                **model,
                "recipes": [p("controls.parquet")],
                "output": p("control_activations.parquet"),
            },
            "pool activations": {
                **model,
                "recipes": [p("pool.parquet")],
                "output": p("pool_activations.parquet"),
            },
            "sample": {
                **model,
                "recipes": [p("controls.parquet"), p("concepts.parquet")],
                "per_variant": 5,
                "output": p("sample.parquet"),
            },
            "scaling": {"sample": p("sample.parquet"), "output": p("scaling.parquet")},
            "components": {
                "sample": p("sample.parquet"),
                "scaling": p("scaling.parquet"),
                "number": 3,
                "threads": 1,
                "variance": p("variance.parquet"),
                "output": p("components.pt"),
            },
            "gram": {
                "activations": p("control_activations.parquet"),
                "scaling": p("scaling.parquet"),
                "threads": 1,
                "output": p("gram.parquet"),
            },
            "cavs": {
                "activations": p("activations.parquet"),
                "controls": p("control_activations.parquet"),
                "gram": p("gram.parquet"),
                "scaling": p("scaling.parquet"),
                "classifier": {"kind": "ridge", "norm": "l2", "penalties": None},
                "split": SPLIT,
                "seed": 1,
                "threads": 1,
                "output": p("cavs.parquet"),
            },
            "nulls": {
                "activations": [
                    p("control_activations.parquet"),
                    p("pool_activations.parquet"),
                ],
                "scaling": p("scaling.parquet"),
                "name": "random",
                "count": 6,
                "sizes": [EXAMPLES],
                "replicates": 2,
                "seed": 1,
                "output": p("nulls.parquet"),
            },
            "similarity": {"cavs": [p("cavs.parquet")], "output": p("similarity.parquet")},
            "planting": {
                "model": self.model,
                "threads": 1,
                "genome": p("genome.arrow"),
                "recipes": p("concepts.parquet"),
                "seed": 1,
                "output": p("planting.parquet"),
            },
            "attributions": {
                **model,
                "target": {"name": "t", **self.target},
                "sampling": places,
                "seed": 1,
                "output": p("attributions.pt"),
            },
            "scores": {
                "cavs": [p("cavs.parquet")],
                "nulls": [p("nulls.parquet")],
                "target": "t",
                "control": p("control_activations.parquet"),
                "seed": 1,
                "attributions": p("attributions.pt"),
                "scaling": p("scaling.parquet"),
                "components": p("components.pt"),
                "threads": 1,
                "output": p("scores.parquet"),
            },
            "sites": {
                **model,
                "target": {"name": "t", **self.target},
                "sampling": places,
                "seed": 1,
                "attributions": p("attributions.pt"),
                "scaling": p("scaling.parquet"),
                "cavs": [p("cavs.parquet")],
                "concepts": 2,
                "regions": 4,
                "output": p("sites.parquet"),
            },
            "summary": {
                "catalogue": p("catalogue.parquet"),
                "cavs": [["m", self.layer, p("cavs.parquet")]],
                "scores": [["m", self.layer, "t", p("scores.parquet")]],
                "nulls": [["m", self.layer, p("nulls.parquet")]],
                "similarity": [["m", self.layer, p("similarity.parquet")]],
                "planting": [["m", p("planting.parquet")]],
                "output": p("summary"),
            },
        }

    def run(self, name: str, **changes: object) -> int:
        _, *words = self.arguments(name, **changes)
        return main([STEP_OF.get(name, name), *words])

    def run_all(self, *names: str) -> None:
        for name in names or self.usual():
            assert self.run(name) == 0, name


@pytest.fixture(scope="module")
def done(tmp_path_factory, toy_fasta, toy_meme, toy_network):
    """All steps, one after the other."""
    work = Work(tmp_path_factory.mktemp("work"), toy_fasta, toy_meme, toy_network)
    work.run_all()
    return work


@pytest.fixture
def work(done, tmp_path, toy_fasta, toy_meme, toy_network):
    """A copy of what the steps wrote, to break."""
    copy = tmp_path / "copy"
    shutil.copytree(done.folder, copy)
    return Work(copy, toy_fasta, toy_meme, toy_network)


@pytest.fixture(scope="module")
def wide(done, tmp_path_factory, toy_fasta, toy_meme, toy_network):
    """The CAVs of a layer with more features, 384, than examples, from the same recipes."""
    folder = tmp_path_factory.mktemp("wide") / "work"
    shutil.copytree(done.folder, folder)
    work = Work(folder, toy_fasta, toy_meme, toy_network, layer="0")
    work.run_all("activations", "control activations", "sample", "scaling", "gram", "cavs")
    return work


@pytest.fixture(params=["narrow", "wide"])
def either(request, done, wide, tmp_path, toy_fasta, toy_meme, toy_network):
    """A copy of what the steps wrote of a layer solved by features, or by inner products."""
    source = {"narrow": done, "wide": wide}[request.param]
    shutil.copytree(source.folder, tmp_path / "either")
    return Work(tmp_path / "either", toy_fasta, toy_meme, toy_network, layer=source.layer)


def contents(folder):
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def total(rejected):
    """The sum of the numbers in a column like ``unknown bases: 3; excluded: 4``."""
    return sum(int(part.rpartition(" ")[2]) for part in rejected.split("; "))


def tsv(path):
    return pd.read_csv(path, sep="\t", na_values="NA", dtype={"variant": str})


def test_every_table_has_its_rows(done):
    catalogue = tsv(done.path("catalogue.tsv"))
    assert catalogue["concept"].tolist() == [*IDS, "random"]
    assert catalogue["kind"].tolist() == ["concept"] * 3 + ["control"]
    assert set(catalogue["model"]) == {"m"}
    assert catalogue["variants"].tolist()[:3] == ["2,4"] * 3
    assert catalogue["control"].tolist()[:3] == ["random"] * 3
    # of every base of the genome, those where a window starts that fits, is known and in a block
    assert set(catalogue["candidates"]) == {40_000 + 25_000 + 50}
    assert set(catalogue["available"] + catalogue["rejected"].map(total)) == {65_050}
    preflight = tsv(done.path("preflight.tsv"))
    assert preflight["d"].tolist() == [8, 384]
    assert preflight["shape"].tolist() == ["8", "6x64"]
    concepts = tsv(done.path("summary/concepts.tsv"))
    assert list(zip(concepts["concept"], concepts["variant"], strict=True)) == [
        (name, variant) for name in IDS for variant in ("2", "4")
    ]
    assert (concepts[["n_concept", "n_control"]] == EXAMPLES).all(axis=None)
    assert (concepts["n_replicates"] == 2).all()
    assert concepts["label"].tolist()[::2] == ["A:one/x", "B,two", "C.three"]
    assert (concepts["f1_low"] <= concepts["f1_high"]).all()
    cavs = tsv(done.path("summary/cavs.tsv"))
    assert list(zip(cavs["concept"], cavs["variant"], cavs["replicate"], strict=True)) == [
        (name, variant, replicate) for name in IDS for variant in ("2", "4") for replicate in (0, 1)
    ]
    assert cavs["label"].tolist()[::4] == ["A:one/x", "B,two", "C.three"]
    assert (cavs["control"] == "random").all()
    assert (cavs["split_seed"] == SPLIT["seed"]).all()
    sides = cavs[["n_concept_train", "n_control_train", "n_concept_test", "n_control_test"]]
    assert (sides == [30, 30, 10, 10]).all(axis=None)
    mean = cavs.groupby(["concept", "variant"])["test_f1"].mean()
    np.testing.assert_allclose(mean, concepts["f1"], rtol=1e-5)
    scores = tsv(done.path("summary/scores.tsv"))
    assert len(scores) == 6
    assert (scores["n_regions"] == 13).all()
    assert np.allclose(scores["n_positive"] + scores["n_negative"], 13)
    sensitivity = tsv(done.path("summary/motif_sensitivity.tsv"))
    assert sensitivity["concept"].tolist() == IDS
    assert abs(sensitivity["sensitivity"].sum()) < 1e-6


TABLES = ["verdicts", "concepts", "cavs", "scores", "planting", "motif_sensitivity", "attributions"]


@pytest.mark.parametrize("name", TABLES)
def test_the_parquet_table_beside_holds_the_same(done, name):
    text = tsv(done.path(f"summary/{name}.tsv"))
    table = files.read_parquet(done.path(f"summary/{name}.parquet"), "table").to_pandas()
    assert list(table.columns) == list(text.columns)
    for column in table:
        if table[column].dtype.kind == "f":
            np.testing.assert_allclose(text[column], table[column], rtol=1e-5, atol=1e-12)
        else:
            # an empty text is read as a missing one
            own = table[column].replace("", np.nan)
            assert text[column].astype(str).tolist() == own.astype(str).tolist()


def test_a_second_run_gives_the_same_bytes(done, tmp_path, toy_fasta, toy_meme, toy_network):
    again = Work(tmp_path / "again", toy_fasta, toy_meme, toy_network)
    again.run_all()
    for name in TABLES:
        left, right = (Path(w.path(f"summary/{name}.tsv")).read_bytes() for w in (done, again))
        assert left == right


def test_activations_of_one_concept_do_not_depend_on_the_others_or_on_batches(work):
    assert work.run("concepts", ids=["B_two"], output=work.path("b.parquet")) == 0
    model = {**work.model, "batch_size": 7}
    options = {
        "recipes": [work.path("b.parquet")],
        "model": model,
        "output": work.path("a.parquet"),
    }
    assert work.run("activations", **options) == 0
    whole = files.open_parquet(work.path("activations.parquet"), "activations")
    alone = files.open_parquet(work.path("a.parquet"), "activations")
    assert vectors.group_names(alone) == [("B_two", "2", None), ("B_two", "4", None)]
    groups = vectors.groups(whole)
    for index, name in enumerate(vectors.group_names(alone)):
        left, right = alone.read_row_group(index), whole.read_row_group(*groups[name])
        np.testing.assert_allclose(
            vectors.to_matrix(left["activation"]),
            vectors.to_matrix(right["activation"]),
            rtol=1e-5,
            atol=1e-6,
        )
        assert left["fold"].equals(right["fold"])
    everything = pq.ParquetFile(work.path("concepts.parquet"))
    own = pq.ParquetFile(work.path("b.parquet"))
    for index in range(2):
        assert own.read_row_group(index).equals(everything.read_row_group(index + 2))


def cavs_of(work, name="cavs", **options):
    """The table of the CAVs that the step writes with these options."""
    output = work.path(f"{name}.parquet")
    assert work.run("cavs", **options, output=output) == 0
    return files.read_parquet(output, "cavs")


@pytest.mark.parametrize("kind", ["ridge", "sgd", "sparse logistic"])
def test_cavs_trained_in_other_jobs_are_the_same(either, kind):
    options = {"classifier": CLASSIFIERS[kind]}
    two = cavs_of(either, "two", ids=["C.three", "A_one_x"], **options)
    alone = [cavs_of(either, "one", ids=[name], **options) for name in ("A_one_x", "C.three")]
    assert [len(table) for table in alone] == [4, 4]
    assert two.equals(pa.concat_tables(alone))
    if kind == "ridge":
        everything = files.read_parquet(either.path("cavs.parquet"), "cavs").to_pandas()
        rows = everything[everything["concept"] != "B_two"].reset_index(drop=True)
        pd.testing.assert_frame_equal(two.to_pandas(), rows)


def test_a_file_of_cavs_says_how_they_were_trained(work):
    with files.open_parquet(work.path("cavs.parquet"), "cavs") as file:
        usual = files.parquet_description(file)["parameters"]
    grid = {kind: list(values) for kind, values in GRIDS.items()}
    ridge = {"kind": "ridge", "norm": "l2", "penalties": grid["ridge", "l2"]}
    assert usual == {"classifier": ridge, "split": SPLIT, "seed": 1}
    sgd = {"kind": "sgd", "norm": "l1", "penalties": [0.1]}
    for given, expected in (
        ({"classifier": None, "split": None, "seed": None}, (ridge, {}, 0)),
        ({"classifier": {**sgd, "penalties": None}}, ({**sgd, "penalties": [1.0, 0.1]}, SPLIT, 1)),
        ({"classifier": sgd, "split": {"seed": 4}, "seed": 8}, (sgd, {"seed": 4}, 8)),
    ):
        cavs_of(work, "other", ids=["B_two"], **given)
        with files.open_parquet(work.path("other.parquet"), "cavs") as file:
            found = files.parquet_description(file)["parameters"]
        assert found == dict(zip(("classifier", "split", "seed"), expected, strict=True))


@pytest.mark.parametrize(("kind", "draws"), [("ridge", False), ("pattern", False), ("sgd", True)])
def test_the_seed_draws_intervals_and_what_a_classifier_draws(work, kind, draws):
    first, again, other = (
        cavs_of(work, ids=["B_two"], classifier=CLASSIFIERS[kind], seed=seed) for seed in (1, 1, 2)
    )
    assert again.equals(first)
    assert not other["test_auroc_low"].equals(first["test_auroc_low"])
    assert other["weights"].equals(first["weights"]) is not draws
    assert other["mean_difference"].equals(first["mean_difference"])


def in_row_groups_of(work, rows, monkeypatch, *names):
    """Run the model with so many rows in a row group of activations."""
    d = len(read_scaling(work.path("scaling.parquet")).mean)
    monkeypatch.setattr(vectors, "GROUP_BYTES", 4 * d * rows)
    work.run_all(*names)


@pytest.mark.parametrize("rows", [1, 7, EXAMPLES - 1])
def test_row_groups_of_activations_do_not_change_the_cavs(either, monkeypatch, rows):
    names = ["activations.parquet", "control_activations.parquet"]
    before = {
        path: Path(either.path(path)).read_bytes() for path in ("gram.parquet", "cavs.parquet")
    }
    assert [pq.ParquetFile(either.path(name)).num_row_groups for name in names] == [6, 2]
    in_row_groups_of(either, rows, monkeypatch, "activations", "control activations")
    count = -(-EXAMPLES // rows)
    assert [pq.ParquetFile(either.path(name)).num_row_groups for name in names] == [
        6 * count,
        2 * count,
    ]
    either.run_all("gram", "cavs")
    assert {path: Path(either.path(path)).read_bytes() for path in before} == before


def test_row_groups_of_an_own_control_do_not_change_the_cavs(either, monkeypatch):
    options = {"controls": None, "gram": None, "activations": own_control_work(either, "shuffled")}
    whole = cavs_of(either, "own_cavs", **options)
    in_row_groups_of(either, 7, monkeypatch)
    own_control_work(either, "shuffled")
    with files.open_parquet(options["activations"], "activations") as file:
        assert [len(chosen) for chosen in vectors.groups(file).values()] == [6, 6, 6]
    assert cavs_of(either, "own_cavs", **options).equals(whole)


def own_control_work(work, control):
    """Recipes and activations of one concept, of one variant, with its own control."""
    definition = {"name": "s", **work.set, "copies": [2], "control": control}
    options = {"set": definition, "ids": ["B_two"], "replicates": 2, "gc_tolerance": 0.1}
    recipes, output = work.path("own.parquet"), work.path("own_activations.parquet")
    assert work.run("concepts", **options, output=recipes) == 0
    assert work.run("activations", recipes=[recipes], output=output) == 0
    with files.open_parquet(recipes, "recipes") as file:
        names = vectors.group_names(file)
    assert names == [("B_two", "2", None), ("B_two", "2", "0"), ("B_two", "2", "1")]
    return output


@pytest.mark.parametrize("control", ["shuffled", "permuted_motifs", "gc_matched"])
def test_an_own_control_gives_the_cavs_of_the_same_rows_as_a_shared_one(work, control):
    own = own_control_work(work, control)
    options = {"controls": None, "gram": None, "activations": own}
    assert work.run("cavs", **options, output=work.path("own_cavs.parquet")) == 0
    shared = work.path("shared.parquet")
    source = files.open_parquet(own, "activations")
    writer = None
    for index, name in enumerate(vectors.group_names(source)):
        if name.control is None:
            continue
        part = source.read_row_group(index)
        values = vectors.to_matrix(part["activation"])
        folds = part["fold"].to_numpy()
        gc = part["gc"].to_numpy()
        table = activations.to_table(vectors.Group("shared", name.control), folds, gc, values)
        schema = files.described_schema(table.schema, "activations", {})
        writer = writer or pq.ParquetWriter(shared, schema, **vectors.WRITE_OPTIONS)
        writer.write_table(pa.table(table.columns, schema=schema))
    writer.close()
    assert work.run("gram", activations=shared, output=work.path("shared_gram.parquet")) == 0
    options = {"controls": shared, "gram": work.path("shared_gram.parquet"), "activations": own}
    assert work.run("cavs", **options, output=work.path("shared_cavs.parquet")) == 0
    left, right = (
        files.read_parquet(work.path(f"{kind}_cavs.parquet"), "cavs").to_pandas()
        for kind in ("own", "shared")
    )
    assert left["replicate"].tolist() == ["0", "1"]
    assert (left[["n_concept", "n_control"]] == EXAMPLES).all(axis=None)
    pd.testing.assert_frame_equal(left, right)


def test_a_concept_and_its_own_control_are_apart(work):
    file = files.open_parquet(own_control_work(work, "gc_matched"), "activations")
    rows = [vectors.to_matrix(file.read_row_group(i)["activation"]) for i in range(3)]
    assert [len(part) for part in rows] == [EXAMPLES] * 3
    assert all((left != right).any() for left, right in combinations(rows, 2))


def test_the_basis_takes_as_much_of_own_controls_as_of_others(work):
    own_control_work(work, "shuffled")
    output = work.path("own_sample.parquet")
    assert work.run("sample", recipes=[work.path("own.parquet")], output=output) == 0
    with files.open_parquet(output, "activations") as file:
        assert [file.metadata.row_group(i).num_rows for i in range(3)] == [5, 5, 5]


def test_targets_of_a_function_are_attributed_like_regions(work):
    target = {"name": "t", **of_function(work)}
    assert work.run("attributions", target=target, genome=None) == 0
    content = files.load_tensors(work.path("attributions.pt"), "attributions")
    assert content["multipliers"].shape == (9, 8)
    assert content["completeness_error"].max() < 1e-5
    assert (content["activations"] != content["baseline_activations"]).any()
    assert "targets" not in content
    assert work.run("scores") == 0
    found = files.read_parquet(work.path("scores.parquet"), "scores").to_pandas()
    assert set(found["n_regions"].dropna()) == {9}
    # nulls are scored on the same targets
    assert (found["n_positive"] + found["n_negative"] == 9).all()


@pytest.mark.parametrize("kind", CLASSIFIERS)
def test_the_written_cav_gives_the_written_metrics(either, kind):
    scaling = read_scaling(either.path("scaling.parquet"))
    controls = files.open_parquet(either.path("control_activations.parquet"), "activations")
    examples = files.open_parquet(either.path("activations.parquet"), "activations")
    cavs = cavs_of(either, ids=["A_one_x", "C.three"], classifier=CLASSIFIERS[kind])
    assert len(cavs) == 8
    for row in cavs.to_pylist():
        (own,) = vectors.groups(examples)[row["concept"], row["variant"], None]
        (other,) = vectors.groups(controls)["random", row["replicate"], None]
        parts = [examples.read_row_group(own), controls.read_row_group(other)]
        z = scaling.apply(np.concatenate([vectors.to_matrix(p["activation"]) for p in parts]))
        folds = np.concatenate([p["fold"].to_numpy() for p in parts])
        is_concept = np.arange(len(z)) < len(parts[0])
        weights = np.frombuffer(row["weights"], "<f4").astype(float)
        decision = z @ weights + row["intercept"]
        test = folds == TEST
        assert test.sum() == row["n_concept_test"] + row["n_control_test"] == 20
        for part, rows in (("test", test), ("train", ~test)):
            accuracy = ((decision > 0) == is_concept)[rows].mean()
            assert accuracy == pytest.approx(row[f"{part}_accuracy"])
        assert np.linalg.norm(weights) == pytest.approx(row["cav_norm"], rel=1e-4)
        assert row["relative_penalty"] in Classifier(**CLASSIFIERS[kind]).grid()
        difference = z[is_concept].mean(axis=0) - z[~is_concept].mean(axis=0)
        found = np.frombuffer(row["mean_difference"], "<f4")
        np.testing.assert_allclose(found, difference, atol=1e-5)


def test_the_kinds_that_run_here_are_all_there_are():
    assert {c.get("kind", "ridge") for c in CLASSIFIERS.values()} == {"pattern"} | {
        kind for kind, _ in GRIDS
    }


@pytest.mark.parametrize("kind", CLASSIFIERS)
def test_the_summary_names_the_classifier_of_every_cav(work, kind):
    assert work.run("cavs", classifier=CLASSIFIERS[kind]) == 0
    assert work.run("summary") == 0
    trained = Classifier(**CLASSIFIERS[kind])
    cavs = tsv(work.path("summary/cavs.tsv"))
    assert set(zip(cavs["classifier"], cavs["norm"], strict=True)) == {trained[:2]}
    for text in tsv(work.path("summary/concepts.tsv"))["hyperparameters"]:
        assert text.split()[0] == trained.kind


def test_control_grams_are_inner_products_of_standardised_activations(done):
    scaling = read_scaling(done.path("scaling.parquet"))
    controls = files.open_parquet(done.path("control_activations.parquet"), "activations")
    assert [name.variant for name in vectors.groups(controls)] == ["0", "1"]
    for index in range(2):
        gram = read_gram(done.path("gram.parquet"), str(index))
        z = scaling.apply(vectors.to_matrix(controls.read_row_group(index)["activation"]))
        np.testing.assert_allclose(gram, z.astype(float) @ z.T, atol=1e-3)


def test_scores_follow_from_the_files_before_them(done):
    scaling = read_scaling(done.path("scaling.parquet"))
    V = read_components(done.path("components.pt")).vectors.astype(float)
    assert V.shape == (8, 3)
    content = files.load_tensors(done.path("attributions.pt"), "attributions")
    m_z = content["multipliers"].numpy().astype(float) * scaling.std
    z = [scaling.apply(content[name].numpy()) for name in ("activations", "baseline_activations")]
    m_e = np.concatenate([m_z @ V, m_z], axis=1)
    a = m_e * np.abs(embed(z[0], V) - embed(z[1], V))
    table = files.read_parquet(done.path("cavs.parquet"), "cavs").to_pandas()
    scores = files.read_parquet(done.path("scores.parquet"), "scores").to_pandas()
    assert scores["null"].notna().sum() == 6
    for _, row in scores[scores["null"].isna()].iterrows():
        group = table[(table["concept"] == row["concept"]) & (table["variant"] == row["variant"])]
        w = np.stack([np.frombuffer(value, "<f4") for value in group["weights"]]).astype(float)
        mean = np.stack([np.frombuffer(value, "<f4") for value in group["mean_difference"]])
        w /= np.linalg.norm(w, axis=1, keepdims=True)
        direction = w.mean(axis=0) / np.linalg.norm(w.mean(axis=0))
        assert row["derivative"] == pytest.approx((m_z @ direction).mean(), rel=1e-4, abs=1e-7)
        assert row["effect"] == pytest.approx((m_z @ mean.mean(axis=0)).mean(), rel=1e-4, abs=1e-7)
        n = int((a @ embed(direction[None], V)[0] > 0).sum())
        assert row["n_positive"] == n
        assert row["log_ratio"] == pytest.approx(np.log((n + 1) / (13 - n + 1)))


def test_attributions_are_complete_and_say_how_they_were_made(done):
    content = files.load_tensors(done.path("attributions.pt"), "attributions")
    assert content["method"] == "deeplift"
    assert content["completeness_error"].max() < 1e-5
    assert content["contigs"] == ["chrA", "chrB", "tiny"]
    centres = content["targets"]["start"] + WINDOW // 2
    assert centres.tolist() == [start + 15 for start in range(500, 9000, 700)]


def test_the_batch_size_and_method_of_attributions_agree(work):
    model = {**work.model, "batch_size": 4}
    for method in ("deeplift", "integrated_gradients"):
        output = work.path(f"{method}.pt")
        changes = {"model": model, "method": method, "tolerance": 0.1, "output": output}
        assert work.run("attributions", **changes) == 0
    first = files.load_tensors(work.path("attributions.pt"), "attributions")["multipliers"]
    small = files.load_tensors(work.path("deeplift.pt"), "attributions")["multipliers"]
    np.testing.assert_allclose(small, first, rtol=1e-4, atol=1e-6)


def test_another_number_of_components_trains_nothing_again(work):
    before = contents(work.folder)
    assert work.run("components", number="full") == 0
    assert read_components(work.path("components.pt")).vectors.shape == (8, 8)
    assert work.run("scores") == 0
    changed = {name for name, data in contents(work.folder).items() if before.get(name) != data}
    assert changed == {"components.pt", "scores.parquet", "variance.parquet", "variance.tsv"}


def test_the_variance_of_components_is_that_of_the_file_of_components(done):
    components = read_components(done.path("components.pt"))
    table = tsv(done.path("variance.tsv"))
    assert table["component"].tolist() == [1, 2, 3]
    np.testing.assert_allclose(table["variance"], components.variances, rtol=1e-5)
    np.testing.assert_allclose(table["share"] * components.total_variance, table["variance"], 1e-5)
    assert table["cumulative_share"].iloc[-1] == pytest.approx(table["share"].sum(), rel=1e-5)
    # standardised: the total is the number of features that vary
    assert components.total_variance == pytest.approx(8, rel=1e-4)


def test_sites_are_the_regions_that_a_concept_adds_most_to(done):
    table = tsv(done.path("sites.tsv"))
    scores = files.read_parquet(done.path("scores.parquet"), "scores").to_pandas()
    own = scores[scores["null"].isna()]
    largest = own.loc[own["effect"].abs().sort_values(ascending=False, kind="stable").index]
    largest = largest.drop_duplicates("concept")
    assert table["concept"].drop_duplicates().tolist() == largest["concept"].tolist()
    content = files.load_tensors(done.path("attributions.pt"), "attributions")
    scaling = read_scaling(done.path("scaling.parquet"))
    m_z = content["multipliers"].numpy().astype(float) * scaling.std
    change = (content["activations"] - content["baseline_activations"]).numpy() / scaling.std
    cavs = files.read_parquet(done.path("cavs.parquet"), "cavs").to_pandas()
    for (concept, variant), rows in table.groupby(["concept", "variant"], sort=False):
        assert (largest.set_index("concept").loc[concept, "variant"]) == variant
        weights = cavs[(cavs["concept"] == concept) & (cavs["variant"] == variant)]["weights"]
        w = np.stack([np.frombuffer(value, "<f4") for value in weights]).astype(float)
        w = (w / np.linalg.norm(w, axis=1, keepdims=True)).mean(axis=0)
        w /= np.linalg.norm(w)
        score = (m_z @ w) * (change @ w)
        order = np.argsort(-np.abs(score))[:4]
        assert rows["target_row"].tolist() == order.tolist()
        np.testing.assert_allclose(rows["score"], score[order], rtol=1e-4)
    # bases of the regions of the two concepts of the largest effects
    assert table["sequence"].notna().tolist() == [True] * 8 + [False] * 4


def test_bases_of_sites_are_those_of_contributions_of_the_concept_alone(work):
    first = tsv(work.path("sites.tsv")).iloc[0]
    options = {**work.usual()["sites"], "regions": None}
    chosen = {"name": "one", "complement": False, "hypothetical": False}
    options |= {"set": {**chosen, "correct_off_simplex": True}, "output": work.path("one.pt")}
    options["concepts"] = json.dumps([[first["concept"], first["variant"]]])
    assert work.run("contributions", **options) == 0
    content = files.load_tensors(work.path("one.pt"), "contributions")
    row = int(first["target_row"])
    assert first["score"] == pytest.approx(float(content["score"][row]), rel=1e-4)
    part = slice(int(first["shown_start"] - first["start"]), None)
    values = np.array(first["contributions"].split(","), float)
    assert len(values) == len(first["sequence"]) == WINDOW
    np.testing.assert_allclose(values, content["contributions"][row, part], rtol=1e-3, atol=1e-7)
    genome = load_genome(work.path("genome.arrow"))
    contig = np.array([genome.names.index(first["chrom"])])
    codes = genome.windows(contig, np.array([first["shown_start"]]), WINDOW)[0]
    assert first["sequence"] == "".join("ACGTN"[code] for code in codes)


def test_sites_of_a_model_without_bases_have_regions_only(work):
    assert work.run("sites", concepts=0) == 0
    table = tsv(work.path("sites.tsv"))
    assert len(table) == 12
    assert table["score"].notna().all()
    assert table[["sequence", "contributions", "completeness_error"]].isna().all(axis=None)


def test_more_regions_than_there_are_gives_all(work):
    assert work.run("sites", regions=100, concepts=1) == 0
    table = tsv(work.path("sites.tsv"))
    assert table.groupby("concept")["target_row"].nunique().tolist() == [13] * 3
    assert (
        table.groupby("concept")["score"].apply(lambda s: s.abs().is_monotonic_decreasing)
    ).all()


def test_the_page_on_files_has_every_part_of_attributions(done):
    page = (Path(__file__).parents[2] / "docs/interchange.md").read_text()
    (cell,) = re.findall(r"^\| `attributions/.*$", page, re.MULTILINE)
    content = files.load_tensors(done.path("attributions.pt"), "attributions")
    assert [name for name in content if name != "tpcav" and f"`{name}`" not in cell] == []


def test_show_prints_each_concept_once_largest_effect_first(done, capsys):
    scores = tsv(done.path("summary/scores.tsv"))
    largest = scores.loc[scores.groupby("label")["effect"].apply(lambda e: e.abs().idxmax())]
    largest = largest.loc[largest["effect"].abs().sort_values(ascending=False).index]
    assert main(["show", str(done.folder), "--top", "2"]) == 0
    out = capsys.readouterr().out
    assert "m, layer 4, target t\n" in out
    found = [
        line.split() for line in out.splitlines() if line.strip().startswith(("A:", "B,", "C."))
    ]
    assert [words[0] for words in found] == largest["label"].tolist()[:2]
    assert [words[1] for words in found] == largest["variant"].tolist()[:2]
    assert "… and 1 more" in out


def test_show_has_what_decides_where_that_is_not_the_effect(done, tmp_path, capsys):
    path = tmp_path / "summary/verdicts.tsv"
    path.parent.mkdir()
    verdicts = tsv(done.path("summary/verdicts.tsv"))
    assert set(verdicts["statistic"]) == {"effect"}
    verdicts.assign(statistic="derivative").to_csv(path, sep="\t", index=False)
    assert main(["show", str(tmp_path)]) == 0
    head, *rows = capsys.readouterr().out.splitlines()[2:]
    column = head.split().index("derivative")
    assert head.split()[column + 1] == "derivative_q"
    sizes = [abs(float(row.split()[column])) for row in rows if len(row.split()) > column]
    assert len(sizes) > 1
    assert sizes == sorted(sizes, reverse=True)


def test_a_sanity_check_that_failed_is_shown_with_its_variant_if_the_table_has_one():
    row = {"model": "m", "layer": "l", "check": "shuffled labels", "verdict": "used"}
    row |= {"null": "random", "n_called": 2, "n_tests": 9, "passed": False}
    for extra, words in (({"variant": "8"}, "used 8 (random"), ({}, "used  (random")):
        text = sanity(pd.DataFrame([{**row, **extra}]))
        assert "0 of 1 came out empty" in text
        assert f"shuffled labels, {words} null): 2 of 9 called" in text


def test_show_ends_quietly_when_nobody_reads_on(done):
    command = [sys.executable, "-m", "tpcav_core", "show", str(done.folder)]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdout=pipe, stderr=pipe) as shown:
        assert shown.stdout is not None
        assert shown.stderr is not None
        shown.stdout.close()
        assert shown.stderr.read() == b""
    assert shown.returncode == 0


def test_show_without_results_says_so(tmp_path, capsys):
    assert main(["show", str(tmp_path)]) == 2
    assert "verdicts.tsv: no such file; run the workflow first" in capsys.readouterr().err


# --- bad input: one line, exit status 2, nothing half-written -------------------------------


def bad_bed(work):
    Path(work.path("bad.bed")).write_text("chrA\t100\t90\n")
    return {"target": {"name": "t", **work.target, "regions": work.path("bad.bed")}}


def edge_bed(work):
    Path(work.path("edge.bed")).write_text("chrA\t1\t9\n")
    return {"target": {"name": "t", **work.target, "regions": work.path("edge.bed")}}


def nan_weights(work):
    state = torch.load(work.path("weights.pt"), weights_only=True)
    state["0.bias"][2] = float("nan")
    torch.save(state, work.path("nan.pt"))
    return {"model": {**work.model, "weights": work.path("nan.pt")}}


def other_assembly(work):
    Path(work.path("other.bed")).write_text("1\t5\t9\n")
    return {"sampling": {**SAMPLING, "exclude": work.path("other.bed")}}


def fewer_grams(work):
    file = pq.ParquetFile(work.path("gram.parquet"))
    # an older run with one replicate of the control
    with pq.ParquetWriter(work.path("one.parquet"), file.schema_arrow) as writer:
        writer.write_table(file.read_row_group(0))
    return {**wide_activations(work), "gram": work.path("one.parquet")}


def older_cavs(work):
    table = files.read_parquet(work.path("cavs.parquet"), "cavs")
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(files.FORMATS, "cavs", 1)
        files.write_parquet(table, work.path("old.parquet"), "cavs", {})
    return {"cavs": [work.path("old.parquet")]}


def wide_activations(work):
    """Activations of layer 0, of whose control the Gram matrix is needed."""
    outputs = {name: work.path(f"wide_{name}.parquet") for name in ("own", "control", "sample")}
    steps = zip(("activations", "control activations", "sample"), outputs.values(), strict=True)
    for name, output in steps:
        assert work.run(name, layer="0", output=output) == 0
    scaling = work.path("wide_scaling.parquet")
    assert work.run("scaling", sample=outputs["sample"], output=scaling) == 0
    return {"activations": outputs["own"], "controls": outputs["control"], "scaling": scaling}


YIELDS = """
import torch


def inputs(n, seed, most=1000):
    generator = torch.Generator().manual_seed(seed)
    codes = torch.randint(0, 4, (min(n, most), 64), generator=generator)
    return (torch.nn.functional.one_hot(codes, 4).transpose(1, 2).float(),)
"""


def of_function(work, **changes):
    """A target whose inputs a function yields."""
    Path(work.path("own.py")).write_text(YIELDS)
    function = f"{work.path('own.py')}:inputs"
    return {**work.target, "regions": None, "function": function, "n": 9, **changes}


def few_inputs(work):
    return {"targets": {"t": of_function(work, baseline_kwargs={"most": 4})}}


def few(work):
    target = {"name": "t", **work.target, "n": 2}
    return {"method": "integrated_gradients", "target": target}


BAD = {
    "no FASTA": ("genome", lambda w: {"fasta": w.path("none.fa")}, "none.fa"),
    "window too long": (
        "concepts", lambda w: {"window": 50_000}, "longer than every chosen contig"),
    "too many examples": ("concepts", lambda w: {"examples": 10**6}, "start positions"),
    "unknown chromosome": (
        "concepts", lambda w: {"sampling": {**SAMPLING, "chromosomes": ["chrX"]}}, "'chrX'"),
    "no exclusion file": (
        "controls", lambda w: {"sampling": {**SAMPLING, "exclude": "none.bed"}}, "none.bed"),
    "too few blocks": (
        "controls", lambda w: {"sampling": {**SAMPLING, "folds": 1000}}, "split.folds"),
    "too few chromosomes": (
        "preflight", lambda w: {"sampling": {**SAMPLING, "by": "chromosomes"}},
        "model 'm': there are 2 chromosomes"),
    "unknown test chromosome": (
        "concepts", lambda w: {"sampling": {**SAMPLING, "test_chromosomes": ["chrC"]}}, "'chrC'"),
    "short block": (
        "controls", lambda w: {"sampling": {**SAMPLING, "block_length": 10}}, "block_length"),
    "unknown concept": ("concepts", lambda w: {"ids": ["B_tow"]}, "no concept 'B_tow'"),
    "copies do not fit": (
        "concepts", lambda w: {"set": {"name": "s", **w.set, "copies": [2, 9]}}, "9 copies"),
    "unknown pattern": (
        "catalogue", lambda w: {"concepts": {"s": {**w.set, "select": ["B,tw"]}}}, "'B,two'"),
    "same id twice": ("catalogue", lambda w: {"concepts": {"s": w.set, "t": w.set}}, "`prefix`"),
    "recipes of no kind for the table": (
        "catalogue", lambda w: {"recipes": [["m", w.path("gram.parquet")]]}, "holds gram"),
    "an exclusion list of another assembly": ("concepts", other_assembly, "another assembly"),
    "a control that no source makes": (
        "concepts", lambda w: {"set": {"name": "s", **w.set, "control": "low_signal"},
                               "replicates": 1}, "cannot make control 'low_signal'"),
    "GC content that no window has": (
        "concepts", lambda w: {"set": {"name": "s", "source": "gc_content", "steps": [1.0],
                                       "prefix": "", "control": "gc_matched"},
                               "replicates": 1}, "GC"),
    "no own control among the activations": (
        "cavs", lambda w: {"controls": None, "gram": None}, "no control of concept 'A_one_x'"),
    "a target's function that is not there": (
        "attributions",
        lambda w: {"target": {"name": "t", **w.target, "regions": None, "n": 3,
                              "function": "none.py:f"}}, "none.py"),
    "too few inputs of a target's function": ("preflight", few_inputs, "yielded 4 rows, expected"),
    "no genome for regions": ("attributions", lambda w: {"genome": None}, "need a genome"),
    "no motif file": (
        "catalogue", lambda w: {"concepts": {"s": {**w.set, "file": "none.meme"}}}, "none.meme"),
    "unknown layer": ("activations", lambda w: {"layer": "44"}, "layer '44'"),
    "unknown model key": (
        "activations", lambda w: {"model": {**w.model, "windw": 1}}, "did you mean 'window'"),
    "no factory": (
        "activations", lambda w: {"model": {**w.model, "factory": "none.py:build"}}, "none.py"),
    "NaN in the layer": ("activations", nan_weights, "layer '4' gives NaN"),
    "no such examples": ("activations", lambda w: {"ids": ["none"]}, "no concept 'none'"),
    "recipes of another kind": (
        "activations", lambda w: {"recipes": [w.path("gram.parquet")]}, "holds gram"),
    "too many components": ("components", lambda w: {"number": 9}, "only 8 components"),
    "no sample": ("scaling", lambda w: {"sample": w.path("none")}, "no such file"),
    "a scaling of another kind": (
        "gram", lambda w: {"scaling": w.path("sample.parquet")}, "expected scaling"),
    "Gram matrices of other replicates": ("cavs", fewer_grams, "no replicate '1'"),
    "CAVs of an older format": ("scores", older_cavs, "cavs format 1"),
    "CAVs of an unknown concept": ("cavs", lambda w: {"ids": ["none"]}, "no concept 'none'"),
    "start after end": ("attributions", bad_bed, "line 1"),
    "a window off the contig": ("attributions", edge_bed, "reach over an end"),
    "NaN in the attributions": (
        "attributions", lambda w: {**nan_weights(w), "method": "deeplift"}, "NaN"),
    "more targets than regions": (
        "attributions", lambda w: {"target": {"name": "t", **w.target, "n": 14}}, "targets.t.n"),
    "not complete": (
        "attributions",
        lambda w: {"tolerance": 1e-12, **few(w)},
        "not complete"),
    "a genome that is none": (
        "attributions", lambda w: {"genome": w.path("weights.pt")}, "not a readable Arrow file"),
    "scores without attributions": (
        "scores", lambda w: {"attributions": w.path("none.pt")}, "no such file"),
    "a summary of scores as CAVs": (
        "summary",
        lambda w: {"cavs": [["m", LAYER, w.path("scores.parquet")]]},
        "expected cavs"),
    "a model that does not exist": (
        "preflight",
        lambda w: {"models": {"m": {"model": {**w.model, "weights": "none.pt"}, "layers": ["0"]}}},
        "model 'm': "),
    "NaN in preflight": (
        "preflight",
        lambda w: {"models": {"m": {**nan_weights(w), "layers": [LAYER]}}},
        "first after layer '0' (Conv1d)"),
    "a target that does not exist": (
        "preflight", lambda w: {"targets": {"t": {**w.target, "regions": "no.bed"}}}, "no.bed"),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD)
def test_bad_input_is_one_line_and_leaves_nothing(work, capsys, name):
    step, change, expected = BAD[name]
    changes = change(work)
    before = contents(work.folder)
    assert work.run(step, **changes) == 2
    lines = capsys.readouterr().err.strip().splitlines()
    assert lines[-1].startswith("error: ")
    assert expected in lines[-1]
    assert sum(line.startswith("error: ") for line in lines) == 1
    assert not any("Traceback" in line for line in lines)
    assert contents(work.folder) == before


def test_an_incomplete_attribution_goes_on_when_forced(work):
    options = {"method": "integrated_gradients", "tolerance": 1e-12, "force": True}
    assert work.run("attributions", **options) == 0


def test_an_unexpected_error_has_its_traceback_and_status_1(work, capsys, monkeypatch):
    def fail(*arguments):
        raise ZeroDivisionError("unexpected")

    monkeypatch.setattr("tpcav_core.basis.fit_scaling", fail)
    before = contents(work.folder)
    assert work.run("scaling") == 1
    assert "ZeroDivisionError: unexpected" in capsys.readouterr().err
    assert contents(work.folder) == before


def test_the_log_file_gets_what_the_terminal_gets(work, capsys):
    log = work.folder / "deep" / "x.log"
    assert work.run("scaling", log=log) == 0
    assert "standardised on 40 examples x 8 features" in log.read_text()
    # its first line is for those who find no other
    assert "".join(log.read_text().splitlines(keepends=True)[1:]) == capsys.readouterr().err
    assert work.run("scaling", log=log, sample=work.path("none")) == 2
    _, error = log.read_text().splitlines()
    assert error.startswith("error: ")


def test_a_message_of_several_lines_is_printed_as_one(capsys, monkeypatch):
    def run(arguments):
        raise InputError("first\n  second")

    module = SimpleNamespace(add_arguments=lambda parser: None, run=run)
    monkeypatch.setattr(commands.importlib, "import_module", lambda name: module)
    assert main(["genome"]) == 2
    assert capsys.readouterr().err == "error: first second\n"


@pytest.mark.parametrize("words", [[], ["-h"], ["--help"]])
def test_help_lists_every_step(capsys, words):
    assert main(words) == 0
    out = capsys.readouterr().out
    assert all(f"\n  {step} " in out for step in STEPS)


def test_an_unknown_step_suggests_the_near_one(capsys):
    assert main(["score"]) == 2
    assert "no step 'score'; did you mean 'scores'?" in capsys.readouterr().err


@pytest.mark.parametrize("step", STEPS)
def test_every_step_has_options_and_can_be_run(step):
    module = commands.importlib.import_module(f"tpcav_core.commands.{step}")
    parser = argparse.ArgumentParser()
    module.add_arguments(parser)
    assert callable(module.run)
    assert len(parser._actions) > 1
    assert [action.dest for action in parser._actions if not action.help] == []


def test_options_that_are_missing_are_named(capsys):
    with pytest.raises(SystemExit) as caught:
        main(["scaling"])
    assert caught.value.code == 2
    assert "--sample" in capsys.readouterr().err


@pytest.mark.parametrize("fails", [False, True])
@pytest.mark.parametrize("at_work", [False, True])
def test_garbage_is_not_collected_while_a_step_is_imported_and_is_afterwards(
    monkeypatch: pytest.MonkeyPatch, *, fails: bool, at_work: bool
) -> None:
    seen = []

    def import_module(name: str) -> SimpleNamespace:
        seen.append((name, gc.isenabled()))
        if fails:
            raise ImportError(name)
        return SimpleNamespace()

    monkeypatch.setattr(commands.importlib, "import_module", import_module)
    before = gc.isenabled()
    (gc.enable if at_work else gc.disable)()
    try:
        with pytest.raises(ImportError) if fails else nullcontext():
            commands._load("scores")
        after = gc.isenabled()
    finally:
        (gc.enable if before else gc.disable)()
    assert seen == [("tpcav_core.commands.scores", False)]
    assert after is at_work
