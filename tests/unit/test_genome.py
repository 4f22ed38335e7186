from __future__ import annotations

import argparse
import gzip
import re

import numpy as np
import pytest
from Bio.bgzf import BgzfWriter

from tpcav_core.commands import genome as command
from tpcav_core.commands.data import load_genome
from tpcav_core.errors import InputError
from tpcav_core.files import open_mapped, write_mapped
from tpcav_core.genome import (
    assemble,
    decode,
    encode,
    genome_from_table,
    genome_table,
    read_genome,
    reverse_complement,
)

CONTIGS = {
    "chr1": "NNNNacgtACGTRYKMacgtnnnnACGTACGTTTTNN",
    "chr2": "ACGTTGCA",
    "chrM": "NNN",
    "alt_1": "GATTACAGATTACAGATTACAC",
}


def fasta(contigs=CONTIGS, width=7):
    folded = (
        f">{name} described\n" + re.sub(f"(.{{1,{width}}})", r"\1\n", sequence)
        for name, sequence in contigs.items()
    )
    return "".join(folded)


def bgzip(path, text):
    with BgzfWriter(path, "w") as file:
        file.write(text)
    return path


@pytest.fixture
def path(tmp_path):
    file = tmp_path / "data" / "genome.fa"
    file.parent.mkdir()
    file.write_text(fasta())
    return file


@pytest.fixture
def genome(path):
    return read_genome(path)


def expected(sequence):
    return re.sub("[^ACGT]", "N", sequence.upper())


def test_bases_of_each_contig(genome):
    assert genome.names == tuple(CONTIGS)
    assert genome.lengths.tolist() == [len(s) for s in CONTIGS.values()]
    assert genome.codes.dtype == np.uint8
    assert decode(genome.codes) == "".join(expected(s) for s in CONTIGS.values())


def test_unknown_are_the_maximal_runs(genome):
    runs = [
        (number, *found.span())
        for number, sequence in enumerate(CONTIGS.values())
        for found in re.finditer("N+", expected(sequence))
    ]
    assert genome.unknown.tolist() == [list(run) for run in runs]


def test_unknown_is_empty_without_n():
    assert assemble(["a", "b"], [2, 3], encode("ACGTA")).unknown.shape == (0, 3)


def test_runs_end_at_contig_boundaries():
    assert assemble(["a", "b"], [2, 2], encode("ANNC")).unknown.tolist() == [[0, 1, 2], [1, 0, 1]]


def test_bgzip_is_read_like_plain(tmp_path, genome):
    other = read_genome(bgzip(tmp_path / "genome.fa.gz", fasta()))
    assert other.names == genome.names
    np.testing.assert_array_equal(other.codes, genome.codes)


def test_bgzip_of_several_blocks(tmp_path):
    sequence = decode(np.random.default_rng(0).integers(0, 4, 200_000))
    other = read_genome(bgzip(tmp_path / "genome.fa.gz", fasta({"a": sequence}, 60)))
    assert decode(other.codes) == sequence


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_line_ends_and_a_last_line_without_one(tmp_path, newline):
    file = tmp_path / "g.fa"
    file.write_bytes(newline.join([">a x", "ACGT", "AC", ">b", "GG"]).encode())
    read = read_genome(file)
    assert read.names == ("a", "b")
    assert decode(read.codes) == "ACGTACGG"


@pytest.mark.parametrize("compressed", [False, True])
def test_nothing_is_written_beside_the_file(path, compressed):
    if compressed:
        path = bgzip(path.with_name("genome.fa.gz"), fasta())
    before = sorted(path.parent.iterdir())
    read_genome(path)
    assert sorted(path.parent.iterdir()) == before


def test_a_relative_path(path, monkeypatch):
    monkeypatch.chdir(path.parent)
    assert read_genome("genome.fa").names == tuple(CONTIGS)


def test_encode_and_decode_are_inverse():
    assert encode("ACGTNacgtnRé").tolist() == [0, 1, 2, 3, 4, 0, 1, 2, 3, 4, 4, 4]
    assert decode(encode("GATTACAN")) == "GATTACAN"


