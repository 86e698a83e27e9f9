"""The account table: Faust's changelog table, one store and one task state per partition."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from faust.tables.manager import TableManager
from faust.tables.recovery import Recovery
from faust.tables.table import Table
from faust.types import TP

from streams.recovery import BulkRecovery
from streams.store import Store, StoreFactory
from streams.task import TaskFactory, TaskState

ACCOUNTS: Final = "accounts"


def changelog_topic(application_id: str) -> str:
    """Name of the topic that holds the latest row of every account."""
    return f"{application_id}-{ACCOUNTS}-changelog"


class AccountTable(Table[bytes, bytes]):
    """Rows by key, kept per task.

    Faust knows it for its changelog topic (so that rows and events of a task are always assigned together)
    and for recovery; reads and writes go through the task's own store, and only `Transactions` writes.
    """

    def __init__(self, *args: Any, new_task: TaskFactory, new_store: StoreFactory, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._make_task: Final = new_task
        self._make_store: Final = new_store
        self._stores: Final[dict[int, Store]] = {}
        self._states: Final[dict[int, TaskState]] = {}
        self.cluster_id = ""
        """The cluster that has the changelog; recovery finds it out before it opens a store."""

    def keep_only(self, partitions: Iterable[int]) -> None:
        """Close what is no longer assigned, and forget every task state: each is made anew once recovered."""
        self._states.clear()
        for partition in self._stores.keys() - set(partitions):
            self._stores.pop(partition).close()

    def store(self, partition: int) -> Store:
        """The store of a task, opened when first asked for."""
        if partition not in self._stores:
            self._stores[partition] = self._make_store(partition, self.cluster_id)
        return self._stores[partition]

    def open_task(self, partition: int) -> TaskState:
        """Make the state of a task on top of its store, which must have been recovered."""
        state = self._states[partition] = self._make_task(partition, self.store(partition))
        return state

    def task_state(self, partition: int) -> TaskState:
        """The state of an assigned task."""
        return self._states[partition]

    async def on_start(self) -> None:
        """Nothing: stores are opened when their tasks are assigned."""

    async def on_stop(self) -> None:
        """Close all stores."""
        self.keep_only(())

    async def on_rebalance(
        self, assigned: set[TP], revoked: set[TP], newly_assigned: set[TP], generation_id: int = 0
    ) -> None:
        """Nothing: recovery looks after the stores."""

    async def on_recovery_completed(self, active_tps: set[TP], standby_tps: set[TP]) -> None:
        """Nothing: recovery looks after the stores."""

    def persisted_offset(self, tp: TP) -> int | None:
        """The last changelog offset the store has, as Faust counts."""
        store = self._stores.get(tp.partition)
        return None if store is None or store.offset is None else store.offset - 1


class BulkTableManager(TableManager):
    """Faust's table manager with bulk recovery."""

    @property
    def recovery(self) -> Recovery:
        """The service that brings stores up to date after each assignment."""
        if self._recovery is None:
            self._recovery = BulkRecovery(self.app, self, beacon=self.beacon, loop=self.loop)
        return self._recovery

    async def on_start(self) -> None:
        """Register the changelog at once; tables are declared before the app starts."""
        if not self.should_stop:
            await self._update_channels()
            await self.recovery.start()
