"""Faust's consumer, reading whole record batches of a task instead of single records.

What differs from the driver it derives from:
- `getmany` yields one message per task whose value is a `Batch`: the task's topics merged by time.
- It never commits: offsets are committed by the transaction that holds what they caused, and by nothing else.
- When to fetch and what is due is for `streams.reader` to say.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from time import monotonic
from typing import TYPE_CHECKING, Any, Final, cast

import aiokafka
from aiokafka.consumer.fetcher import FetchResult
from aiokafka.errors import KafkaError
from aiokafka.protocol.metadata import MetadataRequest
from aiokafka.structs import TopicPartition
from faust.transport.drivers import aiokafka as driver
from faust.types import TP, ConsumerMessage, Message

from schemas.record import Record
from streams.expansion import Batches, bound_expansion
from streams.log import Fetched, Known, known_end
from streams.offsets import committed_offsets
from streams.reader import TaskReader
from streams.task import Batch

if TYPE_CHECKING:
    from streams.app import StreamApp

FETCH_WAIT_MS: Final = 100
"""How long the broker may hold a fetch that finds nothing. The driver's 1500 ms would keep a topic that was
just emptied waiting behind a fetch of the others."""

POLL_SECONDS: Final = 1.0
LOOK_SECONDS: Final = 0.005
BREATH_SECONDS: Final = 0.05
"""How long to wait when nothing may be fetched (every buffer is full, or no task is assigned)."""


class ConsumerThread(driver.AIOKafkaConsumerThread):
    """The driver's thread, with bulk reads that tell how far they got."""

    _told: dict[TP, Known]
    _reads: int
    """Counts `read_from`: a fetch from before one may bring nothing any more, nobody would take it in."""

    def _create_worker_consumer(self, transport: Any) -> aiokafka.AIOKafkaConsumer:
        consumer = super()._create_worker_consumer(transport)
        consumer._fetch_max_wait_ms = FETCH_WAIT_MS
        bound_expansion()
        self._told = {}
        self._reads = 0
        return consumer

    async def fetch(
        self, tps: frozenset[TP], timeout: float, records_max: int, watched: frozenset[TP] = frozenset()
    ) -> Fetched:
        """Read what is there of `tps`; wait up to `timeout` seconds for records or progress.

        Of the `watched` partitions the progress is told, but no records are read.
        """
        fetched: Fetched = await self.call_thread(self._fetch, tps, timeout, records_max, tps | watched)
        return fetched

    async def _fetch(
        self, tps: frozenset[TP], timeout: float, records_max: int, known: frozenset[TP]
    ) -> Fetched:
        consumer = self._ensure_consumer()
        fetcher = consumer._fetcher
        deadline = monotonic() + timeout
        reads = self._reads
        while True:
            _check_alive(fetcher)
            with fetcher._subscriptions.fetch_context():
                if not tps:
                    await asyncio.sleep(BREATH_SECONDS)
                    return Fetched({}, self._progress(known))
                # With no timeout it never waits: a reassignment must not find us inside.
                if fetcher._subscriptions.reassignment_in_progress or reads != self._reads:
                    return Fetched({}, {})
                for result in fetcher._records.values():
                    _read_lightly(result)
                records = await fetcher.fetched_records(tps, timeout=0, max_records=records_max)
                self._drop_read_out(fetcher)
            progress = self._progress(known)
            # A transaction marker moves the position without a record: that may free a held-back task.
            if records or progress != self._told or monotonic() >= deadline:
                self._told = progress
                return Fetched(records, progress)
            waiter = fetcher._create_fetch_waiter()
            # An answer without records wakes nobody, so while one is older than another we look ourselves.
            seen = {answer.seen_ms for answer in progress.values()}
            patience = LOOK_SECONDS if len(seen) > 1 else deadline - monotonic()
            _, pending = await asyncio.wait([waiter], timeout=max(0.0, patience))
            for unfinished in pending:
                unfinished.cancel()

    def _drop_read_out(self, fetcher: Any) -> None:
        """Have partitions asked for again whose fetched records are all handed out.

        The client notices that only when it is asked for one more. A task that wants no more of a topic for the
        moment never asks, and would wait for ever for a newer answer about it.
        """
        for tp, result in list(fetcher._records.items()):
            if not isinstance(result, FetchResult) or not result._assignment.active:
                continue
            state = result._assignment.state_value(tp)
            if state.has_valid_position and state.highwater is not None and state.position >= state.highwater:
                del fetcher._records[tp]
                fetcher._notify(fetcher._wait_consume_future)

    def _progress(self, tps: Iterable[TP]) -> dict[TP, Known]:
        subscription = self._ensure_consumer()._fetcher._subscriptions.subscription
        assignment = None if subscription is None else subscription.assignment
        if assignment is None:
            return {}
        progress: dict[TP, Known] = {}
        for tp in tps:
            if tp in assignment.tps:
                state = assignment.state_value(tp)
                end = known_end(tp.topic, stable=state.lso, written=state.highwater)
                position = state.position if state.has_valid_position else None
                progress[tp] = Known(position, end, state.timestamp or 0)
        return progress

    async def stable_ends(self, tps: Iterable[TP]) -> dict[TP, int]:
        """The last stable offset of each partition, asked of the broker now."""
        ends = await self.call_thread(self._ensure_consumer().end_offsets, list(tps))
        return {TP(tp.topic, tp.partition): end for tp, end in ends.items()}

    async def cluster_id(self) -> str:
        """The id that the cluster was given when it was made."""
        found: str = await self.call_thread(self._cluster_id)
        return found

    async def _cluster_id(self) -> str:
        client = self._ensure_consumer()._client
        answer = await client.send(client.get_random_node(), MetadataRequest([]))
        return str(answer.cluster_id)

    async def read_from(self, offsets: Mapping[TP, int | None]) -> None:
        """Fetch `offsets` from there on (None: from the beginning), whatever was fetched before."""
        await self.call_thread(self._read_from, offsets)

    async def _read_from(self, offsets: Mapping[TP, int | None]) -> None:
        consumer = self._ensure_consumer()
        self._reads += 1
        for tp, offset in offsets.items():
            if offset is not None:
                consumer.seek(TopicPartition(*tp), offset)
        fresh = [TopicPartition(*tp) for tp, offset in offsets.items() if offset is None]
        if fresh:
            seeking = asyncio.ensure_future(consumer.seek_to_beginning(*fresh))
            # Who would find the beginning is the client's fetching: without it the wait has no end.
            await asyncio.wait([seeking, consumer._fetcher._fetch_task], return_when=asyncio.FIRST_COMPLETED)
            if not seeking.done():
                seeking.cancel()
                _check_alive(consumer._fetcher)
            await seeking
        consumer.resume(*[TopicPartition(*tp) for tp in offsets])

    async def committed(self, tps: Iterable[TP]) -> dict[TP, int | None]:
        """The offsets the group has committed; None where it has none."""
        coordinator = self._ensure_consumer()._coordinator
        offsets: dict[TP, int | None] = await self.call_thread(committed_offsets, coordinator, list(tps))
        return offsets

    async def rest(self, tps: Iterable[TP]) -> None:
        """Fetch nothing more of `tps` until `read_from` is called for them."""
        await self.call_thread(self._rest, [TopicPartition(*tp) for tp in tps])

    async def _rest(self, tps: Sequence[TopicPartition]) -> None:
        self._ensure_consumer().pause(*tps)


