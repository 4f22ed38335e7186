from __future__ import annotations

import gzip

import numpy as np
import pytest

from tpcav_core.annotations import read_annotations
from tpcav_core.errors import InputError
from tpcav_core.gtf import FEATURES


def line(kind, start, end, strand="+", gene="G", transcript="T", biotype="protein_coding", **other):
    """One line of GTF; positions are those of the file, from 1 and inclusive."""
    attributes = f'gene_id "{gene}"; '
    attributes += f'transcript_id "{transcript}"; ' if transcript else ""
    attributes += f'{other.get("key", "gene_type")} "{biotype}";' if biotype else ""
    fields = (other.get("contig", "chr1"), "x", kind, start, end, ".", strand, ".", attributes)
    return "\t".join(map(str, fields)) + "\n"


@pytest.fixture
def write(tmp_path):
    def write(*lines, name="a.gtf"):
        file = tmp_path / name
        content = "".join(lines).encode()
        file.write_bytes(gzip.compress(content) if name.endswith(".gz") else content)
        return file

    return write


def found(file, *features, **options):
    """(label, start, end, strand) of every region."""
    regions = read_annotations(file, features=features, **options)
    labels = [regions.labels[label] for label in regions.label]
    columns = (regions.start.tolist(), regions.end.tolist(), regions.strand.tolist())
    return list(zip(labels, *columns, strict=True))


def places(*arguments, **options):
    return [row[1:] for row in found(*arguments, **options)]


def fails(file, message, *features, **options):
    with pytest.raises(InputError, match=message) as error:
        read_annotations(file, features=features or ("exon",), format="gtf", **options)
    assert "\n" not in str(error.value)


# exons 101-200, 301-400, 501-600; CDS 151-550, of which the stop codon is 548-550 on the + strand
def transcript(strand="+", name="T", utr="", **more):
    more = {"strand": strand, "transcript": name, **more}
    parts = [line("transcript", 101, 600, **more)]
    parts += [line("exon", start, start + 99, **more) for start in (101, 301, 501)]
    cds = (151, 547) if strand == "+" else (154, 550)
    parts += [line("CDS", cds[0], 200, **more), line("CDS", 301, 400, **more)]
    parts.append(line("CDS", 501, cds[1], **more))
    codon = (548, 550) if strand == "+" else (151, 153)
    parts.append(line("stop_codon", *codon, **more))
    if utr == "UTR":
        edges = ((101, 150), (548, 600)) if strand == "+" else ((101, 153), (551, 600))
        parts += [line("UTR", *edge, **more) for edge in edges]
    elif utr:
        names = ("five_prime_utr", "three_prime_utr")
        names = names if strand == "+" else names[::-1]
        parts += [line(names[0], 101, 150, **more), line(names[1], 551, 600, **more)]
    return "".join(parts)


GENE = line("gene", 101, 600, transcript="")


@pytest.mark.parametrize("name", ["a.gtf", "a.gtf.gz", "a.txt"])
def test_all_features(write, name):
    regions = read_annotations(
        write("#!genome\n", GENE, "\n", transcript(), name=name), features=FEATURES, upstream=50
    )
    assert regions.labels == FEATURES
    assert regions.contigs == ("chr1",)
    counts = dict(zip(FEATURES, np.bincount(regions.label).tolist(), strict=True))
    assert counts == {**dict.fromkeys(FEATURES, 1), "exon": 3, "intron": 2}
    assert [column.dtype for column in regions if isinstance(column, np.ndarray)] == [
        np.int32,
        np.int32,
        np.int64,
        np.int64,
        np.int8,
    ]


def test_exons_introns_genes_and_transcripts(write):
    file = write(GENE, transcript())
    assert found(file, "exon", "gene") == [
        ("exon", 100, 200, 1),
        ("exon", 300, 400, 1),
        ("exon", 500, 600, 1),
        ("gene", 100, 600, 1),
    ]
    assert places(file, "intron") == [(200, 300, 1), (400, 500, 1)]
    assert places(file, "transcript") == [(100, 600, 1)]


def test_regions_are_distinct(write):
    file = write(GENE, transcript(name="T1"), transcript(name="T2"), transcript("-", name="T3"))
    assert len(places(file, "exon")) == 6
    assert len(places(file, "intron")) == 4
    assert len(places(file, "transcript")) == 2
    assert len(places(file, "promoter")) == 2


