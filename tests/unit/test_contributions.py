from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from tests.unit.networks import Constant, room_for
from tpcav_core.attributions import attribute
from tpcav_core.attributions import average as attributions_average
from tpcav_core.baselines import Baselines
from tpcav_core.basis import Scaling, embed
from tpcav_core.concept_span import Restriction, span
from tpcav_core.contributions import LayerPairs, Share, contribute
from tpcav_core.errors import InputError
from tpcav_core.explain import RegionPairs
from tpcav_core.imports import load_object
from tpcav_core.inputs import input_adapter
from tpcav_core.regions import Regions
from tpcav_core.starts import available_starts
from tpcav_core.strands import StrandAverage
from tpcav_core.targets import Pairs, pair_with_random

WINDOW = 64


@pytest.fixture
def model(toy_network):
    return load_object(f"{toy_network}:build", "factory")().eval().requires_grad_(False)


@pytest.fixture
def pairs(toy_genome):
    starts, _ = available_starts(toy_genome, WINDOW, block_length=10**6)
    return pair_with_random(20, starts, WINDOW, 1, "t")


def seeded(build, *arguments):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(3)
        return build(*arguments).eval().requires_grad_(False)


class Signal:
    """Signal of two tracks, for regions anywhere; the same base has the same value always."""

    def values(self, regions):
        position = regions.start[:, None] + np.arange(WINDOW)
        found = np.stack([np.sin(position), np.cos(position / 3)], axis=1).astype(np.float32)
        reverse = regions.strand < 0
        found[reverse] = found[reverse, :, ::-1]
        return found


def source(genome, pairs, inputs="one_hot"):
    tracks = Signal() if "tracks" in inputs else None
    return RegionPairs(genome, pairs, input_adapter(inputs), tracks)


def at_layer(model, layer, pairs_source, method="deeplift"):
    sides = next(pairs_source.batches(pairs_source.size))
    found = attribute(model, layer, *sides, method=method)
    return LayerPairs(found.multipliers, found.activations, found.baseline_activations), found


def scaling_of(d, seed=0):
    rng = np.random.default_rng(seed)
    return Scaling(rng.normal(size=d).astype("f4"), rng.uniform(0.2, 3, d).astype("f4"))


def cavs_of(d, c=3, seed=1):
    return np.random.default_rng(seed).normal(size=(c, d))


def run(model, layer, pairs_source, known, restriction, inputs="one_hot", **options):
    options = {"method": "deeplift", "batch_size": 7, **options}
    return contribute(model, layer, inputs, pairs_source, Share(known, restriction), **options)


# the span of concepts at the layer


@pytest.mark.parametrize("k", [0, 1, 5, 12])
def test_the_restriction_is_that_of_the_embedding_for_every_basis(k):
    d, rng = 12, np.random.default_rng(k)
    scaling, cavs, m = scaling_of(d), cavs_of(d), rng.normal(size=(6, d))
    v = np.linalg.qr(rng.normal(size=(d, d)))[0][:, :k]
    v = v * rng.choice([-1, 1], k)  # the sign of components is arbitrary
    j = np.vstack([v.T, np.eye(d) - v @ v.T])
    np.testing.assert_allclose(j.T @ j, np.eye(d), atol=1e-12)
    m_z = m * scaling.std
    q = np.linalg.qr(embed(cavs, v).T)[0]
    by_chain_rule = np.concatenate([m_z @ v, m_z], axis=1)
    for m_e in (by_chain_rule, embed(m_z, v)):
        np.testing.assert_allclose(m_e @ j, m_z, atol=1e-12)  # either makes the whole exact
        wanted = (m_e @ q @ q.T @ j) / scaling.std
        found = Restriction(span(cavs), scaling).apply(m)
        np.testing.assert_allclose(found, wanted, atol=1e-10)
        rest = (m_e @ (np.eye(k + d) - q @ q.T) @ j) / scaling.std
        found = Restriction(span(cavs), scaling, complement=True).apply(m)
        np.testing.assert_allclose(found, rest, atol=1e-10)


