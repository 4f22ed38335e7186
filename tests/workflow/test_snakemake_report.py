"""`snakemake --report` of the small study: captions, categories, labels, and no network."""

from __future__ import annotations

import base64
import json
import re
import shutil
from pathlib import Path

import pytest

from tpcav_core.figures.names import TITLES

from .conftest import ROOT, Study

pytest.importorskip("pygments", reason="snakemake[reports] is not installed")
pytestmark = pytest.mark.slow
#: tables that only some studies have
ABSENT = {"methods", "sanity"}
# Snakemake itself takes what stands between < and > for a variable of its own
ODD = "data/<!--<script $x^2$ 'peaks'.bed"


@pytest.fixture(scope="module")
def page(finished: Study, tmp_path_factory) -> str:
    """The report as HTML, where a file of the configuration has an odd name."""
    folder = tmp_path_factory.mktemp("report") / "copy"
    study = Study(Path(shutil.copytree(finished.folder, folder)))
    (folder / "data/peaks.bed").rename(folder / ODD)
    study.configure(lambda config: config["targets"]["peaks"].update(regions=ODD))
    with pytest.MonkeyPatch.context() as patch:
        # nothing answers there
        for name in ("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"):
            patch.setenv(name, "http://127.0.0.1:9")
        done = study.snakemake("--report", str(folder / "all.html"))
    assert done.returncode == 0, done.stdout
    return (folder / "all.html").read_text()


@pytest.fixture(scope="module")
def results(page):
    """What is in it, by path."""
    return embedded(page, "results")


def embedded(page, name):
    (text,) = re.findall(rf"^\s*var {name} = ({{.*}});?$", page, re.M)
    return json.loads(text)


def test_every_figure_and_table_is_there_with_its_caption_and_labels(finished, results):
    out = finished.folder / "out"
    figures = {str(path.relative_to(finished.folder)) for path in out.glob("figures/**/*.svg")}
    assert figures
    shown = {path for path in results if path.startswith("out/figures/")}
    assert shown == figures
    for path in shown:
        labels = results[path]["labels"]
        assert set(labels) == {"figure", "target"}
        assert labels["figure"] in TITLES.values()
        assert f"<strong>{labels['figure']}.</strong>" in results[path]["caption"]
    captions = {path.stem for path in (ROOT / "workflow/report/tables").glob("*.rst")} - ABSENT
    tables = {path for path in results if path.startswith("out/summary/")}
    assert tables == {f"out/summary/{name}.tsv" for name in captions}
    assert "out/report.html" in results
    assert all(result["caption"] for result in results.values())


def test_categories_are_those_of_a_reader(page):
    categories = embedded(page, "categories")
    assert set(categories) == {"Figures", "Tables", "Report"}
    assert set(categories["Figures"]) == {
        "small, layer conv_2",
        "small, layer conv_1",
        "second, layer conv_2",
        "All models",
    }
    assert "Verdicts" in categories["Tables"]


def test_figures_are_in_it_as_they_are(finished, results):
    path = "out/figures/small/conv_2/peaks.effects.svg"
    kind, _, data = results[path]["data_uri"].partition(";base64,")
    assert kind.startswith("data:image/svg+xml")
    assert base64.b64decode(data) == (finished.folder / path).read_bytes()


def test_it_loads_nothing_and_no_name_is_markup(page, results):
    assert not re.findall(r"<(?:script|link|img)[^>]*(?:src|href)=[\"']?https?:", page)
    # as Snakemake writes it, a parameter may end the script that it is in
    assert "$x^2$ 'peaks'.bed" in json.dumps(results)
    assert "<!--<script $x" not in page
