"""What the steps that show a study read: its result tables, and files of each place."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from .. import files


def add_file_argument(
    parser: argparse.ArgumentParser, option: str, names: tuple[str, ...], text: str
) -> None:
    """Add an option for a file of each place: the names of the place, and the file."""
    parser.add_argument(
        option,
        nargs=len(names) + 1,
        action="append",
        default=[],
        metavar=(*names, "FILE"),
        help=f"{text}; once for each",
    )


def read_table(path: Path) -> pd.DataFrame:
    """Return a table from its parquet file."""
    return files.read_parquet(path, "table").to_pandas()


def read_tables(folder: Path, names: Sequence[str]) -> dict[str, pd.DataFrame]:
    """Return the tables of a folder by name; all but the first may be missing."""
    paths = {name: folder / f"{name}.parquet" for name in names}
    return {
        name: read_table(path) for name, path in paths.items() if name == names[0] or path.is_file()
    }
