"""Which figures there are, by their names: known before anything has run."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple

#: kinds of figures with what they show
TITLES = {
    "encoded-and-used": "Encoded against used",
    "effects": "Verdicts with intervals",
    "nulls": "Nulls and observed values",
    "motif-sensitivity": "Motif sensitivity",
    "similarity": "Similarity of CAVs",
    "comparison": "Layers and models compared",
}
#: those of each model, layer and target
_OF_TARGET = ("encoded-and-used", "effects", "nulls")
FORMATS = ("svg", "pdf")


class FigureName(NamedTuple):
    """One figure.

    Attributes:
        kind: one of `TITLES`.
        model: empty for a figure of the whole study, as are the others.
        layer: of the model.
        target: empty for a figure of a whole layer.
    """

    kind: str
    model: str = ""
    layer: str = ""
    target: str = ""

    @property
    def stem(self) -> str:
        """Its place below the folder of figures, without the ending."""
        folder = "/".join(part for part in (self.model, self.layer) if part)
        name = f"{self.target}.{self.kind}" if self.target else self.kind
        return f"{folder}/{name}" if folder else name


def figure_names(
    places: Mapping[tuple[str, str], Sequence[str]], planted: Collection[tuple[str, str]]
) -> list[FigureName]:
    """Return the figures of a study.

    Args:
        places: the targets of each (model, layer).
        planted: those (model, layer) at which motifs are interpreted.
    """
    found = []
    for (model, layer), targets in places.items():
        found += [
            FigureName(kind, model, layer, target) for target in targets for kind in _OF_TARGET
        ]
        if (model, layer) in planted:
            found.append(FigureName("motif-sensitivity", model, layer))
        found.append(FigureName("similarity", model, layer))
    if sum(len(targets) for targets in places.values()) > 1:
        found.append(FigureName("comparison"))
    return found
