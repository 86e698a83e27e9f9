"""Where the records of a batch go, and up to where its own topics are worked off."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from aiokafka.partitioner import murmur2

from schemas.produce import Produce
from schemas.record import Record
from schemas.topics import LINKS

_LINKS: Final = LINKS.name


def by_destination(
    produce: Sequence[Produce], partition: int, partitions: int
) -> dict[tuple[str, int], list[Produce]]:
    """The records by topic and partition, in their order: the task's own partition, but for links."""
    found: dict[tuple[str, int], list[Produce]] = {}
    own: dict[str, list[Produce]] = {}
    for record in produce:
        topic = record.topic
        if topic == _LINKS:
            to = (topic, link_partition(record.key, partitions))
            links = found.get(to)
            if links is None:
                links = found[to] = []
            links.append(record)
        else:
            written = own.get(topic)
            if written is None:
                written = own[topic] = found[topic, partition] = []
            written.append(record)
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
