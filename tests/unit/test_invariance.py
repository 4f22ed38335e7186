"""No statistic may depend on what is arbitrary: signs, rotations and the number of components."""

from __future__ import annotations

import numpy as np
import pytest

from tpcav_core.basis import Scaling, fit_components, fit_scaling
from tpcav_core.directions import consensus
from tpcav_core.scores import layer_targets, resampling, score_concept, score_nulls

N, D, K, REPLICATES = 40, 14, 6, 3
#: unchanged by any rotation of the basis and by the number of components
FREE = [
    "n_regions",
    "tcav_fraction",
    *(
        f"{name}{end}"
        for name in ("derivative", "effect")
        for end in ("", "_low", "_high", "_sign_agreement")
    ),
]
PUBLISHED = ["n_positive", "n_negative", "fraction_positive", "log_ratio", "published_mean"]


def turned(size, seed):
    """A random rotation."""
    return np.linalg.qr(np.random.default_rng(seed).normal(size=(size, size)))[0]


def basis(k=K, seed=0):
    return turned(D, seed)[:, :k]


class Study:
    """Attributions of N regions at a layer, the CAVs of a concept and of nulls."""

    def __init__(self, seed=0):
        rng = np.random.default_rng(seed)
        self.multipliers = rng.normal(size=(N, D)) + rng.normal(size=D) / 2
        self.activations = rng.normal(size=(N, D)) + 1
        self.baselines = rng.normal(size=(N, D))
        self.scaling = Scaling(rng.normal(size=D), rng.uniform(0.5, 3, D))
        direction = rng.normal(size=D)
        self.cavs = direction + rng.normal(size=(REPLICATES, D))
        self.differences = direction + rng.normal(size=(REPLICATES, D))
        self.nulls = [consensus(rng.normal(size=(REPLICATES, D))) for _ in range(5)]
        self.null_differences = rng.normal(size=(5, D))

    def targets(self, components):
        return layer_targets(
            self.multipliers, self.activations, self.baselines, self.scaling, components
        )

    def concept(self, components):
        again = resampling(N, 1, "t")
        return score_concept(self.cavs, self.differences, self.targets(components), again)

    def null_scores(self, components):
        return score_nulls(np.stack(self.nulls), self.null_differences, self.targets(components))


STUDIES = [Study(seed) for seed in range(4)]


def equal(left, right, names):
    for name in names:
        if name in left:
            np.testing.assert_allclose(left[name], right[name], rtol=1e-9, atol=1e-12)


def test_every_number_is_in_one_of_the_two_lists():
    assert set(STUDIES[0].concept(basis())) == {*FREE, *PUBLISHED}
    assert set(STUDIES[0].null_scores(basis())) < {*FREE, *PUBLISHED}


@pytest.mark.parametrize("study", STUDIES)
@pytest.mark.parametrize("seed", range(4))
def test_signs_of_components_change_nothing(study, seed):
    flips = np.random.default_rng(seed).choice([-1.0, 1.0], K)
    flips[seed] = -1
    for scores in (study.concept, study.null_scores):
        equal(scores(basis()), scores(basis() * flips), [*FREE, *PUBLISHED])


@pytest.mark.parametrize("study", STUDIES)
def test_the_order_of_components_changes_nothing(study):
    for scores in (study.concept, study.null_scores):
        equal(scores(basis()), scores(basis()[:, ::-1]), [*FREE, *PUBLISHED])


@pytest.mark.parametrize("study", STUDIES)
@pytest.mark.parametrize("seed", range(3))
def test_a_rotation_among_components_changes_the_published_score_only(study, seed):
    for scores in (study.concept, study.null_scores):
        found, other = scores(basis()), scores(basis() @ turned(K, seed))
        equal(found, other, FREE)
        # the check can tell: what is not invariant is seen to change
        assert not np.allclose(found["published_mean"], other["published_mean"], rtol=1e-3)


@pytest.mark.parametrize("study", STUDIES)
@pytest.mark.parametrize("k", [0, 1, K - 1, D - 1, D])
def test_the_number_of_components_changes_the_published_score_only(study, k):
    for scores in (study.concept, study.null_scores):
        found, other = scores(basis()), scores(basis(k))
        equal(found, other, FREE)
        assert not np.allclose(found["published_mean"], other["published_mean"], rtol=1e-3)


@pytest.mark.parametrize("study", STUDIES)
def test_another_basis_altogether_changes_the_published_score_only(study):
    for scores in (study.concept, study.null_scores):
        found, other = scores(basis()), scores(basis(K, seed=5))
        equal(found, other, FREE)
        assert not np.allclose(found["published_mean"], other["published_mean"], rtol=1e-3)


def test_some_published_fraction_changes_too():
    fractions = [
        [study.concept(components)["fraction_positive"] for study in STUDIES]
        for components in (basis(), basis() @ turned(K, 0), basis(0))
    ]
    assert fractions[0] != fractions[1]
    assert fractions[0] != fractions[2]


@pytest.mark.parametrize("number", [0, 2, "full"])
def test_components_of_another_sample_change_the_published_score_only(number):
    """Components as they are fitted, float32: the sample of the basis is one of many."""
    study = STUDIES[0]
    samples = [
        np.random.default_rng(seed).normal(size=(9, D)).astype(np.float32) for seed in (1, 2)
    ]
    rows = [
        study.concept(fit_components(sample, fit_scaling(sample), number).vectors)
        for sample in samples
    ]
    for name in FREE:
        assert rows[0][name] == pytest.approx(rows[1][name], rel=1e-6)
    changed = rows[0]["published_mean"] != pytest.approx(rows[1]["published_mean"], rel=1e-3)
    assert changed == (number != 0)


@pytest.mark.parametrize("study", STUDIES)
def test_units_and_the_order_of_features_change_nothing(study):
    """A layer whose features are in other units, or in another order, is the same layer."""
    rng = np.random.default_rng(6)
    units, order = rng.uniform(0.1, 10, D), rng.permutation(D)
    expected = study.concept(basis())
    other = Study.__new__(Study)
    other.multipliers = (study.multipliers / units)[:, order]
    other.activations, other.baselines = (
        (part * units)[:, order] for part in (study.activations, study.baselines)
    )
    other.scaling = Scaling(*((part * units)[order] for part in study.scaling))
    other.cavs, other.differences = study.cavs[:, order], study.differences[:, order]
    equal(expected, other.concept(basis()[order]), [*FREE, *PUBLISHED])


@pytest.mark.parametrize("study", STUDIES)
def test_the_order_of_regions_does_not_change_values(study):
    order = np.random.default_rng(7).permutation(N)
    other = Study.__new__(Study)
    for name in ("multipliers", "activations", "baselines"):
        setattr(other, name, getattr(study, name)[order])
    for name in ("scaling", "cavs", "differences"):
        setattr(other, name, getattr(study, name))
    found, expected = other.concept(basis()), study.concept(basis())
    values = [name for name in [*FREE, *PUBLISHED] if not name.endswith(("_low", "_high"))]
    equal(found, expected, values)
