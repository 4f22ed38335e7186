from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from tpcav_core.commands import main
from tpcav_core.commands.layers import format_layers, read_model_argument
from tpcav_core.errors import InputError
from tpcav_core.inputs import example_codes, one_hot
from tpcav_core.layer_checks import LayerInfo, check_layer, list_layers
from tpcav_core.layers import get_layer, layer_output


class Network(nn.Module):
    """A model with a layer of every awkward kind."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Sequential(nn.Conv1d(4, 6, 5, padding=2), nn.BatchNorm1d(6), nn.ReLU())
        self.drop = nn.Dropout(0.5)
        self.act = nn.ReLU(inplace=True)
        self.rnn = nn.GRU(6, 3, batch_first=True)
        self.sequence_first = nn.GRU(6, 3)
        self.head = nn.Linear(6 * 20, 2)
        self.spare = nn.Linear(2, 2)

    def forward(self, x: Tensor) -> Tensor:
        x = self.drop(self.act(self.conv(x)))
        self.rnn(x.transpose(1, 2))
        return self.head(self.act(x).flatten(1))


class Broken(nn.Module):
    """Gives NaN in the middle, in a block."""

    def __init__(self, where: str = "block") -> None:
        super().__init__()
        self.first = nn.Linear(4, 4)
        self.block = nn.Sequential(nn.Linear(4, 4), nn.ReLU())
        self.last = nn.Linear(4, 1)
        self.where = where
        with torch.no_grad():
            if where == "block":
                self.block[0].bias[1] = float("nan")

    def forward(self, x: Tensor) -> Tensor:
        y = self.last(self.block(self.first(x)))
        return y / 0.0 if self.where == "outside" else y


class Returns(nn.Module):
    def __init__(self, function: Any) -> None:
        super().__init__()
        self.layer = nn.Identity()
        self.function = function

    def forward(self, x: Tensor) -> Any:
        return self.function(self.layer(x))


@pytest.fixture
def network() -> Network:
    with torch.random.fork_rng():
        torch.manual_seed(3)
        model = Network()
    model.conv[1].running_mean.uniform_(-0.1, 0.1, generator=torch.Generator().manual_seed(1))
    return model.eval()


@pytest.fixture
def sequence() -> Tensor:
    return one_hot(example_codes(8, 20, seed=5))


def state(model: nn.Module) -> list[Any]:
    hooks = [
        (len(module._forward_hooks), len(module._forward_pre_hooks)) for module in model.modules()
    ]
    flags = [module.training for module in model.modules()]
    grads = [parameter.requires_grad for parameter in model.parameters()]
    return [hooks, flags, grads]


def weights(model: nn.Module) -> dict[str, Tensor]:
    return {name: tensor.clone() for name, tensor in model.state_dict().items()}


@pytest.mark.parametrize("layer", ["conv.0", "conv.1", "conv", "act", "head"])
def test_layer_output_is_the_forward_pass_up_to_there(
    network: Network, sequence: Tensor, layer: str
) -> None:
    with torch.no_grad():
        conv = network.conv(sequence)
        expected = {
            "conv.0": network.conv[0](sequence),
            "conv.1": network.conv[1](network.conv[0](sequence)),
            "conv": conv,
            "act": conv.relu(),
            "head": network(sequence),
        }[layer]
    found = layer_output(network, layer, (sequence,))
    assert torch.equal(found, expected.flatten(1))
    assert not found.requires_grad


def test_a_single_tensor_is_the_same_as_a_tuple_of_one(network: Network, sequence: Tensor) -> None:
    one = layer_output(network, "conv", sequence)
    assert torch.equal(one, layer_output(network, "conv", (sequence,)))


def test_several_inputs_are_passed_in_order() -> None:
    model = nn.Bilinear(3, 2, 4)

    class Two(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.both = model

        def forward(self, a: Tensor, b: Tensor) -> Tensor:
            return self.both(a, b)

    a, b = torch.ones(5, 3), torch.full((5, 2), 2.0)
    assert torch.equal(layer_output(Two(), "both", (a, b)), model(a, b).detach())


def test_batch_size_does_not_matter(network: Network, sequence: Tensor) -> None:
    whole = layer_output(network, "head", sequence)
    for size in (1, 3, 8):
        parts = [layer_output(network, "head", part) for part in sequence.split(size)]
        assert torch.allclose(torch.cat(parts), whole, rtol=0, atol=1e-6)


def test_forward_stops_at_the_layer(network: Network, sequence: Tensor) -> None:
    seen = []
    network.head.register_forward_hook(lambda *_: seen.append(1))
    layer_output(network, "conv", sequence)
    assert not seen


def test_a_model_that_catches_exceptions_does_not_swallow_the_stop() -> None:
    class Catches(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = nn.Linear(4, 2)

        def forward(self, x: Tensor) -> Tensor:
            try:
                return self.layer(x)
            except Exception:
                return x

    model = Catches()
    x = torch.ones(2, 4)
    assert torch.equal(layer_output(model, "layer", x), model.layer(x).detach())


def test_the_model_is_as_before(network: Network, sequence: Tensor) -> None:
    network.train()
    network.drop.eval()
    network.conv[0].register_forward_hook(lambda *_: None)
    before, numbers = state(network), weights(network)
    layer_output(network, "conv", sequence)
    list_layers(network, sequence)
    check_layer(network, "conv", sequence, 1)
    with pytest.raises(InputError):
        check_layer(network, "act", sequence)
    with pytest.raises(InputError):
        layer_output(network, "spare", sequence)
    with pytest.raises(RuntimeError):
        layer_output(network, "head", sequence[:, :, :7])
    assert state(network) == before
    assert all(torch.equal(network.state_dict()[name], numbers[name]) for name in numbers)


def test_training_mode_gives_the_output_of_evaluation_mode(
    network: Network, sequence: Tensor
) -> None:
    expected = layer_output(network, "head", sequence)
    assert torch.equal(layer_output(network.train(), "head", sequence), expected)


def test_list_layers(network: Network, sequence: Tensor) -> None:
    infos = {info.name: info for info in list_layers(network, sequence[:2])}
    assert list(infos) == [name for name, _ in network.named_modules() if name]
    assert infos["conv"] == LayerInfo("conv", "Sequential", (6, 20), 120, 1, "tensor")
    assert infos["act"].calls == 2
    assert infos["rnn"] == LayerInfo("rnn", "GRU", (20, 3), 60, 1, "tuple")
    assert infos["spare"] == LayerInfo("spare", "Linear", None, None, 0, "")
    for name in ("conv.1", "drop", "head"):
        assert infos[name].d == layer_output(network, name, sequence).shape[1]


def test_list_layers_sees_through_the_fast_path_of_transformers() -> None:
    model = nn.Sequential(nn.TransformerEncoderLayer(8, 2, 16, batch_first=True)).eval()
    infos = {info.name: info for info in list_layers(model, torch.zeros(2, 5, 8))}
    assert infos["0.linear1"].shape == (5, 16)
    assert layer_output(model, "0.linear1", torch.zeros(2, 5, 8)).shape == (2, 80)


def test_output_that_is_not_by_example() -> None:
    model = Returns(lambda x: x)
    model.layer = nn.Flatten(0, 1)
    x = torch.zeros(3, 4, 5)
    assert list_layers(model, x)[0].output == "not by example"
    for function in (layer_output, check_layer):
        with pytest.raises(InputError, match=re.escape("shape (12, 5) for 3 examples")):
            function(model, "layer", x)


def test_get_layer(network: Network) -> None:
    assert get_layer(network, "conv.1") is network.conv[1]
    with pytest.raises(InputError, match=r"'conv_1': not among the 10 .*did you mean 'conv.1'"):
        get_layer(network, "conv_1")
    with pytest.raises(InputError, match="tpcav_core layers` lists them"):
        get_layer(network, "zzz")
    with pytest.raises(InputError, match="not among"):
        get_layer(network, "")


def test_check_layer(network: Network, sequence: Tensor) -> None:
    assert check_layer(network, "conv", sequence, 1) == ((6, 20), 120, (2,))
    assert check_layer(Returns(lambda x: x.sum(1)), "layer", torch.ones(3, 4)) == ((4,), 4, ())


@pytest.mark.parametrize("function", [layer_output, check_layer])
def test_layers_that_cannot_be_used(network: Network, sequence: Tensor, function: Any) -> None:
    with pytest.raises(InputError, match="'spare': never called"):
        function(network, "spare", sequence)
    with pytest.raises(InputError, match="'act@3': called less than 3 times"):
        function(network, "act@3", sequence)
    for name in ("act@0", "act@x"):
        with pytest.raises(InputError, match="expected a number from 1 after @, act@1"):
            function(network, name, sequence)
    integers = Returns(lambda x: x)
    integers.layer = nn.Sequential()
    with pytest.raises(InputError, match=r"output is torch.int64, expected a tensor of floating"):
        function(integers, "layer", torch.zeros(2, 3, dtype=torch.int64))


def test_of_a_tuple_the_first_tensor_is_taken(network: Network, sequence: Tensor) -> None:
    expected, _ = network.rnn(network.conv(sequence).transpose(1, 2))
    assert torch.equal(layer_output(network, "rnn", sequence), expected.flatten(1))
    assert check_layer(network, "rnn", sequence).d == expected[0].numel()


def test_the_call_of_a_layer_that_is_meant(network: Network, sequence: Tensor) -> None:
    with pytest.raises(InputError, match=r"'act': called 2 times in one .*, act@1 to act@2"):
        check_layer(network, "act", sequence)
    for name in ("act@1", "act@2"):
        d = check_layer(network, name, sequence).d
        assert layer_output(network, name, sequence).shape == (8, d)
    seen = []
    hook = network.act.register_forward_hook(lambda *call: seen.append(call[2].detach().clone()))
    layer_output(network, "head", sequence)
    hook.remove()
    assert len(seen) == 2
    for call, value in enumerate(seen):
        found = layer_output(network, f"act@{call + 1}", sequence)
        assert torch.equal(found, value.flatten(1))


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (lambda x: (x, x), "output is a tuple, expected a tensor (n, columns) or (n,)"),
        (lambda x: x[:, :, None], "output has shape (3, 4, 1), expected (n, columns)"),
        (lambda x: x.sum(), "output has shape (), expected a tensor"),
        (lambda x: x[:2], "output '2' has 2 values for 3 examples"),
        (lambda x: x[:, :2], "no output column 2, it has 2"),
        (lambda x: x[:, 0], "no output column 2, it has 1"),
        (lambda x: x @ x, "raised RuntimeError: mat1 and mat2 shapes"),
    ],
)
def test_model_outputs_that_cannot_be_used(function: Any, message: str) -> None:
    with pytest.raises(InputError, match=re.escape(message)) as caught:
        check_layer(Returns(function), "layer", torch.ones(3, 4), 2)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("model", "layer", "x", "message"),
    [
        (Broken(), "last", torch.ones(2, 4), "in layer 'last', first after layer 'block.0'"),
        (Broken(), "first", torch.ones(2, 4), "in the model's output, first after layer 'block.0'"),
        (Broken("outside"), "first", torch.ones(2, 4), "outside of every named layer"),
        (
            Broken(""),
            "first",
            torch.tensor([[1.0, 2.0, float("inf"), 0.0]]),
            "already in input tensor 0",
        ),
    ],
)
def test_nan_is_found_where_it_starts(
    model: nn.Module, layer: str, x: Tensor, message: str
) -> None:
    with pytest.raises(InputError, match=message):
        check_layer(model, layer, x)


def test_table(network: Network, sequence: Tensor) -> None:
    lines = format_layers(list_layers(network, sequence[:2])).splitlines()
    assert lines[0].split() == ["layer", "type", "output", "shape", "d", "note"]
    rows = {line.split()[0]: line for line in lines[1:]}
    assert rows["conv"].split() == ["conv", "Sequential", "6", "x", "20", "120"]
    assert rows["act"].endswith("called 2 times: act@1 to act@2")
    assert rows["rnn"].endswith("output is a tuple whose first tensor is taken")
    assert rows["spare"].endswith("never called")
    assert lines[0].index("d  note") + 1 == len(rows["conv"])


FACTORY = """
from torch import nn

