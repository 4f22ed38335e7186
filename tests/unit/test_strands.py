from __future__ import annotations

import re
from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from tpcav_core import genome
from tpcav_core.attributions import Method, attribute
from tpcav_core.errors import InputError
from tpcav_core.inputs import example_codes, input_adapter
from tpcav_core.layer_checks import check_layer, list_layers
from tpcav_core.layers import get_layer, layer_output
from tpcav_core.planting_effect import outputs
from tpcav_core.probing import choose_method
from tpcav_core.readouts import Readout, Scalar, readout
from tpcav_core.strands import StrandAverage, by_example, reverse_complement, unwrapped

LENGTH = 32
ADAPTERS = [
    "one_hot",
    "one_hot_channels_last",
    "one_hot_and_tracks",
    "one_hot_stacked_tracks",
]


class Network(nn.Module):
    """A small network for the inputs of any adapter; ``act`` is its nonlinearity."""

    def __init__(self, inputs: str, act: Callable[[], nn.Module] = nn.ReLU) -> None:
        super().__init__()
        self.inputs = inputs
        tracks = {"one_hot_and_tracks": 2, "one_hot_stacked_tracks": 2}.get(inputs, 0)
        self.conv = nn.Conv1d(4 + tracks, 6, 5, padding=1)
        self.act = act()
        self.pool = nn.AvgPool1d(3)
        self.flat = nn.Flatten()
        self.dense = nn.Linear(60, 7)
        self.act2 = act()
        self.last = nn.Linear(7, 3)

    def forward(self, x: Tensor, *tracks: Tensor) -> Tensor:
        if self.inputs == "one_hot_channels_last":
            x = x.transpose(1, 2)
        x = self.pool(self.act(self.conv(torch.cat([x, *tracks], 1))))
        return self.last(self.act2(self.dense(self.flat(x))))


def network(inputs: str, act: Callable[[], nn.Module] = nn.ReLU) -> Network:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(4)
        return Network(inputs, act).eval().requires_grad_(False)


def examples(inputs: str, n: int = 5, seed: int = 1) -> tuple[Tensor, ...]:
    return input_adapter(inputs)(*arrays(inputs, n, seed))


def arrays(inputs: str, n: int = 5, seed: int = 1) -> tuple[np.ndarray, np.ndarray | None]:
    codes = example_codes(n, LENGTH, seed)
    codes[:, 3] = 4
    tracks = np.random.default_rng(seed).random((n, 2, LENGTH), dtype=np.float32)
    return codes, tracks if "tracks" in inputs else None


@pytest.mark.parametrize("inputs", ADAPTERS)
def test_reverse_complement_is_that_of_the_sequence_and_of_the_signal(inputs: str) -> None:
    codes, tracks = arrays(inputs)
    wanted = input_adapter(inputs)(
        genome.reverse_complement(codes), None if tracks is None else tracks[:, :, ::-1]
    )
    found = reverse_complement(inputs, examples(inputs))
    assert len(found) == len(wanted)
    assert all(torch.equal(one, other) for one, other in zip(found, wanted, strict=True))
    back = reverse_complement(inputs, found)
    assert all(map(torch.equal, back, examples(inputs)))


@pytest.mark.parametrize("inputs", ADAPTERS)
def test_output_is_the_mean_over_strands_in_one_call(inputs: str) -> None:
    model, x = network(inputs), examples(inputs)
    calls = []
    handle = model.register_forward_hook(lambda *_: calls.append(1))
    found = StrandAverage(model, inputs)(*x)
    handle.remove()
    assert calls == [1]
    one, other = model(*x), model(*reverse_complement(inputs, x))
    assert not torch.allclose(one, other, atol=1e-3)
    torch.testing.assert_close(found, (one + other) / 2)


