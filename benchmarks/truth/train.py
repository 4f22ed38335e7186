"""Train the networks of a study, and say how near they come to the best possible predictor."""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

import numpy as np
import torch
from sklearn.metrics import roc_auc_score
from torch import nn

from benchmarks.truth.networks import NETWORKS
from benchmarks.truth.simulation import ROLES, SITES, WINDOW, Study, simulate
from tpcav_core.inputs import one_hot
from tpcav_core.planting import plant, sample_sites
from tpcav_core.seeds import generator

EPOCHS = {"cnn": 8, "transformer": 7}
RATE = {"cnn": 1e-2, "transformer": 4e-3}
WEIGHT_DECAY = 2e-2
BATCH = 64
#: windows that motifs are planted into to see whether the pair's interaction was learned
BACKGROUNDS = 1000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--work", type=Path, required=True, help="folder of the networks")
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3, 4, 5])
    parser.add_argument("--networks", nargs="+", default=[*NETWORKS], choices=[*NETWORKS])
    arguments = parser.parse_args()
    arguments.work.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(1)
    for seed in arguments.seeds:
        study = simulate(seed)
        for kind in arguments.networks:
            path = network_path(arguments.work, kind, seed)
            if path.exists():
                continue
            begin = time.perf_counter()
            model = train(study, kind)
            seconds = time.perf_counter() - begin
            torch.save(model.state_dict(), path)
            about = {"seed": seed, "network": kind, "seconds": seconds, **learned(study, model)}
            path.with_suffix(".json").write_text(json.dumps(about) + "\n")
            print({name: round(v, 3) if isinstance(v, float) else v for name, v in about.items()})


def network_path(work: Path, kind: str, seed: int) -> Path:
    return work / f"{kind}-{seed}.pt"


def load(work: Path, kind: str, seed: int) -> nn.Module:
    """Return a trained network, in eval mode."""
    model = NETWORKS[kind]()
    model.load_state_dict(torch.load(network_path(work, kind, seed), weights_only=True))
    return model.eval().requires_grad_(False)


def train(study: Study, kind: str) -> nn.Module:
    """Train a network on one strand of each window, another random one in each epoch."""
    rng = generator(study.seed, "truth", "training", kind)
    torch.manual_seed(study.seed)
    model = NETWORKS[kind]()
    _look_for_patterns(model.early[1])
    rows = np.flatnonzero(~study.test)
    codes = study.codes(rows)
    target = torch.from_numpy(study.labels[rows].astype(np.float32))
    steps = EPOCHS[kind] * -(-len(rows) // BATCH)
    optimizer = torch.optim.AdamW(model.parameters(), RATE[kind], weight_decay=WEIGHT_DECAY)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, RATE[kind], total_steps=steps)
    loss_of = nn.BCEWithLogitsLoss()
    for _ in range(EPOCHS[kind]):
        order = rng.permutation(len(rows))
        for first in range(0, len(rows), BATCH):
            chosen = order[first : first + BATCH]
            inputs = one_hot(codes[chosen])
            reverse = torch.from_numpy(rng.random(len(chosen)) < 0.5)
            inputs[reverse] = inputs[reverse].flip(1, 2)
            loss = loss_of(model(inputs), target[chosen])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
    return model.eval().requires_grad_(False)


def _look_for_patterns(stem: nn.Module) -> None:
    """Make the first layer's weights sum to 0 at each position: patterns, not composition."""
    assert isinstance(stem, nn.Conv2d)
    with torch.no_grad():
        stem.weight.copy_(4 * (stem.weight - stem.weight.mean(dim=1, keepdim=True)))


def predict(model: nn.Module, codes: np.ndarray) -> np.ndarray:
    """Return the logits (n, 2) of both labels."""
    with torch.no_grad():
        parts = [model(one_hot(codes[first : first + 256])) for first in range(0, len(codes), 256)]
    return torch.cat(parts).numpy()


def learned(study: Study, model: nn.Module) -> dict[str, float]:
    """Return AUROCs beside the best possible, and how the pair's motifs act alone and together.

    ``pair_a`` and ``pair_b`` are f(A) − f(0) and f(B) − f(0), ``pair_interaction`` is
    f(AB) − f(A) − f(B) + f(0); in the truth they are 0, 0 and the strength of the pair, as far as
    the backgrounds have neither. ``activators`` is the mean of f(activator) − f(0).
    """
    rows = np.flatnonzero(study.test)
    logits = predict(model, study.codes(rows))
    found = {}
    for head, best in enumerate(study.best_auroc()):
        found[f"auroc_{head}"] = float(roc_auc_score(study.labels[rows, head], logits[:, head]))
        found[f"best_{head}"] = best
    rng = generator(study.seed, "truth", "pair")
    backgrounds = study.codes(rng.choice(rows, BACKGROUNDS, replace=False))
    nothing = predict(model, backgrounds)[:, 0]

    def change(*numbers: int) -> float:
        planted = backgrounds
        for number in numbers:
            sites = sample_sites(study.motifs[number], BACKGROUNDS, SITES, WINDOW, rng)
            planted = plant(planted, sites)
        return float((predict(model, planted)[:, 0] - nothing).mean())

    a, b = (number for number, role in enumerate(ROLES) if role == "pair")
    alone = change(a), change(b)
    found |= {"pair_a": alone[0], "pair_b": alone[1]}
    found["pair_interaction"] = change(a, b) - sum(alone)
    activators = [number for number, role in enumerate(ROLES) if role == "activator"]
    return found | {"activators": float(np.mean([change(number) for number in activators]))}


if __name__ == "__main__":
    main()
