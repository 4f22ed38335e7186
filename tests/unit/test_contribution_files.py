"""What contributions are written as: bigWig, sites, logos, TF-MoDISco."""

from __future__ import annotations

import importlib.util
import re
import shutil
import subprocess
import sys
from xml.etree import ElementTree

import numpy as np
import pyarrow.parquet as pq
import pyBigWig
import pytest
import torch

from tpcav_core import files
from tpcav_core.bigwigs import write_bigwig
from tpcav_core.commands import main
from tpcav_core.commands.contribution_data import read_contributions, save_contributions
from tpcav_core.commands.contributions import method_below, read_directions
from tpcav_core.commands.vector_files import write_vectors
from tpcav_core.contribution_values import Contributions
from tpcav_core.directions import consensus
from tpcav_core.errors import InputError
from tpcav_core.genome import assemble, genome_table
from tpcav_core.logos import Logo, write_logos
from tpcav_core.probing import choose_method
from tpcav_core.regions import Regions, read_bed
from tpcav_core.sites import find_sites, rank, region_table, shown, sites_bed

LENGTHS = {"chrB": 3_000, "chrA": 500_000, "empty": 40}


@pytest.fixture(scope="module")
def genome():
    codes = np.random.default_rng(0).integers(0, 5, sum(LENGTHS.values()), dtype=np.uint8)
    return assemble(list(LENGTHS), list(LENGTHS.values()), codes)


def regions_at(places, width, strand=None):
    contig, start = np.array(places).T
    strand = np.ones(len(start), np.int8) if strand is None else np.array(strand, np.int8)
    return Regions(contig.astype(np.int32), start, start + width, strand)


def values(n, width, seed=1):
    return np.random.default_rng(seed).normal(size=(n, width)).astype(np.float32)


def read(path, name, length):
    with pyBigWig.open(str(path)) as file:
        return np.array(file.values(name, 0, length), np.float32)


# bigWig


def test_a_bigwig_read_back_is_the_array(tmp_path, genome):
    """Unsorted, at both ends of contigs, next to each other."""
    width = 50
    places = [(1, 499_950), (0, 2_950), (1, 100), (1, 0), (0, 0), (1, 150), (1, 400_000)]
    regions, array = regions_at(places, width), values(len(places), width)
    write_bigwig(tmp_path / "a.bw", genome, regions, array)
    with pyBigWig.open(str(tmp_path / "a.bw")) as file:
        assert file.chroms() == LENGTHS
    for number, name in enumerate(LENGTHS):
        wanted = np.full(LENGTHS[name], np.nan, np.float32)
        for row, (contig, start) in enumerate(places):
            if contig == number:
                wanted[start : start + width] = array[row]
        if name != "empty":
            np.testing.assert_array_equal(read(tmp_path / "a.bw", name, LENGTHS[name]), wanted)


def test_where_regions_overlap_a_bigwig_has_their_mean(tmp_path, genome):
    width = 60
    rng = np.random.default_rng(3)
    places = [(1, start) for start in rng.integers(0, 400, 30)]
    regions, array = regions_at(places, width), values(30, width)
    write_bigwig(tmp_path / "a.bw", genome, regions, array)
    covering = np.full((30, 500), np.nan)
    for row, (_, start) in enumerate(places):
        covering[row, start : start + width] = array[row]
    there = ~np.isnan(covering).all(axis=0)
    wanted = np.full(500, np.nan, np.float32)
    wanted[there] = np.nanmean(covering[:, there], axis=0)
    np.testing.assert_allclose(read(tmp_path / "a.bw", "chrA", 500), wanted, rtol=1e-6, atol=1e-7)
    order = rng.permutation(30)
    other = Regions(*(column[order] for column in regions))
    write_bigwig(tmp_path / "b.bw", genome, other, array[order])
    found = [read(tmp_path / name, "chrA", 500) for name in ("a.bw", "b.bw")]
    np.testing.assert_allclose(*found, rtol=1e-6, atol=1e-7)


def test_a_long_run_is_written_whole(tmp_path, genome):
    """Longer than a block of the format, whose counts have 16 bits."""
    array = values(1, 300_000)
    write_bigwig(tmp_path / "a.bw", genome, regions_at([(1, 1_000)], 300_000), array)
    found = read(tmp_path / "a.bw", "chrA", 302_000)
    np.testing.assert_array_equal(found[1_000:301_000], array[0])
    assert np.isnan(found[:1_000]).all()
    assert np.isnan(found[301_000:]).all()


