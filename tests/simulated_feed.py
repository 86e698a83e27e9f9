"""Billing in a simulated history: writes the load chunk by chunk, each in one transaction.

Some chunks are given up and written again, some come twice because billing is not sure of them, and a broker that
restarts in the midst of one takes what was open with it.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Final

from aiokafka.errors import ProducerFenced
from faust.types import TP

from chaos.load import Chunk
from schemas.topics import CLOCK, TOPIC_OF_TYPE
from streams.destinations import link_partition
from streams.record_batch import Item
from tests.memory_broker import ComeAgain, MemoryBroker

NAME: Final = "billing"
AGAIN_SECONDS: Final = 0.01
PAUSE_SECONDS: Final = (0.1, 0.3, 1.0)


class Feed:
    """Writes chunks to a broker; the records of a chunk in order of time, or in any."""

    def __init__(
        self, broker: MemoryBroker, partitions: int, chosen: random.Random, *, in_order: bool
    ) -> None:
        self._in_order: Final = in_order
        self._broker: Final = broker
        self._partitions: Final = partitions
        self._random: Final = chosen

    async def write(self, chunks: Sequence[Chunk]) -> None:
        """Write them, the next one when the last one is decided."""
        for chunk in chunks:
            lines = list(self._lines(chunk))
            if self._random.random() < 0.15:
                await self._written(lines, commit=False)
            for _ in range(2 if self._random.random() < 0.15 else 1):
                while not await self._written(lines, commit=True):
                    pass
                await asyncio.sleep(self._random.choice(PAUSE_SECONDS))

    async def _written(self, lines: Sequence[tuple[TP, Item]], *, commit: bool) -> bool:
        epoch = await self._open()
        try:
            for tp, item in lines:
                self._broker.append(NAME, epoch, tp, [item])
                if self._random.random() < 0.1:
                    await asyncio.sleep(self._random.choice((0.001, 0.02)))
            self._broker.end(NAME, epoch, commit=commit)
        except ProducerFenced:
            return False
        return True

    async def _open(self) -> int:
        while True:
            try:
                return self._broker.open_producer(NAME)
            except ComeAgain:
                await asyncio.sleep(AGAIN_SECONDS)

    def _lines(self, chunk: Chunk) -> Iterator[tuple[TP, Item]]:
        """What is to be written where; ticks go to every partition."""
        ticks = [(ms, None, CLOCK.types[0], _tick(ms)) for ms in chunk.ticks]
        events = [(record.time_ms, record.key, record.type, record.value) for record in chunk.records]
        lines = [*ticks, *events]
        # What has one time (an event, its repetition, its contradiction) stays in its order.
        moments = sorted({line[0] for line in lines})
        places = moments if self._in_order else self._random.sample(moments, len(moments))
        rank = {ms: place for place, ms in enumerate(places)}
        for ms, key, type_, value in sorted(lines, key=lambda line: rank[line[0]]):
            own = range(self._partitions) if key is None else (link_partition(key, self._partitions),)
            for partition in own:
                yield TP(TOPIC_OF_TYPE[type_], partition), (key, value, ms)


def _tick(ms: int) -> bytes:
    time = datetime.fromtimestamp(ms / 1000, UTC).isoformat(timespec="milliseconds")
    head = '{"specversion":"1.0","source":"/loyalty/clock","type":"clock.advanced","data":{},'
    return f'{head}"id":"{time}","time":"{time}"}}'.encode()
