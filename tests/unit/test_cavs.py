from __future__ import annotations

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.svm import SVC

from tests.unit.cases import CASES, D, case, cosine, folds_of
from tpcav_core.basis import Scaling, embed, fit_components
from tpcav_core.cavs import fit_cav
from tpcav_core.classifiers import GRIDS, Classifier
from tpcav_core.coordinates import Dual, Primal
from tpcav_core.errors import InputError
from tpcav_core.scores import derivative, layer_targets, published_score
from tpcav_core.splits import TEST

#: classifiers that see inner products only, and the two ways to solve them
L2 = ["ridge", "svm", "logistic", "pattern"]
ROUTES = {"dual": lambda z: Dual(z @ z.T), "primal": Primal}
RIDGE = Classifier()
#: examples here are standardised already
PLAIN = Scaling(np.zeros(D, np.float32), np.ones(D, np.float32))


def cav_of(z, fit):
    """The CAV in standardised coordinates, whichever form it was found in."""
    return fit.direction.weights if fit.direction.dual is None else z.T @ fit.direction.dual


def fitted(name, classifier=RIDGE, route="dual"):
    z, is_concept, folds = case(name)
    return z, is_concept, folds, fit_cav(ROUTES[route](z), is_concept, folds, classifier)


def on_embeddings(kind, e, is_concept, penalty):
    """The weights of scikit-learn's own classifier on rows e."""
    if kind == "svm":
        machine = SVC(kernel="linear", C=penalty, class_weight="balanced", tol=1e-8)
        return machine.fit(e, is_concept).coef_[0]
    weight = np.where(is_concept, 0.5 / is_concept.mean(), 0.5 / (~is_concept).mean())
    if kind == "ridge":
        signs = np.where(is_concept, 1.0, -1.0)
        return Ridge(alpha=1 / penalty).fit(e, signs, sample_weight=weight).coef_
    if kind == "logistic":
        machine = LogisticRegression(C=penalty, class_weight="balanced", tol=1e-9, max_iter=10**5)
        return machine.fit(e, is_concept).coef_[0]
    return e[is_concept].mean(axis=0) - e[~is_concept].mean(axis=0)


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("kind", L2)
@pytest.mark.parametrize("route", ROUTES)
def test_the_cav_is_the_classifier_on_explicit_embeddings(name, kind, route):
    z, is_concept, folds, fit = fitted(name, Classifier(kind), route)
    training = folds != TEST
    for number in (0, 5, "full"):
        vectors = fit_components(z[training], PLAIN, number).vectors.astype(float)
        e = embed(z, vectors)
        expected = on_embeddings(kind, e[training], is_concept[training], fit.penalty)
        cav = embed(cav_of(z, fit)[None], vectors)[0]
        assert cosine(expected, cav) > 0.9999
        assert np.linalg.norm(cav) == pytest.approx(np.linalg.norm(expected), rel=1e-2)
        assert fit.norm == pytest.approx(np.linalg.norm(cav), rel=1e-4)


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("kind", L2)
def test_both_routes_choose_the_same_classifier(name, kind):
    z, is_concept, folds, dual = fitted(name, Classifier(kind))
    primal = fit_cav(Primal(z), is_concept, folds, Classifier(kind))
    assert primal.relative_penalty == dual.relative_penalty
    assert cosine(cav_of(z, primal), cav_of(z, dual)) > 0.9999
    scale = np.abs(dual.train_decision).max()
    for one, other in (
        (primal.train_decision, dual.train_decision),
        (primal.decision, dual.decision),
    ):
        np.testing.assert_allclose(one, other, atol=2e-2 * scale)


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("route", ROUTES)
def test_decisions_are_those_of_the_cav(name, route):
    z, _, folds, fit = fitted(name, route=route)
    decision = z @ cav_of(z, fit) + fit.intercept
    np.testing.assert_allclose(fit.train_decision, decision, atol=1e-7)
    np.testing.assert_allclose(fit.decision[folds == TEST], decision[folds == TEST], atol=1e-7)
    if route == "dual":
        assert (fit.direction.dual[folds == TEST] == 0).all()


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize(("kind", "norm"), list(GRIDS))
def test_the_cav_points_to_the_concept(name, kind, norm):
    if (kind, norm) == ("sgd", "l1"):
        pytest.skip("the published grid of this norm can leave no weight at all")
    if kind == "sgd" and name in ("tiny", "n < d"):
        pytest.skip("too few, see test_sgd_needs_more_examples")
    route = "primal" if norm == "l1" else "dual"
    z, is_concept, folds, fit = fitted(name, Classifier(kind, norm), route)
    cav = cav_of(z, fit)
    training = folds != TEST
    difference = z[training & is_concept].mean(axis=0) - z[training & ~is_concept].mean(axis=0)
    assert cav @ difference > 0
    assert fit.train_decision[is_concept].mean() > fit.train_decision[~is_concept].mean()


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("kind", L2)
def test_exchanging_the_classes_turns_the_cav_round(name, kind):
    z, is_concept, folds, fit = fitted(name, Classifier(kind))
    swapped = fit_cav(Dual(z @ z.T), ~is_concept, folds, Classifier(kind))
    cav = cav_of(z, fit)
    np.testing.assert_allclose(cav_of(z, swapped), -cav, atol=2e-3 * np.abs(cav).max())


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("kind", L2)
def test_the_order_of_rows_does_not_matter(name, kind):
    z, is_concept, folds, fit = fitted(name, Classifier(kind))
    order = np.random.default_rng(8).permutation(len(z))
    mixed = fit_cav(
        Dual((z @ z.T)[np.ix_(order, order)]), is_concept[order], folds[order], Classifier(kind)
    )
    assert mixed.relative_penalty == fit.relative_penalty
    assert cosine(cav_of(z[order], mixed), cav_of(z, fit)) > 0.99999
    scale = np.abs(fit.train_decision).max()
    np.testing.assert_allclose(mixed.train_decision, fit.train_decision[order], atol=5e-3 * scale)


