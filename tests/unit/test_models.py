from __future__ import annotations

import importlib.util
import logging
import os
import pickle
import re
import sys
import textwrap
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any
from unittest.mock import Mock

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from tpcav_core.attributions import attribute
from tpcav_core.devices import full_float32
from tpcav_core.errors import InputError
from tpcav_core.imports import load_object
from tpcav_core.inputs import example_codes, one_hot
from tpcav_core.layers import layer_output
from tpcav_core.models import ModelSpec, load_model, resolve_device
from tpcav_core.strands import StrandAverage

ROOT = Path(__file__).parents[2]
CTCF = ROOT / ".test" / "ctcf" / "model.py"
FACTORY = """
from __future__ import annotations
from dataclasses import dataclass
from torch import nn

@dataclass
class Options:
    width: int = 3

class Net(nn.Module):
    def __init__(self, width=3, bias=True):
        super().__init__()
        self.conv = nn.Conv1d(4, width, 3, padding=1)
        self.norm = nn.BatchNorm1d(width)
        self.head = nn.Linear(width, 1, bias=bias)

    def forward(self, x):
        return self.head(self.norm(self.conv(x)).amax(-1))

class Tied(nn.Module):
    def __init__(self):
        super().__init__()
        self.a = nn.Linear(4, 4)
        self.b = nn.Linear(4, 4)
        self.b.weight = self.a.weight

def build(width=3, bias=True):
    return Net(Options(width).width, bias)

def fails(width=3):
    raise ValueError("no\\nluck")

def number():
    return 3

constant = 3
"""


class Elsewhere:
    """Something that is not a tensor."""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "net.py"
    path.write_text(FACTORY)
    return path


@pytest.fixture
def network(file: Path) -> nn.Module:
    """A network with weights of its own, different from those of a fresh one."""
    model: nn.Module = load_object(f"{file}:build", "factory")()
    numbers = torch.Generator().manual_seed(11)
    for tensor in model.state_dict().values():
        if tensor.is_floating_point():
            tensor.copy_(torch.rand(tensor.shape, generator=numbers) + 0.1)
    return model.eval()


@pytest.fixture
def sequence() -> Tensor:
    return one_hot(example_codes(5, 12))


def spec(file: Path, **options: Any) -> ModelSpec:
    return ModelSpec.from_dict(
        {"factory": f"{file}:build", "weights": None, "window": 12, **options}
    )


def fails(content: Any, message: str) -> str:
    """Check that loading is refused, in one line; return the line."""
    with pytest.raises(InputError, match=re.escape(message)) as caught:
        load_model(content if isinstance(content, ModelSpec) else ModelSpec.from_dict(content))
    assert "\n" not in str(caught.value)
    return str(caught.value)


# what the configuration says


def test_spec_defaults(file: Path) -> None:
    model = spec(file)
    assert (model.inputs, model.output, model.device) == ("one_hot", 0, "auto")
    with pytest.raises(AttributeError):
        model.window = 3  # type: ignore[misc]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"weigths_format": "auto"},
            "unknown key 'weigths_format'; did you mean 'weights_format'?",
        ),
        ({"zzz": 1}, "unknown key 'zzz'; the keys are window, weights,"),
        ({"window": "12"}, "window is '12', expected a whole number above 0"),
        ({"window": True}, "window is True"),
        ({"batch_size": 0}, "batch_size is 0"),
        ({"output": -1}, "output is -1, expected a column from 0 or a name"),
        ({"kwargs": [1]}, "kwargs is [1], expected a mapping"),
        ({"weights": 3}, "weights is 3, expected text or null"),
        ({"reverse_complement": 1}, "reverse_complement is 1, expected true or false"),
        (
            {"reverse_complement": True, "inputs": "encode.py:f"},
            "reverse_complement is for inputs one_hot,",
        ),
        ({"inputs": None}, "inputs is None, expected text"),
        ({"weights_format": "onnx"}, "weights_format is 'onnx', expected one of auto, state_dict"),
        ({"allow_pickled_module": "yes"}, "expected true or false"),
        ({"factory": None}, "model: no factory"),
        ({"pickled_classes": "a.py"}, "pickled_classes is only for"),
        ({"weights_format": "pickled_module", "weights": "m.pt"}, "runs whatever code"),
        (
            {"weights_format": "pickled_module", "allow_pickled_module": True},
            "needs a file in weights",
        ),
        (
            {
                "weights_format": "pickled_module",
                "allow_pickled_module": True,
                "weights": "m.pt",
            },
            "brings its own architecture",
        ),
    ],
)
def test_spec_that_cannot_be_used(file: Path, change: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=re.escape(message)):
        spec(file, **change)


