"""One record as it was read from a topic."""

from __future__ import annotations

from typing import Final

from mypy_extensions import mypyc_attr


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


@mypyc_attr(acyclic=True)
class Fields:
    """What a partition says of some records, in their order, field by field: as they are handed between processes.

    `hashes` has one entry for each record, or none at all.
    """

    __slots__ = ("hashes", "keys", "offsets", "timestamps", "values")

    def __init__(
        self,
        offsets: list[int],
        timestamps: list[int],
        keys: list[bytes | None],
        values: list[bytes | None],
        hashes: list[bytes],
    ) -> None:
        self.offsets: Final = offsets
        self.timestamps: Final = timestamps
        self.keys: Final = keys
        self.values: Final = values
        self.hashes: Final = hashes


def records(topic: str, partition: int, fields: Fields) -> list[Record]:
    """The records of a partition."""
    offsets, timestamps, hashes = fields.offsets, fields.timestamps, fields.hashes
    keys, values = fields.keys, fields.values
    found: list[Record] = []
    for index in range(len(offsets)):
        hashed = hashes[index] if hashes else b""
        found.append(
            Record(topic, partition, offsets[index], timestamps[index], keys[index], values[index], hashed)
        )
    return found
