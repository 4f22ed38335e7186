from __future__ import annotations

import os
import re

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch

from tpcav_core import __version__, files
from tpcav_core.errors import InputError


class HalfWayError(Exception):
    pass


def write_half(path):
    with files.atomic(path) as temporary:
        temporary.write_text("half")
        raise HalfWayError


def test_nothing_is_left_on_error(tmp_path):
    with pytest.raises(HalfWayError):
        write_half(tmp_path / "deep" / "out.txt")
    assert list((tmp_path / "deep").iterdir()) == []


def test_what_was_there_survives_an_error(tmp_path):
    path = tmp_path / "out.txt"
    path.write_text("old")
    with pytest.raises(HalfWayError):
        write_half(path)
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_the_final_name_appears_only_at_the_end(tmp_path):
    path = tmp_path / "out.txt"
    with files.atomic(path) as temporary:
        temporary.write_text("all")
        assert not path.exists()
        assert temporary.parent == path.parent
    assert path.read_text() == "all"
    assert list(tmp_path.iterdir()) == [path]


def test_files_get_the_permissions_of_the_umask(tmp_path):
    before = os.umask(0o027)
    try:
        with files.atomic(tmp_path / "out.txt"):
            pass
        assert os.umask(0o027) == 0o027
    finally:
        os.umask(before)
    assert (tmp_path / "out.txt").stat().st_mode & 0o777 == 0o640


TABLE = pa.table({"a": [1, 2, 3], "b": ["x", "y", "z"]})


def test_parquet_says_what_it_is(tmp_path):
    path = tmp_path / "t.parquet"
    files.write_parquet(TABLE, path, "cavs", {"seed": 3})
    assert files.read_parquet(path, "cavs").equals(TABLE)
    assert files.read_parquet(path, "cavs", ["b"]).column_names == ["b"]
    assert files.parquet_description(files.open_parquet(path, "cavs")) == {
        "kind": "cavs",
        "format": files.FORMATS["cavs"],
        "version": __version__,
        "parameters": {"seed": 3},
    }


def test_tensors_say_what_they_are(tmp_path):
    path = tmp_path / "t.pt"
    content = {"x": torch.arange(5), "name": "n", "number": 2.5}
    files.save_tensors(content, path, "components", {"k": 1})
    for mmap in (False, True):
        read = files.load_tensors(path, "components", mmap=mmap)
        assert torch.equal(read["x"], content["x"])
        assert (read["name"], read["number"]) == ("n", 2.5)
        assert read["tpcav"]["parameters"] == {"k": 1}


def test_an_unknown_kind_cannot_be_written(tmp_path):
    with pytest.raises(KeyError):
        files.write_parquet(TABLE, tmp_path / "t.parquet", "cvas", {})
    assert list(tmp_path.iterdir()) == []


def unusable(reader, path, kind, *words):
    """Reading raises one line that names the file, the remedy and ``words``."""
    with pytest.raises(InputError) as caught:
        reader(path, kind)
    text = str(caught.value)
    assert text.startswith(str(path))
    assert "\n" not in text
    assert re.search("run the (workflow again|step that makes it)", text)
    for word in words:
        assert word in text


def load_mapped(path, kind):
    return files.load_tensors(path, kind, mmap=True)


def write_numbers(reader, path, numbers=(1.0, 2.0)):
    """Write numbers in the format that a reader reads, as kind cavs."""
    if reader is files.read_parquet:
        files.write_parquet(pa.table({"x": numbers}), path, "cavs", {})
    elif reader is files.open_mapped:
        files.write_mapped(pa.record_batch({"x": numbers}), path, "cavs", {})
    else:
        files.save_tensors({"x": torch.tensor(numbers)}, path, "cavs", {})


READERS = [files.load_tensors, load_mapped, files.read_parquet, files.open_mapped]


@pytest.mark.parametrize("reader", READERS)
def test_a_file_of_another_kind_is_named(tmp_path, reader):
    path = tmp_path / "file"
    write_numbers(reader, path)
    cavs, gram = files.FORMATS["cavs"], files.FORMATS["gram"]
    unusable(reader, path, "gram", f"holds cavs format {cavs}", f"expected gram format {gram}")


