from __future__ import annotations

import multiprocessing
import pickle
import shutil
import struct

import numpy as np
import pyBigWig
import pytest

from tpcav_core.errors import InputError
from tpcav_core.genome import assemble, read_genome
from tpcav_core.regions import Regions
from tpcav_core.starts import available_starts, random_regions
from tpcav_core.tracks import GAP, NEIGHBOURHOOD, Track, Tracks

LENGTHS = {"chr1": 100, "chr2": 50}
#: contig, start, end, value
ENTRIES = [("chr1", 10, 20, 1.5), ("chr1", 20, 22, -3.0), ("chr2", 0, 50, 2.0)]


def genome_of(lengths):
    return assemble(
        list(lengths), list(lengths.values()), np.zeros(sum(lengths.values()), np.uint8)
    )


def regions_of(*rows):
    contig, start, end, strand = np.array(rows, np.int64).reshape(-1, 4).T
    return Regions(contig.astype(np.int32), start, end, strand.astype(np.int8))


@pytest.fixture
def genome():
    return genome_of(LENGTHS)


@pytest.fixture
def bigwig(tmp_path):
    def write(entries=ENTRIES, lengths=LENGTHS, name="t.bw"):
        path = tmp_path / name
        file = pyBigWig.open(str(path), "w")
        file.addHeader(list(lengths.items()))
        contigs, starts, ends, values = map(list, zip(*entries, strict=True))
        file.addEntries(contigs, starts, ends=ends, values=values)
        file.close()
        return str(path)

    return write


@pytest.fixture
def tracks(bigwig, genome):
    with Tracks([Track("a", bigwig(), 0.0), Track("b", bigwig(), -1.0)], genome) as opened:
        yield opened


def test_values_by_hand(tracks):
    found = tracks.values(regions_of((0, 8, 12, 1), (1, 46, 50, 1), (0, 19, 23, -1)))
    assert found.dtype == np.float32
    assert found[:, 0].tolist() == [[0, 0, 1.5, 1.5], [2, 2, 2, 2], [0, -3, -3, 1.5]]
    assert found[:, 1].tolist() == [[-1, -1, 1.5, 1.5], [2, 2, 2, 2], [-1, -3, -3, 1.5]]


def test_means_by_hand(tracks):
    regions = regions_of((1, 3, 9, 1), (0, 8, 12, 1), (0, 0, 100, -1), (0, 19, 23, -1))
    assert tracks.means("a", regions).tolist() == [2.0, 0.75, 0.09, -1.125]
    assert tracks.means("b", regions).tolist() == [2.0, 0.25, (9 - 88) / 100, -1.375]


def test_no_regions(tracks):
    assert tracks.values(regions_of()).shape == (0, 2, 0)
    assert tracks.means("a", regions_of()).shape == (0,)


def test_missing_none_is_fine_where_all_bases_have_data(bigwig, genome):
    tracks = Tracks([Track("a", bigwig(), None)], genome)
    assert tracks.means("a", regions_of((0, 10, 22, 1), (1, 0, 12, 1))).tolist() == [0.75, 2.0]


def test_nan_in_the_file_is_no_data(bigwig, genome):
    file = bigwig([("chr1", 10, 12, float("nan")), ("chr1", 12, 14, 4.0)])
    assert Tracks([Track("a", file, 1.0)], genome).means("a", regions_of((0, 10, 14, 1))) == [2.5]


@pytest.fixture
def long_track(bigwig):
    """Random steps on two contigs, longer than a neighbourhood, with gaps, as dense truth too."""
    lengths = {"x": NEIGHBOURHOOD + 200_000, "y": 300_000}
    rng = np.random.default_rng(3)
    entries, truth = [], {}
    for name, length in lengths.items():
        edges = np.unique(rng.integers(0, length, 4_000))
        values = rng.normal(size=len(edges) - 1).astype(np.float32)
        truth[name] = np.full(length, 7.0, np.float32)
        for start, end, value in list(zip(edges, edges[1:], values, strict=False))[::2]:
            entries.append((name, int(start), int(end), float(value)))
            truth[name][start:end] = value
    genome = genome_of(lengths)
    return Tracks([Track("a", bigwig(entries, lengths), 7.0)], genome), list(truth.values())


