"""``python -m tpcav_core figures``: the main figures as SVG and PDF."""

from __future__ import annotations

import argparse
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from ..errors import InputError
from ..figures.names import TITLES, FigureName, figure_names
from ..table_columns import LAYER, PLACE
from .result_files import read_similarity
from .summary_files import add_file_argument, read_tables

if TYPE_CHECKING:
    from matplotlib.figure import Figure

log = logging.getLogger("tpcav_core")
#: tables that are read, the first one necessarily
TABLES = (
    *("verdicts", "concepts", "scores", "null_values"),
    *("motif_sensitivity", "motif_points", "layers"),
)
Place = tuple[str, str]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--tables", required=True, help="folder of the `summary` step")
    parser.add_argument(
        "--place",
        nargs="+",
        action="append",
        default=[],
        metavar="NAME",
        help="a model, a layer, and all targets; once for each layer; default: as in the tables",
    )
    add_file_argument(
        parser, "--similarity", ("MODEL", "LAYER"), "file of similarities of a layer, parquet"
    )
    parser.add_argument(
        "--planted",
        nargs=2,
        action="append",
        metavar=("MODEL", "LAYER"),
        help="a layer at which motifs are interpreted; once for each; default: as in the tables",
    )
    parser.add_argument("--style", help="matplotlib style file of your own, over that of here")
    parser.add_argument("--output", required=True, help="folder of the figures")


def run(arguments: argparse.Namespace) -> None:
    from ..figures.style import save, styled

    folder = Path(arguments.tables)
    tables = read_tables(folder, TABLES)
    places = {(place[0], place[1]): place[2:] for place in arguments.place} or _places(tables)
    similarity = {
        (model, layer): read_similarity(path) for model, layer, path in arguments.similarity
    }
    planted = arguments.planted
    if planted is None and "motif_points" in tables:
        planted = tables["motif_points"][LAYER].to_numpy().tolist()
    names = [
        name
        for name in figure_names(places, {(model, layer) for model, layer in planted or []})
        if name.kind != "similarity" or (name.model, name.layer) in similarity
    ]
    if arguments.style and not Path(arguments.style).is_file():
        raise InputError(f"--style {arguments.style}: no such file")
    with styled(arguments.style):
        for name in names:
            where = [part for part in (name.model, name.layer, name.target) if part]
            figure = _drawn(name, tables, places, similarity)
            title = ", ".join([TITLES[name.kind], *where])
            save(figure, Path(arguments.output) / name.stem, title)
    log.info("%s: %d figures, each as SVG and PDF", arguments.output, len(names))


def _drawn(
    name: FigureName,
    tables: Mapping[str, pd.DataFrame],
    places: Mapping[Place, list[str]],
    similarity: Mapping[Place, pd.DataFrame],
) -> Figure:
    from ..figures import comparison, effects, encoded, nulls, sensitivity
    from ..figures import similarity as clusters

    layer = (name.model, name.layer)
    target = (*layer, name.target)
    if name.kind == "comparison":
        every = [(*place, target) for place, targets in places.items() for target in targets]
        return comparison.draw(tables, every)
    if name.kind == "motif-sensitivity":
        return sensitivity.draw(tables, layer)
    if name.kind == "similarity":
        return clusters.draw(tables, layer, similarity[layer])
    drawing = {
        "encoded-and-used": encoded.draw,
        "effects": effects.draw,
        "nulls": nulls.draw,
    }
    return drawing[name.kind](tables, target)


def _places(tables: Mapping[str, pd.DataFrame]) -> dict[Place, list[str]]:
    rows = tables["verdicts"][PLACE].drop_duplicates()
    found: dict[Place, list[str]] = {}
    for model, layer, target in rows.itertuples(index=False, name=None):
        found.setdefault((str(model), str(layer)), []).append(str(target))
    return found
