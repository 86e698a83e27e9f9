"""Records that go the same way, field by field: as they are handed from one process to another."""

from __future__ import annotations

from typing import Final

from mypy_extensions import mypyc_attr


@mypyc_attr(acyclic=True)
class Columns:
    """Keys, values and timestamps (milliseconds since the epoch) of records of one topic, in their order."""

    __slots__ = ("keys", "timestamps", "values")

    def __init__(self, keys: list[bytes | None], values: list[bytes | None], timestamps: list[int]) -> None:
        self.keys: Final = keys
        self.values: Final = values
        self.timestamps: Final = timestamps
