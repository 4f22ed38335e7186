"""Gene annotation in GTF: promoters, exons, introns, untranslated regions, genes, transcripts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from .bed import SIGNS, check_bounds, integers, strands, text_chunks
from .errors import InputError, suggest

if TYPE_CHECKING:
    import pandas as pd

FEATURES = ("promoter", "exon", "intron", "utr5", "utr3", "gene", "transcript")

_EXPECTED = "a GTF file"
#: column 3 of the lines that are used, and what they are called here
_KINDS = {
    "gene": "gene",
    "transcript": "transcript",
    "exon": "exon",
    "CDS": "CDS",
    "start_codon": "codon",
    "stop_codon": "codon",
    "UTR": "UTR",
    **dict.fromkeys(("five_prime_utr", "five_prime_UTR", "5UTR"), "utr5"),
    **dict.fromkeys(("three_prime_utr", "three_prime_UTR", "3UTR"), "utr3"),
}
_PLACE = ["contig", "start", "end", "strand"]
_ATTRIBUTE = r'(?:^|[;\s]){}\s+"(?P<value>[^"]*)"'
_BIOTYPE = "gene_(?:bio)?type"


def check_options(features: Sequence[str], upstream: int, downstream: int) -> None:
    """Raise `InputError` for options that `read_gtf` cannot follow."""
    if not features:
        raise InputError(f"features: none given; expected some of {', '.join(FEATURES)}")
    for name in features:
        if name not in FEATURES:
            raise InputError(
                f"feature {name!r}: expected {', '.join(FEATURES)}{suggest(name, FEATURES)}"
            )
    if upstream < 0 or downstream < 0 or upstream + downstream == 0:
        raise InputError(
            f"upstream {upstream}, downstream {downstream}: expected bp of at least 0, not both 0"
        )


def read_gtf(
    path: Path,
    features: Sequence[str],
    upstream: int,
    downstream: int,
    select_biotypes: Sequence[str] = (),
) -> pd.DataFrame:
    """Return the columns contig, start, end, strand and label of the regions of each feature.

    Features come in the order asked for, the regions of each in the file's order (introns: by
    transcript), each distinct region of a feature once. Lines of transcripts or genes that the
    file leaves out are made from its exons. Untranslated regions are the file's own; or its UTR
    lines, told apart by the CDS; or exons without CDS and codons. Transcripts without a strand
    have no promoter and no untranslated regions.

    The arguments and errors are those of `annotations.read_annotations`.
    """
    import pandas as pd

    lines = pd.concat([*_chunks(path)], ignore_index=True)
    if lines.empty:
        raise InputError(f"{path}: holds no gene, transcript, exon or CDS; expected {_EXPECTED}")
    _check_kinds(path, set(lines["kind"].unique()), features)
    own_utrs = bool(lines["kind"].isin(["utr5", "utr3"]).any())
    if select_biotypes:
        lines = _select(lines, path, select_biotypes)
    lines["group"] = lines.groupby(["transcript", "contig", "strand"], sort=False).ngroup()
    makers: dict[str, Callable[[], pd.DataFrame]] = {
        "promoter": lambda: _promoters(_transcripts(lines), upstream, downstream),
        "exon": lambda: lines[lines["kind"] == "exon"],
        "intron": lambda: _introns(lines[lines["kind"] == "exon"]),
        "utr5": lambda: _utrs(lines, "utr5", own_utrs),
        "utr3": lambda: _utrs(lines, "utr3", own_utrs),
        "gene": lambda: _genes(lines),
        "transcript": lambda: _transcripts(lines),
    }
    parts = [
        makers[feature]()[_PLACE].drop_duplicates().assign(label=feature)
        for feature in dict.fromkeys(features)
    ]
    regions = pd.concat(parts, ignore_index=True)
    if regions.empty:
        kept = f" of genes of type {', '.join(select_biotypes)}" if select_biotypes else ""
        raise InputError(
            f"{path}: no {', '.join(features)}{kept}; ask for other features or biotypes"
        )
    return regions


# ---- lines


def _chunks(path: Path) -> list[pd.DataFrame]:
    """Return the used lines, some at a time: the attributes of a whole file fill gigabytes."""
    return [_parse(table, path) for table in text_chunks(path, _EXPECTED, range(10), rows=200_000)]


def _parse(table: pd.DataFrame, path: Path) -> pd.DataFrame:
    import pandas as pd

    _check_version(table[0], path)
    comment = table[0].str.startswith("#") | ((table[0].str.strip() == "") & (table[1] == ""))
    table = table[~comment]
    wrong = ((table[8] == "") | (table[9] != "")).to_numpy(bool)
    if wrong.any():
        first = int(np.argmax(wrong))
        number = int((table.iloc[first] != "").sum())
        found = "more than 9" if table[9].iloc[first] else f"{number}"
        raise InputError(
            f"{path}, line {table.index[first]}: {found} tab-separated columns, expected the 9 of"
            " GTF"
        )
    start = integers(table[3], path, "a start in column 4 of GTF") - 1
    end = integers(table[4], path, "an end in column 5 of GTF")
    check_bounds(start, end, table.index.to_numpy(), path)
    lines = pd.DataFrame(
        {
            "kind": table[2].map(_KINDS),
            "contig": table[0],
            "start": start,
            "end": end,
            "strand": strands(table[6], path, "column 7", SIGNS),
            "gene": _attribute(table[8], "gene_id"),
            "transcript": _attribute(table[8], "transcript_id"),
            "biotype": _attribute(table[8], _BIOTYPE),
        }
    )
    _check_ids(lines, table[8], path)
    return lines[lines["kind"].notna()]


def _check_version(first: pd.Series, path: Path) -> None:
    if first.iloc[:1].str.startswith("##gff-version").any():
        raise InputError(
            f"{path}: is {first.iloc[0].lstrip('#')!r}; expected GTF; convert it, for example with"
            " gffread -T"
        )


def _attribute(attributes: pd.Series, name: str) -> pd.Series:
    """Return the value of an attribute on each line, ``""`` where there is none."""
    import pandas as pd
    import pyarrow as pa
    import pyarrow.compute as pc

    found = pc.extract_regex(pa.array(attributes, from_pandas=True), _ATTRIBUTE.format(name))
    values = pc.fill_null(pc.struct_field(found, "value"), "")
    return pd.Series(values.to_pandas().to_numpy(), index=attributes.index, dtype=str)


def _check_ids(lines: pd.DataFrame, attributes: pd.Series, path: Path) -> None:
    """Every line has a gene, every used line but that of a gene has a transcript."""
    for name in ("gene", "transcript"):
        lacking = lines[name] == ""
        if name == "transcript":
            lacking &= lines["kind"].notna() & (lines["kind"] != "gene")
        if lacking.any():
            line = lacking.idxmax()
            gff3 = "ID=" in attributes[line] or "Parent=" in attributes[line]
            remedy = "this is GFF3: convert it, for example with gffread -T" if gff3 else "add it"
            raise InputError(
                f"{path}, line {line}: no {name}_id in column 9, expected GTF, as in"
                f' {name}_id "X"; {remedy}'
            )


def _check_kinds(path: Path, kinds: set[str], features: Sequence[str]) -> None:
    """Raise for a feature that the file has no lines to make from."""
    for feature in features:
        if feature in ("exon", "intron"):
            needed = {"exon"}
        elif feature in ("utr5", "utr3"):
            needed = {"utr5", "utr3", "CDS"}
        elif feature == "gene":
            needed = {"gene", "transcript", "exon"}
        else:
            needed = {"transcript", "exon"}
        if not needed & kinds:
            raise InputError(
                f"{path}: feature {feature!r} needs lines of {' or '.join(sorted(needed))}; the"
                f" file has {', '.join(sorted(kinds))}; leave the feature out"
            )


def _select(lines: pd.DataFrame, path: Path, biotypes: Sequence[str]) -> pd.DataFrame:
    """Keep the genes of some types; only one line of a gene need give the type."""
    found = [name for name in lines["biotype"].unique() if name]
    if not found:
        raise InputError(
            f"{path}: no gene_type or gene_biotype in column 9; leave select_biotypes out"
        )
    for name in biotypes:
        if name not in found:
            raise InputError(
                f"{path}: select_biotypes: no gene of type {name!r}, nothing would be left of it;"
                f" the file has {', '.join(sorted(found)[:10])}{suggest(name, found)}"
            )
    genes = lines.loc[lines["biotype"].isin(list(biotypes)), "gene"].unique()
    return lines[lines["gene"].isin(genes)].copy()


# ---- regions


def _span(lines: pd.DataFrame, by: str | list[str]) -> pd.DataFrame:
    """Return the region from the first start to the last end of each group."""
    grouped = lines.groupby(by, sort=False, as_index=False)
    return grouped.agg(
        contig=("contig", "first"),
        start=("start", "min"),
        end=("end", "max"),
        strand=("strand", "first"),
    )


def _transcripts(lines: pd.DataFrame) -> pd.DataFrame:
    own = lines[lines["kind"] == "transcript"]
    return own if len(own) else _span(lines[lines["kind"] == "exon"], "group")


def _genes(lines: pd.DataFrame) -> pd.DataFrame:
    own = lines[lines["kind"] == "gene"]
    if len(own):
        return own
    parts = lines[lines["kind"].isin(["transcript", "exon"])]
    key = parts.groupby(["gene", "contig", "strand"], sort=False).ngroup()
    return _span(parts.assign(gene_group=key), "gene_group")


def _promoters(transcripts: pd.DataFrame, upstream: int, downstream: int) -> pd.DataFrame:
    """Return the surroundings of each transcription start site, cut at the contig's start."""
    stranded = transcripts[transcripts["strand"] != 0]
    forward = stranded["strand"] > 0
    start = (stranded["start"] - upstream).where(forward, stranded["end"] - downstream).clip(0)
    end = (stranded["start"] + downstream).where(forward, stranded["end"] + upstream)
    promoters = stranded.assign(start=start, end=end)
    return promoters[promoters["start"] < promoters["end"]]


