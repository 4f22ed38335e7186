"""The same code on a GPU: run where there is one."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from tests.unit.test_deeplift import BASELINES, TARGETS, build
from tpcav_core.attributions import attribute
from tpcav_core.devices import full_float32
from tpcav_core.layers import layer_output
from tpcav_core.out_of_memory import Halving

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device"),
]


@pytest.fixture(autouse=True)
def exact():
    """As after `load_model`."""
    full_float32()


@pytest.mark.parametrize("method", ["deeplift", "integrated_gradients", "gradient"])
@pytest.mark.parametrize("name", ["transformer", "state space", "max pool", "gated", "reused"])
def test_attributions_agree_with_the_cpu(name, method):
    model = build(name)
    here = attribute(model, "conv", TARGETS, BASELINES, method=method)
    x, b = ((side[0].cuda(),) for side in (TARGETS, BASELINES))
    there = attribute(model.cuda(), "conv", x, b, method=method)
    for field, left, right in zip(here._fields[:5], here, there, strict=False):
        scale = np.abs(left).max()
        np.testing.assert_allclose(right / scale, left / scale, atol=1e-4, err_msg=field)


def test_activations_agree_with_the_cpu():
    model = build("transformer")
    here = layer_output(model, "middle", TARGETS)
    there = layer_output(model.cuda(), "middle", (TARGETS[0].cuda(),)).cpu()
    torch.testing.assert_close(there, here, atol=1e-4, rtol=1e-4)


def test_a_batch_larger_than_the_memory_goes_in_parts():
    free, _ = torch.cuda.mem_get_info()
    rows = 64
    wide = int(free / 4 / rows * 1.5)  # one and a half times the memory in one go

    def function(x):
        return x.repeat(1, wide).sum(dim=1)

    halving = Halving()
    found = torch.cat(list(halving.run(function, (torch.ones(rows, 1, device="cuda"),))))
    assert (found == wide).all()
    assert halving.most is not None
