"""Worker processes and their supervisor, who starts another one whenever one ends."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Final

from chaos.disks import fill
from chaos.points import Order

ROOT: Final = Path(__file__).parent.parent
EXIT_DISK: Final = 74
ENDS_ALLOWED: Final = {
    0: "in order",
    69: "the broker failed it",
    EXIT_DISK: "the disk failed it",
    75: "fenced",
    -signal.SIGKILL: "killed",
}
READY: Final = "ready: tasks "
LAST_WORDS_SECONDS: Final = 5.0


class Member:
    """One worker process: its log, the file by which it gets orders, and the directory of its rows.

    Its log comes through a pipe: a worker whose files cannot grow must be able to say so.
    """

    def __init__(
        self, name: str, directory: Path, environment: Mapping[str, str], *, state: Path, on_disk: bool
    ) -> None:
        self.name: Final = name
        self.state: Final = state
        self.on_disk: Final = on_disk
        self.log_file: Final = directory / f"{name}.log"
        self.log_file.touch()
        self.order: Final = Order(directory / f"{name}.order")
        self.dismissed = False
        """It was told to leave, and nobody is to take its place."""
        self.process: Final = subprocess.Popen(
            [sys.executable, "-m", "chaos.worker"],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            process_group=0,  # its I/O process is woken up with it
            env={
                **os.environ,
                **environment,
                "CHAOS_ORDER": str(directory / f"{name}.order"),
                "LOYALTY_STATE_DIR": str(state),
                "LOYALTY_STORE": "rocksdb" if on_disk else "memory",
            },
        )
        assert self.process.stdout is not None
        self._writes: Final = threading.Thread(
            target=_copy, args=(self.process.stdout, self.log_file), daemon=True
        )
        self._writes.start()

    @property
    def log(self) -> str:
        """Everything it has said."""
        return self.log_file.read_text("utf-8", "replace")

    @property
    def status(self) -> int | None:
        """Exit status, None while it lives; by the time it is known the log has its last word."""
        status = self.process.poll()
        if status is not None:
            self._writes.join(LAST_WORDS_SECONDS)
        return status

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
    """Keeps as many workers running as are wanted, every other one with its rows on a disk.

    The successor of a worker that ended is given its disk, as after a restart on the same machine.
    """

    def __init__(self, directory: Path, environment: Mapping[str, str]) -> None:
        self._directory: Final = directory
        self._environment: Final = dict(environment)
        self._seen: Final[set[str]] = set()
        self._seats = 0
        self.all: Final[list[Member]] = []
        self.full: Final[set[Path]] = set()
        """Disks on which no file can grow."""
        self.troubled: Final[set[Path]] = set()
        """Disks that were full or damaged once: a worker may end because of that."""
        self.closing = False

    @property
    def living(self) -> list[Member]:
        """Processes that run."""
        return [member for member in self.all if member.status is None]

    def start(self, *, on_disk: bool | None = None, **environment: str) -> Member:
        """Start one more, on an empty disk; where its rows are is as with the one before last if not said."""
        self._seats += 1
        where = self._seats % 2 == 1 if on_disk is None else on_disk
        return self._start(self._directory / f"disk-{self._seats}", where, environment)

    def _start(self, state: Path, on_disk: bool, environment: Mapping[str, str]) -> Member:
        member = Member(
            f"worker-{len(self.all) + 1}",
            self._directory,
            {**self._environment, **environment},
            state=state,
            on_disk=on_disk,
        )
        if state in self.full:
            fill(member.process.pid)
        self.all.append(member)
        return member

    def successors(self, member: Member) -> list[Member]:
        """Who was started on its disk after it."""
        return [one for one in self.all[self.all.index(member) + 1 :] if one.state == member.state]

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
                    self._start(member.state, member.on_disk, {})

    def excused(self, member: Member) -> bool:
        """Whether it ended because of what was done to its disk."""
        return member.status == EXIT_DISK and member.state in self.troubled

    def problems(self) -> list[str]:
        """Exits that no fault explains."""
        return [
            f"{member.name} ended with status {member.status}: {member.log[-1500:]}"
            for member in self.all
            if member.status is not None
            and (
                member.status not in ENDS_ALLOWED or (member.status == EXIT_DISK and not self.excused(member))
            )
        ]

    def close(self) -> None:
        """End every process that is left."""
        self.closing = True
        for member in self.living:
            with contextlib.suppress(ProcessLookupError):  # it ends by itself just now
                # Both of its processes: one that is frozen does not see that the other is gone.
                os.killpg(member.process.pid, signal.SIGKILL)
            member.process.wait()


def _copy(said: IO[bytes], file: Path) -> None:
    with file.open("wb", buffering=0) as log:
        while some := os.read(said.fileno(), 65_536):
            log.write(some)
    said.close()
