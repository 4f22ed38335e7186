from __future__ import annotations

import gzip

import numpy as np
import pandas as pd
import pytest
from Bio import bgzf

from tpcav_core.errors import InputError
from tpcav_core.genome import decode, encode, reverse_complement
from tpcav_core.sequences import (
    count_fasta,
    count_table,
    read_fasta_sequences,
    read_sequence_table,
    sequence_groups,
)

FASTA = ">a one\nACGT\nACGT\n\n>b\nacguNNRY\n>a again\r\nTTTTCCCC\r\n>\nGGGGAAAA\n"
ROWS = [("ACGTACGT", "x", "g1"), ("AAAACCCC", "NA", "g2"), ("acgtnnry", "x", "g2")]
HEADER = ["sequence", "label", "gene"]


@pytest.fixture
def write(tmp_path):
    def write(content, name="own.fa"):
        file = tmp_path / name
        if name.endswith(".parquet"):
            content.to_parquet(file)
            return file
        content = content if isinstance(content, bytes) else content.encode()
        file.write_bytes(gzip.compress(content) if name.endswith(".gz") else content)
        return file

    return write


def table(rows=ROWS, separator="\t", header=HEADER):
    return "".join(separator.join(map(str, row)) + "\n" for row in [header, *rows])


def decoded(found):
    return [decode(row) for row in found.codes]


# FASTA


@pytest.mark.parametrize("form", ["plain", "gz", "bgzip", "byte order mark", "another ending"])
def test_read_fasta(write, tmp_path, form):
    if form == "bgzip":
        file = tmp_path / "own.fa.bgz"
        with bgzf.open(file, "wb") as handle:
            handle.write(FASTA.encode())
    elif form == "byte order mark":
        file = write(b"\xef\xbb\xbf" + FASTA.encode())
    elif form == "another ending":
        file = write(gzip.compress(FASTA.encode()), "own.dat")
    else:
        file = write(FASTA, "own.fa.gz" if form == "gz" else "own.fa")
    found = read_fasta_sequences(file, 8)
    assert found.names == ("a", "b", "a", "4")
    assert decoded(found) == ["ACGTACGT", "ACGTNNNN", "TTTTCCCC", "GGGGAAAA"]
    assert found.codes.dtype == np.uint8
    assert found.groups.dtype == np.int64
    assert count_fasta(file) == 4


def test_every_iupac_letter(write):
    letters = "ACGTURYSWKMBDHVN"
    found = read_fasta_sequences(write(f">a\n{letters}{letters.lower()}\n"), 32)
    assert decoded(found) == ["ACGTTNNNNNNNNNNN" * 2]


@pytest.mark.parametrize(("window", "expected"), [(8, "AACCGGTT"), (4, "CCGG"), (3, "CCG")])
def test_longer_records_are_cut_around_their_centre(write, window, expected):
    found = read_fasta_sequences(write(">a\nAACCGGTT\n"), window, crop=True)
    assert decoded(found) == [expected]


BAD_FASTA = {
    "empty": ("", "the file is empty; expected a FASTA file"),
    "blank": ("\n \n", "holds no sequence"),
    "not FASTA": ("chr1\t1\t2\n", "not a FASTA file; expected a first line that starts with '>'"),
    "binary": (b">a\n\xff\xfe\0", "not a text file"),
    "damaged gz": (gzip.compress(FASTA.encode() * 99)[:-20], "damaged or cut short"),
    "no gz": (b"\x1f\x8bxyz" * 9, "damaged or cut short"),
    "too short": (">a\nACGTACGT\n>b\nACGT\n", "record 'b' has 4 bp, shorter than .* of 8 bp"),
    "no sequence": (">a\n>b\nACGTACGT\n", "record 'a' has 0 bp, shorter"),
    "too long": (">a\nACGTACGTA\n", "record 'a' has 9 bp, longer than .* of 8 bp; set crop"),
    "letter": (">a\nACGTACGT\n>b\nACGTXCGT\n", "record 'b' has the letter 'X' at position 5;"),
    "gap": (">a\nACG-ACGT\n", "record 'a' has the letter '-' at position 4"),
    "protein": (">p\nMKVLAAGE\n", "record 'p' has the letter 'L' at position 4"),
    "not ASCII": (">p\nACGÄACGT\n", "record 'p' has the letter 'Ä' at position 4"),
}


