"""Motifs: position weight matrices, and the files they are read from."""

from __future__ import annotations

import math
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from .errors import InputError
from .text_files import open_text

#: rows of a MEME file may differ from 1 by this much, then they are divided by their sum
ROW_TOLERANCE = 1e-2

_KEY_VALUE = re.compile(r"(\w+)=\s*(\S+)")
_MATRIX = "letter-probability matrix"


@dataclass(frozen=True, eq=False)
class Motif:
    """What is planted: one PWM, or several of which each site uses one.

    Attributes:
        label: its name, any text.
        pwms: (w, 4) float64 each, the probabilities of A, C, G, T at each position; widths may
            differ. Copies are kept, which cannot be written to.

    Raises:
        InputError: if there is no PWM, a shape is another or a row does not sum to 1.
    """

    label: str
    pwms: tuple[np.ndarray, ...]

    def __post_init__(self) -> None:
        pwms = tuple(np.array(pwm, np.float64) for pwm in self.pwms)
        if not pwms:
            raise InputError(f"motif {self.label!r} has no PWM; expected at least one")
        for pwm in pwms:
            if pwm.ndim != 2 or pwm.shape[1] != 4 or not len(pwm):
                raise InputError(
                    f"motif {self.label!r}: a PWM has shape {pwm.shape}, expected (positions, 4)"
                )
            if not (np.abs(pwm.sum(axis=1) - 1) < 1e-6).all() or (pwm < 0).any():
                raise InputError(
                    f"motif {self.label!r}: a PWM has rows that are no probabilities; expected"
                    " numbers from 0 to 1 that sum to 1 at each position"
                )
            pwm.flags.writeable = False
        object.__setattr__(self, "pwms", pwms)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Motif) and self._content() == other._content()

    def __hash__(self) -> int:
        return hash(self._content())

    def _content(self) -> tuple[str, tuple[bytes, ...]]:
        return self.label, tuple(pwm.tobytes() for pwm in self.pwms)

    @property
    def length(self) -> int:
        """The width of the widest PWM, bp."""
        return max(len(pwm) for pwm in self.pwms)

    @property
    def information_content(self) -> float:
        """Relative entropy to uniform bases, summed over positions, in bits; mean of the PWMs."""
        return float(np.mean([_relative_entropy(pwm).sum() for pwm in self.pwms]))

    @property
    def information_content_gc(self) -> float:
        """The same with each position weighted by its probability of C or G."""
        weighted = [(_relative_entropy(pwm) * pwm[:, 1:3].sum(axis=1)).sum() for pwm in self.pwms]
        return float(np.mean(weighted))


def _relative_entropy(pwm: np.ndarray) -> np.ndarray:
    logarithms = np.log2(pwm, out=np.zeros_like(pwm), where=pwm > 0)
    entropy: np.ndarray = -(pwm * logarithms).sum(axis=1)
    return 2 - entropy


def read_meme(path: str | os.PathLike[str]) -> list[Motif]:
    """Read the motifs of a file in MEME minimal format, in its order.

    A motif's label is the first word after ``MOTIF``; an alternate name is left out. Rows are
    divided by their sum.

    Raises:
        InputError: names the file, and the line where there is one: no MEME file, no motifs,
            another alphabet than DNA, rows that do not sum to 1 or are too few or too many, or two
            motifs of one name.
    """
    # Not Bio.motifs: its reader rounds probabilities to whole counts of `nsites` (20: 0.68 becomes
    # 0.70) and drops what it cannot read without a word.
    lines = _text_lines(path, "a motif file in MEME format")
    if not any(line.startswith("MEME version") for line in lines):
        raise InputError(
            f"{path}: no line starts with 'MEME version'; expected a motif file in MEME format"
        )
    heads = [number for number, line in enumerate(lines) if line.split()[:1] == ["MOTIF"]]
    _check_alphabet(path, lines[: heads[0] if heads else None])
    if not heads:
        raise InputError(f"{path}: holds no motif; expected lines that start with 'MOTIF'")
    motifs = []
    first_line: dict[str, int] = {}
    for head, end in pairwise([*heads, len(lines)]):
        label = next(iter(lines[head].split()[1:]), "")
        if not label:
            raise InputError(f"{path}, line {head + 1}: a MOTIF without a name; give it one")
        if first_line.setdefault(label, head) != head:
            raise InputError(
                f"{path}, line {head + 1}: motif {label!r} is already on line"
                f" {first_line[label] + 1}; give them different names"
            )
        motifs.append(Motif(label, (_read_matrix(path, lines, head, end, label),)))
    return motifs


