"""All that this project says of the networks of known truth, a table of rows per network."""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import torch
from torch import nn

from benchmarks.truth import concepts
from benchmarks.truth.concepts import EXAMPLES, REPLICATES, Pass
from benchmarks.truth.networks import LAYERS, NETWORKS
from benchmarks.truth.simulation import ROLES, WINDOW, Study, simulate
from benchmarks.truth.train import load
from tpcav_core.basis import Scaling, fit_components, fit_scaling, no_scaling
from tpcav_core.classifiers import Classifier
from tpcav_core.composition import gc_slope
from tpcav_core.concepts import head
from tpcav_core.explain import attribute_pairs
from tpcav_core.inputs import input_adapter
from tpcav_core.nulls import make_pool, shuffled_labels, train_nulls
from tpcav_core.randomised import randomise_weights
from tpcav_core.regions import Regions
from tpcav_core.scores import LayerTargets, layer_targets, score_concept, score_nulls
from tpcav_core.sources.null_motifs import NullMotif
from tpcav_core.starts import available_starts
from tpcav_core.targets import Pairs, pair_with_random
from tpcav_core.training import Control, Examples, set_control, train_variant

TARGETS = 200
#: permuted motifs of each motif, and the counts that are planted, by study
NULLS_PER_MOTIF = {"study": 5, "permuted weights": 5, "another seed": 0}
PLANTED = {"study": (4, 8), "permuted weights": (4,), "another seed": (4, 8)}
RANDOM_NULLS = 100
FRESH = 40
#: layers with more features are early ones: nulls there only in part, fewer modes
WIDE = 1000
CLASSIFIERS = ("svm", "logistic", "pattern")


class Place(NamedTuple):
    """A layer of a network, ready to train and score at.

    Attributes:
        scaling: of the layer.
        control: random windows, standardised.
        raw_control: the same windows, not standardised.
        targets: by mode: ``tpcav``, ``standardised``, ``plain``, and ``signed``, which has signed
            instead of absolute changes in PCA coordinates.
        per_gc: first-order effect per unit of GC content.
    """

    scaling: Scaling
    control: Control
    raw_control: Control | None
    targets: dict[str, LayerTargets]
    per_gc: float

    @property
    def wide(self) -> bool:
        """Whether there are too many features for everything."""
        return len(self.scaling.mean) > WIDE


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--work", type=Path, required=True, help="folder of the networks")
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3, 4, 5])
    parser.add_argument("--networks", nargs="+", default=[*NETWORKS], choices=[*NETWORKS])
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    for seed in arguments.seeds:
        study = simulate(seed)
        for kind in arguments.networks:
            path = arguments.work / f"{kind}-{seed}.parquet"
            if path.exists():
                continue
            begin = time.perf_counter()
            rows = evaluate(load(arguments.work, kind, seed), study)
            table = pd.DataFrame(rows).assign(network=kind, seed=seed, has_gc=study.has_gc)
            table.to_parquet(path)
            print(kind, seed, len(table), f"{time.perf_counter() - begin:.0f} s", flush=True)


def evaluate(model: nn.Module, study: Study) -> list[dict[str, Any]]:
    """Return a row per layer, concept or null, variant, and mode or classifier."""
    twin = type(model)()
    twin.load_state_dict(model.state_dict())
    randomise_weights(twin, study.seed)
    rows = list(run(model, study, study.seed, "study"))
    rows += run(model, study, study.seed + 1000, "another seed")
    rows += run(twin.eval().requires_grad_(False), study, study.seed, "permuted weights")
    return rows