def test_spec_without_a_needed_key() -> None:
    with pytest.raises(InputError, match=r"'weights' is missing; add it \(null for an untrained"):
        ModelSpec.from_dict({"factory": "a.py:b", "window": 3})
    with pytest.raises(InputError, match="'window' is missing"):
        ModelSpec.from_dict({"factory": "a.py:b", "weights": None})
    with pytest.raises(InputError, match="found 3, expected a mapping"):
        ModelSpec.from_dict(3)  # type: ignore[arg-type]


# factories


def test_untrained_network_is_the_same_every_time_and_no_seed_is_touched(
    file: Path, caplog: pytest.LogCaptureFixture
) -> None:
    before = torch.random.get_rng_state()
    with caplog.at_level(logging.WARNING, "tpcav_core"):
        one = load_model(spec(file))
    assert "untrained" in caplog.text
    assert torch.equal(torch.random.get_rng_state(), before)
    torch.rand(3)
    two = load_model(spec(file))
    assert all(torch.equal(a, b) for a, b in zip(one.parameters(), two.parameters(), strict=True))


def test_a_loaded_model_is_frozen_in_evaluation_mode(file: Path, network: nn.Module) -> None:
    path = file.parent / "w.pt"
    torch.save(network.state_dict(), path)
    model = load_model(spec(file, weights=str(path)))
    assert not any(module.training for module in model.modules())
    assert not any(parameter.requires_grad for parameter in model.parameters())


def test_a_model_averaged_over_strands(file: Path, network: nn.Module, sequence: Tensor) -> None:
    path = file.parent / "w.pt"
    torch.save(network.state_dict(), path)
    assert not isinstance(load_model(spec(file, weights=str(path))), StrandAverage)
    model = load_model(spec(file, weights=str(path), reverse_complement=True))
    assert not any(module.training for module in model.modules())
    assert not any(parameter.requires_grad for parameter in model.parameters())
    both = network(sequence) + network(sequence.flip(1, 2))
    torch.testing.assert_close(model(sequence), both.detach() / 2)
    assert layer_output(model, "conv", sequence).shape == (5, 2 * 3 * 12)


def test_factories_are_functions_or_classes_in_files_or_packages(file: Path) -> None:
    assert load_model(spec(file, kwargs={"width": 5})).conv.out_channels == 5
    assert load_model(spec(file, factory=f"{file}:Net", kwargs={"width": 2})).conv.out_channels == 2
    linear = {"in_features": 3, "out_features": 2}
    assert load_model(spec(file, factory="torch.nn:Linear", kwargs=linear)).out_features == 2


def test_a_file_leaves_the_path_alone_and_is_read_again_when_edited(file: Path) -> None:
    path = list(sys.path)
    first = load_object(f"{file}:constant", "factory")
    file.write_text(FACTORY.replace("constant = 3", "constant = 4"))
    assert (first, load_object(f"{file}:constant", "factory")) == (3, 4)
    assert sys.path == path
    assert "net" not in sys.modules


