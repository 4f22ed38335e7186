"""Numbers of the published package (0.12.1), made by benchmarks/published/reference.py."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from benchmarks.reference_network import LAYER, build
from tpcav_core.attributions import attribute
from tpcav_core.basis import Scaling
from tpcav_core.inputs import one_hot
from tpcav_core.scores import layer_targets

FILE = Path(__file__).parents[1] / "reference" / "attributions.npz"


@pytest.fixture(scope="module")
def reference():
    with np.load(FILE, allow_pickle=False) as file:
        return dict(file)


def test_attributions_are_those_of_the_published_package(reference):
    assert str(reference["version"]) == "0.12.1"
    model = build()
    weights = {
        name.removeprefix("weights/"): torch.from_numpy(value)
        for name, value in reference.items()
        if name.startswith("weights/")
    }
    model.load_state_dict(weights)
    model.eval().requires_grad_(False)
    sides = ((one_hot(reference[side]),) for side in ("targets", "baselines"))
    found = attribute(model, LAYER, *sides, method="deeplift")
    assert found.relative_error() < 1e-5
    scaling = Scaling(reference["mean"], reference["std"])
    ours = layer_targets(*found[:3], scaling, reference["components"]).attributions
    theirs = reference["attributions"]
    assert ours.shape == theirs.shape == (12, 9 + 6 * 34)
    np.testing.assert_allclose(ours, theirs, atol=1e-5 * np.abs(theirs).max())
