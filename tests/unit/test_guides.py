"""docs/howto: every configuration is one that the workflow takes, every network one it explains."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch
import yaml
from torch import nn

from tpcav_core.attributions import Attribution, attribute
from tpcav_core.commands import main
from tpcav_core.config import checked
from tpcav_core.imports import load_object
from tpcav_core.inputs import example_codes, input_adapter
from tpcav_core.jobs import Jobs
from tpcav_core.layer_checks import check_layer, list_layers
from tpcav_core.models import ModelSpec, load_model
from tpcav_core.user_inputs import user_inputs

ROOT = Path(__file__).parents[2]
#: the blocks of language-models are parts of configurations, which test_documents checks
GUIDES = sorted(
    path for path in (ROOT / "docs/howto").glob("*.md") if path.stem != "language-models"
)
SCHEMA = yaml.safe_load((ROOT / "workflow/schemas/config.schema.yaml").read_text())
FENCE = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
NAME = re.compile(r"# (\S+)\n")
MOTIF = """
MOTIF {name}
letter-probability matrix: w= 4
 0.91 0.03 0.03 0.03
 0.03 0.91 0.03 0.03
 0.03 0.03 0.91 0.03
 0.03 0.03 0.03 0.91
"""


class Guide(NamedTuple):
    """A guide's files, in a folder of its own."""

    folder: Path
    files: list[str]

    def config(self) -> dict[str, Any]:
        """Return the checked configuration that the guide is about."""
        (name,) = (name for name in self.files if name.endswith(".yaml") and name != "paper.yaml")
        return checked(yaml.safe_load((self.folder / name).read_text()), SCHEMA)


def followed(name: str, folder: Path) -> Guide:
    """Write the files of a guide, and files that stand in for the user's own."""
    text = (ROOT / "docs/howto" / f"{name}.md").read_text(encoding="utf-8")
    files = []
    for _, block in FENCE.findall(text):
        if found := NAME.match(block):
            (folder / found[1]).write_text(block, encoding="utf-8")
            files.append(found[1])
    motifs = "".join(MOTIF.format(name=motif) for motif in ("CTCF", "GATA1", "SP1"))
    (folder / "motifs.meme").write_text(f"MEME version 4\n\nALPHABET= ACGT\n{motifs}")
    (folder / "ctcf.bed").write_text("chr1\t100\t200\tCTCF\t0\t+\n" * 200)
    (folder / "library.tsv").write_text("sequence\tdesign\tparent\n" + "ACGT\tweak\tp1\n" * 100)
    for fasta in ("silencers", "inactive"):
        (folder / f"{fasta}.fa.gz").write_text(f">{fasta}\nACGT\n" * 200)
    return Guide(folder, files)


