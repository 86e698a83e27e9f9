"""Bring the stores of newly assigned tasks up to date from the changelog, then let the events flow.

By the time this runs the task's transactional producer is open, so a previous owner is fenced and its last
transaction is decided: the stable end of the changelog and the committed offsets belong together.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Mapping, Sequence
from time import monotonic
from typing import Final

from aiokafka.errors import KafkaError
from faust.types import TP

from streams.log import Fetched, TaskLog, Wanted
from streams.lost_records import Bounds, find_lost, refuse_lost_records
from streams.lost_rows import refuse_cut, refuse_shortened
from streams.store import Store
from streams.tasks import Worker

log = logging.getLogger(__name__)

RECORDS_PER_READ: Final = 8_000
"""More at once take longer: what is handed over then no longer fits into memory that was just in use."""
MANY_RECORDS: Final = 20_000
"""A store that lacks so many is told before."""
TASKS_AT_ONCE: Final = 2
"""Changelogs that are read side by side. A store that has all its rows settles while others are read."""
SETTLE_SECONDS: Final = 0.002
"""Between two steps of stores that settle when nothing is left to read."""
_SETTLED: Final = object()
TELL_SECONDS: Final = 5.0
"""How often a long recovery says how far it is."""


async def recover_tasks(worker: Worker, tasks_log: TaskLog, partitions: Sequence[int]) -> None:
    """Recover the stores of these tasks, and read their topics from the committed offsets on.

    The flow must be stopped; nothing is handed out before `begin_tasks`.
    """
    tasks = worker.tasks
    await worker.reader.quiet()
    tasks.keep_only(partitions)
    changelogs = [TP(tasks.changelog, partition) for partition in partitions]
    inbound = [TP(topic, partition) for partition in partitions for topic in worker.task_topics]
    if changelogs:
        identity = await tasks_log.identity(tasks.changelog)
        bounds = await tasks_log.bounds(changelogs)
        notes = (await tasks_log.committed(inbound)).notes
        for changelog in changelogs:
            # Before a store is opened, and may be discarded for it: it may have what the changelog has lost.
            mine = [notes[TP(topic, changelog.partition)] for topic in worker.task_topics]
            refuse_shortened(changelog, bounds[changelog].end, mine)
        tasks.belong_to(identity)
        stores = {changelog: tasks.store(changelog.partition) for changelog in changelogs}
        await read_changelog(tasks_log, stores, bounds)
        await tasks_log.rest(stores)
    for partition in partitions:
        tasks.open_task(partition)
    if inbound:
        # Asked again: offsets may show the last commit some moments after its transaction was decided.
        committed = (await tasks_log.committed(inbound)).offsets
        for partition in partitions:
            refuse_lost_offsets(worker, partition, committed)
        lost = find_lost(committed, await tasks_log.bounds(inbound))
        if worker.settings.skip_lost_records:
            for told in lost.told:
                log.warning("going on without them (LOYALTY_SKIP_LOST_RECORDS): %s", told)
        else:
            refuse_lost_records(lost)
        await tasks_log.read_from(lost.read_from)


def refuse_lost_offsets(worker: Worker, partition: int, committed: Mapping[TP, int | None]) -> None:
    """Rows and offsets are written together. Rows without any offset mean that Kafka has dropped the offsets, as it
    does a week after the last worker left: beginning again would apply everything twice.

    Raises KafkaError then.
    """
    known = [committed[TP(topic, partition)] for topic in worker.task_topics]
    if known.count(None) == len(known) and any(True for _ in worker.tasks.store(partition).items()):
        raise KafkaError(
            f"the group has no offsets of task {partition}, but {worker.tasks.changelog} has its rows: Kafka has dropped "
            "them (offsets.retention.minutes), and going on would do everything again"
        )


def begin_tasks(worker: Worker, partitions: Sequence[int], assignment: int) -> bool:
    """Let the events of recovered tasks flow, if they are still this worker's; returns whether they are."""
    if assignment != worker.assignment or worker.failure is not None:
        return False
    worker.reader.begin(partitions, assignment)
    return True


