"""Billing: writes chunk after chunk, each in one transaction, and sends again whatever it is not sure of.

It talks to the broker directly, so that a fault between workers and broker is theirs alone. A chunk that failed is
sent again whole: identities that were seen change nothing, which is what makes a retry safe.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError
from aiokafka.partitioner import murmur2

from chaos.load import Chunk, Planned
from schemas.topics import CLOCK, TOPIC_OF_TYPE

AGAIN_SECONDS: Final = 0.5


def partition_of(key: str, partitions: int) -> int:
    """Kafka's default partitioner."""
    return int(murmur2(key.encode()) & 0x7FFFFFFF) % partitions


class Feeder:
    """Writes chunks and remembers what it wrote."""

    def __init__(self, kafka: Mapping[str, Any], partitions: int) -> None:
        self._kafka: Final = kafka
        self._partitions: Final = partitions
        self._producer: AIOKafkaProducer | None = None
        self.sent: Final[list[Planned]] = []
        """What was sent, once each, in order."""
        self.ends: Final[dict[tuple[str, int], int]] = {}
        """(topic, partition) → offset after the last record there."""
        self._writing: Final = asyncio.Lock()
        self.retries = 0
        self.last_tick_ms = 0
        self.clock_went_back = 0

    async def close(self) -> None:
        """Give the connection up."""
        producer, self._producer = self._producer, None
        if producer is not None:
            with contextlib.suppress(KafkaError, TimeoutError, asyncio.CancelledError):
                await asyncio.wait_for(producer.stop(), 5)

    async def send(self, chunk: Chunk) -> None:
        """Write a chunk, however often it takes."""
        async with self._writing:
            while True:
                try:
                    await asyncio.wait_for(self._send(chunk), 30)
                    break
                except (KafkaError, TimeoutError, OSError):
                    self.retries += 1
                    await self.close()
                    await asyncio.sleep(AGAIN_SECONDS)
            self.sent.extend(chunk.records)
            self.last_tick_ms = max([self.last_tick_ms, *chunk.ticks])

    async def _send(self, chunk: Chunk) -> None:
        if self._producer is None:
            # A name for all times: whatever the last attempt left open is aborted by the next.
            producer = AIOKafkaProducer(
                **self._kafka, transactional_id="chaos-billing", request_timeout_ms=5_000, linger_ms=5
            )
            self._producer = producer
            await producer.start()
        producer = self._producer
        sends = []
        async with producer.transaction():
            for time_ms, record in _in_order(chunk):
                if record is None:
                    sends += [await self._tick(producer, p, time_ms) for p in range(self._partitions)]
                else:
                    partition = partition_of(record.key.decode(), self._partitions)
                    topic = TOPIC_OF_TYPE[record.type]
                    sends.append(
                        await producer.send(
                            topic, record.value, key=record.key, partition=partition, timestamp_ms=time_ms
                        )
                    )
            for written in await asyncio.gather(*sends):
                place = (written.topic, written.partition)
                self.ends[place] = max(self.ends.get(place, 0), written.offset + 1)

    async def turn_clock_back(self, milliseconds: int) -> None:
        """A tick of a wrong clock: a time that is long over."""
        await self.send(Chunk([], [self.last_tick_ms - milliseconds]))
        self.clock_went_back += 1

    async def _tick(self, producer: AIOKafkaProducer, partition: int, time_ms: int) -> Any:
        event = {
            "specversion": "1.0",
            "id": f"tick-{time_ms}",
            "source": "/loyalty/clock",
            "type": "clock.advanced",
            "time": datetime.fromtimestamp(time_ms / 1000, UTC).isoformat(timespec="milliseconds"),
            "data": {},
        }
        return await producer.send(
            CLOCK.name, json.dumps(event).encode(), partition=partition, timestamp_ms=time_ms
        )


def _in_order(chunk: Chunk) -> list[tuple[int, Planned | None]]:
    """Ticks (None) before what happens at their time."""
    everything: list[tuple[int, Planned | None]] = [(tick, None) for tick in chunk.ticks]
    everything += [(record.time_ms, record) for record in chunk.records]
    return sorted(everything, key=lambda item: (item[0], item[1] is not None))
