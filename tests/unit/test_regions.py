from __future__ import annotations

import gzip

import numpy as np
import pytest
from scipy.stats import chisquare

from tpcav_core.errors import InputError
from tpcav_core.genome import assemble, read_genome
from tpcav_core.regions import Regions, center, read_bed
from tpcav_core.starts import (
    REASONS,
    StartRanges,
    available_starts,
    random_regions,
    rejection_reasons,
)


def make_genome(lengths, unknown=()):
    codes = np.zeros(sum(lengths), np.uint8)
    offsets = np.cumsum([0, *lengths])
    for contig, start, end in unknown:
        codes[offsets[contig] + start : offsets[contig] + end] = 4
    return assemble([f"chr{i + 1}" for i in range(len(lengths))], lengths, codes)


def regions_of(*rows):
    contig, start, end = np.array(rows, np.int64).reshape(-1, 3).T
    return Regions(contig.astype(np.int32), start, end, np.ones(len(rows), np.int8))


@pytest.fixture
def genome():
    return make_genome([100, 50])


@pytest.fixture
def bed(tmp_path):
    def write(text, name="r.bed"):
        file = tmp_path / name
        file.write_bytes(gzip.compress(text.encode()) if name.endswith("gz") else text.encode())
        return file

    return write


# read_bed


TEXT = (
    "# made by hand\nbrowser position chr1\ntrack name=x\nchr2\t0\t50\tx\t0\t-\n"
    "\nchr1\t10\t20\tx\t0\t+\tmore\nchr1\t3\t4\tx\t0\t.\n"
)


@pytest.mark.parametrize("name", ["r.bed", "r.bed.gz"])
def test_read_bed(bed, genome, name):
    regions = read_bed(bed(TEXT, name), genome)
    assert [column.tolist() for column in regions] == [
        [1, 0, 0],
        [0, 10, 3],
        [50, 20, 4],
        [-1, 1, 1],
    ]
    assert [column.dtype for column in regions] == [np.int32, np.int64, np.int64, np.int8]


def test_line_ends_of_windows(bed, genome):
    regions = read_bed(bed("chr1\t1\t2\r\nchr1\t3\t4\tx\t0\t-\r\n"), genome)
    assert regions.end.tolist() == [2, 4]
    assert regions.strand.tolist() == [1, -1]


def test_column_names_are_skipped(bed, genome):
    assert len(read_bed(bed("chrom\tstart\tend\nchr1\t1\t2\n"), genome).start) == 1


def test_strand_in_column_4(bed, genome):
    regions = read_bed(bed("chr1\t1\t2\t-\tLINE\nchr1\t1\t2\t+\nchr1\t1\t2\tpeak\n"), genome)
    assert regions.strand.tolist() == [-1, 1, 1]


BAD = {
    "two columns": ("chr1\t1", "line 3: 2 tab-separated columns, expected at least 3"),
    "spaces": ("chr1 1 2", "line 3: 1 tab-separated column, expected"),
    "start = end": ("chr1\t5\t5", "line 3: start 5 is not below end 5"),
    "start > end": ("chr1\t7\t5", "line 3: start 7 is not below end 5"),
    "negative": ("chr1\t-1\t5", "line 3: start -1 is negative"),
    "fraction": ("chr1\t1.5\t5", "line 3: '1.5' is not a whole number"),
    "word": ("chr1\t1\tend", "line 3: 'end' is not a whole number"),
    "underscore": ("chr1\t1\t1_0", "line 3: '1_0' is not a whole number"),
    "no chr": ("1\t1\t5", "line 3: chromosome '1' is not .*did you mean 'chr1'.*prefix 'chr'"),
    "unknown": ("chrUn\t1\t5", "line 3: chromosome 'chrUn' is not in the genome"),
    "beyond": ("chr2\t1\t51", "line 3: end 51 is beyond the end of chr2 .50 bp"),
    "strand": ("chr1\t1\t5\tx\t0\tplus", "line 3: strand 'plus' in column 6"),
}


@pytest.mark.parametrize(("line", "message"), BAD.values(), ids=BAD)
def test_bad_lines(bed, genome, line, message):
    file = bed(f"# comment\nchr1\t1\t2\n{line}\nchr1\t1\t2\n")
    with pytest.raises(InputError, match=message) as error:
        read_bed(file, genome)
    assert str(error.value).startswith(f"{file}, line 3: ")
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("text", ["", "\n", "# only a comment\n", "chrom\tstart\tend\n"])
def test_no_regions(bed, genome, text):
    with pytest.raises(InputError, match=r"r\.bed: holds no region"):
        read_bed(bed(text), genome)


