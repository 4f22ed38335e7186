from __future__ import annotations

import argparse
import io
import xml.etree.ElementTree as ET
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from tests.unit.test_report import NASTY, PLACE, big, verdicts
from tests.unit.test_results import Study
from tpcav_core.commands.figures import run
from tpcav_core.commands.result_files import write_table
from tpcav_core.display import one_line
from tpcav_core.errors import InputError
from tpcav_core.figures import (
    comparison,
    effects,
    encoded,
    labels,
    nulls,
    rows,
    sensitivity,
    similarity,
    style,
)
from tpcav_core.figures.names import TITLES, figure_names
from tpcav_core.verdicts import Rules

WHERE = tuple(PLACE.values())
SVG = "{http://www.w3.org/2000/svg}"


def null_rows(n=30, variants=("4",), seed=1):
    rng = np.random.default_rng(seed)
    parts = [
        pd.DataFrame(
            {
                **PLACE,
                "kind": kind,
                "control": "random",
                "size": 100.0 if kind == "random" else np.nan,
                "variant": None if kind == "random" else variant,
                "effect": rng.normal(0, 0.1, n),
                "auroc": rng.normal(0.5, 0.02, n),
            }
        )
        for kind in ("permuted", "random")
        for variant in (variants if kind == "permuted" else ("",))
    ]
    return pd.concat(parts, ignore_index=True)


def concept_rows(table):
    rows = table[["model", "layer", "concept", "variant"]]
    return rows.assign(auroc_low=0.6, auroc_high=0.8, n_concept=100, control="random")


def motif_tables(n=4, names=None):
    names = names or [f"M{i}" for i in range(n)]
    place = {"model": "m", "layer": "l"}
    areas = pd.DataFrame(
        {
            **place,
            "concept": [f"c{i}" for i in range(n)],
            "label": [names[i % len(names)] for i in range(n)],
            "f1_auc": np.linspace(0.5, 0.9, n),
            "f1_auc_low": np.linspace(0.4, 0.8, n),
            "f1_auc_high": np.linspace(0.6, 1.0, n),
            "information_content_gc": np.linspace(3, 9, n) ** 1.1,
            "sensitivity": np.linspace(-0.1, 0.1, n),
            "line_slope": 0.05,
            "line_intercept": 0.3,
        }
    )
    points = pd.DataFrame(
        [
            {**place, "concept": f"c{i}", "copies": k, "f1": 0.5, "f1_low": 0.4, "f1_high": 0.6}
            for i in range(n)
            for k in (8, 2, 4)
        ]
    )
    return {"motif_sensitivity": areas, "motif_points": points}


def matrix(table, seed=3):
    vectors = np.random.default_rng(seed).normal(size=(len(table), 6))
    vectors /= np.linalg.norm(vectors, axis=1)[:, None]
    frame = table[["concept", "variant"]].reset_index(drop=True)
    return frame.assign(cosine=list((vectors @ vectors.T).astype(np.float32)))


def whole(table=None, **others):
    table = verdicts(6, effect_low=-0.5, effect_high=0.5) if table is None else table
    scores = table[["model", "layer", "target"]].assign(n_regions=50)
    return {
        "verdicts": table,
        "concepts": concept_rows(table),
        "scores": scores,
        "null_values": null_rows(),
        **motif_tables(),
        **others,
    }


def two_layers(table):
    return pd.concat([table, table.assign(layer="k")], ignore_index=True)


DRAWN = {
    "encoded-and-used": lambda tables: encoded.draw(tables, WHERE),
    "effects": lambda tables: effects.draw(tables, WHERE),
    "nulls": lambda tables: nulls.draw(tables, WHERE),
    "motif-sensitivity": lambda tables: sensitivity.draw(tables, WHERE[:2]),
    "similarity": lambda tables: similarity.draw(tables, WHERE[:2], matrix(tables["verdicts"])),
    "comparison": lambda tables: comparison.draw(
        {**tables, "verdicts": two_layers(tables["verdicts"])}, [WHERE, ("m", "k", "t")]
    ),
}


def as_svg(figure):
    file = io.BytesIO()
    figure.savefig(file, format="svg", metadata={"Date": None, "Creator": None})
    return file.getvalue()