def test_reverse_complement():
    assert decode(reverse_complement(encode("AACGTN"))) == "NACGTT"
    codes = np.random.default_rng(0).integers(0, 5, (3, 4, 50)).astype(np.uint8)
    np.testing.assert_array_equal(reverse_complement(reverse_complement(codes)), codes)


def test_windows_are_the_slices_of_the_contigs(genome):
    rng = np.random.default_rng(1)
    length = 5
    contig = rng.choice([0, 1, 3], 200)
    start = rng.integers(0, genome.lengths[contig] - length, endpoint=True)
    strand = rng.choice(np.array([1, -1], np.int8), 200)
    sequences = [expected(s) for s in CONTIGS.values()]
    forward = genome.windows(contig, start, length)
    assert forward.dtype == np.uint8
    for window, c, s in zip(forward, contig, start, strict=True):
        assert decode(window) == sequences[c][s : s + length]
    stranded = genome.windows(contig, start, length, strand)
    np.testing.assert_array_equal(stranded[strand > 0], forward[strand > 0])
    np.testing.assert_array_equal(stranded[strand < 0], reverse_complement(forward[strand < 0]))


def test_windows_are_copies(genome):
    before = genome.codes.copy()
    genome.windows(np.array([1]), np.array([0]), 8)[:] = 0
    np.testing.assert_array_equal(genome.codes, before)


def test_no_windows(genome):
    assert genome.windows(np.empty(0, int), np.empty(0, int), 100).shape == (0, 100)


@pytest.mark.parametrize(("contig", "start"), [(1, -1), (1, 4), (3, 18), (2, 0)])
def test_windows_outside_a_contig(genome, contig, start):
    with pytest.raises(InputError, match=r"1 of 2 windows of 5 bp .* the first at .*narrower"):
        genome.windows(np.array([0, contig]), np.array([0, start]), 5)


def test_index(genome):
    assert [genome.index(name) for name in CONTIGS] == [0, 1, 2, 3]


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("1", "did you mean 'chr1'.*prefix 'chr'"),
        ("chralt_1", "did you mean 'alt_1'.*prefix 'chr'"),
        ("Chr2", "did you mean 'chr2'"),
        ("zz", r"4 contigs: chr1, chr2, chrM, …\)$"),
    ],
)
def test_an_unknown_contig(genome, name, hint):
    with pytest.raises(InputError, match=hint):
        genome.index(name)


def test_saved_and_memory_mapped(genome, tmp_path):
    file = tmp_path / "genome.arrow"
    write_mapped(genome_table(genome), file, "genome", {})
    loaded = genome_from_table(open_mapped(file, "genome"))
    assert loaded.names == genome.names
    for name in ("lengths", "offsets", "codes", "unknown"):
        there, here = getattr(loaded, name), getattr(genome, name)
        assert there.dtype == here.dtype
        np.testing.assert_array_equal(there, here)
    assert decode(loaded.windows(np.array([1]), np.array([2]), 3)[0]) == "GTT"


def run_command(*words):
    parser = argparse.ArgumentParser()
    command.add_arguments(parser)
    command.run(parser.parse_args([str(word) for word in words]))


def test_command(path, tmp_path, genome):
    output = tmp_path / "results" / "genome.arrow"
    run_command("--fasta", path, "--output", output)
    loaded = genome_from_table(open_mapped(output, "genome"))
    np.testing.assert_array_equal(loaded.codes, genome.codes)


def test_command_leaves_nothing_on_error(tmp_path):
    with pytest.raises(InputError):
        run_command("--fasta", tmp_path / "none.fa", "--output", tmp_path / "out" / "genome.arrow")
    assert not list(tmp_path.iterdir())