def test_what_is_not_finite_is_not_written(tmp_path, genome):
    array = values(2, 20)
    array[0, 3:6], array[1, 0] = np.nan, np.inf
    write_bigwig(tmp_path / "a.bw", genome, regions_at([(0, 10), (0, 50)], 20), array)
    found = read(tmp_path / "a.bw", "chrB", 100)
    np.testing.assert_array_equal(found[10:30], array[0])
    assert np.isnan(found[50])
    np.testing.assert_array_equal(found[51:70], array[1, 1:])


# sites


def test_sites_are_the_largest_sums_and_never_overlap():
    array = np.zeros((3, 100), np.float32)
    array[0, 30:40], array[0, 70:80], array[0, 50] = 1, -2, 0.5
    array[1, 0] = 5
    found = find_sites(array, width=10, number=3)
    assert found.offset[0, :2].tolist() == [70, 30]
    assert found.sum[0].tolist() == [-20, 10, 0.5]
    assert found.offset[1].tolist() == [0, -1, -1]
    assert (found.offset[2] == -1).all()
    dense = find_sites(values(40, 100), width=20)
    gaps = np.diff(np.sort(dense.offset, axis=1), axis=1)
    assert (gaps >= 20).all()
    assert ((dense.offset >= 0) & (dense.offset <= 80)).all()
    for row in range(40):
        sums = [values(40, 100)[row, first : first + 20].sum() for first in range(81)]
        assert np.abs(dense.sum[row, 0]) == pytest.approx(np.abs(sums).max(), rel=1e-5)


def test_regions_shorter_than_a_site_are_one():
    found = find_sites(np.ones((2, 8), np.float32), width=20)
    assert found.width == 8
    assert found.offset.tolist() == [[0, -1, -1]] * 2


def test_regions_are_ranked_by_the_size_of_their_score(genome):
    regions = regions_at([(1, 500), (0, 0), (1, 90)], 40, [1, -1, 1])
    score, array = np.array([1.0, -3.0, 2.0]), values(3, 40)
    array[2] = 0
    table = region_table(regions, genome, score, array, np.zeros(3), find_sites(array))
    assert table["rank"].tolist() == [1, 2, 3]
    assert table["target_row"].tolist() == [1, 2, 0]
    assert table["region"].tolist() == ["chrB:0-40", "chrA:90-130", "chrA:500-540"]
    assert table["strand"].tolist() == ["-", "+", "+"]
    assert table["score"].tolist() == [-3, 2, 1]
    assert table["site_start"].isna().tolist() == [False, True, False]
    assert rank(np.array([1.0, -1.0, 1.0])).tolist() == [0, 1, 2]


def test_sites_are_a_bed_file_that_is_read_as_one(tmp_path, genome):
    regions = regions_at([(1, 500), (0, 0), (1, 90)], 60)
    array = values(3, 60)
    found = find_sites(array)
    (tmp_path / "sites.bed").write_text(sites_bed(regions, genome, found))
    back = read_bed(tmp_path / "sites.bed", genome)
    assert len(back.start) == (found.offset >= 0).sum()
    assert (back.end - back.start == 20).all()
    assert (np.diff(back.start[back.contig == 1]) >= 0).all()
    lines = [line.split("\t") for line in (tmp_path / "sites.bed").read_text().splitlines()]
    assert max(int(line[4]) for line in lines) == 1000
    for contig, start, end, name, _, strand, value in lines:
        row = ["chrA:500-560", "chrB:0-60", "chrA:90-150"].index(name)
        assert name.startswith(contig)
        assert strand == "."
        first = int(start) - int(regions.start[row])
        total = array[row, first : first + int(end) - int(start)].sum()
        assert float(value) == pytest.approx(total, rel=1e-4)


# logos

NAMES = "a <b>\"&'c $x^2_ \\ é"


def test_names_in_a_logo_are_text_and_nothing_else(tmp_path):
    rng = np.random.default_rng(0)
    logo = Logo(NAMES, rng.integers(0, 5, 60).astype(np.uint8), rng.normal(size=60), 1_000_000)
    write_logos(tmp_path / "a.svg", f"set {NAMES}", [logo, logo])
    text = (tmp_path / "a.svg").read_text()
    root = ElementTree.fromstring(text)
    tags = {element.tag.rpartition("}")[2] for element in root.iter()}
    assert not tags & {"script", "foreignObject", "a", "image", "b", "iframe"}
    assert not re.search(r"\bon[a-z]+=", text)
    shown_text = ["".join(e.itertext()) for e in root.iter() if e.tag.endswith("}text")]
    assert shown_text.count(NAMES) == 2
    assert f"set {NAMES}" in shown_text
    assert any("1000020" in each for each in shown_text)
    write_logos(tmp_path / "b.svg", f"set {NAMES}", [logo, logo])
    assert (tmp_path / "b.svg").read_bytes() == (tmp_path / "a.svg").read_bytes()


