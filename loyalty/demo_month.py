"""The demo: a sample month through a real Kafka, paced so that a person can follow it."""

from __future__ import annotations

import asyncio
import datetime
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from time import monotonic
from typing import Final

from rich.console import Console

from loyalty.feed import Fact, Refused, read_feed, route, with_ticks
from loyalty.sample_events import OPERATOR, ZONE, Arrival
from loyalty.sample_month import END, END_DAY, FIRST_DAY, MONTH_DAY
from loyalty.sending import Sender
from loyalty.stage import Stage
from loyalty.tally import Tally
from loyalty.ticks import midnights
from loyalty.watch_view import View
from schemas.topics import CLOCK
from streams.settings import Settings

DAY_S: Final = 0.5
"""How long a day of the month takes, where it is not to be fast."""
TITLE: Final = "Orgtechservice, September 2025, through Apache Kafka"


async def run_month(
    settings: Settings,
    arrivals: Sequence[Arrival],
    directory: Path,
    console: Console,
    *,
    day_s: float = DAY_S,
) -> View:
    """Send the months before and let a worker catch up with them, then the month itself, wave by wave.

    Returns the view at the end, with the tally. `day_s` is the least time a day takes, in seconds.
    """
    view = View(Tally(), console, TITLE)
    before, month = _split(arrivals)

    def watch(topic: str, value: bytes) -> None:
        view.saw(topic, view.tally.take(topic, value))

    async with Stage(settings, directory, watch) as stage, Sender(settings) as sender:
        await stage.begin_at()
        stage.workers.start()
        with view.show() as renew:
            showing = asyncio.create_task(view.keep_showing(renew))
            try:
                view.when = "January to August"
                await sender.send(route(before, settings.partitions))
                view.fed(_events(before))
                await stage.wait(sender.ends)
                days = 0
                started = monotonic()
                for wave in waves(month):
                    if wave[0].topic == CLOCK.name:
                        await asyncio.sleep(max(0.0, started + days * day_s - monotonic()))
                        view.when = _day(wave[0].time)
                        days += 1
                        view.share = days / (END_DAY - MONTH_DAY + 1)
                    await sender.send(route(wave, settings.partitions))
                    view.fed(_events(wave))
                    await stage.wait(sender.ends)
            finally:
                showing.cancel()
                with suppress(asyncio.CancelledError):
                    await showing
                renew()
    return view


def waves(facts: Iterable[Fact]) -> Iterator[list[Fact]]:
    """Runs of facts whose order among each other does not matter once they are in the topics.

    A wave ends before a tick, and before a fact of an account that has one on another topic in the wave.
    Worked off one by one, they are applied in the order of the feed, however fast or slow anything is.
    """
    wave: list[Fact] = []
    topics: dict[bytes, str] = {}
    for fact in facts:
        elsewhere = fact.key is not None and topics.get(fact.key, fact.topic) != fact.topic
        if wave and (fact.topic == CLOCK.name or elsewhere):
            yield wave
            wave = []
            topics = {}
        wave.append(fact)
        if fact.key is not None:
            topics[fact.key] = fact.topic
    if wave:
        yield wave


def _split(arrivals: Sequence[Arrival]) -> tuple[list[Fact], list[Fact]]:
    """What comes before the month begins, and from then on, with a tick at every midnight."""
    refused: list[Refused] = []
    facts = read_feed(
        (arrival.line for arrival in arrivals),
        operators={OPERATOR},
        refuse=refused.append,
        as_arrived=True,
        raw=True,
    )
    ticks = midnights({ZONE.name}, ZONE.midnight(FIRST_DAY), END)
    begin = ZONE.midnight(MONTH_DAY)
    before: list[Fact] = []
    month: list[Fact] = []
    for fact in with_ticks(facts, ticks):
        begun = bool(month) or (fact.topic == CLOCK.name and fact.time >= begin)
        (month if begun else before).append(fact)
    return before, month


def _events(facts: Iterable[Fact]) -> int:
    return sum(fact.topic != CLOCK.name for fact in facts)


def _day(time: int) -> str:
    day = datetime.date.fromordinal(ZONE.day(time))
    return f"{day.day} {day:%B}"
