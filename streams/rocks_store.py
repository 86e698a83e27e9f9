"""The rows of one task on disk: state larger than memory, and a restart that reads only what it missed.

Rows, the changelog offset and the due index are in one RocksDB and written in one batch, so that they always
belong together, whatever is killed when. The store is a copy of the changelog and nothing more: one that
cannot be trusted is discarded, and recovery reads the changelog again.
"""

from __future__ import annotations

import json
import logging
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from time import time
from typing import Final

from rocksdict import Options, Rdict, RdictIter, ReadOptions, WriteBatch

from schemas.account import NEVER
from streams.rocks_options import every_file
from streams.store import StoreError

log = logging.getLogger(__name__)

LAYOUT: Final = 1
"""Version of the layout below; a store of another one is discarded.

    00 "identity"               what the store is of, as JSON
    00 "offset"                 the changelog offset to read on from, decimal
    01 moment(8) key            the due index: nothing but the key
    02 key                      moment(8) row

A moment is big-endian and shifted so that bytes sort as moments do; NEVER is not in the index.
"""

UNUSED_HOURS_MAX: Final = 12
"""A store left alone for longer is discarded. Kafka keeps a deletion in the changelog for a day
(`delete.retention.ms`): a store that missed one would keep an account that was to be forgotten."""

MOMENTS_MAX: Final = 50_000
"""Due moments of rows that are remembered between two writes, so that rewriting a row does not read it first."""

_IDENTITY: Final = b"\0identity"
_OFFSET: Final = b"\0offset"
_DUE: Final = b"\1"
_ROW: Final = b"\2"
_END: Final = b"\3"
_SHIFT: Final = 2**63
_MOMENT_BYTES: Final = 8
_NEVER: Final = (NEVER + _SHIFT).to_bytes(_MOMENT_BYTES, "big")

_DISK_TROUBLE: Final = (
    "No space left",
    "quota exceeded",
    "File too large",
    "Read-only file system",
    "Permission denied",
    "Too many open files",
    "No locks available",
    "Resource temporarily unavailable",
    "Cannot allocate memory",
    "Input/output error",
)
"""What RocksDB says when the machine is at fault: discarding the store would mend nothing."""


class _Unusable(Exception):
    """The store on disk cannot be used; the text says why."""


