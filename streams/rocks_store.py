"""The rows of one task on disk: state larger than memory, and a restart that reads only what it missed.

Rows, the changelog offset and the due index are in one RocksDB and written in one batch, so that they always
belong together, whatever is killed when.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Final

from rocksdict import Options, RdictIter, ReadOptions, WriteBatch

from streams.rocks_files import RocksFiles, shut
from streams.rocks_filling import Filling, begin_filling
from streams.rocks_layout import DUE, END, MOMENT_BYTES, NEVER, OFFSET, ROW, due_entry, packed
from streams.rocks_options import every_file, let_compact, make_filling, make_settling

MOMENTS_MAX: Final = 50_000
"""Due moments of rows that are remembered between two writes, so that rewriting a row does not read it first."""


class RocksStore:
    """The rows of one task in the directory `path`.

    `identity` is what the store must be of, see `RocksFiles`. `next_due` tells the due moment of a row's bytes.

    Every method raises StoreError when the disk fails. A corruption found while reading is noted beside the
    directory, so that the next start discards the store.
    """

    def __init__(
        self,
        path: Path,
        identity: Mapping[str, str | int],
        new_options: Callable[[], Options],
        next_due: Callable[[bytes], int],
    ) -> None:
        self._files: Final = RocksFiles(path, identity, new_options)
        self._next_due: Final = next_due
        self._due_from = DUE
        """No index entry is before this; spares the search the deletions at the front of the index."""
        self._moments: Final[dict[bytes, bytes]] = {}
        """Key → the packed due moment of its row as the database has it, NEVER for no row; of some rows."""
        self._open()

    def _open(self, change: Callable[[Options], None] | None = None) -> None:
        opened = self._files.open(change)
        self._db = opened.db
        self._offset = opened.offset
        self._filling = Filling(self._next_due, is_empty=False) if opened.is_filling else None
        self._due_from = DUE
        self._moments.clear()
        self._knows_all = opened.is_new
        """Whether `_moments` has every row there is: true of a store that began empty, until it is too much."""
        self._is_compacting = True
        """One that was filled begins with its first batch: until then it would delay other tasks' recovery."""

    def _open_again(self, change: Callable[[Options], None]) -> None:
        offset = self._offset
        shut(self._db)
        self._open(change)
        if self._offset != offset:
            raise RuntimeError(f"it was at offset {offset}, and opened again it is at {self._offset}")

    @property
    def offset(self) -> int | None:
        """The changelog offset from which recovery must read on."""
        return self._offset

    def get(self, key: bytes) -> bytes | None:
        """The row of `key`, or None."""
        if self._knows_all and key not in self._moments:
            return None
        try:
            value: bytes | None = self._db.get(ROW + key)
        except Exception as error:
            raise self._files.failure(error) from error
        self._moments[key] = NEVER if value is None else value[:MOMENT_BYTES]
        if len(self._moments) > MOMENTS_MAX:
            self._forget_moments()
        return None if value is None else value[MOMENT_BYTES:]

    def put_many(self, rows: Mapping[bytes, bytes | None], offset: int | None) -> None:
        """Write rows (None deletes), their due moments and the changelog offset, all or nothing.

        A deletion means that somebody was forgotten: what was deleted or replaced before it leaves the files now,
        or when the store settles.
        """
        if self._filling is None:
            self._put_many(rows, offset)
        else:
            try:
                self._filling.put_many(self._db, rows, offset)
            except Exception as error:
                raise self._files.failure(error) from error
        if offset is not None:
            self._offset = offset

    def items(self) -> Iterator[tuple[bytes, bytes]]:
        """All rows, by key."""
        for place, value in self._scan(ROW, END):
            yield place[1:], value[MOMENT_BYTES:]

    def has_any(self, beginnings: tuple[bytes, ...]) -> bool:
        """Whether there is a row whose key begins with one of these."""
        return any(True for key in beginnings for _ in self._scan(ROW + key, ROW + key + b"\xff"))

    def due(self, after: tuple[int, bytes] | None, until: int, count_max: int) -> list[tuple[int, bytes]]:
        """The first rows due at `until` or before: (due moment, key) in this order, at most `count_max`.

        With `after` only what comes after that moment and key. Not while the store is filled: it has no index then.
        """
        assert self._filling is None, "settled before anyone asks what is due"
        start = self._due_from if after is None else DUE + packed(after[0]) + after[1] + b"\0"
        found: list[tuple[int, bytes]] = []
        for place, _ in self._scan(start, DUE + packed(until + 1)):
            if after is None and not found:
                self._due_from = place
            found.append(due_entry(place))
            if len(found) == count_max:
                break
        return found

    def expect_many(self) -> None:
        """Many rows are to come that nobody reads before `settle`: an empty store is filled, see `rocks_filling`."""
        is_empty = self._offset is None and not any(True for _ in self.items())
        if not is_empty and self._filling is None:
            return
        try:
            begin_filling(self._db)
            self._open_again(make_filling)
            self._filling = Filling(self._next_due, is_empty=is_empty)
        except Exception as error:
            raise self._files.failure(error) from error

    def settle(self) -> Iterator[None]:
        """Make a store that was filled one like any other, step by step."""
        filling = self._filling
        if filling is None:
            return
        try:
            self._db.flush(wait=False)
            while self._db.property_int_value("rocksdb.num-immutable-mem-table"):
                if self._db.property_int_value("rocksdb.background-errors"):
                    break
                yield
            self._db.flush()  # nothing, or it tells what went wrong
            self._open_again(make_settling)
            yield from filling.index(self._db, partial(self._scan, ROW, END, is_whole=True))
            self._filling = None
            self._is_compacting = False
        except Exception as error:
            raise self._files.failure(error) from error

    def discard(self, reason: str) -> None:
        """Forget everything; recovery will read it all again."""
        shut(self._db)
        self._files.discard(reason)
        self._open()

    def close(self) -> None:
        """Close the files; they stay, and are brought up to date should the task come back."""
        shut(self._db)

    def _put_many(self, rows: Mapping[bytes, bytes | None], offset: int | None) -> None:
        batch = WriteBatch(raw_mode=True)
        is_forgetting = False
        due_from = self._due_from
        moments = self._moments
        try:
            for key, row in rows.items():
                was = moments.get(key) or (NEVER if self._knows_all else self._read_moment(key))
                moment = NEVER if row is None else packed(self._next_due(row))
                moments[key] = moment
                if moment != was:
                    if was != NEVER:
                        batch.delete(DUE + was + key)
                    if moment != NEVER:
                        due = DUE + moment + key
                        batch.put(due, b"")
                        due_from = min(due_from, due)
                if row is not None:
                    batch.put(ROW + key, moment + row)
                else:
                    batch.delete(ROW + key)
                    is_forgetting = True
            if offset is not None:
                batch.put(OFFSET, b"%d" % offset)
            if not self._is_compacting:
                let_compact(self._db)
                self._is_compacting = True
            self._db.write(batch)
            if is_forgetting:
                self._db.flush()
                self._db.compact_range(None, None, every_file())
        except BaseException as error:
            self._forget_moments()  # noted ahead of the write
            if not isinstance(error, Exception):
                raise
            raise self._files.failure(error) from error
        if len(moments) > MOMENTS_MAX:
            self._forget_moments()
        self._due_from = due_from

    def _read_moment(self, key: bytes) -> bytes:
        """The due moment of a row, packed; NEVER if there is no row."""
        value: bytes | None = self._db.get(ROW + key)
        return NEVER if value is None else value[:MOMENT_BYTES]

    def _forget_moments(self) -> None:
        self._moments.clear()
        self._knows_all = False

    def _scan(self, start: bytes, end: bytes, *, is_whole: bool = False) -> Iterator[tuple[bytes, bytes]]:
        """What lies from `start` up to before `end`; the cache is spared what is the whole store."""
        cursor: RdictIter | None = None
        try:
            bounds = ReadOptions()
            bounds.set_iterate_upper_bound(end)
            bounds.fill_cache(not is_whole)  # type: ignore[call-arg]  # the stub forgets what it is to be
            cursor = self._db.iter(bounds)
            cursor.seek(start)
            while cursor.valid():
                yield cursor.key(), cursor.value()
                cursor.next()
            cursor.status()
        except Exception as error:
            raise self._files.failure(error) from error
        finally:
            # As long as it lives the database stays open, and a traceback can keep it alive for long.
            cursor = None
