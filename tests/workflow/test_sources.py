"""One configuration for each family of sources, run end to end; and what each cannot use."""

from __future__ import annotations

import gzip
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
import yaml

from tpcav_core import vectors

from .conftest import ROOT, Study
from .contract import CONTRACT, read, read_text
from .sources import write_language_model, write_sources

pytestmark = pytest.mark.slow
SOURCES = ROOT / ".test" / "sources"


@pytest.fixture(scope="session")
def sources(pristine: Study, tmp_path_factory: pytest.TempPathFactory) -> Study:
    """A folder with the data of all sources; do not change it."""
    folder = tmp_path_factory.mktemp("sources") / "study"
    shutil.copytree(pristine.folder, folder)
    write_sources(folder / "data")
    shutil.copytree(SOURCES, folder, dirs_exist_ok=True)
    return Study(folder)


def study_of(sources: Study, family: str, folder: Path) -> Study:
    """Return a study of its own with the configuration of a family."""
    shutil.copytree(sources.folder, folder)
    shutil.copy(folder / f"{family}.yaml", folder / "config.yaml")
    return Study(folder)


def tables(study: Study) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Return catalogue, concepts and scores of a finished study."""
    names = ("catalogue", "summary/concepts", "summary/scores")
    return tuple(
        pd.read_csv(
            study.folder / f"out/{name}.tsv", sep="\t", dtype={"variant": str, "variants": str}
        )
        for name in names
    )


FAMILIES = {
    # sets of the configuration and how many concepts they give
    "motifs": {"files": 5, "binned": 2, "sites": 2, "pairs": 12},
    "regions": {"repeats": 2, "states": 2, "masked": 2, "genes": 3},
    "signal": {"open": 1, "both": 1, "sequence": 1, "signal": 1, "gc": 1},
    "own": {
        "gc": 1,
        "motifs": 1,
        "shuffled_motifs": 1,
        "enhancers": 1,
        "designs": 2,
        "generated": 1,
    },
    "tokens": {"word": 1},
    "tokenizer": {"motifs": 1, "gc": 1},
    "huggingface": {"motifs": 1, "gc": 1},
}
# what a linear classifier must find on random networks, by concept, model and least F1
FOUND = {
    "signal": [
        ("open", "two_inputs", 0.8),
        ("open", "stacked", 0.8),
        ("open", "own_function", 0.8),
    ],
    "own": [("gc", "small", 0.6), ("generated", "small", 0.6), ("enhancers", "small", 0.6)],
    "tokens": [("word", "tokens", 0.9)],
    "tokenizer": [("gc", "language", 0.8)],
    "huggingface": [("gc", "language", 0.6)],
}
#: nulls of each layer and target: which, of how many examples or copies, how many there are
NULLS = {
    # by control and windows planted into: a motif's own, random, elements, and of like GC content
    "motifs": [("permuted", *kind) for kind in (("2", 5), ("2", 2), ("3", 2), ("2", 12), ("4", 5))],
    "own": [
        (f"random {control}", size, 20)
        for control in ("random", "negatives", "generated_control")
        for size in (60, 30, 20)
    ],
    "tokens": [("random sentences", 80, 20)],
}
#: planted concepts and their copies whose effect on the output is measured
PLANTED = {"motifs": 26, "tokenizer": 1, "huggingface": 1}


@pytest.mark.slow(minutes=True)
@pytest.mark.parametrize("family", FAMILIES)
def test_every_source_runs_end_to_end(sources, family, tmp_path):
    study = study_of(sources, family, tmp_path / family)
    done = study.snakemake()
    assert done.returncode == 0, done.stdout
    catalogue, concepts, scores = tables(study)
    listed = catalogue[catalogue["kind"] == "concept"]
    assert listed.drop_duplicates("concept").groupby("set").size().to_dict() == FAMILIES[family]
    assert listed["concept"].str.fullmatch(r"[A-Za-z0-9_.-]+").all()
    limited = listed.dropna(subset=["candidates", "available"])
    rejected = (
        limited["rejected"]
        .fillna("")
        .map(lambda text: sum(int(part.rpartition(": ")[2]) for part in text.split("; ") if part))
    )
    assert (limited["candidates"] - rejected == limited["available"]).all()
    for row in listed.itertuples():
        mine = concepts[(concepts.concept == row.concept) & (concepts.model == row.model)]
        assert set(mine["variant"]) <= set(row.variants.split(","))
        assert len(mine) == len(row.variants.split(",")) * mine["layer"].nunique()
    assert (concepts["n_replicates"] == 2).all()
    assert (concepts["n_concept"] == concepts["n_control"]).all()
    assert np.isfinite(scores["derivative"]).all()
    check_nulls(study, family)
    for concept, model, least in FOUND.get(family, ()):
        best = concepts[(concepts.concept == concept) & (concepts.model == model)]["f1"].max()
        assert best >= least, (concept, model, best)
    if family == "signal":
        check_parts(study)
    if family == "motifs":
        check_own_controls(study)
    if family == "huggingface":
        check_new_weights_rerun(study)


def check_nulls(study: Study, family: str) -> None:
    """All result tables are there, whichever nulls there are; without nulls nothing is called."""
    for table, columns in CONTRACT.items():
        text, parquet = read_text(study, table), read(study, table)
        assert list(text.columns) == list(parquet.columns), table
        assert list(text.columns)[: len(columns.split())] == columns.split(), table
        assert len(text) == len(parquet), table
    nulls, scores, concepts = (read(study, table) for table in ("nulls", "scores", "concepts"))
    keys, expected = ["model", "layer", "target"], NULLS.get(family, [])
    for _, group in nulls.groupby(keys):
        found = [
            (f"random {row.control}", row.size, row.n_nulls)
            if row.null == "random"
            else (row.null, row.variant, row.n_nulls)
            for row in group.itertuples()
        ]
        assert sorted(found) == sorted(expected)
    assert nulls.groupby(keys).ngroups == scores.groupby(keys).ngroups * bool(expected)
    assert len(read(study, "null_values")) == nulls["n_nulls"].sum()
    decides = expected[0][0].split()[0] if expected else "none"
    for table, statistic, called in ((scores, "effect", "used"), (concepts, "auroc", "encoded")):
        assert set(table["null"]) == {decides}
        for kind in ("random", "permuted"):
            known = table[f"{statistic}_p_{kind}"].notna()
            assert known.all() if kind == decides else not known.any()
        assert table[f"{statistic}_q"].notna().all() == bool(expected)
        assert expected or not table[called].any()
    planting = read(study, "planting")
    assert len(planting) == PLANTED.get(family, 0)
    assert planting["planting_effect"].notna().all()
    # one of them has no permuted motifs to be compared with
    assert planting["planting_effect_q"].isna().all() == (family != "motifs")


def recipes(study: Study, pattern: str) -> dict[vectors.Group, pd.DataFrame]:
    """Return the recipes in files of a study by group."""
    found = {}
    for path in sorted((study.folder / "out").glob(pattern)):
        file = pq.ParquetFile(path)
        for index, name in enumerate(vectors.group_names(file)):
            found[name] = file.read_row_group(index).to_pandas()
    return found


def check_parts(study: Study) -> None:
    """Sequence and signal are of one region where they should be, and of two where not."""
    groups = recipes(study, "two_inputs/concepts/*.parquet")
    both, sequence, signal = (
        groups[vectors.Group(f"{part}-element", "all")] for part in ("both", "sequence", "signal")
    )
    elements = pd.read_csv(study.folder / "data/elements.bed", sep="\t", header=None)
    centres = set(zip(elements[0], (elements[1] + elements[2]) // 2, strict=True))

    def central(table: pd.DataFrame, prefix: str) -> np.ndarray:
        places = zip(table[f"{prefix}contig"], table[f"{prefix}start"] + 64, strict=True)
        return np.array([place in centres for place in places])

    assert both["signal_contig"].isna().all()
    assert central(both, "").all()
    assert central(sequence, "").all()
    assert central(sequence, "signal_").mean() < 0.2
    assert central(signal, "signal_").all()
    assert central(signal, "").mean() < 0.2


def check_own_controls(study: Study) -> None:
    """A control made from a concept's examples has its replicates beside them, in like folds."""
    groups = recipes(study, "small/concepts/*.parquet")
    for name in [group for group in groups if group.control is None]:
        own = [group for group in groups if group[:2] == name[:2] and group.control is not None]
        expected = 0 if name.concept.startswith(("into-", "at-")) else 2
        assert len(own) == expected, name
        for group in own:
            tests = (groups[group]["fold"] == -1).sum()
            assert tests == (groups[name]["fold"] == -1).sum()
            assert (groups[group]["start"] != groups[name]["start"]).any()


