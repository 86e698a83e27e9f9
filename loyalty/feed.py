"""A file of events made ready for the topics: read, ordered, routed, with clock ticks in between.

An `Entry` is one record to be: topic, partition, key, value, and the event's own time as its timestamp.
Pure: nothing here talks to Kafka.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator
from functools import lru_cache
from typing import Final, NamedTuple

import orjson
from aiokafka.partitioner import murmur2

from loyalty.ticks import tick_value
from schemas.dead_letter import Unreadable
from schemas.topics import CLOCK, PAYMENTS, TOPIC_OF_TYPE
from schemas.wire import read_event

_CACHED_KEYS: Final = 100_000


class Fact(NamedTuple):
    """One line of a feed: when it happened (microseconds), and where it goes; the partition is still open."""

    time: int
    topic: str
    key: bytes | None
    value: bytes


class Entry(NamedTuple):
    """One record to be written; `timestamp` in milliseconds since the epoch."""

    topic: str
    partition: int
    timestamp: int
    key: bytes | None
    value: bytes


class Refused(NamedTuple):
    """A line that is no event: its number in the file, the line, and why."""

    line: int
    value: bytes
    error: Unreadable


def read_feed(
    lines: Iterable[bytes],
    *,
    operators: Collection[str],
    refuse: Callable[[Refused], None],
    as_arrived: bool = False,
    raw: bool = False,
) -> list[Fact]:
    """The facts of NDJSON lines, by default in order of time, ties in the order of the file.

    Lines that cannot be read are handed to `refuse`; with `raw` they become facts as well, at the time of
    the line before, where their producer would write them, or to the topic of payments. `clock.advanced` is
    left out: ticks are made anew.
    """
    facts: list[Fact] = []
    time = 0
    for number, line in enumerate(lines, 1):
        value = line.strip()
        if not value:
            continue
        try:
            event = read_event(value, key=None, topic=None, operators=operators)
        except Unreadable as error:
            refuse(Refused(number, value, error))
            if raw:
                facts.append(_as_it_is(time, value))
            continue
        if event.type in CLOCK.types:
            continue
        time = event.time
        key = f"{event.operator}/{event.account}".encode()
        facts.append(Fact(time, TOPIC_OF_TYPE[event.type], key, value))
    if not as_arrived:
        facts.sort(key=lambda fact: fact.time)
    return facts


def _as_it_is(time: int, value: bytes) -> Fact:
    """A line that is no event, with the key and topic that it names itself, as far as it does."""
    try:
        record = orjson.loads(value)
    except orjson.JSONDecodeError:
        record = None
    if not isinstance(record, dict):
        return Fact(time, PAYMENTS.name, None, value)
    operator, account, type_ = (record.get(name) for name in ("operator", "subject", "type"))
    named = isinstance(operator, str) and isinstance(account, str)
    key = f"{operator}/{account}".encode() if named else None
    topic = TOPIC_OF_TYPE.get(type_, PAYMENTS.name) if isinstance(type_, str) else PAYMENTS.name
    return Fact(time, topic, key, value)


def with_ticks(facts: Iterable[Fact], ticks: Iterable[int]) -> Iterator[Fact]:
    """The facts with `clock.advanced` facts (without a key) in between, each before what happens at its time.

    Late facts do not turn the clock back: a tick comes before the first fact that has reached it.
    """
    waiting = iter(ticks)
    tick = next(waiting, None)
    for fact in facts:
        while tick is not None and tick <= fact.time:
            yield Fact(tick, CLOCK.name, None, tick_value(tick))
            tick = next(waiting, None)
        yield fact
    while tick is not None:
        yield Fact(tick, CLOCK.name, None, tick_value(tick))
        tick = next(waiting, None)


def route(facts: Iterable[Fact], partitions: int) -> Iterator[Entry]:
    """The records of the facts: an event goes to its account's partition, a tick to every one."""
    for fact in facts:
        timestamp = fact.time // 1000
        if fact.topic == CLOCK.name:
            for partition in range(partitions):
                yield Entry(fact.topic, partition, timestamp, None, fact.value)
        else:
            partition = partition_of(fact.key or fact.value, partitions)
            yield Entry(fact.topic, partition, timestamp, fact.key, fact.value)


@lru_cache(_CACHED_KEYS)
def partition_of(key: bytes, partitions: int) -> int:
    """The partition of an account's records: Kafka's default partitioner on the key."""
    return int(murmur2(key) & 0x7FFFFFFF) % partitions
