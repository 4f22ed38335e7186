"""Training the network of the demo: the same seed gives the same weights, bit by bit."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch
from torch import nn

from ..inputs import one_hot
from ..seeds import generator
from .model import build

EPOCHS = 6
BATCH_SIZE = 64
LEARNING_RATE = 2e-2
WEIGHT_DECAY = 5e-2
#: fixed, since sums over another number of threads round differently
THREADS = 1


@contextmanager
def fixed_threads() -> Iterator[None]:
    """Compute with `THREADS` threads, and with as many as before afterwards."""
    before = torch.get_num_threads()
    torch.set_num_threads(THREADS)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def train(codes: np.ndarray, labels: np.ndarray, seed: int, epochs: int = EPOCHS) -> nn.Sequential:
    """Train the network on one strand of each window, another random one in each epoch.

    Args:
        codes: (n, 512) uint8.
        labels: (n,) bool.
        seed: seed of the demo.
        epochs: passes over the data.

    Returns:
        The network, in eval mode.
    """
    rng = generator(seed, "demo", "training")
    # modules draw weights when they are made; these are replaced, and nobody's numbers used up
    with torch.random.fork_rng(devices=[]):
        model = build()
    _initialise(model, rng)
    steps = epochs * -(-len(codes) // BATCH_SIZE)
    optimizer = torch.optim.AdamW(model.parameters(), LEARNING_RATE, weight_decay=WEIGHT_DECAY)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, LEARNING_RATE, total_steps=steps)
    loss_of = nn.BCEWithLogitsLoss()
    target = torch.from_numpy(labels.astype(np.float32))
    with fixed_threads():
        for _ in range(epochs):
            for rows in _batches(len(codes), rng):
                inputs = one_hot(codes[rows])
                reverse = torch.from_numpy(rng.random(len(rows)) < 0.5)
                inputs[reverse] = inputs[reverse].flip(1, 2)
                loss = loss_of(model(inputs).squeeze(1), target[rows])
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                schedule.step()
    return model.eval()


def _batches(n: int, rng: np.random.Generator) -> Iterator[np.ndarray]:
    order = rng.permutation(n)
    for start in range(0, n, BATCH_SIZE):
        yield order[start : start + BATCH_SIZE]


def _initialise(model: nn.Module, rng: np.random.Generator) -> None:
    """Draw the weights (He, uniform) from ``rng``, leaving the global generator alone.

    Those of the first layer sum to 0 at each position: it starts out looking for patterns, not for
    composition.
    """
    first = True
    for module in model.modules():
        if isinstance(module, nn.Conv1d | nn.Linear):
            shape = tuple(module.weight.shape)
            bound = np.sqrt(6 / np.prod(shape[1:]))
            weights = rng.uniform(-bound, bound, shape)
            if first:
                weights = 2 * (weights - weights.mean(axis=1, keepdims=True))
                first = False
            with torch.no_grad():
                module.weight.copy_(torch.from_numpy(weights))
                if module.bias is not None:
                    module.bias.zero_()


def predict(model: nn.Module, codes: np.ndarray) -> np.ndarray:
    """Return (n,) float32 logits of (n, 512) uint8 codes."""
    with fixed_threads(), torch.no_grad():
        parts = [model(one_hot(codes[row : row + 512])) for row in range(0, len(codes), 512)]
    return torch.cat(parts).squeeze(1).numpy()
