"""One task's partitions, written anew: what is kept of a partition goes to its end, what was there is deleted.

Kafka deletes nothing from the middle of a log, so what is kept is copied behind what was there, and then everything
up to there is deleted. The copy, the new offsets of every consumer group and the place up to which to delete are one
transaction: it happens altogether or not at all, and whoever comes after a crash sees from the place what is still to
be deleted. The transaction is the task's own, so opening it shuts out a worker, and a worker that starts shuts it out.
"""

from __future__ import annotations

import asyncio
from array import array
from bisect import bisect_left
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from itertools import islice
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from loyalty.errors import LoyaltyError
from loyalty.groups import RUNNING, Position, Positions
from streams.settings import Settings
from streams.task_writer import transactional_id
from streams.topics import RECORD_BYTES_MAX

if TYPE_CHECKING:
    from aiokafka import AIOKafkaProducer, TopicPartition
    from aiokafka.admin import AIOKafkaAdminClient
    from aiokafka.producer.message_accumulator import BatchBuilder
    from aiokafka.structs import RecordMetadata

OPEN_MS_MAX: Final = 900_000
"""How long a partition may take: brokers allow a transaction no more, unless told otherwise."""
BATCH_BYTES: Final = 500_000
UNDER_WAY_MAX: Final = 20
"""Batches on their way to the broker at a time."""
ROWS_AT_ONCE: Final = 5_000


class Copy(NamedTuple):
    """One record to be kept; `offset` is where it stands now, None for one that was not there before."""

    offset: int | None
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[str, bytes | None]] = ()


class Rows(NamedTuple):
    """Rows that change with a rewrite: the changelog, key → row (None: deleted), and their timestamp in ms."""

    topic: str
    changed: Mapping[bytes, bytes | None]
    timestamp: int


class Interrupted(Exception):
    """Somebody else wrote to the partition meanwhile; nothing has changed."""


def notes_group(application_id: str) -> str:
    """The group whose offsets say up to where a partition is to be deleted."""
    return f"{application_id}-forget"


class TaskLog:
    """`async with TaskLog(settings, partition) as log`: the task is ours while it is open."""

    def __init__(self, settings: Settings, partition: int) -> None:
        from aiokafka import AIOKafkaProducer

        self._settings: Final = settings
        self._partition: Final = partition
        self._producer: Final[AIOKafkaProducer] = AIOKafkaProducer(
            **settings.kafka(),
            transactional_id=transactional_id(settings.application_id, partition),
            transaction_timeout_ms=OPEN_MS_MAX,
            max_batch_size=BATCH_BYTES,
            max_request_size=RECORD_BYTES_MAX,
        )

    async def __aenter__(self) -> TaskLog:
        await self._producer.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._producer.stop()

    async def rewrite(
        self,
        tp: TopicPartition,
        end: int,
        copies: AsyncIterator[Copy],
        groups: Positions,
        check: Callable[[], Awaitable[None]],
        rows: Rows | None = None,
    ) -> None:
        """Copy what is kept of a partition behind `end`, where it ends now, and move every group along.

        `check` is called when all is copied, and may raise if that was for nothing. `rows` are written in the same
        transaction once the copies are through, so they may be filled by them. What stood before `end` is to be
        deleted by `delete_copied`.

        :raises Interrupted: others wrote to the partition meanwhile. LoyaltyError: a worker has started.
        """
        async with self._transaction():
            places = await self._copy(tp, end, copies)
            if rows is not None:
                await self._put(rows)
            await check()
            for group, known in groups.items():
                if tp in known:
                    position, note = known[tp]
                    await self._move(group, tp, end + places.before(position, end), note)
            await self._move(notes_group(self._settings.application_id), tp, end, "")

    async def put(self, rows: Rows, positions: Mapping[TopicPartition, Position]) -> None:
        """Write rows. The notes that the workers' group has at these positions say no more what was there before.

        :raises LoyaltyError: a worker has started.
        """
        async with self._transaction():
            await self._put(rows)
            for tp, (offset, _) in positions.items():
                await self._move(self._settings.application_id, tp, offset, "")

    @asynccontextmanager
    async def _transaction(self) -> AsyncIterator[None]:
        from aiokafka.errors import IllegalStateError, ProducerFenced

        try:
            await self._producer.begin_transaction()
            try:
                yield
                await self._producer.commit_transaction()
            except BaseException:
                await self._abort()
                raise
        except (ProducerFenced, IllegalStateError) as error:
            raise LoyaltyError(
                f"a worker has started on task {self._partition}: stop it and run this again; "
                "every partition is either as it was or as it will be",
                RUNNING,
            ) from error

    async def _copy(self, tp: TopicPartition, end: int, copies: AsyncIterator[Copy]) -> _Places:
        places, deliveries = _Places(), _Deliveries(self._producer, tp, end)
        batch, count = self._producer.create_batch(), 0
        async for copy in copies:
            places.add(copy.offset)
            item = {"timestamp": copy.timestamp, "key": copy.key, "value": copy.value}
            if batch.append(**item, headers=list(copy.headers)) is None:
                await deliveries.send(batch, count)
                batch, count = self._producer.create_batch(), 0
                batch.append(**item, headers=list(copy.headers))
            count += 1
        if count:
            await deliveries.send(batch, count)
        await deliveries.arrived(0)
        return places

    async def _put(self, rows: Rows) -> None:
        send, partition = self._producer.send, self._partition
        left = iter(rows.changed.items())
        while some := list(islice(left, ROWS_AT_ONCE)):
            deliveries = [
                await send(rows.topic, row, key=key, partition=partition, timestamp_ms=rows.timestamp)
                for key, row in some
            ]
            await asyncio.gather(*deliveries)

    async def _move(self, group: str, tp: TopicPartition, offset: int, note: str) -> None:
        from aiokafka.structs import OffsetAndMetadata

        # The client adds one group to a transaction and no more: made to forget the last, it adds the next.
        self._producer._txn_manager._txn_consumer_group = None
        await self._producer.send_offsets_to_transaction({tp: OffsetAndMetadata(offset, note)}, group)

    async def _abort(self) -> None:
        try:
            await self._producer.abort_transaction()
        except Exception:
            return  # who comes next for the task has it aborted


