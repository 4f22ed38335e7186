"""What to say of failures that are nobody's bug: a full disk, no permission, a process ended early.

Imported by the command line's dispatcher alone, so that it changes no step.
"""

from __future__ import annotations

import errno
import logging
import sys
import threading
import traceback
from pathlib import Path
from types import FrameType, TracebackType

log = logging.getLogger("tpcav_core")
_AGAIN = "then start the run again: finished steps are kept"
_REMEDIES = {
    errno.ENOSPC: f"free some space, {_AGAIN}",
    errno.EDQUOT: f"your quota is used up: free some space, {_AGAIN}",
    errno.EROFS: f"give `results` a folder that can be written to, or make this one so, {_AGAIN}",
    errno.EACCES: f"get the right to use it or name another place, {_AGAIN}",
    errno.EPERM: f"get the right to use it or name another place, {_AGAIN}",
    errno.EIO: f"the disk failed: check it, {_AGAIN}",
    errno.ESTALE: f"the network file system lost it, {_AGAIN}",
    errno.EMFILE: f"allow more open files (ulimit -n), {_AGAIN}",
    errno.ENOMEM: f"give the step more memory (resources), {_AGAIN}",
}
#: of other programs' code, what hangs is not a function of the user's
_INSTALLED = (str(Path(__file__).parent), sys.prefix, sys.base_prefix, "<frozen")


def remedy(error: BaseException) -> str | None:
    """Return one line for an error of the system that the user can do something about, or None."""
    if isinstance(error, MemoryError):
        return f"out of memory ({error or 'MemoryError'}); {_REMEDIES[errno.ENOMEM]}"
    if isinstance(error, SystemExit):
        return (
            f"{_last_place(error.__traceback__)} ended the process ({error!r}); have it raise an"
            f" exception that says what is wrong, {_AGAIN}"
        )
    if isinstance(error, OSError) and error.errno in _REMEDIES:
        # pyarrow's say all in one argument
        reason = error.strerror or str(error)
        where = f"{error.filename}: " if error.filename else ""
        return f"{where}{reason}; {_REMEDIES[error.errno]}"
    return None


def _last_place(trace: TracebackType | None) -> str:
    frames = [frame for frame in traceback.extract_tb(trace) if _is_users(frame.filename)]
    return f"{frames[-1].filename}, line {frames[-1].lineno}," if frames else "a function"


def _is_users(filename: str) -> bool:
    return not filename.startswith(_INSTALLED)


def watch(step: str, first: float = 300.0) -> threading.Event:
    """Say from time to time where a step is, if that is in a function of the user's.

    Nothing is ended: what is slow and what hangs cannot be told apart from outside.

    Args:
        step: its name.
        first: seconds until the first message; the time doubles from one to the next.

    Returns:
        an event that ends the messages.
    """
    done = threading.Event()
    main = threading.main_thread().ident

    def tell() -> None:
        waited = first
        while not done.wait(waited):
            place = _users_place(sys._current_frames().get(main or 0))
            if place:
                log.warning(
                    "%s is still in %s; if that hangs, stop the run (Ctrl-C), correct it, %s",
                    *(step, place, _AGAIN),
                )
            waited *= 2

    threading.Thread(target=tell, daemon=True).start()
    return done


def _users_place(frame: FrameType | None) -> str | None:
    while frame is not None:
        code = frame.f_code
        if _is_users(code.co_filename) and Path(code.co_filename).name != "__main__.py":
            return f"{code.co_filename}, line {frame.f_lineno} ({code.co_name})"
        frame = frame.f_back
    return None
