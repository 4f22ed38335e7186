"""The report of the small study in a real browser, without a network."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from ..debian import install
from .conftest import Study
from .contract import read

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
pytestmark = pytest.mark.slow
#: where screenshots go that are to be looked at
SHOTS = os.environ.get("TPCAV_SCREENSHOTS")
WIDTHS = {1280: 900, 768: 1000, 390: 844}


def find_chromium() -> str | None:
    names = ("chromium", "chromium-browser", "google-chrome")
    found = os.environ.get("TPCAV_CHROMIUM"), *map(shutil.which, names)
    return next(filter(None, found), None)


@pytest.fixture(scope="module")
def chromium() -> str:
    """The browser, installed where it is missing."""
    reason = None if find_chromium() else install(["chromium"])
    found = find_chromium()
    if found is None:
        pytest.skip(f"no Chromium; {reason}, or name one in TPCAV_CHROMIUM")
    return found


@pytest.fixture(scope="module")
def browser(chromium):
    with playwright.sync_playwright() as started:
        # where tests run as root Chromium starts without its sandbox only
        options = ["--no-sandbox"] if os.geteuid() == 0 else []
        running = started.chromium.launch(executable_path=chromium, args=options)
        yield running
        running.close()


@pytest.fixture
def visit(browser, finished: Study):
    """Open the report; afterwards nothing was asked of a network and nothing went wrong."""
    opened = []

    def start(width=1280, scheme="light"):
        context = browser.new_context(
            viewport={"width": width, "height": WIDTHS[width]},
            color_scheme=scheme,
            offline=True,
            accept_downloads=True,
        )
        page = context.new_page()
        requests, troubles = [], []
        page.on("request", lambda request: requests.append(request.url))
        page.on("pageerror", lambda error: troubles.append(str(error)))
        page.on("console", lambda message: troubles.append(message.text))
        page.goto((finished.folder / "out/report.html").as_uri())
        page.wait_for_selector("html[data-ready]")
        page.select_option("#place", str(number_of(finished)))
        opened.append((context, requests, troubles))
        return page

    yield start
    for context, requests, troubles in opened:
        context.close()
        # the page itself, and nothing else
        assert {url.partition(":")[0] for url in requests} <= {"file", "blob"}, requests
        assert len({url for url in requests if url.startswith("file:")}) == 1
        assert not troubles


def places(table: pd.DataFrame) -> list[tuple[str, str, str]]:
    """Return the models, layers and targets in the order in which the report has them."""
    keys = ["model", "layer", "target"]
    return list(table[keys].drop_duplicates().itertuples(index=False, name=None))


def number_of(study: Study) -> int:
    """Return the number of the place of the study that has all concepts."""
    return places(read(study, "verdicts")).index(("small", "conv_2", "peaks"))


def drawn(page):
    """Draw all charts, those that are far down too."""
    page.evaluate("[...drawers.keys()].forEach(drawNow)")
    page.wait_for_function("document.querySelectorAll('.chart .main-svg').length > 4")


def labels(page):
    return page.locator("#table-verdicts tbody .name").all_inner_texts()


def largest(table: pd.DataFrame) -> pd.DataFrame:
    """Return each concept of that place at its largest effect, the largest first."""
    own = table.query("model == 'small' and layer == 'conv_2' and target == 'peaks'")
    order = own["effect"].abs().sort_values(ascending=False, kind="stable").index
    return own.loc[order].drop_duplicates("concept")


def test_the_table_is_that_of_the_verdicts(visit, finished):
    page = visit()
    expected = largest(read(finished, "verdicts"))
    assert labels(page) == expected["label"].tolist()
    page.select_option("#variant", "all")
    assert len(labels(page)) > len(expected)


def test_sort(visit, finished):
    page = visit()
    expected = largest(read(finished, "verdicts"))
    header = page.locator("#table-verdicts thead th", has_text="AUROC").first
    for order, ascending in (("descending", False), ("ascending", True)):
        header.locator("button").click()
        assert header.get_attribute("aria-sort") == order
        by_auroc = expected.sort_values("auroc", ascending=ascending, kind="stable")
        assert labels(page)[0] == by_auroc["label"].iloc[0]


def test_search_and_filter(visit, finished):
    page = visit()
    expected = largest(read(finished, "verdicts"))
    wanted = expected["label"].iloc[-1]
    page.fill("#table-verdicts input[type=search]", wanted)
    assert wanted in labels(page)
    assert all(wanted.lower() in label.lower() for label in labels(page))
    page.fill("#table-verdicts input[type=search]", "no such concept")
    assert labels(page) == []
    assert page.locator("#table-verdicts .again").inner_text() == "No row fits."
    page.fill("#table-verdicts input[type=search]", "")
    for column, flags in (("encoded", expected["encoded"]), ("used", expected["used"])):
        select = page.locator(f"#table-verdicts select[aria-label$='{column.capitalize()}']")
        assert select.is_visible() == (flags.nunique() > 1)
        if flags.nunique() > 1:
            select.select_option("no")
            assert labels(page) == expected.loc[~flags.astype(bool), "label"].tolist()
            select.select_option("")
    page.select_option("#variant", "all")
    page.locator("#table-verdicts input[type=search]").fill(expected["label"].iloc[0])
    assert set(labels(page)) == {expected["label"].iloc[0]}
    lines = page.locator("#table-verdicts .count").inner_text()
    assert lines.startswith(f"{len(labels(page))} of ")


def test_another_place_is_another_table(visit, finished):
    page = visit()
    before = page.locator("#words").inner_text()
    page.select_option("#place", "0")
    assert page.locator("#words").inner_text() != before


def test_a_concept_opens_from_row_name_chart_and_search(visit, finished):
    page = visit()
    drawn(page)
    label = labels(page)[1]
    page.locator("#table-verdicts tbody tr").nth(1).click()
    assert page.locator("#details-h").inner_text() == label
    rows = read(finished, "verdicts")
    assert page.locator("#details-body tbody tr").count() == (rows["label"] == label).sum()
    assert page.locator("#details-body svg.logo use").count() > 0
    page.keyboard.press("Escape")
    assert not page.locator("#details").is_visible()
    page.fill("#find", label)
    page.keyboard.press("Enter")
    assert page.locator("#details-h").inner_text() == label
    page.click("#details-close")
    page.locator("#table-verdicts tbody .name").first.focus()
    page.keyboard.press("Enter")
    assert page.locator("#details-h").inner_text() == labels(page)[0]
    page.keyboard.press("Escape")
    page.evaluate("document.getElementById('chart-verdict').scrollIntoView()")
    page.wait_for_timeout(500)
    box = page.locator("#chart-verdict .scatterlayer .trace .point").last.bounding_box()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.wait_for_selector("#chart-verdict .hoverlayer .hovertext")
    page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.wait_for_selector("#details[open]")


def test_export(visit, finished, tmp_path):
    page = visit()
    with page.expect_download() as download:
        page.click("#table-verdicts .export")
    path = tmp_path / "verdicts.tsv"
    download.value.save_as(path)
    table = pd.read_csv(path, sep="\t", dtype={"variant": str})
    expected = largest(read(finished, "verdicts"))
    assert table["concept"].tolist() == expected["concept"].tolist()
    assert table["effect"].to_numpy() == pytest.approx(expected["effect"].to_numpy(), rel=1e-3)
    assert download.value.suggested_filename == "verdicts.tsv"


def test_the_theme_is_switched_and_remembered(visit):
    page = visit(scheme="dark")
    theme = "document.documentElement.dataset.theme"
    background = "getComputedStyle(document.body).backgroundColor"
    assert page.evaluate(theme) == "dark"
    dark = page.evaluate(background)
    page.click("#theme")
    assert page.evaluate(theme) == "light"
    assert page.evaluate(background) != dark
    page.reload()
    page.wait_for_selector("html[data-ready]")
    assert page.evaluate(theme) == "light"


@pytest.mark.parametrize("width", WIDTHS)
def test_nothing_is_cut_off_at_any_width(visit, width, tmp_path):
    page = visit(width, "dark" if width == 390 else "light")
    drawn(page)
    page.wait_for_timeout(800)
    folder = Path(SHOTS) if SHOTS else tmp_path
    folder.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=folder / f"report-{width}.png", full_page=True)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    if width == 1280:
        overflow = "one => one.scrollWidth - one.clientWidth"
        assert page.locator("#table-verdicts .scroll").evaluate(overflow) <= 0


def test_links_lead_to_the_tables(visit, finished):
    page = visit()
    links = page.locator("main a:not([href^='#'])").all()
    found = {one.get_attribute("href") for one in links}
    assert {link.partition("/")[0] for link in found} == {
        "summary",
        "catalogue.tsv",
        "small",
        "second",
    }
    for link in found:
        assert (finished.folder / "out" / link).exists(), link


def test_regions_of_each_concept_are_shown_with_their_bases(visit, finished):
    page = visit()
    places = page.locator("#sites-place option").all_inner_texts()
    assert len(places) == 6
    page.select_option("#sites-place", label="small · conv_2 · peaks")
    table = pd.read_csv(finished.folder / "out/small/conv_2/sites/peaks.tsv", sep="\t")
    first = table[table["concept"] == table["concept"].iloc[0]]
    labels = read(finished, "verdicts").set_index("concept")["label"]
    page.select_option("#sites-concept", label=labels[first["concept"].iloc[0]].iloc[0])
    captions = page.locator("#sites-list figcaption").all_inner_texts()
    assert [text.split()[0] for text in captions] == first["region"].tolist()
    logos = page.locator("#sites-list svg.bases")
    assert logos.count() == 3
    letters = logos.first.locator("use").evaluate_all(
        "all => all.map(one => one.className.baseVal)"
    )
    values = np.abs(np.array(first["contributions"].iloc[0].split(","), float))
    tall = values > 0.02 * values.max()
    assert len(letters) >= tall.sum() > 0
    # the same regions in the details of the concept
    page.locator("#sites-list .name").click()
    assert page.locator("#details-body figure.region").count() >= 3


def test_no_serious_trouble_for_assistive_technology(visit):
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="no axe")
    page = visit()
    drawn(page)
    for _ in range(2):
        found = axe.Axe().run(page).response["violations"]
        assert not [one["id"] for one in found if one["impact"] in ("serious", "critical")]
        page.click("#theme")
        page.wait_for_timeout(300)


CROWD = """() => {
  const rows = Array.from({ length: 60 }, (_, i) => ({
    number: i, label: `motif ${i} of a crowd`, used: i % 2 === 0,
    verdict: i % 2 ? "neither" : "encoded and used, raises the output",
    auroc: 0.9 + 0.002 * (i % 8), effect: 5 + 0.03 * i,
  }));
  const host = document.querySelector("#chart-verdict");
  const cloud = { random: { auroc: [0.4, 0.6], effect: [-1, 1] } };
  drawers.set(host, () => drawVerdict(host, { cloud }, rows));
  drawn.add(host);
  drawers.get(host)();
}"""
BOXES = """() => {
  const host = document.querySelector("#chart-verdict");
  const boxes = (found) => [...host.querySelectorAll(found)]
    .filter((one) => one.tagName !== "text" || one.textContent)
    .map((one) => one.getBoundingClientRect());
  const found = [".textpoint text", ".trace:not(:first-child) .point", ".main-svg"];
  return new Promise((resolve) => setTimeout(() => resolve(found.map(boxes)), 500));
}"""


@pytest.mark.parametrize(
    ("first", "width"), [*((width, width) for width in WIDTHS), (1280, 768), (768, 1280)]
)
def test_labels_of_a_crowd_of_points_can_be_read(visit, first, width):
    page = visit(first)
    page.evaluate(CROWD)
    if first != width:
        page.wait_for_timeout(500)
        page.set_viewport_size({"width": width, "height": WIDTHS[width]})
        page.wait_for_timeout(500)
    labels, points, (drawing, *_) = page.evaluate(BOXES)
    assert 2 <= len(labels) <= 9
    assert len(points) == 60

    def apart(one, other, slack=1.0):
        return (
            one["right"] < other["left"] + slack
            or other["right"] < one["left"] + slack
            or one["bottom"] < other["top"] + slack
            or other["bottom"] < one["top"] + slack
        )

    for number, label in enumerate(labels):
        assert all(apart(label, other) for other in labels[number + 1 :])
        assert all(apart(label, point) for point in points)
        assert drawing["left"] <= label["left"] <= label["right"] <= drawing["right"]


def test_it_prints(visit, tmp_path):
    page = visit()
    page.pdf(path=tmp_path / "report.pdf")
    assert (tmp_path / "report.pdf").stat().st_size > 20_000
