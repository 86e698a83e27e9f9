"""One transaction per batch: outputs, journal, rows and offsets are all there, or none is.

Each task has its own transactional producer, opened anew at every assignment. Opening it fences whoever had
the task before (a worker that was thought dead and wakes up cannot write any more) and waits until the last
transaction of the task is decided. The store is written only after Kafka has committed.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Mapping, Sequence
from time import monotonic
from typing import TYPE_CHECKING, Any, Final, cast

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaTimeoutError
from aiokafka.partitioner import murmur2
from aiokafka.structs import OffsetAndMetadata, RecordMetadata, TopicPartition
from faust.transport.consumer import TransactionManager
from faust.types import TP
from mode import get_logger

from schemas.record import Record
from schemas.topics import LINKS
from streams.task import Batch, FoldResult

if TYPE_CHECKING:
    from streams.app import StreamApp

log = get_logger(__name__)

ABORT_SECONDS: Final = 3.0


def transactional_id(application_id: str, partition: int) -> str:
    """The transactional id of a task: the same for all workers that ever own it, so each fences the last."""
    return f"{application_id}-task-{partition}"


def link_partition(key: bytes | None, partitions: int) -> int:
    """The partition of the account a link record is for: Kafka's default partitioner on the key."""
    return int(murmur2(key or b"") & 0x7FFFFFFF) % partitions


class Transactions(TransactionManager):
    """Works off batches, each in its own transaction."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._stream_app: Final = cast("StreamApp", self.app)
        self._producers: Final[dict[int, AIOKafkaProducer]] = {}
        self._running: Final[set[int]] = set()
        self._idle: Final = asyncio.Event()
        self._idle.set()

    async def on_rebalance(self, assigned: set[TP], revoked: set[TP], newly_assigned: set[TP]) -> None:
        """Open a producer for each assigned task; those of before are closed."""
        await self._close_all()
        # A standby has changelog partitions of other workers' tasks: opening those would fence their owners.
        topics = self._stream_app.task_topics
        partitions = sorted({tp.partition for tp in assigned if tp.topic in topics})
        await asyncio.gather(*[self._open(partition) for partition in partitions])

    async def on_partitions_revoked(self, revoked: set[TP]) -> None:
        """Let running batches finish, so that their offsets are committed before anyone asks for them."""
        self._stream_app.stream_consumer.forget()
        await self.finish(self._stream_app.settings.rebalance_seconds / 2)

    async def finish(self, seconds: float) -> None:
        """Wait until no batch is running. One that hangs is decided by the next owner's fencing."""
        try:
            await asyncio.wait_for(self._idle.wait(), seconds)
        except TimeoutError:
            log.warning("a batch of tasks %s did not finish in %.0f s", sorted(self._running), seconds)

    async def on_stop(self) -> None:
        """Close the producers."""
        await self._close_all()

    async def commit(self, offsets: Mapping[TP, int], start_new_transaction: bool = True) -> bool:
        """Nothing: only `work_off` commits."""
        return False

    async def work_off(self, batch: Batch) -> None:
        """Fold a batch and publish what it caused, in one transaction for each step the fold takes.

        A batch of tasks that are being taken away is dropped: its records will be fetched again.

        Raises: whatever went wrong; the transaction is aborted then, the task's state in memory is no longer
        to be used, and the process must end.
        """
        if not self._may_work(batch):
            return
        partition = batch.partition
        self._running.add(partition)
        self._idle.clear()
        try:
            records = batch.records
            while records and self._may_work(batch):
                consumed = await self._step(partition, records)
                records = records[consumed:]
        finally:
            self._running.discard(partition)
            if not self._running:
                self._idle.set()
            self._stream_app.stream_consumer.release(batch)

    def _may_work(self, batch: Batch) -> bool:
        app = self._stream_app
        return batch.assignment == app.assignment and app.failure is None and not app.should_stop

    async def _step(self, partition: int, records: Sequence[Record]) -> int:
        table = self._stream_app.account_table
        state = table.task_state(partition)
        producer = self._producers[partition]
        started = monotonic()
        result = state.fold(records)
        folded = monotonic()
        if not 0 <= result.consumed <= len(records):
            raise RuntimeError(f"the fold says it consumed {result.consumed} of {len(records)} records")
        if not (result.consumed or result.rows or result.produce):
            raise RuntimeError(f"the fold makes no progress on {len(records)} records")
        await producer.begin_transaction()
        try:
            # The broker aborts what is open for longer: waiting on would be for nothing.
            async with asyncio.timeout(self._stream_app.settings.transaction_ms_max / 1000):
                changelog_end = await self._publish(producer, partition, records, result)
                await producer.commit_transaction()
        except TimeoutError as error:
            await _abort(producer)
            raise KafkaTimeoutError(f"a transaction of task {partition} took too long") from error
        except BaseException:
            await _abort(producer)
            raise
        table.store(partition).put_many(result.rows, changelog_end)
        state.committed()
        self._stream_app.worked_off(partition, result, folded - started, monotonic() - folded)
        return result.consumed

    async def _publish(
        self, producer: AIOKafkaProducer, partition: int, records: Sequence[Record], result: FoldResult
    ) -> int | None:
        """Send all of it and wait; the changelog offset after the last row, None if there was no row."""
        app = self._stream_app
        sends: dict[tuple[str, int], list[tuple[bytes | None, bytes | None, int]]] = defaultdict(list)
        for item in result.produce:
            to = link_partition(item.key, app.settings.partitions) if item.topic == LINKS.name else partition
            sends[item.topic, to].append((item.key, item.value, item.timestamp))
        changelog = (app.account_table.changelog_topic.get_topic_name(), partition)
        if result.rows:
            stamp = max(0, records[max(0, result.consumed - 1)].timestamp)
            sends[changelog] = [(key, row, stamp) for key, row in result.rows.items()]
        offsets = {
            TopicPartition(record.topic, partition): record.offset for record in records[: result.consumed]
        }
        waits = [_send(producer, topic, to, items) for (topic, to), items in sends.items()]
        if offsets:
            commits = {tp: OffsetAndMetadata(offset + 1, "") for tp, offset in offsets.items()}
            waits.append(_send_offsets(producer, commits, app.settings.application_id))
        ends = await asyncio.gather(*waits)
        return ends[list(sends).index(changelog)] if result.rows else None

    async def _open(self, partition: int) -> None:
        app = self._stream_app
        driver: Any = app.producer
        producer = driver._new_producer(transactional_id(app.settings.application_id, partition))
        await producer.start()
        self._producers[partition] = producer

    async def _close_all(self) -> None:
        producers = list(self._producers.values())
        self._producers.clear()
        stops = [asyncio.wait_for(producer.stop(), ABORT_SECONDS) for producer in producers]
        await asyncio.gather(*stops, return_exceptions=True)