def test_part_and_complement_make_the_whole_and_everything_is_the_whole():
    d = 10
    scaling, m = scaling_of(d), np.random.default_rng(0).normal(size=(5, d))
    part, rest = (Restriction(span(cavs_of(d)), scaling, c).apply(m) for c in (False, True))
    np.testing.assert_allclose(part + rest, m, rtol=1e-12)
    everything = Restriction(span(cavs_of(d, 15)), scaling).apply(m)
    np.testing.assert_allclose(everything, m, rtol=1e-10)


def test_dependent_directions_and_lengths_change_nothing():
    cavs = cavs_of(9, 3)
    dependent = np.vstack([5 * cavs, cavs[0] - 2 * cavs[1], np.zeros(9)])
    q, other = span(cavs), span(dependent)
    assert other.shape == (9, 3)
    np.testing.assert_allclose(q.T @ q, np.eye(3), atol=1e-12)
    np.testing.assert_allclose(other @ other.T, q @ q.T, atol=1e-10)


def test_concepts_without_a_direction_are_an_error():
    with pytest.raises(InputError, match="the CAVs of all 2 concepts are zero"):
        span(np.zeros((2, 5)))


# from the layer to the input


@pytest.mark.parametrize("layer", ["0", "1", "2", "4", "5"])
def test_contributions_of_a_cnn_sum_to_the_score(model, toy_genome, pairs, layer):
    regions = source(toy_genome, pairs)
    known, _ = at_layer(model, layer, regions)
    d = known.multipliers.shape[1]
    restriction = Restriction(span(cavs_of(d)), scaling_of(d))
    result, method = run(model, layer, regions, known, restriction)
    assert method == "deeplift"
    assert np.abs(result.score).mean() > 1e-3
    assert result.relative_error() < 1e-4
    total = result.contributions.sum(axis=1)
    np.testing.assert_allclose(total, result.score, atol=1e-4 * np.abs(result.score).mean())


def test_the_whole_is_the_change_of_the_output(model, toy_genome, pairs):
    regions = source(toy_genome, pairs)
    known, found = at_layer(model, "4", regions)
    result, _ = run(model, "4", regions, known, Restriction(span(np.eye(8)), scaling_of(8)))
    change = found.output.astype(float) - found.baseline_output
    np.testing.assert_allclose(result.contributions.sum(axis=1), change, atol=1e-5)


def test_part_and_complement_make_the_whole_at_the_input(model, toy_genome, pairs):
    regions = source(toy_genome, pairs)
    known, _ = at_layer(model, "2", regions)
    d = known.multipliers.shape[1]
    basis, scaling = span(cavs_of(d)), scaling_of(d)
    part, rest, whole = (
        run(model, "2", regions, known, restriction, hypothetical=True)[0]
        for restriction in (
            Restriction(basis, scaling),
            Restriction(basis, scaling, complement=True),
            Restriction(np.zeros((d, 1)), scaling, complement=True),
        )
    )
    for name in ("contributions", "hypothetical", "score"):
        left = getattr(part, name) + getattr(rest, name)
        np.testing.assert_allclose(left, getattr(whole, name), atol=1e-5)


def test_the_complement_of_everything_is_nothing_and_no_error(model, toy_genome, pairs):
    regions = source(toy_genome, pairs)
    known, found = at_layer(model, "4", regions)
    everything = Restriction(span(cavs_of(8, 12)), scaling_of(8), complement=True)
    result, method = run(model, "4", regions, known, everything)
    assert method == "deeplift"
    size = np.abs(found.output - found.baseline_output).mean()
    assert np.abs(result.contributions).max() < 1e-5 * size


class Smooth(nn.Module):
    def __init__(self, act=nn.functional.gelu):
        super().__init__()
        self.act = act
        self.conv = nn.Conv1d(4, 8, 7, padding=3)
        self.mix = nn.Conv1d(8, 5, 3, padding=1)
        self.last = nn.Linear(5, 1)

    def forward(self, x):
        return self.last(self.act(self.mix(self.act(5 * self.conv(x)))).mean(-1))


