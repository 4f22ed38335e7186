from __future__ import annotations

import gzip

import numpy as np
import pytest

from tpcav_core.annotations import count_labels, read_annotations
from tpcav_core.errors import InputError


@pytest.fixture
def write(tmp_path):
    def write(text, name="a.bed"):
        file = tmp_path / name
        content = text if isinstance(text, bytes) else text.encode()
        file.write_bytes(gzip.compress(content) if name.endswith(".gz") else content)
        return file

    return write


def rows(regions):
    """(label, contig, start, end, strand) of every region."""
    return [
        (regions.labels[label], regions.contigs[contig], start, end, strand)
        for label, contig, start, end, strand in zip(
            *(
                getattr(regions, name).tolist()
                for name in ("label", "contig", "start", "end", "strand")
            ),
            strict=True,
        )
    ]


def fails(file, message, **options):
    with pytest.raises(InputError, match=message) as error:
        read_annotations(file, **options)
    assert "\n" not in str(error.value)
    return str(error.value)


# BED


@pytest.mark.parametrize("name", ["a.bed", "a.bed.gz", "a.txt"])
def test_bed6(write, name):
    file = write(
        "# by hand\nbrowser position chr1\ntrack name=x\nchrom\tstart\tend\tname\tscore\tstrand\n"
        "chr2\t5\t9\tB#1\t0\t-\n\nchr1\t1\t2\tA\t0\t+\textra\n# again\nchr2\t3\t4\tA\t0\t.\r\n",
        name,
    )
    regions = read_annotations(file)
    assert rows(regions) == [
        ("B#1", "chr2", 5, 9, -1),
        ("A", "chr1", 1, 2, 1),
        ("A", "chr2", 3, 4, 0),
    ]
    assert regions.labels == ("B#1", "A")
    assert regions.contigs == ("chr2", "chr1")
    assert [column.dtype for column in regions if isinstance(column, np.ndarray)] == [
        np.int32,
        np.int32,
        np.int64,
        np.int64,
        np.int8,
    ]


BED = {
    "BED3": ("c\t1\t2\nc\t3\t4\n", [("regions", 0)] * 2),
    "BED4": ("c\t1\t2\tx\nc\t3\t4\ty\n", [("x", 0), ("y", 0)]),
    "BED5": ("c\t1\t2\tx\t7\nc\t3\t4\ty\t8\n", [("x", 0), ("y", 0)]),
    "strand in column 4": ("c\t1\t2\t+\tx\nc\t3\t4\t-\ty\n", [("x", 1), ("y", -1)]),
    "no strand in column 4": ("c\t1\t2\t.\tx\nc\t3\t4\t.\ty\n", [("x", 0), ("y", 0)]),
    "strand and score": ("c\t1\t2\t+\t7\nc\t3\t4\t-\t8\n", [("regions", 1), ("regions", -1)]),
    "strand only": ("c\t1\t2\t+\nc\t3\t4\t-\n", [("regions", 1), ("regions", -1)]),
    "BED6 without names": (
        "c\t1\t2\t.\t0\t+\nc\t3\t4\t.\t0\t-\n",
        [("regions", 1), ("regions", -1)],
    ),
    "ChromHMM": (
        "c\t1\t2\t1_TssA\t0\t.\t1\t2\t255,0,0\nc\t3\t4\t2_Enh\t0\t.\t3\t4\t0,0,0\n",
        [("1_TssA", 0), ("2_Enh", 0)],
    ),
    "BED12": ("c\t1\t9\tx\t0\t-\t1\t9\t0\t2\t1,2\t0,6\n", [("x", -1)]),
    "ragged": ("c\t1\t2\tx\nc\t3\t4\ty\t0\t-\n", [("x", 0), ("y", -1)]),
}


@pytest.mark.parametrize(("text", "expected"), BED.values(), ids=BED)
def test_labels_and_strands_of_bed(write, text, expected):
    regions = read_annotations(write(text))
    assert [(row[0], row[4]) for row in rows(regions)] == expected
    assert regions.start[0] == 1


def test_long_runs_of_short_lines(write):
    n = 100_000
    regions = read_annotations(write("c\t1\t2\tx\t0\t-\n" + "c\t3\t4\ty\n" * n))
    assert np.bincount(regions.label).tolist() == [1, n]
    assert regions.strand.sum() == -1


