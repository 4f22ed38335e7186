from __future__ import annotations

import logging
import sys

import numpy as np
import pytest
from Bio import motifs as bio_motifs

from tpcav_core.errors import InputError
from tpcav_core.motif_databases import (
    motif_format,
    read_jaspar,
    read_jaspar_database,
    read_motif_files,
)
from tpcav_core.motifs import read_consensus, read_meme

BRACKETS = ">MA0001.1 AGL3\nA [ 0 3 ]\nC [ 1 1 ]\nG [ 2 0 ]\nT [ 1 12 ]\n"
BARE = "\n> X.2  some   name\n1.5\t1\n0\t1\n0\t1\n0.5\t1\n"
MATRIX = "letter-probability matrix: alength= 4 w= 1\n0.7 0.1 0.1 0.1\n"
MEME = "MEME version 4\n\nMOTIF {}\n" + MATRIX
CONSENSUS = "# name, sequence\n\nA\tACGT\nA\tAC\n"


@pytest.fixture
def write(tmp_path):
    def write(text, name="motifs.txt"):
        file = tmp_path / name
        file.parent.mkdir(exist_ok=True)
        file.write_bytes(text if isinstance(text, bytes) else text.encode())
        return file

    return write


# read_jaspar


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_read_jaspar(write, newline):
    first, second = read_jaspar(write((BRACKETS + BARE).replace("\n", newline)))
    assert (first.label, second.label) == ("MA0001.1 AGL3", "X.2 some name")
    np.testing.assert_allclose(first.pwms[0], [[0, 0.25, 0.5, 0.25], [3 / 16, 1 / 16, 0, 0.75]])
    np.testing.assert_allclose(second.pwms[0], [[0.75, 0, 0, 0.25], [0.25] * 4])


def test_rows_in_another_order(write):
    text = ">x\nT [ 1 ]\nG [ 0 ]\nA [ 3 ]\nC [ 0 ]\n"
    (motif,) = read_jaspar(write(text))
    np.testing.assert_allclose(motif.pwms[0], [[0.75, 0, 0, 0.25]])


BAD_JASPAR = {
    "empty": ("", "the file is empty; expected a motif file in JASPAR format"),
    "blank": ("\n", "expected a motif file in JASPAR format, which starts with '>'"),
    "no header": ("1 2\n3 4\n", "which starts with '>'"),
    "binary": (b"\xff\xfe\0\1", "not a text file"),
    "no name": (BRACKETS + ">\n1\n1\n1\n1\n", "line 6: motif '' has no name"),
    "twice": (BRACKETS + BRACKETS, "line 6: motif 'MA0001.1 AGL3' is already above"),
    "three rows": (BRACKETS + ">b\n1 2\n3 4\n5 6\n", "line 6: motif 'b' has 3 rows, expected 4"),
    "a row a position": (">b\n" + "1 2 3 4\n" * 5, "line 1: motif 'b' has 5 rows, expected 4"),
    "lengths": (">b\n1 2\n1 2\n1\n1 2\n", "motif 'b' has rows that cannot be read"),
    "words": (">b\n1 2\n1 2\n1 x\n1 2\n", "cannot be read .*'x'"),
    "letters": (BRACKETS.replace("C [", "A ["), "motif 'MA0001.1 AGL3' has rows that cannot"),
    "no bracket": (BRACKETS.replace("1 1 ]", "1 1"), "has rows that cannot be read"),
    "zeros": (">b\n1 0\n1 0\n1 0\n1 0\n", "motif 'b' has no usable counts at position 2;"),
    "negative": (">b\n9 1\n1 1\n-1 1\n1 1\n", "no usable counts at position 1;"),
    "nan": (">b\n9 nan\n1 1\n1 1\n1 1\n", "no usable counts at position 2;"),
    "no counts": (">b\nA [ ]\nC [ ]\nG [ ]\nT [ ]\n", "motif 'b' has no usable counts"),
}


@pytest.mark.parametrize(("text", "message"), BAD_JASPAR.values(), ids=BAD_JASPAR)
def test_bad_jaspar(write, text, message):
    file = write(text)
    with pytest.raises(InputError, match=message) as error:
        read_jaspar(file)
    assert str(error.value).startswith(str(file))
    assert "\n" not in str(error.value)


def test_what_biopython_writes_is_read(write):
    sites = bio_motifs.create(["ACGT", "ACGA", "TCGA"])
    sites.name, sites.matrix_id, sites.base_id = "factor", "MA9.1", "MA9"
    text = bio_motifs.write([sites], "jaspar")
    (motif,) = read_jaspar(write(text))
    assert motif.label == "MA9.1 factor"
    np.testing.assert_allclose(motif.pwms[0][0], [2 / 3, 0, 0, 1 / 3])


# MEME files of databases