@pytest.mark.parametrize("number", [0, 1])
def test_logos_of_nothing_can_be_written(tmp_path, number):
    logos = [Logo("flat", np.full(5, 4, np.uint8), np.zeros(5), 0)] * number
    write_logos(tmp_path / "a.svg", "none", logos)
    assert "<svg" in (tmp_path / "a.svg").read_text()


def test_the_part_that_is_drawn_is_inside_and_around_the_centre():
    assert shown(60, 30) == slice(0, 60)
    assert shown(500, 3) == slice(0, 100)
    assert shown(500, 499) == slice(400, 500)
    assert shown(500, 250) == slice(200, 300)


# files


@pytest.fixture
def written(tmp_path, genome):
    """Contributions of 12 regions of 60 bp, some on the minus strand, and the genome's file."""
    rng = np.random.default_rng(5)
    regions = regions_at([(1, s) for s in rng.integers(0, 9_000, 12)], 60, [1, -1] * 6)
    hypothetical = rng.normal(size=(12, 4, 60)).astype(np.float32)
    result = Contributions(
        values(12, 60), hypothetical, np.zeros((12, 0, 60), "f4"), rng.normal(size=12), np.zeros(12)
    )
    content = {
        "targets": {name: torch.from_numpy(c) for name, c in regions._asdict().items()},
        "contigs": list(genome.names),
        "method": "deeplift",
    }
    files.write_mapped(genome_table(genome), tmp_path / "genome.arrow", "genome", {})
    save_contributions(result, content, tmp_path / "c.pt", {"set": {"name": "s"}})
    return result, regions


def test_the_step_writes_all_files(tmp_path, genome, written):
    result, regions = written
    given = ["--genome", f"{tmp_path}/genome.arrow", "--contributions", f"{tmp_path}/c.pt"]
    outputs = {"bigwig": "t.s.bw", "sites": "t.s.tsv", "bed": "t.s.bed", "svg": "t.s.svg"}
    for option, name in outputs.items():
        given += [f"--{option}", f"{tmp_path}/{name}"]
    assert main(["contribution_files", *given, "--title", NAMES, "--logos", "3"]) == 0
    table = pq.read_table(tmp_path / "t.s.parquet").to_pandas()
    assert len(table) == 12
    np.testing.assert_array_equal(table["score"], result.score[table["target_row"]])
    svg = (tmp_path / "t.s.svg").read_text()
    assert sum(name in svg for name in table["region"]) == 3
    for row in (0, 5):  # one on each strand
        start = int(regions.start[row])
        assert (np.abs(regions.start - start) < 60).sum() == 1  # nothing else is averaged in
        track = read(tmp_path / "t.s.bw", "chrA", 10_000)[start : start + 60]
        np.testing.assert_array_equal(track, result.contributions[row])
    endings = ("bw", "tsv", "parquet", "bed", "svg")
    assert {f"t.s.{ending}" for ending in endings} == {p.name for p in tmp_path.glob("t*")}


def modisco_arguments(tmp_path):
    return [
        *("--genome", f"{tmp_path}/genome.arrow", "--contributions", f"{tmp_path}/c.pt"),
        *("--sequences", f"{tmp_path}/ohe.npz", "--attributions", f"{tmp_path}/contribs.npz"),
    ]


def test_modisco_files_hold_the_plus_strand_in_both(tmp_path, genome, written):
    result, regions = written
    assert main(["modisco_files", *modisco_arguments(tmp_path)]) == 0
    ohe, contribs = (np.load(tmp_path / f"{name}.npz") for name in ("ohe", "contribs"))
    assert ohe.files == contribs.files == ["arr_0"]
    assert ohe["arr_0"].shape == contribs["arr_0"].shape == (12, 4, 60)
    codes = genome.windows(regions.contig, regions.start, 60)
    np.testing.assert_array_equal(ohe["arr_0"], codes[:, None] == np.arange(4)[:, None])
    np.testing.assert_array_equal(contribs["arr_0"], result.hypothetical)


