from __future__ import annotations

import json
import logging
import os
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from torch import Tensor, nn

from tpcav_core.attributions import Method, attribute, attribute_completely
from tpcav_core.config import checked
from tpcav_core.errors import InputError
from tpcav_core.huggingface import HuggingFaceModel, load_huggingface
from tpcav_core.inputs import example_codes, input_adapter
from tpcav_core.jobs import Jobs
from tpcav_core.layer_checks import check_layer, list_layers
from tpcav_core.layers import layer_output
from tpcav_core.model_folders import ARCHITECTURES, check_folder, folder_files
from tpcav_core.models import ModelSpec, load_model
from tpcav_core.path_steps import STEPS
from tpcav_core.probing import choose_method

transformers = pytest.importorskip("transformers")

WINDOW = 18
SEQUENCES = "AutoModelForSequenceClassification"
CODE = """
import torch
from transformers import PretrainedConfig, PreTrainedModel


class OwnConfig(PretrainedConfig):
    model_type = "own_of_a_test"

    def __init__(self, width=6, **others):
        super().__init__(**others)
        self.width = width


class OwnForSequenceClassification(PreTrainedModel):
    config_class = OwnConfig

    def __init__(self, config):
        super().__init__(config)
        self.embed = torch.nn.Embedding(9, config.width)
        self.head = torch.nn.Linear(config.width, 2)
        self.post_init()

    def forward(self, input_ids):
        return (self.head(self.embed(input_ids).mean(1)),)
"""


@pytest.fixture(autouse=True)
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    import huggingface_hub.constants

    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Small random networks with a tokenizer, saved; their folders by what was saved.

    Do not change them.
    """
    small = {
        "vocab_size": 9,
        "hidden_size": 8,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "intermediate_size": 12,
        "max_position_embeddings": 40,
        "pad_token_id": 0,
        "initializer_range": 0.7,
        "num_labels": 3,
    }
    bert = transformers.BertConfig(**small)
    esm = transformers.EsmConfig(
        **small, mask_token_id=1, position_embedding_type="rotary", token_dropout=False
    )
    found = {}
    for name, config in (("Bert", bert), ("Esm", esm)):
        kinds = ("Model", "ForMaskedLM", "ForSequenceClassification", "ForTokenClassification")
        for kind in (*kinds, "ForPreTraining") if name == "Bert" else kinds:
            folder = str(tmp_path_factory.mktemp("saved") / f"{name}{kind}")
            with torch.random.fork_rng():
                torch.manual_seed(7)
                made = getattr(transformers, name + kind)(config)
            made.save_pretrained(folder)
            save_tokenizer(folder)
            found[name + kind] = folder
    return found


def save_tokenizer(folder: str, pattern: str = ".", words: str = "A C G T N") -> None:
    from tokenizers import Regex, Tokenizer, models, pre_tokenizers, processors

    vocabulary = {w: i for i, w in enumerate(["[PAD]", "[UNK]", "[CLS]", *words.split()])}
    made = Tokenizer(models.WordLevel(vocabulary, unk_token="[UNK]"))
    made.pre_tokenizer = pre_tokenizers.Split(Regex(pattern), "isolated")
    made.post_processor = processors.TemplateProcessing(
        single="[CLS] $A", special_tokens=[("[CLS]", 2)]
    )
    transformers.PreTrainedTokenizerFast(
        tokenizer_object=made, pad_token="[PAD]", unk_token="[UNK]", cls_token="[CLS]"
    ).save_pretrained(folder)


@pytest.fixture
def copy(folders: dict[str, str], tmp_path: Path) -> Callable[[str], Path]:
    """Copy a folder, to be changed."""
    import shutil

    def make(name: str) -> Path:
        return Path(shutil.copytree(folders[name], tmp_path / name))

    return make


@pytest.fixture
def modules(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let transformers keep code of folders in a place of the test's own."""
    from transformers import dynamic_module_utils

    place = str(tmp_path / "modules")
    monkeypatch.setattr(dynamic_module_utils, "HF_MODULES_CACHE", place)
    path, before = list(sys.path), set(sys.modules)
    yield
    sys.path[:] = path
    for name in set(sys.modules) - before:
        if name.startswith("transformers_modules"):
            del sys.modules[name]


def tokens(folder: str, n: int = 4, seed: int = 0, padded: int = 0) -> tuple[Tensor, Tensor]:
    """Return ids and mask of random sequences; ``padded`` of each row's last tokens are padding."""
    ids, mask = input_adapter(f"tokenizer:{folder}")(example_codes(n, WINDOW, seed))
    if padded:
        ids[:, -padded:], mask[:, -padded:] = 0, 0
    return ids, mask


