"""DeepLIFT is complete for whatever networks are made of, and is captum's where captum is right."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
import torch
from captum.attr import LayerDeepLift
from torch import nn
from torch.nn import functional

from tpcav_core.attributions import attribute
from tpcav_core.deeplift import multipliers, rules
from tpcav_core.errors import InputError
from tpcav_core.models import _lower_precision
from tpcav_core.probing import choose_method
from tpcav_core.readouts import Scalar, readout


def one_hot(seed, n=8, length=64):
    numbers = torch.Generator().manual_seed(seed)
    codes = torch.randint(0, 4, (n, length), generator=numbers)
    return (functional.one_hot(codes, 4).float().transpose(1, 2),)


TARGETS, BASELINES = one_hot(0), one_hot(1)


class Around(nn.Module):
    """A convolution, then what is tested, on (n, positions, 16)."""

    def __init__(self, middle):
        super().__init__()
        self.conv = nn.Conv1d(4, 16, 7, padding=3)
        self.middle = middle
        self.last = nn.Linear(16, 1)

    def forward(self, x):
        y = self.middle(3 * self.conv(x).transpose(1, 2))
        return 5 * self.last(y.mean(1))


class Calls(nn.Module):
    """Modules and a function of them and of (n, positions, 16)."""

    def __init__(self, function, **modules):
        super().__init__()
        self.function = function
        for name, module in modules.items():
            setattr(self, name, module)

    def forward(self, y):
        return self.function(self, y)


def attend(self, y, **options):
    q, k, v = (t.unflatten(2, (4, 4)).transpose(1, 2) for t in self.p(y).chunk(3, -1))
    attended = functional.scaled_dot_product_attention(q, k, v, **options)
    return y + attended.transpose(1, 2).flatten(2)


def by_hand(self, y):
    q, k, v = self.p(y).chunk(3, -1)
    weights = torch.einsum("nie,nje->nij", q, k).div(4).softmax(dim=-1)
    return torch.einsum("nij,nje->nie", weights, v)


def mixed(self, y):
    """Attention whose weights are made in float32, as language models do."""
    q, k, v = self.p(y).chunk(3, -1)
    return (q @ k.mT / 4).softmax(-1, dtype=torch.float32) @ v


def scan(self, y):
    """A selective state space, step by step (Mamba)."""
    dt, b, c = functional.softplus(self.dt(y)), self.b(y), self.c(y)
    state, found = torch.zeros(len(y), 16, 4), []
    decay = torch.linspace(0.1, 1, 64).reshape(16, 4)
    for t in range(y.shape[1]):
        entering = dt[:, t, :, None] * b[:, t, None] * y[:, t, :, None]
        state = torch.exp(-dt[:, t, :, None] * decay) * state + entering
        found.append((state * c[:, t, None]).sum(-1))
    return torch.stack(found, 1) * functional.silu(y)


def pooled(self, y):
    """Attention pooling as in Enformer."""
    pairs = y.transpose(1, 2).unflatten(2, (-1, 2))
    weights = self.p(y).transpose(1, 2).unflatten(2, (-1, 2)).softmax(-1)
    return (pairs * weights).sum(-1).transpose(1, 2)


def residual(self, y):
    """Dilated convolutions as in BPNet, their activation a function."""
    y = y.transpose(1, 2)
    for conv in (self.a, self.b):
        y = y + torch.relu(conv(y))
    return y.transpose(1, 2)


def in_place(self, y):
    z = self.p(y)
    functional.relu(z, inplace=True)
    z += y
    z.mul_(torch.sigmoid(y))
    z /= 1 + y.abs()
    return z


def weights(*shape):
    return nn.Parameter(torch.randn(shape) / shape[0])


def by_name(self, y):
    """Operands given by name."""
    quotients = (
        torch.div(y, other=1 + y.abs()) + y.div(other=2.0) + torch.div(input=2, other=y.exp())
    )
    products = torch.mul(input=y, other=y.tanh()) + torch.matmul(input=y, other=y.mT).mean(
        2, keepdim=True
    )
    highest = torch.max(input=y, dim=1, keepdim=True).values + functional.relu(input=self.p(y))
    z = functional.relu(input=self.p(y), inplace=True)
    return (
        quotients + products + highest + z + functional.bilinear(input1=y, input2=z, weight=self.w)
    )


THREE = nn.Linear(16, 48)
ENCODER = {"batch_first": True, "dropout": 0.1}
MIDDLES = {
    "gelu": lambda: nn.Sequential(nn.Linear(16, 16), nn.GELU()),
    "activations": lambda: nn.Sequential(
        *(nn.SiLU(), nn.ELU(), nn.Softplus(), nn.LeakyReLU(), nn.Mish(), nn.SELU(), nn.Tanh()),
        *(nn.Hardtanh(), nn.Softsign(), nn.Sigmoid(), nn.PReLU(), nn.CELU(), nn.ReLU6()),
    ),
    "more functions": lambda: Calls(
        lambda self, y: (
            torch.exp2(y)
            + (1 + y**2).log10()
            + torch.erfc(y)
            + y.atan()
            + y.sinh().asinh()
            + torch.special.expit(y)
            + torch.special.softmax(y, 1)
            + functional.softshrink(y)
        )
    ),
    "clip": lambda: Calls(
        lambda self, y: y.clip(min=0) + torch.clip(y, -1, 1) + y.tanh().clip_(max=0.5).clamp_(-0.5)
    ),
    "by name": lambda: Calls(by_name, p=nn.Linear(16, 16), w=weights(16, 16, 16)),
    "one factor": lambda: Calls(
        lambda self, y: (
            torch.addmm(self.w[0], y.flatten(0, 1), self.w).view_as(y).relu()
            + torch.tensordot(y, self.w, 1)
        ),
        w=weights(16, 16),
    ),
    "layer norm": lambda: nn.Sequential(nn.LayerNorm(16), nn.GELU()),
    "other norms": lambda: nn.Sequential(
        nn.RMSNorm(16), nn.GroupNorm(8, 64), nn.InstanceNorm1d(64)
    ),
    "batch norm": lambda: nn.Sequential(nn.BatchNorm1d(64), nn.ReLU()),
    "attention": lambda: Calls(attend, p=nn.Linear(16, 48)),
    "causal attention": lambda: Calls(
        lambda self, y: attend(self, y, is_causal=True), p=nn.Linear(16, 48)
    ),
    "attention by hand": lambda: Calls(by_hand, p=nn.Linear(16, 48)),
    "mixed attention": lambda: Calls(mixed, p=nn.Linear(16, 48)),
    "transformer": lambda: nn.TransformerEncoder(
        nn.TransformerEncoderLayer(16, 4, 32, activation="gelu", **ENCODER), 2
    ),
    "norm first": lambda: nn.TransformerEncoderLayer(16, 4, 32, norm_first=True, **ENCODER),
    "gated": lambda: Calls(
        lambda self, y: functional.silu(self.a(y)) * self.b(y),
        a=nn.Linear(16, 16),
        b=nn.Linear(16, 16),
    ),
    "gated unit": lambda: nn.Sequential(nn.Linear(16, 32), nn.GLU()),
    "bilinear": lambda: Calls(lambda self, y: self.a(y, y.tanh()), a=nn.Bilinear(16, 16, 16)),
    "state space": lambda: Calls(
        scan, dt=nn.Linear(16, 16), b=nn.Linear(16, 4), c=nn.Linear(16, 4)
    ),
    "pooled": lambda: Calls(pooled, p=nn.Linear(16, 16)),
    "residual": lambda: Calls(
        residual, a=nn.Conv1d(16, 16, 3, padding=1), b=nn.Conv1d(16, 16, 3, padding=2, dilation=2)
    ),
    "global maximum": lambda: Calls(lambda self, y: y.amax(1, keepdim=True)),
    "maximum with places": lambda: Calls(lambda self, y: y.max(dim=1, keepdim=True).values),
    "max pool": lambda: Calls(lambda self, y: functional.max_pool1d(y.transpose(1, 2), 4).mT),
    "adaptive max pool": lambda: Calls(
        lambda self, y: functional.adaptive_max_pool1d(y.transpose(1, 2), 3).mT
    ),
    "quotients": lambda: Calls(
        lambda self, y: y / (1 + y**2) + 1 / (2 + y.exp()) - 2 / (y * y + 3)
    ),
    "log softmax": lambda: nn.Sequential(
        nn.LogSoftmax(1), nn.Linear(16, 16), nn.Softmax(-1), nn.LayerNorm(16)
    ),
    "log sum": lambda: Calls(lambda self, y: torch.logsumexp(y, 1, keepdim=True)),
    "in place": lambda: Calls(in_place, p=nn.Linear(16, 16)),
    "reused": lambda: Calls(
        lambda self, y: self.a(self.p(self.a(self.p(y)))), a=nn.ReLU(), p=nn.Linear(16, 16)
    ),
}


def build(name):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(3)
        return Around(MIDDLES[name]()).eval().requires_grad_(False)


@pytest.mark.parametrize("name", MIDDLES)
def test_it_is_complete(name):
    model = build(name)
    found = attribute(model, "conv", TARGETS, BASELINES, method="deeplift")
    assert found.relative_error() < 2e-4
    chosen = choose_method(model, "conv", TARGETS, BASELINES)
    assert (chosen.method, chosen.without_rule) == ("deeplift", ())
    # the passes do not change what the network says
    with torch.no_grad():
        np.testing.assert_allclose(found.output, model(*TARGETS)[:, 0], rtol=1e-4, atol=1e-5)
        np.testing.assert_allclose(
            found.baseline_output, model(*BASELINES)[:, 0], rtol=1e-4, atol=1e-5
        )


LINES = {
    "var_mean": lambda y: torch.var_mean(y, 1, keepdim=True)[0],
    "std_mean": lambda y: torch.std_mean(y, 1, keepdim=True)[0],
    "logcumsumexp": lambda y: y.logcumsumexp(1),
    "hypot": lambda y: torch.hypot(y, torch.ones(())),
    "logaddexp": lambda y: torch.logaddexp(y, torch.zeros(())),
    "linalg_vector_norm": lambda y: torch.linalg.vector_norm(y, dim=1, keepdim=True),
    "atan2": lambda y: torch.atan2(y, 1 + y**2),
    "cummax": lambda y: y.cummax(1).values,
    "fmod": lambda y: y.fmod(1.5),
    "round": lambda y: y + y.round(),
    "addcmul_": lambda y: y.clone().addcmul_(y, y),
    "addmm": lambda y: torch.addmm(y[0], y[0], y[0].mT @ y[0]) + y,
}


@pytest.mark.parametrize("name", LINES)
def test_an_operation_without_a_rule_is_named(name):
    model = Around(Calls(lambda self, y: LINES[name](y))).eval().requires_grad_(False)
    found = multipliers(model, Scalar(model, readout(0)), "conv", TARGETS, BASELINES)
    assert found.without_rule == (f"{name} in middle",)


def test_an_operand_given_by_name_and_overwritten_later_is_noticed():
    def overwritten(self, y):
        z = self.p(y)
        kept = torch.tanh(input=z)
        z.add_(1)
        return kept + z

    model = Around(Calls(overwritten, p=nn.Linear(16, 16))).eval().requires_grad_(False)
    with pytest.raises(InputError, match="tanh is overwritten in place later"):
        attribute(model, "conv", TARGETS, BASELINES, method="deeplift")


@pytest.mark.parametrize("kind", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize("name", ["mixed attention", "attention by hand", "transformer", "gated"])
def test_it_goes_through_a_pass_in_lower_precision(name, kind):
    model = build(name)
    exact = attribute(model, "conv", TARGETS, BASELINES, method="deeplift")
    _lower_precision(model, kind)
    found = attribute(model, "conv", TARGETS, BASELINES, method="deeplift")
    assert found.relative_error() < 0.1
    difference = np.abs(found.multipliers - exact.multipliers)
    assert difference.mean() < 0.03 * np.abs(exact.multipliers).mean()
    # but for few: rounding can take an operand over a kink
    large = difference > 0.05 * np.abs(exact.multipliers).max()
    assert large.mean() < 0.01


@pytest.mark.parametrize("kind", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize("function", [torch.tanh, torch.exp, functional.gelu])
def test_slopes_in_lower_precision_are_those_between_the_rounded_operands(function, kind):
    rng = torch.Generator().manual_seed(4)
    b = torch.randn(500, generator=rng).to(kind)
    x = (b + 0.02 * torch.randn(500, generator=rng).to(kind)).requires_grad_()
    y, _ = rules.rescale(function, x, b)
    assert y.dtype == kind
    (slope,) = torch.autograd.grad(y.sum(), x)
    at, low = x.detach().double(), b.double()
    apart = at != low
    exact = (function(at) - function(low))[apart] / (at - low)[apart]
    torch.testing.assert_close(slope.double()[apart], exact, rtol=0.01, atol=1e-3)


@pytest.mark.parametrize("name", ["transformer", "state space", "max pool", "in place"])
def test_a_row_does_not_depend_on_the_others(name):
    model = build(name)
    whole = attribute(model, "conv", TARGETS, BASELINES, method="deeplift")
    one = slice(3, 4)
    alone = attribute(model, "conv", (TARGETS[0][one],), (BASELINES[0][one],), method="deeplift")
    np.testing.assert_allclose(alone.multipliers, whole.multipliers[one], rtol=1e-3, atol=1e-6)


@pytest.mark.parametrize("name", ["gelu", "transformer", "quotients"])
def test_between_equal_sequences_it_is_the_gradient(name):
    model = build(name)
    found, gradient = (
        attribute(model, "conv", TARGETS, TARGETS, method=method).multipliers
        for method in ("deeplift", "gradient")
    )
    np.testing.assert_allclose(found, gradient, rtol=1e-3, atol=1e-6)


CAPTUM = {
    "relu": lambda: (nn.ReLU(), nn.Conv1d(6, 6, 3), nn.ReLU()),
    "pool": lambda: (nn.ReLU(), nn.Conv1d(6, 6, 3), nn.MaxPool1d(4), nn.Conv1d(6, 6, 3)),
    "smooth": lambda: (nn.Softplus(), nn.Conv1d(6, 6, 3), nn.Tanh(), nn.Conv1d(6, 4, 3), nn.ELU()),
}


@pytest.mark.parametrize("name", CAPTUM)
def test_it_is_captums_where_captum_is_complete(name):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(3)
        layers = (nn.Conv1d(4, 6, 7), *CAPTUM[name](), nn.Flatten(), nn.LazyLinear(1))
        model = nn.Sequential(*layers)
        model(*TARGETS)
    model.eval()
    x = TARGETS[0].clone().requires_grad_()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        captum = LayerDeepLift(model, model[0], multiply_by_inputs=False)
        expected = captum.attribute(x, baselines=BASELINES[0]).detach().flatten(1).numpy()
    found = attribute(model.requires_grad_(False), "0", TARGETS, BASELINES, method="deeplift")
    assert found.relative_error() < 1e-4
    np.testing.assert_allclose(found.multipliers, expected, rtol=1e-3, atol=1e-6)


def test_a_product_is_divided_evenly_between_both_factors():
    a, c = torch.tensor([3.0], requires_grad=True), torch.tensor([5.0], requires_grad=True)
    value, at_baseline = rules.multiply((a, torch.tensor([1.0])), (c, torch.tensor([2.0])))
    value.sum().backward()
    assert (value.item(), at_baseline.item()) == (15, 2)
    # Shapley: the mean of both orders of changing them
    assert a.grad.item() * 2 == ((3 - 1) * 2 + (3 - 1) * 5) / 2
    assert c.grad.item() * 3 == ((5 - 2) * 1 + (5 - 2) * 3) / 2


def test_masked_values_take_no_part():
    scores = torch.tensor([[1.0, 2.0, -torch.inf]], requires_grad=True)
    found, _ = rules.softmax((scores, torch.tensor([[0.0, 1.5, -torch.inf]])), 1)
    (found * torch.tensor([1.0, 2.0, 3.0])).sum().backward()
    assert found[0, 2] == 0
    assert scores.grad[0, 2] == 0
    assert scores.grad.isfinite().all()


def test_a_value_overwritten_later_is_noticed():
    def overwritten(self, y):
        z = self.p(y)
        kept = z.tanh()
        z.add_(1)
        return kept + z

    model = Around(Calls(overwritten, p=nn.Linear(16, 16))).eval().requires_grad_(False)
    with pytest.raises(InputError, match="tanh is overwritten in place later"):
        attribute(model, "conv", TARGETS, BASELINES, method="deeplift")
    assert choose_method(model, "conv", TARGETS, BASELINES).method == "integrated_gradients"


def test_attention_settings_are_put_back():
    scalar = Scalar(build("transformer"), readout(0))
    for enabled in (False, True):
        torch.backends.mha.set_fastpath_enabled(enabled)
        multipliers(scalar.model, scalar, "conv", TARGETS, BASELINES)
        assert torch.backends.mha.get_fastpath_enabled() == enabled
