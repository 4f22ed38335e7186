from __future__ import annotations

import gzip
import math

import numpy as np
import pytest
from Bio.motifs import minimal

from tpcav_core.errors import InputError
from tpcav_core.motifs import Motif, read_consensus, read_meme

HEAD = "MEME version 4\n\nALPHABET= ACGT\n\nstrands: + -\n\n"
BACKGROUND = "Background letter frequencies\nA 0.25 C 0.25 G 0.25 T 0.25\n\n"
ROWS = "0.7 0.1 0.1 0.1\n 0.000000\t 1.000000 0 0 \n0.25 0.25 0.25 0.25\n"
MATRIX = "letter-probability matrix: alength= 4 w= 3 nsites= 20 E= 0\n" + ROWS


@pytest.fixture
def write(tmp_path):
    def write(text):
        file = tmp_path / "motifs.txt"
        file.write_bytes(text if isinstance(text, bytes) else text.encode())
        return file

    return write


PWM = np.array([[0.7, 0.1, 0.1, 0.1], [0, 1, 0, 0], [0.25] * 4])


# Motif


def test_information_content_of_known_matrices():
    certain, anything = np.eye(4), np.full((5, 4), 0.25)
    assert Motif("x", (certain,)).information_content == pytest.approx(8)
    assert Motif("x", (certain,)).information_content_gc == pytest.approx(4)
    assert Motif("x", (anything,)).information_content == pytest.approx(0)
    assert Motif("x", (anything,)).information_content_gc == pytest.approx(0)
    two = Motif("x", (np.array([[0, 0.5, 0.5, 0]]),))
    assert two.information_content == pytest.approx(1)
    assert two.information_content_gc == pytest.approx(1)
    skewed = 2 + 0.7 * math.log2(0.7) + 0.3 * math.log2(0.1)
    motif = Motif("x", (PWM,))
    assert motif.information_content == pytest.approx(skewed + 2)
    assert motif.information_content_gc == pytest.approx(0.2 * skewed + 2)


def test_reverse_complement_has_the_same_information():
    pwm = np.random.default_rng(0).dirichlet(np.ones(4), 9)
    one, other = Motif("x", (pwm,)), Motif("x", (pwm[::-1, ::-1],))
    assert one.information_content == pytest.approx(other.information_content)
    assert one.information_content_gc == pytest.approx(other.information_content_gc)


def test_several_pwms():
    motif = Motif("x", (np.eye(4), np.full((5, 4), 0.25)))
    assert motif.length == 5
    assert motif.information_content == pytest.approx(4)
    assert motif.information_content_gc == pytest.approx(2)


def test_what_was_given_is_not_shared():
    pwm = PWM.copy()
    motif = Motif("x", (pwm,))
    pwm[:] = 0
    np.testing.assert_array_equal(motif.pwms[0], PWM)
    with pytest.raises(ValueError, match="read-only"):
        motif.pwms[0][0, 0] = 1


def test_equality_is_by_content():
    assert Motif("x", (PWM,)) == Motif("x", (PWM.copy(),))
    assert len({Motif("x", (PWM,)), Motif("x", (PWM,))}) == 1
    assert Motif("x", (PWM,)) != Motif("y", (PWM,))
    assert Motif("x", (PWM,)) != Motif("x", (PWM[::-1],))
    assert Motif("x", (PWM,)) != "x"


@pytest.mark.parametrize(
    ("pwms", "message"),
    [
        ((), "no PWM"),
        ((np.ones((3, 5)) / 5,), r"shape \(3, 5\)"),
        ((np.ones(4) / 4,), r"shape \(4,\)"),
        ((np.empty((0, 4)),), r"shape \(0, 4\)"),
        ((np.full((2, 4), 5.0),), "no probabilities"),
        ((np.full((2, 4), np.nan),), "no probabilities"),
        ((np.array([[1.5, -0.5, 0, 0]]),), "no probabilities"),
    ],
)
def test_bad_matrices(pwms, message):
    with pytest.raises(InputError, match=message):
        Motif("x", pwms)


