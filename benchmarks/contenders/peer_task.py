"""What every Python peer shares: one task's decisions, record by record or in batches, by our own fold.

A step from another account waits here until the task's time has come to it. Kafka Streams and this system do
that by merging topics by time; the peers do not, and without it an account would see its future.
"""

from __future__ import annotations

import heapq
import sys
from collections.abc import Iterable
from typing import Any, Final, NamedTuple

from agents.fold import TaskState
from benchmarks.cluster import task_token
from benchmarks.events import PARTITIONS
from benchmarks.outcomes import new_engine
from engine.decide import Engine
from loyalty.feed import partition_of
from schemas.produce import Produce
from schemas.record import Record
from schemas.topics import DEAD_LETTERS, DISCOUNTS, JOURNAL, LINKS, MEMBERS, POINTS, TOPIC_OF_TYPE

_OUT: Final = {
    topic.name: name
    for topic, name in (
        (POINTS, "points"),
        (DISCOUNTS, "discounts"),
        (MEMBERS, "members"),
        (JOURNAL, "journal"),
        (DEAD_LETTERS, "dead-letters"),
        (LINKS, "links"),
    )
}
_TYPE: Final = b'"type":"'


class Arguments(NamedTuple):
    """What the harness tells a contender."""

    bootstrap: str
    group: str
    directory: str

    def topic(self, name: str) -> str:
        """The run's own topic of that name."""
        return f"{self.group}.{name}"


def arguments() -> Arguments:
    """From the command line."""
    return Arguments(*sys.argv[1:4])


def ready() -> None:
    """Tell the harness that reading begins."""
    print("ready", flush=True)


class Rows(dict[bytes, bytes]):
    """Rows in memory, as a store of the fold."""

    def put_many(self, rows: Any, offset: int | None) -> None:
        """Take rows over."""
        self.update(rows)

    def has_any(self, beginnings: tuple[bytes, ...]) -> bool:
        """Whether there is a row whose key begins with one of these."""
        return any(key.startswith(beginnings) for key in self)


class Out(NamedTuple):
    """One record to be written: the topic's short name, the partition, key, value, timestamp."""

    name: str
    partition: int
    key: bytes | None
    value: bytes
    timestamp: int


class Kept(NamedTuple):
    """All that a task knows: what a peer with snapshots keeps of it."""

    partition: int
    rows: dict[bytes, bytes]
    now: int
    waiting: list[tuple[int, bytes | None, bytes | None]]
    """Steps of other accounts whose time has not come: (timestamp, key, value)."""


class PeerTask:
    """The accounts of one partition."""

    @classmethod
    def resumed(cls, kept: Kept, engine: Engine) -> PeerTask:
        """A task as it was kept."""
        task = cls(kept.partition, Rows(kept.rows), engine)
        task._now = kept.now
        for timestamp, key, value in kept.waiting:
            task._wait(timestamp, key, value)
        return task

    def __init__(self, partition: int, store: Rows, engine: Engine | None = None) -> None:
        self._partition: Final = partition
        self._rows: Final = store
        self._state: Final = TaskState(store, engine or new_engine())
        self._now = 0
        self._waiting: Final[list[tuple[int, int, Record]]] = []
        self._count = 0

    def take(self, values: Iterable[tuple[int, bytes]]) -> tuple[list[Out], dict[bytes, bytes]]:
        """Apply records of the merged topic, (timestamp, value); returns what to write, and changed rows."""
        records = []
        for timestamp, value in values:
            self._now = max(self._now, timestamp)
            records += self._due()
            records.append(self._record(timestamp, value))
        return self._fold(records)

    def take_link(self, timestamp: int, key: bytes, value: bytes) -> tuple[list[Out], dict[bytes, bytes]]:
        """Apply a step of another account, now or when its time has come."""
        self._wait(timestamp, key, value)
        return self._fold(self._due())

    def kept(self) -> Kept:
        """All that the task knows, apart from it."""
        waiting = [(record.timestamp, record.key, record.value) for _, _, record in sorted(self._waiting)]
        return Kept(self._partition, dict(self._rows), self._now, waiting)

    def _wait(self, timestamp: int, key: bytes | None, value: bytes | None) -> None:
        self._count += 1
        record = Record(LINKS.name, self._partition, 0, timestamp, key, value)
        heapq.heappush(self._waiting, (timestamp, self._count, record))

    def _due(self) -> list[Record]:
        due = []
        while self._waiting and self._waiting[0][0] <= self._now:
            due.append(heapq.heappop(self._waiting)[2])
        return due

    def _record(self, timestamp: int, value: bytes) -> Record:
        start = value.find(_TYPE) + len(_TYPE)
        topic = TOPIC_OF_TYPE[value[start : value.index(b'"', start)].decode()]
        return Record(topic, self._partition, 0, timestamp, _key(value), value)

    def _fold(self, records: list[Record]) -> tuple[list[Out], dict[bytes, bytes]]:
        out: list[Out] = []
        rows: dict[bytes, bytes] = {}
        while records:
            result = self._state.fold(records)
            records = records[result.consumed :]
            out += map(self._addressed, result.produce)
            rows |= result.rows
            self._rows.put_many(result.rows, None)
            self._state.committed()
        return out, rows

    def _addressed(self, item: Produce) -> Out:
        key, partition = item.key, self._partition
        if item.topic == LINKS.name:
            partition = partition_of(item.key or b"", PARTITIONS)
        assert item.value is not None, "the fold deletes nothing"
        return Out(_OUT[item.topic], partition, key, item.value, item.timestamp)


def _key(value: bytes) -> bytes | None:
    """The key that the record has in its own topic: the merged topic is keyed by task."""
    start = value.find(b'"subject":"')
    if start < 0:
        return None
    start += 11
    at = value.find(b'"operator":"') + 12
    return value[at : value.index(b'"', at)] + b"/" + value[start : value.index(b'"', start)]


__all__ = ["Arguments", "Out", "PeerTask", "Rows", "arguments", "ready", "task_token"]
