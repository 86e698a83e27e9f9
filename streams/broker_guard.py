"""A process that stands between a program and the server it started, so that the server never outlives it.

Run as a script: `broker_guard.py OWN_TEMPORARY_DIR|- COMMAND...`. It starts COMMAND and ends it when its
own standard input is closed or its parent is gone, however the parent went (SIGKILL included). It removes
the temporary directory at the end. Only the standard library is imported: it must start at once.
"""

from __future__ import annotations

import ctypes
import os
import select
import shutil
import signal
import subprocess
import sys
import types
from typing import Final

PR_SET_PDEATHSIG: Final = 1
"""Linux `prctl` option: the signal a process gets when its parent dies."""
POLL_S: Final = 0.25
GRACE_S: Final = 20.0
"""How long COMMAND may take to end after SIGTERM."""


def _die_with_parent() -> None:
    """In the child, before exec: the guard itself may be killed too."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def _end(signum: int, frame: types.FrameType | None) -> None:
    raise SystemExit(128 + signum)


def guard(temporary_dir: str | None, command: list[str]) -> int:
    """Runs `command` until it ends, or until the parent closes our stdin or dies; returns its exit status.

    With a `temporary_dir` nothing of the command's work is kept, so it is killed instead of asked to end.
    """
    parent = os.getppid()
    signal.signal(signal.SIGTERM, _end)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # This process has one thread, so running code between fork and exec is safe.
    child = subprocess.Popen(command, stdin=subprocess.DEVNULL, preexec_fn=_die_with_parent)  # noqa: PLW1509
    try:
        while child.poll() is None and os.getppid() == parent:
            readable, _, _ = select.select([0], [], [], POLL_S)
            if readable and not os.read(0, 1):
                break
    finally:
        if child.poll() is None:
            child.send_signal(signal.SIGTERM if temporary_dir is None else signal.SIGKILL)
        try:
            child.wait(GRACE_S)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()
        if temporary_dir is not None:
            shutil.rmtree(temporary_dir, ignore_errors=True)
    return child.returncode


if __name__ == "__main__":
    sys.exit(guard(None if sys.argv[1] == "-" else sys.argv[1], sys.argv[2:]))
