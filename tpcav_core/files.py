"""Reading and writing the intermediates: atomic, and every file says what it is.

A parquet, Arrow or torch file written here carries its kind, its format version, the package's
version and the parameters that made it. Reading checks kind and version, so that a file from
another step or an older release is named together with the remedy instead of failing somewhere
later.
"""

from __future__ import annotations

import errno
import glob
import json
import os
import shutil
import tempfile
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from . import __version__
from .errors import InputError, reason

#: format version of each kind of file; raise it when the layout of that kind changes.
FORMATS = {
    "genome": 2,
    "recipes": 2,
    "activations": 3,
    "scaling": 1,
    "components": 1,
    "gram": 2,
    "cavs": 3,
    "nulls": 1,
    "planting": 1,
    "similarity": 1,
    "attributions": 1,
    "contributions": 1,
    "scores": 2,
    "methods": 1,
    "table": 1,
}
_KEY = b"tpcav"
#: bytes that are left on a disk on which no block could be written
_FULL = 2**20


@contextmanager
def atomic(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Yield a temporary path in the folder of ``path``; rename it to ``path`` if all went well.

    Nothing half-written is ever left under the final name, and nothing is left at all on error.
    What a killed process left is removed by the next that writes the same file.

    Raises:
        OSError: in place of what a library raises, if the disk is full.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    # eight characters, as `mkstemp` makes: no file of a longer name is meant
    for left in path.parent.glob(f".{glob.escape(path.name)}.{'?' * 8}.part"):
        left.unlink(missing_ok=True)
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".part", dir=path.parent)
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        temporary.chmod(0o666 & ~_umask())
        temporary.replace(path)
    except OSError as error:
        error.filename = error.filename or str(path)
        raise
    except (RuntimeError, SystemError) as error:
        # libraries written in C++ say only that writing failed
        if shutil.disk_usage(path.parent).free < _FULL:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path)) from error
        raise
    finally:
        temporary.unlink(missing_ok=True)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def describe(kind: str, parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Return the description stored in a file of ``kind``."""
    return {
        "kind": kind,
        "format": FORMATS[kind],
        "version": __version__,
        "parameters": dict(parameters),
    }


def check(description: Mapping[str, Any] | None, kind: str, path: str | os.PathLike[str]) -> None:
    """Raise `InputError` unless ``description`` is of ``kind`` in the format this version reads."""
    remedy = "delete it and run the workflow again"
    if not description:
        raise InputError(f"{path}: not written by this workflow (expected {kind}); {remedy}")
    found = (description.get("kind"), description.get("format"))
    if found != (kind, FORMATS[kind]):
        raise InputError(
            f"{path}: holds {found[0]} format {found[1]} (written by version"
            f" {description.get('version')}), expected {kind} format {FORMATS[kind]}; {remedy}"
        )


def described_schema(schema: pa.Schema, kind: str, parameters: Mapping[str, Any]) -> pa.Schema:
    """Return ``schema`` with the description of the file in its metadata."""
    text = json.dumps(describe(kind, parameters), sort_keys=True)
    return schema.with_metadata({_KEY: text.encode()})


def write_parquet(
    table: pa.Table, path: str | os.PathLike[str], kind: str, parameters: Mapping[str, Any]
) -> None:
    """Write a whole table as a parquet file of ``kind`` (zstd), atomically."""
    table = table.replace_schema_metadata(described_schema(table.schema, kind, parameters).metadata)
    with atomic(path) as temporary:
        pq.write_table(table, temporary, compression="zstd", write_page_checksum=True)


class _Checked(pq.ParquetFile):  # type: ignore[misc]
    """A parquet file whose bytes are compared with their checksums; errors name the file."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.place = path
        # without pre_buffer a row group is read page by page, and only its own pages are held
        options = {"pre_buffer": False, "buffer_size": 2**20}
        with self._named():
            super().__init__(path, **options, page_checksum_verification=True)

    def read(self, *arguments: Any, **options: Any) -> pa.Table:
        with self._named():
            return super().read(*arguments, **options)

    def read_row_group(self, *arguments: Any, **options: Any) -> pa.Table:
        with self._named():
            return super().read_row_group(*arguments, **options)

    def read_row_groups(self, *arguments: Any, **options: Any) -> pa.Table:
        with self._named():
            return super().read_row_groups(*arguments, **options)

    def iter_batches(self, *arguments: Any, **options: Any) -> Iterator[pa.RecordBatch]:
        with self._named():
            yield from super().iter_batches(*arguments, **options)

    @contextmanager
    def _named(self) -> Iterator[None]:
        try:
            yield
        except FileNotFoundError:
            raise InputError(
                f"{self.place}: no such file; run the step that makes it first"
            ) from None
        except (pa.ArrowInvalid, OSError) as error:
            raise InputError(
                f"{self.place}: not a readable parquet file ({reason(error)}); delete it and run"
                " the workflow again"
            ) from None


def open_parquet(path: str | os.PathLike[str], kind: str) -> pq.ParquetFile:
    """Open a parquet file of ``kind``; row groups can then be read alone."""
    file = _Checked(path)
    check(parquet_description(file), kind, path)
    return file


def parquet_description(file: pq.ParquetFile) -> dict[str, Any] | None:
    """Return what a parquet file says about itself, or None."""
    text = (file.schema_arrow.metadata or {}).get(_KEY)
    return json.loads(text) if text else None


def read_parquet(
    path: str | os.PathLike[str], kind: str, columns: list[str] | None = None
) -> pa.Table:
    """Read a parquet file of ``kind``."""
    return open_parquet(path, kind).read(columns=columns)


def write_mapped(
    batch: pa.RecordBatch, path: str | os.PathLike[str], kind: str, parameters: Mapping[str, Any]
) -> None:
    """Write one batch of rows as an Arrow file of ``kind``, atomically, for `open_mapped`."""
    schema = described_schema(batch.schema, kind, parameters)
    with atomic(path) as temporary, pa.ipc.new_file(temporary, schema) as writer:
        writer.write_batch(batch.replace_schema_metadata(schema.metadata))


def open_mapped(path: str | os.PathLike[str], kind: str) -> pa.RecordBatch:
    """Return the rows of an Arrow file of ``kind``; pages are read when they are touched.

    What could make reading leave the file is checked: places within it, and text. Values are not.
    """
    try:
        batch = pa.ipc.open_file(pa.memory_map(os.fspath(path))).get_batch(0)
        batch.validate(full=True)
        text = (batch.schema.metadata or {}).get(_KEY)
        description = json.loads(text) if text else None
    except FileNotFoundError:
        raise InputError(f"{path}: no such file; run the step that makes it first") from None
    except Exception as error:  # as of torch files
        raise InputError(
            f"{path}: not a readable Arrow file ({reason(error)}); delete it and run the workflow"
            " again"
        ) from None
    check(description, kind, path)
    return batch


def save_tensors(
    content: Mapping[str, Any],
    path: str | os.PathLike[str],
    kind: str,
    parameters: Mapping[str, Any],
) -> None:
    """Write tensors, numbers and strings as a torch file of ``kind``, atomically."""
    import torch

    # not by name: torch writes the name of a file into it, and this one is temporary
    with atomic(path) as temporary, temporary.open("wb") as file:
        torch.save({"tpcav": describe(kind, parameters), **content}, file)


def load_tensors(path: str | os.PathLike[str], kind: str, *, mmap: bool = False) -> dict[str, Any]:
    """Read a torch file of ``kind`` (``weights_only=True``).

    The checksums of what it holds are compared, but not with ``mmap``: pages are then read when
    they are touched.
    """
    import torch

    try:
        content = torch.load(path, map_location="cpu", weights_only=True, mmap=mmap)
        if not mmap:
            with zipfile.ZipFile(path) as archive:
                if archive.testzip() is not None:
                    raise zipfile.BadZipFile("bytes of it have changed")
    except FileNotFoundError:
        raise InputError(f"{path}: no such file; run the step that makes it first") from None
    except Exception as error:  # what foreign or cut bytes make the reader raise has no bounds
        raise InputError(
            f"{path}: not a readable torch file ({reason(error)}); delete it and run the workflow"
            " again"
        ) from None
    description = content.get("tpcav") if isinstance(content, dict) else None
    check(description if isinstance(description, dict) else None, kind, path)
    return dict(content)
