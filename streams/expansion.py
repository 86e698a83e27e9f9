"""Compressed record batches, opened without trusting them.

A batch of a few kilobytes can expand to gigabytes, and the client expands a batch whole. Here it stops at a limit: a
batch that goes beyond is one record whose value says so, at the batch's last offset, for the fold to refuse. And a
fetch brings no more of expanded batches than it would of plain ones: the rest is asked for again.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator
from typing import Any, Final, NamedTuple

import cramjam
from aiokafka.record import default_records as in_python
from aiokafka.record._crecords import default_records as in_c

from schemas.unread import Unread

BATCH_BYTES_MAX: Final = 16 * 1024 * 1024
"""What a batch may expand to. Producers collect one megabyte at most, some of them counted after compression."""
READ_BYTES_MAX: Final = 4 * 1024 * 1024
"""After so many expanded bytes nothing more is taken from a fetch; the client's limit for what comes uncompressed."""

_GZIP: Final = 16 + zlib.MAX_WBITS
_XERIAL: Final = b"\x82SNAPPY\x00"
_XERIAL_HEADER_BYTES: Final = 16
_CODECS: Final = {1: "gzip", 2: "snappy", 3: "lz4", 4: "zstd"}
_NO_ROOM: Final = "failed to write whole buffer"


class TooFar(Exception):
    """A batch expands beyond the limit."""


class Refused(NamedTuple):
    """What stands for a batch that was not read, with the attributes of the client's records."""

    offset: int
    timestamp: int
    key: bytes | None
    value: bytes


def bound_expansion() -> None:
    """Have the client expand batches within the limit; again is no harm."""
    for module in (in_c, in_python):
        for codec, expand in (("gzip", _gunzip), ("snappy", _unsnap), ("lz4", _unlz4), ("zstd", _unzstd)):
            setattr(module, f"{codec}_decode", expand)


class Batches:
    """The batches of one fetch of a partition: `records` as the client has them, compressed ones wrapped."""

    __slots__ = ("_records", "expanded")

    def __init__(self, records: Any) -> None:
        self._records: Final = records
        self.expanded = 0
        """Bytes that compressed batches have grown to so far."""

    def has_next(self) -> bool:
        """Whether there is one more that may be read now."""
        return self.expanded < READ_BYTES_MAX and bool(self._records.has_next())

    def next_batch(self) -> Any:
        """The next one."""
        batch = self._records.next_batch()
        return _Compressed(batch, self) if getattr(batch, "compression_type", 0) else batch


class _Compressed:
    """A compressed batch that is one refused record when it expands too far."""

    __slots__ = ("_batch", "_of")

    def __init__(self, batch: Any, of: Batches) -> None:
        self._batch: Final = batch
        self._of: Final = of

    def __getattr__(self, name: str) -> Any:
        return getattr(self._batch, name)

    def __iter__(self) -> Iterator[Any]:
        try:
            records = iter(self._batch)  # this expands it
        except TooFar:
            self._of.expanded += BATCH_BYTES_MAX
            yield self._refused()
            return
        for record in records:
            self._of.expanded += len(record.value or b"") + len(record.key or b"")
            yield record

    def _refused(self) -> Refused:
        batch = self._batch
        last = batch.next_offset - 1
        text = (
            f"value: its record batch (offsets {batch.base_offset} to {last}, {_CODECS[batch.compression_type]}) expands "
            f"to more than {BATCH_BYTES_MAX} bytes and was not read; write smaller batches"
        )
        return Refused(last, batch.max_timestamp, None, Unread(text.encode()))


def _gunzip(payload: Any) -> bytes:
    left, out = bytes(payload), b""
    while left:
        opened = zlib.decompressobj(_GZIP)
        out += opened.decompress(left, BATCH_BYTES_MAX + 1 - len(out))
        if len(out) > BATCH_BYTES_MAX:
            raise TooFar
        left = opened.unused_data
    return out


def _unsnap(payload: Any) -> bytes:
    data = memoryview(payload).cast("B")
    if bytes(data[: len(_XERIAL)]) != _XERIAL:
        return _unsnap_block(data, BATCH_BYTES_MAX)
    out, at = bytearray(), _XERIAL_HEADER_BYTES
    while at < len(data):
        end = at + 4 + int.from_bytes(data[at : at + 4], "big")
        out += _unsnap_block(data[at + 4 : end], BATCH_BYTES_MAX - len(out))
        at = end
    return bytes(out)


def _unsnap_block(data: memoryview, room: int) -> bytes:
    if cramjam.snappy.decompress_raw_len(data) > room:
        raise TooFar
    return bytes(cramjam.snappy.decompress_raw(data))


def _unlz4(payload: Any) -> bytes:
    return _into(cramjam.lz4.decompress_into, payload)


def _unzstd(payload: Any) -> bytes:
    return _into(cramjam.zstd.decompress_into, payload)


def _into(expand: Callable[[Any, bytearray], int], payload: Any) -> bytes:
    # The system gives the room's pages only as they are written to.
    room = bytearray(BATCH_BYTES_MAX)
    try:
        count = expand(payload, room)
    except cramjam.DecompressionError as error:
        if _NO_ROOM in str(error):
            raise TooFar from None
        raise
    return bytes(memoryview(room)[:count])
