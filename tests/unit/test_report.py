from __future__ import annotations

import argparse
import base64
import json
import logging
import re
import time
from html.parser import HTMLParser
from urllib.parse import urlsplit

import numpy as np
import pandas as pd
import pytest

from tests.unit.test_results import CATALOGUE, Study, checked, study
from tpcav_core.commands.report import read_logos
from tpcav_core.commands.report import run as run_report
from tpcav_core.commands.result_files import write_table
from tpcav_core.errors import InputError
from tpcav_core.motifs import Motif
from tpcav_core.planting import MotifPair
from tpcav_core.report import words
from tpcav_core.report.basis import correlation_words
from tpcav_core.report.content import MOST_ROWS, ReportInputs, report_content
from tpcav_core.report.logos import UNIT, _matrix, heights, letter_paths
from tpcav_core.report.matrices import matrices, packed
from tpcav_core.report.page import SCRIPTS, render
from tpcav_core.report.run_facts import file_facts, step_costs
from tpcav_core.report.values import columns, rounded, to_json
from tpcav_core.results import result_tables
from tpcav_core.verdicts import Rules

NASTY = [
    "</script><script>alert(1)</script>",
    "<!--<script>",
    "\"quotes\" & 'apostrophes'",
    "ΔΩ 転写因子 🧬 \u2028\u2029",
    "n" * 200,
    "<img src=x onerror=alert(1)>",
]
PLACE = {"model": "m", "layer": "l", "target": "t"}


def verdicts(n=3, variants=("4",), **changes):
    rng = np.random.default_rng(0)
    rows = [
        {
            **PLACE,
            "concept": f"c{number}",
            "label": f"C/{number}",
            "variant": variant,
            "encoded": number == 0,
            "used": number == 0,
            "direction": "+",
            "verdict": "encoded and used, raises the output" if number == 0 else "neither",
            "effect": float(rng.normal()),
            "effect_q": 0.5,
            "auroc": 0.7,
            "null": "permuted",
        }
        for number in range(n)
        for variant in variants
    ]
    table = pd.DataFrame(rows)
    return table.assign(**changes)


def catalogue(table):
    found = table.drop_duplicates("concept")[["concept", "label"]]
    return found.assign(source="motifs", control="random", kind="concept")


def content(table=None, **others):
    table = verdicts() if table is None else table
    tables = {"verdicts": table, **others.pop("tables", {})}
    return report_content(ReportInputs(tables=tables, catalogue=catalogue(table), **others))


def embedded(page):
    (text,) = re.findall(r'<script type="application/json" id="content">(.*?)</script>', page, re.S)
    return json.loads(text)


# values


def test_json_in_a_page_has_no_markup_and_is_the_same_content():
    text = to_json({"names": NASTY})
    assert not set(text) & {"<", ">", "&", "\u2028", "\u2029"}
    assert json.loads(text) == {"names": NASTY}


@pytest.mark.parametrize(
    ("value", "expected"),
    [(1.23456, 1.235), (3.0, 3), (1e-9, 1e-9), (float("nan"), None), (float("inf"), None), (0, 0)],
)
def test_rounded(value, expected):
    assert rounded(value) == expected


def test_columns_of_all_kinds_come_back():
    frame = pd.DataFrame(
        {
            "number": [1.5, np.nan, 2],
            "flag": [True, False, True],
            "maybe": pd.array([True, None, False], dtype="boolean"),
            "same": ["a", "a", "a"],
            "text": ["x", None, "y"],
            "object": pd.Series([True, pd.NA, False], dtype=object),
        }
    )
    found = columns(frame, [*frame, "missing"])
    assert found["number"] == [1.5, None, 2]
    assert found["flag"] == [True, False, True]
    assert found["maybe"] == [True, None, False]
    assert found["same"] == {"levels": ["a"], "codes": [0, 0, 0]}
    assert found["text"] == ["x", None, "y"]
    assert found["object"] == [True, None, False]
    assert found["missing"] == [None] * 3