def build(width=3):
    return nn.Sequential(nn.Flatten(), nn.Linear(40, width), nn.ReLU(), nn.Linear(width, 1))
"""


@pytest.fixture
def factory(tmp_path: Path) -> str:
    path = tmp_path / "net.py"
    path.write_text(FACTORY)
    return f"{path}:build"


def test_command(factory: str, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    content = {"factory": factory, "weights": None, "window": 10, "kwargs": {"width": 7}}
    assert main(["layers", "--model", json.dumps(content)]) == 0
    table = capsys.readouterr().out
    assert re.search(r"^1 +Linear +7 +7$", table, re.MULTILINE)

    file = tmp_path / "model.yaml"
    file.write_text(json.dumps(content))
    assert main(["layers", "--model", f"@{file}"]) == 0
    assert capsys.readouterr().out == table

    config = tmp_path / "config.yaml"
    config.write_text(json.dumps({"models": {"net": {**content, "layers": ["1"]}}}))
    assert main(["layers", "--configfile", str(config)]) == 0
    assert capsys.readouterr().out == table
    assert main(["layers", "--configfile", str(config), "--name", "nett"]) == 2
    assert "did you mean 'net'" in capsys.readouterr().err


def test_command_with_a_wrong_window(factory: str, capsys: pytest.CaptureFixture[str]) -> None:
    content = {"factory": factory, "weights": None, "window": 11}
    assert main(["layers", "--model", json.dumps(content)]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "check `window`" in captured.err.strip().splitlines()[-1]


def test_command_without_a_window_of_dna(factory: str, capsys: pytest.CaptureFixture[str]) -> None:
    content = {"factory": factory, "weights": None, "window": None}
    assert main(["layers", "--model", json.dumps(content)]) == 2
    assert "has no window of it" in capsys.readouterr().err


def test_read_model_argument_errors(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="--model: not JSON"):
        read_model_argument("{")
    with pytest.raises(InputError, match="--model: model: unknown key 'windw'; did you mean 'win"):
        read_model_argument('{"windw": 3}')
    with pytest.raises(InputError, match="No such file"):
        read_model_argument(f"@{tmp_path}/none.yaml")
    with pytest.raises(InputError, match="no model given"):
        read_model_argument()
    config = tmp_path / "config.yaml"
    for text, message in [
        ("a: [", "not a YAML file"),
        ("3", "found int, expected a mapping"),
        ("a: 3", "no models"),
        ("models: {a: {}, b: {}}", r"holds 2 models \(a, b\)"),
        ("models: {a: 3}", "models: a: model: found 3"),
        ("models: {a: {factory: '${NO_SUCH}/a.py:b'}}", "models.a.factory: the environment var"),
        ("models: {a: {tracks: [atc]}}\ntracks: {atac: {}}", "no track 'atc'.*did you mean 'atac'"),
        ("models: {a: {tracks: [1]}}", "models.a.tracks: no track '1'"),
    ]:
        config.write_text(text)
        with pytest.raises(InputError, match=message) as caught:
            read_model_argument(configfile=str(config))
        assert "\n" not in str(caught.value)


def test_a_sequence_of_n_gives_the_bias_alone(network: Network) -> None:
    codes = np.full((2, 20), 4, dtype=np.uint8)
    found = layer_output(network, "conv.0", one_hot(codes))
    bias = network.conv[0].bias.detach()
    assert torch.allclose(found.reshape(2, 6, 20), bias[None, :, None].expand(2, 6, 20))


class Tokens(nn.Module):
    """Takes token ids and a mask of those that count."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(8, 3)
        self.conv = nn.Conv1d(3, 4, 3, padding=1)
        self.last = nn.Linear(4, 2)

    def forward(self, ids: Tensor, mask: Tensor) -> Tensor:
        y = self.conv(self.embedding(ids).transpose(1, 2)) * mask[:, None]
        return self.last(y.sum(-1) / mask.sum(-1, keepdim=True))


