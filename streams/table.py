"""The account table, as Faust knows it: a changelog topic."""

from __future__ import annotations

from typing import Any, Final

from faust.tables.manager import TableManager
from faust.tables.recovery import Recovery
from faust.tables.table import Table
from faust.types import TP

from streams.recovery import BulkRecovery
from streams.tasks import Tasks

ACCOUNTS: Final = "accounts"


def changelog_topic(application_id: str) -> str:
    """Name of the topic that holds the latest row of every account."""
    return f"{application_id}-{ACCOUNTS}-changelog"


class AccountTable(Table[bytes, bytes]):
    """Rows by key, kept per task.

    Faust knows it for its changelog topic (so that rows and events of a task are always assigned together)
    and for recovery; reads and writes go through the task's own store (`streams.tasks`), and only
    `Transactions` writes.
    """

    def __init__(self, *args: Any, tasks: Tasks, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._worker_tasks: Final = tasks

    async def on_start(self) -> None:
        """Nothing: stores are opened when their tasks are assigned."""

    async def on_stop(self) -> None:
        """Close all stores."""
        self._worker_tasks.keep_only(())

    async def on_rebalance(
        self, assigned: set[TP], revoked: set[TP], newly_assigned: set[TP], generation_id: int = 0
    ) -> None:
        """Nothing: recovery looks after the stores."""

    async def on_recovery_completed(self, active_tps: set[TP], standby_tps: set[TP]) -> None:
        """Nothing: recovery looks after the stores."""

    def persisted_offset(self, tp: TP) -> int | None:
        """The last changelog offset the store has, as Faust counts."""
        store = self._worker_tasks.opened(tp.partition)
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
