"""The one exception users are meant to see, and the "did you mean" helper that goes with it."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class InputError(ValueError):
    """Something the user gave is not usable.

    The message is one line: what was found, what was expected and what to do. The command line
    prints it without a traceback and exits with status 2.
    """


def suggest(name: str, options: Iterable[str]) -> str:
    """Return ``"; did you mean 'x'?"`` for the nearest of ``options``, or an empty string."""
    options = list(options)
    near = difflib.get_close_matches(name, options, n=1, cutoff=0.6)
    if not near:
        folded = {option.casefold(): option for option in options}
        near = [folded[name.casefold()]] if name.casefold() in folded else []
    return f"; did you mean {near[0]!r}?" if near else ""
