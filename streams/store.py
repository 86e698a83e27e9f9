"""Where the rows of one task live between transactions.

A store is written only after the Kafka transaction has committed, and rows and changelog position are written
in one step: it may lag behind the changelog, never run ahead of it. What it lacks, recovery reads again.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping
from typing import Protocol, cast

from streams.topic_identity import TopicIdentity

log = logging.getLogger(__name__)


class StoreError(Exception):
    """The disk under a store failed; the text is one line for the log.

    Nothing is lost: what the store lacks is in the changelog. The process ends and is meant to be restarted.
    """


class Store(Protocol):
    """The rows of one task, key → encoded account row."""

    @property
    def offset(self) -> int | None:
        """The changelog offset from which recovery must read on; None for a store that never saw one."""
        ...

    def get(self, key: bytes) -> bytes | None:
        """The row of `key`, or None."""
        ...

    def put_many(self, rows: Mapping[bytes, bytes | None], offset: int | None) -> None:
        """Write rows (None deletes) and the changelog offset to read on from, in one step.

        `offset` None leaves the known offset as it is.
        """
        ...

    def items(self) -> Iterable[tuple[bytes, bytes]]:
        """All rows, in no particular order."""
        ...

    def has_any(self, beginnings: tuple[bytes, ...]) -> bool:
        """Whether there is a row whose key begins with one of these."""
        ...

    def expect_many(self) -> None:
        """Many rows are to come that nobody reads before `settle`."""
        ...

    def settle(self) -> Iterable[None]:
        """Be ready to be read, after `expect_many` or not; a step at a time, because it may take long."""
        ...

    def discard(self, reason: str) -> None:
        """Forget everything, with a line in the log that says why: recovery will read it all again."""
        ...

    def close(self) -> None:
        """Give up what the store holds open; the task has gone to another worker."""
        ...


StoreFactory = Callable[[int, TopicIdentity], Store]
"""Opens the store of a task: its partition number, and which topic its changelog is."""


class MemoryStore:
    """Rows in a dict: recovered from the changelog at each start."""

    __slots__ = ("_offset", "_rows")

    def __init__(self) -> None:
        self._rows: dict[bytes, bytes] = {}
        self._offset: int | None = None

    @property
    def offset(self) -> int | None:
        """The changelog offset from which recovery must read on."""
        return self._offset

    def __len__(self) -> int:
        return len(self._rows)

    def get(self, key: bytes) -> bytes | None:
        """The row of `key`, or None."""
        return self._rows.get(key)

    def put_many(self, rows: Mapping[bytes, bytes | None], offset: int | None) -> None:
        """Write rows (None deletes) and the changelog offset to read on from."""
        self._rows.update(cast(Mapping[bytes, bytes], rows))
        if None in rows.values():
            for key in [key for key, row in rows.items() if row is None]:
                del self._rows[key]
        if offset is not None:
            self._offset = offset

    def items(self) -> Iterable[tuple[bytes, bytes]]:
        """All rows, in the order they were first written."""
        return self._rows.items()

    def has_any(self, beginnings: tuple[bytes, ...]) -> bool:
        """Whether there is a row whose key begins with one of these."""
        return any(key.startswith(beginnings) for key in self._rows)

    def expect_many(self) -> None:
        """Nothing is done for it."""

    def settle(self) -> Iterable[None]:
        """Nothing is left to do."""
        return ()

    def discard(self, reason: str) -> None:
        """Forget everything; recovery will read it all again."""
        log.warning("the rows in memory are discarded and read from the changelog again: %s", reason)
        self.close()

    def close(self) -> None:
        """Let the rows go."""
        self._rows = {}
        self._offset = None
