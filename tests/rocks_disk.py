"""The same on a real disk: the RocksDB stores of production, under a directory of the test."""

from __future__ import annotations

import random
import shutil
from pathlib import Path
from typing import Final

from schemas.account_codec import next_due
from streams.rocks_options import RocksMemory
from streams.rocks_store import RocksStore
from tests.memory_disk import FOREIGN_OFFSET, FOREIGN_ROW

MEMORY: Final = RocksMemory(8)


class RocksDisk:
    """One machine's stores, and a copy from the last time that its process ended."""

    def __init__(self, path: Path) -> None:
        self._path: Final = path
        self._copy: Final = path.with_name(f"{path.name}.copy")
        self._open: Final[list[RocksStore]] = []

    def open(self, partition: int) -> RocksStore:
        """The store of a task, as it was left."""
        store = self._store(partition)
        self._open.append(store)
        return store

    def pull_out(self) -> None:
        """The process is gone, and its locks with it."""
        for store in self._open:
            store.close()
        self._open.clear()

    def lose_tail(self, chosen: random.Random) -> None:
        """Back to the copy, and this is the copy for the next time."""
        spare = self._path.with_name(f"{self._path.name}.spare")
        if self._path.exists():
            shutil.copytree(self._path, spare)
        self.wipe()
        if self._copy.exists():
            self._copy.rename(self._path)
        if spare.exists():
            spare.rename(self._copy)

    def wipe(self) -> None:
        """A new disk."""
        shutil.rmtree(self._path, ignore_errors=True)

    def become_foreign(self, chosen: random.Random) -> None:
        """The stores are ahead of any changelog."""
        for path in sorted(self._path.glob("*")):
            store = self._store(int(path.name))
            store.put_many({b"mts/NOBODY": FOREIGN_ROW}, FOREIGN_OFFSET)
            store.close()

    def _store(self, partition: int) -> RocksStore:
        return RocksStore(self._path / str(partition), {"partition": partition}, MEMORY.options, next_due)
