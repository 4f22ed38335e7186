from __future__ import annotations

import ast
import shutil
from pathlib import Path

import pytest

from tpcav_core import provenance
from tpcav_core.commands import STEPS
from tpcav_core.provenance import code_digest


@pytest.fixture
def package(tmp_path, monkeypatch):
    """A copy of the package that `code_digest` reads instead."""
    original = Path(provenance.__file__).parent
    copy = tmp_path / "tpcav_core"
    shutil.copytree(original, copy, ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setattr(provenance, "_PACKAGE", copy)
    forget()
    yield copy
    forget()


@pytest.fixture(scope="module")
def digested(tmp_path_factory):
    """A copy of the package and the digests of its steps, for tests that leave it as it was."""
    copy = tmp_path_factory.mktemp("digested") / "tpcav_core"
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(Path(provenance.__file__).parent, copy, ignore=ignored)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(provenance, "_PACKAGE", copy)
        forget()
        digests = {step: code_digest(step) for step in steps(copy)}
    provenance.code_digest.cache_clear()
    return copy, digests


def forget():
    provenance.code_digest.cache_clear()
    provenance._imports.cache_clear()


def steps(package):
    return [step for step in STEPS if (package / "commands" / f"{step}.py").is_file()]


def changed_by(package, file, text="\n# a comment\n"):
    """The steps whose digest changes when a file does."""
    before = {step: code_digest(step) for step in steps(package)}
    path = package / file
    path.write_text(path.read_text() + text if path.exists() else text)
    forget()
    return {step for step in steps(package) if code_digest(step) != before[step]}


PIPELINE = {
    "genome", "preflight", "catalogue", "concepts", "activations", "scaling", "components",
    "gram", "cavs", "nulls", "shuffled", "similarity", "planting", "attributions", "scores",
    "methods", "summary", "contributions", "contribution_files", "modisco_files", "report",
}  # fmt: skip
#: steps that train classifiers, and those that score with them
TRAIN, SCORE = {"cavs", "nulls", "shuffled"}, {"scores", "methods"}
#: steps that read contributions, and those that run the model on targets
READ, EXPLAIN = {"contribution_files", "modisco_files"}, {"attributions", "contributions"}


def test_every_step_has_a_digest_of_its_own(package):
    digests = [code_digest(step) for step in PIPELINE]
    assert len(set(digests)) == len(PIPELINE)
    assert all(len(digest) == 16 for digest in digests)


@pytest.mark.parametrize(
    ("file", "run", "not_run"),
    [
        ("cavs.py", TRAIN, PIPELINE - TRAIN),
        ("training.py", TRAIN, PIPELINE - TRAIN),
        ("classifiers.py", TRAIN, PIPELINE - TRAIN),
        ("solvers.py", TRAIN, PIPELINE - TRAIN),
        ("coordinates.py", TRAIN, PIPELINE - TRAIN),
        ("directions.py", {"scores", "similarity"} | TRAIN, {"gram", "activations", "concepts"}),
        ("grams.py", {"gram"} | TRAIN | SCORE, PIPELINE - {"gram"} - TRAIN - SCORE),
        ("commands/gram.py", {"gram"} | TRAIN | SCORE, PIPELINE - {"gram"} - TRAIN - SCORE),
        ("memory.py", set(), PIPELINE),
        ("report/content.py", {"report"}, PIPELINE - {"report"}),
        ("report/templates/page.js", {"report"}, PIPELINE - {"report"}),
        ("commands/report.py", {"report"}, PIPELINE - {"report"}),
        ("metrics.py", {"cavs", "summary"}, {"gram", "scores", "activations", "concepts"}),
        ("scores.py", SCORE, PIPELINE - SCORE),
        ("nulls.py", {"nulls", "shuffled"}, PIPELINE - {"nulls", "shuffled"}),
        ("verdicts.py", {"summary", "report"}, PIPELINE - {"summary", "report"}),
        ("significance.py", {"summary", "report"}, PIPELINE - {"summary", "report"}),
        ("planting_effect.py", {"planting"}, PIPELINE - {"planting"}),
        ("randomised.py", {"activations", "attributions", "planting"}, TRAIN | SCORE),
        ("attributions.py", {"attributions"}, {"cavs", "scores", "activations", "concepts"}),
        ("input_attributions.py", {"contributions"}, PIPELINE - {"contributions"}),
        ("concept_span.py", {"contributions"}, PIPELINE - {"contributions"}),
        ("contribution_values.py", {"contributions"} | READ, PIPELINE - {"contributions"} - READ),
        ("explain.py", EXPLAIN, {"activations", "scores", "cavs"}),
        ("logos.py", {"contribution_files"}, PIPELINE - {"contribution_files"}),
        ("bigwigs.py", {"contribution_files"}, PIPELINE - {"contribution_files"}),
        ("sites.py", {"contribution_files"}, PIPELINE - {"contribution_files"}),
        ("planting.py", {"concepts", "activations"}, {"cavs", "gram", "scores", "summary"}),
        ("sources/own.py", {"catalogue", "concepts"}, {"activations", "attributions", "cavs"}),
        ("sampling.py", {"catalogue", "concepts"}, {"activations", "attributions", "cavs"}),
        ("controls.py", {"concepts"}, {"activations", "attributions", "cavs", "gram"}),
        ("user_inputs.py", {"concepts", "activations", "attributions"}, {"catalogue", "cavs"}),
        ("tracks.py", {"concepts", "activations", "attributions"}, {"cavs", "gram", "scores"}),
        ("commands/data.py", {"concepts", "activations", "attributions"}, {"catalogue", "cavs"}),
        ("commands/options.py", {"activations", "attributions"}, {"concepts", "catalogue"}),
        ("motifs.py", {"catalogue", "concepts"}, {"cavs", "gram", "scores", "scaling"}),
        ("basis.py", {"scaling", "components", "gram", "scores"}, {"activations", "concepts"}),
        ("models.py", {"activations", "attributions"}, {"cavs", "catalogue", "concepts", "scores"}),
        ("basis_files.py", {"scaling", "components", "gram", "cavs", "scores"}, {"activations"}),
        ("commands/scaling.py", {"scaling"}, PIPELINE - {"scaling"}),
        ("commands/genome.py", {"genome"}, PIPELINE - {"genome"}),
        ("errors.py", PIPELINE, set()),
        ("files.py", PIPELINE, set()),
        # version and dispatcher
        ("__init__.py", set(), set(STEPS)),
        ("commands/__init__.py", set(), set(STEPS)),
        ("__main__.py", set(), set(STEPS)),
    ],
)
def test_editing_a_module_changes_the_steps_that_run_it(digested, monkeypatch, file, run, not_run):
    package, before = digested
    monkeypatch.setattr(provenance, "_PACKAGE", package)
    path = package / file
    text = path.read_text()
    path.write_text(f"{text}\n# a comment\n")
    provenance.code_digest.cache_clear()
    changed = {step for step, digest in before.items() if code_digest(step) != digest}
    path.write_text(text)
    provenance.code_digest.cache_clear()
    assert run <= changed
    assert not not_run & changed


def parsed_imports(path):
    """What Python's own parser finds: folder or module, and names."""
    found = set()
    for node in ast.walk(ast.parse(path.read_bytes())):
        if isinstance(node, ast.ImportFrom) and node.level:
            base = path.parents[node.level - 1].joinpath(*(node.module or "").split("."))
            found |= {base, *(base / alias.name for alias in node.names)}
    files = {file for module in found for file in (module.with_suffix(".py"),) if file.is_file()}
    package = provenance._PACKAGE
    inits = {module / "__init__.py" for module in found if module.is_dir()}
    return (files | inits) - {package / "__init__.py", package / "commands" / "__init__.py"}


def test_imports_are_those_that_python_finds():
    files = list(Path(provenance.__file__).parent.rglob("*.py"))
    assert len(files) > 150
    for path in files:
        assert set(provenance._imports(path)) == parsed_imports(path), path


@pytest.mark.parametrize(
    "written",
    [
        "from .scores import (\n    a,  # of one (or two)\n    b as basis,\n)",
        "from . import (\n    names,\n    scores,\n)",
        "from .\\\n  scores import a",
        "from.scores import a",
        "from . import scores as files",
        "if True: from . import scores; x = 1",
        "try:\n    from ..tpcav_core.scores import a\nexcept ImportError: pass",
        "\tfrom\t.scores\timport\ta",
    ],
)
def test_an_import_may_be_written_in_any_way(package, written):
    path = package / "made.py"
    path.write_text(written if not written.startswith("\t") else f"if True:\n{written}")
    expected = {package / "scores.py"} | ({package / "names.py"} if "names" in written else set())
    assert set(provenance._imports(path)) == expected == parsed_imports(path)


def test_what_nobody_imports_changes_no_step(package):
    assert changed_by(package, "unused.py") == set()


def test_a_new_import_counts_even_inside_a_function(package):
    changed_by(package, "later.py", "x = 1\n")
    late = "\n\ndef later():\n    from .later import x\n    return x\n"
    assert changed_by(package, "scores.py", late) == SCORE
    assert changed_by(package, "later.py", "y = 2\n") == SCORE


def test_a_module_in_a_folder_counts_with_the_folder(package):
    (package / "folder").mkdir()
    (package / "folder" / "__init__.py").write_text("")
    changed_by(package, "folder/inner.py", "x = 1\n")
    changed_by(package, "scores.py", "\nfrom .folder.inner import x as x\n")
    assert changed_by(package, "folder/inner.py", "y = 2\n") == SCORE


def test_import_cycles_end(package):
    changed_by(package, "seeds.py", "\nif False:\n    from . import splits as splits\n")
    assert code_digest("concepts") == code_digest("concepts")


def test_the_digest_does_not_depend_on_where_the_package_is(package):
    copied = {step: code_digest(step) for step in PIPELINE}
    forget()
    original = Path(provenance.__file__).parent
    provenance._PACKAGE = original
    assert {step: code_digest(step) for step in PIPELINE} == copied
