"""The transactional producer of a task, on Kafka."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator, Mapping
from itertools import chain
from typing import Any, Final

from aiokafka import AIOKafkaProducer
from aiokafka.producer.message_accumulator import BatchBuilder
from aiokafka.structs import OffsetAndMetadata, RecordMetadata, TopicPartition
from faust.types import TP

from streams.log import Item

_NO_HEADERS: Final[list[Any]] = []


class KafkaTaskProducer:
    """An aiokafka producer, writing whole record batches."""

    def __init__(self, producer: AIOKafkaProducer) -> None:
        self._producer: Final = producer

    async def begin(self) -> None:
        """Begin a transaction."""
        await self._producer.begin_transaction()

    async def send(self, topic: str, partition: int, items: Iterable[Item]) -> int:
        """Send records in whole batches and wait for them; returns the offset after the last one."""
        deliveries: list[tuple[asyncio.Future[RecordMetadata], int]] = []
        rest = iter(items)
        item = next(rest, None)
        while item is not None:
            batch = self._producer.create_batch()
            item = fill(batch, item, rest)
            count = batch.record_count()
            if not count:
                raise RuntimeError(f"a record for {topic} does not fit into a batch")
            delivery = await self._producer.send_batch(batch, topic, partition=partition)
            deliveries.append((delivery, count))
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


def fill(batch: BatchBuilder, first: Item, rest: Iterator[Item]) -> Item | None:
    """Append records until one does not fit, which is returned; None when all are in. The batch is closed then.

    Of `rest` no more is taken than that. It does what the client's own `append` does, below it: that one takes nearly as
    long for a record as writing it.
    """
    append = batch._builder.append
    count = 0
    left = None
    for item in chain((first,), rest):
        key, value, timestamp = item
        if append(count, timestamp, key, value, _NO_HEADERS) is None:
            left = item
            break
        count += 1
    batch._relative_offset = count
    batch.close()
    return left
