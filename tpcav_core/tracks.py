"""Signal along the genome, read from bigWig files.

One call of pyBigWig costs as much as 16,000 further bases, so windows are read in neighbourhoods.
Each is then summed on its own: a result depends neither on other windows nor on their order.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from .errors import InputError, suggest
from .genome import Genome, suggest_contig
from .regions import Regions

#: windows with fewer bases than this between them are read together
GAP = 16_384
#: windows that start within this many bases are read together at most (16 MB of float32)
NEIGHBOURHOOD = 1 << 22

_BIGWIG = 0x888FFC26
_BIGBED = 0x8789F2EB


@dataclass(frozen=True)
class Track:
    """A bigWig file.

    Attributes:
        name: name of the track, for messages and for `Tracks.means`.
        file: path of the file.
        missing: value of bases without data; None: such bases are an error.
    """

    name: str
    file: str
    missing: float | None

    @property
    def place(self) -> str:
        """How messages begin."""
        return f"track {self.name!r}: {self.file}"


class Tracks:
    """Some tracks of one genome; ``with Tracks(...) as tracks`` closes them at the end.

    Files are opened when they are first read: a fork opens its own, and a pickle carries none.
    """

    def __init__(self, tracks: Sequence[Track], genome: Genome) -> None:
        """Take the tracks without opening them.

        Args:
            tracks: n tracks, in the order of the second axis of `values`.
            genome: the genome that regions refer to.

        Raises:
            InputError: two tracks of one name, or a ``missing`` that is not finite.
        """
        self.tracks = tuple(tracks)
        self.genome = genome
        names = [track.name for track in tracks]
        for track in tracks:
            if names.count(track.name) > 1:
                raise InputError(f"two tracks have the name {track.name!r}; rename one of them")
            if track.missing is not None and not np.isfinite(track.missing):
                raise InputError(
                    f"track {track.name!r}: missing is {track.missing}, expected a finite number,"
                    " or null if bases without data are an error"
                )
        self._open: dict[str, Any] = {}
        self._process = os.getpid()
        self._inherited: list[dict[str, Any]] = []

    def __enter__(self) -> Tracks:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_open": {}, "_inherited": []}

    def close(self) -> None:
        """Close the files; they can be read again."""
        if self._process == os.getpid():
            for file in self._open.values():
                file.close()
            self._open = {}

    def check(self, contigs: Sequence[str]) -> None:
        """Check that every track is a bigWig file of this genome.

        Args:
            contigs: names of the contigs that will be read.

        Raises:
            InputError: no file or no bigWig file, no such contig, or one of another length.
        """
        for track in self.tracks:
            file = self._file(track)
            for name in contigs:
                _check_contig(track, file, name, self.genome)

    def values(self, regions: Regions) -> np.ndarray:
        """Read the signal base by base.

        Args:
            regions: n regions of one width L; those of strand -1 are read backwards.

        Returns:
            (n, tracks, L) float32; bases without data have the track's ``missing``.

        Raises:
            InputError: as `check`; regions of several widths or outside the genome; infinite
                values; bases without data if ``missing`` is None.
        """
        widths = np.unique(regions.end - regions.start)
        if len(widths) > 1:
            raise InputError(
                f"regions of {widths[0]} to {widths[-1]} bp, expected one width; center them first"
            )
        length = int(widths[0]) if len(widths) else 0
        found = np.empty((len(regions.start), len(self.tracks), length), np.float32)
        for number, track in enumerate(self.tracks):
            for rows, first, signal in self._neighbourhoods(track, regions):
                everywhere = np.lib.stride_tricks.sliding_window_view(signal, length)
                found[rows, number] = everywhere[regions.start[rows] - first]
        reverse = regions.strand < 0
        found[reverse] = found[reverse, :, ::-1]
        return found

    def means(self, name: str, regions: Regions) -> np.ndarray:
        """Return the mean signal of each region over all its bases.

        Args:
            name: name of the track.
            regions: n regions of any widths.

        Returns:
            (n,) float64; bases without data count as the track's ``missing``.

        Raises:
            InputError: if there is no such track; else as `values`.
        """
        names = [track.name for track in self.tracks]
        if name not in names:
            raise InputError(f"no track {name!r} among {', '.join(names)}{suggest(name, names)}")
        sums = np.empty(len(regions.start), np.float64)
        for rows, first, signal in self._neighbourhoods(self.tracks[names.index(name)], regions):
            # the last position must be inside, as `reduceat` wants to see it
            padded = np.append(signal.astype(np.float64), 0.0)
            edges = np.stack([regions.start[rows], regions.end[rows]], axis=1) - first
            sums[rows] = np.add.reduceat(padded, edges.ravel())[::2]
        return np.asarray(sums / (regions.end - regions.start))

    def _file(self, track: Track) -> Any:
        if self._process != os.getpid():
            # closing, or freeing, an inherited file could move the position in its owner
            self._inherited.append(self._open)
            self._open, self._process = {}, os.getpid()
        if track.name not in self._open:
            self._open[track.name] = _open_bigwig(track)
        return self._open[track.name]

    def _neighbourhoods(
        self, track: Track, regions: Regions
    ) -> Iterator[tuple[np.ndarray, int, np.ndarray]]:
        """Yield rows of regions, the first base read, and the signal from there on, complete."""
        file = self._file(track)
        for number in np.unique(regions.contig).tolist():
            name = self.genome.names[number]
            _check_contig(track, file, name, self.genome)
            there = np.flatnonzero(regions.contig == number)
            _check_inside(regions, there, self.genome)
            for rows in _neighbours(regions, there):
                first, end = int(regions.start[rows].min()), int(regions.end[rows].max())
                signal = _read(track, file, name, first, end)
                yield rows, first, _complete(track, name, first, signal, regions.take(rows))


def _open_bigwig(track: Track) -> Any:
    import pyBigWig

    try:
        with Path(track.file).open("rb") as file:
            head, size = file.read(32), os.fstat(file.fileno()).st_size
    except FileNotFoundError:
        raise InputError(f"{track.place}: no such file; expected a bigWig file") from None
    except OSError as error:
        raise InputError(f"{track.place}: cannot be read ({error.strerror})") from None
    magic = int.from_bytes(head[:4], "little")
    if magic == _BIGBED:
        raise InputError(
            f"{track.place}: is a bigBed file, expected a bigWig file; convert its scores with"
            " bedGraphToBigWig, or give its regions as a BED file"
        )
    if magic != _BIGWIG:
        raise InputError(
            f"{track.place}: not a bigWig file (it begins with {head[:4]!r}); convert a wig or"
            " bedGraph file with wigToBigWig or bedGraphToBigWig"
        )
    # of a file that is cut off early, pyBigWig crashes the process
    whole = len(head) == 32 and size > int.from_bytes(head[24:], "little")
    with suppress(RuntimeError):
        if whole:
            return pyBigWig.open(str(track.file))
    raise InputError(f"{track.place}: cannot be opened; is the bigWig file cut off? Get it again")


def _check_contig(track: Track, file: Any, name: str, genome: Genome) -> None:
    lengths, length = file.chroms(), int(genome.lengths[genome.index(name)])
    if name not in lengths:
        shown = ", ".join(list(lengths)[:3]) + (", …" if len(lengths) > 3 else "")
        hint = suggest_contig(name, lengths)
        raise InputError(f"{track.place}: no contig {name!r} ({len(lengths)} there: {shown}){hint}")
    if lengths[name] != length:
        raise InputError(
            f"{track.place}: {name} has {lengths[name]} bp, but {length} bp in the genome; is the"
            " track of another assembly, or the genome a part of the chromosome?"
        )


def _check_inside(regions: Regions, rows: np.ndarray, genome: Genome) -> None:
    contig, start, end, _ = (column[rows] for column in regions)
    wrong = np.flatnonzero((start < 0) | (end > genome.lengths[contig]) | (start >= end))
    if len(wrong):
        name = genome.names[int(contig[0])]
        raise InputError(
            f"{len(wrong)} regions of {name} are empty or reach over its end, the first"
            f" {name}:{start[wrong[0]]}-{end[wrong[0]]}; remove them"
        )


def _neighbours(regions: Regions, rows: np.ndarray) -> list[np.ndarray]:
    """Split rows of one contig into neighbourhoods, along the contig."""
    rows = rows[np.lexsort((regions.end[rows], regions.start[rows]))]
    start = regions.start[rows]
    reach = np.maximum.accumulate(regions.end[rows])
    apart = np.append(True, start[1:] > reach[:-1] + GAP)
    origin = start[np.flatnonzero(apart)][np.cumsum(apart) - 1]
    part = (start - origin) // NEIGHBOURHOOD
    apart[1:] |= part[1:] != part[:-1]
    return np.split(rows, np.flatnonzero(apart)[1:])


def _read(track: Track, file: Any, contig: str, first: int, end: int) -> np.ndarray:
    try:
        return np.asarray(file.values(contig, first, end, numpy=True), np.float32)
    except RuntimeError:
        raise InputError(
            f"{track.place}: {contig}:{first}-{end} cannot be read; is the"
            " file damaged? Get it again"
        ) from None


def _complete(
    track: Track, contig: str, first: int, signal: np.ndarray, regions: Regions
) -> np.ndarray:
    """Check the regions and return the signal with ``missing`` where there are no data.

    Infinite values between the regions are replaced too, so that no sum over them warns.
    """
    infinite, empty = np.isinf(signal), np.isnan(signal)
    if infinite.any() and (found := _first_with(infinite, first, regions)):
        start, end, base = found
        raise InputError(
            f"{track.place}: infinite value at {contig}:{base} (0-based), in the region"
            f" {contig}:{start}-{end}; correct the file, or leave the region out"
        )
    if track.missing is None and empty.any() and (found := _first_with(empty, first, regions)):
        start, end, base = found
        raise InputError(
            f"{track.place}: no data at {contig}:{base} (0-based), in the region"
            f" {contig}:{start}-{end}; set missing (often to 0), or leave the region out"
        )
    fill = 0.0 if track.missing is None else track.missing
    return np.asarray(np.where(infinite | empty, np.float32(fill), signal), np.float32)


def _first_with(bad: np.ndarray, first: int, regions: Regions) -> tuple[int, int, int] | None:
    """Return start and end of the first region with a ``bad`` base, and that base."""
    before = np.append(0, np.cumsum(bad))
    holds = np.flatnonzero(before[regions.end - first] > before[regions.start - first])
    if not len(holds):
        return None
    start = int(regions.start[holds[0]])
    return start, int(regions.end[holds[0]]), start + int(np.argmax(bad[start - first :]))