@pytest.mark.parametrize("method", ["deeplift", "integrated_gradients"])
def test_contributions_of_a_gelu_network_sum_to_the_score(toy_genome, pairs, method):
    smooth, regions = seeded(Smooth), source(toy_genome, pairs)
    known, _ = at_layer(smooth, "mix", regions, method)
    d = known.multipliers.shape[1]
    restriction = Restriction(span(cavs_of(d)), scaling_of(d))
    result, used = run(smooth, "mix", regions, known, restriction, method=method)
    assert used == method
    assert result.relative_error() <= (0.01 if method == "integrated_gradients" else 1e-4)


def bent(t):
    """A function that DeepLIFT has no rule for."""
    return torch.hypot(t, torch.ones(()))


@pytest.mark.parametrize("method", ["auto", "integrated_gradients"])
def test_integrated_gradients_where_deeplift_is_not_complete(toy_genome, pairs, method, caplog):
    smooth, regions = seeded(Smooth, bent), source(toy_genome, pairs)
    known, _ = at_layer(smooth, "mix", regions, "integrated_gradients")
    d = known.multipliers.shape[1]
    restriction = Restriction(span(cavs_of(d)), scaling_of(d))
    with caplog.at_level("INFO"):
        result, used = run(smooth, "mix", regions, known, restriction, method=method)
    assert used == "integrated_gradients"
    assert ("DeepLIFT is not complete" in caplog.text) == (method == "auto")
    assert result.relative_error() <= 0.01


def test_deeplift_asked_for_where_it_is_not_complete_is_an_error_unless_forced(toy_genome, pairs):
    smooth, regions = seeded(Smooth, bent), source(toy_genome, pairs)
    known, _ = at_layer(smooth, "mix", regions, "integrated_gradients")
    d = known.multipliers.shape[1]
    given = (smooth, "mix", regions, known, Restriction(span(cavs_of(d)), scaling_of(d)))
    with pytest.raises(InputError, match=r"deeplift is not complete.*attributions\.method to auto"):
        run(*given, method="deeplift")
    forced, used = run(*given, method="deeplift", force=True)
    assert used == "deeplift"
    assert forced.relative_error() > 0.01


def test_what_is_not_complete_is_an_error_unless_forced(toy_genome, pairs, monkeypatch):
    monkeypatch.setattr("tpcav_core.path_steps.STEPS", (1,))
    smooth, regions = seeded(Smooth), source(toy_genome, pairs)
    known, _ = at_layer(smooth, "mix", regions, "integrated_gradients")
    d = known.multipliers.shape[1]
    given = (smooth, "mix", regions, known, Restriction(span(cavs_of(d)), scaling_of(d)))
    expected = "not complete between the input and layer 'mix'.*attributions.force"
    with pytest.raises(InputError, match=expected):
        run(*given, method="integrated_gradients", tolerance=1e-5)
    forced, _ = run(*given, method="integrated_gradients", tolerance=1e-5, force=True)
    assert forced.relative_error() > 1e-5


@pytest.mark.parametrize("method", ["deeplift", "gradient"])
def test_what_does_not_fit_the_memory_goes_in_parts(model, toy_genome, pairs, method):
    regions = source(toy_genome, pairs)
    known, _ = at_layer(model, "2", regions)
    d = known.multipliers.shape[1]
    given = (model, "2", regions, known, Restriction(span(cavs_of(d)), scaling_of(d)))
    options = {"method": method, "hypothetical": True}
    whole, _ = run(*given, **options)
    with room_for(3, model):
        parts, _ = run(*given, **options)
    for left, right in zip(parts, whole, strict=True):
        np.testing.assert_allclose(left, right, rtol=1e-4, atol=1e-5)


def test_gradients_are_those_of_autograd(model, toy_genome, pairs):
    regions = source(toy_genome, pairs)
    known, _ = at_layer(model, "4", regions, "gradient")
    restriction = Restriction(span(cavs_of(8)), scaling_of(8))
    pairs = pairs._replace(targets=pairs.targets._replace(strand=np.ones(20, np.int8)))
    regions = source(toy_genome, pairs)
    result, used = run(model, "4", regions, known, restriction, method="gradient")
    assert used == "gradient"
    (x,), (b,) = next(regions.batches(20))
    x = x.clone().requires_grad_()
    weights = torch.from_numpy(Share(known, restriction).of(slice(None))[0])
    (gradient,) = torch.autograd.grad((model[:5](x) * weights).sum(), x)
    wanted = (gradient * (x - b)).sum(dim=1).detach().numpy()
    np.testing.assert_allclose(result.contributions, wanted, atol=1e-6)