def plainly(folder: str, architecture: str) -> Any:
    """Return the network as transformers itself loads it."""
    return getattr(transformers, architecture).from_pretrained(folder, local_files_only=True).eval()


def refused(folder: str | Path, message: str, *options: Any) -> str:
    with pytest.raises(InputError, match=re.escape(message)) as caught:
        load_huggingface(str(folder), *options)
    text = str(caught.value)
    assert "\n" not in text
    assert text.startswith(f"huggingface {str(folder)!r}")
    return text


# what is loaded


@pytest.mark.parametrize("family", ["Bert", "Esm"])
def test_logits_of_sequences_are_those_of_transformers(
    folders: dict[str, str], family: str
) -> None:
    folder = folders[f"{family}ForSequenceClassification"]
    ids, mask = tokens(folder, padded=3)
    model = load_model(ModelSpec.from_dict({"huggingface": folder, "window": WINDOW}))
    expected = plainly(folder, SEQUENCES)(input_ids=ids, attention_mask=mask).logits
    assert expected.shape == (4, 3)
    assert expected.std() > 0.01
    torch.testing.assert_close(model(ids, mask), expected)
    assert not model.training
    assert not any(module.training for module in model.modules())
    assert not any(parameter.requires_grad for parameter in model.parameters())


@pytest.mark.parametrize("family", ["Bert", "Esm"])
@pytest.mark.parametrize(
    ("kind", "part"),
    [
        ("Model", "last_hidden_state"),
        ("ForMaskedLM", "logits"),
        ("ForTokenClassification", "logits"),
    ],
)
def test_values_of_tokens_are_averaged_without_padding(
    folders: dict[str, str], family: str, kind: str, part: str
) -> None:
    folder = folders[family + kind]
    ids, mask = tokens(folder, padded=5)
    mask[0], ids[0, 3:] = 0, 0
    mask[0, :3] = 1
    model = load_huggingface(folder)
    whole = plainly(folder, f"AutoModel{kind.removeprefix('Model')}")(
        input_ids=ids, attention_mask=mask
    )[part]
    expected = torch.stack([whole[row][mask[row].bool()].mean(0) for row in range(4)])
    torch.testing.assert_close(model(ids, mask), expected)
    assert model(ids, mask).shape == (4, whole.shape[2])


def test_padding_changes_nothing(folders: dict[str, str]) -> None:
    model = load_huggingface(folders["BertForTokenClassification"])
    ids, mask = tokens(folders["BertForTokenClassification"], padded=6)
    torch.testing.assert_close(model(ids, mask), model(ids[:, :-6], mask[:, :-6]))
    torch.testing.assert_close(model(ids[:, :-6]), model(ids[:, :-6], mask[:, :-6]))


def test_two_loads_give_the_same_bytes(folders: dict[str, str]) -> None:
    for name, folder in folders.items():
        architecture = "AutoModelForMaskedLM" if name == "BertForPreTraining" else None
        state = torch.random.get_rng_state()
        first, second = (load_huggingface(folder, architecture) for _ in range(2))
        assert torch.equal(torch.random.get_rng_state(), state)
        assert torch.equal(first(*tokens(folder)), second(*tokens(folder)))


def test_weights_may_be_permuted_as_a_sanity_check(folders: dict[str, str]) -> None:
    folder = folders["EsmForSequenceClassification"]
    content = {"huggingface": folder, "window": WINDOW}
    first, second, other = (
        load_model(ModelSpec.from_dict({**content, "randomise": seed}))(*tokens(folder))
        for seed in (1, 1, None)
    )
    assert torch.equal(first, second)
    assert not torch.allclose(first, other)


def test_weights_of_half_precision_become_float32(copy: Callable[[str], Path]) -> None:
    folder = copy("BertForSequenceClassification")
    plainly(str(folder), SEQUENCES).half().save_pretrained(folder)
    assert json.loads((folder / "config.json").read_text())["dtype"] == "float16"
    model = load_huggingface(str(folder))
    assert {tensor.dtype for tensor in model.parameters()} == {torch.float32}
    assert model(*tokens(str(folder))).dtype == torch.float32


def test_attention_is_eager(folders: dict[str, str]) -> None:
    config = load_huggingface(folders["BertModel"]).model.config
    assert config._attn_implementation == "eager"