@pytest.mark.parametrize("reader", READERS)
def test_a_file_of_another_format_is_named(tmp_path, monkeypatch, reader):
    path = tmp_path / "file"
    with monkeypatch.context() as patch:
        patch.setitem(files.FORMATS, "cavs", 7)
        write_numbers(reader, path)
    now = f"cavs format {files.FORMATS['cavs']}"
    unusable(reader, path, "cavs", "cavs format 7", f"version {__version__}", now)


@pytest.mark.parametrize("kind", ["cavs", "gram", "activations", "scores"])
def test_a_file_of_an_older_format_is_not_read(tmp_path, monkeypatch, kind):
    path, now = tmp_path / "file", files.FORMATS[kind]
    with monkeypatch.context() as patch:
        patch.setitem(files.FORMATS, kind, now - 1)
        files.write_parquet(TABLE, path, kind, {})
    words = f"holds {kind} format {now - 1}", f"expected {kind} format {now}", "delete it"
    for reader in (files.open_parquet, files.read_parquet):
        unusable(reader, path, kind, *words)


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("content", [b"", b"hello\nworld", b"PK\x03\x04 no zip", bytes(range(256))])
def test_a_file_of_other_bytes_is_named(tmp_path, reader, content):
    path = tmp_path / "file"
    path.write_bytes(content)
    unusable(reader, path, "cavs", "not a readable")


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("share", [0.05, 0.5, 0.95])
def test_a_truncated_file_is_named(tmp_path, reader, share):
    path = tmp_path / "file"
    write_numbers(reader, path, np.random.default_rng(0).normal(size=5000))
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    unusable(reader, path, "cavs", "not a readable")


@pytest.mark.parametrize("reader", READERS)
def test_a_missing_file_and_a_folder_are_named(tmp_path, reader):
    unusable(reader, tmp_path / "none", "cavs", "no such file")
    unusable(reader, tmp_path, "cavs", "not a readable")


def test_a_foreign_parquet_file_is_named(tmp_path):
    path = tmp_path / "t.parquet"
    pq.write_table(TABLE, path)
    unusable(files.read_parquet, path, "cavs", "not written by this workflow")


def test_a_foreign_arrow_file_is_named(tmp_path):
    path = tmp_path / "t.arrow"
    with pa.ipc.new_file(path, TABLE.schema) as writer:
        writer.write_table(TABLE)
    unusable(files.open_mapped, path, "cavs", "not written by this workflow")


def test_an_arrow_file_without_rows_or_with_a_bad_description_is_named(tmp_path):
    path = tmp_path / "t.arrow"
    for about in ({}, {b"tpcav": b"{"}):
        with pa.ipc.new_file(path, TABLE.schema.with_metadata(about)) as writer:
            if about:
                writer.write_table(TABLE.replace_schema_metadata(about))
        unusable(files.open_mapped, path, "cavs", "not a readable Arrow file")


def test_an_arrow_file_is_read_where_it_lies(tmp_path):
    path = tmp_path / "t.arrow"
    write_numbers(files.open_mapped, path, np.arange(2**17, dtype=float))
    before = pa.total_allocated_bytes()
    batch = files.open_mapped(path, "cavs")
    assert pa.total_allocated_bytes() - before < 2**12
    assert batch.column("x").to_numpy(zero_copy_only=True)[-1] == 2**17 - 1


@pytest.mark.parametrize("content", [[1], {"x": 1}, {"tpcav": 5}, {"tpcav": {}}, torch.ones(2)])
def test_a_foreign_torch_file_is_named(tmp_path, content):
    path = tmp_path / "t.pt"
    torch.save(content, path)
    unusable(files.load_tensors, path, "cavs", "not written by this workflow")


def test_a_pickled_object_is_never_loaded(tmp_path):
    path = tmp_path / "t.pt"
    torch.save({"tpcav": files.describe("cavs", {}), "x": torch.nn.Linear(1, 1)}, path)
    unusable(files.load_tensors, path, "cavs", "not a readable torch file")