def drawn(kind, tables):
    """Return the figure and its SVG, parsed."""
    with style.styled():
        figure = DRAWN[kind](tables)
        return figure, ET.fromstring(as_svg(figure))


def words(svg):
    return ["".join(text.itertext()) for text in svg.iter(f"{SVG}text")]


def all_kinds(function):
    return pytest.mark.parametrize("kind", DRAWN)(function)


# which figures there are


def test_names_are_known_from_the_places():
    places = {("m", "l"): ["t", "u"], ("m", "k"): ["t"]}
    names = figure_names(places, {("m", "l")})
    stems = [name.stem for name in names]
    assert len(set(stems)) == len(stems) == 3 * 3 + 1 + 2 + 1
    assert {name.kind for name in names} == set(TITLES) == set(DRAWN)
    assert "m/l/t.effects" in stems
    assert [stem for stem in stems if "motif" in stem] == ["m/l/motif-sensitivity"]
    assert stems[-1] == "comparison"
    alone = figure_names({("m", "l"): ["t"]}, ())
    assert "comparison" not in [name.kind for name in alone]


# what is drawn


def line_of(axes, marker):
    found = [line for line in axes.lines if line.get_marker() == marker and len(line.get_xdata())]
    return np.concatenate([line.get_xydata() for line in found])


def test_each_concept_is_a_point_at_its_largest_effect():
    table = verdicts(3, ("2", "8"), used=True, direction="+", encoded=True)
    table = table.assign(
        effect=[1.0, 3.0, -4.0, 2.0, 0.5, 0.1], auroc=[0.6, 0.7, 0.8, 0.9, 0.5, 0.4]
    )
    figure, _ = drawn("encoded-and-used", whole(table))
    points = line_of(figure.axes[0], "^")
    assert sorted(map(tuple, points)) == [(0.5, 0.5), (0.7, 3.0), (0.8, -4.0)]


def test_intervals_and_nulls_of_a_row_are_those_of_the_tables():
    table = verdicts(1, effect=[2.0], effect_low=1.5, effect_high=2.5, effect_q=0.0301)
    figure, svg = drawn("effects", whole(table))
    axes = figure.axes[1]
    own = null_rows().query("kind == 'permuted'")["effect"]
    bar = max(axes.patches, key=lambda patch: patch.get_height())
    span = (bar.get_x(), bar.get_x() + bar.get_width())
    np.testing.assert_allclose(span, np.percentile(own, [2.5, 97.5]))
    segments = [s for c in axes.collections for s in c.get_segments() if s[0][1] == s[1][1]]
    np.testing.assert_allclose(segments, [[[1.5, 0], [2.5, 0]]])
    assert "0.030" in words(svg)


def test_the_random_nulls_of_a_concept_are_of_its_control_and_size():
    values = null_rows(4).query("kind == 'random'")
    values = values.assign(size=[50.0, 100.0, 400.0, 100.0], control=["random"] * 3 + ["low"])
    found = rows.Nulls({"null_values": values}, WHERE)

    def of(control, n):
        row = SimpleNamespace(variant="4", null="random", control=control, into=None, n_concept=n)
        return found.of(row)["random"]["size"].tolist()

    assert of("random", 100) == [100.0]
    # as many examples, or the next fewer; of a control made from the concept's own examples
    assert of("gc_matched", 399) == [100.0]
    assert of("random", 10) == [50.0]
    unknown = SimpleNamespace(variant="4", null="none", control=None, into=None, n_concept=9)
    assert len(found.of(unknown)["random"]) == 4


def test_histograms_are_shares_of_the_nulls():
    figure, _ = drawn("nulls", whole())
    (axes,) = [axes for axes in figure.axes if axes.get_xlabel().startswith("Effect")]
    for patch in axes.patches:
        values, _, _ = patch.get_data()
        assert values.sum() == pytest.approx(1)
    assert len(axes.patches) == 2


