"""Every case through real Kafka, all at once, with 1 and with 4 partitions: what simulate says, and nothing else.

The cases share one deployment; each has accounts of its own names. Events are fed in waves in the order in which
simulate applies them: a wave holds at most one event of a case and ends when the stream has come to rest, links
included, because "records to other accounts are applied before the next event" (SPEC section 1) is a promise about
time that simulate keeps exactly and a stream keeps when it is given the time.
"""

from __future__ import annotations

import asyncio
import datetime
import json
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Final, NamedTuple

import orjson
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient

from engine.decide import Engine
from schemas.dead_letter import Unreadable
from schemas.event import Event
from schemas.instant import parse_instant
from schemas.topics import (
    CLOCK,
    DEAD_LETTERS,
    DISCOUNTS,
    JOURNAL,
    LINKS,
    MEMBERS,
    POINTS,
    TASK,
    TOPIC_OF_TYPE,
)
from schemas.wire import read_event
from tests.case_runner import CASES, lines_of, new_engine, read_cases, run
from tests.stream_world import World, empty_broker, world

__all__ = ["empty_broker", "world"]

SHARED: Final = Path(__file__).parents[2] / "shared" / "cases"
QUIET_SECONDS_MAX: Final = 30.0
WATCHED: Final = tuple(t.name for t in (POINTS, DISCOUNTS, MEMBERS, JOURNAL, DEAD_LETTERS, LINKS))


class Prepared:
    """One case with accounts of its own: its events in the order of simulate, when it ends, what simulate says."""

    def __init__(self, number: int, case: dict[str, Any], engine: Engine) -> None:
        self.prefix: Final = f"case{number}-"
        self.as_arrived: Final[bool] = case.get("as_arrived", False)
        own = _renamed(case, self.prefix)
        lines = lines_of(own, engine)
        readable = list(_readable(lines, engine))
        if not self.as_arrived:
            readable.sort(key=lambda event: event.time)
        self.events: Final = [(when, event) for when, event in zip(_running(readable), readable, strict=True)]
        ends = [when for when, _ in self.events]
        if "until" in case:
            ends.append(parse_instant(str(case["until"])))
        self.ends_at: Final = max(ends)
        until = None if "until" not in case else str(case["until"])
        outcomes, dead = run(engine, lines, until=until, as_arrived=self.as_arrived)
        self.outcomes: Final = _by_account(outcomes)
        self.refused: Final = len(dead) - sum(1 for line in lines if not _is_readable(line, engine))


def _readable(lines: Iterable[bytes], engine: Engine) -> Iterator[Event]:
    """The events of a case; simulate ignores the clock in a file, so it is not fed either."""
    for line in filter(lambda line: _is_readable(line, engine), lines):
        event = read_event(line, key=None, topic=None, operators=engine.books.operators)
        if event.type not in CLOCK.types:
            yield event


def _is_readable(line: bytes, engine: Engine) -> bool:
    try:
        read_event(line, key=None, topic=None, operators=engine.books.operators)
    except Unreadable:
        return False
    return True


def _running(events: Iterable[Event]) -> Iterator[int]:
    """The time that the clock has reached when each event comes."""
    now = 0
    for event in events:
        now = max(now, event.time)
        yield now


def _renamed(case: dict[str, Any], prefix: str) -> dict[str, Any]:
    """The case with its accounts' names made its own."""
    rows = []
    for time, account, kind, given, *extra in case["events"]:
        data = dict(given or {})
        if isinstance(data.get("to"), str) and data["to"]:
            data["to"] = prefix + data["to"]
        if isinstance(data.get("code"), str) and data["code"].startswith("${code:"):
            *operator, name = data["code"].removeprefix("${code:").removesuffix("}").split("/")
            data["code"] = f"${{code:{'/'.join([*operator, prefix + name])}}}"
        rows.append([time, f"{prefix}{account}", kind, data, *extra])
    return {**case, "events": rows, "raw": [_renamed_line(line, prefix) for line in case.get("raw", [])]}