def test_a_base_network_may_be_taken_from_one_with_a_head(
    folders: dict[str, str], caplog: pytest.LogCaptureFixture
) -> None:
    folder = folders["EsmForMaskedLM"]
    with caplog.at_level(logging.INFO, logger="tpcav_core"):
        model = load_huggingface(folder, "AutoModel")
    assert "left out of the file: lm_head.bias" in caplog.text
    # transformers would have made up a pooler, which its hidden states do not need
    assert not any("pooler" in layer.name for layer in list_layers(model, tokens(folder)))
    whole = plainly(folder, "AutoModelForMaskedLM").esm(*tokens(folder)).last_hidden_state
    torch.testing.assert_close(model(*tokens(folder)), whole.mean(1))


def test_a_masked_language_model_may_have_been_trained_with_another_head_beside_it(
    folders: dict[str, str],
) -> None:
    folder = folders["BertForPreTraining"]
    expected = plainly(folder, "AutoModelForPreTraining")(*tokens(folder)).prediction_logits
    found = load_huggingface(folder, "AutoModelForMaskedLM")(*tokens(folder))
    torch.testing.assert_close(found, expected.mean(1))


def test_nothing_is_printed_and_settings_of_transformers_stay(
    folders: dict[str, str],
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # a command that ran before has left its own, to a stream that is closed now
    monkeypatch.setattr(logging.getLogger(), "handlers", [])
    reports = transformers.logging
    before = reports.get_verbosity(), reports.is_progress_bar_enabled()
    load_huggingface(folders["EsmForMaskedLM"], "AutoModel")
    assert (reports.get_verbosity(), reports.is_progress_bar_enabled()) == before
    assert capfd.readouterr() == ("", "")


# layers and attributions


def test_layers_go_by_their_names_in_the_network(folders: dict[str, str]) -> None:
    folder = folders["BertForSequenceClassification"]
    model = load_huggingface(folder)
    layers = {layer.name: layer for layer in list_layers(model, tokens(folder))}
    assert set(layers) == {n for n, _ in plainly(folder, SEQUENCES).named_modules() if n}
    last = layers["bert.encoder.layer.1"]
    assert (last.shape, last.d, last.calls, last.output) == ((19, 8), 152, 1, "tensor")
    check = check_layer(model, "bert.encoder.layer.1", tokens(folder), 2)
    assert check == ((19, 8), 152, (3,))
    ids, mask = tokens(folder)
    hidden = plainly(folder, SEQUENCES).bert(ids, mask).last_hidden_state
    found = layer_output(model, "bert.encoder.layer.1", (ids, mask))
    torch.testing.assert_close(found, hidden.flatten(1))


LAYERS = [
    ("BertForSequenceClassification", "bert.embeddings"),
    ("BertForSequenceClassification", "bert.encoder.layer.0"),
    ("BertForSequenceClassification", "bert.encoder.layer.1"),
    ("BertForSequenceClassification", "bert.pooler"),
    ("EsmForSequenceClassification", "esm.encoder.layer.0"),
    ("EsmForSequenceClassification", "esm.encoder.layer.1"),
    ("EsmForMaskedLM", "esm.encoder.emb_layer_norm_after"),
]


@pytest.mark.parametrize(("name", "layer"), LAYERS)
def test_attributions_are_complete(folders: dict[str, str], name: str, layer: str) -> None:
    folder = folders[name]
    model = load_model(ModelSpec.from_dict({"huggingface": folder, "window": WINDOW}))
    inputs, baselines = tokens(folder, 6, seed=1), tokens(folder, 6, seed=2)
    options: dict[str, Any] = {"output": 1}
    chosen = choose_method(model, layer, inputs, baselines, **options)
    assert (chosen.method, chosen.without_rule) == ("deeplift", ())
    assert attribute(model, layer, inputs, baselines, **options).relative_error() < 1e-3
    method: Method = "integrated_gradients"
    result = attribute_completely(
        model,
        layer,
        inputs,
        baselines,
        **options,
        method=method,
        largest_error=0.01 * chosen.output_change,
    )
    assert chosen.output_change > 0.01
    assert result.relative_error() < 0.01
    torch.testing.assert_close(
        torch.from_numpy(result.activations), layer_output(model, layer, inputs)
    )
    again = attribute(model, layer, inputs, baselines, **options, method=method)
    other = attribute(model, layer, inputs, baselines, **options, method=method)
    assert np.array_equal(again.multipliers, other.multipliers)


def test_a_layer_with_a_way_around_it_is_not_complete(folders: dict[str, str]) -> None:
    folder = folders["EsmForSequenceClassification"]
    model, layer = load_huggingface(folder), "esm.encoder.layer.1.output.dense"
    inputs, baselines = tokens(folder, 6, seed=1), tokens(folder, 6, seed=2)
    result = attribute(model, layer, inputs, baselines, method="integrated_gradients")
    assert result.relative_error() > 0.1


def test_where_masks_differ_only_layers_after_the_last_use_of_the_mask_are_complete(
    copy: Callable[[str], Path],
) -> None:
    folder = str(copy("BertForSequenceClassification"))
    save_tokenizer(folder, "AC|.", "A C G T AC N")
    model = load_huggingface(folder)
    inputs, baselines = tokens(folder, 6, seed=1), tokens(folder, 6, seed=2)
    assert not torch.equal(inputs[1], baselines[1])
    errors = [
        attribute(
            model, layer, inputs, baselines, method="integrated_gradients", steps=STEPS[-1]
        ).relative_error()
        for layer in ("bert.encoder.layer.0", "bert.encoder.layer.1")
    ]
    assert errors[0] > 0.05
    assert errors[1] < 0.01


# what is refused


def test_random_weights_are_refused(folders: dict[str, str]) -> None:
    text = refused(folders["BertForMaskedLM"], "random weights would stand for", SEQUENCES)
    assert "classifier.bias, classifier.weight" in text
    assert "BertForSequenceClassification" in text
    assert "the folder holds BertForMaskedLM" in text
    refused(folders["BertModel"], "random weights would stand for cls.", "AutoModelForMaskedLM")


def test_shapes_and_left_over_weights_are_refused(copy: Callable[[str], Path]) -> None:
    folder = copy("BertForSequenceClassification")
    config = folder / "config.json"
    content = json.loads(config.read_text())
    config.write_text(json.dumps({**content, "num_hidden_layers": 1}))
    refused(folder, "the network has no place for bert.encoder.layer.1.")
    refused(folder, "the network has no place for ", "AutoModel")
    config.write_text(json.dumps({**content, "num_hidden_layers": 3}))
    refused(folder, "random weights would stand for bert.encoder.layer.2.")
    config.write_text(json.dumps({**content, "id2label": {"0": "a", "1": "b"}}))
    text = refused(
        folder, "other shapes in the file and the network have classifier.bias (3,) (2,)"
    )
    assert "classifier.weight (3, 8) (2, 8)" in text


def test_a_pickle_is_refused_and_never_read(copy: Callable[[str], Path]) -> None:
    folder = copy("BertForSequenceClassification")
    mark = folder / "ran"

    class Runs:
        def __reduce__(self) -> tuple[Any, ...]:
            return os.mkdir, (str(mark),)

    torch.save({"w": Runs()}, folder / "pytorch_model.bin")
    load_huggingface(str(folder))
    (folder / "model.safetensors").unlink()
    text = refused(folder, "pytorch_model.bin is a pickle, expected model.safetensors")
    command = f"import {SEQUENCES} as A; A.from_pretrained({str(folder)!r}).save_pretrained("
    assert command in text
    assert not mark.exists()


def test_the_command_that_converts_a_pickle_does(
    copy: Callable[[str], Path], capfd: pytest.CaptureFixture[str]
) -> None:
    folder = copy("EsmForSequenceClassification")
    expected = load_huggingface(str(folder))
    torch.save(expected.model.state_dict(), folder / "pytorch_model.bin")
    (folder / "model.safetensors").unlink()
    text = refused(folder, "is a pickle")
    found = re.search(r'python -c "(.*)"', text)
    assert found
    exec(found[1], {})
    capfd.readouterr()
    ids, mask = tokens(str(folder))
    assert torch.equal(load_huggingface(str(folder))(ids, mask), expected(ids, mask))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"model.safetensors": None}, "no model.safetensors in it"),
        ({"config.json": None}, "no config.json can be read from it (there is none)"),
        ({"config.json": "{"}, "no config.json can be read from it ("),
        ({"config.json": "[]"}, "config.json holds a list, expected a mapping"),
        ({"config.json": "{}"}, "names the architecture None"),
        ({"config.json": '{"architectures": ["BertForPreTraining"]}'}, "'BertForPreTraining'"),
        ({"config.json": '{"architectures": ["XModel"]}'}, "AutoModel cannot load it ("),
        ({"model.safetensors": "x"}, "cannot load it ("),
    ],
)
def test_folders_that_cannot_be_used(
    copy: Callable[[str], Path], change: dict[str, str | None], message: str
) -> None:
    folder = copy("BertModel")
    for name, content in change.items():
        (folder / name).unlink()
        if content is not None:
            (folder / name).write_text(content)
    refused(folder, message)