# read_meme


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_read_meme(write, newline):
    text = (
        HEAD + BACKGROUND + "MOTIF AC1:GATA/P,1 other name\n\n" + MATRIX + "\nURL http://x\n\n"
        "MOTIF second\nlog-odds matrix: alength= 4 w= 1\n 1 2 -3 4\n"
        "letter-probability matrix:\n\n0.3 0.3 0.2 0.2\n"
    )
    first, second = read_meme(write(text.replace("\n", newline)))
    assert (first.label, second.label) == ("AC1:GATA/P,1", "second")
    np.testing.assert_allclose(first.pwms[0], PWM, atol=1e-15)
    np.testing.assert_allclose(second.pwms[0], [[0.3, 0.3, 0.2, 0.2]], atol=1e-15)


def test_a_file_that_says_only_what_it_must(write):
    text = "MEME version 5\nMOTIF a\nletter-probability matrix: w= 3\n" + ROWS.rstrip()
    (motif,) = read_meme(write(text))
    np.testing.assert_allclose(motif.pwms[0], PWM, atol=1e-15)


def test_rows_are_divided_by_their_sum(write):
    text = HEAD + "MOTIF a\nletter-probability matrix:\n0.333 0.333 0.333 0\n"
    (motif,) = read_meme(write(text))
    np.testing.assert_allclose(motif.pwms[0], [[1 / 3, 1 / 3, 1 / 3, 0]])


BAD_MEME = {
    "no version": ("MOTIF a\n" + MATRIX, "no line starts with 'MEME version'"),
    "empty": ("", "the file is empty; expected a motif file in MEME"),
    "no motifs": (HEAD, "holds no motif"),
    "binary": (b"\xff\xfe\0\1", "not a text file"),
    "protein": (
        "MEME version 4\nALPHABET= ACDEFGHIKLMNPQRSTVWY\nMOTIF a\n" + MATRIX,
        "line 2: alphabet 'ACDEF.*only DNA",
    ),
    "RNA": ("MEME version 4\nALPHABET= ACGU\nMOTIF a\n" + MATRIX, "line 2: alphabet 'ACGU'"),
    "alength": (
        "MEME version 4\nMOTIF a\nletter-probability matrix: alength= 20 w= 1\n",
        "line 3: motif 'a' has alength= 20, expected 4",
    ),
    "no name": (HEAD + "MOTIF\n" + MATRIX, "line 7: a MOTIF without a name"),
    "no matrix": (HEAD + "MOTIF a\n\nMOTIF b\n" + MATRIX, "line 7: motif 'a' has no 'letter"),
    "twice": (
        HEAD + "MOTIF a\n" + MATRIX + "MOTIF a x\n" + MATRIX,
        "line 12: motif 'a' is already on line 7",
    ),
    "counts": (
        HEAD + "MOTIF a\n" + MATRIX.replace("0.7", "14"),
        r"line 9: motif 'a': the row sums to 14\.3, expected 1",
    ),
    "sum": (
        HEAD + "MOTIF a\n" + MATRIX.replace("0.7", "0.68"),
        r"line 9: motif 'a': the row sums to 0\.98, expected 1",
    ),
    "negative": (
        HEAD + "MOTIF a\n" + MATRIX.replace("0.7 0.1", "0.9 -0.1"),
        "line 9: .*no probabilities",
    ),
    "nan": (HEAD + "MOTIF a\n" + MATRIX.replace("0.7", "nan"), "line 9: .*no probabilities"),
    "three columns": (
        HEAD + "MOTIF a\n" + MATRIX.replace("0.7 0.1", "0.8"),
        "line 9: motif 'a': '0.8 0.1 0.1' is no row; expected 4 numbers",
    ),
    "word": (HEAD + "MOTIF a\n" + MATRIX.replace("0.7 0.1", "0.7 x"), "line 9: .*is no row"),
    "too few": (
        HEAD + "MOTIF a\n" + MATRIX.replace("w= 3", "w= 4"),
        "line 12: the matrix of motif 'a' has 3 rows, expected w= 4",
    ),
    "too many": (
        HEAD + "MOTIF a\n" + MATRIX.replace("w= 3", "w= 2"),
        "the matrix of motif 'a' has 3 rows, expected w= 2",
    ),
    "gap": (
        HEAD + "MOTIF a\n" + MATRIX.replace("0.25 0.25", "\n0.25 0.25"),
        "has 2 rows, expected w= 3",
    ),
    "no rows": (
        HEAD + "MOTIF a\nletter-probability matrix: nsites= 20\n\n",
        "has 0 rows, expected at least 1",
    ),
}


