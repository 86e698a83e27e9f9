"""One record that is to be written."""

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
