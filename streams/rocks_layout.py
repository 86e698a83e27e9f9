"""What lies where in the RocksDB of a store.

    00 "identity"               what the store is of, as JSON
    00 "offset"                 the changelog offset to read on from, decimal
    00 "filling"                present while the store is being filled and has no due index; see `rocks_filling`
    01 moment(8) key            the due index: nothing but the key
    02 key                      moment(8) row

A moment is big-endian and shifted so that bytes sort as moments do; NEVER is not in the index.
"""

from __future__ import annotations

from typing import Final

from schemas.account import NEVER as NEVER_DUE

LAYOUT: Final = 1
"""Version of the layout; a store of another one is discarded."""

IDENTITY: Final = b"\0identity"
OFFSET: Final = b"\0offset"
FILLING: Final = b"\0filling"
DUE: Final = b"\1"
ROW: Final = b"\2"
END: Final = b"\3"
"""Behind the last row."""

MOMENT_BYTES: Final = 8
_SHIFT: Final = 2**63


def packed(moment: int) -> bytes:
    """A due moment as it lies in the store."""
    return (moment + _SHIFT).to_bytes(MOMENT_BYTES, "big")


NEVER: Final = packed(NEVER_DUE)


def due_entry(place: bytes) -> tuple[int, bytes]:
    """The due moment and the key of a place in the due index."""
    moment_end = len(DUE) + MOMENT_BYTES
    return int.from_bytes(place[len(DUE) : moment_end], "big") - _SHIFT, place[moment_end:]