async def delete_copied(
    admin: AIOKafkaAdminClient, notes: Mapping[TopicPartition, int], firsts: Mapping[TopicPartition, int]
) -> int:
    """Delete what rewrites have copied, by the notes that they left; `firsts`: where the partitions begin.

    Returns in how many partitions there was something to delete. Raises KafkaError.
    """
    from aiokafka.admin import RecordsToDelete

    due = {tp: RecordsToDelete(at) for tp, at in notes.items() if at > firsts[tp]}
    if due:
        await admin.delete_records(due)
    return len(due)


def _heard(delivery: asyncio.Future[Any]) -> None:
    """What failed makes the transaction fail; a delivery that nobody waits for need not complain as well."""
    if not delivery.cancelled():
        delivery.exception()


class _Deliveries:
    """Batches on their way to a partition, which must arrive one after the other from the offset `expected` on."""

    def __init__(self, producer: AIOKafkaProducer, tp: TopicPartition, expected: int) -> None:
        self._producer: Final = producer
        self._tp: Final = tp
        self._expected = expected
        self._under_way: Final[deque[tuple[asyncio.Future[RecordMetadata], int]]] = deque()

    async def send(self, batch: BatchBuilder, count: int) -> None:
        """Send a batch of `count` records, and wait while too many are under way."""
        delivery = await self._producer.send_batch(batch, self._tp.topic, partition=self._tp.partition)
        delivery.add_done_callback(_heard)
        self._under_way.append((delivery, count))
        await self.arrived(UNDER_WAY_MAX)

    async def arrived(self, left: int) -> None:
        """Wait until no more than `left` batches are under way.

        :raises Interrupted: somebody else has written in between.
        """
        while len(self._under_way) > left:
            delivery, count = self._under_way.popleft()
            # Whoever has read up to where the partition ended goes on behind the copies: nothing may be between them.
            if (await delivery).offset != self._expected:
                raise Interrupted
            self._expected += count


class _Places:
    """Where the copies of a partition's records stand, counted from the first copy."""

    def __init__(self) -> None:
        self._offsets: Final = array("q")
        self._count = 0
        self._new = 0

    def add(self, offset: int | None) -> None:
        """One more copy. Those that were not there before come first."""
        if offset is None:
            self._new += 1
        else:
            self._offsets.append(offset)

    def before(self, position: int, end: int) -> int:
        """How many copies somebody has read who has read the partition, which ended at `end`, up to `position`."""
        read = bisect_left(self._offsets, position)
        return read + self._new if read or position >= end else 0
