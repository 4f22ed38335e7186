"""Take the pictures of a report that the README shows.

`python tools/report_pictures.py results/report.html docs/figures/report-demo.png --section verdict`
needs Chromium and the extra `dev`.
"""

from __future__ import annotations

import argparse
import os
import shutil
from pathlib import Path

from playwright.sync_api import sync_playwright


def main() -> None:
    """Open the page and keep what the window shows of one section."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("page", type=Path)
    parser.add_argument("picture", type=Path)
    parser.add_argument("--section", default="verdict", help="id of the section")
    parser.add_argument("--height", type=int, default=1000, help="pixels of it that are shown")
    parser.add_argument("--place", help="model · layer · target that is chosen")
    arguments = parser.parse_args()
    options = ["--no-sandbox"] if os.geteuid() == 0 else []
    with sync_playwright() as started:
        browser = started.chromium.launch(executable_path=shutil.which("chromium"), args=options)
        page = browser.new_page(viewport={"width": 1280, "height": arguments.height})
        page.goto(arguments.page.resolve().as_uri())
        page.wait_for_selector("html[data-ready]")
        if arguments.place:
            for name in ("#place", "#sites-place"):
                page.select_option(name, label=arguments.place)
        # the bar at the top would lie over a section that is longer than the window
        page.add_style_tag(
            content=".top { position: static !important; } html { scroll-padding: 0 !important; }"
        )
        page.locator(f"#{arguments.section}").evaluate("section => section.scrollIntoView()")
        page.wait_for_timeout(1500)
        arguments.picture.parent.mkdir(parents=True, exist_ok=True)
        page.screenshot(path=arguments.picture)
        browser.close()


if __name__ == "__main__":
    main()
