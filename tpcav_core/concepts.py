"""Recipes: what each example of a concept is, without its sequence.

A recipe says which window of the genome an example is cut from, on which strand, to which fold
that place belongs, and which sites are planted into it: tens of bytes per example instead of
kilobytes. `realise` makes the sequences of a recipe, always the same ones.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from .catalogue import Concept
from .genome import Genome
from .planting import Sites, plant, sample_sites
from .regions import Regions, StartRanges, available_starts
from .seeds import generator
from .splits import assign_folds, block_length, split_regions

SCHEMA = pa.schema(
    [
        ("concept", pa.dictionary(pa.int32(), pa.string())),
        ("variant", pa.dictionary(pa.int32(), pa.string())),
        ("example", pa.int32()),
        ("contig", pa.dictionary(pa.int32(), pa.string())),
        ("start", pa.int64()),
        ("end", pa.int64()),
        ("strand", pa.int8()),
        ("fold", pa.int16()),
        ("site_start", pa.list_(pa.int32())),
        ("site_strand", pa.list_(pa.int8())),
        ("site_width", pa.list_(pa.int16())),
        ("site_bases", pa.string()),
    ]
)
_LETTERS = np.frombuffer(b"ACGTN", np.uint8)
_CODES = np.full(256, 4, np.uint8)
_CODES[_LETTERS] = np.arange(5)


class Recipe(NamedTuple):
    """The examples of one variant of one concept, or of one replicate of a control.

    Attributes:
        regions: (n,) windows of the genome.
        folds: (n,) int16, training fold or -1 for the test part.
        sites: what is planted, or None.
    """

    regions: Regions
    folds: np.ndarray
    sites: Sites | None


class Sampling(NamedTuple):
    """How random windows are drawn; the same for all concepts and controls of a model.

    Attributes:
        starts: acceptable starts.
        folds: (r,) the fold of each range of starts.
        lost: start positions lost by reason.
        window: width in bp.
        n: examples per concept and per control replicate.
        test_fraction: share of the examples that test.
        seed: the seed of the configuration.
    """

    starts: StartRanges
    folds: np.ndarray
    lost: dict[str, int]
    window: int
    n: int
    test_fraction: float
    seed: int


def window_sampling(
    genome: Genome,
    window: int,
    n: int,
    *,
    seed: int,
    chromosomes: Sequence[str] | None = None,
    exclude: Regions | None = None,
    test_fraction: float = 0.2,
    folds: int = 5,
    block: int | None = None,
) -> Sampling:
    """Find where windows can be drawn, and give each place to the test part or a fold.

    Args:
        genome: the genome.
        window: width in bp.
        n: examples per concept and per control replicate.
        seed: the seed of the configuration.
        chromosomes: names of the contigs to use; None: all.
        exclude: regions that no window may touch.
        test_fraction: share of the blocks, and of the examples, that test.
        folds: number of folds of the training part.
        block: length of a block in bp; None: 16 windows.

    Raises:
        InputError: unknown contigs, no room for a window, or too few blocks.
    """
    starts, lost = available_starts(
        genome,
        window,
        chromosomes=chromosomes,
        exclude=exclude,
        block_length=block_length(window, block),
    )
    parts = assign_folds(starts, seed=seed, test_fraction=test_fraction, folds=folds)
    return Sampling(starts, parts, lost, window, n, test_fraction, seed)


def motif_recipes(concept: Concept, sampling: Sampling) -> Iterator[tuple[str, Recipe]]:
    """Yield each variant of a motif concept with its recipe.

    All variants of a concept share their background windows, so that a curve over planted copies
    is not blurred by different backgrounds; no two concepts share a random stream.
    """
    regions, folds = _draw(sampling, "concepts", concept.id, "backgrounds")
    for copies in concept.copies:
        sites = sample_sites(
            concept.motif,
            sampling.n,
            copies,
            sampling.window,
            generator(sampling.seed, "concepts", concept.id, "sites", copies),
            both_strands=concept.both_strands,
            start_margin=concept.margin,
            end_margin=concept.margin,
        )
        yield str(copies), Recipe(regions, folds, sites)


def control_recipes(name: str, replicates: int, sampling: Sampling) -> Iterator[tuple[str, Recipe]]:
    """Yield each independent replicate of a control of random windows with its recipe."""
    for replicate in range(replicates):
        yield str(replicate), Recipe(*_draw(sampling, "controls", name, replicate), None)


def _draw(sampling: Sampling, *purpose: str | int) -> tuple[Regions, np.ndarray]:
    return split_regions(
        sampling.starts,
        sampling.folds,
        sampling.n,
        sampling.window,
        generator(sampling.seed, *purpose),
        test_fraction=sampling.test_fraction,
        lost=sampling.lost,
    )


def realise(recipe: Recipe, genome: Genome, rows: slice | np.ndarray = slice(None)) -> np.ndarray:
    """Return the sequences of (some rows of) a recipe.

    Returns:
        (n, window) uint8 codes: A 0, C 1, G 2, T 3, anything else 4.
    """
    regions = Regions(*(column[rows] for column in recipe.regions))
    length = int(recipe.regions.end[0] - recipe.regions.start[0])
    codes = genome.windows(regions.contig, regions.start, length, regions.strand)
    if recipe.sites is None:
        return codes
    return plant(codes, Sites(*(column[rows] for column in recipe.sites)))


def head(recipe: Recipe, n: int) -> Recipe:
    """Return the first ``n`` examples of a recipe; examples are in random order."""
    sites = recipe.sites and Sites(*(column[:n] for column in recipe.sites))
    regions = Regions(*(column[:n] for column in recipe.regions))
    return Recipe(regions, recipe.folds[:n], sites)


def to_table(concept: str, variant: str, recipe: Recipe, names: Sequence[str]) -> pa.Table:
    """Return a recipe as a table of `SCHEMA`; ``names`` are the contigs of the genome."""
    n = len(recipe.folds)
    regions = recipe.regions
    constant = pa.array(np.zeros(n, np.int32))
    columns = {
        "concept": pa.DictionaryArray.from_arrays(constant, pa.array([concept])),
        "variant": pa.DictionaryArray.from_arrays(constant, pa.array([variant])),
        "example": np.arange(n, dtype=np.int32),
        "contig": pa.DictionaryArray.from_arrays(
            pa.array(regions.contig.astype(np.int32)), pa.array(list(names))
        ),
        "start": regions.start,
        "end": regions.end,
        "strand": regions.strand,
        "fold": recipe.folds,
        **_site_columns(recipe.sites, n),
    }
    return pa.table(columns, schema=SCHEMA)


def _site_columns(sites: Sites | None, n: int) -> dict[str, pa.Array]:
    names = ("site_start", "site_strand", "site_width", "site_bases")
    if sites is None:
        return {name: pa.nulls(n, SCHEMA.field(name).type) for name in names}
    copies = sites.start.shape[1]
    offsets = pa.array(np.arange(n + 1, dtype=np.int32) * copies)
    inside = np.arange(sites.bases.shape[2]) < sites.width[:, :, None]
    ends = np.concatenate([[0], np.cumsum(sites.width.sum(axis=1, dtype=np.int64))])
    bases = pa.StringArray.from_buffers(
        n, pa.py_buffer(ends.astype(np.int32)), pa.py_buffer(_LETTERS[sites.bases[inside]])
    )
    lists = [
        pa.ListArray.from_arrays(offsets, pa.array(column.ravel()))
        for column in (sites.start, sites.strand, sites.width)
    ]
    return dict(zip(names, [*lists, bases], strict=True))


def from_table(table: pa.Table, genome: Genome) -> Recipe:
    """Return the recipe in a table of `SCHEMA` that holds one variant of one concept."""
    table = table.combine_chunks()
    contig = table["contig"].chunk(0)
    own = np.array([genome.index(name) for name in contig.dictionary.to_pylist()], np.int32)
    regions = Regions(
        own[contig.indices.to_numpy()],
        table["start"].to_numpy(),
        table["end"].to_numpy(),
        table["strand"].to_numpy(),
    )
    return Recipe(regions, table["fold"].to_numpy(), _sites(table))


def _sites(table: pa.Table) -> Sites | None:
    if table["site_start"].null_count == len(table):
        return None
    n = len(table)
    start, strand, width = (
        table[name].chunk(0).flatten().to_numpy().reshape(n, -1)
        for name in ("site_start", "site_strand", "site_width")
    )
    text = table["site_bases"].chunk(0)
    letters = np.frombuffer("".join(text.to_pylist()).encode(), np.uint8)
    bases = np.full((*width.shape, int(width.max())), 4, np.uint8)
    bases[np.arange(bases.shape[2]) < width[:, :, None]] = _CODES[letters]
    return Sites(start, strand, width, bases)
