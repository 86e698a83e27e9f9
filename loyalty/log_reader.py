"""Reading committed records of single partitions, without a consumer group and without changing anything."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import TYPE_CHECKING, Final

from streams.settings import Settings

if TYPE_CHECKING:
    from aiokafka import AIOKafkaConsumer, ConsumerRecord

READ_MAX: Final = 5_000
WAIT_MS: Final = 50
"""How long a read may wait: a transaction marker at the end moves the position but brings no record."""
FETCH_BYTES_MAX: Final = 4 * 1024 * 1024


class LogReader:
    """`async with LogReader(settings) as reader`. Offsets count as Kafka counts: the end is the next one's."""

    def __init__(self, settings: Settings) -> None:
        self._settings: Final = settings
        self._consumer: AIOKafkaConsumer | None = None

    async def __aenter__(self) -> LogReader:
        from aiokafka import AIOKafkaConsumer

        self._consumer = AIOKafkaConsumer(
            **self._settings.kafka(),
            isolation_level="read_committed",
            auto_offset_reset="earliest",
            enable_auto_commit=False,
            max_partition_fetch_bytes=FETCH_BYTES_MAX,
            fetch_max_wait_ms=100,
        )
        await self._consumer.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._consumer is not None
        await self._consumer.stop()

    async def bounds(self, topic: str, partition: int) -> tuple[int, int]:
        """The first offset that is still there, and the stable end: what is before it is decided."""
        from aiokafka import TopicPartition

        consumer, tp = self._consumer, TopicPartition(topic, partition)
        assert consumer is not None
        first = (await consumer.beginning_offsets([tp]))[tp]
        end = (await consumer.end_offsets([tp]))[tp]
        return first, end

    async def read(
        self, topic: str, partition: int, start: int, end: int
    ) -> AsyncIterator[Sequence[ConsumerRecord[bytes | None, bytes | None]]]:
        """The committed records from `start` up to `end`, in order, some at a time."""
        from aiokafka import TopicPartition

        if start >= end:
            return
        consumer, tp = self._consumer, TopicPartition(topic, partition)
        assert consumer is not None
        consumer.assign([tp])
        consumer.seek(tp, start)
        while await consumer.position(tp) < end:
            brought = await consumer.getmany(tp, timeout_ms=WAIT_MS, max_records=READ_MAX)
            records = [record for record in brought.get(tp, ()) if record.offset < end]
            if records:
                yield records