def test_names_of_the_hub_are_not_looked_up() -> None:
    refused("owner/name", "no such folder; paths are relative to")


def test_an_architecture_is_one_of_those_known(folders: dict[str, str]) -> None:
    with pytest.raises(InputError, match="did you mean 'AutoModelForMaskedLM'"):
        check_folder(folders["BertModel"], "AutoModelForMaskedLm", False)
    for name, folder in folders.items():
        if name != "BertForPreTraining":
            kind = re.sub("^(Bert|Esm)(Model)?", "AutoModel", name)
            assert check_folder(folder, None, False) == kind
            assert kind in ARCHITECTURES


def test_the_package_is_named_where_it_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "transformers", None)
    refused("folder", "pip install transformers")


# code of a folder


@pytest.fixture
def own_code(tmp_path: Path, modules: None) -> Path:
    """A folder with a network that transformers does not know."""
    folder = tmp_path / "own"
    folder.mkdir()
    (folder / "own.py").write_text(CODE)
    content = {
        "model_type": "own_of_a_test",
        "architectures": ["OwnForSequenceClassification"],
        "auto_map": {
            "AutoConfig": "own.OwnConfig",
            SEQUENCES: "own.OwnForSequenceClassification",
        },
    }
    (folder / "config.json").write_text(json.dumps(content))
    from safetensors.torch import save_file

    numbers = torch.Generator().manual_seed(2)
    shapes = {"embed.weight": (9, 6), "head.weight": (2, 6), "head.bias": (2,)}
    state = {name: torch.rand(shape, generator=numbers) for name, shape in shapes.items()}
    save_file(state, folder / "model.safetensors", metadata={"format": "pt"})
    save_tokenizer(str(folder))
    return folder


