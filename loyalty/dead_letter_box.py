"""The dead letters that lie in Kafka: read, filtered, found by where the refused record came from."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator, Callable
from typing import Any, Final, NamedTuple

import orjson

from loyalty.log_reader import LogReader
from schemas.topics import DEAD_LETTERS
from streams.settings import Settings


class Coordinates(NamedTuple):
    """Where a refused record stands: written `topic/partition/offset`."""

    topic: str
    partition: int
    offset: int

    def __str__(self) -> str:
        return f"{self.topic}/{self.partition}/{self.offset}"

    @classmethod
    def parse(cls, text: str) -> Coordinates:
        """From their text.

        :raises ValueError: it is not `topic/partition/offset`.
        """
        topic, partition, offset = text.rsplit("/", 2)
        if not (topic and partition.isdecimal() and offset.isdecimal()):
            raise ValueError(text)
        return cls(topic, int(partition), int(offset))


class Letter(NamedTuple):
    """One dead letter: why, where the record stands, its `timestamp` in milliseconds, its key and its value."""

    reason: str
    detail: str
    at: Coordinates
    timestamp: int
    key: str | None
    value: bytes | None
    value_bytes: int | None = None
    """How long the value was, if the letter keeps a part only."""

    @classmethod
    def decoded(cls, content: bytes) -> Letter:
        """From a record of the topic of dead letters."""
        fields = orjson.loads(content)
        coded = fields.get("value_base64")
        text = fields.get("value")
        value = base64.b64decode(coded) if coded is not None else None if text is None else text.encode()
        return cls(
            fields["reason"],
            fields["detail"],
            Coordinates(fields["topic"], fields["partition"], fields["offset"]),
            fields["timestamp"],
            fields["key"],
            value,
            fields.get("value_bytes"),
        )

    def record(self) -> Any:
        """The value as JSON; None where it is none."""
        try:
            return orjson.loads(self.value or b"")
        except orjson.JSONDecodeError:
            return None

    def operator(self) -> str | None:
        """Whose it seems to be: the operator that the value names, else the one in the key."""
        record = self.record()
        named = record.get("operator") if isinstance(record, dict) else None
        if isinstance(named, str):
            return named
        return self.key.partition("/")[0] if self.key and "/" in self.key else None

    def text(self) -> str:
        """The value as it can be shown."""
        return "" if self.value is None else self.value.decode("utf-8", "backslashreplace")


class Wanted(NamedTuple):
    """Which letters: None = any; `since` in microseconds since the epoch."""

    reason: str | None = None
    operator: str | None = None
    topic: str | None = None
    since: int | None = None

    def takes(self, letter: Letter) -> bool:
        """Whether the letter is one of them."""
        return (
            self.reason in (None, letter.reason)
            and self.topic in (None, letter.at.topic)
            and (self.since is None or letter.timestamp * 1000 >= self.since)
            and (self.operator is None or letter.operator() == self.operator)
        )


def _readable(content: bytes) -> Letter | None:
    """The letter, None for what no worker has written: it must not hide the letters beside it."""
    try:
        return Letter.decoded(content)
    except (ValueError, KeyError, TypeError, AttributeError):
        return None


async def letters(settings: Settings, partition: int | None = None) -> AsyncIterator[Letter]:
    """All dead letters, or those of one partition, partition by partition in the order written."""
    async with LogReader(settings) as reader:
        for number in range(settings.partitions) if partition is None else (partition,):
            first, end = await reader.bounds(DEAD_LETTERS.name, number)
            async for records in reader.read(DEAD_LETTERS.name, number, first, end):
                for record in records:
                    letter = _readable(record.value or b"")
                    if letter is not None:
                        yield letter


async def latest(
    settings: Settings, wanted: Wanted, limit: int, shorten: Callable[[Letter], Letter]
) -> tuple[list[Letter], int]:
    """The latest `limit` letters wanted, oldest first, each shortened; and how many there are in all."""
    found: list[Letter] = []
    count = 0
    async for letter in letters(settings):
        if wanted.takes(letter):
            count += 1
            found.append(shorten(letter))
            if len(found) >= 2 * limit + 100:
                found = _newest(found, limit)
    return _newest(found, limit), count


def _newest(found: list[Letter], limit: int) -> list[Letter]:
    return sorted(found, key=lambda letter: (letter.timestamp, letter.at))[-limit:]


async def find(settings: Settings, at: Coordinates) -> Letter | None:
    """The letter about the record at these coordinates: it lies in the partition of the same number."""
    if at.partition >= settings.partitions:
        return None
    found: Letter | None = None
    async for letter in letters(settings, at.partition):
        if letter.at == at:
            found = letter
    return found


SHOWN_CHARACTERS: Final = 200


def without_value(letter: Letter) -> Letter:
    """The letter with no more of its value than a list shows."""
    return letter._replace(value=None if letter.value is None else letter.text()[:SHOWN_CHARACTERS].encode())
