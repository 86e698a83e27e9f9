"""Reads partitions from Kafka in bulk, and tells how far it got: what the I/O process does.

The client is one without a group: who owns which task is between the worker and Kafka, and the worker says what to
read from where. `fetch` hands out records as they come out of their batches; what the client would make of them costs more
than all else.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from time import monotonic
from typing import Any, Final, NamedTuple

from aiokafka import AIOKafkaConsumer
from aiokafka.consumer.fetcher import FetchResult
from aiokafka.errors import KafkaError
from aiokafka.structs import TopicPartition
from faust.types import TP

from streams.expansion import Batches, bound_expansion
from streams.log import Known, Wanted, known_end
from streams.settings import Settings

FETCH_WAIT_MS: Final = 100
"""How long the broker may hold a fetch that finds nothing. The client's 500 ms would keep a topic that was just
emptied waiting behind a fetch of the others."""
FETCH_BYTES_MAX: Final = 4 * 1024 * 1024
"""What one fetch brings of one partition."""
LOOK_SECONDS: Final = 0.005
BREATH_SECONDS: Final = 0.05
"""How long to wait when nothing may be fetched (every buffer is full, or no task is assigned)."""


class Read(NamedTuple):
    """What one fetch brought, and how far each partition has been read."""

    records: Mapping[TP, list[Any]]
    """Records with offset, timestamp, key and value, of the client's or `streams.expansion`'s making."""
    progress: Mapping[TP, Known]


class PartitionReader:
    """One client, reading with read_committed what it was last told to."""

    def __init__(self, consumer: AIOKafkaConsumer) -> None:
        self._consumer: Final = consumer
        self._told: dict[TP, Known] = {}
        self._reads = 0
        """Counts `read_from`: a fetch from before one may bring nothing any more, nobody would take it in."""

    @classmethod
    async def start(cls, settings: Settings) -> PartitionReader:
        """Connect. Raises KafkaError."""
        bound_expansion()
        consumer = AIOKafkaConsumer(
            **settings.kafka(),
            client_id=f"{settings.application_id}-reader",
            isolation_level="read_committed",
            # What was to be read next and is no longer there must not be skipped: see `streams.lost_records`.
            auto_offset_reset="none",
            enable_auto_commit=False,
            fetch_max_wait_ms=FETCH_WAIT_MS,
            max_partition_fetch_bytes=FETCH_BYTES_MAX,
        )
        await consumer.start()
        return cls(consumer)

    async def stop(self) -> None:
        """Disconnect."""
        await self._consumer.stop()

    async def fetch(self, wanted: Wanted, timeout: float, records_max: int) -> Read:
        """See `streams.log.TaskLog`. Raises KafkaError."""
        fetcher: Any = self._consumer._fetcher
        known = wanted.all
        deadline = monotonic() + timeout
        reads = self._reads
        while True:
            _check_alive(fetcher)
            if not wanted.urgent and not wanted.others:
                await asyncio.sleep(BREATH_SECONDS)
                return Read({}, self._progress(known))
            if reads != self._reads or fetcher._subscriptions.reassignment_in_progress:
                return Read({}, {})
            for result in fetcher._records.values():
                _read_lightly(result)
            records = await _handed_out(fetcher, wanted, records_max)
            self._drop_read_out(fetcher)
            progress = self._progress(known)
            # A transaction marker moves the position without a record: that may free a held-back task.
            if records or progress != self._told or monotonic() >= deadline:
                self._told = progress
                return Read(records, progress)
            waiter = fetcher._create_fetch_waiter()
            # An answer without records wakes nobody, so while one is older than another we look ourselves.
            seen = {answer.seen_ms for answer in progress.values()}
            patience = LOOK_SECONDS if len(seen) > 1 else deadline - monotonic()
            _, pending = await asyncio.wait([waiter], timeout=max(0.0, patience))
            for unfinished in pending:
                unfinished.cancel()

    async def read_from(self, offsets: Mapping[TP, int | None]) -> None:
        """Fetch `offsets` from there on (None: from the beginning), whatever was fetched before, and nothing else.

        Raises KafkaError.
        """
        consumer: Any = self._consumer
        self._reads += 1
        if not offsets:
            return
        consumer.assign([TopicPartition(*tp) for tp in offsets])
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

    def rest(self, tps: Iterable[TP]) -> None:
        """Fetch nothing more of `tps` until `read_from` is called for them."""
        self._consumer.pause(*[TopicPartition(*tp) for tp in tps])

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
        fetcher: Any = self._consumer._fetcher
        subscription = fetcher._subscriptions.subscription
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


async def _handed_out(fetcher: Any, wanted: Wanted, records_max: int) -> dict[TP, list[Any]]:
    """Of what has been fetched: of each urgent one a share, then of the others, then what more there is of the urgent."""
    found: dict[TP, list[Any]] = {}
    left = records_max
    urgent = wanted.urgent
    share = max(1, records_max // (len(urgent) or 1))
    turns = [(tp, share) for tp in urgent] + [(tp, records_max) for tp in (*wanted.others, *urgent)]
    for tp, most in turns:
        result = fetcher._records.get(tp)
        if result is None or not left:
            continue
        if found and not isinstance(result, FetchResult):
            continue  # an error waits until nothing that was found would be lost with it
        # With no timeout it never waits: other partitions may be asked for meanwhile.
        more = await fetcher.fetched_records((tp,), timeout=0, max_records=min(left, most))
        for records in more.values():
            found.setdefault(tp, []).extend(records)
            left -= len(records)
    return found


def _check_alive(fetcher: Any) -> None:
    """A connection that breaks at the wrong moment ends the client's fetching for good, and it tells nobody.

    Raises KafkaError then: the worker has to leave, because it would wait for ever.
    """
    task = fetcher._fetch_task
    if task.done() and not task.cancelled() and (error := task.exception()) is not None:
        raise KafkaError(f"the client has stopped fetching: {error.__cause__ or error!r}") from error


def _read_lightly(result: Any) -> None:
    """Have a fetch result hand out records as they come out of their batch, and expand compressed batches within bounds."""
    parser = getattr(result, "_partition_records", None)
    if parser is not None and not isinstance(parser._records, Batches):
        parser._consumer_record = _as_it_is
        parser._records = Batches(parser._records)


def _as_it_is(tp: TopicPartition, record: Any) -> Any:
    return record