def windows_of(tracks, n, width, seed=4):
    rng = np.random.default_rng(seed)
    contig = rng.integers(0, 2, n).astype(np.int32)
    start = (rng.random(n) * (tracks.genome.lengths[contig] - width)).astype(np.int64)
    return Regions(contig, start, start + width, rng.choice([-1, 1], n).astype(np.int8))


@pytest.mark.parametrize("n", [20, 1_000])
def test_windows_equal_the_dense_truth(long_track, n):
    tracks, truth = long_track
    regions = windows_of(tracks, n, 1_000)
    rows = zip(*regions, strict=True)
    expected = np.array([truth[c][s:e][::direction] for c, s, e, direction in rows])
    assert (tracks.values(regions)[:, 0] == expected).all()
    np.testing.assert_allclose(
        tracks.means("a", regions), expected.mean(axis=1, dtype=float), rtol=0, atol=1e-12
    )


def test_results_do_not_depend_on_order_or_company(long_track):
    tracks, _ = long_track
    regions = windows_of(tracks, 600, 777)
    means, values = tracks.means("a", regions), tracks.values(regions)
    order = np.random.default_rng(5).permutation(600)
    for rows in (order, order[:13], order[:1]):
        some = Regions(*(column[rows] for column in regions))
        assert (tracks.means("a", some) == means[rows]).all()
        assert (tracks.values(some) == values[rows]).all()


def test_nested_and_repeated_regions_of_several_widths(long_track):
    tracks, truth = long_track
    rows = [(0, 5_000, 90_000, 1), (0, 6_000, 6_001, 1), (0, 89_000 + GAP, 120_000, 1)]
    rows += [(0, 5_000, 5_010, -1), (0, 6_000, 6_001, 1)]
    expected = [truth[c][s:e].mean(dtype=float) for c, s, e, _ in rows]
    np.testing.assert_allclose(tracks.means("a", regions_of(*rows)), expected, rtol=1e-12)


def test_reversed_strand_is_reversed_signal(long_track):
    tracks, _ = long_track
    forward = windows_of(tracks, 50, 300)._replace(strand=np.ones(50, np.int8))
    backward = forward._replace(strand=-forward.strand)
    values = tracks.values(forward)
    assert (tracks.values(backward) == values[:, :, ::-1]).all()
    assert (values != values[:, :, ::-1]).any()
    assert (tracks.means("a", backward) == tracks.means("a", forward)).all()


def test_pickle_reads_the_same(tracks):
    regions = regions_of((0, 8, 12, 1))
    before = tracks.means("a", regions)
    assert pickle.loads(pickle.dumps(tracks)).means("a", regions) == before


def test_close_then_read_again(tracks):
    regions = regions_of((0, 8, 12, 1))
    before = tracks.values(regions)
    tracks.close()
    assert (tracks.values(regions) == before).all()


def test_files_are_opened_lazily_and_once(tracks, monkeypatch):
    opened = []
    real = pyBigWig.open
    monkeypatch.setattr(pyBigWig, "open", lambda path: opened.append(path) or real(path))
    assert opened == []
    for _ in range(3):
        tracks.means("a", regions_of((0, 8, 12, 1)))
    assert len(opened) == 1


def test_another_process_opens_its_own_file(tracks, monkeypatch):
    tracks.means("a", regions_of((0, 8, 12, 1)))
    mine = tracks._open["a"]
    monkeypatch.setattr("os.getpid", lambda: -1)
    assert tracks.means("a", regions_of((0, 8, 12, 1))) == [0.75]
    assert tracks._open["a"] is not mine
    tracks.close()
    assert mine.chroms() == LENGTHS  # still open for the process that owns it


