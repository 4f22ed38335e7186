"""``python -m tpcav_core <step> …``: what the rules of the workflow call."""

from __future__ import annotations

import gc
import sys

from .commands import main

if __name__ == "__main__":
    status = main()
    # what is left goes with the process: looking through it for garbage takes 0.4 s with torch
    gc.freeze()
    sys.exit(status)
