"""Documents that can drift from what they describe."""

from __future__ import annotations

import importlib.util
import re
import tomllib
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.version import Version

from tpcav_core.config import checked

ROOT = Path(__file__).parents[2]
CONDA_NAMES = {"torch": "pytorch", "matplotlib": "matplotlib-base"}


def config_reference():
    path = ROOT / "tools" / "config_reference.py"
    spec = importlib.util.spec_from_file_location("config_reference", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_config_readme_lists_the_keys_of_the_schema():
    text = (ROOT / "config/README.md").read_text()
    assert config_reference().updated(text) == text, "run: python tools/config_reference.py"


def requirements():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    return {r.name.lower(): r for r in map(Requirement, project["dependencies"])}


def test_constraints_pin_every_requirement_within_its_range():
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    pins = dict(line.lower().split("==") for line in lines if "==" in line)
    for name, requirement in requirements().items():
        assert Version(pins[name]) in requirement.specifier, name


@pytest.mark.parametrize("name", ["torch", "numpy", "report"])
def test_conda_environments_agree_with_the_requirements(name):
    content = yaml.safe_load((ROOT / f"workflow/envs/{name}.yaml").read_text())
    assert content["channels"][0] == "conda-forge"
    wanted = requirements()
    own = {CONDA_NAMES.get(key, key): key for key in wanted}
    for entry in content["dependencies"]:
        package, version = re.fullmatch(r"(\S+) =(\S+)", entry).groups()
        if package == "python":
            assert Version(version) >= Version("3.11")
        elif package in own:
            assert Version(version) in wanted[own[package]].specifier, entry


DOCUMENTS = [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("config/*.md")]


def anchors(document):
    """The anchors of a document's headings, as GitHub and the site name them."""
    text = re.sub(r"^```.*?^```", "", document.read_text(), flags=re.DOTALL | re.MULTILINE)
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_links_between_documents_lead_somewhere():
    seen = 0
    for path in DOCUMENTS:
        for target in re.findall(r"\]\((?!https?:)([^)\s]+)\)", path.read_text()):
            name, _, anchor = target.partition("#")
            there = path.parent / name if name else path
            assert there.exists(), f"{path.name}: {target}"
            if anchor:
                assert anchor in anchors(there), f"{path.name}: {target}"
                seen += 1
    assert seen > 10


def yaml_blocks(path):
    return re.findall(r"^```yaml\n(.*?)^```", path.read_text(), re.DOTALL | re.MULTILINE)


def test_every_configuration_of_the_guides_is_valid():
    schema = yaml.safe_load((ROOT / "workflow/schemas/config.schema.yaml").read_text())
    base = {
        "genome": {"fasta": "genome.fa"},
        "models": {"m": {"factory": "a.py:b", "weights": None, "window": 9, "layers": ["l"]}},
        "concepts": {"c": {"source": "gc_content"}},
        "targets": {"t": {"regions": "random", "n": 1}},
    }
    for block in yaml_blocks(ROOT / "docs/howto/language-models.md"):
        checked({**base, **yaml.safe_load(block)}, schema)
    blocks = yaml_blocks(ROOT / "docs/concepts.md")
    sources = set()
    for block in blocks:
        content = checked({**base, **yaml.safe_load(block)}, schema)
        sources |= {entry["source"] for entry in content["concepts"].values()}
    known = schema["properties"]["concepts"]["additionalProperties"]["properties"]["source"]
    assert sources == set(known["enum"])