def _forked(tracks, queue):
    queue.put(tracks.means("a", regions_of((1, 0, 50, 1))).tolist())


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_fork_reads_the_same(tracks):
    tracks.means("a", regions_of((0, 8, 12, 1)))
    context = multiprocessing.get_context("fork")
    queue = context.SimpleQueue()
    process = context.Process(target=_forked, args=(tracks, queue))
    process.start()
    process.join(20)
    assert process.exitcode == 0
    assert queue.get() == [2.0]


# errors


def test_two_tracks_of_one_name(genome):
    with pytest.raises(InputError, match="two tracks have the name 'a'"):
        Tracks([Track("a", "1.bw", 0.0), Track("a", "2.bw", 0.0)], genome)


@pytest.mark.parametrize("missing", [float("nan"), float("inf")])
def test_missing_that_is_no_number(genome, missing):
    with pytest.raises(InputError, match=r"track 'a': missing is .*expected a finite number"):
        Tracks([Track("a", "1.bw", missing)], genome)


def test_unknown_track(tracks, genome):
    with pytest.raises(InputError, match="no track 'aa' among a, b; did you mean 'a'"):
        tracks.means("aa", regions_of((0, 8, 12, 1)))
    with pytest.raises(InputError, match="no track 'a'"):
        Tracks([], genome).means("a", regions_of((0, 8, 12, 1)))


def failing_file(path, genome):
    tracks = Tracks([Track("a", str(path), 0.0)], genome)
    with pytest.raises(InputError) as caught:
        tracks.check(["chr1"])
    message = str(caught.value)
    assert message.startswith(f"track 'a': {path}: ")
    assert "\n" not in message
    return message


def test_missing_file(tmp_path, genome):
    assert "no such file" in failing_file(tmp_path / "none.bw", genome)


def test_folder(tmp_path, genome):
    assert "cannot be read" in failing_file(tmp_path, genome)


@pytest.mark.parametrize(
    "content", [b"", b"fixedStep chrom=chr1 start=1\n1\n", b"\x1f\x8b\x08\x00"]
)
def test_not_a_bigwig(tmp_path, genome, content):
    path = tmp_path / "t.bw"
    path.write_bytes(content)
    assert "not a bigWig file" in failing_file(path, genome)


def test_bigbed(tmp_path, genome):
    path = tmp_path / "t.bb"
    path.write_bytes(struct.pack("<I", 0x8789F2EB) + bytes(100))
    assert "is a bigBed file" in failing_file(path, genome)


@pytest.mark.parametrize("size", [4, 31, 64, 300, 480, 500])
def test_file_that_is_cut_off(bigwig, tmp_path, genome, size):
    path = tmp_path / "cut.bw"
    shutil.copyfile(bigwig(), path)
    with path.open("r+b") as file:
        file.truncate(size)
    assert "is the bigWig file cut off?" in failing_file(path, genome)


def test_data_that_are_damaged(bigwig, tmp_path, genome):
    path = tmp_path / "damaged.bw"
    shutil.copyfile(bigwig(), path)
    with path.open("r+b") as file:
        file.seek(16)
        (data,) = struct.unpack("<Q", file.read(8))
        file.seek(data + 8)
        file.write(b"\xff" * 20)
    tracks = Tracks([Track("a", str(path), 0.0)], genome)
    with pytest.raises(InputError, match=r"chr1:8-12 cannot be read; is the file damaged"):
        tracks.means("a", regions_of((0, 8, 12, 1)))


def test_unknown_contig_with_prefix_hint(bigwig, genome):
    lengths = {"1": 100, "2": 50, "3": 9, "4": 9}
    file = bigwig([("1", 0, 5, 1.0)], lengths)
    tracks = Tracks([Track("a", file, 0.0)], genome)
    expected = r"no contig 'chr1' \(4 there: 1, 2, 3, …\); did you mean '1'\? .*prefix 'chr'"
    with pytest.raises(InputError, match=expected):
        tracks.check(["chr1"])
    with pytest.raises(InputError, match=expected):
        tracks.values(regions_of((0, 8, 12, 1)))