def _text_lines(path: str | os.PathLike[str], expected: str) -> list[str]:
    with open_text(path, expected) as file:
        return file.read().split("\n")


def _check_alphabet(path: str | os.PathLike[str], lines: Sequence[str]) -> None:
    for number, line in enumerate(lines, 1):
        if line.startswith("ALPHABET"):
            alphabet = line.removeprefix("ALPHABET").strip(" =\t\r")
            if alphabet != "ACGT":
                raise InputError(
                    f"{path}, line {number}: alphabet {alphabet!r}; only DNA motifs can be"
                    " planted, expected 'ALPHABET= ACGT'"
                )


def _read_matrix(
    path: str | os.PathLike[str], lines: Sequence[str], head: int, end: int, label: str
) -> np.ndarray:
    """Return the (w, 4) matrix of the motif on lines head … end - 1 (counted from 0)."""
    start = next((n for n in range(head, end) if lines[n].lstrip().startswith(_MATRIX)), None)
    if start is None:
        raise InputError(
            f"{path}, line {head + 1}: motif {label!r} has no '{_MATRIX}:'; expected one below it"
        )
    stated = dict(_KEY_VALUE.findall(lines[start]))
    if stated.get("alength", "4") != "4":
        raise InputError(
            f"{path}, line {start + 1}: motif {label!r} has alength= {stated['alength']}, expected"
            " 4; only DNA motifs can be planted"
        )
    start += 1
    while start < end and not lines[start].strip():
        start += 1
    rows = []
    for number in range(start, end):
        words = lines[number].split()
        if not words or not _is_number(words[0]):
            break
        rows.append(_read_row(f"{path}, line {number + 1}: motif {label!r}", words))
    width = stated.get("w", str(len(rows)))
    if not rows or width != str(len(rows)):
        raise InputError(
            f"{path}, line {start + len(rows) + 1}: the matrix of motif {label!r} has {len(rows)}"
            f" rows, expected {'w= ' + width if 'w' in stated else 'at least 1'}; correct the file"
        )
    matrix: np.ndarray = np.array(rows)
    matrix /= matrix.sum(axis=1, keepdims=True)
    return matrix


def _is_number(word: str) -> bool:
    try:
        float(word)
    except ValueError:
        return False
    return True


def _read_row(place: str, words: Sequence[str]) -> list[float]:
    if len(words) != 4 or not all(_is_number(word) for word in words):
        raise InputError(f"{place}: {' '.join(words)!r} is no row; expected 4 numbers, for A C G T")
    row = [float(word) for word in words]
    if not all(math.isfinite(value) and value >= 0 for value in row):
        raise InputError(f"{place}: {' '.join(words)!r} has entries that are no probabilities")
    if abs(sum(row) - 1) > ROW_TOLERANCE:
        raise InputError(
            f"{place}: the row sums to {sum(row):.4g}, expected 1; give probabilities, not counts"
        )
    return row


def read_consensus(path: str | os.PathLike[str]) -> list[Motif]:
    """Read consensus sequences: lines ``name<TAB>sequence`` in IUPAC letters.

    Lines of one name are alternatives of one motif. Each base that a letter allows is equally
    likely. Blank lines and lines that start with ``#`` are skipped.

    Raises:
        InputError: names the file and the line.
    """
    columns = _iupac_columns()
    alternatives: dict[str, list[np.ndarray]] = {}
    lines = _text_lines(path, "a table of consensus sequences")
    for number, line in enumerate(lines, 1):
        if not line.strip() or line.startswith("#"):
            continue
        fields = [field.strip() for field in line.split("\t")]
        if len(fields) != 2 or not all(fields):
            raise InputError(f"{path}, line {number}: {line!r}; expected name<TAB>sequence")
        name, sequence = fields
        for position, letter in enumerate(sequence.upper(), 1):
            if letter not in columns:
                raise InputError(
                    f"{path}, line {number}: letter {letter!r} at position {position} of"
                    f" {name!r}; expected IUPAC letters for DNA ({''.join(columns)})"
                )
        pwm = np.array([columns[letter] for letter in sequence.upper()])
        alternatives.setdefault(name, []).append(pwm)
    if not alternatives:
        raise InputError(f"{path}: holds no motif; expected lines name<TAB>sequence")
    return [Motif(name, tuple(pwms)) for name, pwms in alternatives.items()]


def _iupac_columns() -> dict[str, np.ndarray]:
    from Bio.Data.IUPACData import ambiguous_dna_values

    return {
        letter: np.array([(base in bases) / len(bases) for base in "ACGT"])
        for letter, bases in ambiguous_dna_values.items()
        if letter != "X"
    }
