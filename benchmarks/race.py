"""One run of one contender: start it, watch it commit, check what it wrote, take it down again."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Final, NamedTuple

from benchmarks import ROOT, usage
from benchmarks.cluster import Cluster, Watch
from benchmarks.contender import Contender, Run, topics
from benchmarks.events import Feed
from benchmarks.outcomes import Truth, read_outcomes, read_reasons

POLL_SECONDS: Final = 0.1
QUIET_SECONDS: Final = 2.0
READY_SECONDS_MAX: Final = 60.0
STALLED_SECONDS_MAX: Final = 60.0


class RunFailed(Exception):
    """A run that does not count; the text says why."""


class Sample(NamedTuple):
    """How far a run was at a moment."""

    moment: float
    records: int
    """Records committed; of a contender that commits nothing, records written."""
    cpu_seconds: float
    broker_cpu_seconds: float


class Result(NamedTuple):
    """A run that counts."""

    events: int
    start_seconds: float
    """From the start of the processes until the first of them is ready to read."""
    seconds: float
    """From ready to the last commit."""
    second_half_seconds: float
    """What the second half of the records took: by then a Java process has compiled what is hot."""
    cpu_seconds: float
    """Processor time of the contender's processes from ready to the last commit."""
    broker_cpu_seconds: float
    """Processor time of the broker meanwhile."""

    @property
    def per_second(self) -> float:
        """Events a second, first read to last commit."""
        return self.events / self.seconds

    @property
    def per_second_warm(self) -> float:
        """Events a second over the second half."""
        return self.events / 2 / self.second_half_seconds

    @property
    def cpu_us_per_event(self) -> float:
        """Processor time for one event, in microseconds."""
        return self.cpu_seconds / self.events * 1e6

    @property
    def broker_cpu_us_per_event(self) -> float:
        """The broker's processor time for one event, in microseconds."""
        return self.broker_cpu_seconds / self.events * 1e6

    @property
    def busy_share(self) -> float:
        """Part of all processors' time that contender and broker took."""
        return (self.cpu_seconds + self.broker_cpu_seconds) / self.seconds / (os.cpu_count() or 1)


def summed_up(events: int, started: float, samples: list[Sample]) -> Result:
    """The result of a run from its samples: the first is the moment of being ready, the last the last commit."""
    first, last = samples[0], samples[-1]
    half = (first.records + last.records) / 2
    after = next(place for place, sample in enumerate(samples) if sample.records >= half)
    before = samples[max(after - 1, 0)]
    grown = samples[after].records - before.records
    part = (half - before.records) / grown if grown else 0.0
    middle = before.moment + part * (samples[after].moment - before.moment)
    return Result(
        events,
        first.moment - started,
        last.moment - first.moment,
        max(last.moment - middle, 1e-9),
        last.cpu_seconds - first.cpu_seconds,
        last.broker_cpu_seconds - first.broker_cpu_seconds,
    )


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
        return sum(map(usage.resident_bytes, self._pids()))

    @property
    def cpu_seconds(self) -> float:
        """Processor time that the processes have used, without their guards (Linux)."""
        return sum(map(usage.cpu_seconds, self._pids()))

    def _pids(self) -> list[int]:
        return [pid for process in self._running for pid in usage.descendants(process.pid)]

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

    @property
    def ready_at(self) -> float:
        """The moment at which the first of them began to read."""
        return min(self._ready_at)

    def wait_until_ready(self) -> float:
        """Wait until all of them read; returns `ready_at`."""
        deadline = self.started + READY_SECONDS_MAX
        while len(self._ready_at) < self.count:
            self.check()
            if time.monotonic() > deadline:
                raise RunFailed(f"not ready after {READY_SECONDS_MAX:.0f} s: {self.last_words()}")
            time.sleep(0.02)
        return self.ready_at

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
                processes.wait_until_ready()
                samples = asyncio.run(watch(cluster, run, contender, processes, len(truth.outcomes)))
            finally:
                processes.stop()
            _check(cluster, run, contender, feed, truth)
            return summed_up(feed.events, processes.started, samples)
        finally:
            cluster.delete([run.group, f"changelog__{run.group}", *written])


async def watch(
    cluster: Cluster, run: Run, contender: Contender, processes: Processes, due: int = 0
) -> list[Sample]:
    """Samples of a run from being ready to the last commit; `due`: how many outcomes there will be.

    A run is over when everything read is committed and nothing has come out for a while; that of a contender
    which commits no offsets, when all outcomes have come and nothing else for a while.
    """
    samples = [Sample(processes.ready_at, 0, processes.cpu_seconds, cluster.broker.cpu_seconds)]
    async with Watch(cluster, run.group, contender.inputs, topics(contender, run)) as watch:
        seen: tuple[int, Counter[str]] | None = None
        while True:
            ends = await watch.reached()
            came = sum(ends[topic] for topic in contender.outcomes(run))
            left = await watch.left() if contender.commits else due - came
            moment = time.monotonic()
            if (left, ends) != seen:
                seen = left, ends
                records = watch.records - left if contender.commits else came
                samples.append(Sample(moment, records, processes.cpu_seconds, cluster.broker.cpu_seconds))
            quiet = moment - samples[-1].moment
            if left <= 0 and quiet > QUIET_SECONDS:
                return samples
            if quiet > STALLED_SECONDS_MAX:
                raise RunFailed(f"stalled with {left} records left: {processes.last_words()}")
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
