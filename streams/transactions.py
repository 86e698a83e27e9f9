"""Works off batches: each is folded, and what it caused is published, in one transaction for each step of the fold.

Each task has its own transactional producer, opened anew at every assignment. Opening it fences whoever had
the task before (a worker that was thought dead and wakes up cannot write any more) and waits until the last
transaction of the task is decided. The store is written only after Kafka has committed.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable, Sequence
from time import monotonic
from typing import Final

from faust.types import TP

from schemas.columns import Columns
from schemas.record import Record
from streams.destinations import by_destination, next_offsets
from streams.lost_rows import note_of
from streams.task import Batch, FoldResult
from streams.task_writer import ABORT_SECONDS, OpenWriter, TaskWriter
from streams.tasks import Worker

log = logging.getLogger(__name__)

TURNS: Final = 5
"""Turns of the loop before each fold: so many it takes from the answer to a fetch until the next one is asked for. Without
them all tasks that have a batch are folded first, which takes a second, and meanwhile nothing is fetched."""


class Transactions:
    """Works off batches, each in its own transaction."""

    def __init__(self, worker: Worker, open_writer: OpenWriter) -> None:
        self._worker: Final = worker
        self._open_writer: Final = open_writer
        self._writers: Final[dict[int, TaskWriter]] = {}
        self._running: Final[set[Batch]] = set()
        self._idle: Final = asyncio.Event()
        self._idle.set()
        self._folding: Final = asyncio.Lock()

    async def open(self, partitions: Iterable[int]) -> None:
        """Open a writer for each assigned task; those of before are closed."""
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
        """Close the writers."""
        writers = list(self._writers.values())
        self._writers.clear()
        stops = [asyncio.wait_for(writer.close(), ABORT_SECONDS) for writer in writers]
        await asyncio.gather(*stops, return_exceptions=True)

    async def work_off(self, batch: Batch) -> None:
        """Fold a batch and publish what it caused, in one transaction for each step the fold takes.

        A batch of tasks that are being taken away is dropped: its records will be fetched again.

        Raises: whatever went wrong; the transaction is aborted then, the task's state in memory is no longer
        to be used, and the process must end.
        """
        if not self._may_work(batch):
            return
        self._running.add(batch)
        self._idle.clear()
        try:
            records = batch.records
            while records and self._may_work(batch):
                consumed = await self._step(batch, records)
                records = records[consumed:]
        finally:
            self._running.discard(batch)
            if not self._running:
                self._idle.set()
            self._worker.reader.release(batch)

    def _may_work(self, batch: Batch) -> bool:
        worker = self._worker
        return batch.assignment == worker.assignment and worker.failure is None and not worker.should_stop

    async def _step(self, batch: Batch, records: Sequence[Record]) -> int:
        async with self._folding:
            for _ in range(TURNS):
                await asyncio.sleep(0)
            if not self._may_work(batch):
                return 0
            partition = batch.partition
            tasks = self._worker.tasks
            state = tasks.task_state(partition)
            writer = self._writers[partition]
            started = monotonic()
            result = state.fold(records)
            folded = monotonic()
        if not 0 <= result.consumed <= len(records):
            raise RuntimeError(f"the fold says it consumed {result.consumed} of {len(records)} records")
        if not (result.consumed or result.rows or result.produce):
            raise RuntimeError(f"the fold makes no progress on {len(records)} records")
        changelog_end = await self._publish(writer, batch, records, result)
        # An answer may come so late that the task has been given anew meanwhile, to this very worker. Then recovery
        # has read these rows from the changelog, and perhaps newer ones of the same accounts.
        if self._writers.get(partition) is writer:
            tasks.store(partition).put_many(result.rows, changelog_end)
            state.committed()
        self._worker.worked_off(partition, result, folded - started, monotonic() - folded)
        return result.consumed

    async def _publish(
        self, writer: TaskWriter, batch: Batch, records: Sequence[Record], result: FoldResult
    ) -> int | None:
        """Commit what `records`, those of the batch that are left, have caused; returns the changelog offset after the last
        row, None if there was no row."""
        partition = batch.partition
        sends = by_destination(result.produce, partition, self._worker.settings.partitions)
        if result.rows:
            stamp = max(0, records[max(0, result.consumed - 1)].timestamp)
            rows = Columns(list(result.rows.keys()), list(result.rows.values()), [stamp] * len(result.rows))
            sends.append((self._worker.tasks.changelog, partition, rows))
        offsets = next_offsets(records, result.consumed)
        if result.consumed == len(records):
            offsets.update(batch.passed)
        note = note_of(self._worker.tasks.store(partition).offset)
        commits = {TP(topic, partition): offset for topic, offset in offsets.items()}
        ends = await writer.write(sends, commits, note)
        return ends[-1] if result.rows else None

    async def _open(self, partition: int) -> None:
        self._writers[partition] = await self._open_writer(partition)
