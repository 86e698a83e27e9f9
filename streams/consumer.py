"""Faust's consumer, reading whole record batches of a task instead of single records.

What differs from the driver it derives from:
- `getmany` yields one message per task whose value is a `Batch`: the task's topics merged by time.
- It never commits: offsets are committed by the transaction that holds what they caused, and by nothing else.
- It fetches nothing itself: it is the group's member, and a process of its own reads (`streams.io_server`).
- When to fetch and what is due is for `streams.reader` to say.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from time import monotonic
from typing import TYPE_CHECKING, Any, Final, cast

from faust.transport.drivers import aiokafka as driver
from faust.types import TP, ConsumerMessage, Message

from schemas.record import Record
from streams.kafka_log import KafkaLog
from streams.log import Committed
from streams.lost_records import Bounds
from streams.offsets import committed_offsets
from streams.reader import TaskReader
from streams.task import Batch
from streams.topic_id_request import ask_identity
from streams.topic_identity import TopicIdentity

if TYPE_CHECKING:
    from streams.app import StreamApp

POLL_SECONDS: Final = 1.0


class ConsumerThread(driver.AIOKafkaConsumerThread):
    """The driver's thread: the group's member, which answers questions about the group and the cluster."""

    async def on_start(self) -> None:
        """Join the group, and leave the fetching to the I/O process."""
        await super().on_start()
        self._ensure_consumer()._fetcher._fetch_task.cancel()

    def reads_on(self) -> None:
        """Have the client know that this worker is alive: one that reads nothing for long leaves its group."""
        self._ensure_consumer()._subscription._last_fetch_ended = monotonic()

    async def bounds(self, tps: Iterable[TP]) -> dict[TP, Bounds]:
        """The first offset and the last stable one of each partition, asked of the broker now."""
        asked, consumer = list(tps), self._ensure_consumer()
        firsts = await self.call_thread(consumer.beginning_offsets, asked)
        ends = await self.call_thread(consumer.end_offsets, asked)
        return {TP(tp.topic, tp.partition): Bounds(first, ends[tp]) for tp, first in firsts.items()}

    async def identity(self, topic: str) -> TopicIdentity:
        """Which topic it is that has this name now."""
        found: TopicIdentity = await self.call_thread(ask_identity, self._ensure_consumer()._client, topic)
        return found

    async def committed(self, tps: Iterable[TP]) -> Committed:
        """What the group has committed of these."""
        coordinator = self._ensure_consumer()._coordinator
        found: Committed = await self.call_thread(committed_offsets, coordinator, list(tps))
        return found


class Consumer(driver.Consumer):
    """Yields merged batches of the assigned tasks; commits nothing."""

    _thread: ConsumerThread

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._stream_app: Final = cast("StreamApp", self.app)
        self.task_log: Final = KafkaLog(self._thread, self._stream_app.io)
        self.reader: Final = TaskReader(
            self._stream_app, self.task_log, lambda: self.flow_active and not self.should_stop
        )

    def _new_consumer_thread(self) -> ConsumerThread:
        return ConsumerThread(self, loop=self.loop, beacon=self.beacon)

    async def getmany(self, timeout: float) -> AsyncIterator[tuple[TP, Message]]:
        """Yield the batches that are due; wait up to `timeout` seconds for one."""
        if not self.flow_active:
            await self.wait(self.can_resume_flow)  # type: ignore[arg-type]
        self._thread.reads_on()
        await self.reader.fetch_some(min(timeout, POLL_SECONDS))
        for batch in self.reader.due():
            last = batch.records[-1]
            tp = TP(last.topic, batch.partition)
            yield tp, self._message(tp, last, batch)

    def _message(self, tp: TP, last: Record, batch: Batch) -> ConsumerMessage:
        return ConsumerMessage(
            tp.topic,
            tp.partition,
            last.offset,
            last.timestamp / 1000,
            0,
            [],
            None,
            batch,  # type: ignore[arg-type]
            None,
            0,
            0,
            tp,
            generation_id=self._stream_app.consumer_generation_id,
        )

    async def commit(self, topics: Any = None, start_new_transaction: bool = True) -> bool:
        """Nothing: only a batch's own transaction commits offsets."""
        return False

    async def force_commit(self, topics: Any = None, start_new_transaction: bool = True) -> bool:
        """Nothing: only a batch's own transaction commits offsets."""
        return False

    async def perform_seek(self) -> None:
        """Nothing: recovery sets the positions, once, while no fetch is under way."""

    async def _add_gap(self, tp: TP, offset_from: int, offset_to: int) -> None:
        """Nothing: gaps in offsets need no tracking where whole batches are committed."""
