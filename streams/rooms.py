"""Memory that a worker shares with its I/O process."""

from __future__ import annotations

import marshal
from mmap import mmap
from typing import Any, Final

from streams.frames import PLAIN


class Rooms:
    """Made before the processes part. The system gives the pages only as they are written to."""

    BYTES: Final = 64 * 1024 * 1024
    WRITTEN: Final = 3
    """Rooms for what is to be written: one is filled while others are emptied, or have been and it is not known yet."""

    def __init__(self) -> None:
        self.fetched: Final = (mmap(-1, self.BYTES), mmap(-1, self.BYTES))
        self.written: Final = tuple(mmap(-1, self.BYTES) for _ in range(self.WRITTEN))


Laid = int | bytes
"""How many bytes of a room to read; or the data itself, which did not fit in and goes through the socket."""


def lay(room: mmap, value: Any) -> Laid:
    """Lay a plain value into a room."""
    data = marshal.dumps(value, PLAIN)
    if len(data) > len(room):
        return data
    room[: len(data)] = data
    return len(data)


def pick_up(room: mmap, laid: Laid) -> Any:
    """The value that was laid there."""
    if isinstance(laid, bytes):
        return marshal.loads(laid)
    with memoryview(room)[:laid] as data:
        return marshal.loads(data)