@pytest.mark.parametrize(
    ("factory", "kwargs", "message"),
    [
        ("{dir}/nett.py:build", {}, "nett.py: no such file; paths are relative to"),
        ("{dir}/net.py:biuld", {}, "does not define 'biuld'; did you mean 'build'?"),
        ("{dir}/net.py", {}, "expected path/to/file.py:function or package.module:function"),
        ("no_such_package_here:f", {}, "raised ModuleNotFoundError: No module named"),
        ("torch.nn:Linaer", {}, "torch.nn does not define 'Linaer'; did you mean 'Linear'?"),
        ("{dir}/net.py:constant", {}, "is a int, expected a function or class"),
        ("{dir}/net.py:number", {}, "returned a int, expected a torch.nn.Module"),
        ("{dir}/net.py:fails", {}, "raised ValueError: no (line "),
        (
            "{dir}/net.py:build",
            {"widht": 3},
            "unexpected keyword argument 'widht'; did you mean 'wi",
        ),
        ("torch.nn:Linear", {}, "kwargs do not fit: missing a required argument: 'in_features'"),
        ("{dir}/raises.py:build", {}, "raised ImportError: gone (line 2 of"),
        ("{dir}/syntax.py:build", {}, "SyntaxError: "),
    ],
)
def test_factories_that_cannot_be_used(
    file: Path, factory: str, kwargs: dict[str, Any], message: str
) -> None:
    (file.parent / "raises.py").write_text("import torch\nraise ImportError('gone')\n")
    (file.parent / "syntax.py").write_text("import torch\ndef build(:\n")
    line = fails(spec(file, factory=factory.format(dir=file.parent), kwargs=kwargs), message)
    assert factory.format(dir=file.parent) in line


# weights


def save_as(kind: str, network: nn.Module, folder: Path) -> str:
    state = network.state_dict()
    path = folder / ("w.safetensors" if kind.startswith("safetensors") else "w.ckpt")
    if kind == "safetensors":
        save_file(state, path)
    elif kind == "safetensors_prefixed":
        save_file({f"model.{key}": value for key, value in state.items()}, path)
    else:
        content = {
            "state_dict": state,
            "state_dict_old": state,
            "state_dict_parallel": {f"module.{key}": value for key, value in state.items()},
            "lightning": {
                "epoch": 3,
                "state_dict": {f"model.{key}": value for key, value in state.items()},
                "hyper_parameters": {"lr": 0.1},
            },
            "lightning_plain": {"state_dict": state, "pytorch-lightning_version": "2.4"},
            "checkpoint": {"model_state_dict": state, "optimizer": {"state": {}}},
        }[kind]
        torch.save(content, path, _use_new_zipfile_serialization=kind != "state_dict_old")
    return str(path)


@pytest.mark.parametrize(
    "kind",
    [
        "state_dict",
        "state_dict_old",
        "state_dict_parallel",
        "lightning",
        "lightning_plain",
        "checkpoint",
        "safetensors",
        "safetensors_prefixed",
    ],
)
def test_every_format_gives_the_same_network(
    kind: str, file: Path, network: nn.Module, sequence: Tensor
) -> None:
    path = save_as(kind, network, file.parent)
    loaded = load_model(spec(file, weights=path))
    assert torch.equal(loaded(sequence), network(sequence).detach())
    fixed = kind.split("_")[0] if kind.split("_")[0] in ("lightning", "safetensors") else None
    if fixed:
        again = load_model(spec(file, weights=path, weights_format=fixed))
        assert torch.equal(again(sequence), loaded(sequence))


def test_a_found_prefix_is_logged(
    file: Path, network: nn.Module, caplog: pytest.LogCaptureFixture
) -> None:
    path = save_as("lightning", network, file.parent)
    with caplog.at_level(logging.INFO, "tpcav_core"):
        load_model(spec(file, weights=path))
    assert "all keys start with 'model.'" in caplog.text


def test_a_given_prefix_leaves_the_rest_out(
    file: Path, network: nn.Module, sequence: Tensor
) -> None:
    path = file.parent / "w.pt"
    state = {f"net.{key}": value for key, value in network.state_dict().items()}
    torch.save({"state_dict": {**state, "loss.weight": torch.ones(1)}}, path)
    line = fails(spec(file, weights=str(path)), "set weights_prefix")
    assert "missing conv.weight, conv.bias, norm.weight and 5 more" in line
    model = load_model(spec(file, weights=str(path), weights_prefix="net."))
    assert torch.equal(model(sequence), network(sequence).detach())
    fails(spec(file, weights=str(path), weights_prefix="mod."), "no key starts with weights_prefix")


