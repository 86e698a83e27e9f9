"""One transaction per step: outputs, journal, rows and offsets are all there, or none is."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Final, Protocol

from aiokafka.errors import KafkaTimeoutError
from faust.types import TP

from schemas.columns import Columns
from streams.log import TaskProducer
from streams.settings import Settings

log = logging.getLogger(__name__)

ABORT_SECONDS: Final = 3.0

Sends = Sequence[tuple[str, int, Columns]]
"""Topic, partition and records of each destination."""


def transactional_id(application_id: str, partition: int) -> str:
    """The transactional id of a task: the same for all workers that ever own it, so each fences the last."""
    return f"{application_id}-task-{partition}"


OpenProducer = Callable[[str], Awaitable[TaskProducer]]
"""Opens a producer by its transactional id: fences whoever had it, and waits until the last transaction of it is
decided."""


class TaskWriter(Protocol):
    """Writes the transactions of one task; opening it fenced the one before."""

    async def write(self, sends: Sends, offsets: Mapping[TP, int], note: str) -> list[int]:
        """Commit records and the group's next offsets, with a note on them, in one transaction; returns the offset after
        the last record of each destination.

        Raises KafkaError when the broker failed, refused, or took too long: it is aborted then if it still can be,
        and whether a commit that was under way has happened is unknown.
        """
        ...

    async def close(self) -> None:
        """Close the connection; what is open stays open."""
        ...


OpenWriter = Callable[[int], Awaitable[TaskWriter]]
"""Opens the writer of a task, by its partition number."""


class ProducerWriter:
    """Writes with a transactional producer."""

    def __init__(self, producer: TaskProducer, settings: Settings, partition: int) -> None:
        self._producer: Final = producer
        self._settings: Final = settings
        self._partition: Final = partition

    @classmethod
    async def open(cls, open_producer: OpenProducer, settings: Settings, partition: int) -> ProducerWriter:
        """Open the producer of a task. Raises KafkaError."""
        producer = await open_producer(transactional_id(settings.application_id, partition))
        return cls(producer, settings, partition)

    async def write(self, sends: Sends, offsets: Mapping[TP, int], note: str) -> list[int]:
        """See `TaskWriter`."""
        producer = self._producer
        await producer.begin()
        try:
            # The broker aborts what is open for longer: waiting on would be for nothing.
            async with asyncio.timeout(self._settings.transaction_ms_max / 1000):
                ends = await self._publish(producer, sends, offsets, note)
                await producer.commit()
        except TimeoutError as error:
            await self._abort()
            raise KafkaTimeoutError(f"a transaction of task {self._partition} took too long") from error
        except BaseException:
            await self._abort()
            raise
        return ends

    async def close(self) -> None:
        """See `TaskWriter`."""
        await self._producer.close()

    async def _publish(
        self, producer: TaskProducer, sends: Sends, offsets: Mapping[TP, int], note: str
    ) -> list[int]:
        # Items are made one by one as a batch takes them: tens of thousands at a time would have the collector of
        # cyclic garbage go through all of them.
        waits = [
            producer.send(topic, to, zip(columns.keys, columns.values, columns.timestamps, strict=True))
            for topic, to, columns in sends
        ]
        if offsets:
            waits.append(self._send_offsets(offsets, note))
        return (await asyncio.gather(*waits))[: len(sends)]

    async def _send_offsets(self, offsets: Mapping[TP, int], note: str) -> int:
        await self._producer.send_offsets(offsets, self._settings.application_id, note)
        return 0

    async def _abort(self) -> None:
        """Abort if it can still be done; if not, the next owner's producer does it."""
        try:
            await asyncio.wait_for(self._producer.abort(), ABORT_SECONDS)
        except (Exception, asyncio.CancelledError) as error:
            log.debug("the transaction could not be aborted: %r", error)