def check_new_weights_rerun(study: Study) -> None:
    """The files of a folder are files of the model, and its layers are found by their own names."""
    assert "bert.encoder.layer.0 " in study.command("layers", "--configfile", "config.yaml").stdout
    assert "Nothing to be done" in study.snakemake("--dry-run").stdout
    write_language_model(study.folder / "data" / "language_model", seed=5)
    printed = study.snakemake("--dry-run").stdout
    for rule in ("activations", "attributions", "cavs", "scores"):
        assert f"rule {rule}:" in printed, rule


def test_the_catalogue_can_be_printed_alone(sources, tmp_path):
    study = study_of(sources, "motifs", tmp_path / "motifs")
    done = study.command("catalogue", "--configfile", "config.yaml")
    assert done.returncode == 0, done.stdout
    lines = [line.split("\t") for line in done.stdout.splitlines()]
    assert lines[0][:3] == ["concept", "label", "set"]
    assert len(lines) == 1 + sum(FAMILIES["motifs"].values())
    assert not (study.folder / "out").exists()


def test_recipes_are_the_same_bytes_however_the_work_is_cut(sources, tmp_path):
    content = []
    for number, size in enumerate((1, 16)):
        study = study_of(sources, "regions", tmp_path / str(number))

        def cut(config: dict, size: int = size) -> None:
            config["jobs"] = {"concepts_per_activation_job": size}
            # two concepts and three, one set with controls like its own examples
            config["concepts"] = {name: config["concepts"][name] for name in ("states", "genes")}

        study.configure(cut)
        done = study.snakemake("out/catalogue.tsv", cores=1 + number)
        assert done.returncode == 0, done.stdout
        content.append(recipes(study, "small/co*/*.parquet"))
    assert content[0].keys() == content[1].keys()
    for name, table in content[0].items():
        pd.testing.assert_frame_equal(table, content[1][name])


