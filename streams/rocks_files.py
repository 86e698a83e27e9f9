"""The files under a store: opened if they can be trusted, discarded with one line in the log if not.

A store is a copy of the changelog and nothing more: of one that is discarded, recovery reads the changelog again.
"""

from __future__ import annotations

import json
import logging
import shutil
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from time import time
from typing import Final, NamedTuple

from rocksdict import Options, Rdict

from streams.rocks_layout import FILLING, IDENTITY, LAYOUT, OFFSET
from streams.store import StoreError

log = logging.getLogger(__name__)

UNUSED_HOURS_MAX: Final = 12
"""A store left alone for longer is discarded. Kafka keeps a deletion in the changelog for a day
(`delete.retention.ms`): a store that missed one would keep an account that was to be forgotten."""

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


class Opened(NamedTuple):
    """A store that was opened, and what it says of itself."""

    db: Rdict
    offset: int | None
    """The changelog offset to read on from."""
    is_new: bool
    is_filling: bool


class RocksFiles:
    """The directory `path`, and what its store must be of: `identity` (cluster, application, topic, …).

    The identity is on disk beside the rows, and one that differs means another store, which is discarded.
    """

    def __init__(
        self, path: Path, identity: Mapping[str, str | int], new_options: Callable[[], Options]
    ) -> None:
        self._path: Final = path
        self._verdict: Final = path.with_name(f"{path.name}.corrupt")
        self._identity: Final = {"layout": LAYOUT, **identity}
        self._new_options: Final = new_options

    def open(self, change: Callable[[Options], None] | None = None) -> Opened:
        """Open what is there, or make it anew; with its options changed if `change` is given.

        Raises StoreError when the disk fails.
        """
        try:
            leftover = self._path.with_name(f"{self._path.name}.discarded")
            shutil.rmtree(leftover, ignore_errors=True)
            self._path.parent.mkdir(parents=True, exist_ok=True)
            if self._verdict.exists():
                self.discard(self._verdict.read_text("utf-8", errors="replace"))
            try:
                return self._open_as_it_is(change)
            except _Unusable as unusable:
                self.discard(str(unusable))
            return self._open_as_it_is(change)
        except (OSError, _Unusable) as error:
            raise self.disk_failure(error) from error

    def discard(self, reason: str) -> None:
        """Remove everything, which must be closed; the log says why."""
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

    def failure(self, error: Exception) -> StoreError:
        """What to raise for an error of RocksDB's; a corruption is noted for the next start."""
        if isinstance(error, StoreError):
            return error
        if _is_disk_trouble(error):
            return self.disk_failure(error)
        with suppress(OSError):
            self._verdict.write_text(f"it failed while in use ({_one_line(error)})\n", "utf-8")
        return StoreError(
            f"the store in {self._path} cannot be used any more ({_one_line(error)}); leaving, nothing is lost: "
            "the next start rebuilds it from the changelog"
        )

    def disk_failure(self, error: BaseException) -> StoreError:
        """What to raise when the machine is at fault."""
        return StoreError(
            f"the disk of the store in {self._path} failed ({_one_line(error)}); leaving, nothing is lost: "
            "free or mend the disk and start again"
        )

    def _open_as_it_is(self, change: Callable[[Options], None] | None) -> Opened:
        db: Rdict | None = None
        files = list(self._path.glob("*"))
        _refuse_if_long_unused(files)
        try:
            options = self._new_options()
            if change is not None:
                change(options)
            # Named once more, or those of whoever opened the store before would be read from its directory.
            db = Rdict(str(self._path), options, column_families={"default": options})
            is_new = self._check(db, had_files=bool(files))
            offset: bytes | None = db.get(OFFSET)
            return Opened(db, None if offset is None else int(offset), is_new, db.get(FILLING) is not None)
        except BaseException as error:  # the binding is Rust: what it panics on is not an Exception
            if db is not None:
                shut(db)
            if isinstance(error, KeyboardInterrupt | SystemExit | _Unusable):
                raise
            if _is_disk_trouble(error):
                raise self.disk_failure(error) from error
            raise _Unusable(f"it cannot be opened ({_one_line(error)})") from error

    def _check(self, db: Rdict, *, had_files: bool) -> bool:
        """Refuse a store that is not ours; a new one becomes ours. Returns whether it is new."""
        known: bytes | None = db.get(IDENTITY)
        if known is None:
            # Empty or not: RocksDB opens one whose log is damaged at its first record as if nothing had been written.
            if had_files:
                raise _Unusable("it does not say what it is of")
            db.put(IDENTITY, json.dumps(self._identity).encode())
            return True
        found = json.loads(known)
        for name, right in self._identity.items():
            if found.get(name) != right:
                raise _Unusable(f"its {name} is {found.get(name)}, here it is {right}")
        return False


def _refuse_if_long_unused(files: list[Path]) -> None:
    if not files:
        return
    hours = (time() - max(file.stat().st_mtime for file in files)) / 3600
    if hours > UNUSED_HOURS_MAX:
        raise _Unusable(
            f"it was not in use for {hours:.0f} hours, and after {UNUSED_HOURS_MAX} the changelog "
            "may have dropped deletions that it has not seen"
        )


def shut(db: Rdict) -> None:
    """Close, whatever state it is in: what it could not write any more is in the changelog."""
    try:
        db.close()
    except Exception as error:
        log.debug("while closing a store: %s", _one_line(error))


def _is_disk_trouble(error: BaseException) -> bool:
    return any(text in str(error) for text in _DISK_TROUBLE)


def _one_line(error: BaseException) -> str:
    return " ".join(str(error).split()) or type(error).__name__
