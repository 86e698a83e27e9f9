"""Outcomes as a multiset: what the engine says of the events, and what a contender has written.

A multiset is kept as counts by type and the sum of hashes, so that order plays no part and millions fit.
What is hashed is the whole outcome, its id included. Only the balance is left out, and only for accounts in
referrals: points that another account sends come when they come, so the balance in between depends on it.
"""

from __future__ import annotations

import asyncio
import re
from collections import Counter
from collections.abc import Collection, Iterable, Iterator
from hashlib import blake2b
from importlib.util import find_spec
from typing import Final, NamedTuple

import orjson
from aiokafka import AIOKafkaConsumer, TopicPartition

from benchmarks.customers import OPERATOR
from benchmarks.events import CODE_KEY, PARTITIONS, Feed, merged
from engine.decide import Engine
from engine.simulation import Simulation
from loyalty.deployment import load
from schemas.dead_letter import Unreadable
from schemas.topics import CLOCK
from schemas.wire import read_event

_BALANCE: Final = re.compile(rb'"balance":-?[0-9]+,')
_MODULUS: Final = 2**128


class Tally:
    """A multiset of outcomes."""

    def __init__(self, in_referrals: Collection[str], *, keep: bool = False) -> None:
        self._in_referrals: Final = {account.encode() for account in in_referrals}
        self.types: Final[Counter[str]] = Counter()
        self.sum = 0
        self.kept: Final[Counter[bytes] | None] = Counter() if keep else None

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Tally) and (self.types, self.sum) == (other.types, other.sum)

    def __hash__(self) -> int:
        return self.sum

    def __len__(self) -> int:
        return self.types.total()

    def add(self, type: str, account: bytes, value: bytes) -> None:
        """Add an outcome."""
        if account in self._in_referrals:
            value = _BALANCE.sub(b"", value, count=1)
        self.types[type] += 1
        self.sum = (self.sum + int.from_bytes(blake2b(value, digest_size=16).digest())) % _MODULUS
        if self.kept is not None:
            self.kept[value] += 1

    def differences(self, other: Tally, most: int = 6) -> list[str]:
        """In what this one (what came) differs from the other (what should), for a person."""
        lines = [
            f"{type}: {self.types[type]} instead of {other.types[type]}"
            for type in sorted({*self.types, *other.types})
            if self.types[type] != other.types[type]
        ]
        if self.kept is not None and other.kept is not None:
            lines += [f"came: {value.decode()}" for value in list(self.kept - other.kept)[:most]]
            lines += [f"due:  {value.decode()}" for value in list(other.kept - self.kept)[:most]]
        return lines or ([] if self == other else ["as many of each type, but with other contents"])


def new_engine() -> Engine:
    """The engine with this programme and the key of the benchmarks."""
    return Engine([p for p in load(None) if p.operator == OPERATOR], CODE_KEY)


class Truth(NamedTuple):
    """What the engine says of the events with no stream in between."""

    outcomes: Tally
    letters: Counter[str]
    """Dead letters by reason."""


def expected(feed: Feed, *, keep: bool = False) -> Truth:
    """Decide a feed in memory; `keep` keeps the outcomes themselves, so that differences can be shown."""
    tally = Tally(feed.in_referrals, keep=keep)
    letters: Counter[str] = Counter()
    engine = new_engine()
    simulation = Simulation(engine)
    operators = engine.books.operators
    ticked = 0
    for entry in merged(feed):
        try:
            event = read_event(entry.value, key=entry.key, topic=entry.topic, operators=operators)
            if event.type == CLOCK.types[0]:
                if event.time <= ticked:  # a tick stands in the feed once for each partition
                    continue
                ticked = event.time
                turns = simulation.advance(event.time)
            else:
                turns = simulation.apply(event)
            for turn in turns:
                for outcome in turn.outcomes:
                    tally.add(outcome.type, outcome.subject.encode(), outcome.encoded())
        except Unreadable as error:
            letters[error.reason] += 1
    return Truth(tally, letters)


def read_outcomes(
    bootstrap: str, topics: Collection[str], in_referrals: Collection[str], *, keep: bool = False
) -> Tally:
    """The outcomes that a contender has committed to its topics."""
    tally = Tally(in_referrals, keep=keep)
    for key, value in read_committed(bootstrap, topics):
        tally.add(_type(value), (key or b"/").partition(b"/")[2], value)
    return tally


def read_reasons(bootstrap: str, topic: str) -> Counter[str]:
    """Dead letters by reason."""
    return Counter(orjson.loads(value)["reason"] for _, value in read_committed(bootstrap, (topic,)))


def read_committed(bootstrap: str, topics: Collection[str]) -> Iterator[tuple[bytes | None, bytes]]:
    """Key and value of every committed record of some topics, which are no longer written to."""
    if find_spec("confluent_kafka") is None:
        return _read_by_aiokafka(bootstrap, topics)
    return _read_by_confluent(bootstrap, topics)


def _read_by_confluent(bootstrap: str, topics: Collection[str]) -> Iterator[tuple[bytes | None, bytes]]:
    """Many times as fast: a million outcomes are to be checked after every run."""
    from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, KafkaException, TopicPartition

    tps = [TopicPartition(topic, p, OFFSET_BEGINNING) for topic in topics for p in range(PARTITIONS)]
    consumer = Consumer(
        {
            "bootstrap.servers": bootstrap,
            "group.id": "bench-check",
            "isolation.level": "read_committed",
            "enable.auto.commit": False,
            "enable.partition.eof": True,
            "queued.min.messages": 100_000,
        }
    )
    consumer.assign(tps)
    unread = len(tps)
    try:
        while unread:
            for message in consumer.consume(10_000, timeout=0.2):
                error = message.error()
                if error is None:
                    yield message.key(), message.value()
                elif error.code() == KafkaError._PARTITION_EOF:
                    unread -= 1
                else:
                    raise KafkaException(error)
    finally:
        consumer.close()


def _read_by_aiokafka(bootstrap: str, topics: Collection[str]) -> Iterator[tuple[bytes | None, bytes]]:
    tps = [TopicPartition(topic, partition) for topic in topics for partition in range(PARTITIONS)]
    loop = asyncio.new_event_loop()
    consumer = None
    try:
        consumer = loop.run_until_complete(_reader(bootstrap, tps))
        ends = loop.run_until_complete(consumer.end_offsets(tps))
        unread = {tp for tp, end in ends.items() if end > 0}
        while unread:
            batches = loop.run_until_complete(consumer.getmany(*unread, timeout_ms=200))
            for records in batches.values():
                yield from ((record.key, record.value) for record in records)
            for tp in list(unread):
                if loop.run_until_complete(consumer.position(tp)) >= ends[tp]:
                    unread.discard(tp)
    finally:
        if consumer is not None:
            loop.run_until_complete(consumer.stop())
        loop.close()


async def _reader(bootstrap: str, tps: Iterable[TopicPartition]) -> AIOKafkaConsumer:
    consumer = AIOKafkaConsumer(
        bootstrap_servers=bootstrap,
        isolation_level="read_committed",
        enable_auto_commit=False,
        max_partition_fetch_bytes=4 * 2**20,
    )
    await consumer.start()
    consumer.assign(list(tps))
    await consumer.seek_to_beginning()
    return consumer


def _type(value: bytes) -> str:
    """The type of an outcome; all contenders write it with no blanks."""
    start = value.index(b'"type":"') + 8
    return value[start : value.index(b'"', start)].decode()