def test_label_column(write):
    file = write("c\t1\t2\tx\t0\t+\tT\tu\nc\t3\t4\ty\t0\t-\tS\tv\n")
    assert read_annotations(file, label_column=7).labels == ("T", "S")
    assert read_annotations(file, label_column=1).labels == ("c",)
    text = fails(file, "unknown column 9", label_column=9)
    assert text.startswith(f"{file}, line 1: ")
    fails(write("c\t1\t2\tx\nc\t1\t2\n"), "line 2: unknown column 4", label_column=4)
    fails(file, "unknown column", label_column=0)


def test_default_label(write):
    assert read_annotations(write("c\t1\t2\n"), default_label="peaks").labels == ("peaks",)


BAD_BED = {
    "two columns": ("c\t1", "no end in column 3"),
    "spaces": ("c 1 2", "no start in column 2"),
    "no chromosome": ("\t1\t2", "no chromosome in column 1"),
    "start = end": ("c\t5\t5\tx", "start 5 is not below end 5"),
    "start > end": ("c\t7\t5\tx", "start 7 is not below end 5"),
    "negative": ("c\t-1\t5\tx", "before the first base"),
    "fraction": ("c\t1.5\t5\tx", "'1.5' is not a whole number"),
    "word": ("c\t1\tend\tx", "'end' is not a whole number"),
    "exponent": ("c\t1\t1e3\tx", "'1e3' is not a whole number"),
    "huge": ("c\t1\t99999999999999999999\tx", "is not a whole number"),
    "no label": ("c\t1\t5", "no label in column 4"),
    "strand": ("c\t1\t5\tx\t0\tplus", "strand 'plus' in column 6"),
}


@pytest.mark.parametrize(("line", "message"), BAD_BED.values(), ids=BAD_BED)
def test_bad_lines_of_bed(write, line, message):
    file = write(f"# comment\n\nc\t1\t2\tx\n{line}\nc\t1\t2\tx\n")
    assert fails(file, message).startswith(f"{file}, line 4: ")


def test_a_missing_label_in_the_five_columns(write):
    fails(write("c\t1\t2\t+\tx\nc\t1\t2\t-\n"), "line 2: no label in column 5")


@pytest.mark.real
def test_real_repeats(real_data):
    regions = read_annotations(real_data / "regions" / "repeatmasker.hg38.chr1_1-1000000.bed")
    assert len(regions.start) == 1590
    assert regions.contigs == ("chr1",)
    assert rows(regions)[1] == ("Satellite/telo_TAR1", "chr1", 10469, 11447, -1)
    assert set(regions.strand.tolist()) == {1, -1}


# RepeatMasker

OUT = """\
   SW   perc perc perc  query     position in query    matching  repeat      position in repeat
score   div. del. ins.  sequence  begin end   (left)   repeat    class/family begin end (left)  ID

  463   1.3  0.6  1.7  chr1  10001 10468 (2489)  +  (TAACCC)n  Simple_repeat   1 471 (0) 1
 3612  11.4 21.5  1.3  chr1  10469 11447 (2488)  C  TAR1  Satellite/telo (399) 1712 483 2 *
  484  25.1 13.2  0.0  chr2  1     676   (2487)  C  L1MC5a  LINE/L1 (2382) 5648 5452 3
"""
HEADER = (
    "bin swScore milliDiv milliDel milliIns genoName genoStart genoEnd genoLeft strand repName"
    " repClass repFamily repStart repEnd repLeft id"
)
COLUMNS = HEADER.split()
RMSK = [
    "585 463 13 6 17 chr1 10000 10468 -2489 + (TAACCC)n Simple_repeat Simple_repeat 1 471 0 1",
    "585 3612 114 215 13 chr1 10468 11447 -2488 - TAR1 Satellite telo -399 1712 483 2",
    "585 484 251 132 0 chr2 0 676 -2487 - L1MC5a LINE L1 -2382 5648 5452 3",
]
REGIONS = [("chr1", 10000, 10468, 1), ("chr1", 10468, 11447, -1), ("chr2", 0, 676, -1)]
LABELS = {
    "class": ("Simple_repeat", "Satellite", "LINE"),
    "family": ("Simple_repeat", "Satellite/telo", "LINE/L1"),
    "name": ("(TAACCC)n", "TAR1", "L1MC5a"),
}


def rmsk(first=0, header=None, lines=RMSK):
    text = "".join("\t".join(line.split(" ")[first:]) + "\n" for line in lines)
    return text if header is None else header + "\t".join(COLUMNS[first:]) + "\n" + text


