"""The steps that train, compare and score nulls, on small files."""

from __future__ import annotations

import json
import logging
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from threadpoolctl import threadpool_limits

from tpcav_core import composition, files, nulls, similarity, vectors
from tpcav_core.activations import to_table
from tpcav_core.basis import Components, Scaling, no_scaling
from tpcav_core.basis_files import write_components, write_scaling
from tpcav_core.classifiers import Classifier
from tpcav_core.commands import main
from tpcav_core.commands import scores as scores_step
from tpcav_core.commands.vector_files import write_vectors
from tpcav_core.directions import consensus
from tpcav_core.metrics import NAMES
from tpcav_core.scores import layer_targets, published_score, resampling, score_concept, score_nulls
from tpcav_core.splits import TEST
from tpcav_core.training import Examples, set_control
from tpcav_core.vectors import Group

N, REPLICATES, REGIONS = 40, 2, 30
#: features of a layer that is solved by features, and of one solved by inner products
WIDTHS = {"narrow": 10, "wide": 110}


@pytest.fixture(autouse=True)
def own_logging():
    """A step sets up logging for its process; tests share one."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    logging.captureWarnings(False)


@pytest.fixture(autouse=True)
def few_threads():
    with threadpool_limits(1):
        yield


class Layer:
    """Files of a layer with two concepts of two variants, one of them with its own control."""

    def __init__(self, folder: Path, d: int):
        self.folder, self.d = folder, d
        self.rng = np.random.default_rng(d)
        self.slope = self.rng.normal(size=d) * 5
        self.scaling = Scaling(
            self.rng.normal(size=d).astype(np.float32),
            self.rng.uniform(0.5, 2, d).astype(np.float32),
        )
        self.held: dict[Group, tuple[Examples, np.ndarray]] = {}
        concepts = [Group(name, variant) for name in ("a", "b") for variant in ("2", "4")]
        own = [Group("own", "4"), *(Group("own", "4", str(r)) for r in range(REPLICATES))]
        self.write("concepts", concepts, shift=1.0)
        self.write("own", own, shift=0.5)
        self.write("controls", [Group("random", str(r)) for r in range(REPLICATES)])
        self.write("pool", [Group("random.pool", "0")])
        write_scaling(self.scaling, self.path("scaling"), {})
        write_scaling(no_scaling(d), self.path("plain_scaling"), {})
        vectors_ = np.linalg.qr(self.rng.normal(size=(d, d)))[0][:, :4].astype(np.float32)
        write_components(Components(vectors_, np.ones(4), 9.0), self.path("components"), {})
        self.components = vectors_
        self.content = {
            name: torch.from_numpy(self.rng.normal(size=(REGIONS, d)).astype(np.float32))
            for name in ("multipliers", "activations", "baseline_activations")
        }
        content = {**self.content, "method": "deeplift", "reason": "asked for"}
        content |= {name: torch.ones(REGIONS) for name in ("output", "completeness_error")}
        content["baseline_output"] = torch.zeros(REGIONS)
        files.save_tensors(content, self.path("attributions"), "attributions", {})

    def path(self, name: str) -> str:
        return str(self.folder / f"{name}.file")

    def write(self, name, groups, shift=0.0):
        """Write activations as the workflow does, a part of them explained by GC content."""
        writer = None
        for index, group in enumerate(groups):
            folds = np.resize([TEST, 0, 1, 2, 0], N)
            gc = self.rng.uniform(0.3, 0.6, N).astype(np.float32)
            y = self.rng.normal(size=(N, self.d)) + np.outer(gc, self.slope)
            y[:, :3] += shift * (index + 1)
            y = y.astype(np.float32)
            self.held[group] = Examples(self.scaling.apply(y), folds), gc
            table = to_table(group, folds, gc, y)
            schema = files.described_schema(table.schema, "activations", {})
            writer = writer or pq.ParquetWriter(self.path(name), schema, **vectors.WRITE_OPTIONS)
            writer.write_table(table.cast(schema))
        writer.close()

    def examples(self, *group) -> Examples:
        return self.held[Group(*group)][0]

    def gc(self, *group) -> float:
        return float(self.held[Group(*group)][1].mean())

    def control(self):
        return set_control({str(r): self.examples("random", str(r)) for r in range(REPLICATES)})

    def target(self, components=None, scaling=None):
        return layer_targets(
            *(tensor.numpy() for tensor in self.content.values()),
            scaling or self.scaling,
            self.components if components is None else components,
        )

    def run(self, step: str, output: str, *words, **options) -> str:
        """Run a step and return what it wrote."""
        arguments = [step, *map(str, words), "--output", self.path(output)]
        for name, value in options.items():
            values = value if isinstance(value, list) else [value]
            arguments += [f"--{name}", *map(str, values)]
        assert main(arguments) == 0
        return self.path(output)

    # the usual ones

    def nulls(self, output="nulls", *, first=0, count=5, sizes=(N,), **options):
        return self.run(
            "nulls", output, first=first, count=count, sizes=list(sizes),
            activations=[self.path("controls"), self.path("pool")], name="random",
            scaling=self.path("scaling"), replicates=REPLICATES, **{"seed": 1, **options},
        )  # fmt: skip

    def trained(self, step="cavs", output=None, *, name="concepts", **options):
        shared = {} if name == "own" else {"controls": self.path("controls")}
        if name != "own" and step == "cavs" and "gram" not in options:
            self.run(
                "gram", "gram", activations=self.path("controls"), scaling=self.path("scaling")
            )
            options["gram"] = self.path("gram")
        scaling = {"scaling": self.path("scaling")}
        return self.run(
            step, output or step, activations=self.path(name),
            **{**scaling, **shared, "seed": 1, **options},
        )  # fmt: skip

    def scored(self, *words, output="scores", **options):
        usual = {
            **{name: self.path(name) for name in ("attributions", "scaling", "components")},
            **{"cavs": self.path("cavs"), "target": "t", "seed": 1},
        }
        return self.run("scores", output, *words, **{**usual, **options})


@pytest.fixture(scope="module", params=WIDTHS.values(), ids=WIDTHS)
def layer(request, tmp_path_factory):
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    made = Layer(tmp_path_factory.mktemp("layer"), request.param)
    made.trained()
    made.nulls()
    root.handlers[:], root.level = handlers, level
    logging.captureWarnings(False)
    return made


def rows(path, kind):
    return files.read_parquet(path, kind)


def matrices(table):
    return (vectors.to_matrix(table[name]) for name in ("weights", "mean_difference"))


# tables


def test_numbers_text_and_vectors_come_back_as_they_were(tmp_path):
    rng = np.random.default_rng(1)
    wide = rng.normal(size=(3, 7))
    given = [
        {
            "name": name,
            "n": index,
            "share": index / 3,
            "wide": wide[index],
            "short": wide[index, :2],
        }
        for index, name in enumerate(("x", "ümlaut", ""))
    ]
    path = tmp_path / "vectors.parquet"
    write_vectors(given, str(path), "nulls", {"a": 1})
    table = rows(path, "nulls")
    assert table.column_names == list(given[0])
    assert table["name"].to_pylist() == ["x", "ümlaut", ""]
    assert table["n"].to_pylist() == [0, 1, 2]
    assert table["share"].to_pylist() == [0, 1 / 3, 2 / 3]
    np.testing.assert_array_equal(vectors.to_matrix(table["wide"]), wide.astype(np.float32))
    np.testing.assert_array_equal(vectors.to_matrix(table["short"]), wide[:, :2].astype(np.float32))
    assert vectors.narrow(table).column_names == ["name", "n", "share"]


# nulls


def test_nulls_are_those_of_all_replicates_and_of_the_pool(layer):
    table = rows(layer.path("nulls"), "nulls")
    groups = [("random", "0"), ("random", "1"), ("random.pool", "0")]
    parts = [layer.examples(*group) for group in groups]
    z, folds = (np.concatenate(columns) for columns in zip(*parts, strict=True))
    pool = nulls.make_pool(z, folds, N)
    assert (pool.gram is None) == (layer.d == WIDTHS["narrow"])
    expected = nulls.train_nulls(pool, range(5), N, replicates=REPLICATES, seed=1, name="random")
    assert table["null"].to_pylist() == list(range(5))
    assert set(table["control"].to_pylist()) == {"random"}
    assert set(table["size"].to_pylist()) == {N}
    weights, differences = matrices(table)
    for index, row in enumerate(expected):
        np.testing.assert_allclose(weights[index], row["weights"], atol=1e-6)
        np.testing.assert_allclose(differences[index], row["mean_difference"], atol=1e-6)
        for name in (*(f"test_{metric}" for metric in NAMES), "n_concept", "cav_cosine"):
            assert table[name][index].as_py() == row[name]


def test_a_job_of_later_nulls_continues_an_earlier_one(layer):
    whole = rows(layer.nulls("whole", count=6, sizes=[N, N // 2]), "nulls")
    parts = [rows(layer.nulls("part", first=f, count=c, sizes=[N, N // 2]), "nulls")
             for f, c in ((0, 2), (2, 4))]  # fmt: skip
    together = pa.concat_tables(parts).sort_by([("size", "descending"), ("null", "ascending")])
    assert together["null"].to_pylist() == whole["null"].to_pylist() == [*range(6)] * 2
    assert whole["size"].to_pylist() == [N] * 6 + [N // 2] * 6
    assert whole["n_concept"].to_pylist()[6:] == [N // 2] * 6
    assert vectors.narrow(together).equals(vectors.narrow(whole))
    for left, right in zip(matrices(together), matrices(whole), strict=True):
        np.testing.assert_allclose(left, right, rtol=1e-4, atol=1e-6)


def test_nulls_are_the_same_bytes_again_and_others_with_another_seed(layer):
    again = Path(layer.nulls("again")).read_bytes()
    assert again == Path(layer.path("nulls")).read_bytes()
    assert again != Path(layer.nulls("other", seed=2)).read_bytes()
    assert files.parquet_description(files.open_parquet(layer.path("again"), "nulls"))[
        "parameters"
    ] == {"classifier": Classifier()._asdict()}


def test_nulls_are_trained_with_the_classifier_asked_for(layer):
    option = json.dumps({"kind": "pattern"})
    weights, differences = matrices(rows(layer.nulls("pattern", classifier=option), "nulls"))
    ridge, _ = matrices(rows(layer.path("nulls"), "nulls"))
    assert not np.allclose(weights, ridge, atol=1e-3)
    # the mean difference of training examples is nearly that of all
    for one, other in zip(weights, differences, strict=True):
        assert one @ other / np.linalg.norm(other) > 0.5


# shuffled labels


@pytest.mark.parametrize("name", ["concepts", "own"])
def test_every_variant_has_a_row_of_shuffled_labels(layer, name):
    table = rows(layer.trained("shuffled", f"shuffled_{name}", name=name), "nulls")
    keys = [("own", "4")] if name == "own" else [(c, v) for c in "ab" for v in "24"]
    assert (
        list(zip(*(table[key].to_pylist() for key in ("concept", "variant")), strict=True)) == keys
    )
    control = layer.control()
    if name == "own":
        own = {str(r): layer.examples("own", "4", str(r)) for r in range(REPLICATES)}
        control = set_control(own)
    weights, _ = matrices(table)
    for index, key in enumerate(keys):
        expected = nulls.shuffled_labels(layer.examples(*key), control, seed=1, name=" ".join(key))
        np.testing.assert_allclose(weights[index], expected["weights"], atol=1e-5)
        assert table["test_f1"][index].as_py() == expected["test_f1"]
        assert table["n_concept"][index].as_py() == N


def test_shuffled_labels_do_not_depend_on_the_other_concepts_of_a_job(layer):
    whole = rows(layer.trained("shuffled", "s"), "nulls")
    alone = rows(layer.trained("shuffled", "s_b", ids=["b"]), "nulls")
    assert alone.equals(whole.slice(2))


# CAVs, and how GC content differs


def test_cavs_know_how_gc_content_differs_from_that_of_the_control(layer):
    table = rows(layer.path("cavs"), "cavs")
    shared = np.mean([layer.gc("random", str(r)) for r in range(REPLICATES)])
    for row in vectors.narrow(table).to_pylist():
        expected = layer.gc(row["concept"], row["variant"]) - shared
        assert row["gc_change"] == pytest.approx(expected, abs=1e-6)
    (row, *_) = vectors.narrow(
        rows(layer.trained(output="own_cavs", name="own"), "cavs")
    ).to_pylist()
    own = np.mean([layer.gc("own", "4", str(r)) for r in range(REPLICATES)])
    assert row["gc_change"] == pytest.approx(layer.gc("own", "4") - own, abs=1e-6)


@pytest.mark.parametrize("step", ["cavs", "shuffled"])
def test_what_is_not_there_is_told(layer, step, capsys):
    words = [step, "--activations", layer.path("concepts"), "--scaling", layer.path("scaling")]
    words += ["--output", layer.path("none"), "--seed", "1"]
    assert main([*words, "--controls", layer.path("controls"), "--ids", "zzz"]) == 2
    assert "no concept 'zzz'" in capsys.readouterr().err
    assert main(words) == 2
    assert "no control of concept 'a'" in capsys.readouterr().err
    assert not Path(layer.path("none")).exists()


# similarity


def test_similarities_are_those_of_all_cavs_of_a_layer(layer):
    layer.trained(output="own_cavs", name="own")
    paths = [layer.path("cavs"), layer.path("own_cavs")]
    table = rows(layer.run("similarity", "similarity", cavs=paths), "similarity")
    keys = [*((c, v) for c in "ab" for v in "24"), ("own", "4")]
    assert (
        list(zip(table["concept"].to_pylist(), table["variant"].to_pylist(), strict=True)) == keys
    )
    parts = [vectors.to_matrix(rows(path, "cavs")["weights"]) for path in paths]
    cavs = np.concatenate(parts).reshape(5, REPLICATES, layer.d)
    expected = similarity.agreement(cavs)
    np.testing.assert_allclose(table["within"].to_numpy(), expected.within, atol=1e-6)
    for name, values in (("cosine", similarity.cosines(cavs)), ("corrected", expected.corrected)):
        np.testing.assert_allclose(vectors.to_matrix(table[name]), values, atol=1e-5)


# scores


def test_scores_of_concepts_and_of_nulls_are_in_one_file(layer):
    path = layer.scored(
        nulls=[layer.path("nulls"), layer.trained("shuffled", "shuffled")],
        control=layer.path("controls"),
    )
    table = rows(path, "scores").to_pandas()
    concepts, random, shuffled = (
        table[chosen]
        for chosen in (
            table["null"].isna(),
            table["control"].notna(),
            table["null"].notna() & table["control"].isna(),
        )
    )
    assert [len(concepts), len(random), len(shuffled)] == [4, 5, 4]
    target, again = layer.target(), resampling(REGIONS, 1, "t")
    cavs = rows(layer.path("cavs"), "cavs")
    weights, differences = matrices(cavs)
    gc = np.concatenate([layer.held[Group("random", str(r))][1] for r in range(REPLICATES)])
    slope = composition.gc_slope(layer.control().rows(), gc.astype(float))
    per_gc = float(target.multipliers.mean(axis=0) @ slope)
    for index, row in enumerate(concepts.to_dict("records")):
        own = slice(REPLICATES * index, REPLICATES * (index + 1))
        expected = score_concept(weights[own], differences[own], target, again)
        for name, value in expected.items():
            assert row[name] == pytest.approx(value, rel=1e-5, abs=1e-7), name
        f1 = np.mean(cavs["test_f1"].to_pylist()[own])
        assert row["f1"] == pytest.approx(f1)
        assert row["n_concept"] == N
        gc_change = cavs["gc_change"][own.start].as_py()
        assert row["gc_change"] == pytest.approx(gc_change)
        assert row["effect_of_gc"] == pytest.approx(gc_change * per_gc, rel=1e-4)
    for part, path in ((random, "nulls"), (shuffled, "shuffled")):
        expected = score_nulls(
            *(one.astype(float) for one in matrices(rows(layer.path(path), "nulls"))), target
        )
        for name, values in expected.items():
            np.testing.assert_allclose(part[name], values, rtol=1e-9, err_msg=name)
    assert random["size"].tolist() == [N] * 5
    assert random["concept"].isna().all()
    assert shuffled["concept"].tolist() == list("aabb")


def test_without_a_control_the_effect_of_gc_content_is_not_known(layer):
    table = rows(layer.scored(output="no_gc"), "scores").to_pandas()
    assert table["effect_of_gc"].isna().all()
    assert table["gc_change"].notna().all()


def test_scores_do_not_depend_on_how_concepts_share_files_and_jobs(layer):
    whole = rows(layer.scored(), "scores")
    paths = [layer.trained(output=f"cavs_{name}", ids=[name]) for name in ("b", "a")]
    apart = rows(layer.scored(output="apart", cavs=paths), "scores")
    order = [("concept", "ascending"), ("variant", "ascending")]
    left, right = (table.sort_by(order).to_pandas() for table in (whole, apart))
    pd.testing.assert_frame_equal(left, right, check_exact=False, rtol=1e-6)
    # with nulls of another file beside them they are the same to the last bit
    with_nulls = rows(layer.scored(output="with", nulls=[layer.path("nulls")]), "scores")
    first = with_nulls.slice(0, 4).select(whole.column_names)
    pd.testing.assert_frame_equal(first.to_pandas(), whole.to_pandas(), check_exact=True)


def test_nulls_are_scored_alike_however_many_at_a_time(layer, monkeypatch):
    target = layer.target()
    whole = scores_step.score_null_file(layer.path("nulls"), target)
    for size in (1, 2, 5):
        monkeypatch.setattr(scores_step, "BATCH", size)
        found = scores_step.score_null_file(layer.path("nulls"), target)
        assert found.column_names == whole.column_names
        for name in found.column_names:
            if found[name].type == pa.float64():
                np.testing.assert_allclose(found[name], whole[name], rtol=1e-9)
            else:
                assert found[name].equals(whole[name])


# methods


def methods(layer):
    layer.run(
        "gram", "plain_gram",
        activations=layer.path("controls"), scaling=layer.path("plain_scaling"),
    )  # fmt: skip
    layer.trained(
        output="plain_cavs", scaling=layer.path("plain_scaling"), gram=layer.path("plain_gram")
    )
    path = layer.run(
        "methods", "methods", "--plain-cavs", layer.path("plain_cavs"),
        "--plain-scaling", layer.path("plain_scaling"),
        **{name: layer.path(name) for name in ("attributions", "scaling", "components", "cavs")},
    )  # fmt: skip
    return rows(path, "methods").to_pandas()


def test_three_methods_side_by_side(layer):
    table = methods(layer)
    assert table.groupby("method", sort=False).size().to_dict() == {
        "plain": 4, "standardised": 4, "tpcav": 4
    }  # fmt: skip
    plain, standardised, tpcav = (part for _, part in table.groupby("method", sort=False))
    scored = rows(layer.scored(), "scores").to_pandas()
    values = ["derivative", "effect", "tcav_fraction", "log_ratio", "published_mean", "f1", "auroc"]
    # of TPCAV they are the scores of the study
    for name in values:
        np.testing.assert_allclose(tpcav[name], scored[name])
    # without components the CAVs are the same, only the published score is another
    for name in ("derivative", "effect", "tcav_fraction", "f1", "auroc"):
        np.testing.assert_allclose(standardised[name], tpcav[name])
    assert not np.allclose(standardised["published_mean"], tpcav["published_mean"])
    none = np.zeros((layer.d, 0))
    weights, _ = matrices(rows(layer.path("cavs"), "cavs"))
    joined = consensus(weights.reshape(4, REPLICATES, -1))
    for target, method, chosen in (
        (layer.target(none), standardised, joined),
        (layer.target(), tpcav, joined),
    ):
        expected = [score.log_ratio for score in published_score(target, chosen)]
        np.testing.assert_allclose(method["log_ratio"], expected)
    # of plain TCAV everything is in the layer's own units
    weights, differences = matrices(rows(layer.path("plain_cavs"), "cavs"))
    target = layer.target(none, no_scaling(layer.d))
    np.testing.assert_allclose(target.multipliers, layer.content["multipliers"].numpy())
    for index, row in enumerate(plain.to_dict("records")):
        own = slice(REPLICATES * index, REPLICATES * (index + 1))
        expected = score_concept(weights[own], differences[own], target)
        for name in ("derivative", "effect", "log_ratio", "published_mean"):
            assert row[name] == pytest.approx(expected[name], rel=1e-6)


def test_the_effect_is_in_units_of_the_output_whatever_the_scaling(layer):
    """``m_z·Δz = m·Δy``: standardising changes the CAV, but not the difference of means."""
    plain, _, tpcav = (part for _, part in methods(layer).groupby("method", sort=False))
    np.testing.assert_allclose(plain["effect"], tpcav["effect"], rtol=1e-3, atol=1e-4)
    assert not np.allclose(plain["derivative"], tpcav["derivative"], rtol=0.05)


# all tables of them


def test_what_these_steps_write_makes_the_tables(layer):
    """From files to tables: every null is found, and none of them is a concept."""
    layer.scored(nulls=[layer.path("nulls"), layer.trained("shuffled", "shuffled")])
    layer.run("similarity", "similarity", cavs=layer.path("cavs"))
    catalogue = pd.DataFrame(
        {
            **{"concept": ["a", "b"], "label": ["A", "B"], "kind": "concept", "source": "regions"},
            **dict.fromkeys(["information_content", "information_content_gc"], np.nan),
            **{"control": "random", "motif_length": np.nan},
        }
    )
    files.write_parquet(pa.Table.from_pandas(catalogue), layer.path("catalogue"), "table", {})
    p, output = layer.path, layer.folder / "summary"
    words = ["--cavs", "m", "l", p("cavs"), "--nulls", "m", "l", p("nulls"), p("shuffled")]
    words += ["--similarity", "m", "l", p("similarity"), "--scores", "m", "l", "t", p("scores")]
    words += ["--catalogue", p("catalogue"), "--sanity-checks", "--output", str(output)]
    assert main(["summary", *words]) == 0
    tables = {
        path.stem: files.read_parquet(path, "table").to_pandas()
        for path in output.glob("*.parquet")
    }
    assert len(tables["concepts"]) == len(tables["scores"]) == len(tables["verdicts"]) == 4
    assert tables["nulls"]["n_nulls"].tolist() == [5]
    assert (tables["verdicts"]["null"] == "random").all()
    # two variants of two concepts, each compared with the five random nulls
    columns = ["check", "verdict", "n_tests"]
    assert tables["sanity"][columns].to_numpy().tolist() == [
        *[["shuffled labels", "encoded", 2]] * 2, *[["shuffled labels", "used", 2]] * 2
    ]  # fmt: skip
    assert len(tables["planting"]) == len(tables["motif_sensitivity"]) == 0
    # a small p is as small as 5 nulls allow
    values = tables["scores"][["effect_p_random", "derivative_p_random", "log_ratio_p_random"]]
    assert (values.to_numpy() >= 1 / 6).all()
    assert len(tables["null_values"]) == 5
