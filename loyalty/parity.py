"""Parity: the rows that a replay of the journal gives, against the rows that the workers committed.

Workers may run meanwhile. A batch's rows and journal entries are in one transaction, but a journal and a changelog
cannot be read at one moment. So a row that differs is a suspect only: the table is read on, then the journal on
from where it was, and if any state that replay passes through is the row in the table, the two agree.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, Final, NamedTuple

from agents.replay import Problem, Replay
from engine.decide import Engine
from loyalty.errors import LoyaltyError
from loyalty.log_reader import LogReader
from loyalty.row_fields import fields, same
from schemas.journal_erasure import heads, is_head
from schemas.topics import JOURNAL
from streams.settings import Settings
from streams.table import changelog_topic

PAUSE_SECONDS: Final = 0.5
QUIET_ROUNDS: Final = 3
"""Rounds in which nothing moves, after which a suspect is a difference."""
ROUNDS_MAX: Final = 40

Progress = Callable[[int, int, int], None]
"""Called with partition, offsets read and offsets known of its journal and changelog."""


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
            one = _Partition(settings, engine, operator, reader, partition, progress)
            found = _sum(found, await one.audit())
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


class _Partition:
    """The audit of one partition."""

    def __init__(
        self,
        settings: Settings,
        engine: Engine,
        operator: str | None,
        reader: LogReader,
        partition: int,
        progress: Progress,
    ) -> None:
        self._changelog: Final = changelog_topic(settings.application_id)
        self._prefix: Final = b"" if operator is None else f"{operator}/".encode()
        self._reader: Final = reader
        self._partition: Final = partition
        self._progress: Final = progress
        self._replay: Final = Replay(engine)
        self._table: Final[dict[bytes, bytes]] = {}
        self._at: Final[dict[str, int]] = {}
        self._known: Final[dict[str, int]] = {}
        self._suspects: dict[bytes, set[bytes | None]] = {}
        """Key → every row that replay has passed through since it became a suspect."""

    async def audit(self) -> Parity:
        first, end = await self._reader.bounds(JOURNAL.name, self._partition)
        if first > 0 and not await self._begins_anew(first, end):
            raise LoyaltyError(
                f"{JOURNAL.name} partition {self._partition} begins at offset {first}: what was before it is deleted, "
                "so nothing can be rebuilt from it; keep the journal for ever (retention.ms=-1)"
            )
        await self._read_journal()
        await self._read_table()
        keys = self._replay.rows.keys() | self._table.keys()
        self._suspects = {
            key: {self._replay.row(key)}
            for key in keys
            if not same(self._replay.row(key), self._table.get(key))
        }
        await self._follow()
        return Parity(
            self._replay.entries,
            len(self._replay.rows.keys() | self._table.keys()),
            [self._difference(key) for key in sorted(self._suspects)],
            [(self._partition, problem) for problem in self._replay.problems],
            self._replay.disagreements,
            self._replay.forgotten,
        )

    async def _begins_anew(self, first: int, end: int) -> bool:
        """Whether what was before was not lost: `loyalty forget` has written all that is kept of it behind it."""
        async for records in self._reader.read(JOURNAL.name, self._partition, first, end):
            return heads(records[0].value, first) and records[0].offset == first
        return False

    async def _follow(self) -> None:
        quiet = 0
        for _ in range(ROUNDS_MAX):
            if not self._suspects or quiet == QUIET_ROUNDS:
                return
            await asyncio.sleep(PAUSE_SECONDS)
            # In this order: what explains a row that was read is in the journal by then, or soon.
            moved = await self._read_table()
            moved |= await self._read_journal()
            quiet = 0 if moved else quiet + 1
            self._suspects = {
                key: passed
                for key, passed in self._suspects.items()
                if not any(same(row, self._table.get(key)) for row in passed)
            }

    async def _read_journal(self) -> bool:
        def take(key: bytes, value: bytes | None, offset: int) -> None:
            self._replay.take(key, value or b"", offset)
            passed = self._suspects.get(key)
            if passed is not None:
                passed.add(self._replay.row(key))

        return await self._read(JOURNAL.name, take)

    async def _read_table(self) -> bool:
        def take(key: bytes, value: bytes | None, offset: int) -> None:
            if value is None:
                self._table.pop(key, None)
            else:
                self._table[key] = value

        return await self._read(self._changelog, take)

    async def _read(self, topic: str, take: Callable[[bytes, bytes | None, int], None]) -> bool:
        """Read a topic on to its stable end; whether there was anything."""
        first, end = await self._reader.bounds(topic, self._partition)
        start = self._at.get(topic, first)
        self._known[topic] = end
        async for records in self._reader.read(topic, self._partition, start, end):
            for record in records:
                key = record.key or b""
                if key.startswith(self._prefix) or is_head(record.value):
                    take(key, record.value, record.offset)
            self._at[topic] = records[-1].offset + 1
            self._progress(self._partition, sum(self._at.values()), sum(self._known.values()))
            await asyncio.sleep(0)
        self._at[topic] = max(start, end)
        self._progress(self._partition, sum(self._at.values()), sum(self._known.values()))
        return end > start

    def _difference(self, key: bytes) -> Difference:
        given, there = (fields(row) for row in (self._replay.row(key), self._table.get(key)))
        different = {
            name: (given.get(name), there.get(name))
            for name in sorted(given.keys() | there.keys())
            if given.get(name) != there.get(name)
        }
        return Difference(key.decode("utf-8", "backslashreplace"), self._partition, different)
