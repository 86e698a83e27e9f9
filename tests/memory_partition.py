"""One partition of a log in memory: offsets, transaction markers, the stable end, what read_committed shows.

As Kafka has it: a marker occupies an offset and is never delivered; what an open transaction wrote holds back the
stable end; aborted records stay and are skipped; compaction leaves gaps.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

from faust.types import TP

from schemas.record import Record
from streams.record_batch import Item


class Entry:
    """What stands at one offset: a record, or (without one) a marker. `producer` None: in no transaction."""

    __slots__ = ("aborted", "offset", "producer", "record")

    def __init__(self, offset: int, producer: str | None, record: Record | None) -> None:
        self.offset: Final = offset
        self.producer: Final = producer
        self.record: Final = record
        self.aborted = False


class Answer(NamedTuple):
    """What a fetch from one partition brought: records, where to go on, and the ends as the broker saw them."""

    records: list[Record]
    position: int
    stable: int
    written: int


class MemoryPartition:
    """The log of one partition."""

    def __init__(self, tp: TP) -> None:
        self._tp: Final = tp
        self._entries: list[Entry] = []
        self._open: Final[dict[str, int]] = {}
        """Producers with an open transaction here, and where it began."""
        self.written = 0
        """The high watermark: the offset that the next record gets."""

    @property
    def stable(self) -> int:
        """The last stable offset: read_committed goes up to here."""
        return min(self._open.values(), default=self.written)

    def append(self, items: Sequence[Item], producer: str | None) -> int:
        """Write records; returns the offset of the first."""
        first = self.written
        if producer is not None:
            self._open.setdefault(producer, first)
        topic, partition = self._tp
        for offset, (key, value, timestamp) in enumerate(items, first):
            record = Record(topic, partition, offset, timestamp, key, value)
            self._entries.append(Entry(offset, producer, record))
        self.written = first + len(items)
        return first

    def mark(self, producer: str, *, commit: bool) -> None:
        """Write the marker that decides a producer's transaction."""
        began = self._open.pop(producer, None)
        if began is None:
            return
        if not commit:
            for entry in self._entries[bisect_left(self._entries, began, key=_offset) :]:
                if entry.producer == producer:
                    entry.aborted = True
        self._entries.append(Entry(self.written, producer, None))
        self.written += 1

    def read(self, position: int, records_max: int) -> Answer:
        """Read on as read_committed does. A position beyond the end brings nothing."""
        stable = self.stable
        records: list[Record] = []
        for entry in self._entries[bisect_left(self._entries, position, key=_offset) :]:
            if entry.offset >= stable:
                break
            if entry.record is not None and not entry.aborted:
                if len(records) == records_max:
                    return Answer(records, records[-1].offset + 1, stable, self.written)
                records.append(entry.record)
        return Answer(records, max(position, stable), stable, self.written)

    def committed(self) -> Iterator[Record]:
        """Every record that read_committed shows."""
        return iter(self.read(0, self.written).records)

    def compact(self, keep_last: int) -> int:
        """Remove records that a later one of the same key replaces; the last `keep_last` entries stay.

        Aborted records go too, markers stay. Returns how many were removed.
        """
        stable = self.stable
        old = [
            entry
            for entry in self._entries[: max(0, len(self._entries) - keep_last)]
            if entry.offset < stable
        ]
        latest = {record.key: record.offset for record in self.committed()}
        gone = {
            entry.offset
            for entry in old
            if entry.record is not None and (entry.aborted or latest[entry.record.key] > entry.offset)
        }
        self._entries = [entry for entry in self._entries if entry.offset not in gone]
        return len(gone)


def _offset(entry: Entry) -> int:
    return entry.offset
