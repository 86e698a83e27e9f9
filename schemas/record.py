"""One record as it was read from a topic."""

from __future__ import annotations

from typing import Final

from mypy_extensions import mypyc_attr


@mypyc_attr(acyclic=True)
class Record:
    """One record read from a topic; `timestamp` in milliseconds since the epoch.

    `ahead` is what `schemas.wire.read_ahead` says of value and key, if it was asked already, or empty.
    """

    __slots__ = ("ahead", "key", "offset", "partition", "timestamp", "topic", "value")

    def __init__(
        self,
        topic: str,
        partition: int,
        offset: int,
        timestamp: int,
        key: bytes | None,
        value: bytes | None,
        ahead: bytes = b"",
    ) -> None:
        self.topic: Final = topic
        self.partition: Final = partition
        self.offset: Final = offset
        self.timestamp: Final = timestamp
        self.key: Final = key
        self.value: Final = value
        self.ahead: Final = ahead


@mypyc_attr(acyclic=True)
class Fields:
    """What a partition says of some records, in their order, field by field: as they are handed between processes.

    `ahead` has one entry for each record, or none at all.
    """

    __slots__ = ("ahead", "keys", "offsets", "timestamps", "values")

    def __init__(
        self,
        offsets: list[int],
        timestamps: list[int],
        keys: list[bytes | None],
        values: list[bytes | None],
        ahead: list[bytes],
    ) -> None:
        self.offsets: Final = offsets
        self.timestamps: Final = timestamps
        self.keys: Final = keys
        self.values: Final = values
        self.ahead: Final = ahead


def records(topic: str, partition: int, fields: Fields) -> list[Record]:
    """The records of a partition."""
    offsets, timestamps, ahead = fields.offsets, fields.timestamps, fields.ahead
    keys, values = fields.keys, fields.values
    found: list[Record] = []
    for index in range(len(offsets)):
        known = ahead[index] if ahead else b""
        found.append(
            Record(topic, partition, offsets[index], timestamps[index], keys[index], values[index], known)
        )
    return found
