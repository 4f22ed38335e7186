from __future__ import annotations

import argparse
import json
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from tests.conftest import made_once
from tpcav_core.attributions import attribute
from tpcav_core.commands import demo as command
from tpcav_core.demo import model, simulation, training
from tpcav_core.demo.genome import Shape, simulate_genome, write_fasta
from tpcav_core.errors import InputError
from tpcav_core.genome import decode, read_genome, reverse_complement
from tpcav_core.motifs import read_meme
from tpcav_core.planting import plant, sample_sites

CONFIG = Path(__file__).resolve().parents[2] / "config" / "demo"
SMALL = Shape(lengths={"chr1": 120_000, "chr2": 80_000, "chr3": 60_050})


@pytest.fixture(scope="module")
def roles():
    return simulation.read_roles(CONFIG / "roles.tsv", read_meme(CONFIG / "motifs.meme"))


@pytest.fixture(scope="module")
def simulated(roles):
    return simulation.simulate(roles, SMALL, model.WINDOW, seed=3)


def cpg_ratio(codes):
    first, second = codes[:-1], codes[1:]
    pairs = ((first == 1) & (second == 2)).sum()
    return pairs * (codes < 4).sum() / ((codes == 1).sum() * (codes == 2).sum())


def similarity(one, other, overlap=6):
    """Highest cosine of two PWMs less uniform bases, over shifts and strands."""
    best = -1.0
    for turned in (other, other[::-1, ::-1]):
        for shift in range(overlap - len(turned), len(one) - overlap + 1):
            start, end = max(0, shift), min(len(one), shift + len(turned))
            a, b = one[start:end] - 0.25, turned[start - shift : end - shift] - 0.25
            best = max(best, (a * b).sum() / np.sqrt((a * a).sum() * (b * b).sum()))
    return best