@pytest.fixture
def guide(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Guide:
    monkeypatch.chdir(tmp_path)
    return followed(request.param, tmp_path)


def of(name: str) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("guide", [name], indirect=True)


@pytest.mark.parametrize("guide", [path.stem for path in GUIDES], indirect=True)
def test_the_configuration_is_one_that_the_workflow_takes(guide: Guide) -> None:
    config = guide.config()
    jobs = Jobs.from_config(config)
    assert jobs.concepts
    assert {model for model, _ in jobs.places()} == set(config["models"])
    # every Python file that it names is a block of the guide, or of the guide on models
    named = {file for file in jobs.input_files() if file.endswith(".py")}
    assert named <= {*guide.files, "model.py"}


def explained(network: nn.Module, spec: ModelSpec, layer: str, output: Any) -> Attribution:
    """Return the DeepLIFT attributions of four random sequences against four others."""
    tracks = np.random.default_rng(1).gamma(1.0, size=(8, len(spec.tracks), spec.window))
    tracks = tracks.astype(np.float32) if spec.tracks else None
    inputs = input_adapter(spec.inputs)(example_codes(8, spec.window), tracks)
    check_layer(network, layer, inputs, output)
    targets, baselines = (tuple(part[side] for part in inputs) for side in (slice(4), slice(4, 8)))
    return attribute(network, layer, targets, baselines, output=output)


def spec_of(jobs: Jobs, model: str) -> ModelSpec:
    return ModelSpec.from_dict({**jobs.model(model), "weights": None, "device": "cpu"})


@pytest.mark.parametrize(
    ("guide", "d"),
    [("your-model", 64), ("profile-models", 68_736), ("chromatin-tracks", 960)],
    indirect=["guide"],
)
def test_the_network_of_the_guide_is_explained_completely(guide: Guide, d: int) -> None:
    jobs = Jobs.from_config(guide.config())
    for model, layer in jobs.places():
        spec = spec_of(jobs, model)
        network = load_model(spec)
        for output in jobs.outputs(model).values():
            found = explained(network, spec, layer, output)
            assert found.relative_error() < 1e-3
            assert found.multipliers.shape == (4, d)
            assert np.abs(found.multipliers).max() > 0


@pytest.mark.parametrize(
    "guide", ["your-model", "profile-models", "chromatin-tracks"], indirect=True
)
def test_the_layers_that_the_guide_chooses_are_listed(
    guide: Guide, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (name,) = (name for name in guide.files if name.endswith(".yaml"))
    content = yaml.safe_load((guide.folder / name).read_text())
    monkeypatch.setenv("FOLDER", str(guide.folder))
    for model, entry in content["models"].items():
        entry |= {"weights": None, "factory": f"${{FOLDER}}/{entry['factory']}"}
        (guide.folder / name).write_text(yaml.safe_dump(content))
        assert main(["layers", "--configfile", name, "--name", model]) == 0
        listed = {line.split()[0] for line in capsys.readouterr().out.splitlines()[1:]}
        assert set(entry["layers"]) <= listed


@of("profile-models")
def test_a_branch_beside_the_skip_connection_is_not_complete(guide: Guide) -> None:
    jobs = Jobs.from_config(guide.config())
    spec = spec_of(jobs, "bpnet")
    assert explained(load_model(spec), spec, "rconvs.7", "counts").relative_error() > 0.1


@of("your-model")
def test_weights_and_inputs_of_the_guide_are_read(
    guide: Guide, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(guide.folder))
    text = (ROOT / "docs/howto/your-model.md").read_text()
    (saving,) = (b for kind, b in FENCE.findall(text) if kind == "python" and not NAME.match(b))
    exec(compile(saving, "your-model.md", "exec"), {})
    jobs = Jobs.from_config(guide.config())
    spec = ModelSpec.from_dict({**jobs.model("mine"), "device": "cpu"})
    loaded, saved = load_model(spec).state_dict(), torch.load("weights.pt", weights_only=True)
    torch.testing.assert_close(dict(loaded), dict(saved), rtol=0, atol=0)
    codes = example_codes(3, spec.window)
    one_hot, gc = input_adapter("inputs.py:one_hot_and_gc")(codes, None)
    torch.testing.assert_close(one_hot, input_adapter("one_hot")(codes, None)[0])
    np.testing.assert_allclose(gc, ((codes == 1) | (codes == 2)).mean(axis=1), rtol=1e-6)


@of("long-windows")
def test_bins_in_the_middle_hold_all_that_is_explained(guide: Guide) -> None:
    build, output = (load_object(f"enformer.py:{name}", "guide") for name in ("Centre", "build"))
    assert callable(output)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(2)
        trunk = nn.Sequential(nn.Conv1d(4, 6, 9, stride=8), nn.GELU(), Swap())
        network = build(trunk, nn.Sequential(nn.Linear(6, 130), nn.Softplus()), 10, 14).eval()
    spec = ModelSpec(factory="enformer.py:build", weights=None, window=200)
    found = explained(network, spec, "bins", "enformer.py:mean_of_tracks")
    assert found.multipliers.shape == (4, 4 * 6)
    assert found.relative_error() < 1e-3
    inputs = input_adapter("one_hot")(example_codes(2, 200), None)
    assert "bins" in [layer.name for layer in list_layers(network, inputs)]
    # the configuration asks for that layer and that output
    entry = guide.config()["models"]["enformer"]
    assert (entry["layers"], entry["output"]) == (["bins"], "enformer.py:mean_of_tracks")


class Swap(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.transpose(1, 2)


@of("your-concepts")
def test_the_function_of_the_guide_makes_the_same_examples_again(guide: Guide) -> None:
    entry = guide.config()["concepts"]["spacing"]
    for kwargs in entry["variants"].values():
        call = {"function": entry["function"], "n": 30, "seed": 4, "kwargs": kwargs}
        first, again = (list(user_inputs(json.dumps(call), 30)) for _ in range(2))
        torch.testing.assert_close(first, again, rtol=0, atol=0)
        ((one_hot,),) = first
        assert one_hot.shape == (30, 4, 500)
        letters = ["".join("ACGT"[i] for i in row) for row in one_hot.argmax(dim=1).tolist()]
        pattern = re.compile(f"CACGTG.{{{kwargs['gap']}}}TGACTCA")
        assert all(pattern.search(text) for text in letters)


@of("paper-pipeline")
def test_the_configuration_of_the_module_is_valid(guide: Guide) -> None:
    config = yaml.safe_load((guide.folder / "paper.yaml").read_text())["tpcav"]
    assert Jobs.from_config(checked(config, SCHEMA)).places() == [("seed_1", "7")]
