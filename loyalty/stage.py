"""The stage of a demo: an application of its own on a broker, its workers, and a view of what comes out.

Topics of a broker that was used before are no obstacle: a run begins where they end, under an application id
of its own, so neither its state nor its offsets meet anyone else's.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable, Collection
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Any, Final

from loyalty.errors import LoyaltyError
from loyalty.sending import Offsets
from loyalty.workers import FAILED, Workers
from schemas.topics import DEAD_LETTERS, DISCOUNTS, LINKS, MEMBERS, POINTS, TASK
from streams.settings import Settings

if TYPE_CHECKING:
    from aiokafka import AIOKafkaConsumer, TopicPartition
    from aiokafka.admin import AIOKafkaAdminClient

WATCHED: Final = (POINTS, DISCOUNTS, MEMBERS, DEAD_LETTERS, LINKS)
POLL_S: Final = 0.01
READ_MAX: Final = 20_000
STUCK_S: Final = 120.0

Watcher = Callable[[str, bytes], None]
"""Is given topic and value of each outcome and dead letter."""


def fresh(settings: Settings) -> Settings:
    """The same settings for an application that nobody has used."""
    return settings.model_copy(update={"application_id": f"demo-{secrets.token_hex(4)}"})


class Stage:
    """One application's run: `async with Stage(settings, directory, watch) as stage`.

    While it is open, what comes out is read (committed records only) and handed to `watch`.
    """

    def __init__(self, settings: Settings, directory: Path, watch: Watcher) -> None:
        self.settings: Final = settings
        self.workers: Final = Workers(settings, directory)
        self._watch: Final = watch
        self._links_end: Final[dict[Any, int]] = {}
        """Partition of the links → the offset after the last link seen."""
        self._consumer: AIOKafkaConsumer | None = None
        self._gauge: AIOKafkaConsumer | None = None
        self._admin: AIOKafkaAdminClient | None = None
        self._pump: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Stage:
        from aiokafka import AIOKafkaConsumer, TopicPartition
        from aiokafka.admin import AIOKafkaAdminClient

        from streams.topics import create_topics

        await create_topics(self.settings)
        self._admin = AIOKafkaAdminClient(**self.settings.kafka())
        await self._admin.start()
        self._consumer = AIOKafkaConsumer(
            **self.settings.kafka(),
            isolation_level="read_committed",
            auto_offset_reset="earliest",
            max_partition_fetch_bytes=4 * 1024 * 1024,
            fetch_max_wait_ms=100,
        )
        await self._consumer.start()
        self._gauge = AIOKafkaConsumer(**self.settings.kafka())
        await self._gauge.start()
        watched = [
            TopicPartition(topic.name, partition)
            for topic in WATCHED
            for partition in range(self.settings.partitions)
        ]
        self._consumer.assign(watched)
        for tp, end in (await self._consumer.end_offsets(watched)).items():
            self._consumer.seek(tp, end)
        self._pump = asyncio.create_task(self._read())
        return self

    async def __aexit__(self, *_: object) -> None:
        await asyncio.to_thread(self.workers.stop)
        if self._pump is not None:
            self._pump.cancel()
            await asyncio.gather(self._pump, return_exceptions=True)
        for consumer in (self._consumer, self._gauge):
            if consumer is not None:
                await consumer.stop()
        if self._admin is not None:
            await self._forget()
            await self._admin.close()

    async def begin_at(self, starts: Offsets | None = None) -> Offsets:
        """Let the workers begin at `starts`, and where topics end now where it names none; returns all."""
        from aiokafka import AIOKafkaConsumer, TopicPartition

        tps = [
            TopicPartition(topic.name, partition)
            for topic in TASK
            for partition in range(self.settings.partitions)
        ]
        consumer = AIOKafkaConsumer(
            **self.settings.kafka(), group_id=self.settings.application_id, enable_auto_commit=False
        )
        await consumer.start()
        try:
            consumer.assign(tps)
            ends = await consumer.end_offsets(tps)
            begin = {tp: (starts or {}).get((tp.topic, tp.partition), ends[tp]) for tp in tps}
            await consumer.commit(begin)
        finally:
            await consumer.stop()
        return {(tp.topic, tp.partition): offset for tp, offset in begin.items()}

    async def backlog(self, ends: Offsets) -> int:
        """How many records up to `ends` are still to be worked off; links do not count."""
        done = await self._committed()
        return sum(max(0, end - done.get(place, 0)) for place, end in ends.items())

    async def worked_off(self, ends: Offsets) -> bool:
        """Whether all records up to `ends` are worked off, and all that accounts sent each other because of
        them, and all of what came out has been seen."""
        # First what is done, then what came of it: with nothing left to do at that time, no more can follow.
        done = await self._committed()
        if any(done.get(place, 0) < end for place, end in ends.items()) or not await self._seen_all():
            return False
        return all(done.get((tp.topic, tp.partition), 0) >= end for tp, end in self._links_end.items())

    async def wait(self, ends: Offsets, progress: Callable[[int], None] = lambda backlog: None) -> None:
        """Wait until all is worked off; `progress` is told the backlog now and then.

        :raises LoyaltyError: a worker has ended, or nothing has moved for `STUCK_S` seconds.
        """
        pause, left, moved = POLL_S, -1, monotonic()
        while not await self.worked_off(ends):
            self.workers.check()
            self._check_pump()
            backlog = await self.backlog(ends)
            if backlog != left:
                left, moved = backlog, monotonic()
            elif monotonic() - moved > STUCK_S:
                raise LoyaltyError(
                    f"the workers have not moved for {STUCK_S:.0f} s, with {left:,} records to go: "
                    f"{self.workers.last_words()}",
                    FAILED,
                )
            progress(backlog)
            await asyncio.sleep(pause)
            pause = min(pause * 1.2, 0.25)
        progress(0)

    async def _seen_all(self) -> bool:
        consumer, gauge = self._consumer, self._gauge
        assert consumer is not None and gauge is not None
        # Ends that count records of open transactions too: those must be decided and read as well.
        ends = await gauge.end_offsets(list(consumer.assignment()))
        for tp, end in ends.items():
            if await consumer.position(tp) < end:
                return False
        return True

    async def _committed(self) -> Offsets:
        assert self._admin is not None
        found = await self._admin.list_consumer_group_offsets(self.settings.application_id)
        return {(tp.topic, tp.partition): entry.offset for tp, entry in found.items()}

    async def _read(self) -> None:
        consumer = self._consumer
        assert consumer is not None
        while True:
            brought: dict[TopicPartition, Collection[Any]] = await consumer.getmany(
                timeout_ms=100, max_records=READ_MAX
            )
            for tp, records in brought.items():
                if tp.topic == LINKS.name:
                    self._links_end[tp] = max(record.offset for record in records) + 1
                    continue
                for record in records:
                    self._watch(tp.topic, record.value)
            await asyncio.sleep(0)

    def _check_pump(self) -> None:
        if self._pump is not None and self._pump.done():
            self._pump.result()

    async def _forget(self) -> None:
        """Remove what this application left behind on a broker that stays: its state. (Offsets of a group
        without members go by themselves.)"""
        from aiokafka.errors import KafkaError

        from streams.table import changelog_topic

        assert self._admin is not None
        try:
            await self._admin.delete_topics([changelog_topic(self.settings.application_id)])
        except KafkaError:
            return  # it is in nobody's way
