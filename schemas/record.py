"""One record as it was read from a topic."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from mypy_extensions import mypyc_attr

Row = tuple[int, int, bytes | None, bytes | None]
"""What a partition says of one record: offset, timestamp, key and value."""


@mypyc_attr(acyclic=True)
class Record:
    """One record read from a topic; `timestamp` in milliseconds since the epoch.

    `hashes` are what `schemas.wire.hashes` says of the value, if it was asked already, or empty.
    """

    __slots__ = ("hashes", "key", "offset", "partition", "timestamp", "topic", "value")

    def __init__(
        self,
        topic: str,
        partition: int,
        offset: int,
        timestamp: int,
        key: bytes | None,
        value: bytes | None,
        hashes: bytes = b"",
    ) -> None:
        self.topic: Final = topic
        self.partition: Final = partition
        self.offset: Final = offset
        self.timestamp: Final = timestamp
        self.key: Final = key
        self.value: Final = value
        self.hashes: Final = hashes


def records(topic: str, partition: int, rows: Sequence[Row], hashes: Sequence[bytes]) -> list[Record]:
    """The records of a partition; `hashes` are one for each row, or none at all."""
    found: list[Record] = []
    if hashes:
        for index in range(len(rows)):
            offset, timestamp, key, value = rows[index]
            found.append(Record(topic, partition, offset, timestamp, key, value, hashes[index]))
        return found
    for offset, timestamp, key, value in rows:
        found.append(Record(topic, partition, offset, timestamp, key, value))
    return found