Change = Callable[[Path, dict], None]


def within(*path: str | int, **values: object) -> Change:
    """Change keys of one place of the configuration."""

    def change(folder: Path, content: dict) -> None:
        for part in path:
            content = content[part]
        content.update(values)

    return change


def both(first: Change, second: Change) -> Change:
    """Make two changes."""

    def change(folder: Path, content: dict) -> None:
        first(folder, content)
        second(folder, content)

    return change


def file(name: str, content: str | bytes) -> Change:
    """Replace a data file."""

    def change(folder: Path, config: dict) -> None:
        data = content.encode() if isinstance(content, str) else content
        (folder / "data" / name).write_bytes(data)

    return change


def function(body: str) -> Change:
    """Replace the user's function of examples."""
    return file("examples.py", f"import torch\n\n\ndef dna(n, seed, gc=0.5):\n    {body}\n")


GENES = ("concepts", "genes")
CASES: dict[str, tuple[str, Change, list[str]]] = {
    "BED: unknown column": (
        "regions", within("concepts", "repeats", label_column=9), ["repeats.bed", "9"]),
    "BED: not whole numbers": (
        "regions", file("repeats.bed", "chrA\tx\t9\t+\ta\n"), ["repeats.bed", "line 1", "'x'"]),
    "BED: no such file": (
        "regions", within("concepts", "repeats", file="data/none.bed"), ["data/none.bed"]),
    "regions: none after filtering": (
        "regions", within("concepts", "repeats", min_examples=5000), ["repeats", "5000", "lower"]),
    "regions: no such label": (
        "regions", within("concepts", "states", select=["1_Actve"]), ["1_Actve", "did you mean"]),
    "regions: several with too few usable": (
        "regions", both(
            within("examples", per_concept=400), within("concepts", "states", min_examples=310)),
        ["2 concepts", 'drop: ["2_Quiet", "1_Active"]']),
    "regions: of another genome": (
        "regions", file("repeats.bed", "chrX\t500\t900\t+\ta\n" * 80), ["chrX"]),
    "unreadable gz": (
        "regions", file("states.bed9.gz", gzip.compress(b"chrA\t1\t5\n" * 99)[:-20]),
        ["states.bed9.gz"]),
    "RepeatMasker that is none": (
        "regions", both(
            within("concepts", "masked", format="repeatmasker"),
            file("rmsk.out", "chrA\t1\t5\n")), ["rmsk.out"]),
    "GTF that is not one": (
        "regions", both(
            within(*GENES, format="gtf"), file("genes.gtf", "chrA\t1\t5\n")),
        ["genes.gtf", "line 1"]),
    "GTF: unknown feature": (
        "regions", within(*GENES, features=["promotor"]), ["promotor"]),
    "GTF: feature without lines": (
        "regions", within(*GENES, features=["utr5"]), ["genes.gtf", "utr5"]),
    "unknown key of a source": (
        "regions", within(*GENES, upstraem=5), ["upstraem", "did you mean 'upstream'"]),
    "signal: no such track": (
        "signal", within("concepts", "open", track="opn"), ["opn", "did you mean 'open'"]),
    "signal: bigWig is none": ("signal", file("open.bw", "track\n"), ["open.bw", "bigWig"]),
    "model without the tracks its inputs need": (
        "signal", within("models", "two_inputs", tracks=[]), ["one_hot_and_tracks", "tracks"]),
    "control that is not there": (
        "motifs", within("concepts", "files", control="permuted"),
        ["permuted", "did you mean 'permuted_motifs'"]),
    "control that does not fit": (
        "motifs", within("concepts", "sites", control="low_signal"), ["low_signal", "signal"]),
    "control regions too few": (
        "motifs", file("elements.bed", "chrA\t20000\t20060\te\t0\t+\n"),
        ["elements.bed", "expected 60"]),
    "pair of a motif that is not there": (
        "motifs", within("concepts", "pairs", first=["mixd"]), ["mixd", "did you mean 'mixed'"]),
    "JASPAR file that is none": (
        "motifs", file("jaspar.txt", ">MA1 x\nA [ 1 2 ]\n"), ["jaspar.txt"]),
    "FASTA that is none": (
        "own", file("negatives.fa", "ACGT\n"), ["negatives.fa", "FASTA"]),
    "FASTA: too few": (
        "own", file("negatives.fa", ">n\n" + "ACGT" * 32 + "\n"), ["negatives", "expected 60"]),
    "table: unknown column": (
        "own", within("concepts", "designs", column="sequense"),
        ["designs.tsv", "sequense", "did you mean"]),
    "function that raises": ("own", function("return n / 0"), ["ZeroDivisionError", "line 5"]),
    "function that yields too few": (
        "own", function("return (torch.zeros(n - 1, 4, 128),)"), ["59 rows", "expected 60"]),
    "shuffled version of nothing": (
        "own", within("concepts", "shuffled_motifs", of="motif"),
        ["motif", "did you mean 'motifs'"]),
    "folder of a network that is not there": (
        "huggingface", within("models", "language", huggingface="data/none"),
        ["models.language", "data/none", "no such folder"]),
    "folder of a network and a factory": (
        "huggingface", within("models", "language", factory="model.py:LanguageModel"),
        ["models.language", "factory", "both given"]),
    "source that needs a genome": (
        "tokens", within("concepts", gc={"source": "gc_content"}), ["genome", "'gc'"]),
}  # fmt: skip


