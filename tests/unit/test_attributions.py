from __future__ import annotations

import warnings

import numpy as np
import pytest
import torch
from captum.attr import LayerDeepLift
from captum.concept import TCAV, Classifier, Concept
from torch import nn

from tests.unit.networks import Constant, Recurrent
from tpcav_core.attributions import (
    Attribution,
    attribute,
    attribute_completely,
    concatenate,
)
from tpcav_core.errors import InputError
from tpcav_core.imports import load_object
from tpcav_core.layers import layer_output
from tpcav_core.probing import choose_method
from tpcav_core.readouts import Scalar, readout

METHODS = ["deeplift", "integrated_gradients", "gradient"]
COMPLETE = METHODS[:2]


def sequences(n=12, seed=0, length=64):
    rng = np.random.default_rng(seed)
    codes = rng.integers(0, 4, (n, length))
    return (torch.from_numpy(np.eye(4, dtype=np.float32)[codes]).transpose(1, 2).contiguous(),)


TARGETS, BASELINES = sequences(seed=0), sequences(seed=1)


def seeded(build):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(5)
        return build().eval().requires_grad_(False)


class Smooth(nn.Module):
    """A network that captum's DeepLift has no rules for."""

    def __init__(self, functional=False):
        super().__init__()
        self.functional = functional
        self.conv = nn.Conv1d(4, 8, 7, padding=3)
        self.act = nn.GELU()
        self.mix = nn.Linear(8, 6)
        self.last = nn.Linear(6, 1)

    def forward(self, x):
        y = 3 * self.conv(x)
        y = nn.functional.gelu(y) if self.functional else self.act(y)
        return self.last(nn.functional.silu(3 * self.mix(y.mean(-1) * 8)))


class Reused(nn.Module):
    def __init__(self):
        super().__init__()
        self.flat = nn.Flatten()
        self.first, self.second = nn.Linear(256, 8), nn.Linear(8, 8)
        self.last = nn.Linear(8, 1)
        self.act = nn.ReLU()

    def forward(self, x):
        return self.last(self.act(self.second(self.act(self.first(self.flat(x))))))[:, 0]


@pytest.fixture
def relu_net(toy_network):
    return load_object(f"{toy_network}:build", "factory")().eval().requires_grad_(False)


def change(result):
    return np.abs(result.output - result.baseline_output).mean()


@pytest.mark.parametrize("method", COMPLETE)
@pytest.mark.parametrize("layer", ["0", "1", "2", "4", "5"])
def test_multipliers_of_a_relu_network_are_complete(relu_net, method, layer):
    steps = {"steps": 128} if method == "integrated_gradients" else {}
    result = attribute(relu_net, layer, TARGETS, BASELINES, method=method, **steps)
    assert change(result) > 1e-3
    tolerance = 1e-4 if method == "deeplift" else 0.05
    assert result.relative_error() < tolerance
    # and completeness is what it says, computed anew
    y, y_b = (layer_output(relu_net, layer, x).numpy() for x in (TARGETS, BASELINES))
    with torch.no_grad():
        f, f_b = (relu_net(*x)[:, 0].numpy() for x in (TARGETS, BASELINES))
    total = (result.multipliers.astype(float) * (y - y_b)).sum(axis=1)
    np.testing.assert_allclose(total, f - f_b, atol=tolerance * change(result))
    np.testing.assert_array_equal(result.activations, y)
    np.testing.assert_array_equal(result.baseline_activations, y_b)
    np.testing.assert_allclose(result.output, f, rtol=1e-6)
    np.testing.assert_allclose(result.baseline_output, f_b, rtol=1e-6)


def test_the_plain_gradient_is_that_of_autograd(relu_net):
    for layer, rest in (("2", relu_net[3:]), ("4", relu_net[5:])):
        found = attribute(relu_net, layer, TARGETS, BASELINES, method="gradient", output=1)
        y = relu_net[: int(layer) + 1](*TARGETS).requires_grad_()
        (wanted,) = torch.autograd.grad(rest(y)[:, 1].sum(), y)
        np.testing.assert_allclose(found.multipliers, wanted.flatten(1).numpy(), atol=1e-6)


