"""A genome as one array of bases, read from a FASTA file once and cut into windows quickly."""

from __future__ import annotations

import gzip
import os
import shutil
import tempfile
import zlib
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from .errors import InputError, suggest

if TYPE_CHECKING:
    import pyarrow as pa

#: the letters of the codes 0 … 4
LETTERS = "ACGTN"
#: the same as (5,) uint8, to be indexed by codes
LETTER_BYTES = np.frombuffer(LETTERS.encode(), np.uint8)
#: the code of everything but A, C, G and T
UNKNOWN = 4

_CODE_OF_BYTE = bytes(
    LETTERS[:4].find(chr(byte).upper()) if chr(byte).upper() in LETTERS[:4] else UNKNOWN
    for byte in range(256)
)
_GZIP = b"\x1f\x8b"
#: first bytes of compressed files, and what unpacks them
_UNPACK = {
    _GZIP: ("gzip", "gunzip -c"),
    b"BZh": ("bzip2", "bunzip2 -c"),
    b"\xfd7zXZ": ("xz", "xz -dc"),
    b"PK\x03\x04": ("zip", "unzip -p"),
    b"\x28\xb5\x2f\xfd": ("zstd", "zstd -dc"),
}


@dataclass(frozen=True, eq=False)
class Genome:
    """The bases of all contigs, one after the other.

    Attributes:
        names: names of the c contigs, in the order of the FASTA file.
        lengths: (c,) int64, bp.
        offsets: (c,) int64, where each contig starts in `codes`.
        codes: (total,) uint8, A=0 C=1 G=2 T=3 and 4 for everything else; maybe memory-mapped.
        unknown: (r, 3) int64, rows ``[contig, start, end)``: the maximal runs of code 4.
    """

    names: tuple[str, ...]
    lengths: np.ndarray
    offsets: np.ndarray
    codes: np.ndarray
    unknown: np.ndarray

    def index(self, name: str) -> int:
        """Return the number of a contig.

        Raises:
            InputError: if there is no such contig; near names are suggested.
        """
        if name in self.names:
            return self.names.index(name)
        shown = ", ".join(self.names[:3]) + (", …" if len(self.names) > 3 else "")
        contigs = f"{len(self.names)} contig{'s' * (len(self.names) != 1)}: {shown}"
        raise InputError(
            f"chromosome {name!r} is not in the genome ({contigs})"
            f"{suggest_contig(name, self.names)}"
        )

    def windows(
        self,
        contig: np.ndarray,
        start: np.ndarray,
        length: int,
        strand: np.ndarray | None = None,
    ) -> np.ndarray:
        """Cut windows of one length.

        Args:
            contig: (n,) integers, numbers of contigs.
            start: (n,) integers, 0-based first positions.
            length: bp.
            strand: (n,) +1 or -1; windows of strand -1 are reverse-complemented. None: all +1.

        Returns:
            (n, length) uint8 codes.

        Raises:
            InputError: if a window reaches over an end of its contig.
        """
        start = np.asarray(start, np.int64)
        outside = (start < 0) | (start + length > self.lengths[contig])
        if outside.any():
            first = int(np.flatnonzero(outside)[0])
            number = int(np.asarray(contig)[first])
            raise InputError(
                f"{outside.sum()} of {len(start)} windows of {length} bp reach over an end of"
                f" their contig, the first at {self.names[number]}:{start[first]} (0-based; the"
                f" contig has {self.lengths[number]} bp); use narrower windows or leave them out"
            )
        if len(start) == 0:
            return np.empty((0, length), np.uint8)
        # A view of all windows needs no (n, length) index array, which would be 8 times the result.
        everywhere = np.lib.stride_tricks.sliding_window_view(self.codes, length)
        cut: np.ndarray = everywhere[self.offsets[contig] + start]
        if strand is not None:
            reverse = np.asarray(strand) < 0
            cut[reverse] = reverse_complement(cut[reverse])
        return cut