@pytest.mark.parametrize("inputs", ADAPTERS)
def test_output_is_the_same_for_either_strand_and_activations_swap(inputs: str) -> None:
    model, x = StrandAverage(network(inputs), inputs), examples(inputs)
    turned = reverse_complement(inputs, x)
    torch.testing.assert_close(model(*turned), model(*x))
    for layer in ("conv", "dense"):
        forward, backward = layer_output(model, layer, x), layer_output(model, layer, turned)
        d = forward.shape[1] // 2
        torch.testing.assert_close(backward, torch.cat([forward[:, d:], forward[:, :d]], 1))
        assert not torch.allclose(forward[:, d:], forward[:, :d], atol=1e-3)


@pytest.mark.parametrize("inputs", ADAPTERS)
@pytest.mark.parametrize("layer", ["conv", "pool", "dense", "last"])
def test_layer_output_is_that_of_one_strand_then_of_the_other(inputs: str, layer: str) -> None:
    model, x = network(inputs), examples(inputs)
    single = [layer_output(model, layer, part) for part in (x, reverse_complement(inputs, x))]
    found = layer_output(StrandAverage(model, inputs), layer, x)
    torch.testing.assert_close(found, torch.cat(single, 1))


@pytest.mark.parametrize("inputs", ADAPTERS)
@pytest.mark.parametrize("layer", ["conv", "pool", "dense"])
@pytest.mark.parametrize("method", ["deeplift", "integrated_gradients"])
def test_attributions_are_complete(inputs: str, layer: str, method: str) -> None:
    # the path integral is exact to rounding where the network is smooth
    act = nn.ReLU if method == "deeplift" else nn.Softplus
    model = StrandAverage(network(inputs, act), inputs)
    x, baselines = examples(inputs), examples(inputs, seed=2)
    result = attribute(model, layer, x, baselines, method=method, output=1)  # type: ignore[arg-type]
    assert result.relative_error() < 1e-4
    assert result.multipliers.shape == result.activations.shape
    np.testing.assert_allclose(result.activations, layer_output(model, layer, x), rtol=1e-6)
    np.testing.assert_allclose(result.output, model(*x)[:, 1], rtol=1e-6)
    # each strand has half of its own attributions
    for half, part in enumerate((lambda y: y, lambda y: reverse_complement(inputs, y))):
        alone = attribute(
            model.model,
            layer,
            part(x),
            part(baselines),
            method=method,  # type: ignore[arg-type]
            output=1,
        )
        both = np.split(result.multipliers, 2, axis=1)[half]
        np.testing.assert_allclose(both, alone.multipliers / 2, atol=1e-5)


def test_auto_and_gradient_at_both_strands() -> None:
    model = StrandAverage(network("one_hot"), "one_hot")
    x, baselines = examples("one_hot"), examples("one_hot", seed=2)
    assert choose_method(model, "pool", x, baselines).method == "deeplift"
    found = attribute(model, "dense", x, baselines, method="gradient")
    y = layer_output(model, "dense", x).reshape(5, 2, 7).requires_grad_()
    (wanted,) = torch.autograd.grad(model.model.last(y.relu())[:, :, 0].mean(1).sum(), y)
    np.testing.assert_allclose(found.multipliers, wanted.flatten(1), atol=1e-6)


def test_rows_do_not_depend_on_the_batch() -> None:
    model, x = StrandAverage(network("one_hot"), "one_hot"), examples("one_hot", 7)
    whole = layer_output(model, "conv", x)
    parts = [layer_output(model, "conv", part) for part in x[0].split(3)]
    torch.testing.assert_close(torch.cat(parts), whole)


def test_layers_go_by_the_names_of_the_wrapped_model() -> None:
    plain = network("one_hot")
    model = StrandAverage(plain, "one_hot")
    assert unwrapped(model) is plain
    assert unwrapped(plain) is plain
    assert get_layer(model, "conv") is plain.conv
    for name in ("model.conv", "model"):
        with pytest.raises(InputError, match="not among the 7 layers"):
            get_layer(model, name)
    x = examples("one_hot")
    infos, single = list_layers(model, x), list_layers(plain, x)
    assert [info.name for info in infos] == [info.name for info in single]
    for info, one in zip(infos, single, strict=True):
        assert info.shape == (2, *one.shape)
        assert info.d == 2 * one.d == layer_output(model, info.name, x).shape[1]
        assert info.output == "tensor"
    assert check_layer(model, "pool", x, 2) == ((2, 6, 10), 120, (3,))
    with pytest.raises(InputError, match="no output column 3"):
        check_layer(model, "pool", x, 3)


