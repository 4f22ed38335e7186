"""DeepLIFT by operations: multipliers at a layer of any network, from two passes and one gradient.

The baseline runs first, and what nonlinear operations get from the layer on is noted; then the
target runs, and each of them takes its rule (`rules`) from what its counterpart got. Operations are
seen as PyTorch calls, not as modules: functions, methods, operators, and modules that are used
several times are all alike. Where an operation has no rule its gradient is used, so completeness
has to be measured; `Multipliers.without_rule` names such operations and the modules they are in.

- `passes`: both passes, `multipliers`;
- `operations`, `normalisation`, `multihead`: which rule an operation takes;
- `rules`, `maxima`: the rules;
- `calls`: operations with their operands.
"""

from .calls import UnfitError
from .passes import Multipliers, multipliers

__all__ = ["Multipliers", "UnfitError", "multipliers"]