def _introns(exons: pd.DataFrame) -> pd.DataFrame:
    """Return what lies between the exons of each transcript."""
    exons = exons.sort_values(["group", "start"], kind="stable")
    if exons.empty:
        return exons
    group, start, end = (exons[column].to_numpy() for column in ("group", "start", "end"))
    # transcripts one after the other on one line, so that the furthest end so far is one pass
    offset = group * (end.max() + 1)
    reach = np.maximum.accumulate(offset + end)
    between = (group[1:] == group[:-1]) & (offset[1:] + start[1:] > reach[:-1])
    introns = exons.iloc[1:][between]
    first = (reach[:-1] - offset[1:])[between]
    return introns.assign(start=first, end=start[1:][between])


def _utrs(lines: pd.DataFrame, side: str, own: bool) -> pd.DataFrame:
    """Return the untranslated regions of one side."""
    if own:
        return lines[lines["kind"] == side]
    has_utr = bool((lines["kind"] == "UTR").any())
    # the stop codon is coding, but UTR lines may begin with it
    coding = lines[lines["kind"].isin(["CDS"] if has_utr else ["CDS", "codon"])]
    ends = coding.groupby("group").agg(low=("start", "min"), high=("end", "max"))
    pieces = lines[lines["kind"] == ("UTR" if has_utr else "exon")]
    pieces = pieces[pieces["strand"] != 0].join(ends, on="group", how="inner")
    left = (pieces["strand"] > 0) == (side == "utr5")
    if has_utr:
        return pieces[left == (pieces["start"] < pieces["low"])]
    start = pieces["start"].where(left, np.maximum(pieces["start"], pieces["high"]))
    end = pieces["end"].where(~left, np.minimum(pieces["end"], pieces["low"]))
    pieces = pieces.assign(start=start.astype(np.int64), end=end.astype(np.int64))
    return pieces[pieces["start"] < pieces["end"]]