def test_a_rotation_and_a_scale_of_the_space_change_nothing_but_the_length():
    z, is_concept, folds, fit = fitted("overlapping")
    rotation = np.linalg.qr(np.random.default_rng(4).normal(size=(D, D)))[0]
    turned = 7 * z @ rotation
    other = fit_cav(Dual(turned @ turned.T), is_concept, folds)
    assert other.relative_penalty == fit.relative_penalty
    assert cosine(cav_of(turned, other), cav_of(z, fit) @ rotation) > 0.9999
    np.testing.assert_allclose(other.decision, fit.decision, atol=1e-6)


@pytest.mark.parametrize("route", ROUTES)
def test_the_test_part_has_no_influence(route):
    z, is_concept, folds, fit = fitted("overlapping", route=route)
    changed = z.copy()
    changed[folds == TEST] = np.random.default_rng(2).normal(size=(int((folds == TEST).sum()), D))
    other = fit_cav(ROUTES[route](changed), is_concept, folds)
    np.testing.assert_allclose(cav_of(changed, other), cav_of(z, fit), atol=1e-9)
    assert other.intercept == pytest.approx(fit.intercept)
    np.testing.assert_allclose(
        other.decision[folds != TEST], fit.decision[folds != TEST], atol=1e-9
    )


@pytest.mark.parametrize(
    ("kind", "loss"),
    [
        ("ridge", lambda signs, decision: np.square(signs - decision).mean()),
        ("logistic", lambda signs, decision: np.logaddexp(0, -signs * decision).mean()),
        ("svm", lambda signs, decision: ((decision > 0) != (signs > 0)).mean()),
    ],
)
def test_the_penalty_is_the_best_out_of_fold(kind, loss):
    z, is_concept, folds, fit = fitted("overlapping", Classifier(kind))
    gram, training = z @ z.T, folds != TEST
    signs = np.where(is_concept, 1.0, -1.0)[training]
    losses = []
    for relative in GRIDS[kind, "l2"]:
        alone = fit_cav(Dual(gram), is_concept, folds, Classifier(kind, penalties=[relative]))
        losses.append(loss(signs, alone.decision[training]))
    assert len(set(losses)) > 1
    assert fit.relative_penalty == GRIDS[kind, "l2"][int(np.argmin(losses))]
    scale = np.diag(gram)[training].mean()
    assert fit.penalty == pytest.approx(fit.relative_penalty / scale, rel=1e-6)


def test_of_equally_good_penalties_the_strongest_is_taken():
    z, is_concept, folds = case("separable")
    fit = fit_cav(Dual(z @ z.T), is_concept, folds, Classifier("svm", penalties=[1e-2, 1.0, 10.0]))
    assert fit.relative_penalty == 1e-2


@pytest.mark.parametrize("kind", [*L2, "sgd"])
def test_the_classifier_finds_a_concept_and_none_between_two_random_sets(kind):
    _, is_concept, folds, fit = fitted("separable", Classifier(kind))
    test = folds == TEST
    assert ((fit.decision > 0) == is_concept)[test].mean() > (0.9 if kind == "sgd" else 0.999)
    z = np.random.default_rng(6).normal(size=(400, D))
    halves = np.arange(400) < 200
    both = np.concatenate([folds_of(200), folds_of(200)])
    null = fit_cav(Dual(z @ z.T), halves, both, Classifier(kind))
    assert abs(((null.decision > 0) == halves)[both == TEST].mean() - 0.5) < 0.2


