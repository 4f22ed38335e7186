"""How far a long step is: done, total and time left, at a rate that people can read."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

log = logging.getLogger("tpcav_core")
#: seconds between two messages
EVERY = 10.0


class Progress:
    """Counts what is done and says so every few seconds, and once at the end.

    Args:
        what: is counted, in the plural.
        total: how many there are.
        every: seconds between two messages.
        clock: seconds that pass.
    """

    def __init__(
        self,
        what: str,
        total: int,
        *,
        every: float = EVERY,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.what, self.total, self.every, self.clock = what, total, every, clock
        self.done = 0
        self.begin = self.said = clock()

    def add(self, n: int = 1) -> None:
        """Count ``n`` more as done."""
        self.done += n
        now = self.clock()
        finished = self.done >= self.total
        if not finished and now - self.said < self.every:
            return
        self.said = now
        spent = now - self.begin
        share = f"{self.done:,} of {self.total:,} {self.what}"
        if finished:
            log.info("%s in %s", share, duration(spent))
        else:
            left = spent * (self.total - self.done) / max(self.done, 1)
            log.info("%s (%d %%), %s left", share, 100 * self.done // self.total, duration(left))


def duration(seconds: float) -> str:
    """Return a time in words of two units at most, ``1 h 5 min``."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    minutes, rest = divmod(whole, 60)
    if minutes < 60:
        return f"{minutes} min {rest} s" if minutes < 10 else f"{minutes} min"
    return f"{minutes // 60} h {minutes % 60} min"