@pytest.mark.parametrize("method", METHODS)
def test_the_column_asked_for_is_explained(relu_net, method):
    both = [
        attribute(relu_net, "2", TARGETS, BASELINES, method=method, output=column)
        for column in (0, 1)
    ]
    with torch.no_grad():
        outputs = relu_net(*TARGETS).numpy()
    for column, result in enumerate(both):
        np.testing.assert_allclose(result.output, outputs[:, column], rtol=1e-6)
    assert not np.allclose(both[0].multipliers, both[1].multipliers, atol=1e-4)

    class Swapped(nn.Module):
        def __init__(self):
            super().__init__()
            self.net = relu_net

        def forward(self, x):
            return self.net(x).flip(1)

    swapped = attribute(Swapped(), "net.2", TARGETS, BASELINES, method=method, output=0)
    np.testing.assert_allclose(swapped.multipliers, both[1].multipliers, atol=1e-6)


def test_one_value_per_example_is_column_zero():
    model = seeded(Reused)
    found = attribute(model, "second", TARGETS, BASELINES, method="integrated_gradients")
    assert found.multipliers.shape == (12, 8)
    assert found.output.shape == (12,)


@pytest.mark.parametrize("method", METHODS)
def test_a_constant_network_gives_zeros(method):
    result = attribute(seeded(Constant), "layer", TARGETS, BASELINES, method=method)
    assert (result.multipliers == 0).all()
    assert result.relative_error() == 0
    assert (result.completeness_error == 0).all()


@pytest.mark.parametrize("method", METHODS)
def test_regions_are_explained_one_by_one(relu_net, method):
    whole = attribute(relu_net, "2", TARGETS, BASELINES, method=method)
    order = np.random.default_rng(2).permutation(12)
    mixed = attribute(relu_net, "2", (TARGETS[0][order],), (BASELINES[0][order],), method=method)
    for left, right in zip(mixed, whole, strict=True):
        np.testing.assert_allclose(left, right[order], rtol=1e-4, atol=1e-6)
    for size in (1, 5):
        parts = concatenate(
            [
                attribute(
                    relu_net,
                    "2",
                    (TARGETS[0][first : first + size],),
                    (BASELINES[0][first : first + size],),
                    method=method,
                )
                for first in range(0, 12, size)
            ]
        )
        for left, right in zip(parts, whole, strict=True):
            np.testing.assert_allclose(left, right, rtol=1e-4, atol=1e-6)


def test_a_baseline_counts_only_for_its_own_region(relu_net):
    whole = attribute(relu_net, "2", TARGETS, BASELINES)
    other = (BASELINES[0].clone(),)
    other[0][3] = TARGETS[0][4]
    changed = attribute(relu_net, "2", TARGETS, other)
    rows = np.arange(12) != 3
    np.testing.assert_allclose(changed.multipliers[rows], whole.multipliers[rows], atol=1e-6)
    assert not np.allclose(changed.multipliers[3], whole.multipliers[3], atol=1e-4)


def state(model):
    """Everything an attribution could leave behind."""
    names = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks")
    return {
        name: (
            sorted(vars(module)),
            module.training,
            getattr(module, "inplace", None),
            [len(getattr(module, hooks)) for hooks in names],
            [(p.requires_grad, p.grad is None) for p in module.parameters(recurse=False)],
            [tensor.clone().numpy().tolist() for tensor in module.state_dict().values()],
        )
        for name, module in model.named_modules()
    }


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("which", ["relu", "in place", "smooth", "reused"])
def test_model_and_inputs_are_left_as_they_were(toy_network, method, which):
    build = load_object(f"{toy_network}:build", "factory")
    model, layer = {
        "relu": lambda: (seeded(build), "2"),
        "in place": lambda: (seeded(lambda: build(inplace=True)), "0"),
        "smooth": lambda: (seeded(Smooth), "conv"),
        "reused": lambda: (seeded(Reused), "first"),
    }[which]()
    next(model.parameters()).requires_grad_(True)
    before, inputs = state(model), TARGETS[0].clone()
    attribute(model, layer, TARGETS, BASELINES, method=method)
    assert state(model) == before
    assert torch.equal(TARGETS[0], inputs)
    assert not TARGETS[0].requires_grad
    assert not BASELINES[0].requires_grad


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("layer", ["0", "4"])
def test_an_in_place_activation_after_the_layer_changes_nothing(toy_network, method, layer):
    build = load_object(f"{toy_network}:build", "factory")
    plain, inplace = (
        attribute(
            build(inplace=value).eval().requires_grad_(False),
            layer,
            TARGETS,
            BASELINES,
            method=method,
        )
        for value in (False, True)
    )
    for left, right in zip(inplace, plain, strict=True):
        np.testing.assert_array_equal(left, right)