async def read_changelog(tasks_log: TaskLog, stores: Mapping[TP, Store], bounds: Mapping[TP, Bounds]) -> None:
    """Read what the stores lack, up to the stable ends (an exactly-once worker of Faust believes there is nothing to
    recover, because the last stable offset is unknown before the first fetch).

    Raises KafkaError if it is no longer there.
    """
    started = monotonic()
    ends = {tp: end for tp, (_, end) in bounds.items()}
    for tp, store in stores.items():
        if store.offset is not None and store.offset > ends[tp]:
            store.discard(
                f"it is at offset {store.offset}, but {tp.topic} partition {tp.partition} ends at "
                f"{ends[tp]}: the topic was deleted and made again, or has lost records"
            )
    begins = {tp: store.offset for tp, store in stores.items()}
    refuse_cut(begins, bounds)
    for tp, store in stores.items():
        if ends[tp] - (store.offset or 0) >= MANY_RECORDS:
            store.expect_many()
    await tasks_log.read_from(begins)
    reading = _Reading(tasks_log, stores, ends)
    await reading.run()
    log.info(
        "recovered %d tasks: %d changelog records in %.2f s",
        len(stores),
        reading.count,
        monotonic() - started,
    )


class _Reading:
    """Changelogs on their way into their stores, up to their `ends`."""

    def __init__(self, tasks_log: TaskLog, stores: Mapping[TP, Store], ends: Mapping[TP, int]) -> None:
        self._log: Final = tasks_log
        self._stores: Final = stores
        self._ends: Final = ends
        self._unread: Final = [tp for tp, store in stores.items() if (store.offset or 0) < ends[tp]]
        self._settling: Final = deque(
            iter(store.settle()) for tp, store in stores.items() if tp not in self._unread
        )
        self._told = monotonic()
        self.count = 0
        """Records read so far."""

    async def run(self) -> None:
        """Read all of them, and have the stores settle."""
        asked = self._ask()
        try:
            while asked is not None:
                fetched = await asked
                read = self._read_out(fetched)
                asked = self._ask()  # the next ones come while these are picked up and written
                self._write(fetched)
                self._settle_on()
                self._settling.extend(iter(self._stores[tp].settle()) for tp in read)
                self._tell()
            while self._settling:
                await asyncio.sleep(SETTLE_SECONDS)
                self._settle_on()
        finally:
            if asked is not None:
                asked.cancel()
            self._settling.clear()  # whoever keeps the traceback must not keep what their stores have open

    def _ask(self) -> asyncio.Future[Fetched] | None:
        """Have more of the first ones fetched; None if there are none."""
        if not self._unread:
            return None
        first = self._unread[:TASKS_AT_ONCE]
        return asyncio.ensure_future(self._log.fetch(Wanted(first), 1.0, RECORDS_PER_READ))

    def _read_out(self, fetched: Fetched) -> list[TP]:
        """Those of which nothing is left to read. What tells is the position: the last offset is that of a
        transaction marker, which is never delivered."""
        read = []
        for tp, (position, _, _) in fetched.progress.items():
            if tp in self._unread and position is not None and position >= self._ends[tp]:
                self._unread.remove(tp)
                read.append(tp)
        return read

    def _write(self, fetched: Fetched) -> None:
        brought = fetched.fields()
        for tp, (position, _, _) in fetched.progress.items():
            fields = brought.get(tp)
            if fields is not None:
                pairs = zip(fields.keys, fields.values, strict=True)
                self._stores[tp].put_many({key or b"": row for key, row in pairs}, position)
                self.count += len(fields.keys)
            elif position is not None:
                self._stores[tp].put_many({}, position)

    def _settle_on(self) -> None:
        """One step of one of the stores that settle, so that fetching is never left waiting for long."""
        if self._settling and next(self._settling[0], _SETTLED) is _SETTLED:
            self._settling.popleft()

    def _tell(self) -> None:
        if monotonic() - self._told >= TELL_SECONDS:
            self._told = monotonic()
            left = sum(self._ends[tp] - (self._stores[tp].offset or 0) for tp in self._unread)
            log.info(
                "recovering %d tasks: %d changelog records read, about %d left",
                len(self._stores),
                self.count,
                left,
            )