def test_code_of_a_folder_runs_only_where_it_is_asked_for(own_code: Path) -> None:
    mark = own_code.parent / "ran"
    file = own_code / "own.py"
    file.write_text(f"import pathlib\npathlib.Path({str(mark)!r}).touch()\n{CODE}")
    refused(own_code, "which runs only with trust_remote_code: true")
    assert not mark.exists()
    model = load_model(
        ModelSpec.from_dict(
            {"huggingface": str(own_code), "trust_remote_code": True, "window": WINDOW}
        )
    )
    assert mark.exists()
    ids, mask = tokens(str(own_code))
    inner: Any = model.model
    assert torch.equal(model(ids, mask), inner.head(inner.embed(ids).mean(1)))
    assert [layer.name for layer in list_layers(model, (ids, mask))] == ["embed", "head"]
    assert str(file) in folder_files(str(own_code))


def test_code_of_a_folder_is_refused_where_transformers_knows_the_network(
    copy: Callable[[str], Path],
) -> None:
    folder = copy("BertForSequenceClassification")
    content = json.loads((folder / "config.json").read_text())
    content["auto_map"] = {"AutoTokenizer": ["own.Own", None]}
    (folder / "config.json").write_text(json.dumps(content))
    load_huggingface(str(folder))
    content["auto_map"][SEQUENCES] = "own.Own"
    (folder / "config.json").write_text(json.dumps(content))
    refused(folder, f"brings code of its own ({SEQUENCES} is own.Own)")


def test_code_of_another_repository_is_refused(own_code: Path) -> None:
    config = own_code / "config.json"
    config.write_text(config.read_text().replace("own.Own", "lab/model--own.Own"))
    refused(own_code, "its code is in the repository 'lab/model'", None, True)


# networks of other forms


class Returns(nn.Module):
    """A network that returns what a function makes of the ids."""

    def __init__(self, function: Callable[[Tensor], Any]) -> None:
        super().__init__()
        self.function = function

    def forward(self, input_ids: Tensor) -> Any:
        return self.function(input_ids)


IDS = torch.tensor([[1, 2, 3, 0], [4, 5, 0, 0]])
MASK = (IDS > 0).long()