def run(model: nn.Module, study: Study, seed: int, name: str) -> Iterator[dict[str, Any]]:
    """Yield the rows of a study with all its draws from a seed."""
    where = concepts.setting(study, seed)
    own = concepts.concepts(study, PLANTED[name])
    sets = concepts.controls(model, study, where, REPLICATES)
    samples = _samples(model, study, where, own, sets)
    chosen = pairs(study, seed)
    places = {layer: _place(model, study, layer, samples[layer], sets, chosen) for layer in LAYERS}
    if name != "study":
        del places["early"]
    for concept, variant, found, change in concepts.variants(
        model,
        study,
        where,
        [*own, *concepts.nulls(study, NULLS_PER_MOTIF[name], PLANTED[name])],
    ):
        about = _about(concept, study) | {"variant": variant, "study": name}
        about["planting_effect"] = float(change.mean())
        gc_change = found.gc.mean() - np.mean([one.gc.mean() for one in sets])
        for layer, place in places.items():
            if place.wide and isinstance(concept, NullMotif) and variant != "4":
                continue
            full = name == "study" and not isinstance(concept, NullMotif)
            for row in _scored(place, found.layers[layer], found.folds, about, full=full):
                row["beyond_gc"] = row["effect"] - gc_change * place.per_gc
                yield about | {"layer": layer} | row
    if name == "study":
        yield from _random(model, study, where, places, sets)


def _samples(
    model: nn.Module, study: Study, where: Any, own: list[Any], sets: list[Pass]
) -> dict[str, np.ndarray]:
    """Return activations of ten examples of each variant and control, as the workflow takes."""
    parts = [{layer: one.layers[layer][:10] for layer in LAYERS} for one in sets]
    for concept in own:
        for _, recipe in concept.recipes(where):
            parts.append(concepts.run(model, study, head(recipe, 10)).layers)
    return {layer: np.concatenate([part[layer] for part in parts]) for layer in LAYERS}


def pairs(study: Study, seed: int) -> Pairs:
    """Return test windows with label 1, and random windows as their baselines."""
    rows = np.flatnonzero(study.test & study.labels[:, 0])
    rows = np.sort(np.random.default_rng(seed).permutation(rows)[:TARGETS])
    start = study.start[rows].astype(np.int64)
    plus = np.ones(len(rows), np.int8)
    given = Regions(study.contig[rows].astype(np.int32), start, start + WINDOW, plus)
    starts, lost = available_starts(study.genome, WINDOW)
    return pair_with_random(given, starts, WINDOW, seed, "targets", lost=lost)


def _place(
    model: nn.Module, study: Study, layer: str, sample: np.ndarray, sets: list[Pass], pairs: Pairs
) -> Place:
    found, _ = attribute_pairs(model, layer, input_adapter("one_hot"), study.genome, pairs)
    scaling = fit_scaling(sample)
    components = fit_components(sample, scaling).vectors
    sides = (found.multipliers, found.activations, found.baseline_activations)
    plain = no_scaling(sample.shape[1])
    targets = {
        "tpcav": layer_targets(*sides, scaling, components),
        "standardised": layer_targets(*sides, scaling, components[:, :0]),
        "plain": layer_targets(*sides, plain, components[:, :0]),
    }
    change = (found.activations - found.baseline_activations) / scaling.std
    p = change @ components
    e = np.concatenate([p, change - p @ components.T], axis=1)
    m = targets["tpcav"].multipliers
    signed = np.concatenate([m @ components, m], axis=1) * e
    targets["signed"] = LayerTargets(m, signed, components)
    raw = _control(sets, layer, plain) if len(scaling.mean) <= WIDE else None
    z = [scaling.apply(one.layers[layer]) for one in sets]
    slope = gc_slope(z, np.concatenate([one.gc for one in sets]))
    per_gc = float("nan") if slope is None else float(m.mean(axis=0) @ slope)
    return Place(scaling, _control(sets, layer, scaling), raw, targets, per_gc)


def _control(sets: list[Pass], layer: str, scaling: Scaling) -> Control:
    parts = {
        str(number): Examples(scaling.apply(one.layers[layer]), one.folds)
        for number, one in enumerate(sets)
    }
    return set_control(parts)


