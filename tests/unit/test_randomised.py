from __future__ import annotations

import hashlib
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from tpcav_core.errors import InputError
from tpcav_core.inputs import example_codes, one_hot
from tpcav_core.models import ModelSpec, load_model
from tpcav_core.randomised import randomise_weights

ROOT = Path(__file__).parents[2]


class Net(nn.Module):
    """Weights of none to four dimensions, tied ones, a buffer, and one that is not contiguous."""

    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(7, 6)
        self.conv = nn.Conv1d(4, 8, 5)
        self.square = nn.Conv2d(2, 3, 3)
        self.norm = nn.BatchNorm1d(8)
        self.linear = nn.Linear(6, 7)
        self.tied = nn.Linear(6, 7, bias=False)
        self.tied.weight = self.linear.weight
        self.head = nn.Linear(7, 1)
        self.across = nn.Parameter(torch.randn(5, 9).T)
        self.scale = nn.Parameter(torch.randn(11))
        self.temperature = nn.Parameter(torch.tensor(2.0))
        self.register_buffer("table", torch.randn(4, 4))


def network(seed=0, kind=Net):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = kind()
        if isinstance(model, Net):
            model.norm.running_mean.normal_()
            nn.init.normal_(model.norm.weight)
    return model


def state(model):
    return {name: value.detach().clone().numpy() for name, value in model.state_dict().items()}


def permuted(seed=1, model=None):
    model = model or network()
    randomise_weights(model, seed)
    return model


WIDE = ["embedding", "conv", "square", "linear", "tied", "head"]


def test_every_unit_has_its_own_weights_in_another_order():
    before, after = state(network()), state(permuted())
    for name in [*(f"{name}.weight" for name in WIDE), "across"]:
        for old, new in zip(before[name], after[name], strict=True):
            np.testing.assert_array_equal(np.sort(old.ravel()), np.sort(new.ravel()))
        assert not np.array_equal(before[name], after[name]), name
        assert before[name].shape == after[name].shape


def test_biases_scales_and_buffers_stay():
    before, after = state(network()), state(permuted())
    small = [name for name, value in before.items() if value.ndim < 2]
    assert {"conv.bias", "norm.weight", "norm.running_mean", "scale", "temperature"} < set(small)
    for name in [*small, "table"]:
        np.testing.assert_array_equal(before[name], after[name])


def test_each_unit_has_an_order_of_its_own():
    model = nn.Linear(50, 4, bias=False)
    with torch.no_grad():
        model.weight.copy_(torch.arange(50.0).repeat(4, 1))
    randomise_weights(model, 1)
    rows = model.weight.detach().numpy()
    for first in range(4):
        for second in range(first):
            assert (rows[first] == rows[second]).mean() < 0.2


def test_every_place_of_a_filter_is_as_likely_for_every_weight():
    model = nn.Conv1d(2, 4000, 3, bias=False)
    with torch.no_grad():
        model.weight.copy_(torch.arange(6.0).reshape(1, 2, 3).expand(4000, 2, 3))
    randomise_weights(model, 3)
    places = model.weight.detach().numpy().reshape(4000, 6).astype(int)
    counts = np.stack([np.bincount(column, minlength=6) for column in places.T])
    np.testing.assert_allclose(counts / 4000, 1 / 6, atol=0.03)


def test_the_same_seed_permutes_alike_and_another_one_otherwise():
    one, same, other = state(permuted(1)), state(permuted(1)), state(permuted(2))
    for name, value in one.items():
        np.testing.assert_array_equal(value, same[name])
    for name in WIDE:
        assert not np.array_equal(one[f"{name}.weight"], other[f"{name}.weight"])


def test_the_state_of_random_numbers_elsewhere_is_left_alone():
    torch.manual_seed(5)
    randomise_weights(network(), 1)
    found = torch.rand(3)
    torch.manual_seed(5)
    torch.testing.assert_close(found, torch.rand(3))


