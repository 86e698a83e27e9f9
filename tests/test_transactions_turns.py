"""Tasks fold one after another, and between two folds the loop has turns to take in what was fetched and ask for more."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any, Final

from agents.records import FoldResult
from schemas.record import Record
from schemas.topics import PAYMENTS
from streams.task import Batch
from streams.transactions import TURNS
from tests.test_transactions_late_answer import OneRow, Stage

PATIENCE_SECONDS: Final = 5


class Noted(OneRow):
    """A fold that notes when it is called, and has something happen that takes the loop all its turns."""

    def __init__(self) -> None:
        self.notes: Final[list[str]] = []

    def fold(self, records: Sequence[Any]) -> FoldResult:
        """Note it."""
        self.notes.append("folded")
        self._hop(TURNS)
        return super().fold(records)

    def _hop(self, left: int) -> None:
        if left:
            asyncio.get_running_loop().call_soon(self._hop, left - 1)
        else:
            self.notes.append("taken in")


def batch_of(partition: int) -> Batch:
    """A batch of the first assignment."""
    return Batch(partition, [Record(PAYMENTS.name, partition, 3, 0, b"op/A", b"")], 1, {})


async def staged(fold: OneRow) -> Stage:
    """A worker of three tasks, whose commits are answered at once."""
    stage = Stage(fold)
    await stage.transactions.open(range(3))
    for partition in range(3):
        stage.tasks.open_task(partition)
    for producer in stage.producers:
        producer.answer.set()
    return stage


def test_what_has_come_meanwhile_is_taken_in_between_two_folds() -> None:
    async def play() -> list[str]:
        fold = Noted()
        stage = await staged(fold)
        working = [stage.transactions.work_off(batch_of(partition)) for partition in range(3)]
        await asyncio.wait_for(asyncio.gather(*working), PATIENCE_SECONDS)
        assert stage.steps == 3
        return fold.notes

    assert asyncio.run(play())[:5] == ["folded", "taken in", "folded", "taken in", "folded"]


def test_a_batch_whose_task_is_taken_away_while_it_waits_for_its_turn_is_not_folded() -> None:
    async def play() -> list[str]:
        fold = Noted()
        stage = await staged(fold)
        working = asyncio.ensure_future(stage.transactions.work_off(batch_of(0)))
        await asyncio.sleep(0)
        assert not fold.notes, "it was folded at once: the test shows nothing"
        stage.assignment += 1
        await asyncio.wait_for(working, PATIENCE_SECONDS)
        await stage.transactions.finish(PATIENCE_SECONDS)
        assert stage.steps == 0
        return fold.notes

    assert asyncio.run(play()) == []
