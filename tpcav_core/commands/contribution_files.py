"""``python -m tpcav_core contribution_files``: contributions as bigWig, sites and logos."""

from __future__ import annotations

import argparse
import logging

from .. import bigwigs, files, logos, sites
from ..contribution_values import Contributions
from ..genome import Genome
from ..regions import Regions
from .contribution_data import read_contributions
from .data import load_genome
from .result_files import write_table

log = logging.getLogger("tpcav_core")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--genome", required=True, help="genome file of the `genome` step")
    parser.add_argument("--contributions", required=True, help="file of that step, torch")
    parser.add_argument("--title", required=True, help="of the figure, any text")
    parser.add_argument("--logos", type=int, default=10, help="regions that are drawn")
    parser.add_argument("--bigwig", required=True, help="contributions of all regions")
    parser.add_argument("--sites", required=True, help="table, .tsv (a .parquet goes beside it)")
    parser.add_argument("--bed", required=True, help="windows with the largest contributions")
    parser.add_argument("--svg", required=True, help="logos of the top regions")


def run(arguments: argparse.Namespace) -> None:
    genome = load_genome(arguments.genome)
    result, regions = read_contributions(arguments.contributions, genome)
    with files.atomic(arguments.bigwig) as temporary:
        bigwigs.write_bigwig(temporary, genome, regions, result.contributions)
    found = sites.find_sites(result.contributions)
    table = sites.region_table(
        regions,
        genome,
        result.score,
        result.contributions,
        result.completeness_error,
        found,
    )
    write_table(table, arguments.sites)
    with files.atomic(arguments.bed) as temporary:
        temporary.write_text(sites.sites_bed(regions, genome, found))
    drawn = top_logos(genome, regions, result, found, arguments.logos)
    with files.atomic(arguments.svg) as temporary:
        logos.write_logos(temporary, arguments.title, drawn)
    log.info("%d regions, %d sites, %d logos", len(table), (found.offset >= 0).sum(), len(drawn))


def top_logos(
    genome: Genome, regions: Regions, result: Contributions, found: sites.Sites, number: int
) -> list[logos.Logo]:
    """Return logos of the regions with the largest absolute score, around their strongest site."""
    top = sites.rank(result.score)[:number]
    length = result.contributions.shape[1]
    codes = genome.windows(regions.contig[top], regions.start[top], length)
    names = sites.region_names(regions.take(top), genome)
    drawn = []
    for place, row in enumerate(top.tolist()):
        part = sites.shown(length, found.center(row))
        strand = "-" if regions.strand[row] < 0 else "+"
        drawn.append(
            logos.Logo(
                f"{names[place]} ({strand}), score {result.score[row]:.4g}",
                codes[place, part],
                result.contributions[row, part],
                int(regions.start[row]) + part.start,
            )
        )
    return drawn