def selected():
    """What the Table Browser writes for chosen columns."""
    chosen = [COLUMNS.index(name) for name in ("genoName", "genoStart", "genoEnd", "strand")]
    chosen += [COLUMNS.index(name) for name in ("repName", "repClass", "repFamily")]
    lines = [COLUMNS, *(line.split(" ") for line in RMSK)]
    return "#" + "".join("\t".join(line[i] for i in chosen) + "\n" for line in lines)


REPEATS = {
    "out": (OUT, "x.fa.out"),
    "out under another name": (OUT, "x.txt.gz"),
    "out twice": (OUT + OUT, "x.out"),
    "with bin": (rmsk(), "rmsk.txt.gz"),
    "with bin and header": (rmsk(0, "#"), "x.txt"),
    "with bin and a plain header": (rmsk(0, ""), "x.txt"),
    "without bin": (rmsk(1), "x.tsv"),
    "without bin, with header": (rmsk(1, "#"), "x.tsv"),
    "chosen columns": (selected(), "x.tsv"),
}


@pytest.mark.parametrize("level", LABELS)
@pytest.mark.parametrize(("text", "name"), REPEATS.values(), ids=REPEATS)
def test_repeatmasker(write, text, name, level):
    file = write(text, name)
    regions = read_annotations(file, level=level)
    times = 2 if text == OUT + OUT else 1
    assert (
        rows(regions)
        == [(label, *region) for label, region in zip(LABELS[level], REGIONS, strict=True)] * times
    )
    assert rows(read_annotations(file, level=level, format="repeatmasker")) == rows(regions)


def test_a_family_that_is_missing(write):
    lines = ["1 9 3 4 5 chr1 0 9 -2 + A DNA  1 2 3 1", "1 9 3 4 5 chr1 0 9 -2 + A DNA hAT 1 2 3 1"]
    assert read_annotations(write(rmsk(lines=lines), "x.txt")).labels == ("DNA", "DNA/hAT")


BAD_RMSK = {
    "start": (RMSK[2].replace(" 676 ", " x "), "line 4: 'x' is not a whole number"),
    "order": (RMSK[2].replace(" 676 ", " 0 "), "line 4: start 0 is not below end 0"),
    "strand": (RMSK[2].replace(" - ", " C "), "line 4: strand 'C' in the strand column"),
    "class": (RMSK[2].replace("LINE L1", " "), "line 4: no family of the repeat"),
    "short": ("585 484", "line 4: '' is not a whole number"),
}


@pytest.mark.parametrize(("line", "message"), BAD_RMSK.values(), ids=BAD_RMSK)
def test_bad_lines_of_rmsk(write, line, message):
    fails(write(rmsk(0, "#", [*RMSK[:2], line, RMSK[0]]), "x.txt"), message, format="repeatmasker")


def test_bad_repeatmasker_files(write):
    fails(write(OUT.replace("676", "6x6"), "x.out"), "line 6: '6x6' is not a whole number")
    fails(write(OUT.replace(" 1     676", "677   676"), "x.out"), "line 6: start 676 is not below")
    fails(write(OUT.replace("  1     676", "  0     676"), "x.out"), "line 6: .*before the first")
    fails(write(OUT.splitlines()[0] + "\n", "x.out"), "holds no repeat")
    fails(
        write("There were no repetitive sequences detected in x.fa\n", "x.out"), "holds no repeat"
    )
    fails(write("chr1\t1\t2\n", "x.txt"), "3 tab-separated columns", format="repeatmasker")
    text = rmsk(0, "#").replace("repFamily", "Family")
    fails(write(text, "x.txt"), "no column 'repFamily' .* did you mean 'Family'")


# which format


def test_what_the_format_is_found_from(write):
    gtf = 'c\ts\texon\t3\t9\t.\t+\t.\tgene_id "g"; transcript_id "t";\n'
    assert rows(read_annotations(write(gtf, "x.bed"), features=["exon"])) == [
        ("exon", "c", 2, 9, 1)
    ]
    both = "c\t1\t2\t3\t4\t.\t+\tx\ty\n"
    message = fails(write(both, "x.txt"), "fit bed and gtf; set format")
    assert "bed, repeatmasker, gtf" in message
    assert rows(read_annotations(write(both, "x.bed"))) == [("3", "c", 1, 2, 0)]
    fails(write(both, "x.gtf"), "line 1: no gene_id")
    # numbers in columns 2 and 3 alone make no BED file of a table of repeats
    lines = ["1 2 3 4 5 chr1 7 9 -2 + A DNA hAT 1 2 3 1"]
    assert read_annotations(write(rmsk(lines=lines), "x.bed")).labels == ("DNA/hAT",)
    fails(write("some\nwords\n", "x.txt"), "fit no known format; set format to bed, repeatmasker")


