"""Tables of what CAVs have in common, and of what the layers of a model agree on."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd

from . import similarity

#: pairs of concepts whose CAVs are less alike are not listed
LISTED = 0.5
#: cosine between a concept's own CAVs from which on their noise can be corrected for
REPRODUCED = 0.3
PAIR_COLUMNS = [
    "model",
    "layer",
    "variant",
    "concept_1",
    "concept_2",
    "cosine",
    "corrected",
    "within_1",
    "within_2",
    "inseparable",
]
LAYER_COLUMNS = [
    "model",
    "target",
    "layer_1",
    "layer_2",
    "variant",
    *similarity.Consistency._fields,
]
Place = tuple[str, str]


def pair_table(matrices: Mapping[Place, pd.DataFrame], threshold: float) -> pd.DataFrame:
    """Return ``similarity.tsv``: pairs of concepts of one variant whose CAVs are alike.

    Args:
        matrices: by (model, layer): concept, variant, within, and the rows ``cosine`` and
            ``corrected`` of the matrices of all (concept, variant), see `similarity`.
        threshold: from which on a pair is ``inseparable``.
    """
    rows: list[dict[str, Any]] = []
    for (model, layer), table in matrices.items():
        for variant, index in table.groupby("variant", sort=False).indices.items():
            cosine, corrected = _square(table, "cosine", index), _square(table, "corrected", index)
            names, within = (table[name].to_numpy()[index] for name in ("concept", "within"))
            # CAVs that change with the control have too little in common to be corrected for it
            noisy = ~(np.minimum.outer(within, within) >= REPRODUCED)
            corrected = np.where(noisy, np.nan, corrected)
            known = np.where(noisy, cosine, corrected)
            same = set(similarity.inseparable(corrected, cosine, threshold))
            for i, j in np.argwhere(np.triu(np.abs(known) >= LISTED, 1)):
                rows.append(
                    {
                        **{"model": model, "layer": layer, "variant": variant},
                        **{"concept_1": names[i], "concept_2": names[j]},
                        **{"cosine": cosine[i, j], "corrected": corrected[i, j]},
                        **{"within_1": within[i], "within_2": within[j]},
                        "inseparable": (int(i), int(j)) in same,
                    }
                )
    return pd.DataFrame(rows, columns=PAIR_COLUMNS)


def _square(table: pd.DataFrame, name: str, index: np.ndarray) -> np.ndarray:
    matrix: np.ndarray = np.stack(list(table[name])).astype(float)
    return np.asarray(matrix[np.ix_(index, index)])


def layer_table(
    matrices: Mapping[Place, pd.DataFrame], scores: pd.DataFrame, statistic: str
) -> pd.DataFrame:
    """Return ``layers.tsv``: what the layers of a model agree on, by target and variant.

    Args:
        matrices: as for `pair_table`.
        scores: model, layer, target, concept, variant and the statistic.
        statistic: that is compared.
    """
    rows = []
    for (model, target, variant), group in scores.groupby(
        ["model", "target", "variant"], sort=False
    ):
        layers = {
            layer: _layer(matrices[model, layer], own, variant, statistic)
            for layer, own in group.groupby("layer", sort=False)
        }
        for first, second in combinations(layers, 2):
            found = similarity.layer_consistency(layers[first], layers[second])
            names = {"model": model, "target": target, "layer_1": first, "layer_2": second}
            rows.append({**names, "variant": variant, **found._asdict()})
    return pd.DataFrame(rows, columns=LAYER_COLUMNS)


def _layer(
    matrix: pd.DataFrame, scores: pd.DataFrame, variant: str, statistic: str
) -> similarity.Layer:
    index = np.flatnonzero(matrix["variant"] == variant)
    keys = matrix["concept"].to_numpy()[index].tolist()
    values = dict(zip(scores["concept"], scores[statistic], strict=True))
    effects = np.array([values.get(key, np.nan) for key in keys], float)
    return similarity.Layer(keys, effects, _square(matrix, "cosine", index))