def _scored(
    place: Place, activations: np.ndarray, folds: np.ndarray, about: dict[str, Any], *, full: bool
) -> Iterator[dict[str, Any]]:
    """Yield the scores of a variant; if ``full`` also by other modes and classifiers."""
    names = (about["concept"], about["variant"])
    examples = Examples(place.scaling.apply(activations), folds)
    cavs = train_variant(names, examples, place.control, seed=1)
    for mode in ("tpcav", "standardised", "signed") if full else ("tpcav",):
        yield {"classifier": "ridge", "mode": mode} | _scores(cavs, place.targets[mode])
    if not full:
        return
    for kind in CLASSIFIERS:
        if kind == "pattern" or not (place.wide or about["variant"] == "8"):
            cavs = train_variant(names, examples, place.control, Classifier(kind), seed=1)
            yield {"classifier": kind, "mode": "tpcav"} | _scores(cavs, place.targets["tpcav"])
    if place.raw_control is not None:
        cavs = train_variant(names, Examples(activations, folds), place.raw_control, seed=1)
        yield {"classifier": "ridge", "mode": "plain"} | _scores(cavs, place.targets["plain"])
        null = shuffled_labels(examples, place.control, seed=1, name=" ".join(names))
        row = {"kind": "shuffled", "classifier": "ridge", "mode": "tpcav"}
        yield row | _null_scores([null], place)[0]


def _scores(cavs: list[dict[str, Any]], targets: LayerTargets) -> dict[str, Any]:
    weights, means = (
        np.stack([row[name] for row in cavs]) for name in ("weights", "mean_difference")
    )
    fits = {name: float(np.mean([row[f"test_{name}"] for row in cavs])) for name in ("f1", "auroc")}
    fits["cav_cosine"] = cavs[0]["cav_cosine"]
    return fits | score_concept(weights, means, targets)


def _null_scores(found: list[dict[str, Any]], place: Place) -> list[dict[str, Any]]:
    weights, means = (
        np.stack([row[name] for row in found]) for name in ("weights", "mean_difference")
    )
    scores = score_nulls(weights, means, place.targets["tpcav"])
    return [
        {"f1": row["test_f1"], "auroc": row["test_auroc"]}
        | {name: float(values[index]) for name, values in scores.items()}
        for index, row in enumerate(found)
    ]


def _random(
    model: nn.Module, study: Study, where: Any, places: dict[str, Place], sets: list[Pass]
) -> Iterator[dict[str, Any]]:
    """Yield random nulls, and fresh random sets with their own controls, but for wide layers."""
    (more,) = concepts.controls(model, study, where, 1, "random.pool")
    narrow = {layer: place for layer, place in places.items() if not place.wide}
    shared = {"study": "study", "variant": "", "classifier": "ridge", "mode": "tpcav"}
    for layer, place in narrow.items():
        every = [*sets, more]
        z = np.concatenate([place.scaling.apply(one.layers[layer]) for one in every])
        pool = make_pool(z, np.concatenate([one.folds for one in every]), EXAMPLES)
        found = train_nulls(pool, range(RANDOM_NULLS), EXAMPLES, replicates=REPLICATES, seed=1)
        for number, row in enumerate(_null_scores(found, place)):
            name = {"concept": f"random{number}", "kind": "random", "layer": layer}
            yield shared | name | row
    for number, (own, others) in enumerate(concepts.random_sets(model, study, where, FRESH)):
        for layer, place in narrow.items():
            examples = Examples(place.scaling.apply(own.layers[layer]), own.folds)
            control = _control(others, layer, place.scaling)
            cavs = train_variant((f"fresh{number}", ""), examples, control, seed=1)
            name = {"concept": f"fresh{number}", "kind": "fresh", "layer": layer}
            yield shared | name | _scores(cavs, place.targets["tpcav"])


def _about(concept: Any, study: Study) -> dict[str, Any]:
    null = isinstance(concept, NullMotif)
    of = concept.of if null else concept.id
    number = [motif.label for motif in study.motifs].index(of)
    motif = study.motifs[number]
    return {
        "concept": concept.id,
        "kind": "permuted" if null else "concept",
        "of": of,
        "role": ROLES[number],
        "strength": float(study.strengths[number]),
        "motif_gc": float(motif.pwms[0][:, 1:3].sum(axis=1).mean()),
        "information_content": motif.information_content,
    }


if __name__ == "__main__":
    main()