def test_bad_options(write):
    file = write("c\t1\t2\tx\n")
    fails(file, "format 'gft'.*did you mean 'gtf'", format="gft")
    fails(file, "level 'famly'.*did you mean 'family'", level="famly")
    fails(file, "feature 'promotor'.*did you mean 'promoter'", features=["promotor"])
    fails(file, "features: none given", features=[])
    fails(file, "upstream -1", upstream=-1)
    fails(file, "not both 0", upstream=0, downstream=0)
    fails(write(OUT, "x.out"), "label_column is for BED", label_column=4)


def test_unreadable_files(write, tmp_path):
    fails(tmp_path / "none.bed", "no such file")
    fails(tmp_path, "cannot be read")
    fails(write(b"\xff\xfe\x00", "utf16.bed"), "not a text file")
    fails(write(b"c\t1\t2\n" * 30_000 + b"\xff\t1\t2\n", "late.bed"), "not a text file")
    fails(write(b"c\t1\t2\0\n", "nul.bed"), "not a text file")
    # whether it is packed is seen in its bytes
    (tmp_path / "plain.bed.gz").write_text("c\t1\t2\n")
    assert len(read_annotations(tmp_path / "plain.bed.gz").start) == 1
    random = np.random.default_rng(0).integers(10, 10**8, 200_000)
    whole = gzip.compress("".join(f"c\t1\t{end}\n" for end in random).encode())
    (tmp_path / "cut.bed.gz").write_bytes(whole[: len(whole) // 2])
    fails(tmp_path / "cut.bed.gz", "damaged or cut short")
    (tmp_path / "cut.rmsk.gz").write_bytes(whole[:40])
    fails(tmp_path / "cut.rmsk.gz", "damaged or cut short")


@pytest.mark.parametrize("text", ["", "\n\n"])
@pytest.mark.parametrize("name", ["x.bed", "x.out", "x.gtf", "x.txt", "x.bed.gz"])
def test_empty_files(write, text, name):
    fails(write(text, name), "is empty")


@pytest.mark.parametrize("text", ["# only a comment\n", "chrom\tstart\tend\n"])
def test_files_without_regions(write, text):
    fails(write(text), "holds no region")


def test_a_gzip_file_under_another_name(write, tmp_path):
    write("c\t1\t2\tx\n", "a.bed.gz").rename(tmp_path / "b.bed")
    assert read_annotations(tmp_path / "b.bed").labels == ("x",)


# count_labels


TEXT = "c\t1\t2\tb\nc\t3\t4\ta\nc\t5\t6\tb\n"


def test_counts(write, tmp_path):
    file = write(TEXT)
    assert list(count_labels(file, {}).items()) == [("b", 2), ("a", 1)]
    cache = tmp_path / "deep" / "cache"
    first = count_labels(file, {}, cache)
    assert len(list(cache.iterdir())) == 1
    assert (
        list(count_labels(file, {}, cache).items()) == list(first.items()) == [("b", 2), ("a", 1)]
    )
    assert count_labels(file, {"label_column": 1}, cache) == {"c": 3}
    assert count_labels(file, {}, cache) == first
    write(TEXT + "c\t7\t8\ta\n")
    assert count_labels(file, {}, cache) == {"b": 2, "a": 2}
    write(TEXT)
    assert count_labels(file, {}, cache) == first


def test_counts_come_from_the_cache(write, tmp_path, monkeypatch):
    file, cache = write(TEXT), tmp_path / "cache"
    first = count_labels(file, {"features": ("exon",)}, cache)
    monkeypatch.setattr("tpcav_core.annotations.read_annotations", None)
    assert count_labels(file, {"features": ["exon"]}, cache) == first


@pytest.mark.parametrize("damage", [b"", b"[1]", b"{", b"\xff", b'{"b": "2"}'])
def test_a_damaged_cache(write, tmp_path, damage):
    file, cache = write(TEXT), tmp_path / "cache"
    first = count_labels(file, {}, cache)
    (stored,) = cache.iterdir()
    stored.write_bytes(damage)
    assert count_labels(file, {}, cache) == first
    assert stored.read_bytes() != damage


def test_a_cache_that_cannot_be_used(write, tmp_path):
    file = write(TEXT)
    (tmp_path / "blocked").write_text("a file, no folder")
    assert count_labels(file, {}, tmp_path / "blocked") == {"b": 2, "a": 1}
    with pytest.raises(InputError, match="no such file"):
        count_labels(tmp_path / "none.bed", {}, tmp_path / "cache")
