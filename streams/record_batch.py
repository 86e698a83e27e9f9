"""A record batch of Kafka's (format 2, uncompressed), built in one go.

The client takes records one by one into a buffer that grows, and computes the checksum of it in software. Here they are
joined once, and the processor computes the checksum. The bytes are the client's own, which
`tests/test_streams_record_batch.py` compares.
The methods are those that the client's producer calls on a batch that it is given, and have its names.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import chain
from struct import Struct
from typing import Final

import google_crc32c

Item = tuple[bytes | None, bytes | None, int]
"""Key, value and timestamp (ms) of a record to be written."""

OVERHEAD_BYTES: Final = 61
"""What a batch has before its records."""

_FRONT: Final = Struct(">qiibI")
"""Base offset, length of what follows, leader epoch, format, checksum of all that follows it."""
_REST: Final = Struct(">hiqqqhii")
"""Attributes, last offset from the base, first and last timestamp, producer, its epoch, base sequence, count."""
_UNCOUNTED_BYTES: Final = 12
"""Base offset and length: the length is that of all that follows them."""
_FORMAT: Final = 2
_NO_EPOCH: Final = -1
_TRANSACTIONAL: Final = 0x10
_NOTHING: Final = b"\x01"
"""The length -1, of a key or value that is null."""
_NO_HEADERS: Final = b"\x00"


def varint(value: int) -> bytes:
    """A number as Kafka writes lengths and differences: zigzag, seven bits a byte, the lowest first."""
    left = value << 1 if value >= 0 else ~(value << 1)
    found = []
    while left > 0x7F:
        found.append(left & 0x7F | 0x80)
        left >>= 7
    found.append(left)
    return bytes(found)


_KNOWN: Final = [varint(value) for value in range(8192)]
"""Of small numbers: nearly all that there are."""


class RecordBatch:
    """Records for one partition, for a transactional producer; of `bytes_max` bytes at most.

    A single record may be larger: whether it is too large is for the broker to say.
    """

    __slots__ = ("_body", "_count", "_front", "_timestamp_first", "_timestamp_last", "left")

    def __init__(self, first: Item, rest: Iterator[Item], bytes_max: int) -> None:
        self._front: bytes = b""
        self._body: bytes = b""
        self._count: int = 0
        self._timestamp_first: int = first[2]
        self._timestamp_last: int = first[2]
        self.left: Item | None = self._fill(first, rest, bytes_max - OVERHEAD_BYTES)
        """The one taken from `rest` that found no room any more; None when all are in."""

    def _fill(self, first: Item, rest: Iterator[Item], room: int) -> Item | None:
        known = _KNOWN
        known_to = len(known)
        records: list[bytes] = []
        start = last = stamped = first[2]
        stamp = b"\x00\x00"  # the attributes, which mean nothing yet, and the time since the first record
        count = 0
        left: Item | None = None
        for item in chain((first,), rest):
            key, value, timestamp = item
            if timestamp != stamped:
                stamp = b"\x00" + varint(timestamp - start)
                stamped = timestamp
            number = known[count] if count < known_to else varint(count)
            size = len(stamp) + len(number) + 1
            if key is None:
                key_size, key = _NOTHING, b""
            else:
                length = len(key)
                key_size = known[length] if length < known_to else varint(length)
            if value is None:
                value_size, value = _NOTHING, b""
            else:
                length = len(value)
                value_size = known[length] if length < known_to else varint(length)
            size += len(key_size) + len(key) + len(value_size) + len(value)
            record_size = known[size] if size < known_to else varint(size)
            room -= len(record_size) + size
            if room < 0 and count:
                left = item
                break
            count += 1
            last = max(last, timestamp)
            # Joined in tens at most: for more than that `join` takes 80 bytes for each piece first.
            records.append(
                b"".join((record_size, stamp, number, key_size, key, value_size, value, _NO_HEADERS))
            )
        self._count = count
        self._timestamp_last = last
        self._body = b"".join(records)
        return left

    def __len__(self) -> int:
        """Bytes on the wire."""
        return OVERHEAD_BYTES + len(self._body)

    def pieces(self) -> tuple[bytes, bytes]:
        """What goes on the wire, once the producer's state is known: what precedes the records, and the records."""
        return self._front, self._body

    def _set_producer_state(self, producer_id: int, producer_epoch: int, base_sequence: int) -> None:
        rest = _REST.pack(
            _TRANSACTIONAL,
            self._count - 1,
            self._timestamp_first,
            self._timestamp_last,
            producer_id,
            producer_epoch,
            base_sequence,
            self._count,
        )
        checksum = google_crc32c.extend(google_crc32c.value(rest), self._body)
        self._front = _FRONT.pack(0, len(self) - _UNCOUNTED_BYTES, _NO_EPOCH, _FORMAT, checksum) + rest

    def _build(self) -> RecordBatch:
        """What the client puts into a produce request; `streams.produce_request` writes its pieces."""
        return self

    def close(self) -> None:
        """Nothing: it is complete."""

    def closed(self) -> bool:
        """Always: it is complete."""
        return True

    def size(self) -> int:
        """Bytes on the wire."""
        return len(self)

    def record_count(self) -> int:
        """How many records it has."""
        return self._count


def record_batches(items: Iterable[Item], bytes_max: int) -> Iterator[RecordBatch]:
    """The records in as few batches as hold them, each made when it is asked for."""
    rest = iter(items)
    item = next(rest, None)
    while item is not None:
        batch = RecordBatch(item, rest, bytes_max)
        yield batch
        item = batch.left
