"""One transaction per batch: outputs, journal, rows and offsets are all there, or none is.

Each task has its own transactional producer, opened anew at every assignment. Opening it fences whoever had
the task before (a worker that was thought dead and wakes up cannot write any more) and waits until the last
transaction of the task is decided. The store is written only after Kafka has committed.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from itertools import repeat
from operator import attrgetter
from time import monotonic
from typing import Final

from aiokafka.errors import KafkaTimeoutError
from faust.types import TP

from schemas.record import Record
from streams.destinations import by_destination, next_offsets
from streams.log import TaskProducer
from streams.record_batch import Item
from streams.task import Batch, FoldResult
from streams.tasks import Worker

log = logging.getLogger(__name__)

ABORT_SECONDS: Final = 3.0

_ITEM: Final = attrgetter("key", "value", "timestamp")


def transactional_id(application_id: str, partition: int) -> str:
    """The transactional id of a task: the same for all workers that ever own it, so each fences the last."""
    return f"{application_id}-task-{partition}"


OpenProducer = Callable[[str], Awaitable[TaskProducer]]
"""Opens a producer by its transactional id: fences whoever had it, and waits until the last transaction of it is
decided."""


class Transactions:
    """Works off batches, each in its own transaction."""

    def __init__(self, worker: Worker, open_producer: OpenProducer) -> None:
        self._worker: Final = worker
        self._open_producer: Final = open_producer
        self._producers: Final[dict[int, TaskProducer]] = {}
        self._running: Final[set[Batch]] = set()
        self._idle: Final = asyncio.Event()
        self._idle.set()

    async def open(self, partitions: Iterable[int]) -> None:
        """Open a producer for each assigned task; those of before are closed."""
        await self.close()
        await asyncio.gather(*[self._open(partition) for partition in sorted(partitions)])

    async def give_up_tasks(self) -> None:
        """Let running batches finish, so that their offsets are committed before anyone asks for them."""
        self._worker.reader.forget()
        await self.finish(self._worker.settings.rebalance_seconds / 2)

    async def finish(self, seconds: float) -> None:
        """Wait until no batch is running. One that hangs is decided by the next owner's fencing."""
        try:
            await asyncio.wait_for(self._idle.wait(), seconds)
        except TimeoutError:
            partitions = sorted({batch.partition for batch in self._running})
            log.warning("a batch of tasks %s did not finish in %.0f s", partitions, seconds)

    async def close(self) -> None:
        """Close the producers."""
        producers = list(self._producers.values())
        self._producers.clear()
        stops = [asyncio.wait_for(producer.close(), ABORT_SECONDS) for producer in producers]
        await asyncio.gather(*stops, return_exceptions=True)

    async def work_off(self, batch: Batch) -> None:
        """Fold a batch and publish what it caused, in one transaction for each step the fold takes.

        A batch of tasks that are being taken away is dropped: its records will be fetched again.

        Raises: whatever went wrong; the transaction is aborted then, the task's state in memory is no longer
        to be used, and the process must end.
        """
        if not self._may_work(batch):
            return
        partition = batch.partition
        self._running.add(batch)
        self._idle.clear()
        try:
            records = batch.records
            while records and self._may_work(batch):
                consumed = await self._step(partition, records)
                records = records[consumed:]
        finally:
            self._running.discard(batch)
            if not self._running:
                self._idle.set()
            self._worker.reader.release(batch)

    def _may_work(self, batch: Batch) -> bool:
        worker = self._worker
        return batch.assignment == worker.assignment and worker.failure is None and not worker.should_stop

    async def _step(self, partition: int, records: Sequence[Record]) -> int:
        tasks = self._worker.tasks
        state = tasks.task_state(partition)
        producer = self._producers[partition]
        started = monotonic()
        result = state.fold(records)
        folded = monotonic()
        if not 0 <= result.consumed <= len(records):
            raise RuntimeError(f"the fold says it consumed {result.consumed} of {len(records)} records")
        if not (result.consumed or result.rows or result.produce):
            raise RuntimeError(f"the fold makes no progress on {len(records)} records")
        await producer.begin()
        try:
            # The broker aborts what is open for longer: waiting on would be for nothing.
            async with asyncio.timeout(self._worker.settings.transaction_ms_max / 1000):
                changelog_end = await self._publish(producer, partition, records, result)
                await producer.commit()
        except TimeoutError as error:
            await _abort(producer)
            raise KafkaTimeoutError(f"a transaction of task {partition} took too long") from error
        except BaseException:
            await _abort(producer)
            raise
        # An answer may come so late that the task has been given anew meanwhile, to this very worker. Then recovery
        # has read these rows from the changelog, and perhaps newer ones of the same accounts.
        if self._producers.get(partition) is producer:
            tasks.store(partition).put_many(result.rows, changelog_end)
            state.committed()
        self._worker.worked_off(partition, result, folded - started, monotonic() - folded)
        return result.consumed

    async def _publish(
        self, producer: TaskProducer, partition: int, records: Sequence[Record], result: FoldResult
    ) -> int | None:
        """Send all of it and wait; the changelog offset after the last row, None if there was no row."""
        settings = self._worker.settings
        written = by_destination(result.produce, partition, settings.partitions)
        # Items are made one by one as a batch takes them: tens of thousands at a time would have the collector of
        # cyclic garbage go through all of them.
        sends: dict[tuple[str, int], Iterable[Item]] = {to: map(_ITEM, made) for to, made in written.items()}
        changelog = (self._worker.tasks.changelog, partition)
        if result.rows:
            stamp = max(0, records[max(0, result.consumed - 1)].timestamp)
            sends[changelog] = zip(result.rows.keys(), result.rows.values(), repeat(stamp), strict=False)
        offsets = {
            TP(topic, partition): offset for topic, offset in next_offsets(records, result.consumed).items()
        }
        waits = [producer.send(topic, to, items) for (topic, to), items in sends.items()]
        if offsets:
            waits.append(_send_offsets(producer, offsets, settings.application_id))
        ends = await asyncio.gather(*waits)
        return ends[list(sends).index(changelog)] if result.rows else None

    async def _open(self, partition: int) -> None:
        name = transactional_id(self._worker.settings.application_id, partition)
        self._producers[partition] = await self._open_producer(name)


async def _send_offsets(producer: TaskProducer, offsets: Mapping[TP, int], group: str) -> int:
    await producer.send_offsets(offsets, group)
    return 0


async def _abort(producer: TaskProducer) -> None:
    """Abort if it can still be done; if not, the next owner's producer does it."""
    try:
        await asyncio.wait_for(producer.abort(), ABORT_SECONDS)
    except (Exception, asyncio.CancelledError) as error:
        log.debug("the transaction could not be aborted: %r", error)