@pytest.mark.parametrize(("content", "message"), BAD_FASTA.values(), ids=BAD_FASTA)
def test_bad_fasta(write, content, message):
    file = write(content)
    with pytest.raises(InputError, match=message) as error:
        read_fasta_sequences(file, 8)
    assert str(error.value).startswith(str(file))
    assert "\n" not in str(error.value)


def test_the_position_of_a_letter_counts_from_the_start_of_the_record(write):
    with pytest.raises(InputError, match="letter 'X' at position 4;"):
        read_fasta_sequences(write(">a\nACGXACGT\n"), 4, crop=True)


@pytest.mark.parametrize("case", ["empty", "blank", "not FASTA", "damaged gz"])
def test_counting_bad_fasta(write, case):
    content, message = BAD_FASTA[case]
    with pytest.raises(InputError, match=message):
        count_fasta(write(content))


def test_missing_files(tmp_path):
    for read in (count_fasta, lambda path: read_fasta_sequences(path, 8)):
        with pytest.raises(InputError, match="none: no such file; expected a FASTA file"):
            read(tmp_path / "none")
        with pytest.raises(InputError, match="cannot be read"):
            read(tmp_path)
    for name in ("none.tsv", "none.parquet"):
        for read in (count_table, lambda path: read_sequence_table(path, 8)):
            with pytest.raises(InputError, match=f"{name}: no such file; expected a table"):
                read(tmp_path / name)


# tables


def make(write, name, rows=ROWS):
    if name.endswith(".parquet"):
        return write(pd.DataFrame(rows, columns=HEADER), name)
    return write(table(rows, "," if ".csv" in name else "\t"), name)


NAMES = ["t.tsv", "t.csv", "t.TSV.gz", "t.csv.gz", "t.txt", "t.parquet"]


@pytest.mark.parametrize("name", NAMES)
def test_read_table(write, name):
    file = make(write, name)
    found = read_sequence_table(file, 8, label_column="label")
    assert list(found) == ["x", "NA"]
    assert found["x"].names == ("row 1", "row 3")
    assert found["NA"].names == ("row 2",)
    assert decoded(found["x"]) == ["ACGTACGT", "ACGTNNNN"]
    assert decoded(found["NA"]) == ["AAAACCCC"]
    assert count_table(file, label_column="label") == {"x": 2, "NA": 1}
    whole = read_sequence_table(file, 8)
    assert list(whole) == [""]
    assert decoded(whole[""]) == ["ACGTACGT", "AAAACCCC", "ACGTNNNN"]
    assert count_table(file) == {"": 3}


def test_other_columns_and_cropping(write):
    frame = pd.DataFrame({"seq": [" AACCGGTT ", "ACGT"], "kind": [1, 2], "sequence": [None, "A"]})
    file = write(frame, "t.parquet")
    found = read_sequence_table(file, 4, column="seq", label_column="kind", crop=True)
    assert {label: decoded(part) for label, part in found.items()} == {"1": ["CCGG"], "2": ["ACGT"]}


BAD_TABLES = {
    "empty": ("", "the file is empty; expected a table"),
    "blank": ("\n\n", "holds no table"),
    "header only": (table([]), "has no rows"),
    "binary": (b"sequence\n\xff\xfe\0\n", "not a text file"),
    "ragged": ("sequence\nA\tB\tC\tD\nE\tF\tG\tH\tI\n", "not a table"),
    "one long row": (table(ROWS[:1]) + "A\tB\tC\tD\n", "not a table .*line 3"),
    "column": ("sequnce\nACGTACGT\n", r"no column 'sequence' \(columns: sequnce\); did you mean"),
    "missing": ("sequence\tx\nACGTACGT\ta\n\tb\n", "row 2 has no value in column 'sequence'"),
    "too short": ("sequence\nACGTACGT\nACGT\n", "row 2 has 4 bp, shorter than the window"),
    "too long": ("sequence\nACGTACGTA\n", "row 1 has 9 bp, longer than the window"),
    "letter": ("sequence\nACGTACGT\nACGTZCGT\n", "row 2 has the letter 'Z' at position 5"),
}


@pytest.mark.parametrize(("content", "message"), BAD_TABLES.values(), ids=BAD_TABLES)
def test_bad_tables(write, content, message):
    file = write(content, "t.tsv")
    with pytest.raises(InputError, match=message) as error:
        read_sequence_table(file, 8)
    assert str(error.value).startswith(str(file))
    assert "\n" not in str(error.value)


