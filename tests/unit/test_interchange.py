"""What leaves the project means elsewhere what it means here."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from captum.concept import TCAV
from torch import nn

from tpcav_core.attributions import attribute
from tpcav_core.basis import embed, reconstruct
from tpcav_core.commands.vector_files import write_vectors
from tpcav_core.directions import unit
from tpcav_core.errors import InputError
from tpcav_core.interchange import (
    Cavs,
    Projection,
    captum_cavs,
    layer_directions,
    read_cavs,
    region_scores,
    score_anndata,
)
from tpcav_core.notebook import Basis, fit_basis

D = 12


def activations(n: int, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    mixing = rng.normal(size=(D, D))
    return (rng.normal(size=(n, D)) @ mixing + rng.normal(size=D)).astype(np.float32)


@pytest.fixture(scope="module", params=[0, 3, "full"])
def basis(request: pytest.FixtureRequest) -> Basis:
    return fit_basis(activations(60, 1), request.param)


def cavs_of(rng: np.random.Generator) -> Cavs:
    """Three CAVs, the first two of which are replicates of one variant."""
    table = pd.DataFrame({"concept": ["b", "b", "a"], "variant": ["4", "4", "4"]})
    return Cavs(table.assign(replicate=list("010")), rng.normal(size=(3, D)), np.eye(3, D))


def test_the_module_is_the_projection(basis: Basis) -> None:
    y = activations(9, 2)
    projection = Projection(basis)
    expected = embed(basis.scaling.apply(y), basis.components.vectors)
    found = projection(torch.from_numpy(y))
    np.testing.assert_allclose(found.numpy(), expected, rtol=1e-5, atol=1e-5)
    back = projection.inverse(found)
    np.testing.assert_allclose(back.numpy(), y, rtol=1e-4, atol=1e-4)
    z = reconstruct(found.numpy(), basis.components.vectors)
    np.testing.assert_allclose(z, basis.scaling.apply(y), atol=1e-5)
    # a layer with several axes is flattened
    shaped = projection(torch.from_numpy(y).reshape(9, 3, 4))
    torch.testing.assert_close(shaped, found)
    assert not list(projection.parameters())


def test_the_module_is_saved_and_loaded_as_any_other(basis: Basis) -> None:
    saved = Projection(basis).state_dict()
    width = basis.components.vectors.shape[1]
    other = fit_basis(activations(60, 7), width)
    again = Projection(other)
    again.load_state_dict(saved)
    y = torch.from_numpy(activations(4, 3))
    torch.testing.assert_close(again(y), Projection(basis)(y), rtol=0, atol=0)


def test_embeddings_of_a_cav_point_where_the_cav_points(basis: Basis) -> None:
    y = torch.from_numpy(activations(5, 4)).double().requires_grad_()
    w = np.random.default_rng(5).normal(size=(1, D))
    weights = torch.from_numpy(embed(w, basis.components.vectors.astype(float)))
    (Projection(basis).double()(y) @ weights.T).sum().backward()
    # e·e(w) = z·w, whose gradient in y is w/σ
    np.testing.assert_allclose(y.grad[0].numpy(), w[0] / basis.scaling.std, rtol=1e-4, atol=1e-6)


def test_a_step_along_the_layer_direction_is_a_step_along_the_cav(basis: Basis) -> None:
    w = np.random.default_rng(6).normal(size=(2, D))
    y = activations(2, 7)
    moved = basis.scaling.apply(y + layer_directions(w, basis.scaling).astype(np.float32))
    np.testing.assert_allclose(moved - basis.scaling.apply(y), w, rtol=1e-3, atol=1e-4)


def test_captum_gives_the_same_sign_fractions_and_derivatives(tmp_path: Path) -> None:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(8)
        body = nn.Sequential(nn.Conv1d(4, 3, 5, padding=2), nn.Tanh(), nn.AvgPool1d(5))
        network = nn.Sequential(body, nn.Flatten(), nn.Linear(D, 8), nn.GELU(), nn.Linear(8, 2))
        inputs, baselines = (3 * torch.randn(2, 40, 4, 20)).unbind()
        with torch.no_grad():
            # far from linear, so that no direction has one sign everywhere
            network[2].weight *= 8
            basis = fit_basis(body(3 * torch.randn(60, 4, 20)).flatten(1).numpy(), 3)
    found = attribute(network, "0", (inputs,), (baselines,), output=1, method="gradient")
    cavs = cavs_of(np.random.default_rng(9)).joined()
    derivative = region_scores(cavs, basis.targets(found))["derivative"]

    # of its own training, which is not used
    with pytest.warns(UserWarning, match="default classifier"):
        tcav = TCAV(network, "0", save_path=str(tmp_path / "captum"))
    ours = captum_cavs(list(cavs.table["concept"]), cavs.weights, basis.scaling, "0")
    tcav.cavs = ours.cavs
    theirs = tcav.interpret(inputs, ours.experimental_sets, target=1)
    assert list(theirs) == ["1-0", "2-0"]
    for row, key in zip(derivative, theirs, strict=True):
        scores = theirs[key]["0"]
        share = float((row > 0).mean())
        assert 0 < share < 1
        np.testing.assert_allclose(scores["sign_count"].numpy(), [share, 1 - share], atol=1e-6)
        np.testing.assert_allclose(
            scores["magnitude"].numpy(), [row.mean(), -row.mean()], rtol=1e-4, atol=1e-7
        )
    # nothing was trained, so nothing was written
    assert not list((tmp_path / "captum").rglob("*.pkl"))


def test_captum_needs_a_name_for_each_cav(basis: Basis) -> None:
    with pytest.raises(InputError, match="1 names for 3 CAVs; give one for each"):
        captum_cavs(["a"], np.zeros((3, D)), basis.scaling, "0")


def test_replicates_are_joined_in_order_of_their_variants() -> None:
    cavs = cavs_of(np.random.default_rng(10))
    joined = cavs.joined()
    assert joined.table.to_numpy().tolist() == [["b", "4", 2], ["a", "4", 1]]
    np.testing.assert_allclose(np.linalg.norm(joined.weights, axis=1), 1)
    np.testing.assert_allclose(joined.weights[0], unit(unit(cavs.weights[:2]).sum(axis=0)))
    np.testing.assert_allclose(joined.weights[1], unit(cavs.weights[2]))
    np.testing.assert_allclose(joined.mean_differences[0], np.eye(3, D)[:2].mean(axis=0))


def write(path: Path, concept: str) -> np.ndarray:
    weights = np.random.default_rng(len(concept)).normal(size=D)
    rows = [
        {"concept": concept, "variant": "4", "replicate": "0", "test_f1": 0.5, "weights": weights}
    ]
    rows = [{**row, "mean_difference": 2 * weights} for row in rows]
    write_vectors(rows, str(path), "cavs", {})
    return weights


def test_a_folder_of_cavs_is_read_without_its_nulls(tmp_path: Path) -> None:
    b, long = write(tmp_path / "b.parquet", "b"), write(tmp_path / "a.parquet", "long")
    write(tmp_path / "motifs.nulls-0000.parquet", "motif.null0000")
    cavs = read_cavs(tmp_path)
    assert cavs.table["concept"].tolist() == ["long", "b"]
    assert cavs.table["test_f1"].tolist() == [0.5, 0.5]
    np.testing.assert_allclose(cavs.weights, [long, b], rtol=1e-6)
    np.testing.assert_allclose(cavs.mean_differences, [2 * long, 2 * b], rtol=1e-6)
    one = read_cavs(tmp_path / "motifs.nulls-0000.parquet")
    assert one.table["concept"].tolist() == ["motif.null0000"]


def test_a_folder_without_cavs_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no CAVs .*; run the workflow first"):
        read_cavs(tmp_path)


def test_anndata_is_asked_for_where_it_is_needed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "anndata", None)
    with pytest.raises(InputError, match="pip install anndata"):
        score_anndata(tmp_path, "peaks")
