"""Random streams, each named by its purpose. Nothing in the package seeds anything globally."""

from __future__ import annotations

import hashlib

import numpy as np


def generator(seed: int, *purpose: str | int) -> np.random.Generator:
    """Return the random stream for one purpose.

    Args:
        seed: the seed of the configuration.
        purpose: what the numbers are for, most general first, for example
            ``("concepts", "CTCF", "backgrounds")``. Different purposes give independent streams;
            the same seed and purpose always give the same stream, in any order of jobs.
    """
    name = "\x1f".join(f"{type(part).__name__}:{part}" for part in purpose)
    digest = hashlib.sha256(name.encode()).digest()
    words = np.frombuffer(digest, dtype="<u4").tolist()
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence([seed, *words])))
