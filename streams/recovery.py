"""Bring the stores of newly assigned tasks up to date from the changelog, then let the events flow.

By the time this runs the task's transactional producer is open, so a previous owner is fenced and its last
transaction is decided: the stable end of the changelog and the committed offsets belong together.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from time import monotonic
from typing import TYPE_CHECKING, Any, Final, cast

from aiokafka.errors import IllegalStateError
from faust.tables.recovery import RebalanceAgain, Recovery, ServiceStopped
from faust.types import TP
from mode import Service, get_logger

if TYPE_CHECKING:
    from streams.app import StreamApp
    from streams.store import Store

log = get_logger(__name__)

RECORDS_PER_READ: Final = 50_000


class BulkRecovery(Recovery):
    """Recovery that reads the changelog in bulk.

    It asks for the stable ends (an exactly-once worker of Faust believes there is nothing to recover, because
    the last stable offset is unknown before the first fetch) and ends on the consumer's position (the last
    offset is a transaction marker that is never delivered).
    """

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
        consumer = app.stream_consumer
        table = app.account_table
        self._set_recovery_started()
        await consumer.quiet()
        partitions = sorted(tp.partition for tp in self.active_tps)
        changelog = {TP(table.changelog_topic.get_topic_name(), p): p for p in partitions}
        table.keep_only(partitions)
        table.cluster_id = await consumer.thread.cluster_id()
        stores = {tp: table.store(partition) for tp, partition in changelog.items()}
        if stores:
            await self._read_changelog(stores)
            await consumer.thread.rest(stores)
        for partition in partitions:
            table.open_task(partition)
        inbound = [TP(topic, partition) for partition in partitions for topic in app.task_topics]
        if inbound:
            await consumer.thread.read_from(await consumer.thread.committed(inbound))
        await app.on_rebalance_complete.send()
        await app._fetcher.maybe_start()
        # From here on nothing waits: a rebalance that began meanwhile is seen, and none can come in between.
        if assignment == app.assignment and app.failure is None:
            consumer.begin(partitions, assignment)
            self._let_flow(partitions)

    async def _read_changelog(self, stores: Mapping[TP, Store]) -> None:
        app = cast("StreamApp", self.app)
        thread = app.stream_consumer.thread
        started = monotonic()
        ends = await thread.stable_ends(stores)
        for tp, store in stores.items():
            if store.offset is not None and store.offset > ends[tp]:
                store.discard(
                    f"it is at offset {store.offset}, but {tp.topic} partition {tp.partition} ends at "
                    f"{ends[tp]}: the topic was deleted and made again, or has lost records"
                )
        await thread.read_from({tp: store.offset for tp, store in stores.items()})
        unread = {tp for tp, store in stores.items() if (store.offset or 0) < ends[tp]}
        count = 0
        while unread:
            fetched = await thread.fetch(frozenset(unread), 1.0, RECORDS_PER_READ)
            for tp, (position, _, _) in fetched.progress.items():
                records = fetched.records.get(tp, ())
                if records or position is not None:
                    stores[tp].put_many({r.key or b"": r.value for r in records}, position)
                    count += len(records)
                if position is not None and position >= ends[tp]:
                    unread.discard(tp)
        log.info(
            "recovered %d tasks: %d changelog records in %.2f s", len(stores), count, monotonic() - started
        )

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