def test_unreadable_files(bed, genome, tmp_path):
    with pytest.raises(InputError, match="no such file"):
        read_bed(tmp_path / "none.bed", genome)
    with pytest.raises(InputError, match="cannot be read"):
        read_bed(tmp_path, genome)
    (tmp_path / "plain.bed.gz").write_text("chr1\t1\t2\n")
    # whether it is packed is seen in its bytes
    assert len(read_bed(tmp_path / "plain.bed.gz", genome).start) == 1
    (tmp_path / "binary.bed").write_bytes(b"\xff\xfe\0")
    with pytest.raises(InputError, match="not a text file"):
        read_bed(tmp_path / "binary.bed", genome)


def test_regions_of_absent_contigs_are_dropped_when_asked(bed, genome):
    text = "chrX\t5\t9\nchr2\t1\t2\nchrUn_1\t0\t10000\nchr1\t3\t4\tx\t0\t-\n"
    with pytest.raises(InputError, match=r"line 1: chromosome 'chrX' is not in the genome"):
        read_bed(bed(text), genome)
    regions = read_bed(bed(text), genome, absent="drop")
    assert [column.tolist() for column in regions] == [[1, 0], [1, 3], [2, 4], [1, -1]]


def test_dropping_hides_no_other_mistake(bed, genome):
    for line, message in (
        ("chr2\t1\t51", "line 2: end 51 is beyond the end of chr2"),
        ("chrX\t7\t5", "line 2: start 7 is not below end 5"),
        ("chrX\t1\tend", "line 2: 'end' is not a whole number"),
    ):
        with pytest.raises(InputError, match=message):
            read_bed(bed(f"chr1\t1\t2\n{line}\n"), genome, absent="drop")


def test_a_list_of_another_assembly_is_not_dropped_as_a_whole(bed, genome):
    expected = r"r\.bed: none of its regions is of a contig of the genome \(chr1, chr2 …\)"
    with pytest.raises(InputError, match=expected):
        read_bed(bed("1\t5\t9\n2\t1\t2\n"), genome, absent="drop")
    with pytest.raises(InputError, match=r"r\.bed: holds no region"):
        read_bed(bed("# nothing\n"), genome, absent="drop")


# center


@pytest.mark.parametrize("window", [6, 7])
def test_center(genome, window):
    regions = regions_of([0, 40, 50], [1, 20, 23])
    centered = center(regions, window, genome)
    assert (centered.end - centered.start == window).all()
    assert (np.abs(centered.start + centered.end - regions.start - regions.end) <= 1).all()
    same = center(centered, window, genome)
    np.testing.assert_array_equal(same.start, centered.start)


def test_windows_off_the_contig(genome):
    regions = regions_of([0, 0, 2], [0, 40, 42], [1, 48, 50])
    with pytest.raises(InputError, match=r"2 of 3 windows of 10 bp .* first around chr1:0-2"):
        center(regions, 10, genome)
    dropped = center(regions, 10, genome, off_contig="drop")
    assert dropped.start.tolist() == [36]


# available_starts


