from __future__ import annotations

import pytest
import torch

from tpcav_core.errors import InputError
from tpcav_core.out_of_memory import Halving


def limited(most, sizes):
    """A function for which more than ``most`` rows are too many."""

    def function(x, y):
        sizes.append(len(x[0]))
        if len(x[0]) > most:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return x[0] + y[0]

    return function


@pytest.mark.parametrize("most", [1, 3, 4, 11, 100])
def test_a_batch_that_does_not_fit_goes_in_parts(most):
    sizes, halving = [], Halving()
    x, y = torch.arange(11), torch.arange(11) * 10
    for _ in range(2):
        found = torch.cat(list(halving.run(limited(most, sizes), (x,), (y,))))
        assert torch.equal(found, x + y)
    tried = [size for size in sizes if size > most]
    # what did not fit once is not tried again
    assert len(tried) == len(set(tried))
    assert (halving.most is None) == (most >= 11)


def test_one_row_that_does_not_fit_is_one_line():
    with pytest.raises(InputError, match="one example at a time; take a GPU with more memory"):
        list(Halving().run(limited(0, []), (torch.arange(4),), (torch.arange(4),)))
