"""Fresh examples that test the classifiers of both sides; imports nothing of either.

A folder holds base codes (n, window) uint8: ``control.npy``, and ``COUNT-MOTIF.npy`` for each
planted count and motif.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import torch

BATCH = 250
#: from base codes to the network's input; code 4 is all zeros
_ONE_HOT = np.eye(5, 4, dtype=np.float32)


def short(motif: str) -> str:
    """Return what a motif is called in file names: its accession."""
    return motif.split(":")[0].split(" ")[0]


def f1_scores(
    folder: Path,
    embed: Callable[[torch.Tensor], np.ndarray],
    classifiers: dict[str, tuple[np.ndarray, np.ndarray]],
) -> dict[str, list[float]]:
    """Return F1 of the concept by ``COUNT-MOTIF``, one value for each of its classifiers.

    Args:
        folder: the fresh examples.
        embed: from one-hot DNA (b, 4, window) to what the classifiers see, (b, e).
        classifiers: weights (c, e) and intercepts (c,), towards the concept.
    """
    weights = np.concatenate([w for w, _ in classifiers.values()]).T.astype(np.float32)
    control = np.concatenate([part @ weights for part in _embedded(folder / "control.npy", embed)])
    result, first = {}, 0
    for name, (w, b) in classifiers.items():
        own = np.concatenate([part @ w.T for part in _embedded(folder / f"{name}.npy", embed)]) + b
        other = control[:, first : first + len(w)] + b
        first += len(w)
        result[name] = f1(own, other).tolist()
    return result


def f1(own: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Return F1 (c,) of decisions (n, c) on the concept's examples and (m, c) on the control's."""
    true, false, missed = (own > 0).sum(0), (other > 0).sum(0), (own <= 0).sum(0)
    return np.asarray(2 * true / (2 * true + false + missed))


def one_hot(codes: np.ndarray, size: int = BATCH) -> Iterator[torch.Tensor]:
    """Yield base codes (n, window) uint8 as one-hot DNA (b, 4, window)."""
    for first in range(0, len(codes), size):
        part = _ONE_HOT[codes[first : first + size]].transpose(0, 2, 1)
        yield torch.from_numpy(np.ascontiguousarray(part))


def _embedded(path: Path, embed: Callable[[torch.Tensor], np.ndarray]) -> Iterator[np.ndarray]:
    return map(embed, one_hot(np.load(path)))