def brute_force(genome, window, chosen, exclude, block_length):
    """The acceptable (contig, start, block), and what is lost, one position after the other."""
    accepted, lost, block_base = [], dict.fromkeys(REASONS, 0), 0
    for contig, length in enumerate(genome.lengths.tolist()):
        codes = genome.codes[genome.offsets[contig] :][:length]
        touched = np.zeros(length, bool)
        for c, start, end in zip(exclude.contig, exclude.start, exclude.end, strict=True):
            touched[start:end] |= c == contig
        for start in range(length):
            here = slice(start, start + window)
            reasons = (
                contig not in chosen,
                start + window > length,
                (codes[here] == 4).any(),
                touched[here].any(),
                start // block_length != (start + window - 1) // block_length,
            )
            if any(reasons):
                lost[REASONS[reasons.index(True)]] += 1
            else:
                accepted.append((contig, start, block_base + start // block_length))
        block_base += -(-length // block_length)
    return accepted, lost


def random_intervals(rng, lengths, n):
    contig = rng.integers(0, len(lengths), n)
    start = rng.integers(0, np.array(lengths)[contig])
    end = np.minimum(start + rng.integers(1, 9, n), np.array(lengths)[contig])
    return list(zip(contig.tolist(), start.tolist(), end.tolist(), strict=True))


def listed(starts):
    return [
        (contig, first + i, block)
        for contig, first, count, block in zip(*(c.tolist() for c in starts), strict=True)
        for i in range(count)
    ]


def random_case(seed):
    """A genome with unknown bases, a window, and options of `available_starts`."""
    rng = np.random.default_rng(seed)
    lengths = rng.integers(1, 70, rng.integers(1, 5)).tolist()
    genome = make_genome(lengths, random_intervals(rng, lengths, rng.integers(0, 4)))
    exclude = regions_of(*random_intervals(rng, lengths, rng.integers(0, 4)))
    chosen = sorted({int(np.argmax(lengths)), int(rng.integers(len(lengths)))})
    window = int(rng.integers(1, min(12, max(lengths)) + 1))
    block_length = window + int(rng.integers(0, 30))
    names = [genome.names[c] for c in chosen]
    options = {"chromosomes": names, "exclude": exclude, "block_length": block_length}
    return genome, window, chosen, options


@pytest.mark.parametrize("seed", range(60))
def test_available_starts_are_those_of_brute_force(seed):
    genome, window, chosen, options = random_case(seed)
    starts, lost = available_starts(genome, window, **options)
    accepted, expected = brute_force(
        genome, window, chosen, options["exclude"], options["block_length"]
    )
    assert listed(starts) == accepted
    assert {reason: lost[reason] for reason in REASONS} == expected
    assert lost["total"] == sum(genome.lengths) == len(accepted) + sum(expected.values())
    assert [column.dtype for column in starts] == [np.int32, np.int64, np.int64, np.int64]


def every_window(genome, window):
    contig = np.repeat(np.arange(len(genome.lengths)), genome.lengths)
    start = np.concatenate([np.arange(length) for length in genome.lengths])
    strand = np.ones(len(start), np.int8)
    return Regions(contig.astype(np.int32), start, start + window, strand)


@pytest.mark.parametrize("seed", range(60))
def test_nothing_rejects_a_window_that_is_available_and_one_reason_every_other(seed):
    genome, window, _, options = random_case(seed)
    if seed % 3 == 0:
        options = {"block_length": None}
    starts, lost = available_starts(genome, window, **options)
    windows = every_window(genome, window)
    order = np.random.default_rng(seed).permutation(len(windows.start))
    windows = Regions(*(column[order] for column in windows))
    reasons = rejection_reasons(genome, windows, **options)
    assert tuple(reasons) == REASONS
    assert {name: int(rows.sum()) for name, rows in reasons.items()} | {"total": len(order)} == lost
    assert np.sum(list(reasons.values()), axis=0).max() <= 1
    free = ~np.any(list(reasons.values()), axis=0)
    available = {(contig, start) for contig, start, _ in listed(starts)}
    places = zip(windows.contig.tolist(), windows.start.tolist(), strict=True)
    assert [place in available for place in places] == free.tolist()


def test_windows_off_either_end_of_a_contig_are_rejected_for_that_alone():
    genome = make_genome([100, 50, 30], [(1, 0, 5)])
    windows = regions_of([0, -3, 7], [0, 95, 105], [1, -1, 9], [2, -40, -30], [2, 500, 510])
    reasons = rejection_reasons(genome, windows, exclude=regions_of([0, 0, 4]))
    assert reasons["too near the contig's end"].tolist() == [True] * 5
    assert not any(rows.any() for name, rows in reasons.items() if name != REASONS[1])


def test_no_windows_are_rejected_for_no_reason(genome):
    reasons = rejection_reasons(genome, regions_of(), block_length=30)
    assert [len(rows) for rows in reasons.values()] == [0] * len(REASONS)


def test_blocks_are_not_shared_by_contigs(genome):
    starts, _ = available_starts(genome, 5, block_length=30)
    assert starts.block.tolist() == [0, 1, 2, 3, 4, 5]
    assert starts.contig.tolist() == [0, 0, 0, 0, 1, 1]
    alone, _ = available_starts(genome, 5, chromosomes=["chr2"], block_length=30)
    assert alone.block.tolist() == [4, 5]


def test_nothing_left(genome):
    starts, lost = available_starts(
        genome, 5, exclude=regions_of([0, 0, 100], [1, 0, 50]), block_length=30
    )
    assert listed(starts) == []
    assert lost["excluded"] == 150 - 8


def test_bad_requests(genome):
    with pytest.raises(InputError, match=r"window of 101 bp is longer than every .* 100 bp"):
        available_starts(genome, 101, block_length=1000)
    with pytest.raises(InputError, match=r"window of 60 bp is longer than every .* 50 bp"):
        available_starts(genome, 60, chromosomes=["chr2"], block_length=1000)
    with pytest.raises(InputError, match="window of 60 bp is longer than a block of 59 bp"):
        available_starts(genome, 60, block_length=59)
    with pytest.raises(InputError, match="did you mean 'chr2'"):
        available_starts(genome, 5, chromosomes=["2"], block_length=50)


@pytest.mark.real
def test_starts_of_a_chromosome_that_is_mostly_unknown(real_data):
    genome = read_genome(real_data / "genome" / "hg38.chr22_partial.fa.gz")
    window = 1024
    starts, lost = available_starts(genome, window, block_length=16 * window)
    regions = random_regions(starts, 1000, window, np.random.default_rng(0))
    assert (genome.windows(regions.contig, regions.start, window) < 4).all()
    assert lost["unknown bases"] == 47_118_468 + window - 1


# random_regions


def ranges(*rows):
    contig, first, count, block = np.array(rows, np.int64).reshape(-1, 4).T
    return StartRanges(contig.astype(np.int32), first, count, block)


RANGES = ranges([0, 5, 3, 0], [0, 40, 1, 1], [2, 0, 6, 2])


def test_all_acceptable_windows_are_drawn_once():
    regions = random_regions(RANGES, 10, 7, np.random.default_rng(0))
    drawn = list(zip(regions.contig.tolist(), regions.start.tolist(), strict=True))
    assert sorted(drawn) == [(c, s) for c, s, _ in listed(RANGES)]
    assert drawn != sorted(drawn)
    assert (regions.end - regions.start == 7).all()
    assert [column.dtype for column in regions] == [np.int32, np.int64, np.int64, np.int8]


def test_every_window_is_equally_likely_at_every_place():
    rng = np.random.default_rng(2)
    places = {(c, s): i for i, (c, s, _) in enumerate(listed(RANGES))}
    counts = np.zeros((3, 10), int)
    for _ in range(2000):
        regions = random_regions(RANGES, 3, 7, rng)
        for place in range(3):
            counts[place, places[int(regions.contig[place]), int(regions.start[place])]] += 1
    assert min(chisquare(row).pvalue for row in counts) > 1e-3


def test_windows_are_distinct():
    regions = random_regions(ranges([0, 0, 5000, 0]), 4000, 7, np.random.default_rng(0))
    assert len(np.unique(regions.start)) == 4000


def test_rows_are_taken_from_every_column():
    columns = np.arange(5, dtype=np.int32), np.arange(5) * 100, np.arange(5) * 100 + 7, -np.ones(5)
    taken = Regions(*columns).take(np.array([3, 0]))
    assert [column.tolist() for column in taken] == [[3, 0], [300, 0], [307, 7], [-1, -1]]
    assert ranges([0, 0, 9, 0], [1, 5, 8, 1]).take(np.array([False, True])).count.tolist() == [8]


def test_both_strands_are_equally_likely():
    starts = ranges([0, 0, 100_000, 0])
    rng = np.random.default_rng(3)
    both = random_regions(starts, 10_000, 7, rng).strand
    assert set(both.tolist()) == {1, -1}
    assert abs(int(both.sum())) < 4 * 100


def test_the_same_seed_gives_the_same_regions():
    first, second = (random_regions(RANGES, 6, 7, np.random.default_rng(4)) for _ in range(2))
    for one, other in zip(first, second, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("starts", [RANGES, ranges()])
def test_none_asked(starts):
    assert len(random_regions(starts, 0, 7, np.random.default_rng(0)).start) == 0


def test_too_few_acceptable(genome):
    starts, lost = available_starts(
        genome, 20, chromosomes=["chr1"], exclude=regions_of([0, 10, 90]), block_length=100
    )
    with pytest.raises(InputError, match=r"3 random windows of 20 bp .* only 0 start") as error:
        random_regions(starts, 3, 20, np.random.default_rng(0), lost=lost)
    assert (
        "(of 150 positions; lost: 50 contig not chosen, 19 too near the contig's end, 81 excluded)"
        in str(error.value)
    )
    with pytest.raises(InputError, match=r"11 random windows of 7 bp .* only 10 start"):
        random_regions(RANGES, 11, 7, np.random.default_rng(0))
