"""The transactional producer of a task, on Kafka."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from typing import Final

from aiokafka import AIOKafkaProducer
from aiokafka.structs import OffsetAndMetadata, RecordMetadata, TopicPartition
from faust.types import TP

from streams.produce_request import send_in_pieces
from streams.record_batch import Item, record_batches
from streams.settings import Settings

BATCH_BYTES_MAX: Final = 900_000
"""Bytes of a record batch: brokers take a mebibyte unless they are told otherwise."""


REQUEST_MS_MAX: Final = 40_000
RETRY_MS: Final = 10
"""Wait before a retry. A transaction that follows the last one at once is often told to come again, because
the markers of the last one are still being written; with the usual 100 ms that would be most of its time."""


async def open_producer(settings: Settings, transactional_id: str) -> KafkaTaskProducer:
    """Connect and fence whoever had this id; a transaction that is left open is aborted by the broker after a while.

    Raises KafkaError.
    """
    producer = AIOKafkaProducer(
        **settings.kafka(),
        client_id=transactional_id,
        transactional_id=transactional_id,
        transaction_timeout_ms=settings.transaction_ms_max,
        request_timeout_ms=max(REQUEST_MS_MAX, settings.transaction_ms_max),
        retry_backoff_ms=RETRY_MS,
    )
    await producer.start()
    return KafkaTaskProducer(producer)


class KafkaTaskProducer:
    """An aiokafka producer, writing whole record batches."""

    def __init__(self, producer: AIOKafkaProducer) -> None:
        self._producer: Final = producer
        send_in_pieces()  # the client itself cannot encode our batches

    async def begin(self) -> None:
        """Begin a transaction."""
        await self._producer.begin_transaction()

    async def send(self, topic: str, partition: int, items: Iterable[Item]) -> int:
        """Send records in whole batches and wait for them; returns the offset after the last one."""
        deliveries: list[tuple[asyncio.Future[RecordMetadata], int]] = []
        for batch in record_batches(items, BATCH_BYTES_MAX):
            delivery = await self._producer.send_batch(batch, topic, partition=partition)
            deliveries.append((delivery, batch.record_count()))
        end = 0
        for delivery, count in deliveries:
            end = (await delivery).offset + count
        return end

    async def send_offsets(self, offsets: Mapping[TP, int], group: str, note: str) -> None:
        """Have the transaction commit these offsets, the next ones to read, for the group; each with this note."""
        commits = {TopicPartition(*tp): OffsetAndMetadata(offset, note) for tp, offset in offsets.items()}
        await self._producer.send_offsets_to_transaction(commits, group)

    async def commit(self) -> None:
        """Commit all of it."""
        await self._producer.commit_transaction()

    async def abort(self) -> None:
        """Give all of it up."""
        await self._producer.abort_transaction()

    async def close(self) -> None:
        """Close the connection; what is open stays open."""
        await self._producer.stop()
