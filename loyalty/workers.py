"""Workers as processes of their own, which never outlive the program that started them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Final

from loyalty.errors import LoyaltyError
from streams import broker_guard
from streams.settings import Settings

STOP_SECONDS_MAX: Final = broker_guard.GRACE_S + 10
FAILED: Final = 70
"""Exit status of a command whose worker has failed."""


class Workers:
    """`loyalty worker` processes on one application; their logs lie in `directory`."""

    def __init__(self, settings: Settings, directory: Path) -> None:
        self._settings: Final = settings
        self._directory: Final = directory
        self._running: Final[list[tuple[subprocess.Popen[bytes], Path]]] = []
        self._started = 0

    def start(self, count: int = 1) -> None:
        """Start `count` more."""
        for _ in range(count):
            self._started += 1
            home = self._directory / f"worker-{self._started}"
            home.mkdir()
            log = home / "log"
            environment = {
                **os.environ,
                "KAFKA_BOOTSTRAP": self._settings.bootstrap,
                "LOYALTY_APPLICATION_ID": self._settings.application_id,
                "LOYALTY_PARTITIONS": str(self._settings.partitions),
                "LOYALTY_STATE_DIR": str(home / "state"),
            }
            command = [
                *(sys.executable, "-I", "-S", broker_guard.__file__, "-"),
                *(sys.executable, "-m", "loyalty.cli", "worker", "--development-key"),
            ]
            with log.open("wb") as out:
                # The guard ends the worker when our end of the pipe closes, however we end. A session of
                # its own: Ctrl-C is ours to handle.
                process = subprocess.Popen(
                    command,
                    stdin=subprocess.PIPE,
                    stdout=out,
                    stderr=out,
                    env=environment,
                    start_new_session=True,
                )
            self._running.append((process, log))

    def check(self) -> None:
        """See that all of them still run.

        :raises LoyaltyError: one has ended; the message says what it said last.
        """
        for process, log in self._running:
            if process.poll() is not None:
                raise LoyaltyError(f"a worker ended by itself: {_last_words(log)}", FAILED)

    def last_words(self) -> str:
        """What the worker that started last has said last."""
        return _last_words(self._running[-1][1]) if self._running else "no worker runs"

    def stop(self) -> None:
        """End all of them in order, and wait. May be called again."""
        running = self._running[:]
        self._running.clear()
        for process, _ in running:
            assert process.stdin is not None
            process.stdin.close()
        for process, _ in running:
            try:
                process.wait(STOP_SECONDS_MAX)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _last_words(log: Path) -> str:
    lines = [line.strip() for line in log.read_text("utf-8", "replace").splitlines() if line.strip()]
    telling = [line for line in lines if "CRITICAL" in line or line.startswith("loyalty")]
    return (telling or lines or ["it left no log"])[-1][:300]