def test_whole_numbers_are_inputs() -> None:
    numbers = torch.Generator().manual_seed(2)
    ids = torch.randint(0, 8, (5, 9), generator=numbers)
    mask = (torch.arange(9) < 7).long().expand(5, 9)
    model = Tokens().eval()
    wanted = model.embedding.weight.detach()[ids]
    assert torch.equal(layer_output(model, "embedding", (ids, mask)), wanted.flatten(1))
    assert check_layer(model, "conv", (ids, mask), 1) == ((4, 9), 36, (2,))
    infos = {info.name: info.shape for info in list_layers(model, (ids, mask))}
    assert infos == {"embedding": (9, 3), "conv": (4, 9), "last": (2,)}
    # what is masked does not reach the output, but is in the layer before the mask
    other = ids.clone()
    other[:, 8] = (ids[:, 8] + 1) % 8
    assert torch.equal(model(other, mask), model(ids, mask))
    here, there = (layer_output(model, "conv", (x, mask)) for x in (ids, other))
    assert not torch.equal(here, there)


def test_a_layer_of_one_value_per_example() -> None:
    model = nn.Sequential(nn.Linear(4, 1), nn.Flatten(0))
    x = torch.ones(3, 4)
    assert layer_output(model, "1", x).shape == (3, 1)
    assert check_layer(model, "1", x) == ((), 1, ())