def test_nan_is_found_in_a_layer_of_the_wrapped_model() -> None:
    plain = network("one_hot")
    plain.dense.bias[0] = float("nan")
    with pytest.raises(InputError, match="first after layer 'dense'"):
        check_layer(StrandAverage(plain, "one_hot"), "conv", examples("one_hot"))


def test_the_model_is_as_before() -> None:
    plain = network("one_hot").train()
    plain.pool.eval()
    model, x = StrandAverage(plain, "one_hot"), examples("one_hot")

    def state() -> list[object]:
        return [
            (module.training, sorted(vars(module)), len(module._forward_hooks))
            for module in model.modules()
        ] + [tensor.clone().tolist() for tensor in model.state_dict().values()]

    before, copy = state(), x[0].clone()
    layer_output(model, "conv", x)
    check_layer(model, "conv", x)
    list_layers(model, x)
    for method in ("deeplift", "integrated_gradients", "gradient"):
        attribute(model, "conv", x, x, method=method)  # type: ignore[arg-type]
    assert state() == before
    assert torch.equal(x[0], copy)
    assert model.training


def test_values_and_one_output_per_example() -> None:
    model = StrandAverage(nn.Sequential(nn.Flatten(), nn.Linear(128, 1), nn.Flatten(0)), "one_hot")
    x = examples("one_hot")
    assert model(*x).shape == (5,)
    assert layer_output(model, "2", x).shape == (5, 2)
    assert check_layer(model, "2", x) == ((2,), 2, ())
    y = torch.arange(12.0).reshape(4, 3)
    assert torch.equal(by_example(model, y)[1], y[2:])
    assert by_example(nn.Identity(), y) is y


@pytest.mark.parametrize("inputs", ["tokenizer:x", "encode.py:f", "onehot"])
def test_adapters_whose_reverse_complement_is_not_known(inputs: str) -> None:
    message = f"is for inputs {', '.join(ADAPTERS)}, found '{inputs}'"
    with pytest.raises(InputError, match=re.escape(message)):
        StrandAverage(nn.Identity(), inputs)
    with pytest.raises(InputError, match=re.escape(message)):
        reverse_complement(inputs, ())


@pytest.mark.parametrize(
    ("inputs", "shapes"),
    [
        ("one_hot", [(2, 9, 4)]),
        ("one_hot", [(2, 36)]),
        ("one_hot", [(2, 4, 9), (2, 1, 9)]),
        ("one_hot_channels_last", [(2, 4, 9)]),
        ("one_hot_and_tracks", [(2, 4, 9)]),
        ("one_hot_and_tracks", [(2, 4, 9), (2, 9)]),
        ("one_hot_stacked_tracks", [(2, 3, 9)]),
    ],
)
def test_tensors_that_the_adapter_does_not_make(inputs: str, shapes: list[tuple[int, ...]]) -> None:
    tensors = tuple(torch.zeros(shape) for shape in shapes)
    message = f"model: inputs have shapes {', '.join(map(str, shapes))}, expected those of"
    with pytest.raises(InputError, match=re.escape(message)):
        reverse_complement(inputs, tensors)


class Returns(nn.Module):
    def __init__(self, function: Callable[[Tensor], object]) -> None:
        super().__init__()
        self.layer = nn.Identity()
        self.function = function

    def forward(self, x: Tensor) -> object:
        return self.function(self.layer(x))


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (lambda x: x[:5], "model: output has shape (5, 4, 32) for both strands of 5 examples"),
        (lambda x: x.sum(), "model: output has shape () for both strands of 5 examples"),
    ],
)
def test_outputs_that_cannot_be_averaged(
    function: Callable[[Tensor], object], message: str
) -> None:
    model = StrandAverage(Returns(function), "one_hot")
    with pytest.raises(InputError, match=re.escape(message)) as caught:
        check_layer(model, "layer", examples("one_hot"))
    assert str(caught.value).startswith(message)
    with pytest.raises(InputError, match=re.escape(message)):
        model(*examples("one_hot"))


