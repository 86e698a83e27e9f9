"""Named moments between fetch and commit at which a worker can be told to die or to freeze.

An order is a file of one line, `POINT ACTION`. The worker that reaches the point takes the file away, says so on
stderr and carries the order out on itself. Production code knows nothing of it: `chaos.worker` wraps it.
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from typing import Final

AFTER_FETCH: Final = "after-fetch"
AFTER_FOLD: Final = "after-fold"
AFTER_BEGIN: Final = "after-begin"
MID_PUBLISH: Final = "mid-publish"
AFTER_OFFSETS: Final = "after-offsets"
BEFORE_COMMIT: Final = "before-commit"
IN_COMMIT: Final = "in-commit"
AFTER_COMMIT: Final = "after-commit"
AFTER_STORE: Final = "after-store"

POINTS: Final = (
    AFTER_FETCH,
    AFTER_FOLD,
    AFTER_BEGIN,
    MID_PUBLISH,
    AFTER_OFFSETS,
    BEFORE_COMMIT,
    IN_COMMIT,
    AFTER_COMMIT,
    AFTER_STORE,
)
"""In the order in which a batch passes them."""

OPEN_TRANSACTION: Final = (MID_PUBLISH, AFTER_OFFSETS, BEFORE_COMMIT)
"""Where a transaction with records in it stands open on the broker."""

KILL: Final = "kill"
STOP: Final = "stop"
_SIGNALS: Final = {KILL: signal.SIGKILL, STOP: signal.SIGSTOP}


class Order:
    """What a worker is told to do to itself, and where; the file is shared with whoever gives the order."""

    def __init__(self, file: Path) -> None:
        self._file: Final = file
        self._worker: Final = os.getpid()
        """Whose order it is: a worker reaches some of the points in its I/O process, and dies and freezes with it."""

    def give(self, point: str, action: str) -> None:
        """Tell the worker to carry out `action` when it next reaches `point`."""
        assert point in POINTS and action in _SIGNALS
        draft = self._file.with_suffix(".draft")
        draft.write_text(f"{point} {action}", "utf-8")
        draft.rename(self._file)

    def withdraw(self) -> bool:
        """Take back an order; False if it has been taken by the worker."""
        try:
            self._file.unlink()
        except FileNotFoundError:
            return False
        return True

    def stands_for(self, point: str) -> bool:
        """Whether there is an order for this point."""
        return self._read()[0] == point

    def reached(self, point: str) -> None:
        """The worker is at `point`: if it was told to, this is where it dies or freezes."""
        wanted, action = self._read()
        if wanted != point or not self.withdraw():
            return
        print(told(point, action), file=sys.stderr, flush=True)
        for process in (self._worker, os.getpid()):
            os.kill(process, _SIGNALS[action])

    def _read(self) -> tuple[str, str]:
        try:
            point, _, action = self._file.read_text("utf-8").partition(" ")
        except FileNotFoundError:
            return "", ""
        return point, action


def told(point: str, action: str) -> str:
    """The line by which a worker's log proves that an order was carried out."""
    return f"chaos: {action} at {point}"