def test_without_hypothetical_contributions_modisco_files_are_an_error(tmp_path, written, capsys):
    content = files.load_tensors(tmp_path / "c.pt", "contributions")
    del content["hypothetical"], content["tpcav"]
    files.save_tensors(content, tmp_path / "c.pt", "contributions", {})
    assert main(["modisco_files", *modisco_arguments(tmp_path)]) == 2
    assert "set hypothetical of the set to true" in capsys.readouterr().err
    assert not (tmp_path / "ohe.npz").exists()


def test_contributions_of_another_genome_are_not_read(tmp_path, written):
    other = assemble(["chrX"], [500_000], np.zeros(500_000, np.uint8))
    with pytest.raises(InputError, match="made with another genome; delete it"):
        read_contributions(tmp_path / "c.pt", other)


def test_directions_are_the_consensus_of_the_replicates_of_each_pair(tmp_path):
    rng = np.random.default_rng(0)
    weights = rng.normal(size=(3, 2, 2, 7)).astype(np.float32)
    for file in range(3):
        rows = [
            {"concept": f"c{file}", "variant": variant, "weights": weights[file, v, replicate]}
            for v, variant in enumerate(("2", "6"))
            for replicate in range(2)
        ]
        write_vectors(rows, str(tmp_path / f"{file}.parquet"), "cavs", {})
    paths = [str(tmp_path / f"{file}.parquet") for file in (2, 0, 1)]
    found = read_directions(paths, [("c1", "6"), ("c0", "2")])
    wanted = consensus(np.stack([weights[1, 1], weights[0, 0]]).astype(float))
    np.testing.assert_allclose(found, wanted, rtol=1e-12)
    with pytest.raises(InputError, match="no CAV of concept 'c1', variant '9'"):
        read_directions(paths, [("c1", "9")])


@pytest.mark.parametrize(
    ("method", "reason", "first"),
    [
        ("deeplift", "complete on a probe", "auto"),
        ("deeplift", "asked for", "deeplift"),
        ("integrated_gradients", "asked for", "integrated_gradients"),
        ("integrated_gradients", "DeepLIFT is not complete", "auto"),
        ("gradient", "asked for", "gradient"),
    ],
)
def test_the_method_below_the_layer_is_the_one_asked_for_else_auto(method, reason, first):
    assert method_below({"method": method, "reason": reason}) == first
    # the word that `choose_method` has for it
    chosen = choose_method(
        torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(4, 1)),
        "0",
        (torch.ones(2, 4),),
        (torch.zeros(2, 4),),
        method="integrated_gradients",
    )
    assert chosen.reason == "asked for"


def modisco():
    """The command of modisco-lite, or None; it is no requirement of this project."""
    if importlib.util.find_spec("modiscolite"):
        return [sys.executable, "-c", "from modiscolite.cli import cli; cli()"]
    found = shutil.which("modisco")
    return [found] if found else None


@pytest.mark.slow
@pytest.mark.skipif(modisco() is None, reason="modisco-lite is not installed (it is optional)")
def test_modisco_finds_the_motif_in_what_is_written(tmp_path):
    from tpcav_core.commands.modisco_files import save_npz

    rng = np.random.default_rng(0)
    codes = rng.integers(0, 4, (150, 400))
    word = np.array(["ACGT".index(letter) for letter in "TGACTCAGCA"])
    hypothetical = rng.normal(0, 0.01, (150, 4, 400))
    for row, place in enumerate(rng.integers(20, 370, 150)):
        codes[row, place : place + 10] = word
        hypothetical[row, :, place : place + 10] += np.eye(4)[word].T - 0.25
    one_hot = (codes[:, None] == np.arange(4)[:, None]).astype(np.int8)
    save_npz(tmp_path / "ohe.npz", one_hot)
    save_npz(tmp_path / "contribs.npz", hypothetical.astype(np.float32))
    found = [
        ["motifs", "-s", "ohe.npz", "-a", "contribs.npz", "-n", "200", "-o", "modisco.h5"],
        ["meme", "-i", "modisco.h5", "-o", "found.meme", "-t", "PFM"],
    ]
    for arguments in found:
        done = subprocess.run(
            [*modisco(), *arguments],
            cwd=tmp_path,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout
    rows = [
        [float(value) for value in line.split()]
        for line in (tmp_path / "found.meme").read_text().splitlines()
        if re.fullmatch(r"\s*([0-9.e-]+\s+){3}[0-9.e-]+\s*", line)
    ]
    consensus_found = "".join("ACGT"[int(np.argmax(row))] for row in rows)
    assert "TGACTCAGCA" in consensus_found or "TGCTGAGTCA" in consensus_found