HEADERS = {
    "HOCOMOCO 11": "MEME version 4\n\nALPHABET= ACGT\n\nstrands: + -\n\n"
    "Background letter frequencies\nA 0.25 C 0.25 G 0.25 T 0.25\n\n",
    "MEME 5": "********\nMEME - Motif discovery tool\n********\n"
    "MEME version 5.4.1 (Release date: x)\n\nALPHABET= ACGT\n\nstrands: + -\n\n"
    "Background letter frequencies (from uniform):\n"
    "A 0.25000 C 0.25000 G 0.25000 T 0.25000 \n\n",
    "spaces": "MEME version 4.4\n\nALPHABET = ACGT\n\n",
}


@pytest.mark.parametrize("head", HEADERS.values(), ids=HEADERS)
def test_headers_of_databases(write, head):
    text = head + (
        "MOTIF AHR_HUMAN.H11MO.0.B AHR\n"
        "letter-probability matrix: alength= 4 w= 2 nsites= 153.9587 E= 0\n"
        "  0.262500\t  0.118310\t  0.365515\t  0.253675\n  0.07\t0.0769\t 0.2245\t 0.6286\n"
        "URL http://hocomoco.autosome.ru/motif/AHR_HUMAN.H11MO.0.B\n\n"
        "MOTIF ANDR.H12CORE.0.P.B\n\nletter-probability matrix: alength=4 w=1 nsites=20\n"
        "1.000000 0.000000 0.000000 0.000000\n\n\n"
    )
    first, second = read_motif_files(write(text))
    assert (first.label, second.label) == ("AHR_HUMAN.H11MO.0.B", "ANDR.H12CORE.0.P.B")
    np.testing.assert_allclose(first.pwms[0][0], [0.2625, 0.11831, 0.365515, 0.253675])
    np.testing.assert_array_equal(second.pwms[0], [[1, 0, 0, 0]])


# read_motif_files


@pytest.mark.parametrize(
    ("text", "format", "read"),
    [
        (MEME.format("a"), "meme", read_meme),
        (BRACKETS + BARE, "jaspar", read_jaspar),
        (CONSENSUS, "consensus", read_consensus),
    ],
)
def test_formats_are_told_apart(write, text, format, read):  # noqa: A002
    file = write(text)
    assert motif_format(file) == format
    assert read_motif_files(file) == read_motif_files([str(file)], format) == read(file)


@pytest.mark.parametrize("text", ["# only a comment\n", "a b c\n", "a\tb\tc\n", "1 2 3 4\n"])
def test_unknown_content(write, text):
    with pytest.raises(InputError, match="format not recognised; expected a motif file: MEME, J"):
        read_motif_files(write(text))


def test_bad_arguments(write, tmp_path):
    file = write(CONSENSUS)
    with pytest.raises(InputError, match=r"motif format 'mem'; .*; did you mean 'meme'"):
        read_motif_files(file, "mem")
    with pytest.raises(InputError, match="no motif file"):
        read_motif_files([])
    with pytest.raises(InputError, match=r"motifs.txt: given twice"):
        read_motif_files([file, tmp_path / "." / "motifs.txt"])
    with pytest.raises(InputError, match="none: no such file; expected a motif file"):
        read_motif_files(tmp_path / "none")
    with pytest.raises(InputError, match="is already on line 3"):
        read_motif_files(write(MEME.format("a") + "MOTIF a\n" + MATRIX))


def labels(motifs):
    return [motif.label for motif in motifs]


def test_files_in_order_without_clashes(write, caplog):
    files = [write(BRACKETS, "b.jaspar"), write(MEME.format("a"), "a.meme"), write(CONSENSUS, "c")]
    assert labels(read_motif_files(files)) == ["MA0001.1 AGL3", "a", "A"]
    assert not caplog.records


def test_clashing_names_get_the_name_of_their_file(write, caplog):
    files = [
        write(MEME.format("a") + "MOTIF b\n" + MATRIX, "one.v2.meme"),
        write(MEME.format("a") + "MOTIF c\n" + MATRIX, "two.meme"),
    ]
    with caplog.at_level(logging.WARNING):
        found = read_motif_files(files)
    assert labels(found) == ["a (one.v2)", "b", "a (two)", "c"]
    assert found[0].pwms[0].tolist() == found[2].pwms[0].tolist()
    (record,) = caplog.records
    assert record.getMessage() == (
        "1 motif names are in more than one file and get the file's name: a"
    )


def test_files_of_one_stem_are_told_apart(write):
    endings = [write(MEME.format("a"), "x.meme"), write(MEME.format("a"), "x.txt")]
    assert labels(read_motif_files(endings)) == ["a (x.meme)", "a (x.txt)"]
    folders = [write(MEME.format("a"), "p/x.meme"), write(MEME.format("a"), "q/x.meme")]
    assert labels(read_motif_files(folders)) == ["a (p/x.meme)", "a (q/x.meme)"]