@pytest.mark.parametrize("kind", [*L2, "sgd"])
@pytest.mark.parametrize("route", ROUTES)
def test_a_constant_set_gives_a_zero_cav_and_no_error(kind, route):
    z = np.zeros((64, 5))
    is_concept = np.arange(64) < 32
    folds = np.concatenate([folds_of(32), folds_of(32)])
    fit = fit_cav(ROUTES[route](z), is_concept, folds, Classifier(kind))
    assert np.isfinite(fit.decision).all()
    assert (cav_of(z, fit) == 0).all()


@pytest.mark.parametrize(
    ("n", "m", "part"),
    [(4, 40, "the test part has 1 concept and 10 control"), (40, 4, "1 control examples")],
)
def test_too_few_examples_are_an_error(n, m, part):
    z = np.random.default_rng(0).normal(size=(n + m, D))
    folds = np.concatenate([folds_of(n), folds_of(m)])
    with pytest.raises(InputError) as caught:
        fit_cav(Dual(z @ z.T), np.arange(n + m) < n, folds, name="CTCF")
    assert str(caught.value).startswith("concept 'CTCF': ")
    assert part in str(caught.value)
    assert "raise examples.per_concept or lower split.folds" in str(caught.value)


def test_sgd_needs_more_examples_because_it_stops_early():
    z, is_concept, folds = case("tiny")
    expected = (
        "8 examples .* classifier sgd .* needs 20; raise examples.per_concept or choose another"
    )
    with pytest.raises(InputError, match=expected):
        fit_cav(Primal(z), is_concept, folds, Classifier("sgd"), name="CTCF")


def test_a_fold_with_too_few_of_a_class_is_joined_with_a_neighbour():
    z, is_concept, folds = case("overlapping")
    for fold, neighbour in ((1, 2), (2, 1)):
        thinned = np.where(is_concept & (folds == fold), 0, folds)
        assert (is_concept & (thinned == fold)).sum() == 0
        joined = np.where(thinned == fold, neighbour, thinned)
        found, expected = (fit_cav(Dual(z @ z.T), is_concept, part) for part in (thinned, joined))
        assert found.folds == expected.folds == 2
        np.testing.assert_array_equal(found.direction.dual, expected.direction.dual)
        np.testing.assert_array_equal(found.decision, expected.decision)


def test_one_fold_that_is_left_is_too_few():
    z, is_concept, folds = case("overlapping")
    folds = np.where(is_concept & (folds > 0), 0, folds)
    with pytest.raises(InputError, match="at least 2 training folds are needed"):
        fit_cav(Dual(z @ z.T), is_concept, folds)


@pytest.mark.parametrize("present", [[TEST, 0], [0, 1, 2]])
def test_a_test_part_and_two_folds_are_needed(present):
    z, is_concept, _ = case("overlapping")
    with pytest.raises(InputError, match="a test part and at least 2 training folds are needed"):
        fit_cav(Dual(z @ z.T), is_concept, np.resize(present, 160))


def test_a_classifier_that_draws_gives_the_same_with_the_same_stream():
    z, is_concept, folds = case("overlapping")
    first, same, other = (
        fit_cav(Primal(z), is_concept, folds, Classifier("sgd"), rng=np.random.default_rng(seed))
        for seed in (1, 1, 2)
    )
    np.testing.assert_array_equal(first.direction.weights, same.direction.weights)
    assert (first.direction.weights != other.direction.weights).any()


@pytest.mark.parametrize("number", [0, 5, "full"])
@pytest.mark.parametrize("kind", L2)
def test_scores_are_those_of_the_classifier_on_explicit_embeddings(number, kind):
    z, is_concept, folds, fit = fitted("overlapping", Classifier(kind))
    vectors = fit_components(z[folds != TEST], PLAIN, number).vectors
    training = folds != TEST
    e = embed(z, vectors.astype(float))
    explicit = on_embeddings(kind, e[training], is_concept[training], fit.penalty)
    rng = np.random.default_rng(5)
    multipliers, there, baseline = rng.normal(size=(3, 300, D)).astype(np.float32)
    targets = layer_targets(multipliers, there, baseline, PLAIN, vectors)
    cav = cav_of(z, fit) / fit.norm
    # by hand, in embedding coordinates
    m_e = np.concatenate([multipliers @ vectors, multipliers], axis=1)
    explicit = explicit / np.linalg.norm(explicit)
    np.testing.assert_allclose(derivative(targets, cav[None])[:, 0], m_e @ explicit, atol=0.05)
    attributed = (m_e * np.abs(embed(there - baseline, vectors))) @ explicit
    (score,) = published_score(targets, cav[None])
    # none but those that are nearly 0 may be on another side
    assert abs(score.n_positive - (attributed > 0).sum()) <= (np.abs(attributed) < 0.3).sum() / 5