def test_damaged_tables(write):
    file = write(gzip.compress(table(ROWS * 500).encode())[:-20], "t.tsv")
    with pytest.raises(InputError, match="damaged or cut short"):
        count_table(file)
    with pytest.raises(InputError, match="not a readable parquet file"):
        count_table(write(b"x", "t.tsv").rename(file.with_suffix(".parquet")))
    with pytest.raises(InputError, match=r"unknown ending '.xlsx'; expected a table \(.tsv"):
        count_table(write(b"x", "t.xlsx"))


@pytest.mark.parametrize("name", ["t.tsv", "t.parquet"])
@pytest.mark.parametrize("column", ["label_column", "group_column"])
def test_bad_columns(write, name, column):
    file = make(write, name, [*ROWS, ("ACGTACGT", None, None)] if name == "t.parquet" else
                [*ROWS, ("ACGTACGT", "", "")])  # fmt: skip
    own = "label" if column == "label_column" else "gene"
    with pytest.raises(InputError, match=rf"row 4 has no value in column '{own}' \(1 of 4 rows\)"):
        read_sequence_table(file, 8, **{column: own})
    with pytest.raises(InputError, match=f"no column '{own}s' .*; did you mean '{own}'"):
        read_sequence_table(file, 8, **{column: own + "s"})


# groups


def codes_of(*sequences):
    return np.stack([encode(sequence) for sequence in sequences])


def test_a_sequence_and_its_reverse_complement_are_one_group():
    codes = codes_of("AACC", "GGTT", "AACC", "CCAA", "ANCC", "GGNT", "ACGT")
    groups = sequence_groups(codes)
    assert (groups >= 0).all()
    assert groups[0] == groups[1] == groups[2]
    assert groups[4] == groups[5]
    assert len(set(groups.tolist())) == 4


def test_groups_do_not_depend_on_strand_order_or_neighbours():
    codes = np.random.default_rng(0).integers(0, 5, (200, 30)).astype(np.uint8)
    groups = sequence_groups(codes)
    assert len(set(groups.tolist())) == 200
    np.testing.assert_array_equal(sequence_groups(reverse_complement(codes)), groups)
    np.testing.assert_array_equal(sequence_groups(codes[::-1][:50]), groups[::-1][:50])


def test_values_join_groups():
    codes = codes_of("AAAA", "CCCC", "TTTT", "ACAC", "AGAG", "AGAG")
    # 0 and 2 are one sequence, 1 and 2 one value; 3 is alone; 4 and 5 are one sequence
    groups = sequence_groups(codes, ["p", "q", "q", "r", "s", "t"])
    assert groups[0] == groups[1] == groups[2]
    assert groups[4] == groups[5]
    assert len(set(groups.tolist())) == 3


def test_joined_groups_are_connected_components():
    rng = np.random.default_rng(1)
    codes = rng.integers(0, 4, (60, 3)).astype(np.uint8)
    values = [str(value) for value in rng.integers(0, 300, 60)]
    groups = sequence_groups(codes, values)
    same = sequence_groups(codes)
    linked = (same[:, None] == same) | (np.array(values)[:, None] == np.array(values))
    for _ in range(6):
        linked = linked @ linked
    np.testing.assert_array_equal(groups[:, None] == groups, linked)


def test_groups_of_a_table_are_shared_by_its_labels(write):
    rows = [("AAAACCCC", "x", "g1"), ("GGGGTTTT", "y", "g2"), ("ACACACAC", "y", "g1")]
    file = make(write, "t.tsv", [*rows, ("AGAGAGAG", "x", "g3")])
    by_sequence = read_sequence_table(file, 8, label_column="label")
    assert by_sequence["x"].groups[0] == by_sequence["y"].groups[0]
    assert by_sequence["x"].groups[0] != by_sequence["y"].groups[1]
    by_gene = read_sequence_table(file, 8, label_column="label", group_column="gene")
    assert by_gene["x"].groups[0] == by_gene["y"].groups[0] == by_gene["y"].groups[1]
    assert by_gene["x"].groups[1] != by_gene["x"].groups[0]


def test_a_sequence_has_the_same_group_in_every_file(write):
    one = read_fasta_sequences(write(">a\nAAAACCCC\n>b\nACGTACGA\n"), 8)
    other = read_sequence_table(write("sequence\nTCGTACGT\n", "t.csv"), 8)[""]
    assert one.groups[1] == other.groups[0]
    assert one.groups[0] != other.groups[0]


def test_no_sequences():
    empty = np.empty((0, 4), np.uint8)
    assert sequence_groups(empty).shape == sequence_groups(empty, []).shape == (0,)
