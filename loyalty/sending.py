"""Writing a feed to the topics: whole record batches, in order, each chunk in one transaction.

Workers hold back what they see of a task while a transaction is open on any of its topics. So they see a chunk
whole, and the events of an account in order of time although they lie on several topics.
"""

from __future__ import annotations

import asyncio
import secrets
from collections import defaultdict
from collections.abc import Callable, Iterable
from itertools import islice
from typing import TYPE_CHECKING, Final

from loyalty.feed import Entry
from streams.settings import Settings

if TYPE_CHECKING:
    from aiokafka import AIOKafkaProducer

CHUNK: Final = 20_000
"""Records that are under way at a time."""
OPEN_MS_MAX: Final = 15_000
"""After which the broker gives up on a chunk whose sender has died; workers wait no longer for it."""
BATCH_BYTES: Final = 500_000

Offsets = dict[tuple[str, int], int]
"""(topic, partition) → the offset after the last record written there."""


class Sender:
    """A producer for feeds: `async with Sender(settings) as sender: await sender.send(entries)`."""

    def __init__(self, settings: Settings) -> None:
        self._settings: Final = settings
        self._producer: AIOKafkaProducer | None = None
        self.ends: Final[Offsets] = {}
        """How far each partition has been written by this sender."""

    async def __aenter__(self) -> Sender:
        from aiokafka import AIOKafkaProducer

        self._producer = AIOKafkaProducer(
            **self._settings.kafka(),
            transactional_id=f"send-{secrets.token_hex(8)}",
            transaction_timeout_ms=OPEN_MS_MAX,
            max_batch_size=BATCH_BYTES,
        )
        await self._producer.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._producer is not None
        await self._producer.stop()

    async def send(self, entries: Iterable[Entry], sent: Callable[[int], None] = lambda count: None) -> int:
        """Write records in order and wait until they are safe; `sent` is told how many each time.

        Returns how many. Raises KafkaError.
        """
        waiting = iter(entries)
        total = 0
        while chunk := list(islice(waiting, CHUNK)):
            assert self._producer is not None
            async with self._producer.transaction():
                await self._write(self._producer, chunk)
            total += len(chunk)
            sent(len(chunk))
        return total

    async def _write(self, producer: AIOKafkaProducer, chunk: list[Entry]) -> None:
        groups: defaultdict[tuple[str, int], list[Entry]] = defaultdict(list)
        for entry in chunk:
            groups[entry.topic, entry.partition].append(entry)
        deliveries = []
        for (topic, partition), group in groups.items():
            at = 0
            while at < len(group):
                builder = producer.create_batch()
                first = at
                while at < len(group):
                    entry = group[at]
                    if builder.append(timestamp=entry.timestamp, key=entry.key, value=entry.value) is None:
                        break
                    at += 1
                assert at > first, "records are at most 1 MB, checked when read"
                delivery = await producer.send_batch(builder, topic, partition=partition)
                deliveries.append((topic, partition, at - first, delivery))
        # Together: of several that are refused, nobody would ask for the others.
        written = await asyncio.gather(*[delivery for _, _, _, delivery in deliveries])
        for (topic, partition, count, _), metadata in zip(deliveries, written, strict=True):
            self.ends[topic, partition] = metadata.offset + count
