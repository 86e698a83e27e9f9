"""One run of one contender: start it, watch it commit, check what it wrote, take it down again."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Final, NamedTuple

from benchmarks import ROOT
from benchmarks.cluster import Cluster, Watch
from benchmarks.contender import Contender, Run, topics
from benchmarks.events import Feed
from benchmarks.outcomes import Truth, read_outcomes, read_reasons

POLL_SECONDS: Final = 0.1
QUIET_SECONDS: Final = 2.0
QUIET_SECONDS_UNCOMMITTED: Final = 8.0
"""A run is over when everything read is committed and nothing has come out for so long."""
READY_SECONDS_MAX: Final = 60.0
STALLED_SECONDS_MAX: Final = 60.0


class RunFailed(Exception):
    """A run that does not count; the text says why."""


class Result(NamedTuple):
    """A run that counts."""

    events: int
    start_seconds: float
    """From the start of the processes until all of them are ready to read."""
    seconds: float
    """From ready to the last commit."""

    @property
    def per_second(self) -> float:
        """Events a second, first read to last commit."""
        return self.events / self.seconds


class Processes:
    """The processes of a run and what they say."""

    def __init__(self, contender: Contender, run: Run, ready: str = "") -> None:
        self._ready: Final = ready or contender.ready
        self._log: Final = run.directory / "log"
        self._ready_at: Final[list[float]] = []
        environment: Mapping[str, str] = {
            **os.environ,
            "PYTHONPATH": str(ROOT),
            **contender.environment(run),
        }
        self.started: Final = time.monotonic()
        self._running: Final = [
            subprocess.Popen(
                command,
                cwd=ROOT,
                env=environment,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
            for command in contender.commands(run)
        ]
        for process in self._running:
            threading.Thread(target=self._listen, args=(process,), daemon=True).start()

    @property
    def count(self) -> int:
        """How many there are."""
        return len(self._running)

    @property
    def resident_bytes(self) -> int:
        """Memory that the processes hold, without their guards (Linux)."""
        return sum(_resident_bytes(child) for process in self._running for child in _children(process.pid))

    def _listen(self, process: subprocess.Popen[bytes]) -> None:
        assert process.stdout is not None
        waiting = True
        with self._log.open("ab") as log:
            for line in process.stdout:
                if waiting and self._ready.encode() in line:
                    self._ready_at.append(time.monotonic())
                    waiting = False
                log.write(line)
                log.flush()

    def wait_until_ready(self) -> float:
        """The moment at which the first of them began to read."""
        deadline = self.started + READY_SECONDS_MAX
        while len(self._ready_at) < self.count:
            self.check()
            if time.monotonic() > deadline:
                raise RunFailed(f"not ready after {READY_SECONDS_MAX:.0f} s: {self.last_words()}")
            time.sleep(0.02)
        return min(self._ready_at)

    def check(self) -> None:
        """Raises RunFailed if one has ended."""
        for process in self._running:
            if process.poll() is not None:
                raise RunFailed(f"a process ended with status {process.returncode}: {self.last_words()}")

    def last_words(self) -> str:
        """The end of the log."""
        return self._log.read_text("utf-8", "replace")[-2000:] if self._log.exists() else "it said nothing"

    def stop(self) -> None:
        """End all of them and wait."""
        for process in self._running:
            if process.stdin is not None:
                process.stdin.close()
        for process in self._running:
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()


def _children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def _resident_bytes(pid: int) -> int:
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def race(cluster: Cluster, name: str, contender: Contender, feed: Feed, truth: Truth) -> Result:
    """Run a contender over all events and check it. Raises RunFailed when the run does not count."""
    with tempfile.TemporaryDirectory(prefix="loyalty-bench-") as directory:
        run = Run(cluster.bootstrap, f"{name}-{time.time_ns() // 1_000_000}", Path(directory))
        written = topics(contender, run)
        cluster.create(written)
        compacted = contender.compacted(run)
        if compacted:
            cluster.create(compacted, compact=True)
        try:
            processes = Processes(contender, run)
            try:
                ready = processes.wait_until_ready()
                done = asyncio.run(watch(cluster, run, contender, processes, written))
            finally:
                processes.stop()
            _check(cluster, run, contender, feed, truth)
            return Result(feed.events, ready - processes.started, done - ready)
        finally:
            cluster.delete([run.group, f"changelog__{run.group}", *written])


async def watch(
    cluster: Cluster, run: Run, contender: Contender, processes: Processes, written: list[str]
) -> float:
    """The moment of the last commit."""
    quiet_seconds = QUIET_SECONDS if contender.commits else QUIET_SECONDS_UNCOMMITTED
    async with Watch(cluster, run.group, contender.inputs, written) as watch:
        seen = (watch.records, 0)
        changed = time.monotonic()
        while True:
            now = (await watch.left(), await watch.reached())
            moment = time.monotonic()
            if now != seen:
                seen, changed = now, moment
            elif (now[0] == 0 or (not contender.commits and now[1])) and moment - changed > quiet_seconds:
                return changed
            elif moment - changed > STALLED_SECONDS_MAX:
                raise RunFailed(f"stalled with {now[0]} records left: {processes.last_words()}")
            processes.check()
            await asyncio.sleep(POLL_SECONDS)


def _check(cluster: Cluster, run: Run, contender: Contender, feed: Feed, truth: Truth) -> None:
    keep = truth.outcomes.kept is not None
    came = read_outcomes(cluster.bootstrap, contender.outcomes(run), feed.in_referrals, keep=keep)
    if contender.counts_only:
        if len(came) != len(feed.entries):
            raise RunFailed(f"{len(came)} records written for {len(feed.entries)} read")
        return
    if came != truth.outcomes:
        differences = "\n  ".join(came.differences(truth.outcomes))
        raise RunFailed(f"other outcomes than the engine's:\n  {differences}")
    letters = read_reasons(cluster.bootstrap, contender.letters(run))
    if letters != truth.letters:
        raise RunFailed(f"other dead letters than the engine's: {dict(letters)}, not {dict(truth.letters)}")