def _check_alive(fetcher: Any) -> None:
    """A connection that breaks at the wrong moment ends the client's fetching for good, and it tells nobody.

    Raises KafkaError then: the worker has to leave, because it would wait for ever.
    """
    task = fetcher._fetch_task
    if task.done() and not task.cancelled() and (error := task.exception()) is not None:
        raise KafkaError(f"the client has stopped fetching: {error.__cause__ or error!r}") from error


def _read_lightly(result: Any) -> None:
    """Have a fetch result make plain tuples: the client's own records cost more than all the rest of reading.

    And have it expand compressed batches within bounds.
    """
    parser = getattr(result, "_partition_records", None)
    if parser is not None and not isinstance(parser._records, Batches):
        parser._consumer_record = _record
        parser._records = Batches(parser._records)


def _record(tp: TopicPartition, record: Any) -> Record:
    return Record(tp.topic, tp.partition, record.offset, record.timestamp, record.key, record.value)


class Consumer(driver.Consumer):
    """Yields merged batches of the assigned tasks; commits nothing."""

    _thread: ConsumerThread

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._stream_app: Final = cast("StreamApp", self.app)
        self.reader: Final = TaskReader(
            self._stream_app, self._thread, lambda: self.flow_active and not self.should_stop
        )

    def _new_consumer_thread(self) -> ConsumerThread:
        return ConsumerThread(self, loop=self.loop, beacon=self.beacon)

    @property
    def thread(self) -> ConsumerThread:
        """The thread that owns the Kafka connection."""
        return self._thread

    async def getmany(self, timeout: float) -> AsyncIterator[tuple[TP, Message]]:
        """Yield the batches that are due; wait up to `timeout` seconds for one."""
        if not self.flow_active:
            await self.wait(self.can_resume_flow)  # type: ignore[arg-type]
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
