"""The documentation builds without a warning, leads somewhere, and needs no network to be read."""

from __future__ import annotations

import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


# one test, because a fixture would be made once in each test process
@pytest.mark.slow
def test_the_site_builds_is_complete_and_reads_offline(tmp_path: Path) -> None:
    site = built(tmp_path)
    check_nothing_is_loaded_from_elsewhere(site)
    check_every_page_is_there(site)
    check_functions_are_described(site)


def built(folder: Path) -> Path:
    command = [sys.executable, "-m", "sphinx", "-q", "-W", "--keep-going", "-c", "docs"]
    command += ["-d", str(folder / "doctrees"), "-b", "html", ".", str(folder / "html")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"make docs\n{done.stderr}"
    return folder / "html"


class Loaded(HTMLParser):
    """What a browser loads for a page, without being asked to."""

    def __init__(self) -> None:
        super().__init__()
        self.addresses: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        if tag in ("script", "img", "iframe", "source"):
            self.addresses.append(values.get("src") or "")
        if tag == "link" and values.get("rel") in ("stylesheet", "preload", "icon"):
            self.addresses.append(values.get("href") or "")


def check_nothing_is_loaded_from_elsewhere(site: Path) -> None:
    pages = list(site.rglob("*.html"))
    assert len(pages) > 30
    for page in pages:
        loaded = Loaded()
        loaded.feed(page.read_text(encoding="utf-8"))
        assert loaded.addresses or page == site / "index.html"
        outside = [a for a in loaded.addresses if re.match(r"(https?:)?//", a)]
        assert not outside, page
    for style in site.rglob("*.css"):
        assert not re.search(r"url\(['\"]?(https?:)?//", style.read_text(encoding="utf-8")), style


def check_every_page_is_there(site: Path) -> None:
    for source in [*ROOT.glob("docs/**/*.md"), ROOT / "config/README.md", ROOT / "CHANGELOG.md"]:
        page = site / source.relative_to(ROOT).with_suffix(".html")
        assert page.is_file(), source
    # the address without a page leads to the first
    target = re.search(r"url=([^\"]+)", (site / "index.html").read_text())
    assert target
    assert (site / target[1]).is_file()


def check_functions_are_described(site: Path) -> None:
    page = (site / "docs/reference/api.html").read_text(encoding="utf-8")
    for name in ("notebook.wrap", "training.train_variant", "interchange.Projection"):
        assert f'id="tpcav_core.{name}"' in page, name