def test_small_multiples_are_in_the_order_of_copies_and_of_areas():
    tables = motif_tables(3)
    figure, svg = drawn("motif-sensitivity", whole(**tables))
    titles = [
        axes.get_title(loc="left") for axes in figure.axes if "area" in axes.get_title(loc="left")
    ]
    assert titles[:3] == ["M2\narea 0.90", "M1\narea 0.70", "M0\narea 0.50"]
    assert figure.axes[0].lines[0].get_xdata().tolist() == [2, 4, 8]
    assert any("area = 0.05 × bits + 0.3" in text for text in words(svg))


def test_a_line_is_drawn_only_where_there_is_one():
    tables = motif_tables(2)
    tables["motif_sensitivity"][["line_slope", "line_intercept", "sensitivity"]] = np.nan
    _, svg = drawn("motif-sensitivity", whole(**tables))
    assert any("no line" in text for text in words(svg))


def test_alike_concepts_are_neighbours_in_the_heatmap():
    values = np.eye(4)
    for i, j, cosine in ((0, 2, 0.9), (1, 3, 0.8)):
        values[i, j] = values[j, i] = cosine
    table = verdicts(4)
    frame = table[["concept", "variant"]].assign(cosine=list(values))
    with style.styled():
        figure = similarity.draw(whole(table), WHERE[:2], frame)
    order = [label.get_text() for label in figure.axes[1].get_yticklabels()]
    assert {frozenset(order[:2]), frozenset(order[2:])} == {
        frozenset({"C/0", "C/2"}),
        frozenset({"C/1", "C/3"}),
    }


def test_effects_are_compared_as_shares_of_the_largest_in_a_column():
    table = verdicts(2, effect=[4.0, -1.0])
    both = pd.concat([table, table.assign(layer="k", effect=[0.5, 1.0])], ignore_index=True)
    with style.styled():
        figure = comparison.draw({"verdicts": both}, [WHERE, ("m", "k", "t")])
    cells = figure.axes[0].collections[0].get_array()
    assert np.asarray(cells).reshape(2, 2).tolist() == [[1.0, 0.5], [-0.25, 1.0]]
    headings = [label.get_text() for label in figure.axes[0].get_xticklabels()]
    # what all places have in common is not said
    assert headings == ["l", "k"]


# whatever the study


@all_kinds
def test_names_are_text_wherever_they_are(kind):
    names = [*NASTY, "$x^2$ costs $5", "\\frac{a}{b}", "tab\there\nand line"]
    table = verdicts(len(names), label=names, used=True, encoded=True, direction="+")
    figure, svg = drawn(kind, whole(table, **motif_tables(len(names), names)))
    tags = {element.tag.removeprefix(SVG) for element in svg.iter()}
    assert not tags & {"script", "img", "a", "foreignObject"}
    text = words(svg)
    for name in names:
        start = one_line(name, 18).rstrip("…")[:12]
        # where many names are close only those that find room are drawn
        assert any(start in word for word in text) or kind in ("encoded-and-used", "nulls")
    assert not [word for word in text if len(word) > 120]
    with style.styled():
        file = io.BytesIO()
        figure.savefig(file, format="pdf")
    assert b"/CIDFontType2" in file.getvalue()
    assert b"/Type3" not in file.getvalue()


@pytest.mark.parametrize("kind", ["encoded-and-used", "effects", "nulls", "comparison"])
@pytest.mark.parametrize(
    "change",
    [
        {"used": None, "encoded": None},
        {"effect": np.nan},
        {"auroc": np.nan, "null": "none"},
    ],
    ids=["nothing called", "no effect", "no AUROC and no nulls"],
)
def test_results_without_a_verdict_make_a_figure(kind, change):
    _, svg = drawn(kind, whole(verdicts(5, **change)))
    assert words(svg)


@all_kinds
def test_one_concept_one_region_and_nothing_but_verdicts(kind):
    alone = verdicts(1)
    motifs = motif_tables(1)
    motifs["motif_sensitivity"][["line_slope", "sensitivity"]] = np.nan
    scores = alone[["model", "layer", "target"]].assign(n_regions=1)
    _, svg = drawn(kind, whole(alone, scores=scores, **motifs))
    if kind in ("encoded-and-used", "effects"):
        assert any("1 concept, 1 region" in word for word in words(svg))
    _, svg = drawn(kind, {"verdicts": alone})
    assert words(svg)