def suggest_contig(name: str, names: Collection[str]) -> str:
    """Return which of ``names`` may be meant, as `errors.suggest`; ``1`` and ``chr1`` are near."""
    other = name.removeprefix("chr") if name.startswith("chr") else f"chr{name}"
    if other in names:
        return f"; did you mean {other!r}? The names differ by the prefix 'chr'"
    return suggest(name, names)


def encode(sequence: str) -> np.ndarray:
    """Return the codes (length,) uint8 of a sequence; lower case counts as upper case."""
    letters = bytearray(sequence.encode("ascii", "replace"))
    return np.frombuffer(letters.translate(_CODE_OF_BYTE), np.uint8)


def decode(codes: np.ndarray) -> str:
    """Return the sequence of (length,) codes, in the letters ``ACGTN``."""
    return LETTER_BYTES.take(codes).tobytes().decode("ascii")


def reverse_complement(codes: np.ndarray) -> np.ndarray:
    """Return the reverse complement of codes (…, length); 4 stays 4."""
    # complements differ in both bits (A 0, T 3; C 1, G 2); 4 becomes 7 and is brought back
    return np.asarray(np.minimum(codes[..., ::-1] ^ np.uint8(3), UNKNOWN))


def assemble(names: Sequence[str], lengths: Sequence[int], codes: np.ndarray) -> Genome:
    """Return the genome of contigs whose codes follow one another in ``codes`` (total,) uint8."""
    ends = np.cumsum(np.asarray(lengths, np.int64))
    offsets = ends - np.asarray(lengths, np.int64)
    runs = [
        np.column_stack([np.full(len(found), number), found])
        for number, (offset, end) in enumerate(zip(offsets, ends, strict=True))
        if len(found := _unknown_runs(codes[offset:end]))
    ]
    unknown = np.concatenate([np.empty((0, 3), np.int64), *runs])
    return Genome(tuple(names), np.asarray(lengths, np.int64), offsets, codes, unknown)


def _unknown_runs(codes: np.ndarray) -> np.ndarray:
    mask = codes == UNKNOWN
    edges = np.flatnonzero(mask[1:] != mask[:-1]) + 1
    if mask[:1].any():
        edges = np.insert(edges, 0, 0)
    if mask[-1:].any():
        edges = np.append(edges, len(mask))
    return edges.reshape(-1, 2)


def read_genome(path: str | os.PathLike[str]) -> Genome:
    """Read a FASTA file, plain or compressed with bgzip.

    Soft masking is dropped, and letters other than A, C, G and T become unknown. Nothing is
    written beside the file: index and, for a compressed file, the plain sequence go to a temporary
    folder (``TMPDIR``) of at most the size of the genome.

    Args:
        path: the FASTA file; its folder may be read-only.

    Returns:
        The genome; a contig's name is the first word of its header.

    Raises:
        InputError: if the file is missing, empty, compressed otherwise, or not a FASTA file.
    """
    path = Path(path)
    compressed = _is_compressed(path)
    with tempfile.TemporaryDirectory(prefix="tpcav-genome-") as folder:
        # pyfaidx reads long contigs of a bgzip file very slowly (50 Mb: 11 s against 0.6 s).
        plain = Path(folder) / "genome.fa"
        if compressed:
            _decompress(path, plain)
        else:
            plain.symlink_to(path.absolute())
        _check_head(path, plain)
        return _read_plain(path, plain)


