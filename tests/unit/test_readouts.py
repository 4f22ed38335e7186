from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from tpcav_core.attributions import attribute
from tpcav_core.errors import InputError
from tpcav_core.explained import explained, named_outputs, output_of
from tpcav_core.readouts import Scalar, readout

NUMBERS = torch.Generator().manual_seed(4)
TABLE = torch.randn(5, 3, generator=NUMBERS)
PROFILE = torch.randn(5, 2, 7, generator=NUMBERS)
COUNTS = torch.randn(5, 1, generator=NUMBERS)


@pytest.mark.parametrize("name", [2, "2"])
def test_a_column(name):
    assert torch.equal(readout(name)(TABLE), TABLE[:, 2])
    assert torch.equal(readout(0)(TABLE[:, 1]), TABLE[:, 1])


def test_reductions_by_name():
    assert torch.allclose(readout("sum")(PROFILE), PROFILE.sum((1, 2)))
    assert torch.allclose(readout("mean")(PROFILE), PROFILE.mean((1, 2)))
    for result in ((PROFILE, COUNTS), {"profile": PROFILE, "counts": COUNTS}):
        assert torch.equal(readout("counts")(result), COUNTS[:, 0])
        assert torch.equal(readout("profile")(result), readout("profile")(PROFILE))
    assert torch.equal(readout("counts")(COUNTS), COUNTS[:, 0])


def test_profile_logits_are_weighted_by_their_softmax_less_their_mean():
    flat = PROFILE.flatten(1).double().numpy()
    weights = np.exp(flat) / np.exp(flat).sum(1, keepdims=True)
    expected = (weights * (flat - flat.mean(1, keepdims=True))).sum(1)
    np.testing.assert_allclose(readout("profile")(PROFILE), expected, rtol=1e-5)
    # a constant added to the logits of an example changes no probability, and nothing here
    shifted = readout("profile")(PROFILE + torch.arange(5)[:, None, None])
    np.testing.assert_allclose(shifted, expected, rtol=1e-4, atol=1e-5)


def test_weights_of_the_profile_are_held_fixed():
    logits = PROFILE.clone().requires_grad_()
    read = readout("profile")
    read(logits).sum().backward()
    weights = PROFILE.flatten(1).softmax(1)
    np.testing.assert_allclose(logits.grad.flatten(1), weights - 1 / 14, atol=1e-6)
    other = torch.randn(5, 2, 7, generator=NUMBERS)
    held = read.held(PROFILE)
    assert torch.allclose(held, weights)
    centred = other.flatten(1) - other.flatten(1).mean(1, keepdim=True)
    assert torch.allclose(read(other, held), (weights * centred).sum(1), atol=1e-6)


@pytest.mark.parametrize("method", ["deeplift", "integrated_gradients"])
@pytest.mark.parametrize("name", ["profile", "counts", "sum"])
def test_each_head_of_a_profile_model_is_explained_completely(method, name):
    class Heads(nn.Module):
        def __init__(self):
            super().__init__()
            self.trunk = nn.Conv1d(4, 8, 5)
            self.profile, self.counts = nn.Conv1d(8, 2, 5), nn.Linear(8, 1)

        def forward(self, x):
            y = torch.nn.functional.gelu(3 * self.trunk(x))
            heads = self.profile(y), self.counts(y.mean(2))
            return heads[0] if name == "sum" else heads

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        model = Heads().eval().requires_grad_(False)
    x, b = ((torch.rand(6, 4, 30, generator=NUMBERS),) for _ in range(2))
    found = attribute(model, "trunk", x, b, output=name, method=method, steps=64)
    assert found.relative_error() < 1e-3
    assert np.abs(found.multipliers).max() > 0


def test_a_function_of_ones_own(tmp_path):
    file = tmp_path / "read.py"
    file.write_text("def ratio(result):\n    return result[0].sum((1, 2)) / result[1][:, 0]\n")
    found = readout(f"{file}:ratio")((PROFILE, COUNTS))
    assert torch.equal(found, PROFILE.sum((1, 2)) / COUNTS[:, 0])
    with pytest.raises(InputError, match=r"output .*ratio': raised .*"):
        readout(f"{file}:ratio")(TABLE)


@pytest.mark.parametrize(
    ("name", "result", "expected"),
    [
        (3, TABLE, "no output column 3, it has 3; columns count from 0"),
        (1, TABLE[:, 0], "no output column 1, it has 1"),
        (0, PROFILE, r"shape \(5, 2, 7\), expected \(n, columns\).* set output to profile"),
        (0, (PROFILE, COUNTS), "output is a tuple, expected a tensor"),
        ("profile", TABLE[:, 0], "logits have shape"),
        ("counts", (PROFILE, TABLE), "3 values an example, expected 1"),
        ("counts", (PROFILE,), r"returns tuple of \(Tensor\), expected a tensor at place 2; set"),
        ("counts", {"profile": PROFILE, "counts": None}, "expected a tensor at place 2"),
        ("profile", [], r"returns list of \(\), expected a tensor at place 1"),
        ("sum", (PROFILE,), "output is a tuple"),
    ],
)
def test_another_output_than_expected_is_one_line(name, result, expected):
    with pytest.raises(InputError, match=expected):
        readout(name)(result)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("profil", "expected a column from 0, .*did you mean 'profile'"),
        ("absent.py:f", "absent.py"),
        ("math:pi", "is a float, expected a function"),
    ],
)
def test_an_unknown_readout_is_one_line(name, expected):
    with pytest.raises(InputError, match=expected):
        readout(name)


def test_the_model_runs_for_held_weights_only_where_there_are_any():
    calls = []

    class Counting(nn.Module):
        def forward(self, x):
            calls.append(len(x))
            return x

    assert Scalar(Counting(), readout(1)).held((TABLE,)) is None
    assert not calls
    assert Scalar(Counting(), readout("profile")).held((PROFILE,)).shape == (5, 14)
    assert calls == [5]


def test_outputs_have_names_in_the_tables():
    assert named_outputs(3) == {"": 3}
    assert explained(["a", "b"], 0) == {"a": ("a", ""), "b": ("b", "")}
    both = explained(["a", "b"], {"p": "profile", "c": 1})
    assert list(both) == ["a.p", "a.c", "b.p", "b.c"]
    assert both["b.c"] == ("b", "c")
    assert [output_of(name) for name in ("a", "a.p")] == ["", "p"]
