"""The one exception users are meant to see, and what its messages are made of."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence


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


def reason(error: BaseException) -> str:
    """Return the first line of an error's message, or its type where there is none."""
    return next(iter(str(error).splitlines()), "") or type(error).__name__


def some_of(what: str, items: Sequence[str], at_most: int = 3) -> str:
    """Return ``"what a, b and 3 more"``, ``at_most`` items by name; nothing for no items."""
    if not items:
        return ""
    more = f" and {len(items) - at_most} more" if len(items) > at_most else ""
    return f"{what} {', '.join(items[:at_most])}{more}"