def _is_compressed(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            head = file.read(18)
    except FileNotFoundError:
        raise InputError(f"{path}: no such file; expected a FASTA file") from None
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from None
    if not head:
        raise InputError(f"{path}: the file is empty; expected a FASTA file")
    # bgzip files are gzip files whose first extra field is named BC.
    if head.startswith(_GZIP) and head[12:14] == b"BC":
        return True
    for magic, (name, unpack) in _UNPACK.items():
        if head.startswith(magic):
            raise InputError(
                f"{path}: compressed with {name}, expected plain FASTA or bgzip; compress it with"
                f" bgzip, e.g. `{unpack} {path.name} | bgzip > {path.stem}.bgz`"
            )
    return False


def _decompress(path: Path, plain: Path) -> None:
    try:
        with gzip.open(path) as source, plain.open("wb") as target:
            shutil.copyfileobj(source, target, 1 << 20)
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise InputError(
            f"{path}: damaged or cut short ({error}); copy or compress it again"
        ) from None


def _check_head(path: Path, plain: Path) -> None:
    with plain.open("rb") as file:
        head = file.read(1 << 16)
    if not head.strip():
        raise InputError(f"{path}: holds no sequence; expected a FASTA file")
    if b"\0" in head or head.lstrip()[:1] not in (b">", b";"):
        raise InputError(f"{path}: not a FASTA file; expected a first line that starts with '>'")


def _read_plain(path: Path, plain: Path) -> Genome:
    import pyfaidx

    try:
        fasta = pyfaidx.Faidx(plain, as_raw=True)
    except pyfaidx.FastaIndexingError as error:
        reason = str(error).replace(str(plain), str(path))
        raise InputError(
            f"{path}: cannot be indexed as FASTA ({reason}); all lines of a contig but the last"
            " must be equally long"
        ) from None
    except UnicodeDecodeError:
        raise InputError(f"{path}: not a FASTA file; it is not text") from None
    except ValueError as error:
        raise InputError(f"{path}: {error}; contigs need different names") from None
    try:
        lengths = [record.rlen for record in fasta.index.values()]
        codes = np.empty(sum(lengths), np.uint8)
        if not codes.size:
            raise InputError(f"{path}: {len(lengths)} headers and no sequence; expected bases")
        offset = 0
        for name, length in zip(fasta.index, lengths, strict=True):
            sequence = encode(fasta.fetch(name, 1, length)) if length else np.empty(0, np.uint8)
            if len(sequence) != length:
                raise InputError(
                    f"{path}: the lines of contig {name!r} are not equally long; fold them again"
                )
            codes[offset : offset + length] = sequence
            offset += length
        return assemble(tuple(fasta.index), lengths, codes)
    finally:
        fasta.close()


def genome_table(genome: Genome) -> pa.RecordBatch:
    """Return the content of a file of kind ``genome``, a row per contig.

    Columns ``name``, ``codes`` (a byte per base), ``unknown`` (start, end, start … of its runs).
    """
    import pyarrow as pa

    ends = np.append(genome.offsets, len(genome.codes))
    buffers = [None, pa.py_buffer(ends), pa.py_buffer(genome.codes)]
    codes = pa.Array.from_buffers(pa.large_binary(), len(genome.names), buffers)
    runs = np.searchsorted(genome.unknown[:, 0], np.arange(len(genome.names) + 1))
    unknown = pa.LargeListArray.from_arrays(2 * runs, genome.unknown[:, 1:].ravel())
    return pa.record_batch({"name": list(genome.names), "codes": codes, "unknown": unknown})


def genome_from_table(table: pa.RecordBatch) -> Genome:
    """Return the genome of a whole batch of a file; memory-mapped codes stay memory-mapped."""
    _, ends, codes = table.column("codes").buffers()
    ends = np.frombuffer(ends, np.int64)[: table.num_rows + 1]
    unknown = table.column("unknown")
    runs = np.diff(unknown.offsets.to_numpy()) // 2
    contigs = np.repeat(np.arange(table.num_rows), runs)
    return Genome(
        names=tuple(table.column("name").to_pylist()),
        lengths=np.diff(ends),
        offsets=ends[:-1],
        codes=np.frombuffer(codes, np.uint8)[: ends[-1]],
        unknown=np.column_stack([contigs, unknown.values.to_numpy().reshape(-1, 2)]),
    )