class RocksStore:
    """The rows of one task in the directory `path`.

    `identity` is what the store must be of (cluster, application, topic, …): on disk beside the rows, and one
    that differs means another store, which is discarded. `next_due` tells the due moment of a row's bytes.

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
        self._path: Final = path
        self._verdict: Final = path.with_name(f"{path.name}.corrupt")
        self._identity: Final = {"layout": LAYOUT, **identity}
        self._new_options: Final = new_options
        self._next_due: Final = next_due
        self._offset: int | None = None
        self._due_from = _DUE
        """No index entry is before this; spares the search the deletions at the front of the index."""
        self._moments: Final[dict[bytes, bytes]] = {}
        """Key → the packed due moment of its row as the database has it, NEVER for no row; of some rows."""
        self._knows_all = False
        """Whether `_moments` has every row there is: true of a store that began empty, until it is too much."""
        self._db = self._open()

    @property
    def offset(self) -> int | None:
        """The changelog offset from which recovery must read on."""
        return self._offset

    def get(self, key: bytes) -> bytes | None:
        """The row of `key`, or None."""
        if self._knows_all and key not in self._moments:
            return None
        try:
            value: bytes | None = self._db.get(_ROW + key)
        except Exception as error:
            raise self._failure(error) from error
        self._moments[key] = _NEVER if value is None else value[:_MOMENT_BYTES]
        if len(self._moments) > MOMENTS_MAX:
            self._forget_moments()
        return None if value is None else value[_MOMENT_BYTES:]

    def put_many(self, rows: Mapping[bytes, bytes | None], offset: int | None) -> None:
        """Write rows (None deletes), their due moments and the changelog offset, all or nothing.

        A deletion means that somebody was forgotten: what was deleted or replaced before it leaves the files now.
        """
        batch = WriteBatch(raw_mode=True)
        is_forgetting = False
        due_from = self._due_from
        moments = self._moments
        try:
            for key, row in rows.items():
                was = moments.get(key) or (_NEVER if self._knows_all else self._read_moment(key))
                moment = _NEVER if row is None else _packed(self._next_due(row))
                moments[key] = moment
                if moment != was:
                    if was != _NEVER:
                        batch.delete(_DUE + was + key)
                    if moment != _NEVER:
                        due = _DUE + moment + key
                        batch.put(due, b"")
                        due_from = min(due_from, due)
                if row is not None:
                    batch.put(_ROW + key, moment + row)
                else:
                    batch.delete(_ROW + key)
                    is_forgetting = True
            if offset is not None:
                batch.put(_OFFSET, b"%d" % offset)
            self._db.write(batch)
            if is_forgetting:
                self._db.flush()
                self._db.compact_range(None, None, every_file())
        except BaseException as error:
            self._forget_moments()  # noted ahead of the write
            if not isinstance(error, Exception):
                raise
            raise self._failure(error) from error
        if len(moments) > MOMENTS_MAX:
            self._forget_moments()
        self._due_from = due_from
        if offset is not None:
            self._offset = offset

    def items(self) -> Iterator[tuple[bytes, bytes]]:
        """All rows, by key."""
        for place, value in self._scan(_ROW, _END):
            yield place[1:], value[_MOMENT_BYTES:]

    def due(self, after: tuple[int, bytes] | None, until: int, count_max: int) -> list[tuple[int, bytes]]:
        """The first rows due at `until` or before: (due moment, key) in this order, at most `count_max`.

        With `after` only what comes after that moment and key.
        """
        start = self._due_from if after is None else _DUE + _packed(after[0]) + after[1] + b"\0"
        found: list[tuple[int, bytes]] = []
        for place, _ in self._scan(start, _DUE + _packed(until + 1)):
            if after is None and not found:
                self._due_from = place
            found.append(
                (int.from_bytes(place[1 : 1 + _MOMENT_BYTES], "big") - _SHIFT, place[1 + _MOMENT_BYTES :])
            )
            if len(found) == count_max:
                break
        return found

    def discard(self, reason: str) -> None:
        """Forget everything; recovery will read it all again."""
        _shut(self._db)
        self._throw_away(reason)
        self._db = self._open()

    def close(self) -> None:
        """Close the files; they stay, and are brought up to date should the task come back."""
        _shut(self._db)

    def _read_moment(self, key: bytes) -> bytes:
        """The due moment of a row, packed; NEVER if there is no row."""
        value: bytes | None = self._db.get(_ROW + key)
        return _NEVER if value is None else value[:_MOMENT_BYTES]

    def _forget_moments(self) -> None:
        self._moments.clear()
        self._knows_all = False

    def _open(self) -> Rdict:
        try:
            leftover = self._path.with_name(f"{self._path.name}.discarded")
            shutil.rmtree(leftover, ignore_errors=True)
            self._path.parent.mkdir(parents=True, exist_ok=True)
            if self._verdict.exists():
                self._throw_away(self._verdict.read_text("utf-8", errors="replace"))
            try:
                return self._open_as_it_is()
            except _Unusable as unusable:
                self._throw_away(str(unusable))
            return self._open_as_it_is()
        except (OSError, _Unusable) as error:
            raise self._disk_failure(error) from error

    def _open_as_it_is(self) -> Rdict:
        db: Rdict | None = None
        self._refuse_if_long_unused()
        try:
            db = Rdict(str(self._path), self._new_options())
            self._due_from = _DUE
            self._forget_moments()
            self._offset = self._checked_offset(db)
            return db
        except BaseException as error:  # the binding is Rust: what it panics on is not an Exception
            if db is not None:
                _shut(db)
            if isinstance(error, KeyboardInterrupt | SystemExit | _Unusable):
                raise
            if _is_disk_trouble(error):
                raise self._disk_failure(error) from error
            raise _Unusable(f"it cannot be opened ({_one_line(error)})") from error

    def _refuse_if_long_unused(self) -> None:
        files = list(self._path.glob("*"))
        if files:
            hours = (time() - max(file.stat().st_mtime for file in files)) / 3600
            if hours > UNUSED_HOURS_MAX:
                raise _Unusable(
                    f"it was not in use for {hours:.0f} hours, and after {UNUSED_HOURS_MAX} the changelog "
                    "may have dropped deletions that it has not seen"
                )

    def _checked_offset(self, db: Rdict) -> int | None:
        """The offset of a store that is ours; a new one becomes ours."""
        known: bytes | None = db.get(_IDENTITY)
        if known is None:
            if db.latest_sequence_number() > 0:
                raise _Unusable("it does not say what it is of")
            db.put(_IDENTITY, json.dumps(self._identity).encode())
            self._knows_all = True
            return None
        found = json.loads(known)
        for name, right in self._identity.items():
            if found.get(name) != right:
                raise _Unusable(f"its {name} is {found.get(name)}, here it is {right}")
        offset: bytes | None = db.get(_OFFSET)
        return None if offset is None else int(offset)

    def _scan(self, start: bytes, end: bytes) -> Iterator[tuple[bytes, bytes]]:
        """What lies from `start` up to before `end`."""
        cursor: RdictIter | None = None
        try:
            bounds = ReadOptions()
            bounds.set_iterate_upper_bound(end)
            cursor = self._db.iter(bounds)
            cursor.seek(start)
            while cursor.valid():
                yield cursor.key(), cursor.value()
                cursor.next()
            cursor.status()
        except Exception as error:
            raise self._failure(error) from error
        finally:
            # As long as it lives the database stays open, and a traceback can keep it alive for long.
            cursor = None

    def _throw_away(self, reason: str) -> None:
        log.warning(
            "the store in %s is discarded and rebuilt from the changelog: %s", self._path, reason.strip()
        )
        # Renamed first: what a crash leaves half deleted must never be opened again.
        leftover = self._path.with_name(f"{self._path.name}.discarded")
        shutil.rmtree(leftover, ignore_errors=True)
        with suppress(FileNotFoundError):
            self._path.rename(leftover)
        self._verdict.unlink(missing_ok=True)
        shutil.rmtree(leftover, ignore_errors=True)

    def _failure(self, error: Exception) -> StoreError:
        """What to raise for an error of RocksDB's; a corruption is noted for the next start."""
        if isinstance(error, StoreError):
            return error
        if _is_disk_trouble(error):
            return self._disk_failure(error)
        with suppress(OSError):
            self._verdict.write_text(f"it failed while in use ({_one_line(error)})\n", "utf-8")
        return StoreError(
            f"the store in {self._path} cannot be used any more ({_one_line(error)}); leaving, nothing is lost: "
            "the next start rebuilds it from the changelog"
        )

    def _disk_failure(self, error: BaseException) -> StoreError:
        return StoreError(
            f"the disk of the store in {self._path} failed ({_one_line(error)}); leaving, nothing is lost: "
            "free or mend the disk and start again"
        )


def _shut(db: Rdict) -> None:
    """Close, whatever state it is in: what it could not write any more is in the changelog."""
    try:
        db.close()
    except Exception as error:
        log.debug("while closing a store: %s", _one_line(error))


def _packed(moment: int) -> bytes:
    return (moment + _SHIFT).to_bytes(_MOMENT_BYTES, "big")


def _is_disk_trouble(error: BaseException) -> bool:
    return any(text in str(error) for text in _DISK_TROUBLE)


def _one_line(error: BaseException) -> str:
    return " ".join(str(error).split()) or type(error).__name__
