"""Erasing: every task in turn, journal and rows first, then the other topics; and on from where it was left.

Each step looks at what is there and does what is left to do, so after a crash at any point the same command goes on.
All that has to survive is the secret behind the alias: it stands in a note of the consumer group that also says up
to where partitions are to be deleted, and is taken away in the end.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

import orjson

from engine.decide import Engine
from loyalty.errors import LoyaltyError
from loyalty.forgetting.books import Books
from loyalty.forgetting.person import Person
from loyalty.forgetting.redaction import Redaction
from loyalty.groups import RUNNING, Groups, Positions
from loyalty.log_reader import LogReader
from loyalty.task_log import Copy, Interrupted, Rows, TaskLog, delete_copied, notes_group
from schemas.journal_erasure import head_entry
from schemas.topics import ALL, CLOCK, JOURNAL, LINKS, Role, Topic
from streams.settings import Settings
from streams.table import changelog_topic

if TYPE_CHECKING:
    from aiokafka import AIOKafkaConsumer, TopicPartition
    from aiokafka.admin import AIOKafkaAdminClient

ATTEMPTS: Final = 5
PAUSE_SECONDS: Final = 1.0
SECRET_BYTES: Final = 32
OTHERS: Final = tuple(topic for topic in ALL if topic not in (CLOCK, JOURNAL))
"""The topics besides the journal in which an account can be named."""

Said = Callable[[str, int, int], None]
"""Told what is being done, and which step it is of how many."""


class Erased:
    """What was done: records that went, records that lost the name, and those that still have it in an id."""

    def __init__(self) -> None:
        self.gone = 0
        self.redacted = 0
        self.left = 0
        self.partitions = 0


class Erasing:
    """`async with Erasing(settings, engine, said) as erasing: await erasing.erase(operator, account, senders)`."""

    def __init__(self, settings: Settings, engine: Engine, said: Said) -> None:
        from aiokafka import AIOKafkaConsumer
        from aiokafka.admin import AIOKafkaAdminClient

        self._settings: Final = settings
        self._engine: Final = engine
        self._said: Final = said
        self._changelog: Final = changelog_topic(settings.application_id)
        self._admin: Final[AIOKafkaAdminClient] = AIOKafkaAdminClient(**settings.kafka())
        self._reader: Final = LogReader(settings)
        self._gauge: Final[AIOKafkaConsumer] = AIOKafkaConsumer(
            **settings.kafka(), group_id=notes_group(settings.application_id), enable_auto_commit=False
        )
        self._groups: Final = Groups(self._admin, [*(topic.name for topic in ALL), self._changelog])
        self.erased: Final = Erased()

    async def __aenter__(self) -> Erasing:
        await self._admin.start()
        await self._gauge.start()
        await self._reader.__aenter__()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._reader.__aexit__()
        await self._gauge.stop()
        await self._admin.close()

    async def erase(self, operator: str, account: str, home: int, senders: frozenset[str]) -> None:
        """Erase a closed account, whose partition is `home`; `senders` are operators that send it points.

        :raises LoyaltyError: somebody is running who must not, or has not read what is to be deleted.
        """
        await self._at_rest()
        for partition in range(self._settings.partitions):
            # From here on no worker writes, and what the last one or a killed run of ours committed can be seen: a
            # commit is decided some moments before offsets show it.
            async with TaskLog(self._settings, partition):
                self._said(f"task {partition}: shutting workers out", partition, self._settings.partitions)
        await self._delete_copied()
        await self._again(self._links_are_settled)
        person = Person(
            operator,
            account,
            await self._secret(operator, account, home),
            self._engine.codes,
            self._engine.forgotten,
            senders,
        )
        steps = self._settings.partitions * (1 + len(OTHERS))
        for partition in range(self._settings.partitions):
            redaction = Redaction(person)
            async with TaskLog(self._settings, partition) as log:
                done = partition * (1 + len(OTHERS))
                self._said(f"task {partition}: journal and rows", done, steps)
                await self._again(self._rewrite_books, log, partition, redaction, partition == home)
                for number, topic in enumerate(OTHERS, 1):
                    self._said(f"task {partition}: {topic.name}", done + number, steps)
                    await self._again(self._rewrite, log, topic, partition, redaction)
            self.erased.left += redaction.left
        await self._note(home, "")
        self._said("done", steps, steps)

    async def _again(self, rewrite: Callable[..., Any], *given: Any) -> None:
        """Do a step, and again when somebody wrote in between."""
        for attempt in range(ATTEMPTS):
            try:
                await rewrite(*given)
                return
            except Interrupted:
                if attempt + 1 < ATTEMPTS:
                    await asyncio.sleep(PAUSE_SECONDS)
        raise LoyaltyError(
            "a producer keeps writing to a partition that has to be rewritten: pause what writes to the inbound "
            "topics and run this again; nothing of this partition has changed",
            RUNNING,
        )

    async def _rewrite_books(self, log: TaskLog, partition: int, redaction: Redaction, is_home: bool) -> None:
        person, books = redaction.person, Books(redaction, self._engine)
        tp, first, end = await self._bounds(JOURNAL, partition)
        async for record in self._records(tp, first, end):
            books.look(record.key, record.value)
        left = redaction.left
        wanted = books.others | {person.key, person.books_key}
        table: dict[bytes, bytes] = {}
        changelog, begin, stop = await self._bounds(self._changelog, partition)
        async for record in self._records(changelog, begin, stop):
            if record.key in wanted:
                if record.value is None:
                    table.pop(record.key, None)
                else:
                    table[record.key] = record.value
        is_new = is_home and person.books_key not in table
        if not (books.is_touched or is_new or person.key in table):
            return
        changed: dict[bytes, bytes | None] = {}
        now = datetime.now(UTC)
        stamp = int(now.timestamp() * 1000)

        async def copies() -> AsyncIterator[Copy]:
            yield Copy(None, stamp, None, head_entry(end))
            if is_home:
                yield Copy(None, stamp, person.books_key, books.closing(now.date().isoformat()))
            async for record in self._records(tp, first, end):
                value = books.kept(record.key, record.value, record.offset)
                if value is not None:
                    yield Copy(record.offset, record.timestamp, record.key, value, record.headers)
            changed.update(books.rows(table))
            if is_home:
                changed[person.books_key] = books.closed_row()
            # A deletion, last of all, is what makes a store on disk clear its files of replaced rows, too.
            changed[person.key if is_home else person.books_key] = None

        groups = await self._at_rest()
        rows = Rows(self._changelog, changed, stamp)
        await log.rewrite(tp, end, copies(), groups, lambda: self._at_rest_as_before(groups), rows)
        await delete_copied(self._admin, {tp: end}, {tp: first})
        redaction.left = left
        self.erased.gone += books.own
        self.erased.redacted += len(changed)
        self.erased.partitions += 1

    async def _rewrite(self, log: TaskLog, topic: Topic, partition: int, redaction: Redaction) -> None:
        tp, first, end = await self._bounds(topic, partition)
        gone = redacted = 0
        last = -1
        async for record in self._records(tp, first, end):
            kept = self._kept(redaction, topic, record)
            if kept is None:
                gone, last = gone + 1, record.offset
            elif kept != _copy(record):
                redacted += 1
        if not gone and not redacted:
            return
        groups = await self._at_rest()
        if topic.role is Role.OUTCOME:
            self._check_read(tp, last, groups)
        left = redaction.left

        async def copies() -> AsyncIterator[Copy]:
            async for record in self._records(tp, first, end):
                kept = self._kept(redaction, topic, record)
                if kept is not None:
                    yield kept

        await log.rewrite(tp, end, copies(), groups, lambda: self._at_rest_as_before(groups))
        await delete_copied(self._admin, {tp: end}, {tp: first})
        redaction.left = left
        self.erased.gone += gone
        self.erased.redacted += redacted
        self.erased.partitions += 1

    def _kept(self, redaction: Redaction, topic: Topic, record: Any) -> Copy | None:
        if record.value is None and not redaction.person.is_key(record.key):
            return _copy(record)
        value = redaction.record(topic, record.key, record.value)
        if value is None:
            return None
        headers = [(name, redaction.header(content)) for name, content in record.headers]
        return Copy(record.offset, record.timestamp, record.key, value, headers)

    async def _links_are_settled(self) -> None:
        """What accounts have sent each other must have arrived: a step from or to nobody is never answered."""
        known = (await self._at_rest()).get(self._settings.application_id, {})
        for partition in range(self._settings.partitions):
            tp, first, end = await self._bounds(LINKS, partition)
            start = known[tp].offset if tp in known else first
            async for _ in self._records(tp, start, end):
                raise LoyaltyError(
                    f"{LINKS.name} partition {partition} has records that no worker has decided yet: start the "
                    "workers, let them work everything off, stop them, and run this again",
                    RUNNING,
                )

    def _check_read(self, tp: TopicPartition, last: int, groups: Positions) -> None:
        """What is to be deleted must have been read by everybody who reads it."""
        for name, known in groups.items():
            if tp in known and known[tp].offset <= last:
                raise LoyaltyError(
                    f"the consumer group {name!r} has not read all of {tp.topic} that would go: let it catch up (or "
                    "delete the group, if nobody uses it) and run this again",
                    RUNNING,
                )

    async def _at_rest(self) -> Positions:
        """How far all groups are, but for our own notes."""
        found = await self._groups.at_rest()
        found.pop(notes_group(self._settings.application_id), None)
        return found

    async def _at_rest_as_before(self, groups: Positions) -> None:
        if await self._at_rest() != groups:
            raise Interrupted

    async def _bounds(self, topic: Topic | str, partition: int) -> tuple[TopicPartition, int, int]:
        """The partition, where it begins and where it ends.

        :raises Interrupted: a transaction is open on it.
        """
        from aiokafka import TopicPartition

        tp = TopicPartition(topic if isinstance(topic, str) else topic.name, partition)
        first, stable = await self._reader.bounds(tp.topic, partition)
        end = (await self._gauge.end_offsets([tp]))[tp]
        if stable < end:
            raise Interrupted
        return tp, first, end

    async def _records(self, tp: TopicPartition, first: int, end: int) -> AsyncIterator[Any]:
        async for records in self._reader.read(tp.topic, tp.partition, first, end):
            for record in records:
                yield record

    async def _delete_copied(self) -> None:
        """Delete what a run that was killed has copied and not deleted."""
        notes = await self._groups.positions(notes_group(self._settings.application_id))
        firsts = await self._gauge.beginning_offsets(list(notes)) if notes else {}
        await delete_copied(self._admin, {tp: at for tp, (at, _) in notes.items()}, firsts)

    async def _secret(self, operator: str, account: str, home: int) -> bytes:
        """The secret of this account: a new one, or the one of the erasing that was interrupted."""
        name = self._engine.forgotten.name(operator, account)
        for _, note in (await self._groups.positions(notes_group(self._settings.application_id))).values():
            if note:
                begun = orjson.loads(note)
                if begun["name"] == name:
                    return bytes.fromhex(begun["secret"])
                raise LoyaltyError(
                    "forgetting another account was interrupted: run 'loyalty forget' for that one again first",
                    RUNNING,
                )
        secret = secrets.token_bytes(SECRET_BYTES)
        await self._note(home, orjson.dumps({"name": name, "secret": secret.hex()}).decode())
        return secret

    async def _note(self, home: int, text: str) -> None:
        from aiokafka import TopicPartition
        from aiokafka.structs import OffsetAndMetadata

        # Of the changelog nothing is ever deleted: its note has the offset 0, and room for a text.
        tp = TopicPartition(self._changelog, home)
        self._gauge.assign([tp])
        await self._gauge.commit({tp: OffsetAndMetadata(0, text)})


def _copy(record: Any) -> Copy:
    return Copy(record.offset, record.timestamp, record.key, record.value, list(record.headers))