def test_a_name_that_is_taken(write):
    files = [
        write(CONSENSUS + "A (two)\tAC\n", "one"),
        write(CONSENSUS, "two"),
    ]
    with pytest.raises(InputError, match=r"2 motifs would be named 'A \(two\)'; rename one"):
        read_motif_files(files)


# read_jaspar_database


@pytest.fixture
def pyjaspar():
    return pytest.importorskip("pyjaspar")


@pytest.mark.usefixtures("pyjaspar")
def test_motifs_by_id():
    found = read_jaspar_database("JASPAR2024", ids=["MA0139.1", "MA0004", "MA0139.1"])
    assert labels(found) == ["MA0004.1 Arnt", "MA0139.1 CTCF"]
    np.testing.assert_allclose(found[0].pwms[0][0], [0.2, 0.8, 0, 0])
    assert found[0].length == 6


@pytest.mark.usefixtures("pyjaspar")
def test_the_latest_version():
    (latest,) = read_jaspar_database("JASPAR2024", ids=["MA0139"])
    assert latest.label == "MA0139.2 CTCF"


def test_the_whole_collection_agrees_with_the_package(pyjaspar):
    found = read_jaspar_database("JASPAR2024", tax_group=["nematodes", "urochordates"])
    database = pyjaspar.jaspardb("JASPAR2024")
    expected = database.fetch_motifs(collection="CORE", tax_group=["nematodes", "urochordates"])
    database.conn.close()
    assert labels(found) == sorted(f"{entry.matrix_id} {entry.name}" for entry in expected)
    by_label = {f"{entry.matrix_id} {entry.name}": entry for entry in expected}
    for motif in found:
        frequencies = by_label[motif.label].counts.normalize()
        np.testing.assert_allclose(motif.pwms[0].T, [frequencies[base] for base in "ACGT"])


@pytest.mark.usefixtures("pyjaspar")
def test_motifs_by_name_and_id():
    found = read_jaspar_database("JASPAR2024", tax_group=["vertebrates"], names=["CTCF", "GATA1"])
    assert {label.split()[1] for label in labels(found)} == {"CTCF", "GATA1"}
    more = read_jaspar_database(
        "JASPAR2024", tax_group=["vertebrates"], names=["CTCF", "GATA1"], ids=["MA0001.1"]
    )
    assert labels(more) == ["MA0001.1 AGL3", *labels(found)]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"release": "JASPAR2023"}, r"release 'JASPAR2023' is unknown; pyjaspar [0-9.]+ has JASP"),
        ({"collection": "CORES"}, r"collection 'CORES' is not in JASPAR2024 \(CORE, .*'CORE'"),
        ({"tax_group": ["vertebrate"]}, "tax_group 'vertebrate' .*; did you mean 'vertebrates'"),
        ({"ids": ["MA0139.9"]}, "matrix id 'MA0139.9' is not in JASPAR2024 .*did you mean 'MA0139"),
        ({"ids": ["MA013X"]}, "matrix id 'MA013X' is not in JASPAR2024 .*did you mean 'MA[0-9]"),
        ({"names": ["Ctcf1"]}, "name 'Ctcf1' is not in JASPAR2024, collection CORE"),
        ({"names": ["it's"]}, 'name "it\'s" is not in JASPAR2024'),
        (
            {"names": ["CTCF"], "tax_group": ["plants"]},
            "name 'CTCF' is not in JASPAR2024, collection CORE, plants",
        ),
    ],
)
@pytest.mark.usefixtures("pyjaspar")
def test_bad_selections(arguments, message):
    with pytest.raises(InputError, match=message) as error:
        read_jaspar_database(**arguments)
    assert "\n" not in str(error.value)


def test_nothing_left(pyjaspar, monkeypatch):
    monkeypatch.setattr(pyjaspar.jaspardb, "fetch_motifs", lambda self, **options: [])
    with pytest.raises(InputError, match="JASPAR2024, collection CORE, has no motif of plants"):
        read_jaspar_database(tax_group=["plants"])


def test_without_the_package(monkeypatch):
    monkeypatch.setitem(sys.modules, "pyjaspar", None)
    with pytest.raises(InputError, match="not installed; run `pip install pyjaspar`"):
        read_jaspar_database()


@pytest.mark.parametrize(("name", "text"), [("a.meme", "0.1 0.2\n"), ("a.txt", "MOTIF a\n0.1\n")])
def test_a_malformed_meme_file_is_called_one(tmp_path, name, text):
    path = tmp_path / name
    path.write_text(text)
    with pytest.raises(InputError, match="no line starts with 'MEME version'"):
        read_motif_files([path])