def test_tied_weights_stay_tied():
    model = permuted()
    assert model.tied.weight is model.linear.weight
    np.testing.assert_array_equal(*(state(model)[f"{name}.weight"] for name in ("tied", "linear")))
    # and are permuted once, as if there were one of them
    alone = network()
    del alone.tied
    randomise_weights(alone, 1)
    for name, value in state(alone).items():
        np.testing.assert_array_equal(value, state(model)[name])


def test_frozen_parameters_are_permuted_and_stay_frozen():
    model = network().requires_grad_(False)
    before = state(model)
    randomise_weights(model, 1)
    assert not np.array_equal(before["conv.weight"], state(model)["conv.weight"])
    assert not any(parameter.requires_grad for parameter in model.parameters())


def test_what_a_parameter_becomes_does_not_depend_on_the_order_of_definition():
    class Turned(nn.Module):
        def __init__(self):
            super().__init__()
            self.b, self.a = nn.Linear(6, 5), nn.Linear(4, 6)

    class Straight(nn.Module):
        def __init__(self):
            super().__init__()
            self.a, self.b = nn.Linear(4, 6), nn.Linear(6, 5)

    one, other = network(kind=Turned), network(kind=Straight)
    other.load_state_dict(one.state_dict())
    for model in (one, other):
        randomise_weights(model, 1)
    for name, value in state(one).items():
        np.testing.assert_array_equal(value, state(other)[name])


# of a configuration


@pytest.fixture
def spec(toy_network):
    def make(**options):
        own = {"factory": f"{toy_network}:build", "weights": None, "window": 64}
        return ModelSpec.from_dict({**own, **options})

    return make


SEQUENCES = one_hot(example_codes(6, 64))


def test_a_randomised_model_says_something_else(spec):
    plain, twin = load_model(spec()), load_model(spec(randomise=1))
    assert not twin.training
    with torch.no_grad():
        one, other = plain(SEQUENCES), twin(SEQUENCES)
    assert torch.isfinite(other).all()
    assert not torch.allclose(one, other, atol=1e-3)
    torch.testing.assert_close(plain(SEQUENCES), load_model(spec(randomise=None))(SEQUENCES))


def test_weights_of_a_file_are_permuted_and_averages_of_strands_too(spec, tmp_path):
    model = load_model(spec())
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(2)
    torch.save(model.state_dict(), tmp_path / "weights.pt")
    twin = load_model(spec(weights=str(tmp_path / "weights.pt"), randomise=3))
    randomise_weights(model, 3)
    torch.testing.assert_close(twin(SEQUENCES), model(SEQUENCES))
    averaged = load_model(
        spec(weights=str(tmp_path / "weights.pt"), randomise=3, reverse_complement=True)
    )
    turned = SEQUENCES.flip(1, 2)
    expected = (model(SEQUENCES) + model(turned)) / 2
    torch.testing.assert_close(averaged(SEQUENCES), expected)


SCRIPT = """
import hashlib, json, sys
import torch
from tpcav_core.models import ModelSpec, load_model

torch.manual_seed(int(sys.argv[2]))
model = load_model(ModelSpec.from_dict(json.loads(sys.argv[1])))
digest = hashlib.sha256()
for name, value in sorted(model.state_dict().items()):
    digest.update(name.encode() + value.numpy().tobytes())
print(digest.hexdigest())
"""


def test_two_processes_have_one_twin(spec, toy_network):
    content = f'{{"factory": "{toy_network}:build", "weights": null, "window": 64, "randomise": 9}}'
    model = load_model(spec(randomise=9))
    digest = hashlib.sha256()
    for name, value in sorted(model.state_dict().items()):
        digest.update(name.encode() + value.numpy().tobytes())
    # another state of the global generator, another hash seed
    made = subprocess.run(
        [sys.executable, "-c", SCRIPT, content, "123"],
        capture_output=True,
        check=True,
        text=True,
        cwd=ROOT,
    )
    assert made.stdout.strip() == digest.hexdigest()


@pytest.mark.parametrize("value", [-1, 1.5, True, "1"])
def test_a_seed_that_cannot_be_used_is_refused(spec, value):
    with pytest.raises(InputError, match=r"randomise is .*, expected a whole number, 0 or more"):
        spec(randomise=value)
