"""Reading what the stream knows: an account's row from the changelog, its history from the journal.

Both are read from the partition of the account's key, committed records only, up to where the topic ended when
the reading began.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any, Final

import orjson

from loyalty.feed import partition_of
from schemas.account import Account
from schemas.account_codec import decode
from schemas.topics import CLOCK, JOURNAL
from streams.settings import Settings

if TYPE_CHECKING:
    from aiokafka import AIOKafkaConsumer, ConsumerRecord

READ_MAX: Final = 20_000
WAIT_MS: Final = 50
"""How long a read may wait: a transaction marker at the end moves the position but brings no record."""
TAIL: Final = 16
"""Records from the end within which the last tick is found, transaction markers and all."""


class Lookup:
    """`async with Lookup(settings) as lookup`: reads without a consumer group, and changes nothing."""

    def __init__(self, settings: Settings) -> None:
        self._settings: Final = settings
        self._consumer: AIOKafkaConsumer | None = None

    async def __aenter__(self) -> Lookup:
        from aiokafka import AIOKafkaConsumer

        self._consumer = AIOKafkaConsumer(
            **self._settings.kafka(),
            isolation_level="read_committed",
            auto_offset_reset="earliest",
            max_partition_fetch_bytes=4 * 1024 * 1024,
            fetch_max_wait_ms=100,
        )
        await self._consumer.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._consumer is not None
        await self._consumer.stop()

    async def account(self, operator: str, account: str) -> Account | None:
        """The account's row, None if no worker has one."""
        from streams.table import changelog_topic

        key, partition = self._place(operator, account)
        found: bytes | None = None
        async for record in self._read(changelog_topic(self._settings.application_id), partition):
            if record.key == key:
                found = record.value
        return None if found is None else decode(operator, account, found)

    async def journal(self, operator: str, account: str) -> list[dict[str, Any]]:
        """The account's journal entries, in the order applied."""
        key, partition = self._place(operator, account)
        return [
            orjson.loads(record.value)
            async for record in self._read(JOURNAL.name, partition)
            if record.key == key
        ]

    async def last_tick(self, partition: int) -> int | None:
        """The latest time the clock has told a partition, in microseconds; None before the first tick."""
        latest: int | None = None
        async for record in self._read(CLOCK.name, partition, tail=TAIL):
            latest = max(latest or 0, record.timestamp * 1000)
        return latest

    def partition(self, operator: str, account: str) -> int:
        """The partition of an account's records."""
        return self._place(operator, account)[1]

    def _place(self, operator: str, account: str) -> tuple[bytes, int]:
        key = f"{operator}/{account}".encode()
        return key, partition_of(key, self._settings.partitions)

    async def _read(
        self, topic: str, partition: int, *, tail: int | None = None
    ) -> AsyncIterator[ConsumerRecord[bytes | None, bytes]]:
        from aiokafka import TopicPartition

        consumer = self._consumer
        assert consumer is not None
        tp = TopicPartition(topic, partition)
        consumer.assign([tp])
        end = (await consumer.end_offsets([tp]))[tp]
        first = (await consumer.beginning_offsets([tp]))[tp]
        consumer.seek(tp, first if tail is None else max(first, end - tail))
        while await consumer.position(tp) < end:
            brought = await consumer.getmany(tp, timeout_ms=WAIT_MS, max_records=READ_MAX)
            for record in brought.get(tp, ()):
                yield record
