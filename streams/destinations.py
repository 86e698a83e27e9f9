"""Where the records of a batch go, and up to where its own topics are worked off."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from aiokafka.partitioner import murmur2

from schemas.columns import Columns
from schemas.outbox import Outbox
from schemas.record import Record
from schemas.topics import LINKS

_LINKS: Final = LINKS.name


def by_destination(outbox: Outbox, partition: int, partitions: int) -> list[tuple[str, int, Columns]]:
    """The records by topic and partition, in their order: the task's own partition, but for links."""
    found: list[tuple[str, int, Columns]] = []
    for topic, columns in outbox.topics.items():
        if topic == _LINKS:
            found += [(topic, to, links) for to, links in _links(columns, partitions).items()]
        else:
            found.append((topic, partition, columns))
    return found


def _links(columns: Columns, partitions: int) -> dict[int, Columns]:
    found: dict[int, Columns] = {}
    keys, values, timestamps = columns.keys, columns.values, columns.timestamps
    for index in range(len(keys)):
        to = link_partition(keys[index], partitions)
        links = found.get(to)
        if links is None:
            links = found[to] = Columns([], [], [])
        links.keys.append(keys[index])
        links.values.append(values[index])
        links.timestamps.append(timestamps[index])
    return found


def next_offsets(records: Sequence[Record], consumed: int) -> dict[str, int]:
    """For each topic the offset after the last one of the first `consumed` records."""
    found: dict[str, int] = {}
    for index in range(consumed):
        record = records[index]
        found[record.topic] = record.offset + 1
    return found


def link_partition(key: bytes | None, partitions: int) -> int:
    """The partition of the account a link record is for: Kafka's default partitioner on the key."""
    return int(murmur2(key or b"") & 0x7FFFFFFF) % partitions