@pytest.mark.parametrize(("text", "message"), BAD_MEME.values(), ids=BAD_MEME)
def test_bad_meme(write, text, message):
    file = write(text)
    with pytest.raises(InputError, match=message) as error:
        read_meme(file)
    assert str(error.value).startswith(str(file))
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("read", [read_meme, read_consensus])
def test_missing_files(tmp_path, read):
    with pytest.raises(InputError, match=r"none: no such file; expected a"):
        read(tmp_path / "none")
    with pytest.raises(InputError, match="cannot be read"):
        read(tmp_path)


@pytest.mark.parametrize(
    ("read", "text"), [(read_meme, HEAD + "MOTIF one\n" + MATRIX), (read_consensus, "one\tACGT\n")]
)
def test_a_packed_file_is_read_like_its_content(write, read, text):
    plain = read(write(text))
    assert [motif.label for motif in plain] == ["one"]
    assert read(write(gzip.compress(text.encode()))) == plain
    with pytest.raises(InputError, match="damaged or cut short"):
        read(write(gzip.compress(text.encode())[:-9]))


@pytest.mark.real
def test_all_archetypes(real_data):
    file = real_data / "motifs" / "vierstra_archetypes_v2.1beta.meme"
    motifs = read_meme(file)
    assert len(motifs) == 637
    assert motifs[0].label == "AC0001:GATA/PROP:GATA"
    np.testing.assert_allclose(
        motifs[0].pwms[0][0], [0.676859, 0.103120, 0.104093, 0.115927], atol=2e-6
    )
    with file.open() as handle:
        record = minimal.read(handle)
    for motif, other in zip(motifs, record, strict=True):
        assert motif.label == other.name
        assert motif.length == other.length
        # Biopython keeps whole counts of 20 sites: equal to that precision and no better.
        counts = np.array([other.counts[base] for base in "ACGT"]).T
        np.testing.assert_allclose(motif.pwms[0] * 20, counts, atol=0.5001)


# read_consensus


def test_read_consensus(write):
    text = "# tab-delimited\nAP-1/x\tTGASTCA\n\nB\tRn\nAP-1/x\ttgacgtca\r\n"
    first, second = read_consensus(write(text))
    assert (first.label, second.label) == ("AP-1/x", "B")
    assert [len(pwm) for pwm in first.pwms] == [7, 8]
    assert first.pwms[0][3].tolist() == [0, 0.5, 0.5, 0]
    assert second.pwms[0].tolist() == [[0.5, 0, 0.5, 0], [0.25] * 4]


def test_every_iupac_letter(write):
    (motif,) = read_consensus(write("x\tACGTRYSWKMBDHVN\n"))
    (pwm,) = motif.pwms
    sets = " ".join("".join(np.array(list("ACGT"))[row > 0]) for row in pwm)
    assert sets == "A C G T AG CT CG AT GT AC CGT AGT ACT ACG ACGT"
    for row in pwm:
        assert len(set(row[row > 0])) == 1


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "the file is empty; expected"),
        ("# x\n", "holds no motif"),
        ("a\tACGT\nb ACGT\n", "line 2: 'b ACGT'; expected name<TAB>sequence"),
        ("a\tACGT\tmore\n", "line 1: .*expected name<TAB>sequence"),
        ("a\t\n", "line 1: .*expected name<TAB>sequence"),
        ("\tACGT\n", "line 1: .*expected name<TAB>sequence"),
        ("a\tACGT\nb\tACXT\n", "line 2: letter 'X' at position 3 of 'b'; expected IUPAC"),
        (b"\xff\xfe", "not a text file"),
    ],
)
def test_bad_consensus(write, text, message):
    file = write(text)
    with pytest.raises(InputError, match=message) as error:
        read_consensus(file)
    assert str(error.value).startswith(str(file))
    assert "\n" not in str(error.value)
