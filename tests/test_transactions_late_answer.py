"""An answer to a commit that comes when the task has been given anew, to the very worker that waits for it.

The simulation found it (some one in a thousand histories): the rows of the old batch were written over those that
recovery had read from the changelog, newer ones of the same account among them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from types import SimpleNamespace
from typing import Any, Final, cast

import pytest
from faust.types import TP

from agents.records import FoldResult
from schemas.outbox import Outbox
from schemas.record import Record
from schemas.topics import PAYMENTS
from streams.record_batch import Item
from streams.settings import read_settings
from streams.store import MemoryStore
from streams.task import Batch
from streams.task_writer import ProducerWriter
from streams.tasks import Tasks, Worker
from streams.topic_identity import TopicIdentity
from streams.transactions import Transactions

ROW: Final = b"op/A"


class SlowProducer:
    """Its commit happens at once; the answer comes when it is told to."""

    def __init__(self) -> None:
        self.answer: Final = asyncio.Event()

    async def begin(self) -> None: ...
    async def send(self, topic: str, partition: int, items: Iterable[Item]) -> int:
        return 7

    async def send_offsets(self, offsets: Mapping[TP, int], group: str, note: str) -> None: ...
    async def commit(self) -> None:
        await self.answer.wait()

    async def abort(self) -> None: ...
    async def close(self) -> None: ...


class OneRow:
    """A fold that writes one row."""

    def fold(self, records: Sequence[Any]) -> FoldResult:
        return FoldResult(len(records), Outbox(), {ROW: b"old"})

    def committed(self) -> None: ...


class Stage:
    """A worker whose tasks fold with `fold`, as far as transactions ask."""

    def __init__(self, fold: OneRow | None = None) -> None:
        self.settings = read_settings({})
        self.tasks = Tasks(
            "changelog", lambda partition, store: fold or OneRow(), lambda partition, identity: MemoryStore()
        )
        self.tasks.belong_to(TopicIdentity("cluster", "topic"))
        self.reader = SimpleNamespace(release=lambda batch: None, forget=lambda: None)
        self.assignment = 1
        self.failure = None
        self.should_stop = False
        self.steps = 0
        self.producers: list[SlowProducer] = []
        self.transactions = Transactions(
            cast(Worker, self), partial(ProducerWriter.open, self._open, self.settings)
        )

    async def _open(self, name: str) -> SlowProducer:
        self.producers.append(SlowProducer())
        return self.producers[-1]

    def worked_off(self, partition: int, result: Any, fold_seconds: float, commit_seconds: float) -> None:
        """Count."""
        self.steps += 1

    async def work(self) -> asyncio.Task[None]:
        """Begin a batch, up to where it waits for the answer."""
        record = Record(PAYMENTS.name, 0, 3, 0, b"op/A", b"")
        task = asyncio.create_task(self.transactions.work_off(Batch(0, [record], self.assignment, {})))
        await asyncio.sleep(0.01)
        return task


async def answered_late(*, given_anew: bool) -> Stage:
    """A batch whose answer comes late; meanwhile the task may be given anew, and recovered."""
    stage = Stage()
    await stage.transactions.open([0])
    stage.tasks.open_task(0)
    working = await stage.work()
    if given_anew:
        stage.assignment += 1
        await stage.transactions.open([0])
        stage.tasks.keep_only([0])
        stage.tasks.store(0).put_many({ROW: b"new"}, 20)
        stage.tasks.open_task(0)
    stage.producers[0].answer.set()
    await working
    return stage


@pytest.mark.parametrize(("given_anew", "row", "offset"), [(False, b"old", 7), (True, b"new", 20)])
def test_an_answer_writes_only_if_the_task_has_not_been_given_anew(
    given_anew: bool, row: bytes, offset: int
) -> None:
    store = asyncio.run(answered_late(given_anew=given_anew)).tasks.store(0)
    assert (store.get(ROW), store.offset) == (row, offset)


def test_who_waits_for_running_batches_waits_for_the_new_one_when_the_old_one_is_answered() -> None:
    async def play() -> None:
        stage = Stage()
        await stage.transactions.open([0])
        stage.tasks.open_task(0)
        old = await stage.work()
        stage.assignment += 1
        await stage.transactions.open([0])
        stage.tasks.open_task(0)
        new = await stage.work()
        stage.producers[0].answer.set()
        await old
        finishing = asyncio.create_task(stage.transactions.finish(5))
        await asyncio.sleep(0.01)
        assert not finishing.done()
        stage.producers[1].answer.set()
        await asyncio.gather(finishing, new)
        assert stage.steps == 2

    asyncio.run(play())
