"""Recipes: what each example of a concept is, without its sequence.

A recipe says which window of the genome an example is cut from, on which strand, to which fold
that place belongs, which sites are planted into it, whether it is shuffled and where its signal
comes from: tens of bytes per example instead of kilobytes. Only sequences that are in no genome
are stored as such. `realise` makes the sequences of a recipe, always the same ones.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from .genome import LETTER_BYTES, UNKNOWN, Genome, encode
from .planting import Sites, plant
from .regions import Regions
from .shuffling import dinucleotide_shuffle

_NAME = pa.dictionary(pa.int32(), pa.string())
_REGION = ("contig", "start", "end", "strand")
SCHEMA = pa.schema(
    [
        ("concept", _NAME),
        ("variant", _NAME),
        ("control", _NAME),
        ("example", pa.int32()),
        ("fold", pa.int16()),
        ("contig", _NAME),
        ("start", pa.int64()),
        ("end", pa.int64()),
        ("strand", pa.int8()),
        ("site_start", pa.list_(pa.int32())),
        ("site_strand", pa.list_(pa.int8())),
        ("site_width", pa.list_(pa.int16())),
        ("site_bases", pa.string()),
        ("bases", pa.large_string()),
        ("shuffle", pa.int64()),
        ("signal_contig", _NAME),
        ("signal_start", pa.int64()),
        ("signal_end", pa.int64()),
        ("signal_strand", pa.int8()),
        ("call", _NAME),
    ]
)


class Recipe(NamedTuple):
    """The examples of one variant of one concept, or of one replicate of a control.

    Attributes:
        regions: (n,) windows of the genome; None if the sequences come from elsewhere.
        folds: (n,) int16, training fold or -1 for the test part.
        sites: what is planted, or None.
        bases: (n, window) uint8 codes of sequences that are in no genome, or None.
        shuffle: (n,) int64, seeds of dinucleotide shuffles, the last thing done; or None.
        signal: (n,) windows that the signal is read from; None: those of the sequence.
        call: what yields the model's inputs themselves (JSON), or None; see `user_inputs`.
    """

    regions: Regions | None
    folds: np.ndarray
    sites: Sites | None = None
    bases: np.ndarray | None = None
    shuffle: np.ndarray | None = None
    signal: Regions | None = None
    call: str | None = None


def take(recipe: Recipe, rows: slice | np.ndarray) -> Recipe:
    """Return some examples of a recipe; of a function's examples (`Recipe.call`) the first only."""

    def part(value: Any) -> Any:
        if value is None or isinstance(value, str):
            return value
        return value[rows] if isinstance(value, np.ndarray) else type(value)(*map(part, value))

    return Recipe(*map(part, recipe))


def head(recipe: Recipe, n: int) -> Recipe:
    """Return the first ``n`` examples of a recipe; examples are in random order."""
    return take(recipe, slice(0, n))


def realise(recipe: Recipe, genome: Genome) -> np.ndarray:
    """Return the sequences of a recipe of one example or more.

    Returns:
        (n, window) uint8 codes: A 0, C 1, G 2, T 3, anything else 4.
    """
    if recipe.bases is not None:
        codes = recipe.bases
    elif recipe.regions is not None:
        contig, start, end, strand = recipe.regions
        codes = genome.windows(contig, start, int(end[0] - start[0]), strand)
    else:
        raise ValueError("the examples of a function have no sequences")
    if recipe.sites is not None:
        codes = plant(codes, recipe.sites)
    if recipe.shuffle is not None:
        codes = dinucleotide_shuffle(codes, recipe.shuffle)
    return codes


def to_table(
    concept: str, variant: str, recipe: Recipe, names: Sequence[str], control: str | None = None
) -> pa.Table:
    """Return a recipe as a table of `SCHEMA`.

    Args:
        concept: id of the concept, or name of a control that concepts share.
        variant: of the concept, or replicate of the control.
        recipe: n examples.
        names: the contigs of the genome.
        control: replicate of the concept's own control that these are the examples of.
    """
    n = len(recipe.folds)
    columns = {
        "concept": constant(concept, n),
        "variant": constant(variant, n),
        "control": constant(control, n),
        "example": np.arange(n, dtype=np.int32),
        "fold": recipe.folds.astype(np.int16),
        **_region_columns(recipe.regions, names, "", n),
        **_site_columns(recipe.sites, n),
        "bases": pa.nulls(n, pa.large_string()) if recipe.bases is None else _strings(recipe.bases),
        "shuffle": pa.nulls(n, pa.int64()) if recipe.shuffle is None else recipe.shuffle,
        **_region_columns(recipe.signal, names, "signal_", n),
        "call": constant(recipe.call, n),
    }
    return pa.table(columns, schema=SCHEMA)