def _renamed_line(line: str, prefix: str) -> str:
    """A raw line with its account's name made the case's own, spelt as it is."""
    named = re.search(r'"subject":\s*"', line)
    return line if named is None else line[: named.end()] + prefix + line[named.end() :]


def _by_account(outcomes: Iterable[dict[str, Any]]) -> dict[str, list[str]]:
    """Account → its outcomes in order, each as canonical JSON."""
    found: dict[str, list[str]] = defaultdict(list)
    for outcome in outcomes:
        found[f"{outcome['operator']}/{outcome['subject']}"].append(json.dumps(outcome, sort_keys=True))
    return dict(found)


class Wave(NamedTuple):
    """Events of different cases that are fed together, after a tick to the time `tick` if there is one."""

    tick: int | None
    events: list[Event]


def _waves(cases: list[Prepared]) -> Iterator[Wave]:
    """First the cases that come in order of time, the n-th events of all of them together: what is due before an
    event acts in its own account, so they need no clock. Then those with late events, where it matters how far the
    clock has come: in order of that time."""
    in_time = [case for case in cases if not case.as_arrived]
    for place in range(max(len(case.events) for case in in_time)):
        yield Wave(None, [case.events[place][1] for case in in_time if place < len(case.events)])
    late = [case for case in cases if case.as_arrived]
    everything = sorted(
        (when, number, place)
        for number, case in enumerate(late)
        for place, (when, _) in enumerate(case.events)
    )
    wave = Wave(0, [])
    busy: set[int] = set()
    for when, number, place in everything:
        if number in busy or not wave.events:
            if wave.events:
                yield wave
            wave, busy = Wave(when, []), set()
        wave.events.append(late[number].events[place][1])
        busy.add(number)
    yield wave


class Feed:
    """Feeds waves, waits for rest, and collects what came out."""

    def __init__(self, world: World) -> None:
        self._world: Final = world
        self._partitions: Final = range(world.settings.partitions)
        self.outcomes: Final[dict[str, list[dict[str, Any]]]] = defaultdict(list)
        """Account → its outcomes in the order applied, as the journal has them."""
        self.published: Final[list[str]] = []
        """What the outcome topics hold, as canonical JSON."""
        self.dead_letters: Final[list[dict[str, Any]]] = []
        self._last_link: Final[dict[TopicPartition, int]] = {}

    async def run(self, waves: Iterable[Wave], ends_at: int) -> None:
        """Feed everything, then let time pass until the last case has ended."""
        kafka = self._world.settings.kafka()
        self._admin = AIOKafkaAdminClient(**kafka)
        self._producer = AIOKafkaProducer(**kafka, linger_ms=1)
        self._consumer = AIOKafkaConsumer(**kafka, isolation_level="read_committed", fetch_max_wait_ms=20)
        self._writes = AIOKafkaConsumer(**kafka, isolation_level="read_uncommitted")
        watched = [TopicPartition(t, p) for t in WATCHED for p in self._partitions]
        self._consumer.assign(watched)
        self._watched = watched
        await self._admin.start()
        async with self._producer, self._consumer, self._writes:
            await self._consumer.seek_to_beginning(*watched)
            for number, wave in enumerate(waves):
                if wave.tick is not None:
                    await self._tick(number, wave.tick)
                await asyncio.gather(*[self._send(event) for event in wave.events])
                await self._rest()
            await self._tick(-1, ends_at)
            await self._rest()
        await self._admin.close()

    async def _send(self, event: Event) -> None:
        key = f"{event.operator}/{event.account}".encode()
        sent = await self._producer.send(
            TOPIC_OF_TYPE[event.type], event.raw, key=key, timestamp_ms=event.time // 1000
        )
        await sent

    async def _tick(self, number: int, time: int) -> None:
        tick = {
            "specversion": "1.0",
            "id": f"tick-{number}",
            "source": "/loyalty/clock",
            "type": "clock.advanced",
            "time": _utc(time),
            "data": {},
        }
        for partition in self._partitions:
            await self._producer.send_and_wait(
                CLOCK.name, orjson.dumps(tick), partition=partition, timestamp_ms=time // 1000
            )

    async def _rest(self) -> None:
        """Wait until every record is worked off, the links that the last ones caused included."""
        inbound = [TopicPartition(t.name, p) for t in TASK if t is not LINKS for p in self._partitions]
        links = [TopicPartition(LINKS.name, p) for p in self._partitions]
        deadline = asyncio.get_running_loop().time() + QUIET_SECONDS_MAX
        while True:
            links_before = dict(self._last_link)
            committed = await self._admin.list_consumer_group_offsets(self._world.application_id)
            ends = await self._consumer.end_offsets(inbound)
            # Offsets may show some moments before the links of their transaction do.
            written = await self._writes.end_offsets(links)
            stable = await self._consumer.end_offsets(links)
            await self._collect()
            if (
                written == stable
                and all(
                    end == 0 or (tp in committed and committed[tp].offset >= end) for tp, end in ends.items()
                )
                and links_before == self._last_link
                and all(
                    tp in committed and committed[tp].offset > last for tp, last in self._last_link.items()
                )
            ):
                return
            if asyncio.get_running_loop().time() > deadline:
                pytest.fail(
                    "the stream did not come to rest\n"
                    + "\n".join(w.log[-3000:] for w in self._world.workers)
                )

    async def _collect(self) -> None:
        ends = await self._consumer.end_offsets(self._watched)
        while True:
            behind = [tp for tp in self._watched if await self._consumer.position(tp) < ends[tp]]
            if not behind:
                return
            for tp, records in (await self._consumer.getmany(timeout_ms=20)).items():
                for record in records:
                    if tp.topic == LINKS.name:
                        self._last_link[tp] = record.offset
                    elif tp.topic == DEAD_LETTERS.name:
                        self.dead_letters.append(orjson.loads(record.value))
                    elif tp.topic == JOURNAL.name:
                        self.outcomes[record.key.decode()] += orjson.loads(record.value)["outcomes"]
                    else:
                        self.published.append(json.dumps(orjson.loads(record.value), sort_keys=True))


