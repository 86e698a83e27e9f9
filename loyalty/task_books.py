"""One partition's books: its journal, replayed from the beginning, beside the rows that the changelog has."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

from agents.replay import Replay
from engine.decide import Engine
from loyalty.errors import LoyaltyError
from loyalty.log_reader import LogReader
from loyalty.row_fields import same
from schemas.journal_erasure import heads, is_head
from schemas.topics import JOURNAL
from streams.settings import Settings
from streams.table import changelog_topic

Progress = Callable[[int, int, int], None]
"""Called with partition, offsets read and offsets known of its journal and changelog."""


class TaskBooks:
    """Reads both on from where it was, as often as it is asked. Of one operator only if `operator` is given."""

    def __init__(
        self,
        settings: Settings,
        engine: Engine,
        operator: str | None,
        reader: LogReader,
        partition: int,
        progress: Progress,
    ) -> None:
        self.changelog: Final = changelog_topic(settings.application_id)
        self.partition: Final = partition
        self._prefix: Final = b"" if operator is None else f"{operator}/".encode()
        self._reader: Final = reader
        self._progress: Final = progress
        self.replay: Final = Replay(engine)
        self.table: Final[dict[bytes, bytes]] = {}
        """The rows that the changelog has, as far as it was read."""
        self.passed: dict[bytes, set[bytes | None]] = {}
        """Key of an account that is watched → every row that replay has passed through since."""
        self._at: Final[dict[str, int]] = {}
        self._known: Final[dict[str, int]] = {}

    async def begin(self) -> None:
        """Read the whole journal, then the rows.

        :raises LoyaltyError: the journal no longer begins at its beginning.
        """
        first, end = await self._reader.bounds(JOURNAL.name, self.partition)
        if first > 0 and not await self._begins_anew(first, end):
            raise LoyaltyError(
                f"{JOURNAL.name} partition {self.partition} begins at offset {first}: what was before it is deleted, "
                "so nothing can be rebuilt from it; keep the journal for ever (retention.ms=-1)"
            )
        await self.read_journal()
        await self.read_table()

    def differing(self) -> list[bytes]:
        """Keys of the accounts whose rows are not what the journal gives."""
        keys = self.replay.rows.keys() | self.table.keys()
        return [key for key in keys if not same(self.replay.row(key), self.table.get(key))]

    async def read_journal(self) -> bool:
        """Replay what has come since; whether there was anything."""

        def take(key: bytes, value: bytes | None, offset: int) -> None:
            self.replay.take(key, value or b"", offset)
            passed = self.passed.get(key)
            if passed is not None:
                passed.add(self.replay.row(key))

        return await self._read(JOURNAL.name, take)

    async def read_table(self) -> bool:
        """Take over the rows that have come since; whether there was anything."""

        def take(key: bytes, value: bytes | None, offset: int) -> None:
            if value is None:
                self.table.pop(key, None)
            else:
                self.table[key] = value

        return await self._read(self.changelog, take)

    async def _begins_anew(self, first: int, end: int) -> bool:
        """Whether what was before was not lost: `loyalty forget` has written all that is kept of it behind it."""
        async for records in self._reader.read(JOURNAL.name, self.partition, first, end):
            return heads(records[0].value, first) and records[0].offset == first
        return False

    async def _read(self, topic: str, take: Callable[[bytes, bytes | None, int], None]) -> bool:
        """Read a topic on to its stable end; whether there was anything."""
        first, end = await self._reader.bounds(topic, self.partition)
        start = self._at.get(topic, first)
        self._known[topic] = end
        async for records in self._reader.read(topic, self.partition, start, end):
            for record in records:
                key = record.key or b""
                if key.startswith(self._prefix) or is_head(record.value):
                    take(key, record.value, record.offset)
            self._at[topic] = records[-1].offset + 1
            self._tell()
            await asyncio.sleep(0)
        self._at[topic] = max(start, end)
        self._tell()
        return end > start

    def _tell(self) -> None:
        self._progress(self.partition, sum(self._at.values()), sum(self._known.values()))
