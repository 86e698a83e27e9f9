"""Reading what the stream knows: an account's row from the changelog, its history from the journal.

Both are read from the partition of the account's key, committed records only, up to where the topic ended when
the reading began.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any, Final

import orjson

from loyalty.feed import partition_of
from loyalty.log_reader import LogReader
from schemas.account import Account
from schemas.account_codec import decode
from schemas.topics import CLOCK, JOURNAL
from streams.settings import Settings

if TYPE_CHECKING:
    from aiokafka import ConsumerRecord

TAIL: Final = 16
"""Records from the end within which the last tick is found, transaction markers and all."""


class Lookup:
    """`async with Lookup(settings) as lookup`: reads without a consumer group, and changes nothing."""

    def __init__(self, settings: Settings) -> None:
        self._settings: Final = settings
        self._log: Final = LogReader(settings)

    async def __aenter__(self) -> Lookup:
        await self._log.__aenter__()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._log.__aexit__()

    async def account(self, operator: str, account: str) -> Account | None:
        """The account's row, None if no worker has one."""
        found = await self.row(*self._place(operator, account))
        return None if found is None else decode(operator, account, found)

    async def row(self, key: bytes, partition: int) -> bytes | None:
        """The row under a key as bytes, None if there is none."""
        from streams.table import changelog_topic

        found: bytes | None = None
        async for record in self._read(changelog_topic(self._settings.application_id), partition):
            if record.key == key:
                found = record.value
        return found

    async def journal(self, operator: str, account: str) -> list[dict[str, Any]]:
        """The account's journal entries, in the order applied."""
        key, partition = self._place(operator, account)
        return [
            orjson.loads(record.value)
            async for record in self._read(JOURNAL.name, partition)
            if record.key == key
        ]

    async def last_tick(self, partition: int) -> int | None:
        """The latest time the clock has told a partition, in microseconds; None before the first tick."""
        latest: int | None = None
        async for record in self._read(CLOCK.name, partition, tail=TAIL):
            latest = max(latest or 0, record.timestamp * 1000)
        return latest

    def partition(self, operator: str, account: str) -> int:
        """The partition of an account's records."""
        return self._place(operator, account)[1]

    def _place(self, operator: str, account: str) -> tuple[bytes, int]:
        key = f"{operator}/{account}".encode()
        return key, partition_of(key, self._settings.partitions)

    async def _read(
        self, topic: str, partition: int, *, tail: int | None = None
    ) -> AsyncIterator[ConsumerRecord[bytes | None, bytes]]:
        first, end = await self._log.bounds(topic, partition)
        start = first if tail is None else max(first, end - tail)
        async for records in self._log.read(topic, partition, start, end):
            for record in records:
                yield record