def test_a_tuple_has_no_mean_but_is_read_by_strand() -> None:
    model, x = StrandAverage(Returns(lambda x: (x, x)), "one_hot"), examples("one_hot")
    with pytest.raises(InputError, match="output is a tuple for both strands of 5 examples"):
        model(*x)
    assert check_layer(model, "layer", x, "profile").output_shape == (4, LENGTH)
    with pytest.raises(InputError, match="has 5 values for 5 examples on both strands"):
        check_layer(model, "layer", x, Readout("own", lambda result, held: result[0][:5, 0, 0]))


class Profile(nn.Module):
    """Profile logits of both strands and log counts that turn with the sequence, exactly."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv1d(4, 6, 5, padding=2)
        self.last = nn.Conv1d(6, 2, 5, padding=2)

    def one(self, x: Tensor) -> Tensor:
        return self.last(torch.tanh(2 * self.conv(x)))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        logits = 4 * (self.one(x) + self.one(x.flip(1, 2)).flip(1, 2))
        return logits, logits.exp().sum((1, 2)).log()


def profile() -> Profile:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(4)
        return Profile().eval().requires_grad_(False)


@pytest.mark.parametrize("name", ["profile", "counts"])
def test_averaging_a_profile_that_turns_with_the_sequence_changes_nothing(name: str) -> None:
    plain, x, baselines = profile(), examples("one_hot"), examples("one_hot", seed=2)
    turned = plain(*reverse_complement("one_hot", x))[0].flip(1, 2)
    torch.testing.assert_close(turned, plain(*x)[0])
    read = readout(name)
    alone, both = Scalar(plain, read), Scalar(StrandAverage(plain, "one_hot"), read)
    torch.testing.assert_close(both(*x), alone(*x))
    held = [scalar.held(x) for scalar in (alone, both)]
    found = [scalar(*baselines, held=one) for scalar, one in zip((alone, both), held, strict=True)]
    torch.testing.assert_close(found[1], found[0])
    assert (both(*x) - both(*baselines)).abs().min() > 1e-3
    direct = outputs(both.model, [x], {"a": read}, device="cpu")["a"]
    np.testing.assert_allclose(direct, alone(*x), rtol=1e-5)


class OneStrand(nn.Module):
    """Profile logits of one strand only: they do not turn with the sequence."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.act = nn.Conv1d(4, 6, 5, padding=2), nn.Softplus()
        self.last = nn.Conv1d(6, 1, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        return self.last(self.act(3 * self.conv(x)))


@pytest.mark.parametrize("method", ["deeplift", "integrated_gradients"])
def test_profiles_are_read_on_each_strand_and_attributed_completely(method: Method) -> None:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(4)
        plain = OneStrand().eval().requires_grad_(False)
    model, x, baselines = (
        StrandAverage(plain, "one_hot"),
        examples("one_hot", 7),
        examples("one_hot", 7, 2),
    )
    found = attribute(model, "conv", x, baselines, output="profile", method=method)
    assert found.relative_error() < 1e-4
    alone = Scalar(plain, readout("profile"))
    turned = reverse_complement("one_hot", x)
    np.testing.assert_allclose(found.output, (alone(*x) + alone(*turned)) / 2, rtol=1e-5)
    # what is held is of an example: parts of a batch give the same
    parts = [
        attribute(model, "conv", (a,), (b,), output="profile", method=method).multipliers
        for a, b in zip(x[0].split(3), baselines[0].split(3), strict=True)
    ]
    np.testing.assert_allclose(np.concatenate(parts), found.multipliers, rtol=1e-3, atol=1e-5)


def test_a_layer_without_a_row_per_strand_is_refused() -> None:
    model = StrandAverage(Returns(lambda x: x), "one_hot")
    model.model.layer = nn.Flatten(0, 1)
    x = examples("one_hot")
    with pytest.raises(InputError, match=re.escape("shape (40, 32) for 5 examples")):
        layer_output(model, "layer", x)
