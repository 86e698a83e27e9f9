"""Parity: the rows that a replay of the journal gives, against the rows that the workers committed.

Workers may run meanwhile. A batch's rows and journal entries are in one transaction, but a journal and a changelog
cannot be read at one moment. So a row that differs is a suspect only: the table is read on, then the journal on
from where it was, and if any state that replay passes through is the row in the table, the two agree.
"""

from __future__ import annotations

import asyncio
from typing import Any, Final, NamedTuple

from agents.replay import Problem
from engine.decide import Engine
from loyalty.log_reader import LogReader
from loyalty.row_fields import fields, same
from loyalty.task_books import Progress, TaskBooks
from streams.settings import Settings

PAUSE_SECONDS: Final = 0.5
QUIET_ROUNDS: Final = 3
"""Rounds in which nothing moves, after which a suspect is a difference."""
ROUNDS_MAX: Final = 40


class Difference(NamedTuple):
    """A row that differs; `fields`: name → (what the journal gives, what the table has), None for absent."""

    key: str
    partition: int
    fields: dict[str, tuple[Any, Any]]


class Parity(NamedTuple):
    """What an audit found: how much was read, `differences` of rows, `problems` of single entries."""

    entries: int
    accounts: int
    differences: list[Difference]
    problems: list[tuple[int, Problem]]
    disagreements: int
    """All problems of entries; only so many are kept."""
    forgotten: int
    """Accounts of which only closed books are left, among `accounts`."""

    @property
    def equal(self) -> bool:
        """Whether everything agrees."""
        return not self.differences and not self.disagreements


async def audit(settings: Settings, engine: Engine, operator: str | None, progress: Progress) -> Parity:
    """Audit every partition, one after the other, of one operator or of all.

    :raises LoyaltyError: the journal no longer begins at its beginning.
    """
    found = Parity(0, 0, [], [], 0, 0)
    async with LogReader(settings) as reader:
        for partition in range(settings.partitions):
            books = TaskBooks(settings, engine, operator, reader, partition, progress)
            found = _sum(found, await _audited(books))
    return found


def _sum(one: Parity, other: Parity) -> Parity:
    return Parity(
        one.entries + other.entries,
        one.accounts + other.accounts,
        one.differences + other.differences,
        one.problems + other.problems,
        one.disagreements + other.disagreements,
        one.forgotten + other.forgotten,
    )


async def _audited(books: TaskBooks) -> Parity:
    """The audit of one partition."""
    await books.begin()
    books.passed = {key: {books.replay.row(key)} for key in books.differing()}
    await _follow(books)
    replay = books.replay
    return Parity(
        replay.entries,
        len(replay.rows.keys() | books.table.keys()),
        [_difference(books, key) for key in sorted(books.passed)],
        [(books.partition, problem) for problem in replay.problems],
        replay.disagreements,
        replay.forgotten,
    )


async def _follow(books: TaskBooks) -> None:
    """Read on until every suspect is explained, or nothing moves any more."""
    quiet = 0
    for _ in range(ROUNDS_MAX):
        if not books.passed or quiet == QUIET_ROUNDS:
            return
        await asyncio.sleep(PAUSE_SECONDS)
        # In this order: what explains a row that was read is in the journal by then, or soon.
        moved = await books.read_table()
        moved |= await books.read_journal()
        quiet = 0 if moved else quiet + 1
        books.passed = {
            key: passed
            for key, passed in books.passed.items()
            if not any(same(row, books.table.get(key)) for row in passed)
        }


def _difference(books: TaskBooks, key: bytes) -> Difference:
    given, there = (fields(row) for row in (books.replay.row(key), books.table.get(key)))
    different = {
        name: (given.get(name), there.get(name))
        for name in sorted(given.keys() | there.keys())
        if given.get(name) != there.get(name)
    }
    return Difference(key.decode("utf-8", "backslashreplace"), books.partition, different)
