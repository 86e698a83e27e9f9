"""What a fold wants written."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from mypy_extensions import mypyc_attr

from schemas.columns import Columns
from schemas.produce import Produce


@mypyc_attr(acyclic=True)
class Outbox:
    """Records to be written, in the order in which they came about: gone through one by one, or topic by topic."""

    __slots__ = ("_order", "topics")

    def __init__(self) -> None:
        self.topics: Final[dict[str, Columns]] = {}
        self._order: Final[list[str]] = []

    def add(self, topic: str, key: bytes | None, value: bytes | None, timestamp: int) -> None:
        """One more record; `timestamp` in milliseconds since the epoch."""
        columns = self.topics.get(topic)
        if columns is None:
            columns = self.topics[topic] = Columns([], [], [])
        columns.keys.append(key)
        columns.values.append(value)
        columns.timestamps.append(timestamp)
        self._order.append(topic)

    def __len__(self) -> int:
        return len(self._order)

    def __iter__(self) -> Iterator[Produce]:
        rows = {
            topic: zip(columns.keys, columns.values, columns.timestamps, strict=True)
            for topic, columns in self.topics.items()
        }
        for topic in self._order:
            yield Produce(topic, *next(rows[topic]))
