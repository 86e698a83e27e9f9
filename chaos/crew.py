"""Worker processes and their supervisor, who starts another one whenever one ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from chaos.points import Order

ROOT: Final = Path(__file__).parent.parent
ENDS_ALLOWED: Final = {0: "in order", 69: "the broker failed it", 75: "fenced", -signal.SIGKILL: "killed"}
READY: Final = "ready: tasks "


class Member:
    """One worker process: its log, and the file by which it gets orders."""

    def __init__(self, name: str, directory: Path, environment: Mapping[str, str]) -> None:
        self.name: Final = name
        self.log_file: Final = directory / f"{name}.log"
        self.order: Final = Order(directory / f"{name}.order")
        self.dismissed = False
        """It was told to leave, and nobody is to take its place."""
        with self.log_file.open("wb") as log:
            self.process: Final = subprocess.Popen(
                [sys.executable, "-m", "chaos.worker"],
                cwd=ROOT,
                stdout=log,
                stderr=subprocess.STDOUT,
                env={
                    **os.environ,
                    **environment,
                    "CHAOS_ORDER": str(directory / f"{name}.order"),
                    "LOYALTY_STATE_DIR": str(directory / f"{name}-state"),
                },
            )

    @property
    def log(self) -> str:
        """Everything it has said."""
        return self.log_file.read_text("utf-8", "replace")

    @property
    def status(self) -> int | None:
        """Exit status, None while it lives."""
        return self.process.poll()

    @property
    def ready(self) -> bool:
        """Whether it lives and has had tasks."""
        return self.status is None and READY in self.log

    @property
    def frozen(self) -> bool:
        """Whether it is stopped by a signal."""
        try:
            stat = Path(f"/proc/{self.process.pid}/stat").read_text("utf-8")
        except FileNotFoundError:
            return False
        return stat.rpartition(")")[2].split()[0] == "T"

    @property
    def redone(self) -> str | None:
        """Why a worker that ended in order left work behind that has to be done again; None if it did not."""
        said = [line for line in self.log.splitlines() if line.startswith("chaos: began ")]
        if not said:
            return "it did not say what it did"
        words = said[-1].replace(",", "").split()
        return None if words[2] == words[5] else said[-1]


class Crew:
    """Keeps as many workers running as are wanted."""

    def __init__(self, directory: Path, environment: Mapping[str, str]) -> None:
        self._directory: Final = directory
        self._environment: Final = dict(environment)
        self._seen: Final[set[str]] = set()
        self.all: Final[list[Member]] = []
        self.closing = False

    @property
    def living(self) -> list[Member]:
        """Processes that run."""
        return [member for member in self.all if member.status is None]

    def start(self, **environment: str) -> Member:
        """Start one more."""
        member = Member(f"worker-{len(self.all) + 1}", self._directory, {**self._environment, **environment})
        self.all.append(member)
        return member

    def dismiss(self, member: Member) -> None:
        """Ask one to leave for good."""
        member.dismissed = True
        member.process.send_signal(signal.SIGTERM)

    def tend(self) -> None:
        """Put another one in the place of each that ended."""
        for member in list(self.all):
            if member.status is not None and member.name not in self._seen:
                self._seen.add(member.name)
                if not member.dismissed and not self.closing:
                    self.start()

    def problems(self) -> list[str]:
        """Exits that no fault explains."""
        return [
            f"{member.name} ended with status {member.status}: {member.log[-1500:]}"
            for member in self.all
            if member.status is not None and member.status not in ENDS_ALLOWED
        ]

    def close(self) -> None:
        """End every process that is left."""
        self.closing = True
        for member in self.living:
            member.process.kill()
            member.process.wait()
