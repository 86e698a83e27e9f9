"""The rows of one task as a batch sees them: decoded, changed in place, and as bytes when it ends."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final, Protocol

from engine.due_queue import DueQueue, Moments, due_queue
from schemas.account import NEVER, Account
from schemas.account_codec import decode, encode, next_due

HOT_ROWS_MAX: Final = 50_000
"""Rows kept decoded between batches."""


class Store(Protocol):
    """Committed rows of one task, by key."""

    def get(self, key: bytes) -> bytes | None:
        """The row's bytes, None if there is none."""

    def put_many(self, rows: Mapping[bytes, bytes], offset: int | None) -> None:
        """Take rows over, with the changelog offset that they reach."""

    def items(self) -> Iterable[tuple[bytes, bytes]]:
        """All rows."""

    def has_any(self, beginnings: tuple[bytes, ...]) -> bool:
        """Whether there is a row whose key begins with one of these."""


class Rows(Moments):
    """The rows of a task: those of its store, with the changes of the batch at hand."""

    def __init__(self, store: Store) -> None:
        self._store: Final = store
        self._hot: Final[dict[bytes, Account]] = {}
        self._changed: Final[list[Account]] = []
        """The rows that this batch has changed, and their keys."""
        self._changed_keys: Final[list[bytes]] = []
        self.queue: Final[DueQueue] = due_queue(store, self)
        """The rows by due moment."""

    def get(self, key: bytes) -> Account | None:
        """The row of this key, if there is one."""
        row = self._hot.get(key)
        if row is not None:
            return row
        value = self._store.get(key)
        if value is None:
            return None
        operator, _, account = key.decode().partition("/")
        row = self._hot[key] = decode(operator, account, value)
        return row

    def add(self, key: bytes, row: Account) -> None:
        """There is one row more."""
        self._hot[key] = row

    def keep(self, key: bytes, row: Account, queued: int) -> None:
        """Note that a row has changed; `queued` is the due moment that it had before."""
        if not row.changed:
            row.changed = True
            self._changed.append(row)
            self._changed_keys.append(key)
        if row.next_due != queued:
            self.queue.put(key, row.next_due)

    def encoded(self) -> dict[bytes, bytes]:
        """The changed rows as bytes, by key; from here on they count as not changed."""
        rows: dict[bytes, bytes] = {}
        for at, row in enumerate(self._changed):
            row.changed = False
            rows[self._changed_keys[at]] = encode(row)
        self._changed.clear()
        self._changed_keys.clear()
        return rows

    def committed(self) -> None:
        """The store has all that was `encoded`."""
        self.queue.committed()
        if len(self._hot) > HOT_ROWS_MAX:
            self._hot.clear()

    def of(self, key: bytes) -> int:
        """See `Moments`."""
        row = self._hot.get(key)
        if row is not None:
            return row.next_due
        value = self._store.get(key)
        return NEVER if value is None else next_due(value)
