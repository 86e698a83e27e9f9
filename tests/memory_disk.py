"""A disk in memory: rows that survive their process, lag behind, get lost, or turn out to be somebody else's."""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator, Mapping
from typing import Final, Protocol

from streams.store import Store
from tests.simulated_process import Dead


class AnyDisk(Protocol):
    """What a machine's disk may be asked for, and what may befall it between two processes."""

    def open(self, partition: int) -> Store:
        """The store of a task, as it was left."""
        ...

    def pull_out(self) -> None:
        """The process is gone: whatever it has open it can neither read nor write any more."""
        ...

    def lose_tail(self, chosen: random.Random) -> None:
        """The stores are as they were some time ago."""
        ...

    def wipe(self) -> None:
        """The stores are gone."""
        ...

    def become_foreign(self, chosen: random.Random) -> None:
        """The stores are those of a longer changelog, with rows that nobody here wrote."""
        ...


Writes = list[tuple[Mapping[bytes, bytes | None], int | None]]

FOREIGN_ROW: Final = b'{"due":1}'
FOREIGN_OFFSET: Final = 10**9


class Disk:
    """What one machine keeps of the tasks it has had: every write, in order."""

    def __init__(self) -> None:
        self.writes: Final[dict[int, Writes]] = {}
        self._user = 0

    def open(self, partition: int) -> DiskStore:
        """The store of a task, as it was left."""
        return DiskStore(self, partition, self._user)

    def pull_out(self) -> None:
        """Whoever has stores open can neither read nor write any more: the process is gone."""
        self._user += 1

    def check(self, user: int) -> None:
        """Raises Dead when the disk has another user by now."""
        if user != self._user:
            raise Dead

    def lose_tail(self, chosen: random.Random) -> None:
        """The power fails: of each store the last writes are gone."""
        for writes in self.writes.values():
            del writes[chosen.randint(0, len(writes)) :]

    def wipe(self) -> None:
        """A new disk."""
        self.writes.clear()

    def become_foreign(self, chosen: random.Random) -> None:
        """The stores are those of a longer changelog, with rows that nobody here wrote."""
        for writes in self.writes.values():
            writes.append(({b"mts/NOBODY": FOREIGN_ROW}, FOREIGN_OFFSET))


class DiskStore:
    """One task's rows on a disk."""

    def __init__(self, disk: Disk, partition: int, user: int) -> None:
        self._disk: Final = disk
        self._user: Final = user
        self._writes: Final = disk.writes.setdefault(partition, [])
        self._rows: Final[dict[bytes, bytes]] = {}
        self._offset: int | None = None
        self._is_settled = True
        for rows, offset in self._writes:
            self._take(rows, offset)

    @property
    def offset(self) -> int | None:
        """The changelog offset from which recovery must read on."""
        return self._offset

    def get(self, key: bytes) -> bytes | None:
        """The row of `key`, or None."""
        assert self._is_settled
        return self._rows.get(key)

    def put_many(self, rows: Mapping[bytes, bytes | None], offset: int | None) -> None:
        """Write rows and the changelog offset in one step."""
        self._disk.check(self._user)
        if rows or offset is not None:
            self._writes.append((dict(rows), offset))
            self._take(rows, offset)

    def expect_many(self) -> None:
        """Nobody may read before it has settled."""
        self._is_settled = False

    def settle(self) -> Iterator[None]:
        """Takes some steps."""
        self._disk.check(self._user)
        yield
        self._disk.check(self._user)
        yield
        self._is_settled = True

    def items(self) -> Iterable[tuple[bytes, bytes]]:
        """All rows."""
        assert self._is_settled
        return self._rows.items()

    def has_any(self, beginnings: tuple[bytes, ...]) -> bool:
        """Whether there is a row whose key begins with one of these."""
        assert self._is_settled
        return any(key.startswith(beginnings) for key in self._rows)

    def discard(self, reason: str) -> None:
        """Forget everything."""
        self._disk.check(self._user)
        self._writes.clear()
        self._rows.clear()
        self._offset = None

    def close(self) -> None:
        """The rows stay."""

    def _take(self, rows: Mapping[bytes, bytes | None], offset: int | None) -> None:
        for key, row in rows.items():
            if row is None:
                self._rows.pop(key, None)
            else:
                self._rows[key] = row
        self._offset = self._offset if offset is None else offset