#: found in a run, before a network runs; the others when the configuration is read
IN_A_RUN = {
    "signal: bigWig is none",
    "model without the tracks its inputs need",
    "regions: of another genome",
    "function that raises",
}
#: found in the same way, when examples are drawn: nothing else is run
DRAWN = {
    "regions: several with too few usable",
    "control regions too few",
    "FASTA: too few",
    "function that yields too few",
}


def changed(sources: Study, name: str, folder: Path) -> tuple[Study, list[str]]:
    """Return a study with the fault of a case, and what its message says."""
    family, change, expected = CASES[name]
    study = study_of(sources, family, folder)
    content = study.config
    change(study.folder, content)
    (study.folder / "config.yaml").write_text(yaml.safe_dump(content, sort_keys=False))
    return study, expected


@pytest.mark.parametrize("name", sorted(CASES.keys() - IN_A_RUN - DRAWN))
def test_unusable_source_is_one_line_when_the_configuration_is_read(sources, name, tmp_path):
    study, expected = changed(sources, name, tmp_path / "study")
    study.unreadable(expected)


@pytest.mark.parametrize("name", sorted(IN_A_RUN | DRAWN))
def test_unusable_source_is_one_line_before_any_work(sources, name, tmp_path):
    study, expected = changed(sources, name, tmp_path / "study")
    written = study.refused(expected, *(["out/catalogue.tsv"] if name in DRAWN else []))
    made = [path for path in written if path.suffix in (".parquet", ".pt")]
    assert not [path for path in made if {"activations", "basis", "attributions"} & set(path.parts)]