def constant(value: str | None, n: int) -> pa.Array:
    """Return a dictionary column of n equal values; None: null."""
    if value is None:
        return pa.nulls(n, _NAME)
    return pa.DictionaryArray.from_arrays(pa.array(np.zeros(n, np.int32)), pa.array([value]))


def _region_columns(
    regions: Regions | None, names: Sequence[str], prefix: str, n: int
) -> dict[str, pa.Array]:
    keys = [prefix + name for name in _REGION]
    if regions is None:
        return {key: pa.nulls(n, SCHEMA.field(key).type) for key in keys}
    contig = pa.DictionaryArray.from_arrays(
        pa.array(regions.contig.astype(np.int32)), pa.array(list(names))
    )
    values = [contig, regions.start, regions.end, regions.strand.astype(np.int8)]
    return dict(zip(keys, values, strict=True))


def _strings(codes: np.ndarray) -> pa.Array:
    n, length = codes.shape
    offsets = np.arange(n + 1, dtype=np.int64) * length
    letters = np.ascontiguousarray(LETTER_BYTES[codes])
    return pa.LargeStringArray.from_buffers(n, pa.py_buffer(offsets), pa.py_buffer(letters))


def _site_columns(sites: Sites | None, n: int) -> dict[str, pa.Array]:
    names = ("site_start", "site_strand", "site_width", "site_bases")
    if sites is None:
        return {name: pa.nulls(n, SCHEMA.field(name).type) for name in names}
    copies = sites.start.shape[1]
    offsets = pa.array(np.arange(n + 1, dtype=np.int32) * copies)
    inside = np.arange(sites.bases.shape[2]) < sites.width[:, :, None]
    ends = np.concatenate([[0], np.cumsum(sites.width.sum(axis=1, dtype=np.int64))])
    bases = pa.StringArray.from_buffers(
        n, pa.py_buffer(ends.astype(np.int32)), pa.py_buffer(LETTER_BYTES[sites.bases[inside]])
    )
    lists = [
        pa.ListArray.from_arrays(offsets, pa.array(column.ravel()))
        for column in (sites.start, sites.strand, sites.width)
    ]
    return dict(zip(names, [*lists, bases], strict=True))


def from_table(table: pa.Table, genome: Genome | None) -> Recipe:
    """Return the recipe in a table of `SCHEMA` that holds one variant of one concept."""
    table = table.combine_chunks()
    return Recipe(
        regions=_regions(table, "", genome),
        folds=table["fold"].to_numpy(),
        sites=_sites(table),
        bases=None if _empty(table, "bases") else _codes(table["bases"]),
        shuffle=None if _empty(table, "shuffle") else table["shuffle"].to_numpy(),
        signal=_regions(table, "signal_", genome),
        call=None if _empty(table, "call") else table["call"][0].as_py(),
    )


def _empty(table: pa.Table, column: str) -> bool:
    return bool(table[column].null_count == len(table))


def _regions(table: pa.Table, prefix: str, genome: Genome | None) -> Regions | None:
    if _empty(table, prefix + "contig") or genome is None:
        return None
    contig = table[prefix + "contig"].chunk(0)
    own = np.array([genome.index(name) for name in contig.dictionary.to_pylist()], np.int32)
    others = (table[prefix + name].to_numpy() for name in _REGION[1:])
    return Regions(own[contig.indices.to_numpy()], *others)


def _codes(column: pa.ChunkedArray) -> np.ndarray:
    text = "".join(column.to_pylist())
    return encode(text).reshape(len(column), -1)


def _sites(table: pa.Table) -> Sites | None:
    if _empty(table, "site_start"):
        return None
    n = len(table)
    start, strand, width = (
        table[name].chunk(0).flatten().to_numpy().reshape(n, -1)
        for name in ("site_start", "site_strand", "site_width")
    )
    bases = np.full((*width.shape, int(width.max())), UNKNOWN, np.uint8)
    inside = np.arange(bases.shape[2]) < width[:, :, None]
    bases[inside] = encode("".join(table["site_bases"].to_pylist()))
    return Sites(start, strand, width, bases)
