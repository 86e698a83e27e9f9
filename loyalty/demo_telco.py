"""The demo on a real table: a six-year replay through Kafka, three times, and the same without Kafka.

The outcomes must be the same with one worker, with two, with the feed split in two and the worker restarted in
between, and from `loyalty simulate`.
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from pathlib import Path
from time import monotonic
from typing import Final

import orjson
from rich.console import Console

from loyalty.cluster import talk
from loyalty.demo_summary import say, totals
from loyalty.errors import LoyaltyError
from loyalty.feed import Fact, read_feed, route, with_ticks
from loyalty.sample_events import OPERATOR, ZONE, Arrival
from loyalty.sending import Offsets, Sender
from loyalty.stage import Stage, fresh
from loyalty.tally import Tally
from loyalty.telco import END
from loyalty.ticks import midnights
from loyalty.watch_view import View
from schemas.topics import CLOCK
from streams.settings import Settings

PLAIN_EVERY_S: Final = 4.0
NOT_EQUAL: Final = 1
"""Exit status when two runs did not agree."""


class Run:
    """One run over the feed: what came out, and how many events a second (None: too quick to tell)."""

    def __init__(self, name: str, tally: Tally, rate: float | None) -> None:
        self.name: Final = name
        self.tally: Final = tally
        self.rate: Final = rate


def run_telco(settings: Settings, arrivals: Sequence[Arrival], directory: Path, console: Console) -> int:
    """All runs; returns the exit status."""
    telco = _Telco(settings, arrivals, directory, console)
    say(
        console,
        f"{telco.events:,} events of {telco.accounts:,} customers, {telco.days:,} days of clock ticks, "
        f"{settings.partitions} partitions.\n",
    )
    runs = [
        talk(settings, lambda _: telco.whole("1 worker", 1)),
        talk(settings, lambda _: telco.whole("2 workers", 2)),
        talk(settings, lambda _: telco.split("the feed split in two, the worker restarted in between")),
    ]
    say(console, "loyalty simulate on the same events, with no Kafka ...")
    started = monotonic()
    tally = telco.simulate()
    simulated = Run("loyalty simulate", tally, telco.events / (monotonic() - started))
    return report(console, simulated, runs)


class _Telco:
    """The feed, and the ways it is run."""

    def __init__(
        self, settings: Settings, arrivals: Sequence[Arrival], directory: Path, console: Console
    ) -> None:
        self._settings: Final = settings
        self._arrivals: Final = arrivals
        self._directory: Final = directory
        self._console: Final = console
        facts = read_feed(
            (arrival.line for arrival in arrivals), operators={OPERATOR}, refuse=lambda refused: None
        )
        ticks = midnights({ZONE.name}, facts[0].time, END)
        self._facts: Final = list(with_ticks(facts, ticks))
        self.events: Final = len(facts)
        self.days: Final = len(ticks)
        self.accounts: Final = len({fact.key for fact in facts})
        self._written: tuple[Offsets, Offsets] | None = None
        """Where the feed begins in the topics and where it ends, once it is there."""

    async def whole(self, name: str, workers: int) -> Run:
        """The whole feed lies in the topics, and workers catch up with it. The first run writes it there."""

        async def play(stage: Stage, watch: _Watch) -> None:
            if self._written is None:
                begin = await stage.begin_at()
                self._written = begin, await self._send(self._facts)
            else:
                links = {place for place in self._written[0] if place[0] not in _inbound(self._written[1])}
                await stage.begin_at({k: v for k, v in self._written[0].items() if k not in links})
            stage.workers.start(workers)
            await stage.wait(self._written[1], watch)

        return await self._run(name, play)

    async def split(self, name: str) -> Run:
        """Half of the feed is written and worked off, the worker ends, then the other half and a new one."""

        async def play(stage: Stage, watch: _Watch) -> None:
            await stage.begin_at()
            middle = len(self._facts) // 2
            rest = _records(self._facts[middle:], self._settings.partitions)
            ends = await self._send(self._facts[:middle])
            stage.workers.start()
            await stage.wait(ends, lambda backlog: watch(backlog + rest))
            await asyncio.to_thread(stage.workers.stop)
            watch.pause()
            ends = {**ends, **await self._send(self._facts[middle:])}
            stage.workers.start()
            await stage.wait(ends, watch)

        return await self._run(name, play)

    def simulate(self) -> Tally:
        """The same events through `loyalty simulate`, in a process of its own."""
        feed = self._directory / "telco.ndjson"
        feed.write_bytes(b"".join(arrival.line + b"\n" for arrival in self._arrivals))
        tally = Tally()
        command = [sys.executable, "-m", "loyalty.cli", "simulate", "--events", str(feed)]
        with subprocess.Popen([*command, "--until", ZONE.text(END)], stdout=subprocess.PIPE) as process:
            assert process.stdout is not None
            for line in process.stdout:
                tally.count(orjson.loads(line))
        if process.returncode:
            raise LoyaltyError(f"loyalty simulate ended with status {process.returncode}", NOT_EQUAL)
        return tally

    async def _send(self, facts: Sequence[Fact]) -> Offsets:
        started = monotonic()
        async with Sender(self._settings) as sender:
            count = await sender.send(route(facts, self._settings.partitions))
            took = monotonic() - started
            say(self._console, f"sent {count:,} records in {took:.1f} s, {count / took:,.0f}/s")
            return dict(sender.ends)

    async def _run(self, name: str, play: Callable[[Stage, _Watch], Awaitable[None]]) -> Run:
        view = View(
            Tally(),
            self._console,
            f"6 years of telco customers through Apache Kafka: {name}",
            plain_every_s=PLAIN_EVERY_S,
        )
        say(self._console, f"{name}:")
        watch = _Watch(view, self.events, _records(self._facts, self._settings.partitions))

        def saw(topic: str, value: bytes) -> None:
            view.saw(topic, view.tally.take(topic, value))

        directory = self._directory / fresh(self._settings).application_id
        directory.mkdir()
        async with Stage(fresh(self._settings), directory, saw) as stage:
            with view.show() as renew:
                showing = asyncio.create_task(view.keep_showing(renew))
                try:
                    await play(stage, watch)
                finally:
                    showing.cancel()
                    with suppress(asyncio.CancelledError):
                        await showing
                    renew()
        return Run(name, view.tally, watch.rate)


class _Watch:
    """Turns the backlog into what the view shows, and measures how fast it shrinks.

    A worker's start is not measured: timing begins with the first progress, and anew after `pause`.
    """

    def __init__(self, view: View, events: int, records: int) -> None:
        self._view: Final = view
        self._events: Final = events
        self._records: Final = records
        self._left = records
        self._last: float | None = None
        self._seconds = 0.0
        self._timed = 0

    def __call__(self, backlog: int) -> None:
        if backlog >= self._left:
            return
        now = monotonic()
        if self._last is not None:
            self._seconds += now - self._last
            self._timed += self._left - backlog
        self._left, self._last = backlog, now
        done = 1 - backlog / self._records
        self._view.share = done
        self._view.when = f"{done:.0%} worked off"
        self._view.fed(round(self._events * done) - self._view.events)

    def pause(self) -> None:
        """No work is expected for a while."""
        self._last = None

    @property
    def rate(self) -> float | None:
        """Events per second; None if it all went in one step."""
        return self._timed / self._seconds * self._events / self._records if self._timed else None


def report(console: Console, simulated: Run, runs: Sequence[Run]) -> int:
    """Print the totals, and of each run whether it agrees with what simulate says; the exit status."""
    say(console, "")
    totals(console, runs[0].tally)
    ids = sorted(simulated.tally.ids)
    say(console, f"\n{len(ids):,} outcomes from {simulated.name} ({_speed(simulated)}).")
    status = 0
    for run in runs:
        same = sorted(run.tally.ids) == ids and run.tally.totals() == simulated.tally.totals()
        status = status if same else NOT_EQUAL
        verdict = "the same outcomes" if same else "OTHER OUTCOMES"
        say(console, f"  {verdict} with {run.name} ({_speed(run)})")
    return status


def _speed(run: Run) -> str:
    return f"{run.rate:,.0f} events/s" if run.rate is not None else "in one step"


def _records(facts: Sequence[Fact], partitions: int) -> int:
    return sum(partitions if fact.topic == CLOCK.name else 1 for fact in facts)


def _inbound(ends: Offsets) -> set[str]:
    return {topic for topic, _ in ends}
