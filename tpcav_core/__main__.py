"""``python -m tpcav_core <step> …``: what the rules of the workflow call."""

from __future__ import annotations

import sys

from .commands import main

if __name__ == "__main__":
    sys.exit(main())
