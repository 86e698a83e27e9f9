"""Faust's transaction manager, reduced to opening and closing what works off batches."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final, cast

from faust.transport.consumer import TransactionManager
from faust.types import TP

from streams.transactions import Transactions

if TYPE_CHECKING:
    from streams.app import StreamApp


class BatchTransactions(TransactionManager):
    """Hands on what Faust tells of assignments; `work` does the rest."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._stream_app: Final = cast("StreamApp", self.app)
        self.work: Final = Transactions(self._stream_app, self._stream_app.io.open_writer)

    async def on_rebalance(self, assigned: set[TP], revoked: set[TP], newly_assigned: set[TP]) -> None:
        """Open a writer for each assigned task; those of before are closed."""
        # A standby has changelog partitions of other workers' tasks: opening those would fence their owners.
        topics = self._stream_app.task_topics
        await self.work.open({tp.partition for tp in assigned if tp.topic in topics})

    async def on_partitions_revoked(self, revoked: set[TP]) -> None:
        """Let running batches finish, so that their offsets are committed before anyone asks for them."""
        await self.work.give_up_tasks()

    async def on_stop(self) -> None:
        """Close the writers."""
        await self.work.close()

    async def commit(self, offsets: Mapping[TP, int], start_new_transaction: bool = True) -> bool:
        """Nothing: only a batch's own transaction commits offsets."""
        return False