def test_contig_that_the_genome_lacks(tracks):
    with pytest.raises(InputError, match="chromosome 'chr9' is not in the genome"):
        tracks.check(["chr9"])


def test_contig_of_another_length(bigwig):
    tracks = Tracks([Track("a", bigwig(), 0.0)], genome_of({"chr1": 100, "chr2": 51}))
    tracks.check(["chr1"])
    with pytest.raises(InputError, match=r"chr2 has 50 bp, but 51 bp in the genome; .*assembly"):
        tracks.check(["chr1", "chr2"])
    with pytest.raises(InputError, match="chr2 has 50 bp, but 51"):
        tracks.means("a", regions_of((1, 0, 5, 1)))


def test_window_without_data(bigwig, genome):
    tracks = Tracks([Track("a", bigwig(), None)], genome)
    regions = regions_of((0, 12, 16, 1), (0, 20, 24, 1))
    place = r"track 'a': .*no data at chr1:22 \(0-based\), in the region chr1:20-24; set missing"
    for read in (tracks.values, lambda r: tracks.means("a", r)):
        with pytest.raises(InputError, match=place):
            read(regions)


@pytest.mark.parametrize("sign", [1, -1])
def test_infinite_value(bigwig, genome, sign):
    infinity = sign * float("inf")
    file = bigwig([("chr1", 10, 12, 1.0), ("chr1", 30, 31, infinity), ("chr1", 33, 34, -infinity)])
    tracks = Tracks([Track("a", file, 0.0)], genome)
    place = r"track 'a': .*infinite value at chr1:30 \(0-based\), in the region chr1:28-34"
    for read in (tracks.values, lambda r: tracks.means("a", r)):
        with pytest.raises(InputError, match=place):
            read(regions_of((0, 8, 14, 1), (0, 28, 34, -1)))
    # infinite values between the windows hurt nobody
    assert tracks.means("a", regions_of((0, 8, 12, 1), (0, 40, 44, 1))).tolist() == [0.5, 0.0]


def test_several_widths(tracks):
    with pytest.raises(InputError, match="regions of 4 to 5 bp, expected one width"):
        tracks.values(regions_of((0, 8, 12, 1), (0, 8, 13, 1)))


@pytest.mark.parametrize("row", [(1, 48, 52, 1), (1, -2, 2, 1), (1, 4, 4, 1)])
def test_regions_outside(tracks, row):
    expected = (
        f"1 regions of chr2 are empty or reach over its end, the first chr2:{row[1]}-{row[2]}"
    )
    with pytest.raises(InputError, match=expected):
        tracks.means("a", regions_of((1, 0, 4, 1), row))


@pytest.mark.real
def test_real_track(real_data):
    genome = read_genome(real_data / "genome" / "hg38.chr22_partial.fa.gz")
    path = str(real_data / "signal" / "MCF7_accessibility.hg38.chr22.bw")
    starts, _ = available_starts(genome, 1_024)
    regions = random_regions(starts, 500, 1_024, np.random.default_rng(1))
    with Tracks([Track("MCF-7", path, 0.0)], genome) as tracks:
        tracks.check(["chr22"])
        means = tracks.means("MCF-7", regions)
        values = tracks.values(regions)
    file = pyBigWig.open(path)
    sums = [
        file.stats("chr22", int(start), int(end), type="sum", exact=True)[0] or 0.0
        for start, end in zip(regions.start, regions.end, strict=True)
    ]
    file.close()
    np.testing.assert_allclose(means, np.array(sums) / 1_024, rtol=1e-9)
    np.testing.assert_allclose(values[:, 0].mean(axis=1, dtype=float), means, rtol=1e-12)
    assert means.max() > 1 > means.min() >= 0
