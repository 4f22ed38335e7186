"""Labels as they are shown: of any origin, on one line, not too long."""

from __future__ import annotations


def one_line(label: object, most: int) -> str:
    """Return a label in at most ``most`` characters, those that cannot be printed replaced."""
    plain = "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in str(label))
    return plain if len(plain) <= most else plain[: most - 1] + "…"
