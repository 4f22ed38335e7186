"""Tables as small JSON, and JSON that is safe inside a page."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

#: significant digits of a number in the page; tables have them all
DIGITS = 4
#: what would end a script element or start markup in one, and line ends of old JavaScript
_ESCAPES = {ord(mark): f"\\u{ord(mark):04x}" for mark in "<>&\u2028\u2029"}


def to_json(content: Any) -> str:
    """Return content as JSON that can be put into a script element, whatever its strings say."""
    text = json.dumps(content, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return text.translate(_ESCAPES)


def rounded(value: float) -> float | int | None:
    """Return a number with few digits; None if it is none."""
    if not np.isfinite(value):
        return None
    short = float(f"{value:.{DIGITS}g}")
    return int(short) if short.is_integer() and abs(short) < 1e15 else short


def columns(frame: pd.DataFrame, names: Sequence[str]) -> dict[str, Any]:
    """Return columns by name as lists; those that are missing have None in each row.

    Text that repeats is stored once: ``{"levels": [...], "codes": [...]}``, -1 for none.
    """
    return {name: _column(frame[name]) if name in frame else [None] * len(frame) for name in names}


def _column(values: pd.Series) -> Any:
    if pd.api.types.is_bool_dtype(values) and not values.isna().any():
        return [bool(value) for value in values]
    if pd.api.types.is_numeric_dtype(values):
        return [rounded(value) for value in values.to_numpy(float, na_value=np.nan)]
    codes, levels = pd.factorize(values)
    if len(levels) and all(isinstance(level, bool | np.bool_) for level in levels):
        return [None if code < 0 else bool(levels[code]) for code in codes]
    texts = [str(level) for level in levels]
    if len(texts) <= len(values) / 2:
        return {"levels": texts, "codes": codes.tolist()}
    return [None if code < 0 else texts[code] for code in codes]
