"""Bad luck at the command line: one line that names the remedy, and nothing half-written."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch

from tpcav_core import bigwigs, commands, failures, files, vectors
from tpcav_core.errors import InputError
from tpcav_core.genome import Genome
from tpcav_core.provenance import _closure
from tpcav_core.regions import Regions

ROOT = Path(__file__).parents[2]
NUMBERS = np.random.default_rng(0).normal(size=100_000)


def mounted(folder: Path, options: str):
    """Mount a small file system in memory, or skip; unmount it at the end."""
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)]
    if os.geteuid() != 0 or subprocess.run(command, check=False, capture_output=True).returncode:
        pytest.skip("only root, with the right to mount, can make a full or read-only disk")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


@pytest.fixture
def full(tmp_path):
    """A disk of 256 KB."""
    yield from mounted(tmp_path / "full", "size=256k")


@pytest.fixture
def read_only(tmp_path):
    yield from mounted(tmp_path / "read_only", "ro,size=256k")


def step(*arguments: object, code: str = "") -> subprocess.CompletedProcess[str]:
    """Run a step in a process of its own, after some lines of Python."""
    start = f"import sys\n{code}\nfrom tpcav_core.commands import main\nsys.exit(main())"
    return subprocess.run(
        [sys.executable, "-c", start, *map(str, arguments)],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )


def told(result: subprocess.CompletedProcess[str], *words: str) -> None:
    """The step failed with one line that holds the words."""
    assert result.returncode in (1, 2)
    lines = [line for line in result.stderr.splitlines() if line.startswith("error: ")]
    assert len(lines) == 1, result.stderr
    assert "Traceback" not in result.stderr
    for word in words:
        assert word in lines[0]


def write_table(path):
    files.write_parquet(pa.table({"x": NUMBERS}), path, "cavs", {})


def write_tensors(path):
    files.save_tensors({"x": torch.from_numpy(NUMBERS)}, path, "components", {})


def write_text(path):
    with files.atomic(path) as temporary:
        temporary.write_text("x" * 1_000_000)


def write_track(regions):
    def write(path):
        nothing = np.zeros(0, np.int64)
        genome = Genome(("chrA",), np.array([2_000_000]), nothing, nothing, nothing)
        start = np.arange(regions, dtype=np.int64) * 1000
        contig = np.zeros(regions, np.int32)
        where = Regions(contig, start, start + 300, np.ones(regions, np.int8))
        values = np.random.default_rng(1).normal(size=(regions, 300)).astype(np.float32)
        with files.atomic(path) as temporary:
            bigwigs.write_bigwig(temporary, genome, where, values)

    return write


# of tracks, the first fills the disk when it is closed, the second before
@pytest.mark.parametrize(
    "write", [write_table, write_tensors, write_text, write_track(180), write_track(800)]
)
def test_a_full_disk_leaves_what_was_there_and_says_so(full, write):
    path = full / "file"
    path.write_text("old")
    with pytest.raises(OSError, match="No space left") as caught:
        write(path)
    assert path.read_text() == "old"
    assert list(full.iterdir()) == [path]
    text = failures.remedy(caught.value)
    assert text.startswith(str(path))
    assert "free some space" in text


def test_a_step_on_a_full_disk_ends_with_one_line(full, toy_fasta):
    (full / "other").write_bytes(bytes(200_000))
    result = step("genome", "--fasta", toy_fasta, "--output", full / "g.pt", "--log", full / "log")
    told(result, "g.pt", "No space left on device", "free some space", "finished steps are kept")
    assert sorted(path.name for path in full.iterdir()) == ["log", "other"]


@pytest.mark.parametrize("log", ["log", "beside"])
def test_a_step_in_a_read_only_folder_ends_with_one_line(read_only, tmp_path, toy_fasta, log):
    logs = (read_only if log == "log" else tmp_path) / "logs" / "log"
    result = step("genome", "--fasta", toy_fasta, "--output", read_only / "g.pt", "--log", logs)
    told(result, str(read_only), "Read-only file system", "that can be written to")


def test_a_path_that_may_not_be_used_is_named():
    text = failures.remedy(PermissionError(13, "Permission denied", "/results"))
    assert text.startswith("/results: Permission denied; get the right to use it")


@pytest.mark.parametrize("error", [ValueError("x"), OSError("x"), FileNotFoundError(2, "x", "y")])
def test_what_may_be_a_bug_keeps_its_traceback(error):
    assert failures.remedy(error) is None


def test_what_a_killed_process_left_is_removed_and_nothing_else(tmp_path):
    path = tmp_path / "cavs.parquet"
    left = [tmp_path / f".{path.name}.{letters}.part" for letters in ("abcd_123", "zzzzzzzz")]
    others = [tmp_path / name for name in (f".{path.name}.more.abcd_123.part", "x.part", ".part")]
    for file in (*left, *others):
        file.write_text("half")
    with files.atomic(path) as temporary:
        assert sorted(tmp_path.iterdir()) == sorted([*others, temporary])
    assert sorted(tmp_path.iterdir()) == sorted([*others, path])


def test_of_two_writers_of_a_file_the_last_wins_and_it_is_whole(tmp_path):
    path = tmp_path / "file"

    def write_twice():
        with files.atomic(path) as first:
            first.write_text("first")
            with files.atomic(path) as second:
                second.write_text("second")

    with pytest.raises(FileNotFoundError):
        write_twice()
    assert path.read_text() == "second"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("write", [write_table, write_tensors])
def test_changed_bytes_are_found(tmp_path, write):
    path = tmp_path / "file"
    write(path)
    whole = path.read_bytes()
    read = (
        (lambda: files.read_parquet(path, "cavs"))
        if write is write_table
        else (lambda: files.load_tensors(path, "components"))
    )
    for place in np.linspace(0.1, 0.9, 9) * len(whole):
        changed = bytearray(whole)
        changed[int(place)] ^= 1
        path.write_bytes(changed)
        with pytest.raises(InputError, match=f"^{path}: not a readable .*; delete it and run"):
            read()


def test_changed_bytes_are_found_in_row_groups_and_batches(tmp_path):
    path = tmp_path / "file"
    write_table(path)
    changed = bytearray(path.read_bytes())
    changed[len(changed) // 2] ^= 1
    path.write_bytes(changed)
    file = files.open_parquet(path, "cavs")
    for read in (file.read, lambda: file.read_row_group(0), lambda: file.read_row_groups([0])):
        with pytest.raises(InputError, match="could not verify page integrity"):
            read()
    with pytest.raises(InputError, match="could not verify page integrity"):
        list(file.iter_batches())


def test_changed_bytes_of_vectors_are_found(tmp_path):
    """Activations are written piece by piece, with options of their own."""
    path, table = tmp_path / "file", pa.table({"x": NUMBERS})
    schema = files.described_schema(table.schema, "activations", {})
    with pq.ParquetWriter(path, schema, **vectors.WRITE_OPTIONS) as writer:
        writer.write_table(table.cast(schema))
    changed = bytearray(path.read_bytes())
    changed[len(changed) // 2] ^= 1
    path.write_bytes(changed)
    with pytest.raises(InputError, match="could not verify page integrity"):
        files.open_parquet(path, "activations").read()


@pytest.mark.parametrize("status", ["0", "'bad weights'"])
def test_a_function_that_exits_fails_the_step(tmp_path, toy_fasta, status):
    own = tmp_path / "own.py"
    own.write_text(f"import sys\n\n\ndef read(path):\n    sys.exit({status})\n")
    code = (
        f"sys.path.insert(0, {str(tmp_path)!r})\nimport own\n"
        "import tpcav_core.commands.genome as module\nmodule.read_genome = own.read"
    )
    result = step("genome", "--fasta", toy_fasta, "--output", tmp_path / "g.pt", code=code)
    told(result, f"{own}, line 5,", "SystemExit", "raise an exception")
    assert not (tmp_path / "g.pt").exists()


def test_a_log_says_beforehand_what_a_killed_process_cannot_say(tmp_path, toy_fasta):
    code = (
        "import os\nimport tpcav_core.commands.genome as module\n"
        "module.read_genome = lambda path: os._exit(0)"
    )
    log = tmp_path / "log"
    step("genome", "--fasta", toy_fasta, "--output", tmp_path / "g", "--log", log, code=code)
    (line,) = log.read_text().splitlines()
    assert line.startswith("genome: if nothing follows, the process was killed")
    assert not (tmp_path / "g").exists()


def test_a_function_that_hangs_is_named(tmp_path, caplog, monkeypatch):
    own = tmp_path / "own.py"
    own.write_text("def hang(event):\n    event.wait(20)\n")
    monkeypatch.syspath_prepend(tmp_path)
    import own as module  # type: ignore[import-not-found]

    heard = threading.Event()
    said: list[tuple[str, ...]] = []

    def warning(*message):
        said.append(message)
        heard.set()

    monkeypatch.setattr(failures.log, "warning", warning)
    done = failures.watch("concepts", first=0.05)
    module.hang(heard)
    done.set()
    text = said[0][0] % said[0][1:]
    assert text.startswith(f"concepts is still in {own}, line 2 (hang); if that hangs, stop")
    assert heard.is_set()


def test_a_slow_step_of_the_package_itself_says_nothing(monkeypatch):
    monkeypatch.setattr(failures, "_is_users", lambda filename: False)
    monkeypatch.setattr(failures.log, "warning", lambda *message: pytest.fail(str(message)))
    done = failures.watch("cavs", first=0.01)
    assert not threading.Event().wait(0.1)
    done.set()


def test_no_memory_is_one_line():
    assert failures.remedy(MemoryError("9 GB")).startswith("out of memory (9 GB); give the step")


def test_the_dispatcher_is_in_no_step():
    files_of_steps = {
        path.name
        for name in commands.STEPS
        for path in _closure(Path(commands.__file__).parent / f"{name}.py")
    }
    assert "failures.py" not in files_of_steps
