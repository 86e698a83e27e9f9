"""The transactional producer of a task, on Kafka."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Final

from aiokafka import AIOKafkaProducer
from aiokafka.structs import OffsetAndMetadata, RecordMetadata, TopicPartition
from faust.types import TP

from streams.log import Item


class KafkaTaskProducer:
    """An aiokafka producer, writing whole record batches."""

    def __init__(self, producer: AIOKafkaProducer) -> None:
        self._producer: Final = producer

    async def begin(self) -> None:
        """Begin a transaction."""
        await self._producer.begin_transaction()

    async def send(self, topic: str, partition: int, items: Sequence[Item]) -> int:
        """Send records in whole batches and wait for them; returns the offset after the last one."""
        producer = self._producer
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

    async def send_offsets(self, offsets: Mapping[TP, int], group: str) -> None:
        """Have the transaction commit these offsets, the next ones to read, for the group."""
        commits = {TopicPartition(*tp): OffsetAndMetadata(offset, "") for tp, offset in offsets.items()}
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