def test_changed_bytes_are_told_or_harmless(tmp_path, genome):
    """No byte, changed in any place, ends the process or raises anything but one line."""
    file = tmp_path / "genome.arrow"
    write_mapped(genome_table(genome), file, "genome", {})
    content, refused = file.read_bytes(), []
    for place in range(0, len(content), 2):
        changed = bytearray(content)
        changed[place] ^= 0x81
        # a file of its own: the last one may be mapped yet
        path = tmp_path / f"{place}.arrow"
        path.write_bytes(changed)
        try:
            load_genome(str(path))
        except InputError as error:
            refused.append(str(error))
    assert len(refused) > 100
    assert all("delete it and run the workflow again" in message for message in refused)


@pytest.mark.parametrize("lengths", [[0, 5], [5, 0], [0, 5, 0, 0, 4], [0]])
def test_contigs_without_bases_are_kept(tmp_path, lengths):
    codes = np.random.default_rng(1).integers(0, 5, sum(lengths)).astype(np.uint8)
    genome = assemble([f"c{i}" for i in range(len(lengths))], lengths, codes)
    write_mapped(genome_table(genome), tmp_path / "g.arrow", "genome", {})
    loaded = load_genome(str(tmp_path / "g.arrow"))
    assert loaded.names == genome.names
    for name in ("lengths", "offsets", "codes", "unknown"):
        np.testing.assert_array_equal(getattr(loaded, name), getattr(genome, name))


BAD = {
    "empty": (b"", "the file is empty"),
    "blank": (b"\n\n", "holds no sequence"),
    "no header": (b"ACGTACGT\n", "not a FASTA file.*starts with '>'"),
    "headers only": (b">a\n>b\n", "2 headers and no sequence"),
    "one header": (b">a\n", "1 headers and no sequence"),
    "binary": (b">\0\1\2", "not a FASTA file"),
    "text after binary": (b">a\n" + b"ACGT\n" * 20_000 + b"\xff\xfe\n", "not text"),
    "duplicate": (b">a\nAC\n>b\nAC\n>a\nGT\n", 'Duplicate key "a".*different names'),
    "ragged": (b">a\nACGT\nAC\nACGT\n", "cannot be indexed .*equally long"),
    "long last line": (b">a\nACG\nACGTACGTACGTACGT\n>bb\nACGT\nAC\n", "not equally long"),
    "no name": (b">\nACGT\n", "cannot be indexed"),
    "gzip": (gzip.compress(b">a\nACGT\n"), r"with gzip.*`gunzip -c g.fa \| bgzip > g.bgz`"),
    "bzip2": (b"BZh91AY", "with bzip2.*bunzip2"),
    "zip": (b"PK\x03\x04", "with zip.*unzip"),
    "xz": (b"\xfd7zXZ\0", r"with xz.*xz -dc"),
}


@pytest.mark.parametrize(("content", "message"), BAD.values(), ids=BAD)
def test_bad_files(tmp_path, content, message):
    file = tmp_path / "g.fa"
    file.write_bytes(content)
    with pytest.raises(InputError, match=message) as error:
        read_genome(file)
    assert str(file) in str(error.value)
    assert "\n" not in str(error.value)
    assert "tpcav-genome-" not in str(error.value)


def test_missing_file_and_folder(tmp_path):
    with pytest.raises(InputError, match=r"none\.fa: no such file"):
        read_genome(tmp_path / "none.fa")
    with pytest.raises(InputError, match="cannot be read"):
        read_genome(tmp_path)


def test_a_bgzip_file_that_is_cut_short(tmp_path):
    file = bgzip(tmp_path / "g.fa.gz", fasta())
    file.write_bytes(file.read_bytes()[:60])
    with pytest.raises(InputError, match="damaged or cut short"):
        read_genome(file)


@pytest.mark.real
def test_a_real_chromosome(real_data):
    read = read_genome(real_data / "genome" / "hg38.chr22_partial.fa.gz")
    assert read.names == ("chr22",)
    assert read.lengths.tolist() == [50_818_468]
    assert read.unknown.tolist() == [
        [0, 0, 32_000_000],
        [0, 32_300_000, 37_200_000],
        [0, 40_600_000, 50_818_468],
    ]
