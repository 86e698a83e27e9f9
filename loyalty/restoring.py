"""Rows that the changelog has lost, written again from the journal.

A task's journal and rows are written in the same transactions, so its journal, replayed to the end, gives the rows that
belong to the offsets which the workers' group has committed. They are written behind what the changelog has, in one
transaction a task: it is restored, or it is as it was.

Only what is missing or older is replaced. A row that is ahead of the journal, or that it does not know, says that the
journal has lost something itself: then nothing is written, because the row may be all that is left.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from engine.decide import Engine
from loyalty.errors import LoyaltyError
from loyalty.groups import RUNNING, Groups
from loyalty.log_reader import LogReader
from loyalty.task_books import Progress, TaskBooks
from loyalty.task_log import Rows, TaskLog
from schemas.account_codec import decode
from schemas.topics import TASK
from streams.lost_rows import reached
from streams.settings import Settings

if TYPE_CHECKING:
    from aiokafka.admin import AIOKafkaAdminClient

DIFFERENT: Final = 1
"""Exit status when journal and rows contradict each other."""


class Restored:
    """What was done: journal entries replayed, accounts they gave, rows written."""

    def __init__(self) -> None:
        self.entries = 0
        self.accounts = 0
        self.rows = 0


async def restore(settings: Settings, engine: Engine, progress: Progress) -> Restored:
    """Write what rows the changelog lacks, task after task. Killed at any moment, it may be run again.

    :raises LoyaltyError: a worker runs, the journal was cut or does not replay, or rows are ahead of it.
    """
    from aiokafka.admin import AIOKafkaAdminClient

    done = Restored()
    admin: AIOKafkaAdminClient = AIOKafkaAdminClient(**settings.kafka())
    await admin.start()
    try:
        groups = Groups(admin, [topic.name for topic in TASK])
        if await groups.is_running(settings.application_id):
            raise LoyaltyError(
                f"workers of {settings.application_id!r} are running: stop them all and run this again",
                RUNNING,
            )
        async with LogReader(settings) as reader:
            for partition in range(settings.partitions):
                books = TaskBooks(settings, engine, None, reader, partition, progress)
                done.rows += await _restore(settings, groups, reader, books)
                done.entries += books.replay.entries
                done.accounts += len(books.replay.rows)
    finally:
        await admin.close()
    return done


async def _restore(settings: Settings, groups: Groups, reader: LogReader, books: TaskBooks) -> int:
    """Restore a task; returns how many rows were written."""
    changelog, partition = books.changelog, books.partition
    async with TaskLog(settings, partition) as log:  # from here on no worker writes
        first, end = await reader.bounds(changelog, partition)
        if first > 0:
            raise LoyaltyError(
                f"{changelog} partition {partition} begins at offset {first}: delete the topic (kafka-topics.sh --delete), "
                "make it again ('loyalty topics'), and run this again"
            )
        await books.begin()
        changed = _changed(books)
        positions = (await groups.positions(settings.application_id)).items()
        mine = {tp: position for tp, position in positions if tp.partition == partition}
        if changed or reached(position.note for position in mine.values()) > end:
            await log.put(Rows(changelog, changed, int(datetime.now(UTC).timestamp() * 1000)), mine)
    return len(changed)


def _changed(books: TaskBooks) -> dict[bytes, bytes | None]:
    """The rows to be written.

    :raises LoyaltyError: they would not be right, or would replace what is newer.
    """
    replay = books.replay
    if replay.disagreements:
        problem = replay.problems[0]
        raise LoyaltyError(
            f"the journal of partition {books.partition} does not replay ({replay.disagreements} entries; the first: "
            f"{problem.key} at offset {problem.offset}: {problem.what}): are these the workers' definitions and "
            "LOYALTY_CODE_KEY? 'loyalty audit' shows all",
            DIFFERENT,
        )
    keys = books.differing()
    ahead = [key for key in keys if _is_ahead(books, key)]
    if ahead:
        raise LoyaltyError(
            f"{len(ahead)} rows of partition {books.partition} are ahead of the journal or not in it at all, the first "
            f"{min(ahead).decode('utf-8', 'backslashreplace')}: the journal has lost something itself, and what is in "
            "these rows may be all that is left; 'loyalty audit' shows them",
            DIFFERENT,
        )
    return {key: replay.row(key) for key in keys}


def _is_ahead(books: TaskBooks, key: bytes) -> bool:
    there, given = books.table.get(key), books.replay.rows.get(key)
    if there is None or given is None:
        return given is None
    try:
        return decode("", "", there).clock > given.clock
    except Exception:  # bytes that are no row are nobody's loss
        return False
