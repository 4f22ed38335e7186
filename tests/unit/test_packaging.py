"""What is shipped: the wheel, the container's recipe, what other tools read."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tomllib
from email import message_from_bytes
from pathlib import Path
from zipfile import ZipFile

import pytest
import yaml

import tpcav_core

ROOT = Path(__file__).parents[2]
PINS = dict(
    line.split("==") for line in (ROOT / "constraints.txt").read_text().splitlines() if "==" in line
)
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


# one test, because a fixture would be made once in each test process
@pytest.mark.slow
def test_the_wheel_is_the_package_and_works_without_the_checkout(tmp_path: Path) -> None:
    made = built(tmp_path / "source")
    check_contents(made)
    check_use(made, tmp_path)


def built(folder: Path) -> Path:
    folder.mkdir()
    # what is left behind by building stays out of the checkout
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, folder)
    for name in ("tpcav_core", "tests", "workflow", "benchmarks"):
        shutil.copytree(
            ROOT / name,
            folder / name,
            ignore=shutil.ignore_patterns("__pycache__", ".*", "results"),
        )
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--disable-pip-version-check"]
    command += ["--no-deps", "--no-index", "--no-build-isolation", "--wheel-dir", "made", "."]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    (made,) = (folder / "made").iterdir()
    return made


def check_contents(wheel: Path) -> None:
    with ZipFile(wheel) as file:
        names = set(file.namelist())
        (metadata,) = (name for name in names if name.endswith("METADATA"))
        about = message_from_bytes(file.read(metadata))
    package = ROOT / "tpcav_core"
    expected = {
        path.relative_to(ROOT).as_posix()
        for path in package.rglob("*")
        if path.is_file() and path.suffix != ".pyc"
    }
    assert {"tpcav_core/py.typed", "tpcav_core/report/templates/page.html"} <= expected
    assert {name for name in names if ".dist-info/" not in name} == expected
    assert any(name.endswith("/LICENSE") for name in names)
    assert about["Version"] == tpcav_core.__version__
    assert about["License-Expression"] == "MIT"


def check_use(wheel: Path, folder: Path) -> None:
    code = (
        f"import sys; sys.path.insert(0, {str(wheel)!r})\n"
        "import tpcav_core.notebook, tpcav_core.interchange\n"
        "from tpcav_core.__main__ import main\n"
        "print(tpcav_core.__file__)\n"
        "sys.argv = ['tpcav_core', '--help']\n"
        "main()\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=folder, capture_output=True, text=True, check=False
    )
    assert done.stdout.startswith(str(wheel)), done.stderr
    assert "catalogue" in done.stdout


def test_hooks_have_the_versions_of_make_check() -> None:
    hooks = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())["repos"][0]["hooks"]
    installed = [
        requirement.split("==")
        for hook in hooks
        for requirement in hook.get("additional_dependencies", [])
    ]
    assert {name for name, _ in installed} >= {"ruff", "snakefmt", "codespell"}
    assert [(name, PINS[name]) for name, _ in installed] == [tuple(pair) for pair in installed]
    # and what they run is what `make check` runs
    recipe = (ROOT / "Makefile").read_text().split("\ncheck:")[1].split("\n\n")[0]
    for hook in hooks:
        assert re.search(rf"\$\(BIN\)/{Path(hook['entry'].split()[0]).name}\b", recipe), hook["id"]


def test_versions_agree() -> None:
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert citation["version"] == tpcav_core.__version__
    assert re.fullmatch(r"\d+\.\d+\.\d+", tpcav_core.__version__)
    assert citation["license"] == PROJECT["license"] == "MIT"
    reference = citation["preferred-citation"]
    assert reference["doi"] == "10.64898/2026.01.20.700723"
    assert [author["family-names"] for author in reference["authors"]] == ["Yang", "Mahony"]


def test_the_container_is_made_of_what_is_there() -> None:
    recipe = (ROOT / "Dockerfile").read_text()
    copied = re.findall(r"^COPY (.+) \S+$", recipe, re.MULTILINE)
    for name in " ".join(copied).split():
        assert (ROOT / name).exists(), name
    wanted = set(re.search(r"\.\[([\w,]+)\]", recipe)[1].split(","))
    assert wanted <= set(PROJECT["optional-dependencies"])
    # nothing that is copied is ignored
    ignored = (ROOT / ".dockerignore").read_text().split()
    assert not set(ignored) & set(" ".join(copied).split())


def test_the_catalog_finds_what_it_asks_for() -> None:
    usage = yaml.safe_load((ROOT / ".snakemake-workflow-catalog.yml").read_text())["usage"]
    assert usage["software-stack-deployment"]["conda"] is True
    texts = [path.read_text() for path in (ROOT / "workflow/rules").glob("*.smk")]
    with_jobs = [text for text in texts if "shell:" in text]
    assert with_jobs
    assert all("conda:" in text for text in with_jobs)
    assert (ROOT / "workflow/Snakefile").is_file()
    assert (ROOT / "config/README.md").is_file()
    readme = (ROOT / "README.md").read_text().lower()
    assert "snakemake" in readme
    assert "workflow" in readme


def test_the_review_of_dependencies_names_each() -> None:
    review = (ROOT / "docs/decisions/0024-dependencies.md").read_text()
    extras = {
        name: specs for name, specs in PROJECT["optional-dependencies"].items() if name != "dev"
    }
    wanted = {spec for specs in (PROJECT["dependencies"], *extras.values()) for spec in specs}
    cells = [
        cell for line in review.splitlines() if line.startswith("| ") for cell in line.split(" | ")
    ]
    named = {name.strip("| ") for cell in cells for name in cell.split(", ")}
    assert {re.split(r"[<>=]", spec)[0] for spec in wanted} | set(extras) <= named