# logos


def test_a_sure_base_is_two_bits_high_and_a_base_by_chance_has_no_height():
    found = heights(np.array([[1, 0, 0, 0], [0.25] * 4, [0, 0.5, 0.5, 0], [0, 0, 0, 0.0]]))
    assert found.tolist() == [[2 * UNIT, 0, 0, 0], [0] * 4, [0, UNIT // 2, UNIT // 2, 0], [0] * 4]


def test_a_pair_is_drawn_as_it_is_planted():
    first = Motif("a", (np.eye(4)[[0, 0, 1]],))  # AAC
    second = Motif("b", (np.eye(4)[[2, 0]],))  # GA, TC on the other strand
    matrix = _matrix(MotifPair(first, second, 2, "+-"))
    letters = "".join("ACGT"[row.argmax()] if row.any() else "." for row in matrix)
    assert letters == "AAC..TC"


def test_letters_fill_their_box():
    for path in letter_paths().values():
        numbers = [float(x) for x in re.findall(r"-?\d+", path)]
        assert min(numbers) == 0
        assert max(numbers) == 100
        assert path.startswith("M")


def test_motif_files_that_are_gone_leave_a_report_without_logos(caplog):
    about = {"file": "nowhere.meme", "format": "auto", "copies": [4], "both_strands": True}
    about |= {"sites": "pwm", "start_margin": 0, "end_margin": 0, "bins": 1, "into": None}
    about |= {"select": [], "drop": [], "prefix": "", "control": None}
    config = {"concepts": {"m": {"source": "motifs", **about}}}
    assert read_logos(config, None) == {}
    assert "no logos of concepts.m" in caplog.text


# similarity


def test_packed_cosines():
    found = np.frombuffer(base64.b64decode(packed(np.array([[1, -0.5], [np.nan, 2]]))), np.int8)
    assert found.tolist() == [100, -50, -128, 100]


def test_of_too_many_concepts_those_of_the_largest_effects_are_kept():
    table = verdicts(5, variants=("2", "4")).assign(effect=[0, 0, 5, 0, -9, 0, 1, 0, 2, 0])
    rows = [(f"c{i}", variant) for i in range(5) for variant in ("2", "4")]
    frame = pd.DataFrame(rows, columns=["concept", "variant"])
    frame["cosine"] = list(np.eye(10))
    numbers = {f"c{i}": i for i in range(5)}
    (found,) = matrices({("m", "l"): frame}, table, numbers, most=2)
    assert sorted(found["concepts"]) == [1, 2]
    assert found["variants"] == ["4", "4"]
    assert found["total"] == 5
    assert matrices({("m", "l"): frame.head(2)}, table, numbers) == []


# words


def test_the_verdict_in_words():
    tables = study().tables()
    (text,) = words.verdicts_in_words(tables["verdicts"])
    assert text.startswith("Of 3 concepts, layer l of m encodes 2, and for t uses 2: 2 raise and 0")
    assert "M/1 (+5), R 1 (+3)" in text


def test_an_empty_result_is_said():
    table = verdicts(used=False, encoded=False)
    (text,) = words.verdicts_in_words(table)
    largest = table.loc[table["effect"].abs().idxmax()]
    assert text.endswith(
        f"none is seen to be used. The largest effect is that of {largest['label']}"
        f" ({largest['effect']:+.3g}), the smallest q-value of an effect 0.5."
    )
    (text,) = words.verdicts_in_words(table.assign(null="none", effect_q=np.nan))
    assert text.endswith("There were no nulls to compare with.")


def test_what_decides_is_what_is_said_of():
    table = verdicts(used=False, encoded=False).assign(statistic="derivative")
    table = table.assign(derivative=[0.1, -7.0, 0.3][: len(table)], derivative_q=0.25)
    (text,) = words.verdicts_in_words(table)
    assert text.endswith(
        f"The largest derivative is that of {table['label'][1]} (-7), the smallest q-value of a"
        " derivative 0.25."
    )
    (text,) = words.verdicts_in_words(table.assign(used=True, direction=["+", "-", "+"]))
    assert f"The largest derivatives: {table['label'][1]} (-7), " in text


def test_sanity_checks_and_nulls_in_words():
    tables = checked().tables(sanity_checks=True)
    said = dict(words.sure({}, tables))
    assert said["Sanity checks"].endswith("checks came out empty, as they should.")
    assert said["Resolution"] == (
        "The smallest p-value that these nulls can give is 0.016 to 0.025. Where there are 39"
        " nulls, and with 3 concepts tested at once, q ≤ 0.05 can be reached only if 2 or more are"
        " beyond all nulls."
    )
    nulls = pd.DataFrame({"null": ["permuted", "random"], "n_nulls": [100, 20]})
    nulls["smallest_p"] = 1 / (1 + nulls["n_nulls"])
    (text,) = [
        text
        for name, text in words.sure({}, {"verdicts": verdicts(100), "nulls": nulls})
        if name == "Resolution"
    ]
    assert text.endswith(
        "nulls, and with 100 concepts tested at once, q ≤ 0.05 can be reached only if 20 or more"
        " are beyond all nulls."
    )
    asked = dict(words.asked({}, CATALOGUE, tables))
    assert asked["Compared with"].startswith("60 motifs with permuted columns and 39 random sets")
    assert (
        "there are no nulls"
        in dict(words.asked({}, CATALOGUE, {**tables, "nulls": pd.DataFrame()}))["Compared with"]
    )


# content


def test_the_content_of_a_study():
    made = study().add("m", "k").add_methods()
    tables = made.tables()
    found = report_content(ReportInputs(tables, CATALOGUE, similarity=made.layers))
    assert [(place["model"], place["layer"]) for place in found["places"]] == [
        ("m", "k"),
        ("m", "l"),
    ]
    place = found["places"][1]
    assert place["concept"] == [0, 2, 1]
    assert place["rows"]["effect"] == [5, 3, -0.2]
    assert place["rows"]["log_ratio"] == [5, 3, -0.2]
    kinds = {(one["kind"], one["statistic"]): sum(one["counts"]) for one in place["histograms"]}
    assert kinds == {
        ("permuted", "effect"): 60,
        ("permuted", "auroc"): 60,
        ("random", "effect"): 39,
        ("random", "auroc"): 39,
    }
    assert {key: len(values) for key, values in place["own_nulls"].items()} == {
        "0|4": 20,
        "1|4": 20,
    }
    assert set(found["tables"]) >= {"methods", "layers", "similarity", "motif_points"}
    assert [len(one["concepts"]) for one in found["similarity"]] == [3, 3]
    render(found)


def test_a_study_with_verdicts_only():
    found = content()
    assert found["tables"] == {}
    assert found["similarity"] == []
    assert found["places"][0]["cloud"] == {}
    page = render(found)
    assert 'id="sensitivity"' not in page


def test_one_concept_and_none():
    assert len(content(verdicts(1))["places"][0]["concept"]) == 1
    none = verdicts(1).iloc[:0]
    found = content(none)
    assert found["places"] == []
    assert "Models and layers" in render(found)


def test_tables_of_an_older_run_lack_columns():
    old = verdicts().drop(columns=["effect_q"]).assign(effect_q=np.nan)
    found = content(old)
    assert found["places"][0]["rows"]["effect_permuted"] == [None] * 3


def test_concepts_that_the_catalogue_lacks_are_shown_all_the_same():
    table = verdicts()
    found = report_content(ReportInputs({"verdicts": table}, catalogue(table).head(1)))
    assert found["places"][0]["concept"] == [0, 1, 2]


def test_of_a_long_table_the_largest_effects_are_shown():
    long = pd.DataFrame({"effect": np.arange(MOST_ROWS + 5.0), "label": "x"})
    found = content(tables={"methods": long})["tables"]["methods"]
    assert found["total"] == MOST_ROWS + 5
    assert len(found["columns"]["effect"]) == MOST_ROWS
    assert min(found["columns"]["effect"]) == 5


# the page


@pytest.fixture(scope="module")
def nasty():
    table = verdicts(len(NASTY)).assign(label=NASTY, target=NASTY[0], layer=NASTY[5])
    files_of = [{"file": NASTY[0], "used as": "<b>", "bytes": 1, "sha256": "x"}]
    places = {(NASTY[1], NASTY[5], NASTY[0]): site_table().assign(region=NASTY[0])}
    made = content(
        table,
        files=files_of,
        configuration="x: </pre><script>",
        versions=[["<i>", "&"]],
        sites=places,
        variance={(NASTY[0], NASTY[5]): VARIANCE},
    )
    return render(made, title=NASTY[0])


def test_names_are_text_wherever_they_are(nasty):
    without = re.sub(r'<script id="plotly">.*?</script>', "", nasty, flags=re.S)
    # the page's own scripts and nothing more
    opened = re.findall(r"<script[^>]*>", without)
    assert sorted(set(opened)) == ['<script type="application/json" id="content">', "<script>"]
    assert len(opened) == 1 + 1 + len(SCRIPTS)
    for bad in ("alert(1)</script>", "<img", "<i>", "</pre><script>"):
        assert bad not in without
    assert [embedded(nasty)["concepts"]["label"][i] for i in range(len(NASTY))] == NASTY


class Elements(HTMLParser):
    """Names of all attributes of a page, and where its links lead."""

    def __init__(self):
        super().__init__()
        self.names, self.links = [], []

    def handle_starttag(self, tag, attrs):
        self.names += [name for name, _ in attrs]
        self.links += [value for name, value in attrs if name == "href"]


def test_nothing_is_loaded_from_anywhere(nasty):
    found = Elements()
    found.feed(re.sub(r"<script.*?</script>", "", nasty, flags=re.S))
    own = re.sub(r'<script id="plotly">.*?</script>', "", nasty, flags=re.S)
    assert not {"src", "srcset", "poster", "data", "background", "action"} & set(found.names)
    assert not re.findall(r"url\(|@import", own)
    assert found.links
    basis = "/%3Cimg%20src%3Dx%20onerror%3Dalert%281%29%3E/basis/variance.tsv"
    assert all(
        link.startswith(("#", "summary/", "catalogue.tsv")) or link.endswith(basis)
        for link in found.links
    )
    assert not any(urlsplit(link).scheme or link.startswith("/") for link in found.links)
    assert "default-src 'none'" in nasty
    assert "https://" not in own


def test_the_licence_of_what_is_inlined_is_named(nasty):
    assert "Licensed under the MIT license" in nasty
    assert "plotly.js</b>, © Plotly, Inc., MIT licence" in nasty


def big(concepts, variants, targets):
    """Tables of many concepts, with one permuted null for each."""
    parts, nulls = [], []
    rng = np.random.default_rng(1)
    for target in targets:
        part = verdicts(concepts, variants).assign(target=target)
        part["effect"] = rng.normal(size=len(part))
        for column in (
            "effect_low",
            "effect_high",
            "planting_effect",
            "auroc_q",
            "effect_permuted",
        ):
            part[column] = rng.normal(size=len(part))
        parts.append(part)
        null = part[["model", "layer", "target", "variant", "effect", "auroc"]]
        nulls.append(null.assign(concept=part["concept"] + ".null0000", kind="permuted"))
    table = pd.concat(parts, ignore_index=True)
    return table, pd.concat(nulls, ignore_index=True)


def many_sites(concepts):
    """Three regions of each concept, a hundred bases of those of the first thirty."""
    rng = np.random.default_rng(3)
    bases = ",".join(f"{value:.4g}" for value in rng.normal(size=100))
    table = pd.DataFrame({"concept": np.repeat([f"c{i}" for i in range(concepts)], 3)})
    table = table.assign(variant="4", region="chr20:1000000-1001024", strand="+", score=1.0)
    followed = np.arange(len(table)) < 90
    return table.assign(
        contributions=np.where(followed, bases, None),
        completeness_error=np.where(followed, 0.01, np.nan),
        shown_start=1_000_000,
        sequence="ACGT" * 25,
    )


@pytest.mark.parametrize(
    ("n", "variants", "targets", "most"),
    [(637, ("4", "8", "16"), ("a", "b"), 8e6), (2000, ("4",), ("a",), 8e6)],
    ids=["637 motifs", "2,000 concepts"],
)
def test_many_concepts_make_a_small_page_in_good_time(n, variants, targets, most):
    table, nulls = big(n, variants, targets)
    frame = table[table["target"] == targets[0]][["concept", "variant"]].reset_index(drop=True)
    vectors = np.random.default_rng(2).normal(size=(len(frame), 20)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1)[:, None]
    frame["cosine"] = list(vectors @ vectors.T)
    started = time.monotonic()
    page = render(
        content(
            table,
            tables={"null_values": nulls},
            similarity={("m", "l"): frame},
            sites={("m", "l", target): many_sites(n) for target in targets},
            logos={f"c{i}": [50] * 48 for i in range(n)},
        )
    )
    assert time.monotonic() - started < 20
    assert len(page.encode()) < most


# facts on the run


def test_costs_are_of_steps_whatever_model_and_layer(tmp_path):
    text = "s\th:m:s\tmax_rss\tcpu_time\n{}\t0:00:01\t{}\t1\n"
    for name, seconds, memory in (
        ("summary.tsv", 1, 10),
        ("cavs/m/l/a.tsv", 2, 30),
        ("cavs/m.randomised/l/b.tsv", 3, "-"),
        ("sample/m/l.tsv", 4, 5),
        ("m/l/basis/sample.tsv", 4, 5),
        ("m.randomised/controls/random.tsv", 4, 5),
    ):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text.format(seconds, memory))
    found = {row["step"]: row for row in step_costs(tmp_path, ["m"])}
    assert set(found) == {"summary", "cavs", "sample"}
    cavs = found["cavs"]
    assert (cavs["jobs"], cavs["seconds"], cavs["peak memory, MB"]) == (2, 5, 30)
    assert step_costs(tmp_path / "none", []) == []


def test_input_files_have_a_digest(tmp_path):
    (tmp_path / "a").write_text("abc")
    there, gone = file_facts({str(tmp_path / "a"): "genome.fasta", "no/file": "targets.t"})
    assert there["bytes"] == 3
    assert there["sha256"].startswith("ba7816bf")
    assert gone["sha256"] == "not found"


# target regions and components

VARIANCE = pd.DataFrame(
    {
        "component": [1, 2, 3],
        "variance": [4.0, 2, 1],
        "share": [0.4, 0.2, 0.1],
        "cumulative_share": [0.4, 0.6, 0.7],
    }
)


def site_table(concept="c0", contributions="0.5,-1,0"):
    details = {"completeness_error": 0.01, "shown_start": 7, "sequence": "GTN"}
    shown = contributions is not None
    regions = [("chr<1>:0-9", -2.0), ("chr<1>:20-29", 1.0)]
    rows = [
        {"concept": concept, "variant": "4", "region": region, "strand": "+", "score": score}
        | {"contributions": contributions}
        | {name: value if shown else None for name, value in details.items()}
        for region, score in regions
    ]
    return pd.DataFrame(rows)


def test_regions_are_kept_by_concept_with_their_bases():
    place = ("m", "l", "t")
    (found,) = content(sites={place: site_table()})["sites"]
    first, second = found["regions"][0]
    assert (first["region"], first["score"], second["score"]) == ("chr<1>:0-9", -2, 1)
    # whole numbers of the largest contribution, which is kept
    assert first["heights"] == [100, -200, 0]
    assert (first["largest"], first["start"], first["sequence"]) == (1, 7, "GTN")
    assert found["followed"] == 1
    assert found["error"] == rounded(0.01 / 1.5)


@pytest.mark.parametrize(
    ("table", "followed", "regions"),
    [
        (site_table(contributions=None), 0, {0: 2}),
        (site_table().iloc[:1], 1, {0: 1}),
        (site_table().iloc[:0], 0, {}),
        (site_table("unknown"), 1, {}),
        (site_table(contributions="0,0,0"), 1, {0: 2}),
    ],
    ids=["no bases", "one region", "none", "unknown concept", "all zero"],
)
def test_regions_that_are_few_or_have_no_bases(table, followed, regions):
    (found,) = content(sites={("m", "l", "t"): table})["sites"]
    assert found["followed"] == followed
    assert {number: len(rows) for number, rows in found["regions"].items()} == regions
    to_json(found)


def test_how_many_components_hold_the_variance():
    (found,) = content(variance={("m", "l"): VARIANCE})["variance"]
    assert (found["k"], found["half"], found["most"]) == (3, 2, None)
    assert found["cumulative"] == [0.4, 0.6, 0.7]
    (none,) = content(variance={("m", "l"): VARIANCE.iloc[:0]})["variance"]
    assert (none["k"], none["component"], none["half"]) == (0, [], None)
    long = pd.DataFrame({"cumulative_share": np.linspace(0, 1, 5001)[1:]})
    (many,) = content(variance={("m", "l"): long})["variance"]
    assert len(many["component"]) <= 120
    assert (many["component"][0], many["component"][-1]) == (1, 5000)


def test_correlations_are_said_where_they_are_known():
    table = pd.DataFrame(
        {**PLACE, "n_regions": [24, 1], "feature_correlation": [0.5, np.nan]}
        | {"component_correlation": [0.25, np.nan], "correlation_by_chance": [0.17, np.nan]}
    )
    (text,) = correlation_words(table)
    assert "24 regions" in text
    assert "0.50" in text
    assert "0.25" in text
    assert correlation_words(None) == correlation_words(pd.DataFrame(PLACE, index=[0])) == []


# the command


def report_of(folder, **given):
    """Run the command on tables in a folder."""
    usual = {
        "tables": str(folder / "summary"),
        "catalogue": str(folder / "catalogue.parquet"),
        **{"similarity": [], "basis": [], "sites": []},
        **{"config": "{}", "inputs": "{}", "benchmarks": None, "cache": None},
        "output": str(folder / "report.html"),
    }
    run_report(argparse.Namespace(**usual | given))


def test_the_command_writes_a_page_and_says_what_it_found(tmp_path, caplog):
    tables = result_tables(Study().add().add_planting().found(), Rules(), 0.9)
    for name, table in tables.items():
        write_table(table, tmp_path / "summary" / f"{name}.tsv")
    write_table(CATALOGUE.assign(kind="concept"), tmp_path / "catalogue.tsv")
    write_table(VARIANCE, tmp_path / "variance.tsv")
    write_table(site_table(CATALOGUE["concept"][0]), tmp_path / "sites.tsv")
    with caplog.at_level(logging.INFO, "tpcav_core"):
        report_of(
            tmp_path,
            basis=[["m", "l", str(tmp_path / "variance.parquet")]],
            sites=[["m", "l", "t", str(tmp_path / "sites.parquet")]],
        )
    page = (tmp_path / "report.html").read_text()
    found = embedded(page)
    assert found["places"][0]["rows"]["effect"] == [5, 3, -0.2]
    assert list(found["sites"][0]["regions"]) == ["0"]
    assert found["variance"][0]["k"] == 3
    assert "for t uses 2" in caplog.text
    assert "report.html (" in caplog.text
    assert [path.name for path in tmp_path.iterdir() if path.suffix == ".part"] == []


def test_the_command_without_tables_says_what_to_do(tmp_path):
    with pytest.raises(InputError, match="no such file; run the step that makes it first"):
        report_of(tmp_path)
    assert list(tmp_path.iterdir()) == []