def test_promoters(write):
    file = write(
        line("transcript", 2001, 3000, "+", transcript="a"),
        line("transcript", 2001, 3900, "+", transcript="same site"),
        line("transcript", 2001, 3000, "-", transcript="b"),
        line("transcript", 2001, 3000, ".", transcript="no strand"),
        line("transcript", 11, 3000, "+", transcript="near the start"),
        line("transcript", 1, 30, "-", transcript="short"),
    )
    assert places(file, "promoter", upstream=1000, downstream=100) == [
        (1000, 2100, 1),
        (2900, 4000, -1),
        (0, 110, 1),
        (0, 1030, -1),
    ]
    # the start site itself: base 2001 and base 3000
    assert places(file, "promoter", upstream=0, downstream=1)[:2] == [
        (2000, 2001, 1),
        (2999, 3000, -1),
    ]


def test_a_promoter_of_no_bases_is_left_out(write):
    file = write(line("transcript", 1, 9), line("transcript", 5, 9, transcript="b"))
    assert places(file, "promoter", upstream=10, downstream=0) == [(0, 4, 1)]


def test_introns_are_of_one_transcript_whatever_the_order(write):
    exons = [
        line("exon", 501, 600, "-", transcript="a"),
        line("exon", 11, 20, transcript="b"),
        line("exon", 101, 200, "-", transcript="a"),
        line("exon", 31, 40, transcript="b"),
        line("exon", 91, 95, transcript="b", contig="chr2"),
        line("exon", 41, 50, transcript="b"),
        line("exon", 701, 900, transcript="nested"),
        line("exon", 721, 730, transcript="nested"),
        line("exon", 911, 920, transcript="nested"),
    ]
    assert places(write(*exons), "intron") == [(200, 500, -1), (20, 30, 1), (900, 910, 1)]


def brute_force_introns(start, end, group):
    introns = set()
    for name in set(group.tolist()):
        own = group == name
        covered = np.zeros(end.max() + 1, bool)
        for low, high in zip(start[own], end[own], strict=True):
            covered[low:high] = True
        free = ~covered[start[own].min() : end[own].max()]
        edges = np.flatnonzero(np.diff(np.concatenate([[0], free.astype(int), [0]])))
        edges = (edges + start[own].min()).tolist()
        introns |= set(zip(edges[::2], edges[1::2], [1] * len(edges), strict=False))
    return introns


@pytest.mark.parametrize("seed", range(5))
def test_introns_are_those_of_brute_force(write, seed):
    rng = np.random.default_rng(seed)
    start = rng.integers(0, 200, 60)
    end = start + rng.integers(1, 20, 60)
    group = rng.integers(0, 12, 60)
    file = write(
        *(
            line("exon", s + 1, e, transcript=f"t{g}")
            for s, e, g in zip(start, end, group, strict=True)
        )
    )
    introns = places(file, "intron")
    assert set(introns) == brute_force_introns(start, end, group)
    assert len(introns) == len(set(introns))


@pytest.mark.parametrize("strand", ["+", "-"])
@pytest.mark.parametrize("utr", ["", "UTR", "named"])
def test_untranslated_regions(write, strand, utr):
    file = write(transcript(strand, utr=utr))
    sign = 1 if strand == "+" else -1
    left, right = (100, 150, sign), (550, 600, sign)
    if utr == "UTR":  # there the stop codon is part of it
        left, right = (
            ((100, 150, 1), (547, 600, 1)) if sign > 0 else ((100, 153, -1), (550, 600, -1))
        )
    five, three = (left, right) if strand == "+" else (right, left)
    assert found(file, "utr5", "utr3") == [("utr5", *five), ("utr3", *three)]


def test_untranslated_exons(write):
    file = write(
        *(line("exon", start, start + 99) for start in (101, 301, 501, 701)),
        line("CDS", 351, 400),
        line("CDS", 501, 550),
        line("exon", 901, 990, transcript="not coding"),
    )
    assert places(file, "utr5") == [(100, 200, 1), (300, 350, 1)]
    assert places(file, "utr3") == [(550, 600, 1), (700, 800, 1)]


def test_what_the_file_leaves_out_is_made_from_exons(write):
    exons = [line("exon", *edge, transcript=t) for t, edge in (("a", (11, 20)), ("a", (31, 40)))]
    file = write(*exons, line("exon", 36, 50, transcript="b"), line("exon", 1, 5, contig="chr2"))
    assert places(file, "transcript") == [(10, 40, 1), (35, 50, 1), (0, 5, 1)]
    assert places(file, "gene") == [(10, 50, 1), (0, 5, 1)]
    assert places(file, "promoter", upstream=5, downstream=1) == [
        (5, 11, 1),
        (30, 36, 1),
        (0, 1, 1),
    ]


# biotypes