@pytest.mark.parametrize(
    ("kind", "n", "counts"),
    [
        *((kind, 2000, ("4",)) for kind in DRAWN),
        *((kind, 637, ("4", "8", "16")) for kind in ("effects", "nulls")),
    ],
)
def test_many_concepts_make_a_figure_of_a_page(kind, n, counts):
    table, null = big(n, counts, ("t",))
    table = table.assign(label=[f"motif number {i}" for i in range(len(table))], used=True)
    figure, svg = drawn(kind, whole(table, null_values=null, **motif_tables(n)))
    width, height = figure.get_size_inches()
    assert width <= style.DOUBLE
    assert height <= style.PAGE
    assert len(words(svg)) < 200
    assert len(ET.tostring(svg)) < 2e6


def test_names_beside_points_do_not_overlap_and_lie_inside():
    table = verdicts(30, used=True, encoded=True, direction="+")
    rng = np.random.default_rng(5)
    table = table.assign(auroc=0.9 + 0.02 * rng.random(30), effect=5 + 0.2 * rng.random(30))
    with style.styled():
        figure = encoded.draw(whole(table), WHERE)
        figure.draw_without_rendering()
        texts = [text for text in figure.axes[0].texts if text.get_visible()]
        boxes = [text.get_window_extent() for text in texts]
    assert 3 <= len(texts) <= encoded.NAMED
    for number, box in enumerate(boxes):
        assert not any(box.overlaps(other) for other in boxes[:number])
        assert figure.bbox.x0 <= box.x0
        assert box.x1 <= figure.bbox.x1


def test_without_points_nothing_is_named():
    with style.styled():
        figure = style.new_figure(2, 2)
        labels.name_points(figure, figure.add_subplot(), np.empty((0, 2)), [], np.empty((0, 2)))
    assert list(figure.axes[0].texts) == []


@pytest.mark.parametrize(
    ("q", "expected"), [(0.0104, "0.010"), (0.001, "0.001"), (0.0004, "4e-04"), (1.0, "1.000")]
)
def test_q_values_in_few_characters(q, expected):
    assert effects.written(q) == expected


# files


def arguments(folder, **others):
    given = {
        "tables": str(folder / "summary"),
        "place": [],
        "similarity": [],
        "planted": None,
        "style": None,
        "output": str(folder / "figures"),
    }
    return argparse.Namespace(**{**given, **others})


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Result tables of a study, as files."""
    made = Study().add().add_planting()
    path = tmp_path_factory.mktemp("figures")
    for name, table in made.tables(Rules()).items():
        write_table(table, path / "summary" / f"{name}.tsv")
    return path


def test_the_same_tables_make_the_same_bytes_and_the_files_that_the_rule_expects(folder, tmp_path):
    places = [["m", "l", "t"]]
    for number in (1, 2):
        run(arguments(folder, place=places, planted=[], output=str(tmp_path / str(number))))
    first, second = (
        {p.relative_to(tmp_path / n): p.read_bytes() for p in (tmp_path / n).rglob("*.*")}
        for n in ("1", "2")
    )
    assert first == second
    names = figure_names({("m", "l"): ["t"]}, ())
    stems = {name.stem for name in names if name.kind != "similarity"}
    assert {str(path.with_suffix("")) for path in first if path.suffix == ".svg"} == stems
    assert len(first) == 2 * len(stems)
    assert b"CreationDate" not in b"".join(first.values())


def test_a_style_of_ones_own(folder, tmp_path):
    (tmp_path / "mine.mplstyle").write_text("font.size: 11\naxes.labelsize: 11\n")
    with style.styled(str(tmp_path / "mine.mplstyle")):
        text = as_svg(effects.draw(whole(verdicts(1)), WHERE)).decode()
    assert "font-size: 11px" in text
    # what it does not set is as before
    assert "DejaVu Sans" in text
    with pytest.raises(InputError, match="no such file"):
        run(arguments(folder, style="nowhere.mplstyle"))


def test_without_tables_it_says_what_to_do(tmp_path):
    with pytest.raises(InputError, match="run the step that makes it first"):
        run(arguments(tmp_path))
