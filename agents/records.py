"""What the fold hands on: records to be written, and rows."""

from __future__ import annotations

from typing import Final

from mypy_extensions import mypyc_attr


@mypyc_attr(acyclic=True)
class Produce:
    """One record to be written; `timestamp` in milliseconds since the epoch."""

    __slots__ = ("key", "timestamp", "topic", "value")

    def __init__(self, topic: str, key: bytes | None, value: bytes | None, timestamp: int) -> None:
        self.topic: Final = topic
        self.key: Final = key
        self.value: Final = value
        self.timestamp: Final = timestamp


@mypyc_attr(acyclic=True)
class FoldResult:
    """What some records caused.

    `consumed` of them are worked off completely; `produce` is to be written, and `rows` (key → encoded row)
    to the changelog, in one transaction with the offsets of the consumed ones.
    """

    __slots__ = ("consumed", "produce", "rows")

    def __init__(self, consumed: int, produce: list[Produce], rows: dict[bytes, bytes]) -> None:
        self.consumed: Final = consumed
        self.produce: Final = produce
        self.rows: Final = rows