@pytest.mark.parametrize("key", ["gene_type", "gene_biotype"])
def test_select_biotypes(write, key):
    coding = line("exon", 1, 5, gene="a", key=key)
    other = line("exon", 11, 15, gene="b", biotype="lncRNA", key=key)
    file = write(coding, other)
    assert places(file, "exon", select_biotypes=["lncRNA"]) == [(10, 15, 1)]
    assert len(places(file, "exon", select_biotypes=["lncRNA", "protein_coding"])) == 2
    fails(file, "no gene of type 'lncRna'.*did you mean 'lncRNA'", select_biotypes=["lncRna"])


def test_the_type_may_be_on_the_line_of_the_gene_only(write):
    file = write(
        line("gene", 1, 9, gene="a", transcript="", biotype="lncRNA"),
        line("exon", 1, 9, gene="a", biotype=""),
        line("gene", 21, 29, gene="b", transcript=""),
        line("exon", 21, 29, gene="b", biotype=""),
    )
    assert places(file, "exon", select_biotypes=["protein_coding"]) == [(20, 29, 1)]


def test_nothing_left(write):
    file = write(transcript(), line("exon", 1, 9, gene="n", transcript="n", biotype="lncRNA"))
    fails(file, "no utr5 of genes of type lncRNA", "utr5", select_biotypes=["lncRNA"])
    fails(file, "no intron of genes of type lncRNA", "intron", select_biotypes=["lncRNA"])
    fails(write(line("exon", 1, 9, biotype="")), "no gene_type or", select_biotypes=["lncRNA"])


# bad files

GFF3 = "chr1\tx\texon\t1\t9\t.\t+\t.\tID=exon:1;Parent=T\n"
GOOD = line("exon", 1, 9)
BAD = {
    "eight columns": ("\t".join(GOOD.split("\t")[:8]) + "\n", "line 4: 8 tab-separated columns"),
    "ten columns": (GOOD.rstrip("\n") + "\tx\n", "line 4: more than 9 tab-separated columns"),
    "BED": ("chr1\t1\t2\n", "line 4: 3 tab-separated columns, expected the 9 of GTF"),
    "GFF3": (GFF3, "line 4: no gene_id in column 9, .*GFF3: convert it"),
    "no gene": (GOOD.replace("gene_id", "ref_gene_id"), "line 4: no gene_id in column 9"),
    "no transcript": (line("exon", 1, 9, transcript=""), "line 4: no transcript_id in column 9"),
    "start": (GOOD.replace("\t1\t", "\tone\t"), "line 4: 'one' is not a whole number"),
    "end": (GOOD.replace("\t9\t", "\t9.5\t"), "line 4: '9.5' is not a whole number"),
    "order": (GOOD.replace("\t1\t", "\t10\t"), "line 4: start 9 is not below end 9"),
    "zero": (GOOD.replace("\t1\t", "\t0\t"), "line 4: the start is before the first base"),
    "strand": (GOOD.replace("\t+\t", "\tC\t"), "line 4: strand 'C' in column 7"),
}


@pytest.mark.parametrize(("text", "message"), BAD.values(), ids=BAD)
def test_bad_lines(write, text, message):
    fails(write("# comment\n", GOOD, "\n", text, GOOD), message)


def test_bad_lines_far_into_the_file(write):
    lines = [line("exon", start, start + 5) for start in range(1, 250_001)]
    lines[220_000] = lines[220_000].replace("exon\t220001", "exon\tx")
    fails(write(*lines), "line 220001: 'x' is not a whole number")


def test_files_of_another_kind(write):
    fails(write("##gff-version 3\n", GFF3), "is 'gff-version 3'; expected GTF; convert it")
    with pytest.raises(InputError, match="expected GTF; convert it"):
        read_annotations(write("##gff-version 3\n", GFF3, name="a.txt"))
    fails(write("# nothing\n"), "holds no gene, transcript, exon or CDS")
    fails(write(line("Selenocysteine", 1, 9)), "holds no gene, transcript, exon or CDS")


def test_features_the_file_has_no_lines_for(write):
    file = write(line("transcript", 1, 9))
    fails(file, "'intron' needs lines of exon; the file has transcript", "intron")
    fails(file, "'exon' needs lines of exon", "exon")
    fails(file, "'utr3' needs lines of CDS or utr3 or utr5", "promoter", "utr3")
    gene = write(line("gene", 1, 9, transcript=""))
    fails(gene, "'promoter' needs lines of exon or transcript", "promoter")
    fails(write(line("CDS", 1, 9)), "'gene' needs lines of exon or gene or transcript", "gene")
