"""Filling an empty store with the rows of a whole changelog.

Nobody reads such a store before it is full. So its rows go neither through RocksDB's log nor into a sorted buffer, and
what is due when is not written for every row that comes, of which the next may be another form: the due index is made
at the end, for the rows that have remained. The store says of itself that it is being filled. Whatever is killed when,
it holds the rows of one moment of the past (buffers become files in the order in which they were filled, and a batch
is in one of them), is filled further from there, and has its index made from the beginning.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Final

from rocksdict import Rdict, WriteBatch, WriteOptions

from streams.rocks_layout import DUE, FILLING, MOMENT_BYTES, NEVER, OFFSET, ROW, packed
from streams.rocks_options import every_file

MOMENTS_MAX: Final = 300_000
"""Rows whose due moments are kept until the index is made, some 60 MB; with more, all rows are read again for it."""
ENTRIES_MAX: Final = 50_000
"""Index entries that are written at once."""
_FORGETTING: Final = b"forgetting"
"""What the mark of a store says in which a row was deleted: somebody was forgotten."""


def begin_filling(db: Rdict) -> None:
    """Have a store say that it is being filled, if it does not yet."""
    if db.get(FILLING) is None:
        db.put(FILLING, b"")


class Filling:
    """What is being done to a store that says so. `next_due` tells the due moment of a row's bytes."""

    def __init__(self, next_due: Callable[[bytes], int], *, is_empty: bool) -> None:
        self._next_due: Final = next_due
        self._moments: dict[bytes, bytes] | None = {} if is_empty else None
        """Key → the packed due moment of its row, NEVER for no row; None when not all are known, or they are too many."""
        self._unlogged: Final = WriteOptions()
        self._unlogged.disable_wal = True  # type: ignore[method-assign, assignment]  # the stub has a method there

    def put_many(self, db: Rdict, rows: Mapping[bytes, bytes | None], offset: int | None) -> None:
        """Write rows (None deletes) and the changelog offset, all or nothing."""
        batch = WriteBatch(raw_mode=True)
        put = batch.put
        moments: dict[bytes, bytes] = {}
        is_forgetting = False
        for key, row in rows.items():
            if row is not None:
                moment = moments[key] = packed(self._next_due(row))
                put(ROW + key, moment + row)
            else:
                moments[key] = NEVER
                batch.delete(ROW + key)
                is_forgetting = True
        if is_forgetting:
            put(FILLING, _FORGETTING)
        if offset is not None:
            put(OFFSET, b"%d" % offset)
        db.write(batch, self._unlogged)
        if self._moments is not None:
            self._moments.update(moments)
            if len(self._moments) > MOMENTS_MAX:
                self._moments = None

    def index(self, db: Rdict, rows: Callable[[], Iterable[tuple[bytes, bytes]]]) -> Iterator[None]:
        """Make the due index once all rows are in files, step by step; then the store is one like any other.

        `rows` gives all rows as they lie in the store.
        """
        db.delete_range(DUE, ROW)  # of an attempt that was broken off
        if db.get(FILLING) == _FORGETTING:
            db.flush()
            db.compact_range(None, None, every_file())
            yield
        if self._moments is not None:
            moments, self._moments = self._moments, None
            entries = sorted([DUE + moment + key for key, moment in moments.items() if moment != NEVER])
            del moments
            for first in range(0, len(entries), ENTRIES_MAX):
                _write(db, entries[first : first + ENTRIES_MAX])
                yield
        else:
            yield from _read_and_index(db, rows())
        db.delete(FILLING)


def _read_and_index(db: Rdict, rows: Iterable[tuple[bytes, bytes]]) -> Iterator[None]:
    entries: list[bytes] = []
    for place, value in rows:
        moment = value[:MOMENT_BYTES]
        if moment != NEVER:
            entries.append(DUE + moment + place[len(ROW) :])
            if len(entries) == ENTRIES_MAX:
                _write(db, sorted(entries))
                entries = []
                yield
    _write(db, sorted(entries))


def _write(db: Rdict, entries: list[bytes]) -> None:
    batch = WriteBatch(raw_mode=True)
    for entry in entries:
        batch.put(entry, b"")
    db.write(batch)
