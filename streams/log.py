"""The log as this stream sees it: what is asked of Kafka, and nothing else.

Batches, transactions and recovery know the log by these protocols only. In production Kafka is behind them
(`streams.consumer`, `streams.task_producer`); in the tests' simulation a log in memory is, under the same code.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from typing import NamedTuple, Protocol

from faust.types import TP

from schemas.record import Fields
from schemas.topics import LINKS
from streams.lost_records import Bounds
from streams.record_batch import Item
from streams.topic_identity import TopicIdentity


class Known(NamedTuple):
    """How far a partition has been read, and what its last answer said and when (ms): None when unknown."""

    position: int | None
    end: int | None
    seen_ms: int


class Wanted(NamedTuple):
    """What a fetch is to bring. If there is more than it may, urgent ones have equal shares, others what is left."""

    urgent: Sequence[TP]
    others: Sequence[TP] = ()
    watched: Sequence[TP] = ()
    """Of these the progress is told, but no records are read."""

    @property
    def all(self) -> frozenset[TP]:
        """All partitions whose progress is told."""
        return frozenset((*self.urgent, *self.others, *self.watched))


class Committed(NamedTuple):
    """What a group has committed of some partitions: the next offsets (None where it has none), and the notes with them."""

    offsets: dict[TP, int | None]
    notes: dict[TP, str]


class Fetched(NamedTuple):
    """What one fetch brought, and how far each partition has been read."""

    fields: Callable[[], Mapping[TP, Fields]]
    """Picks up the records that were brought; they wait until the next fetch but one is asked for."""
    progress: Mapping[TP, Known]


def known_end(topic: str, *, stable: int | None, written: int | None) -> int | None:
    """Which end a topic must have been read to before it counts as caught up.

    Records of an open transaction count: they may be earlier than what others already show, and so a feed that
    writes its topics in one transaction is seen in order. Not so for links, which may come in any order and are
    in other tasks' open transactions all the time.
    """
    return stable if topic == LINKS.name else written


class TaskLog(Protocol):
    """Reading, with read_committed."""

    def fetch(self, wanted: Wanted, timeout: float, records_max: int) -> Awaitable[Fetched]:
        """Read what is there of what is wanted; wait up to `timeout` seconds for records or progress."""
        ...

    async def bounds(self, tps: Iterable[TP]) -> dict[TP, Bounds]:
        """The first offset and the last stable one of each partition, asked of the broker now."""
        ...

    async def identity(self, topic: str) -> TopicIdentity:
        """Which topic it is that has this name now; raises KafkaError if there is none."""
        ...

    async def read_from(self, offsets: Mapping[TP, int | None]) -> None:
        """Fetch `offsets` from there on (None: from the beginning), whatever was fetched before."""
        ...

    async def committed(self, tps: Iterable[TP]) -> Committed:
        """What the group has committed of these."""
        ...

    async def rest(self, tps: Iterable[TP]) -> None:
        """Fetch nothing more of `tps` until `read_from` is called for them."""
        ...


class TaskProducer(Protocol):
    """The transactional producer of one task; opening it fenced the one before.

    Every method raises KafkaError when the broker failed or refused; of a commit it is unknown then whether it
    has happened.
    """

    async def begin(self) -> None:
        """Begin a transaction."""
        ...

    async def send(self, topic: str, partition: int, items: Iterable[Item]) -> int:
        """Write records, which are gone through once, and wait for them; returns the offset after the last one."""
        ...

    async def send_offsets(self, offsets: Mapping[TP, int], group: str, note: str) -> None:
        """Have the transaction commit these offsets, the next ones to read, for the group; each with this note."""
        ...

    async def commit(self) -> None:
        """Commit all of it."""
        ...

    async def abort(self) -> None:
        """Give all of it up."""
        ...

    async def close(self) -> None:
        """Close the connection; what is open stays open."""
        ...