def test_outputs_of_other_forms() -> None:
    rows = IDS[:, :2].float()
    for wrapped in (rows, (rows, 3), {"logits": rows}, {"last_hidden_state": rows, "x": 1}):
        found = HuggingFaceModel(Returns(lambda ids, wrapped=wrapped: wrapped))(IDS, MASK)
        assert torch.equal(found, rows)
    tokens_ = HuggingFaceModel(Returns(lambda ids: (ids[:, :, None].float(),)))
    assert tokens_(IDS, MASK).tolist() == [[2.0], [4.5]]
    for wrong in ({"hidden": rows}, None, (), ("text",)):
        with pytest.raises(InputError, match="expected logits or last_hidden_state"):
            HuggingFaceModel(Returns(lambda ids, wrong=wrong: wrong))(IDS, MASK)
    fewer = HuggingFaceModel(Returns(lambda ids: ids[:, ::2, None].float()))
    with pytest.raises(InputError, match="2 positions in its output for 4 tokens"):
        fewer(IDS, MASK)
    with pytest.raises(InputError, match="Linear: takes input, expected input_ids"):
        HuggingFaceModel(nn.Linear(2, 2))


# the configuration


def configuration(folder: str, **options: Any) -> dict[str, Any]:
    schema = Path(__file__).parents[2] / "workflow" / "schemas" / "config.schema.yaml"
    model = {"huggingface": folder, "window": WINDOW, "layers": ["classifier"], **options}
    given = {
        "genome": {"fasta": str(Path(folder) / "config.json")},
        "models": {"m": model},
        "concepts": {"gc": {"source": "gc_content"}},
        "targets": {"t": {"regions": "random", "n": 3}},
    }
    return checked(given, yaml.safe_load(schema.read_text()))


def test_the_folder_is_the_default_of_the_tokenizer(folders: dict[str, str]) -> None:
    folder = folders["BertForSequenceClassification"]
    entry = configuration(folder)["models"]["m"]
    assert (entry["inputs"], entry["weights"]) == (f"tokenizer:{folder}", None)
    jobs = Jobs.from_config(configuration(folder))
    assert ModelSpec.from_dict(jobs.model("m")).inputs == f"tokenizer:{folder}"
    assert configuration(folder, inputs="a.py:b")["models"]["m"]["inputs"] == "a.py:b"


def test_all_files_of_the_folder_are_files_of_the_model(folders: dict[str, str]) -> None:
    folder = folders["BertForSequenceClassification"]
    jobs = Jobs.from_config(configuration(folder, inputs="one_hot"))
    names = {Path(file).name for file in jobs.model_files("m")}
    assert {"config.json", "model.safetensors", "tokenizer.json"} <= names
    assert set(jobs.model_files("m")) <= jobs.input_files().keys()
    jobs.check_files()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"factory": "a.py:b"}, "huggingface and factory are both given"),
        ({"weights": "w.pt"}, "huggingface and weights are both given"),
        ({"kwargs": {"a": 1}}, "huggingface and kwargs are both given"),
        ({"weights_format": "safetensors"}, "huggingface and weights_format are both given"),
        (
            {"huggingface": None, "factory": "a.py:b", "weights": None, "architecture": SEQUENCES},
            "architecture is for a folder of Hugging Face",
        ),
        (
            {"huggingface": None, "factory": "a.py:b", "weights": None, "trust_remote_code": True},
            "trust_remote_code is for a folder of Hugging Face",
        ),
        ({"huggingface": None, "factory": "a.py:b"}, "the key 'weights' is missing"),
        ({"architecture": "AutoModelForCausalLM"}, "models.m.architecture"),
    ],
)
def test_keys_that_exclude_each_other(
    folders: dict[str, str], options: dict[str, Any], message: str
) -> None:
    folder = folders["BertForSequenceClassification"]
    with pytest.raises(InputError, match=re.escape(message)) as caught:
        Jobs.from_config(configuration(folder, **options))
    assert "\n" not in str(caught.value)
    assert str(caught.value).startswith("configuration, models.m")
    with pytest.raises(InputError) as caught:
        ModelSpec.from_dict({"huggingface": folder, "window": 9, **options})
    assert "\n" not in str(caught.value)


def test_a_missing_folder_is_found_when_the_configuration_is_read(tmp_path: Path) -> None:
    jobs = Jobs.from_config(configuration(str(tmp_path / "none")))
    assert [Path(file).name for file in jobs.model_files("m")] == [
        "config.json",
        "model.safetensors",
    ]
    with pytest.raises(
        InputError, match=r"configuration, models\.m: huggingface .* no such folder"
    ):
        jobs.check_files()
