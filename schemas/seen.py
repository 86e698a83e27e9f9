"""What was applied to an account within the dedup horizon, packed into the bytes that the row keeps.

24 bytes an entry, in the order applied: identity and content hash (8 bytes each, see `schemas.wire`) and the time in
microseconds since the epoch. An account is asked at every event whether it has seen it, and written with all that it
has seen: as bytes that is one search and one copy, and nothing has to be taken apart.
"""

from __future__ import annotations

from struct import Struct
from typing import Final

from schemas import packed
from schemas.packed import NOT_THERE

__all__ = [
    "ENTRY_BYTES",
    "NOT_THERE",
    "NO_CONTENT",
    "content",
    "entry",
    "find",
    "identity",
    "remember",
    "time",
]

ENTRY_BYTES: Final = 24
NO_CONTENT: Final = bytes(8)
"""Content hash of what is known by its identity alone."""
_CONTENT: Final = 8
_TIME: Final = 16
_entry: Final = Struct("<8s8sq").pack
_time_at: Final = Struct("<q").unpack_from


def find(seen: bytes, identity: bytes) -> int:
    """Where the entry of an identity begins, or `NOT_THERE`."""
    return packed.find(seen, identity, ENTRY_BYTES)


def identity(seen: bytes, at: int) -> bytes:
    """The identity of the entry that begins at `at`."""
    return seen[at : at + _CONTENT]


def content(seen: bytes, at: int) -> bytes:
    """The content hash of the entry that begins at `at`."""
    return seen[at + _CONTENT : at + _TIME]


def time(seen: bytes, at: int) -> int:
    """The time of the entry that begins at `at`."""
    found: int = _time_at(seen, at + _TIME)[0]
    return found


def entry(identity: bytes, content: bytes, time: int) -> bytes:
    """One entry."""
    packed_entry: bytes = _entry(identity, content, time)
    return packed_entry


def remember(seen: bytes, before: int, identity: bytes, content: bytes, time_: int, horizon: int) -> bytes:
    """With one more entry at the end, and without the first ones as long as they are older than `horizon`.

    `before` is where `find` finds an old entry of this identity, which goes.
    """
    if before != NOT_THERE:
        seen = packed.without(seen, before, ENTRY_BYTES)
    first = 0
    while first < len(seen) and time(seen, first) < horizon:
        first += ENTRY_BYTES
    return (seen[first:] if first else seen) + entry(identity, content, time_)
