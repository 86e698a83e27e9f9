"""`loyalty worker` with named points around every await between fetch and commit: `python -m chaos.worker`.

The command that runs is the real one; only the methods at whose edges the points lie are wrapped. Two variables:
`CHAOS_ORDER`, the file of orders (see `chaos.points`), and `CHAOS_CLOCK`, by how many seconds the wall clock that
Python sees jumps there and back, every second.

When the worker ends in order it says how many transactions it began and how many it committed: equal numbers mean
that nobody has to do any of its work again.
"""

from __future__ import annotations

import asyncio
import os
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from mmap import mmap
from pathlib import Path
from struct import Struct
from typing import TYPE_CHECKING, Final

from chaos.points import (
    AFTER_BEGIN,
    AFTER_COMMIT,
    AFTER_FETCH,
    AFTER_FOLD,
    AFTER_OFFSETS,
    AFTER_STORE,
    BEFORE_COMMIT,
    IN_COMMIT,
    MID_PUBLISH,
    Order,
)

if TYPE_CHECKING:
    from faust.types import TP

    from streams.log import TaskProducer
    from streams.record_batch import Item

IN_COMMIT_SECONDS: Final = 0.002
"""How long the request to commit is given to leave before the process dies: its answer is never seen."""
JUMP_EVERY_SECONDS: Final = 1.0
CLOCK_JUMPED: Final = "chaos: the wall clock jumps by"


class Counted:
    """Transactions that this worker began and committed: its I/O process counts, in memory that both share."""

    _NUMBERS: Final = Struct("<QQ")

    def __init__(self) -> None:
        self._shared: Final = mmap(-1, self._NUMBERS.size)

    def count(self, *, begun: int = 0, committed: int = 0) -> None:
        """Count some more."""
        before = self._NUMBERS.unpack_from(self._shared)
        self._NUMBERS.pack_into(self._shared, 0, before[0] + begun, before[1] + committed)

    def said(self) -> str:
        """As the last line of the log has it."""
        begun, committed = self._NUMBERS.unpack_from(self._shared)
        return f"chaos: began {begun} transactions, committed {committed}"


class Watched:
    """A task's producer, with a point before or after each of its awaits."""

    def __init__(self, producer: TaskProducer, order: Order, counted: Counted) -> None:
        self._producer: Final = producer
        self._order: Final = order
        self._counted: Final = counted

    async def begin(self) -> None:
        """With points on both sides."""
        self._order.reached(AFTER_FOLD)
        self._counted.count(begun=1)
        await self._producer.begin()
        self._order.reached(AFTER_BEGIN)

    async def send(self, topic: str, partition: int, items: Iterable[Item]) -> int:
        """With a point once the broker has the records, while others have yet to be sent."""
        end = await self._producer.send(topic, partition, items)
        self._order.reached(MID_PUBLISH)
        return end

    async def send_offsets(self, offsets: Mapping[TP, int], group: str, note: str) -> None:
        """With a point once the broker has the offsets."""
        await self._producer.send_offsets(offsets, group, note)
        self._order.reached(AFTER_OFFSETS)

    async def commit(self) -> None:
        """With points before, after, and while the request is under way."""
        self._order.reached(BEFORE_COMMIT)
        if self._order.stands_for(IN_COMMIT):
            committing = asyncio.ensure_future(self._producer.commit())
            await asyncio.sleep(IN_COMMIT_SECONDS)
            self._order.reached(IN_COMMIT)
            await committing
        else:
            await self._producer.commit()
        self._counted.count(committed=1)
        self._order.reached(AFTER_COMMIT)

    async def abort(self) -> None:
        """As it is."""
        await self._producer.abort()

    async def close(self) -> None:
        """As it is."""
        await self._producer.close()


def wrap(order: Order, counted: Counted) -> None:
    """Put the points around the methods of the stream."""
    from streams import task_producer
    from streams.app import StreamApp
    from streams.settings import Settings
    from streams.task import Batch, FoldResult
    from streams.transactions import Transactions

    opened, worked, counted_off = task_producer.open_producer, Transactions.work_off, StreamApp.worked_off

    async def open_watched(settings: Settings, transactional_id: str) -> TaskProducer:
        return Watched(await opened(settings, transactional_id), order, counted)

    async def work_off(self: Transactions, batch: Batch) -> None:
        order.reached(AFTER_FETCH)
        await worked(self, batch)

    def worked_off(
        self: StreamApp, partition: int, result: FoldResult, fold_seconds: float, commit_seconds: float
    ) -> None:
        order.reached(AFTER_STORE)
        counted_off(self, partition, result, fold_seconds, commit_seconds)

    task_producer.open_producer = open_watched  # type: ignore[assignment]
    Transactions.work_off = work_off  # type: ignore[method-assign]
    StreamApp.worked_off = worked_off  # type: ignore[method-assign]


def jumping(seconds: int) -> None:
    """Make the wall clock of this process leap: ahead for a second, back for a second, right for a second."""
    real_ns: Callable[[], int] = time.time_ns
    leaps = (0, seconds, -seconds)
    said = [0]

    def now_ns() -> int:
        leap = leaps[int(time.monotonic() / JUMP_EVERY_SECONDS) % len(leaps)]
        if leap != said[0]:
            said[0] = leap
            print(f"{CLOCK_JUMPED} {leap} s", file=sys.stderr, flush=True)
        return real_ns() + leap * 1_000_000_000

    time.time_ns = now_ns
    time.time = lambda: now_ns() / 1e9


def main() -> int:
    """Run the worker."""
    leap = int(os.environ.get("CHAOS_CLOCK", "0"))
    if leap:
        jumping(leap)  # before anything else is imported that takes the function over
    counted = Counted()
    wrap(Order(Path(os.environ["CHAOS_ORDER"])), counted)
    from loyalty.cli import run

    status = run(["worker", "--development-key"])
    print(counted.said(), file=sys.stderr, flush=True)
    return status


if __name__ == "__main__":
    sys.exit(main())
