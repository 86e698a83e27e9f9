"""Bring the stores of newly assigned tasks up to date from the changelog, then let the events flow.

By the time this runs the task's transactional producer is open, so a previous owner is fenced and its last
transaction is decided: the stable end of the changelog and the committed offsets belong together.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from time import monotonic
from typing import Final

from aiokafka.errors import KafkaError
from faust.types import TP

from streams.log import TaskLog
from streams.store import Store
from streams.tasks import Worker

log = logging.getLogger(__name__)

RECORDS_PER_READ: Final = 50_000


async def recover_tasks(worker: Worker, tasks_log: TaskLog, partitions: Sequence[int]) -> None:
    """Recover the stores of these tasks, and read their topics from the committed offsets on.

    The flow must be stopped; nothing is handed out before `begin_tasks`.
    """
    tasks = worker.tasks
    await worker.reader.quiet()
    tasks.keep_only(partitions)
    tasks.cluster_id = await tasks_log.cluster_id()
    stores = {TP(tasks.changelog, partition): tasks.store(partition) for partition in partitions}
    if stores:
        await read_changelog(tasks_log, stores)
        await tasks_log.rest(stores)
    for partition in partitions:
        tasks.open_task(partition)
    inbound = [TP(topic, partition) for partition in partitions for topic in worker.task_topics]
    if inbound:
        committed = await tasks_log.committed(inbound)
        for partition in partitions:
            refuse_lost_offsets(worker, partition, committed)
        await tasks_log.read_from(committed)


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


async def read_changelog(tasks_log: TaskLog, stores: Mapping[TP, Store]) -> None:
    """Read what the stores lack.

    It asks for the stable ends (an exactly-once worker of Faust believes there is nothing to recover, because
    the last stable offset is unknown before the first fetch) and ends on the consumer's position (the last
    offset is a transaction marker that is never delivered).
    """
    started = monotonic()
    ends = await tasks_log.stable_ends(stores)
    for tp, store in stores.items():
        if store.offset is not None and store.offset > ends[tp]:
            store.discard(
                f"it is at offset {store.offset}, but {tp.topic} partition {tp.partition} ends at "
                f"{ends[tp]}: the topic was deleted and made again, or has lost records"
            )
    await tasks_log.read_from({tp: store.offset for tp, store in stores.items()})
    unread = {tp for tp, store in stores.items() if (store.offset or 0) < ends[tp]}
    count = 0
    while unread:
        fetched = await tasks_log.fetch(frozenset(unread), 1.0, RECORDS_PER_READ)
        for tp, (position, _, _) in fetched.progress.items():
            records = fetched.records.get(tp, ())
            if records or position is not None:
                stores[tp].put_many({r.key or b"": r.value for r in records}, position)
                count += len(records)
            if position is not None and position >= ends[tp]:
                unread.discard(tp)
    log.info("recovered %d tasks: %d changelog records in %.2f s", len(stores), count, monotonic() - started)
