"""Step ``genome``: a FASTA file becomes an Arrow file that windows are cut from quickly."""

from __future__ import annotations

import argparse
import logging

from ..files import write_mapped
from ..genome import UNKNOWN, genome_table, read_genome

log = logging.getLogger("tpcav_core")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--fasta", required=True, help="FASTA file, plain or bgzip")
    parser.add_argument("--output", required=True, help="file to write, e.g. genome.arrow")


def run(arguments: argparse.Namespace) -> None:
    genome = read_genome(arguments.fasta)
    parameters = {"fasta": arguments.fasta}
    write_mapped(genome_table(genome), arguments.output, "genome", parameters)
    unknown = int((genome.unknown[:, 2] - genome.unknown[:, 1]).sum())
    log.info(
        "%s: %d contigs, %d bp, %.1f %% unknown (code %d)",
        arguments.fasta,
        len(genome.names),
        len(genome.codes),
        100 * unknown / len(genome.codes),
        UNKNOWN,
    )