def test_composition_is_like_human_dna():
    genome, masked = simulate_genome(Shape(), np.random.default_rng(0))
    codes = genome.codes
    known = codes < 4
    assert abs(cpg_ratio(codes) - 0.22) < 0.02
    assert abs(1 - known.mean() - 0.05) < 0.001
    assert abs(masked.sum() / known.sum() - 0.40) < 0.02
    assert not masked[~known].any()
    base = np.bincount(codes[known]) / known.sum()
    np.testing.assert_allclose(base, base[::-1], atol=0.003)  # the two strands are alike
    pieces = codes[: len(codes) // 20_000 * 20_000].reshape(-1, 20_000)
    pieces = pieces[(pieces < 4).all(axis=1)]
    gc = np.isin(pieces, (1, 2)).mean(axis=1)
    assert 0.33 < gc.min() < 0.38
    assert 0.48 < gc.max() < 0.57
    steps = np.isin(pieces.reshape(len(pieces), 4, -1), (1, 2)).mean(axis=2)
    assert np.abs(np.diff(steps, axis=1)).max() < 0.06  # varies smoothly


def test_gc_content_varies_far_more_than_by_chance():
    genome, _ = simulate_genome(Shape({"chr1": 1_000_000}), np.random.default_rng(1))
    pieces = genome.codes.reshape(-1, 20_000)
    gc = np.isin(pieces[(pieces < 4).all(axis=1)], (1, 2)).mean(axis=1)
    assert gc.std() > 5 * np.sqrt(0.24 / 20_000)


def test_unknown_runs_are_telomeres_a_centromere_and_short_gaps():
    genome, _ = simulate_genome(SMALL, np.random.default_rng(2))
    for number, length in enumerate(genome.lengths):
        runs = genome.unknown[genome.unknown[:, 0] == number, 1:]
        assert len(runs) == 8
        assert (runs[0, 0], runs[-1, 1]) == (0, length)
        assert (runs[:, 1] - runs[:, 0]).max() > 0.5 * 0.05 * length


@pytest.mark.parametrize(("unknown", "masked"), [(0.02, 0.2), (0.1, 0.6)])
def test_shares_are_those_asked_for(unknown, masked):
    shape = Shape({"a": 400_000}, unknown=unknown, masked=masked)
    genome, lower = simulate_genome(shape, np.random.default_rng(4))
    assert (genome.codes == 4).mean() == pytest.approx(unknown, rel=0.01)
    assert lower.sum() / (genome.codes < 4).sum() == pytest.approx(masked, abs=0.06)


def test_fasta_holds_the_genome_and_its_soft_masking(tmp_path):
    import gzip

    genome, masked = simulate_genome(SMALL, np.random.default_rng(5))
    write_fasta(genome, masked, tmp_path / "genome.fa.gz")
    read = read_genome(tmp_path / "genome.fa.gz")
    assert read.names == genome.names
    np.testing.assert_array_equal(read.codes, genome.codes)
    text = gzip.decompress((tmp_path / "genome.fa.gz").read_bytes()).decode()
    letters = "".join(line for line in text.split("\n") if not line.startswith(">"))
    np.testing.assert_array_equal([letter.islower() for letter in letters], masked)


def test_motifs_are_alike_in_information_and_dissimilar_in_sequence(roles):
    bits = np.array([role.motif.information_content for role in roles])
    decoy = np.array([role.role == "decoy" for role in roles])
    assert len(roles) == 11
    assert ((bits > 10) & (bits < 16)).all()
    assert abs(bits[decoy].mean() - bits[~decoy].mean()) < 1
    assert all(8 <= role.motif.length <= 16 for role in roles)
    pwms = [role.motif.pwms[0] for role in roles]
    assert max(similarity(a, b) for i, a in enumerate(pwms) for b in pwms[:i]) < 0.5


def test_all_motifs_are_planted_equally_often_without_overlap(simulated, roles):
    sites = simulated.sites
    counts = np.bincount(sites.motif, minlength=len(roles))
    assert (np.abs(counts - counts.mean()) < 6 * np.sqrt(2 * counts.mean())).all()
    width = np.array([role.motif.length for role in roles])[sites.motif]
    assert (sites.start >= 0).all()
    assert (sites.start + width <= model.WINDOW).all()
    same = sites.window[1:] == sites.window[:-1]
    assert (sites.start[1:] >= sites.start[:-1] + width[:-1])[same].all()
    assert (np.diff(sites.window) >= 0).all()


def test_recorded_sites_hold_their_motif(simulated, roles):
    sites = simulated.sites
    windows = simulated.genome.windows(simulated.contig, simulated.start, model.WINDOW)
    for number, role in enumerate(roles):
        pwm = role.motif.pwms[0]
        here = sites.motif == number
        columns = sites.start[here, None] + np.arange(len(pwm))
        bases = windows[sites.window[here, None], columns]
        reverse = sites.strand[here] < 0
        bases[reverse] = reverse_complement(bases[reverse])
        found = np.stack([(bases == base).mean(axis=0) for base in range(4)], axis=1)
        assert np.abs(found - pwm).max() < 5 * np.sqrt(0.25 / here.sum())


def test_labels_follow_from_the_sites(simulated, roles):
    sites = simulated.sites
    for window in (0, 5, 17):
        motifs = sites.motif[sites.window == window]
        logit = simulation.INTERCEPT + sum(roles[number].strength for number in motifs)
        assert simulated.probability[window] == pytest.approx(1 / (1 + np.exp(-logit)))
    expected = simulated.probability.sum()
    spread = np.sqrt((simulated.probability * (1 - simulated.probability)).sum())
    assert abs(simulated.label.sum() - expected) < 4 * spread


def test_windows_hold_no_unknown_base(simulated):
    windows = simulated.genome.windows(simulated.contig, simulated.start, model.WINDOW)
    assert "N" not in decode(windows.ravel())


def test_another_seed_gives_another_genome(roles, simulated):
    other = simulation.simulate(roles, SMALL, model.WINDOW, seed=4)
    assert (other.genome.codes != simulated.genome.codes).mean() > 0.5


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("ACT1\t", "ATC1\t", "did you mean 'ACT1'"),
        ("ACT2\t", "ACT1\t", "motif 'ACT1' twice"),
        ("DEC6\tdecoy\t0\n", "", "no motif 'DEC6'"),
        ("repressor", "represor", "did you mean 'repressor'"),
        ("\t-1.7", "\t1.7", "expected a number below 0"),
        ("\t2.0", "\tstrong", "expected a number above 0"),
        ("\t2.0", "\tinf", "expected a number above 0"),
        ("strength", "effect", "columns"),
    ],
)
def test_bad_roles_are_named(tmp_path, old, new, message):
    path = tmp_path / "roles.tsv"
    text = (CONFIG / "roles.tsv").read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))
    with pytest.raises(InputError, match=message) as error:
        simulation.read_roles(path, read_meme(CONFIG / "motifs.meme"))
    assert str(error.value).startswith(str(path))
    assert "\n" not in str(error.value)


def test_missing_roles(tmp_path):
    with pytest.raises(InputError, match="no such file"):
        simulation.read_roles(tmp_path / "roles.tsv", [])


def test_motifs_that_do_not_fit_a_window(roles):
    with pytest.raises(InputError, match="do not fit into 100 bp"):
        simulation.simulate(roles, SMALL, 100, seed=1)


def test_layers_have_the_stated_shapes():
    value = torch.zeros(2, 4, model.WINDOW)
    shapes = {}
    for name, layer in model.build().named_children():
        value = layer(value)
        shapes[name] = tuple(value.shape[1:])
    assert shapes == {"conv_1": (32, 64), "conv_2": (32, 8), "dense_1": (32,), "output": (1,)}


@pytest.mark.parametrize("layer", ["conv_1.0", "conv_1", "conv_2", "dense_1"])
def test_deeplift_is_complete_at_every_layer(layer):
    network = model.build().eval()
    training._initialise(network, np.random.default_rng(1))
    codes = np.random.default_rng(2).integers(0, 4, (2, 5, model.WINDOW), dtype=np.uint8)
    inputs, baselines = (training.one_hot(half) for half in codes)
    attribution = attribute(network, layer, (inputs,), (baselines,), method="deeplift")
    assert attribution.relative_error() < 1e-4