@pytest.mark.parametrize(
    "middle",
    [
        (nn.ReLU(), nn.MaxPool1d(4)),
        (nn.MaxPool1d(4), nn.ReLU()),
        (nn.BatchNorm1d(6), nn.ReLU(), nn.MaxPool1d(4)),
        (nn.Softplus(), nn.Identity(), nn.MaxPool1d(4)),
        (nn.ELU(), nn.LeakyReLU(), nn.AvgPool1d(4)),
    ],
    ids=lambda modules: "-".join(type(module).__name__ for module in modules),
)
def test_deeplift_is_complete_where_nonlinear_modules_are_adjacent(middle):
    # captum alone errs by several times the output's change: one tensor then bears two hooks
    def build():
        last = (nn.Flatten(), nn.Linear(96, 8), nn.ReLU(), nn.Linear(8, 1))
        return nn.Sequential(nn.Conv1d(4, 6, 7, padding=3), *middle, *last)

    result = attribute(seeded(build), "0", TARGETS, BASELINES, method="deeplift")
    assert result.relative_error() < 1e-4


def test_auto_takes_deeplift_for_the_relu_network(relu_net):
    chosen = choose_method(relu_net, "2", TARGETS, BASELINES)
    assert chosen.method == "deeplift"
    assert "complete on a probe" in chosen.reason


@pytest.mark.parametrize("functional", [False, True])
def test_deeplift_is_complete_where_captum_is_silently_wrong(functional):
    model = seeded(lambda: Smooth(functional))
    # captum's hooks on tensors need gradients, which frozen parameters do not bring
    x = tuple(tensor.clone().requires_grad_() for tensor in TARGETS)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        explainer = LayerDeepLift(Scalar(model, readout(0)), model.conv, multiply_by_inputs=False)
        captum = explainer.attribute(x, baselines=BASELINES).detach().flatten(1).numpy()
    right = attribute(model, "conv", TARGETS, BASELINES, method="deeplift")
    change = right.activations.astype(float) - right.baseline_activations
    total = (captum * change).sum(axis=1)
    wrong = np.abs(total - (right.output - right.baseline_output)).max()
    assert wrong > 0.05 * np.abs(right.output - right.baseline_output).mean()
    assert right.relative_error() < 1e-4
    assert choose_method(model, "conv", TARGETS, BASELINES).method == "deeplift"


def test_auto_takes_integrated_gradients_where_deeplift_has_no_rule():
    model = seeded(Recurrent)
    wrong = attribute(model, "conv", TARGETS, BASELINES, method="deeplift")
    assert wrong.relative_error() > 0.05
    chosen = choose_method(model, "conv", TARGETS, BASELINES)
    assert chosen.method == "integrated_gradients"
    assert "no rule for gru in memory" in chosen.reason
    allowed = 0.01 * chosen.output_change
    right = attribute_completely(
        model, "conv", TARGETS, BASELINES, method=chosen.method, largest_error=allowed
    )
    assert right.completeness_error.max() <= allowed
    assert right.relative_error() <= 0.01
    forced = choose_method(model, "conv", TARGETS, BASELINES, method="deeplift")
    assert (forced.method, forced.without_rule) == ("deeplift", ("gru in memory",))


def test_a_module_that_is_used_twice_is_no_obstacle():
    model = seeded(Reused)
    assert attribute(model, "first", TARGETS, BASELINES).relative_error() < 1e-4
    for call, d in (("act@1", 8), ("act@2", 8)):
        found = attribute(model, call, TARGETS, BASELINES)
        assert found.multipliers.shape == (12, d)
        assert found.relative_error() < 1e-4
        np.testing.assert_array_equal(found.activations, layer_output(model, call, TARGETS))
    with pytest.raises(InputError, match="called several times in one forward pass; name a call"):
        attribute(model, "act", TARGETS, BASELINES)
    with pytest.raises(InputError, match="layer 'act@3': called less than 3 times"):
        attribute(model, "act@3", TARGETS, BASELINES)


@pytest.mark.parametrize("method", METHODS[1:])
def test_a_method_asked_for_is_not_tried(method):
    mean = nn.Sequential(nn.Flatten(), nn.AvgPool1d(12))
    values = (torch.full((2, 12), 3.0),), (torch.zeros(2, 12),)
    assert choose_method(mean, "none", *values, method=method)[:3] == (method, "asked for", 3.0)


def test_a_network_that_branches_on_values_is_left_to_integrated_gradients():
    class Branching(nn.Module):
        def __init__(self):
            super().__init__()
            self.first, self.last = nn.Linear(3, 3), nn.Linear(3, 1)

        def forward(self, x):
            y = self.first(x)
            return self.last(y.tanh() if x.sum() > 0 else y.sigmoid())

    sides = (torch.ones(2, 3),), (-torch.ones(2, 3),)
    model = seeded(Branching)
    with pytest.raises(InputError, match="branches on values"):
        attribute(model, "first", *sides, method="deeplift")
    assert choose_method(model, "first", *sides).method == "integrated_gradients"


