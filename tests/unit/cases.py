"""Sets of examples on which every classifier has to behave."""

from __future__ import annotations

import numpy as np

from tpcav_core.splits import TEST

D = 40


def folds_of(n):
    """A quarter tests, three training folds; every fold has rows of both classes."""
    return np.resize([TEST, 0, 1, 2], n)


def separable(rng, n, m):
    shift = np.zeros(D)
    shift[:5] = 3.0
    return np.concatenate([rng.normal(size=(n, D)) + shift, rng.normal(size=(m, D))])


def overlapping(rng, n, m):
    shift = np.zeros(D)
    shift[:5] = 0.5
    return np.concatenate([rng.normal(size=(n, D)) + shift, rng.normal(size=(m, D))])


def constant_features(rng, n, m):
    z = overlapping(rng, n, m)
    z[:, 10:30] = 0.0
    z[:, 35] = 2.0
    return z


def duplicated(rng, n, m):
    half = -(-n // 4)
    z = overlapping(rng, half, -(-m // 4))
    return np.concatenate([np.repeat(z[:half], 4, 0)[:n], np.repeat(z[half:], 4, 0)[:m]])


CASES = {
    "separable": (separable, 80, 80),
    "overlapping": (overlapping, 80, 80),
    "unbalanced": (overlapping, 40, 160),
    "other way": (overlapping, 160, 40),
    "constant features": (constant_features, 80, 80),
    "tiny": (separable, 8, 8),
    "duplicated": (duplicated, 80, 80),
    "n < d": (overlapping, 16, 16),
}


def case(name, seed=0):
    """Return rows (n, D), which are the concept's, and their folds."""
    make, n, m = CASES[name]
    z = make(np.random.default_rng(seed), n, m).astype(np.float32).astype(float)
    is_concept = np.arange(n + m) < n
    return z, is_concept, np.concatenate([folds_of(n), folds_of(m)])


def cosine(left, right):
    return float(left @ right / np.linalg.norm(left) / np.linalg.norm(right))