def _utc(time: int) -> str:
    seconds, micros = divmod(time, 1_000_000)
    return datetime.datetime.fromtimestamp(seconds, datetime.UTC).replace(microsecond=micros).isoformat()


def all_cases() -> list[dict[str, Any]]:
    """The project's cases, and the acceptance cases where they lie beside the checkout."""
    files = [*sorted(CASES.glob("*.yaml")), *sorted(SHARED.glob("*.yaml"))]
    return read_cases(*files)


@pytest.mark.timeout(600)
@pytest.mark.parametrize("world", [1, 4], indirect=True, ids=["1 partition", "4 partitions"])
def test_all_cases_at_once_give_what_simulate_gives(world: World) -> None:
    engine = new_engine()
    cases = [Prepared(number, case, engine) for number, case in enumerate(all_cases())]
    assert len(cases) >= 50
    world.worker("loyalty.cli", "worker", "--development-key").wait_for("ready: ")
    feed = Feed(world)
    asyncio.run(feed.run(_waves(cases), max(case.ends_at for case in cases)))
    differences = []
    for case in cases:
        accounts = {key for key in feed.outcomes if key.split("/", 1)[1].startswith(case.prefix)}
        for key in sorted(accounts | case.outcomes.keys()):
            # The deployment's clock goes on to the end of the last case; each is judged up to its own end.
            got = [o for o in feed.outcomes.get(key, []) if parse_instant(o["time"]) <= case.ends_at]
            if _in_order(got) != case.outcomes.get(key, []):
                differences.append((key, _in_order(got), case.outcomes.get(key, [])))
    assert not differences, f"{len(differences)} accounts differ, the first: {differences[0]}"
    assert sorted(feed.published) == sorted(o for found in feed.outcomes.values() for o in _in_order(found))
    assert len(feed.dead_letters) == sum(case.refused for case in cases)


def _in_order(outcomes: list[dict[str, Any]]) -> list[str]:
    return [json.dumps(outcome, sort_keys=True) for outcome in outcomes]
