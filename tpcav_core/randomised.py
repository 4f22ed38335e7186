"""A copy of a network that has learned nothing: what a method says of it, it says of chance.

The check of Adebayo et al. 2018 (arXiv 1810.03292), with weights permuted instead of drawn anew, so
that it needs no knowledge of how a network was initialised and activations keep their scale.
"""

from __future__ import annotations

import torch
from torch import nn


def randomise_weights(model: nn.Module, seed: int) -> None:
    """Permute, in place, the weights of every unit of a network among themselves.

    In every parameter of two or more dimensions the entries behind each index of the first one (of
    a convolution: of each filter) change places, each filter in its own way. What a unit adds up to
    stays, and so does roughly what biases and running statistics were made for; what it detects is
    gone. Parameters of one dimension (biases, scales) and buffers stay.

    Args:
        model: the network.
        seed: the same seed permutes in the same way.
    """
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for _, parameter in sorted(model.named_parameters()):
            if parameter.dim() < 2:
                continue
            rows = parameter.detach().reshape(len(parameter), -1)
            order = torch.rand(rows.shape, generator=generator).argsort(dim=1).to(rows.device)
            parameter.copy_(rows.gather(1, order).reshape(parameter.shape))