def test_an_unknown_layer_is_named(relu_net):
    with pytest.raises(InputError, match="layer '9'"):
        attribute(relu_net, "9", TARGETS, BASELINES)


def test_steps_are_doubled_until_a_batch_is_complete(relu_net):
    def complete(largest_error, inputs=TARGETS, baselines=BASELINES):
        return attribute_completely(
            relu_net,
            "0",
            inputs,
            baselines,
            method="integrated_gradients",
            largest_error=largest_error,
        )

    loose, fine = complete(10.0), complete(0.001)
    assert loose.completeness_error.max() > 0.001
    assert fine.completeness_error.max() <= 0.001
    coarse = attribute(relu_net, "0", TARGETS, BASELINES, method="integrated_gradients", steps=32)
    np.testing.assert_array_equal(loose.multipliers, coarse.multipliers)
    # a row's result does not depend on the rows beside it
    alone = complete(0.001, tuple(x[:1] for x in TARGETS), tuple(x[:1] for x in BASELINES))
    np.testing.assert_allclose(alone.multipliers, fine.multipliers[:1], rtol=1e-4, atol=1e-7)
    same = attribute(relu_net, "0", TARGETS, BASELINES, method="deeplift")
    through = attribute_completely(relu_net, "0", TARGETS, BASELINES, method="deeplift")
    np.testing.assert_array_equal(through.multipliers, same.multipliers)


def test_the_completeness_error_by_hand():
    result = Attribution(
        multipliers=np.array([[1.0, 2.0], [0.0, 1.0]], np.float32),
        activations=np.array([[3.0, 1.0], [1.0, 1.0]], np.float32),
        baseline_activations=np.array([[1.0, 0.0], [0.0, 0.0]], np.float32),
        output=np.array([5.0, 4.0], np.float32),
        baseline_output=np.array([1.0, 2.0], np.float32),
        completeness_error=np.array([0.0, 1.0]),
    )
    # 1·2 + 2·1 = 4 against 5 - 1; 1 against 2
    assert result.relative_error() == pytest.approx(1 / 3)
    flat = result._replace(output=result.baseline_output)
    assert flat.relative_error() == np.inf


def test_several_inputs_are_passed_on():
    class Two(nn.Module):
        def __init__(self):
            super().__init__()
            self.flat = nn.Flatten()
            self.join = nn.Linear(256 + 3, 5)
            self.act = nn.ReLU()
            self.last = nn.Linear(5, 1)

        def forward(self, x, tracks):
            return self.last(self.act(self.join(torch.cat([self.flat(x), tracks], 1))))

    generator = torch.Generator().manual_seed(0)
    tracks = [torch.randn(12, 3, generator=generator) for _ in range(2)]
    result = attribute(
        seeded(Two), "join", (*TARGETS, tracks[0]), (*BASELINES, tracks[1]), method="deeplift"
    )
    assert result.multipliers.shape == (12, 5)
    assert result.relative_error() < 1e-4


class Tokens(nn.Module):
    """Takes token ids and a mask of the tokens that are averaged."""

    def __init__(self, act=nn.ReLU):
        super().__init__()
        self.embedding = nn.Embedding(8, 5)
        self.conv = nn.Conv1d(5, 9, 3, padding=1)
        self.act = act()
        self.dense, self.act2 = nn.Linear(9, 7), act()
        self.last = nn.Linear(7, 2)

    def forward(self, ids, mask):
        y = self.act(self.conv(self.embedding(ids).transpose(1, 2)))
        y = (y * mask[:, None]).sum(-1) / mask.sum(-1, keepdim=True)
        return self.last(self.act2(self.dense(6 * y)))


def tokens(seed, last=16):
    numbers = torch.Generator().manual_seed(seed)
    mask = (torch.arange(20) < last).long().repeat(6, 1)
    return torch.randint(0, 8, (6, 20), generator=numbers), mask


@pytest.mark.parametrize("layer", ["embedding", "conv", "act", "dense", "act2"])
def test_whole_numbers_are_inputs(layer):
    x, baselines = tokens(1), tokens(2)
    model, smooth = seeded(Tokens), seeded(lambda: Tokens(nn.Softplus))
    before, ids = state(model), x[0].clone()
    found = attribute(model, layer, x, baselines, method="deeplift")
    assert found.relative_error() < 1e-4
    np.testing.assert_array_equal(found.activations, layer_output(model, layer, x))
    assert choose_method(model, layer, x, baselines).method == "deeplift"
    path = attribute(smooth, layer, x, baselines, method="integrated_gradients")
    assert path.relative_error() < 1e-4
    assert state(model) == before
    assert torch.equal(x[0], ids)