def test_training_leaves_global_state_alone(simulated):
    windows = simulated.genome.windows(simulated.contig, simulated.start, model.WINDOW)
    threads, state = torch.get_num_threads(), torch.get_rng_state()
    training.train(windows[:128], simulated.label[:128], seed=1, epochs=1)
    assert torch.get_num_threads() == threads
    assert torch.equal(torch.get_rng_state(), state)


def run(folder, seed, epochs):
    parser = argparse.ArgumentParser()
    command.add_arguments(parser)
    words = ["--motifs", CONFIG / "motifs.meme", "--roles", CONFIG / "roles.tsv"]
    words += ["--seed", seed, "--epochs", epochs, "--output", folder]
    command.run(parser.parse_args([str(word) for word in words]))
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


@pytest.fixture
def small(monkeypatch):
    monkeypatch.setattr(command.genome, "Shape", partial(Shape, lengths=SMALL.lengths))
    monkeypatch.setattr(command, "N_PEAKS", 5)
    monkeypatch.setattr(command, "CONFIDENT", 1e-6)


@pytest.mark.usefixtures("small")
def test_same_seed_same_bytes_whatever_the_threads(tmp_path):
    threads = torch.get_num_threads()
    try:
        torch.set_num_threads(1)
        one = run(tmp_path / "one", 1, 1)
        torch.set_num_threads(2)
        two = run(tmp_path / "two", 1, 1)
    finally:
        torch.set_num_threads(threads)
    names = ["genome.fa.gz", "peaks.bed", "training.json", "truth.tsv", "weights.pt"]
    assert sorted(one) == names
    assert [name for name in names if one[name] != two[name]] == []


@pytest.mark.usefixtures("small")
def test_files_of_the_demo(tmp_path, roles):
    run(tmp_path, 2, 1)
    truth = pd.read_csv(tmp_path / "truth.tsv", sep="\t")
    assert truth["motif"].tolist() == [role.motif.label for role in roles]
    assert truth["role"].value_counts().to_dict() == {"decoy": 6, "activator": 4, "repressor": 1}
    assert (truth["sites"] > 0).all()
    figures = json.loads((tmp_path / "training.json").read_text())
    assert 0.8 < figures["auroc_best_possible"] < 1
    weights = torch.load(tmp_path / "weights.pt", weights_only=True)
    model.build().load_state_dict(weights)
    peaks = pd.read_csv(tmp_path / "peaks.bed", sep="\t", header=None)
    assert peaks.shape == (5, 6)
    assert (peaks[0] == command.HELD_OUT).all()
    assert (peaks[2] - peaks[1] == model.WINDOW).all()


@pytest.mark.usefixtures("small")
def test_too_few_peaks_are_an_error_that_leaves_nothing_behind(tmp_path, monkeypatch):
    monkeypatch.setattr(command, "N_PEAKS", 10_000)
    with pytest.raises(InputError, match="train for more"):
        run(tmp_path, 1, 1)
    assert list(tmp_path.iterdir()) == []


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    folder = made_once(tmp_path_factory, "demo", lambda new: run(new, 1, training.EPOCHS))
    network = model.build()
    network.load_state_dict(torch.load(folder / "weights.pt", weights_only=True))
    return folder, network.eval()


@pytest.mark.slow
def test_network_learned_what_can_be_learned(trained):
    figures = json.loads((trained[0] / "training.json").read_text())
    assert figures["auroc_best_possible"] < 0.97
    assert figures["auroc_held_out"] > figures["auroc_best_possible"] - 0.03


@pytest.mark.slow
def test_whole_demo_is_depleted_of_cpg_and_its_peaks_are_called(trained):
    folder, network = trained
    genome = read_genome(folder / "genome.fa.gz")
    assert 0.20 < cpg_ratio(genome.codes) < 0.30  # planted sites included
    peaks = pd.read_csv(folder / "peaks.bed", sep="\t", header=None)
    assert len(peaks) == 200
    contig = np.full(len(peaks), genome.index("chr3"))
    windows = genome.windows(contig, peaks[1].to_numpy(), model.WINDOW)
    assert (training.predict(network, windows) > 0).all()


@pytest.mark.slow
def test_planting_moves_the_output_as_the_truth_says(trained, roles):
    folder, network = trained
    genome = read_genome(folder / "genome.fa.gz")
    rng = np.random.default_rng(7)
    held_out = genome.index("chr3")
    starts = rng.integers(0, genome.lengths[held_out] - model.WINDOW, 400)
    windows = genome.windows(np.full(400, held_out), starts, model.WINDOW)
    windows = windows[(windows < 4).all(axis=1)]
    before = training.predict(network, windows)
    effect = {}
    for role in roles:
        sites = sample_sites(role.motif, len(windows), 4, model.WINDOW, rng)
        effect[role] = float((training.predict(network, plant(windows, sites)) - before).mean())
    strongest_decoy = max(abs(effect[role]) for role in roles if role.role == "decoy")
    for role in roles:
        if role.role != "decoy":
            assert np.sign(effect[role]) == np.sign(role.strength)
            assert abs(effect[role]) > 5 * strongest_decoy