async def _send(
    producer: AIOKafkaProducer,
    topic: str,
    partition: int,
    items: Sequence[tuple[bytes | None, bytes | None, int]],
) -> int:
    """Send records in whole batches; returns the offset after the last one."""
    deliveries: list[tuple[asyncio.Future[RecordMetadata], int]] = []
    at = 0
    while at < len(items):
        builder = producer.create_batch()
        append = builder.append
        first = at
        for key, value, timestamp in items[at:]:
            if append(timestamp=timestamp, key=key, value=value) is None:
                break
            at += 1
        if at == first:
            raise RuntimeError(f"a record for {topic} does not fit into a batch")
        deliveries.append((await producer.send_batch(builder, topic, partition=partition), at - first))
    end = 0
    for delivery, count in deliveries:
        end = (await delivery).offset + count
    return end


async def _send_offsets(
    producer: AIOKafkaProducer, offsets: Mapping[TopicPartition, OffsetAndMetadata], group: str
) -> int:
    await producer.send_offsets_to_transaction(offsets, group)
    return 0


async def _abort(producer: AIOKafkaProducer) -> None:
    """Abort if it can still be done; if not, the next owner's producer does it."""
    try:
        await asyncio.wait_for(producer.abort_transaction(), ABORT_SECONDS)
    except (Exception, asyncio.CancelledError) as error:
        log.debug("the transaction could not be aborted: %r", error)