def test_the_gradient_behind_an_embedding_is_that_of_autograd():
    model, x = seeded(Tokens), tokens(1)
    found = attribute(model, "embedding", x, tokens(2), method="gradient")
    y = model.embedding(x[0]).requires_grad_()
    rest = model.act(model.conv(y.transpose(1, 2))) * x[1][:, None]
    output = model.last(model.act2(model.dense(6 * rest.sum(-1) / 16)))[:, 0]
    (wanted,) = torch.autograd.grad(output.sum(), y)
    np.testing.assert_allclose(found.multipliers, wanted.flatten(1), atol=1e-6)
    # tokens that the mask leaves out, beyond the reach of the convolution
    assert not found.multipliers.reshape(6, 20, 5)[:, 17:].any()
    assert found.multipliers.reshape(6, 20, 5)[:, :17].any(axis=(0, 2)).all()


def test_another_mask_for_the_baseline_shows_as_incompleteness():
    # it acts after the layer, so the layer's activations do not tell the whole difference
    x, baselines = tokens(1), tokens(2, last=5)
    for method in COMPLETE:
        found = attribute(seeded(Tokens), "conv", x, baselines, method=method)
        assert found.relative_error() > 0.02
    # behind the mask it does no harm
    smooth = seeded(lambda: Tokens(nn.Softplus))
    for method in COMPLETE:
        found = attribute(smooth, "dense", x, baselines, method=method)
        assert found.relative_error() < 1e-4


def test_in_place_modules_take_what_carries_no_gradient():
    model = seeded(
        lambda: nn.Sequential(nn.Embedding(8, 5), nn.ReLU(inplace=True), nn.Flatten(), nn.ReLU())
    )
    found = attribute(model, "2", (tokens(1)[0],), (tokens(2)[0],), method="deeplift", output=7)
    assert found.relative_error() < 1e-5


@pytest.mark.parametrize("layer", ["sequence", "join", "act"])
def test_an_input_that_enters_after_the_layer_must_be_equal_in_target_and_baseline(layer):
    class Late(nn.Module):
        def __init__(self):
            super().__init__()
            self.flat, self.sequence = nn.Flatten(), nn.Linear(256, 5)
            self.join, self.act, self.last = nn.Linear(8, 6), nn.ReLU(), nn.Linear(6, 1)

        def forward(self, x, tracks):
            y = torch.cat([self.sequence(self.flat(x)), tracks], 1)
            return self.last(self.act(self.join(y)))

    numbers = torch.Generator().manual_seed(0)
    one, other = (torch.randn(12, 3, generator=numbers) for _ in range(2))
    model = seeded(Late)
    same = attribute(model, layer, (*TARGETS, one), (*BASELINES, one), method="deeplift")
    assert same.relative_error() < 1e-4
    differ = attribute(model, layer, (*TARGETS, one), (*BASELINES, other), method="deeplift")
    assert (differ.relative_error() > 0.05) == (layer == "sequence")


class _Given(Classifier):
    """Hands captum's TCAV a CAV instead of training one."""

    def __init__(self, cav):
        self.cav = cav

    def train_and_eval(self, dataloader, **options):
        return {}

    def weights(self):
        return torch.stack([torch.from_numpy(self.cav), -torch.from_numpy(self.cav)])

    def classes(self):
        return [0, 1]


@pytest.mark.parametrize("seed", [1, 2, 3, 4])
def test_captums_tcav_agrees_with_gradients_on_the_same_cav(relu_net, tmp_path, seed):
    cav = np.random.default_rng(seed).normal(size=6 * 16).astype(np.float32)
    sets = [Concept(i, str(i), [torch.zeros(2, 4, 64)]) for i in range(2)]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        tcav = TCAV(relu_net, ["2"], classifier=_Given(cav), save_path=str(tmp_path))
        found = tcav.interpret(TARGETS[0].clone().requires_grad_(), [sets], target=0)
    captum = found["0-1"]["2"]
    ours = attribute(relu_net, "2", TARGETS, BASELINES, method="gradient").multipliers @ cav
    assert captum["sign_count"][0].item() == pytest.approx((ours > 0).mean())
    assert captum["magnitude"][0].item() == pytest.approx(ours.mean(), rel=1e-4)
