"""How readily a layer tells a motif: F1 over planted copies, and what a line leaves of its area.

F1 rises with the information content of a motif, since a specific motif is easier to tell from a
background. What a layer knows beyond that is the *sensitivity*: the residual of the area under F1
after a least-squares line on the information content, over the motifs of a layer that were planted
equally often: areas over other counts do not compare.

Intervals are those of a bootstrap of the test examples (`metrics.metric_draws`): everything is
computed again from each draw, the line included. The classifiers are given, as are the motifs.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from .bootstrap import interval

SENSITIVITY_COLUMNS = [
    "model",
    "layer",
    "concept",
    "label",
    "f1_auc",
    "information_content",
    "information_content_gc",
    "motif_length",
    "sensitivity",
    "f1_auc_low",
    "f1_auc_high",
    "sensitivity_low",
    "sensitivity_high",
    "expected",
    "line_slope",
    "line_intercept",
    "copies",
]
POINT_COLUMNS = [
    "model",
    "layer",
    "concept",
    "label",
    "variant",
    "copies",
    "f1",
    "f1_low",
    "f1_high",
]
_KEYS = ["model", "layer", "concept"]
_FACTS = ["label", "information_content", "information_content_gc", "motif_length"]
#: information contents that differ by less, relative to the largest, differ by rounding only
_ROUNDING = 1e-9


def sensitivity_table(cavs: pd.DataFrame, catalogue: pd.DataFrame) -> pd.DataFrame:
    """Return ``motif_sensitivity.tsv``, a row per (model, layer, concept), with 95 % intervals.

    ``f1_auc`` is the area under F1 over planted copies (trapezoid) divided by the range of copies;
    with one count, its F1. ``expected`` is the value there of the line ``line_slope`` ·
    information_content_gc + ``line_intercept``, fitted to the concepts of a (model, layer) with the
    same ``copies``, and ``sensitivity`` = f1_auc − expected. There is no line for fewer than three
    of them or where their information contents are equal: then these are NaN.

    Args:
        cavs: one row per (model, layer, concept, variant, replicate): ``test_f1`` and
            ``f1_draws`` (b,), draws of the same number paired over all that share examples.
        catalogue: one row per concept: label, information_content, information_content_gc (bits),
            motif_length (bp); concepts without a motif are left out.
    """
    points, f1 = _points(cavs, catalogue)
    groups = points.groupby(_KEYS, sort=False)
    table = groups[_FACTS].first().reset_index()
    table["copies"] = [_counts(copies) for _, copies in groups["copies"]]
    areas = np.empty((len(table), f1.shape[1]))
    for area, (_, group) in zip(areas, groups, strict=True):
        area[:] = area_over_counts(group["copies"].to_numpy(), f1[group.index])
    content = table["information_content_gc"].to_numpy(float)
    left = np.empty_like(areas)
    line = np.empty((len(table), 2))
    for rows in table.groupby([*_KEYS[:2], "copies"]).indices.values():
        left[rows] = residual(content[rows], areas[rows])
        line[rows] = regression_line(content[rows], areas[rows, 0])
    table["line_slope"], table["line_intercept"] = line.T
    table["expected"] = table["line_slope"] * content + table["line_intercept"]
    for name, values in (("f1_auc", areas), ("sensitivity", left)):
        table[name] = values[:, 0]
        table[f"{name}_low"], table[f"{name}_high"] = _ends(values)
    return table[SENSITIVITY_COLUMNS]


def _counts(copies: pd.Series) -> str:
    return ",".join(f"{number:g}" for number in sorted(copies))


def points_table(cavs: pd.DataFrame, catalogue: pd.DataFrame) -> pd.DataFrame:
    """Return the curves of F1 over planted copies, a row per (model, layer, concept, variant).

    ``f1`` is the mean over control replicates, ``f1_low`` and ``f1_high`` its 95 % interval.

    Args:
        cavs: as for `sensitivity_table`.
        catalogue: as for `sensitivity_table`.
    """
    points, f1 = _points(cavs, catalogue)
    points["f1"] = f1[:, 0]
    points["f1_low"], points["f1_high"] = _ends(f1)
    return points[POINT_COLUMNS]


def _points(cavs: pd.DataFrame, catalogue: pd.DataFrame) -> tuple[pd.DataFrame, np.ndarray]:
    """Return variants of motifs, p rows, and their F1, its value and then its draws (p, 1 + b).

    Both are averaged over replicates, draw by draw: replicates share the concept's examples, so
    the mean of the ends of their intervals would be right for those but too wide for the control's.
    """
    motifs = catalogue.loc[catalogue["motif_length"].notna(), ["concept", *_FACTS]]
    chosen = cavs[cavs["concept"].isin(motifs["concept"])]
    groups = chosen.groupby([*_KEYS, "variant"], sort=False)
    draws = np.stack(list(chosen["f1_draws"])) if len(chosen) else np.empty((0, 1))
    f1 = pd.DataFrame(np.column_stack([chosen["test_f1"], draws]))
    f1 = f1.groupby(groups.ngroup().to_numpy()).mean()
    points = groups.size().index.to_frame(index=False)
    points["copies"] = pd.to_numeric(points["variant"])
    points = points.merge(motifs, on="concept", how="left", validate="many_to_one")
    return points, f1.to_numpy()


def area_over_counts(counts: np.ndarray, f1: np.ndarray) -> np.ndarray:
    """Return the trapezoidal mean (...) of ``f1`` (v, ...) over ``counts`` (v,), in any order."""
    order = np.argsort(counts)
    x, y = np.asarray(counts)[order], np.asarray(f1)[order]
    if len(x) == 1:
        return np.asarray(y[0])
    return np.asarray(np.trapezoid(y, x, axis=0) / (x[-1] - x[0]))


def regression_line(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return slope and intercept (...) of the least-squares line of ``y`` (c, ...) on ``x`` (c,).

    NaN for fewer than three points, which a line always fits, or where x is the same in all.
    """
    if len(x) < 3 or np.ptp(x) <= _ROUNDING * np.abs(x).max():
        none = np.full(y.shape[1:], np.nan)
        return none, none
    centred = x - x.mean()
    slope = np.asarray(centred @ y / (centred @ centred))
    return slope, y.mean(axis=0) - slope * x.mean()


def residual(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Return what lines on ``x`` (c,) leave of ``y`` (c, ...), its own line for each column."""
    slope, intercept = regression_line(x, y)
    return np.asarray(y - (np.multiply.outer(x, slope) + intercept))


def _ends(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the ends (p,) of the intervals of ``values`` (p, 1 + b), the value and its draws."""
    low, high = interval(values[:, 1:])
    # draws are rounded to float32: where all are equal the value could be just outside
    return np.minimum(low, values[:, 0]), np.maximum(high, values[:, 0])
