"""The page itself: content, style, scripts and the plotting library in one HTML file."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from .. import __version__
from .logos import letter_paths
from .values import to_json

TEMPLATES = Path(__file__).parent / "templates"
#: in the order in which they are run
SCRIPTS = ("data.js", "table.js", "charts.js", "sites.js", "details.js", "page.js")


def render(content: Mapping[str, Any], title: str = "TPCAV report") -> str:
    """Return the page. All values are escaped; only this package's own files are markup."""
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("page.html").render(
        title=title,
        version=__version__,
        content=content,
        letters=letter_paths(),
        style=_own("page.css"),
        scripts=[_own(name) for name in SCRIPTS],
        plotly=_plotly(),
        data=Markup(to_json(content)),  # escaped by to_json
    )


def _own(name: str) -> Markup:
    return Markup((TEMPLATES / name).read_text(encoding="utf-8"))  # our own file


def _plotly() -> Markup:
    """Return Plotly's script as its package ships it, licence notice included."""
    from plotly.offline import get_plotlyjs

    script = str(get_plotlyjs())
    # would end the script element; inside strings of JavaScript the two are equal
    return Markup(script.replace("</script", "<\\/script"))  # a library's own file