def test_a_tensor_of_two_names_may_be_stored_once(file: Path) -> None:
    path = file.parent / "w.safetensors"
    tied: nn.Module = load_object(f"{file}:Tied", "factory")()
    state = {key: value for key, value in tied.state_dict().items() if key != "b.weight"}
    save_file(state, path)
    model = load_model(spec(file, factory=f"{file}:Tied", weights=str(path)))
    assert torch.equal(model.b.weight, tied.a.weight)


def test_keys_and_shapes_that_do_not_match(file: Path, network: nn.Module) -> None:
    path = save_as("state_dict", network, file.parent)
    line = fails(spec(file, weights=path, kwargs={"width": 4}), path)
    assert "shape mismatch conv.weight is (3, 4, 3) and not (4, 4, 3), conv.bias is (3,)" in line
    fails(spec(file, weights=path, kwargs={"bias": False}), "unexpected head.bias; check")
    state = network.state_dict()
    del state["norm.weight"]
    torch.save(state, path)
    fails(spec(file, weights=path), "missing norm.weight; check the factory")


@pytest.mark.parametrize(
    ("content", "options", "message"),
    [
        (None, {}, "no such file, expected the model's weights"),
        (b"", {}, "not a readable torch file"),
        (b"hello world\n", {}, "not a readable torch file"),
        (b"PK\x03\x04rubbish", {}, "not a readable torch file"),
        (b"rubbish!", {"weights_format": "safetensors"}, "not a readable safetensors file"),
        ([1, 2], {}, "holds a list, expected a state dict"),
        ({}, {}, "holds a mapping with no keys, expected a state dict"),
        ({"epoch": 1, "x": 2}, {}, "holds a mapping with keys 'epoch', 'x', expected a state dict"),
        ({"w": torch.ones(1)}, {"weights_format": "lightning"}, "expected a Lightning checkpoint"),
    ],
)
def test_files_that_hold_no_weights(
    file: Path, content: Any, options: dict[str, Any], message: str
) -> None:
    path = file.parent / "w.pt"
    if isinstance(content, bytes):
        path.write_bytes(content)
    elif content is not None:
        torch.save(content, path)
    line = fails(spec(file, weights=str(path), **options), message)
    assert str(path) in line


def test_a_folder_is_no_weight_file(file: Path) -> None:
    fails(spec(file, weights=str(file.parent)), "is a folder")


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::UserWarning")
def test_a_torchscript_program_is_no_weight_file(file: Path, network: nn.Module) -> None:
    path = str(file.parent / "w.pt")
    torch.jit.save(torch.jit.trace(network, torch.ones(1, 4, 12)), path)
    fails(spec(file, weights=path), "holds a TorchScript program, expected tensors only")


@pytest.mark.parametrize("zipped", [True, False])
def test_pickled_objects_beside_the_weights_are_refused(
    file: Path, network: nn.Module, zipped: bool
) -> None:
    path = file.parent / "w.ckpt"
    content = {"state_dict": network.state_dict(), "hyper_parameters": Elsewhere()}
    torch.save(content, path, _use_new_zipfile_serialization=zipped)
    line = fails(spec(file, weights=str(path)), "holds pickled objects ")
    assert "Elsewhere" in line
    assert "allow_pickled_module: true" in line


# whole pickled modules


