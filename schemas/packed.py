"""Lists of entries of one size, packed into bytes."""

from __future__ import annotations

from typing import Final

NOT_THERE: Final = -1


def find(entries: bytes, beginning: bytes, entry_bytes: int) -> int:
    """Where the first entry that begins so begins itself, or `NOT_THERE`."""
    at: int = entries.find(beginning)
    while at > 0 and at % entry_bytes:  # these bytes stand within an entry, or across two
        at = entries.find(beginning, at + 1)
    return at


def without(entries: bytes, at: int, entry_bytes: int) -> bytes:
    """The entries but for the one that begins at `at`."""
    return entries[:at] + entries[at + entry_bytes :]
