"""Reads the assigned tasks: keeps one fetch under way and hands out the batches that are due.

One fetch at a time is under way, and recovery waits for it (`quiet`) before it moves any position. So no fetched
record can be thrown away after its position was set for good.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from time import monotonic
from typing import Final, Protocol

from faust.types import TP

from schemas.record import records
from streams.log import Fetched, TaskLog, Wanted
from streams.merge import TaskBuffers
from streams.settings import Settings
from streams.task import Batch


class Owner(Protocol):
    """The worker whose tasks are read."""

    @property
    def settings(self) -> Settings: ...
    @property
    def task_topics(self) -> Sequence[str]: ...
    @property
    def assignment(self) -> int: ...


class TaskReader:
    """The buffers of the assigned tasks. While `flowing()` is false nothing is fetched or handed out."""

    def __init__(
        self,
        owner: Owner,
        log: TaskLog,
        flowing: Callable[[], bool],
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self._owner: Final = owner
        self._log: Final = log
        self._flowing: Final = flowing
        self._clock: Final = clock
        self._buffers: dict[int, TaskBuffers] = {}
        self._busy: set[int] = set()
        self._assignment = 0
        self._changed: Final = asyncio.Event()
        """Something may be due that was not."""
        self._fetching: asyncio.Future[Fetched] | None = None
        self._failed: BaseException | None = None
        self._poll_seconds = 0.0

    def begin(self, partitions: Iterable[int], assignment: int) -> None:
        """Start reading these tasks with empty buffers; positions have been set to the committed offsets."""
        self._assignment = assignment
        settings = self._owner.settings
        self._buffers = {
            partition: TaskBuffers(
                self._owner.task_topics,
                records_max=settings.batch_records_max,
                idle_ms_max=settings.task_idle_ms_max,
                linger_ms_max=settings.commit_linger_ms_max,
            )
            for partition in sorted(partitions)
        }
        self._busy.clear()

    def forget(self) -> None:
        """Throw the buffers away: the tasks may be another worker's from here on."""
        self._buffers = {}
        self._busy.clear()
        self._changed.set()

    def release(self, batch: Batch) -> None:
        """The batch is worked off: its task may have the next one."""
        if batch.assignment == self._assignment:
            self._busy.discard(batch.partition)
            self._changed.set()

    async def quiet(self) -> None:
        """End the fetch that is under way and drop what it brought. The flow must be stopped."""
        fetching, self._fetching = self._fetching, None
        if fetching is not None:
            fetching.cancel()
            await asyncio.wait([fetching])
            if not fetching.cancelled():
                fetching.exception()

    async def fetch_some(self, timeout: float) -> None:
        """Wait until something may have become due: a fetch has brought something, a task is free, a wait is over.

        Fetching goes on by itself from here: whoever hands batches out may take long to come back. Raises what a fetch
        has raised.
        """
        self._poll_seconds = timeout
        self._fetch_on()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._changed.wait(), self._patience(timeout))
        # What changes from here on, while batches are handed out, is for the next call.
        self._changed.clear()
        if self._failed is not None:
            raise self._failed

    def due(self) -> Iterator[Batch]:
        """The batches that are due now; whoever takes one must `release` it."""
        for partition, buffers in list(self._buffers.items()):
            if (
                not self._flowing()
                or self._assignment != self._owner.assignment
                or self._buffers.get(partition) is not buffers
            ):
                return
            if partition in self._busy:
                continue
            records = buffers.take(self._clock() * 1000)
            if records:
                self._busy.add(partition)
                yield Batch(partition, records, self._assignment, buffers.passed())

    def _patience(self, timeout: float) -> float:
        now_ms = self._clock() * 1000
        waits = [
            left
            for partition, buffers in self._buffers.items()
            if partition not in self._busy and (left := buffers.wait_ms_left(now_ms)) is not None
        ]
        return min([timeout, *(left / 1000 for left in waits)])

    def _fetch_on(self) -> None:
        if self._fetching is not None or not self._flowing():
            return
        watched = sorted(
            TP(topic, partition) for partition in self._buffers for topic in self._owner.task_topics
        )
        urgent: list[TP] = []
        others: list[TP] = []
        for tp in watched:
            buffers = self._buffers[tp.partition]
            if buffers.wants(tp.topic):
                (urgent if buffers.waits_for(tp.topic) else others).append(tp)
        wanted = Wanted(urgent, others, watched)
        records_max = self._owner.settings.batch_records_max
        fetching = asyncio.ensure_future(self._log.fetch(wanted, self._poll_seconds, records_max))
        self._fetching = fetching
        fetching.add_done_callback(self._fetched)

    def _fetched(self, fetching: asyncio.Future[Fetched]) -> None:
        if fetching is not self._fetching:
            return  # it was dropped
        self._fetching = None
        self._changed.set()
        if fetching.cancelled():
            return  # the worker ends
        self._failed = fetching.exception()
        if self._failed is None:
            self._take_in(fetching.result())
            self._fetch_on()

    def _take_in(self, fetched: Fetched) -> None:
        for tp, fields in fetched.fields().items():
            buffers = self._buffers.get(tp.partition)
            if buffers is not None:
                buffers.add(tp.topic, records(*tp, fields), fetched.progress[tp].seen_ms)
        for tp, known in fetched.progress.items():
            buffers = self._buffers.get(tp.partition)
            if buffers is not None:
                buffers.progress(tp.topic, *known)