@pytest.mark.parametrize("method", ["deeplift", "integrated_gradients", "gradient"])
def test_a_constant_network_gives_zeros(toy_genome, pairs, method):
    constant, regions = seeded(Constant), source(toy_genome, pairs)
    known, _ = at_layer(constant, "layer", regions, method)
    d = known.multipliers.shape[1]
    restriction = Restriction(span(cavs_of(d)), scaling_of(d))
    options = {"method": method, "hypothetical": True}
    result, _ = run(constant, "layer", regions, known, restriction, **options)
    assert (result.contributions == 0).all()
    assert (result.hypothetical == 0).all()
    assert (result.completeness_error == 0).all()


def test_the_model_is_left_as_it_was(model, toy_genome, pairs):
    regions = source(toy_genome, pairs)
    known, _ = at_layer(model, "2", regions)
    before = {name: set(vars(module)) for name, module in model.named_modules()}
    assert not any(parameter.grad is not None for parameter in model.parameters())
    d = known.multipliers.shape[1]
    run(model, "2", regions, known, Restriction(span(cavs_of(d)), scaling_of(d)))
    assert {name: set(vars(module)) for name, module in model.named_modules()} == before
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in model.modules())


class Nested(nn.Module):
    """A layer that returns a tuple, and one that is called twice."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv1d(4, 6, 7)
        self.pair = Pair()
        self.twice = nn.Linear(6, 6)
        self.last = nn.Linear(6, 1)

    def forward(self, x):
        y = self.pair(self.conv(x))[0].mean(-1)
        return self.last(torch.relu(self.twice(torch.relu(self.twice(y)))))


class Pair(nn.Module):
    def forward(self, x):
        return torch.relu(x), x.shape


@pytest.mark.parametrize(("layer", "d"), [("pair", 6 * 58), ("twice@1", 6), ("twice@2", 6)])
def test_layers_with_tuples_and_several_calls(toy_genome, pairs, layer, d):
    net, regions = seeded(Nested), source(toy_genome, pairs)
    known, found = at_layer(net, layer, regions)
    whole = Restriction(np.zeros((d, 1)), scaling_of(d), complement=True)
    result, used = run(net, layer, regions, known, whole)
    change = found.output.astype(float) - found.baseline_output
    assert used == "deeplift"
    np.testing.assert_allclose(result.contributions.sum(axis=1), change, atol=1e-5)


# order, orientation, inputs


@pytest.mark.parametrize("batch_size", [1, 20, 64])
def test_regions_in_another_order_give_the_same(model, toy_genome, pairs, batch_size):
    order = np.random.default_rng(0).permutation(20)
    other = Pairs(*(side.take(order) for side in pairs))
    restriction = Restriction(span(cavs_of(8)), scaling_of(8))
    results = []
    for each in (pairs, other):
        regions = source(toy_genome, each)
        known, _ = at_layer(model, "4", regions)
        size = 7 if each is pairs else batch_size
        options = {"hypothetical": True, "batch_size": size}
        results.append(run(model, "4", regions, known, restriction, **options)[0])
    for left, right in zip(*results, strict=True):
        np.testing.assert_allclose(left[order], right, atol=1e-6)


def flipped(regions, sign):
    strand = np.full(len(regions.start), sign, np.int8)
    return Regions(regions.contig, regions.start, regions.end, strand)


@pytest.mark.parametrize("inputs", ["one_hot", "one_hot_stacked_tracks"])
def test_either_strand_gives_a_strand_symmetric_network_the_same_track(toy_genome, pairs, inputs):
    channels = 6 if "tracks" in inputs else 4
    net = seeded(
        lambda: nn.Sequential(nn.Conv1d(channels, 6, 7), nn.ReLU(), Mean(), nn.Linear(6, 1))
    )
    symmetric = seeded(StrandAverage, net, inputs)
    results = []
    for sign in (1, -1):
        each = Pairs(*(flipped(side, sign) for side in pairs))
        regions = source(toy_genome, each, inputs)
        known, _ = at_layer(symmetric, "2", regions)
        assert known.multipliers.shape == (20, 12)
        whole = Restriction(span(np.eye(12)), scaling_of(12))
        results.append(run(symmetric, "2", regions, known, whole, inputs, hypothetical=True)[0])
    plus, minus = results
    for name in ("contributions", "hypothetical", "tracks", "score"):
        np.testing.assert_allclose(getattr(plus, name), getattr(minus, name), atol=1e-5)
    assert plus.relative_error() < 1e-3


class Mean(nn.Module):
    def forward(self, x):
        return x.mean(-1)


class AnyInputs(nn.Module):
    """The same network of sequence and two tracks, however they arrive."""

    def __init__(self, inputs):
        super().__init__()
        self.inputs = inputs
        self.conv, self.act = nn.Conv1d(6, 6, 7), nn.ReLU()
        self.last = nn.Linear(6, 1)

    def forward(self, *tensors):
        x = tensors[0].transpose(1, 2) if "last" in self.inputs else tensors[0]
        if len(tensors) > 1:
            x = torch.cat(tensors, dim=1)
        if x.shape[1] == 4:
            x = torch.cat([x, torch.zeros_like(x[:, :2])], dim=1)
        return self.last(self.act(self.conv(x)).mean(-1))


@pytest.mark.parametrize(
    "same",
    [("one_hot", "one_hot_channels_last"), ("one_hot_and_tracks", "one_hot_stacked_tracks")],
)
def test_every_form_of_the_inputs_gives_the_same(toy_genome, pairs, same):
    results = []
    for inputs in same:
        net, regions = seeded(AnyInputs, inputs), source(toy_genome, pairs, inputs)
        known, _ = at_layer(net, "act", regions)
        d = known.multipliers.shape[1]
        restriction = Restriction(span(cavs_of(d)), scaling_of(d))
        results.append(run(net, "act", regions, known, restriction, inputs, hypothetical=True)[0])
        assert results[-1].relative_error() < 1e-4
    for left, right in zip(*results, strict=True):
        np.testing.assert_allclose(left, right, atol=1e-6)
    tracks = results[0].tracks
    assert tracks.shape == (20, 2 if "tracks" in same[0] else 0, WINDOW)
    assert "tracks" not in same[0] or (tracks != 0).any()


def test_inputs_without_bases_are_an_error(model, toy_genome, pairs):
    regions = source(toy_genome, pairs)
    known, _ = at_layer(model, "4", regions)
    restriction = Restriction(span(cavs_of(8)), scaling_of(8))
    with pytest.raises(InputError, match=r"inputs 'own\.py:function': single bases"):
        run(model, "4", regions, known, restriction, "own.py:function")


@pytest.mark.parametrize("kind", ["regions", "shuffled", "zeros", "uniform"])
def test_against_several_baselines_contributions_are_means(model, toy_genome, pairs, kind):
    """Of an activation, so that the multipliers of all baselines are the same."""
    own = {"regions": (pairs.baselines, pairs.targets._replace(start=pairs.targets.start + 1))}
    baselines = Baselines(kind, 2, own.get(kind, ()), 1, "t")
    if kind == "regions":
        later = baselines.regions[1]
        later = later._replace(end=later.start + WINDOW)
        baselines = baselines._replace(regions=(baselines.regions[0], later))
    regions = RegionPairs(toy_genome, pairs, input_adapter("one_hot"), None, baselines)
    parts = [
        attribute(model, "4", *next(regions.batches(20, number)), method="gradient")
        for number in range(2)
    ]
    found = attributions_average(parts)
    known = LayerPairs(*(getattr(found, name) for name in LayerPairs._fields))
    restriction = Restriction(span(cavs_of(8)), scaling_of(8))
    result, method = run(model, "4", regions, known, restriction)
    assert method == "deeplift"
    assert result.relative_error() < 1e-4
    total = result.contributions.sum(axis=1)
    np.testing.assert_allclose(total, result.score, atol=1e-4 * np.abs(result.score).mean())


# hypothetical contributions


def test_the_hypothetical_contribution_of_the_base_there_is_its_contribution(
    model, toy_genome, pairs
):
    regions = source(toy_genome, pairs)
    known, _ = at_layer(model, "4", regions)
    restriction = Restriction(span(cavs_of(8)), scaling_of(8))
    codes = toy_genome.windows(pairs.targets.contig, pairs.targets.start, WINDOW)
    for correct in (False, True):
        options = {"hypothetical": True, "correct_off_simplex": correct}
        result, _ = run(model, "4", regions, known, restriction, **options)
        there = np.take_along_axis(result.hypothetical, codes[:, None].astype(int), axis=1)[:, 0]
        np.testing.assert_allclose(there, result.contributions, atol=1e-6)
        assert result.relative_error() < 1e-4  # measured before the correction
        if correct:
            np.testing.assert_allclose(result.hypothetical.mean(axis=1), 0, atol=1e-7)


def test_after_correction_the_base_of_the_baseline_does_not_matter(toy_genome, pairs):
    """Of a linear network, whose multipliers do not depend on the baseline."""
    linear = seeded(lambda: nn.Sequential(nn.Conv1d(4, 5, 7), nn.Flatten(), nn.Linear(5 * 58, 1)))
    moved = pairs.baselines._replace(start=pairs.baselines.start + 1, end=pairs.baselines.end + 1)
    results = {}
    for name, baselines in (("here", pairs.baselines), ("moved", moved)):
        regions = source(toy_genome, Pairs(pairs.targets, baselines))
        known, _ = at_layer(linear, "0", regions)
        restriction = Restriction(span(cavs_of(290)), scaling_of(290))
        for correct in (False, True):
            options = {"correct_off_simplex": correct}
            found, _ = run(linear, "0", regions, known, restriction, **options)
            results[name, correct] = found.contributions
    assert not np.allclose(results["here", False], results["moved", False], atol=1e-4)
    np.testing.assert_allclose(results["here", True], results["moved", True], atol=1e-5)


# known truth


def test_contributions_gather_at_the_motif_a_network_reads(toy_genome, pairs):
    """Two motifs move the output; the direction of one is followed, and only its site shows."""
    first, second = "ACGTTGCA", "GGATCCTT"
    net = nn.Sequential(nn.Conv1d(4, 2, 8), nn.ReLU(), nn.AdaptiveMaxPool1d(1), nn.Flatten())
    net.append(nn.Linear(2, 1))
    with torch.no_grad():
        for row, word in enumerate((first, second)):
            letters = np.array(["ACGT".index(letter) for letter in word])
            net[0].weight[row] = torch.from_numpy(np.eye(4)[letters].T * 2 - 1).float()
        net[0].bias[:] = -5
        net[4].weight[:] = torch.tensor([[1.0, 2.0]])
    net = net.eval().requires_grad_(False)

    def planted(codes):
        codes = codes.copy()
        for word, place in ((first, 10), (second, 40)):
            codes[:, place : place + 8] = ["ACGT".index(letter) for letter in word]
        return codes

    class Planted(RegionPairs):
        def batches(self, size, number=0):
            for targets, baselines in super().batches(size, number):
                codes = targets[0].argmax(dim=1).numpy().astype(np.uint8)
                yield input_adapter("one_hot")(planted(codes)), baselines

    plus = Pairs(*(flipped(side, 1) for side in pairs))
    regions = Planted(toy_genome, plus, input_adapter("one_hot"))
    known, _ = at_layer(net, "3", regions)
    shares = []
    for complement in (False, True):
        direction = Restriction(span(np.array([[1.0, 0.0]])), scaling_of(2), complement)
        found, _ = run(net, "3", regions, known, direction)
        size = np.abs(found.contributions).sum(axis=0)
        shares.append([size[10:18].sum() / size.sum(), size[40:48].sum() / size.sum()])
        assert (found.score > 0).all()
    assert shares[0][0] > 0.9
    assert shares[1][1] > 0.9
