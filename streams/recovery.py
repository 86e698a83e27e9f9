"""Faust's recovery, reduced to saying when: what is read, and up to where, stands in `streams.task_recovery`."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, cast

from aiokafka.errors import IllegalStateError
from faust.tables.recovery import RebalanceAgain, Recovery, ServiceStopped
from faust.types import TP
from mode import Service, get_logger

from streams.task_recovery import begin_tasks, recover_tasks

if TYPE_CHECKING:
    from streams.app import StreamApp

log = get_logger(__name__)


class BulkRecovery(Recovery):
    """Recovery that reads the changelog in bulk."""

    _assignment: int = 0

    @Service.task
    async def _restart_recovery(self) -> None:
        while not self.should_stop:
            if await self.wait_for_stopped(self.signal_recovery_start):  # type: ignore[arg-type]
                break
            self.signal_recovery_start.clear()
            try:
                await self._wait(self._recover(self._assignment))
            except (RebalanceAgain, IllegalStateError):
                # The assignment changed under us; the signal for the new one is set or will be.
                continue
            except ServiceStopped:
                break
            except asyncio.CancelledError:
                raise
            except Exception as error:
                cast("StreamApp", self.app).fail(error)
                break

    @Service.task
    async def _slurp_changelogs(self) -> None:
        """Nothing: the changelog is read by `_recover` alone."""

    @Service.task
    async def _publish_stats(self) -> None:
        """Nothing: `_recover` logs what it did."""

    def flush_buffers(self) -> None:
        """Nothing is buffered."""

    async def on_rebalance(
        self, assigned: set[TP], revoked: set[TP], newly_assigned: set[TP], generation_id: int = 0
    ) -> None:
        """Note which assignment this is, and have its tasks recovered."""
        self._assignment = cast("StreamApp", self.app).assignment
        await super().on_rebalance(assigned, revoked, newly_assigned, generation_id)

    async def _recover(self, assignment: int) -> None:
        app = cast("StreamApp", self.app)
        self._set_recovery_started()
        partitions = sorted(tp.partition for tp in self.active_tps)
        await recover_tasks(app, app.stream_consumer.task_log, partitions)
        await app.on_rebalance_complete.send()
        await app._fetcher.maybe_start()
        # From here on nothing waits: a rebalance that began meanwhile is seen, and none can come in between.
        if begin_tasks(app, partitions, assignment):
            self._let_flow(partitions)

    def _let_flow(self, partitions: list[int]) -> None:
        app: Any = self.app
        self._set_recovery_ended()
        app.consumer.resume_partitions(app.consumer.assignment())
        self.completed.set()
        app.flow_control.resume()
        app.consumer.resume_flow()
        self.tables.on_actives_ready()
        self.tables.on_standbys_ready()
        app.on_rebalance_end()
        log.info("ready: tasks %s", ", ".join(map(str, partitions)) or "none")