@pytest.fixture
def pickled(file: Path, network: nn.Module, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A whole module, pickled from ``__main__`` as scripts do."""
    source = sys.modules[type(network).__module__]
    monkeypatch.setattr(source.Net, "__module__", "__main__")
    monkeypatch.setattr(sys.modules["__main__"], "Net", source.Net, raising=False)
    path = file.parent / "whole.pt"
    torch.save(network, path)
    monkeypatch.undo()
    return path


def pickled_spec(path: Path, classes: Path | None) -> ModelSpec:
    return ModelSpec.from_dict(
        {
            "weights": str(path),
            "weights_format": "pickled_module",
            "allow_pickled_module": True,
            "pickled_classes": None if classes is None else str(classes),
            "window": 12,
        }
    )


def test_a_pickled_module_gives_the_same_network(
    file: Path,
    pickled: Path,
    network: nn.Module,
    sequence: Tensor,
    caplog: pytest.LogCaptureFixture,
) -> None:
    main = dict(vars(sys.modules["__main__"]))
    with caplog.at_level(logging.WARNING, "tpcav_core"):
        model = load_model(pickled_spec(pickled, file))
    assert "runs the code it contains" in caplog.text
    assert torch.equal(model(sequence), network(sequence).detach())
    assert not any(parameter.requires_grad for parameter in model.parameters())
    assert dict(vars(sys.modules["__main__"])) == main


def test_pickled_modules_that_cannot_be_used(file: Path, pickled: Path) -> None:
    fails(pickled_spec(pickled, None), "class 'Net' of __main__, which is not found here; set pick")
    classes = file.parent / "other.py"
    classes.write_text("class Nett:\n    pass\n")
    fails(pickled_spec(pickled, classes), "does not define; did you mean 'Nett'?")
    fails(pickled_spec(pickled, file.parent / "none.py"), "none.py: no such file")
    pickled.write_bytes(b"rubbish")
    fails(pickled_spec(pickled, file), "unpickling raised UnpicklingError")
    torch.save({"w": torch.ones(1)}, pickled)
    fails(pickled_spec(pickled, file), "holds a mapping with keys 'w', expected a whole pickled")
    fails(pickled_spec(file.parent / "gone.pt", file), "no such file")


def test_classes_of_a_module_that_is_not_installed_are_looked_up_too(
    file: Path, network: nn.Module, sequence: Tensor, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = sys.modules[type(network).__module__]
    lab = ModuleType("lab_models")
    vars(lab)["Net"] = source.Net
    monkeypatch.setitem(sys.modules, "lab_models", lab)
    monkeypatch.setattr(source.Net, "__module__", "lab_models")
    path = file.parent / "whole.pt"
    torch.save(network, path)
    monkeypatch.undo()
    assert importlib.util.find_spec("lab_models") is None
    assert torch.equal(load_model(pickled_spec(path, file))(sequence), network(sequence).detach())
    fails(pickled_spec(path, None), "class 'Net' of lab_models")


def test_nothing_of_a_file_runs_without_the_opt_in(file: Path) -> None:
    mark = file.parent / "ran"

    class Runs:
        def __reduce__(self) -> tuple[Any, ...]:
            return os.mkdir, (str(mark),)

    for name in ("w.pt", "w.safetensors"):
        path = file.parent / name
        torch.save({"state_dict": Runs()}, path)
        for weights_format in ("auto", "state_dict", "lightning", "safetensors"):
            fails(spec(file, weights=str(path), weights_format=weights_format), str(path))
    assert not mark.exists()
    with pytest.raises(InputError, match="runs whatever code"):
        spec(file, weights=str(path), weights_format="pickled_module")
    assert not mark.exists()
    # it would run
    pickle.loads(pickle.dumps(Runs()))
    assert mark.exists()


# devices


@pytest.fixture
def own_precision():
    """Leave PyTorch as other tests do."""
    yield
    full_float32()


TF32 = """
    import torch
    from torch import nn

    torch.set_float32_matmul_precision("high")
    torch.backends.cudnn.allow_tf32 = True
    {more}

    def build():
        return nn.Linear(2, 1)
"""


@pytest.mark.parametrize("more", ["", 'torch.backends.cudnn.conv.fp32_precision = "tf32"'])
def test_products_are_in_full_float32_whatever_the_models_code_sets(
    tmp_path: Path, more: str, own_precision: None
) -> None:
    torch.backends.cudnn.allow_tf32 = True  # as PyTorch starts
    file = tmp_path / "fast.py"
    file.write_text(textwrap.dedent(TF32).format(more=more))
    load_model(ModelSpec(factory=f"{file}:build", window=None, weights=None))
    assert torch.get_float32_matmul_precision() == "highest"
    assert not torch.backends.cuda.matmul.allow_tf32
    assert not torch.backends.cudnn.allow_tf32
    for part in (torch.backends.cudnn.conv, torch.backends.cudnn.rnn, torch.backends.cuda.matmul):
        assert part.fp32_precision == "ieee"


def test_devices(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert resolve_device("auto") == resolve_device("cpu") == torch.device("cpu")
    for name in ("cuda", "cuda:0"):
        with pytest.raises(InputError, match="sees 0 CUDA devices here; set device: auto or cpu"):
            resolve_device(name)
    for name in ("gpu", "cuda:", "cuda:x", ""):
        with pytest.raises(InputError, match="expected auto, cpu, cuda or cuda:N"):
            resolve_device(name)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    assert resolve_device("auto") == torch.device("cuda")
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda index: Mock(uuid=f"u{index}"))
    monkeypatch.setattr("tpcav_core.models.free_device", lambda names: names.index("u1"))
    assert resolve_device("auto") == resolve_device("cuda") == torch.device("cuda:1")
    assert resolve_device("cuda:1") == torch.device("cuda:1")
    with pytest.raises(InputError, match="'cuda:2': PyTorch sees 2"):
        resolve_device("cuda:2")


# the real network


@pytest.fixture
def real_models() -> Path:
    folder = Path(os.environ.get("TPCAV_DATA", ROOT.parent / "shared" / "data")) / "models"
    if not folder.is_dir():
        pytest.skip(f"needs the real data: {folder} is not there (set TPCAV_DATA)")
    return folder


@pytest.mark.real
def test_ctcf_network_is_one_network_in_every_format(real_models: Path, tmp_path: Path) -> None:
    weights = real_models / "mcf7_ctcf.state_dict.pt"
    factory = {"factory": f"{CTCF}:build", "window": 1024}
    plain = load_model(ModelSpec.from_dict({**factory, "weights": str(weights)}))
    whole = load_model(pickled_spec(real_models / "mcf7_ctcf.pickled_module.pt", CTCF))
    save_file(plain.state_dict(), tmp_path / "w.safetensors")
    lightning = {f"model.{key}": value for key, value in plain.state_dict().items()}
    torch.save({"state_dict": lightning, "epoch": 1}, tmp_path / "w.ckpt")
    others = [
        load_model(ModelSpec.from_dict({**factory, "weights": str(tmp_path / name)}))
        for name in ("w.safetensors", "w.ckpt")
    ]
    sequence = one_hot(example_codes(3, 1024))
    expected = plain(sequence)
    assert expected.shape == (3, 1)
    for other in (whole, *others):
        assert torch.equal(other(sequence), expected)
        for layer in ("linear_layer_1", "conv_layer_2"):
            found = layer_output(other, layer, sequence)
            assert torch.equal(found, layer_output(plain, layer, sequence))
    hidden = layer_output(plain, "linear_layer_1", sequence)
    assert hidden.shape == (3, 128)
    assert torch.equal(plain.linear_layer_2(hidden), expected)


@pytest.mark.real
def test_ctcf_pickled_module_needs_the_opt_in(real_models: Path) -> None:
    weights = str(real_models / "mcf7_ctcf.pickled_module.pt")
    fails(
        {"factory": f"{CTCF}:build", "window": 1024, "weights": weights},
        "holds pickled objects __main__.DummyModelSeq",
    )


@pytest.mark.parametrize("precision", ["bfloat16", "float32"])
def test_lower_precision_is_near_and_its_error_is_measured(toy_network, precision):
    spec = ModelSpec(window=64, weights=None, factory=f"{toy_network}:build", precision=precision)
    model = load_model(spec)
    exact = load_model(replace(spec, precision="float32"))
    x, b = (one_hot(example_codes(16, 64, seed)) for seed in (1, 2))
    found = attribute(model, "2", (x,), (b,))
    right = attribute(exact, "2", (x,), (b,))
    size = np.abs(right.activations).max()
    error = np.abs(found.activations - right.activations).max() / size
    assert (error == 0) == (precision == "float32")
    assert error < 0.02
    assert found.multipliers.dtype == np.float32
    assert (found.relative_error() > 1e-4) == (precision == "bfloat16")
    assert layer_output(model, "2", x).shape == layer_output(exact, "2", x).shape
