"""Text files that the user gives, plain or packed, with errors that name the file."""

from __future__ import annotations

import gzip
import io
import os
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TextIO

from .errors import InputError

_GZIP = b"\x1f\x8b"


@contextmanager
def open_text(
    path: str | os.PathLike[str], expected: str, *, may_be_empty: bool = False
) -> Iterator[TextIO]:
    """Open a text file, plain or gzip (also bgzip) by its first bytes.

    Args:
        path: the file.
        expected: what it should be, for messages.
        may_be_empty: whether a file without content is one.

    Raises:
        InputError: also for what goes wrong while it is read: a file that is missing, empty,
            damaged or not text.
    """
    try:
        with Path(path).open("rb") as raw:
            head = raw.read(2)
            raw.seek(0)
            if not (head or may_be_empty):
                raise InputError(f"{path}: the file is empty; expected {expected}")
            content: Any = gzip.GzipFile(fileobj=raw) if head == _GZIP else raw
            with io.TextIOWrapper(content, encoding="utf-8-sig") as text:
                yield text
    except FileNotFoundError:
        raise InputError(f"{path}: no such file; expected {expected}") from None
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise InputError(
            f"{path}: damaged or cut short ({error}); copy or compress it again"
        ) from None
    except UnicodeDecodeError:
        raise InputError(f"{path}: not a text file; expected {expected}") from None
    except OSError as error:
        raise InputError(
            f"{path}: cannot be read ({error.strerror}); expected {expected}"
        ) from None
