"""The fold: what a merged batch of one task's records does to its accounts. Memory only, no Kafka.

This is the code that runs in production and under every test, with or without a broker: records in; outcomes,
journal, links, dead letters and changed rows out.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from agents import journal
from agents.dead_letters import letter
from agents.records import FoldResult
from agents.rows import Rows, Store
from engine.decide import DUPLICATE, Engine
from engine.turn import Turn
from schemas import seen
from schemas.account import Account
from schemas.dead_letter import ACCOUNT_FORGOTTEN, NOT_JSON, UNKNOWN_OPERATOR, WRONG_KEY, Unreadable
from schemas.event import Event
from schemas.link import Link
from schemas.outbox import Outbox
from schemas.record import Record
from schemas.topics import CLOCK, JOURNAL, LINKS, TOPIC_OF_TYPE
from schemas.wire import read_event

DUE_MOMENTS_MAX: Final = 5_000
"""Due moments one step works off, so that no transaction grows with the number of accounts."""
UNFINISHED: Final = -1
# Looked up for every record: as constants of this module they cost nothing once it is compiled.
_CLOCK: Final = CLOCK.name
_LINKS: Final = LINKS.name
_JOURNAL: Final = JOURNAL.name
_TOPIC_OF_TYPE: Final = TOPIC_OF_TYPE


class TaskState:
    """The accounts of one task.

    `fold` computes; once its transaction has committed and the store has the rows, `committed` is called.
    After an abort the whole object is thrown away and made anew from the store.
    """

    def __init__(self, store: Store, engine: Engine, due_moments_max: int = DUE_MOMENTS_MAX) -> None:
        self._store: Final = store
        self._engine: Final = engine
        self._due_moments_max: Final = due_moments_max
        self._rows: Final = Rows(store)
        self._any_forgotten: bool | None = None
        """Whether an account of this task was forgotten; None: nobody has asked yet."""

    def fold(self, records: Sequence[Record]) -> FoldResult:
        """Apply records in the order given.

        A record that makes very many due moments act (a clock record that wakes many rows, events that lie
        decades ahead) is worked off in several calls: then `consumed` stops before it, and the rest is to be
        given again.
        """
        produce = Outbox()
        consumed = 0
        left = self._due_moments_max
        for record in records:
            try:
                if record.topic == _CLOCK:
                    event = self._read(record)
                    left = self._advance(event.time, left, produce)
                    if left == 0 and self._rows.queue.first(event.time) is not None:
                        break
                elif record.topic == _LINKS:
                    left = self._take_link(record, left, produce)
                    if left < 0:
                        break
                else:
                    left = self._take_event(record.key, self._read(record), left, produce)
                    if left < 0:
                        break
            except Unreadable as error:
                refused = letter(record, error)
                produce.add(refused.topic, refused.key, refused.value, refused.timestamp)
            consumed += 1
        return FoldResult(consumed, produce, self._rows.encoded())

    def committed(self) -> None:
        """The rows of the last `fold` have become the state."""
        self._rows.committed()

    def _read(self, record: Record) -> Event:
        return read_event(
            # A record without a key may lie in any partition: only in its own is its account's row.
            record.value,
            key=record.key or b"",
            topic=record.topic,
            operators=self._engine.books.operators,
            ahead=record.ahead,
        )

    def _take_event(self, key: bytes | None, event: Event, left: int, produce: Outbox) -> int:
        """Apply an event, if what is due before it may still act; returns how many may, or `UNFINISHED`."""
        assert key is not None, "reading has compared the key with the event"
        row = self._rows.get(key)
        is_new = row is None
        row = row or self._new_row(event)
        known = self._engine.refuse(row, event)
        if known == DUPLICATE:
            return left
        if row.next_due <= event.time:
            left = self._catch_up(key, row, event.time, left, produce)
            if left < 0:
                return left
        queued = row.next_due
        for turn in self._engine.apply(row, event, known):
            self._write(turn, key, None if turn.cause.is_due else event, produce)
        if is_new:
            self._rows.add(key, row)
        self._rows.keep(key, row, queued)
        return left

    def _take_link(self, record: Record, left: int, produce: Outbox) -> int:
        """Apply a link, if what is due before it may still act; returns how many may, or `UNFINISHED`."""
        link = _read_link(record)
        if link.operator not in self._engine.books.operators:
            raise Unreadable(UNKNOWN_OPERATOR, f"operator: no programme of {link.operator!r}")
        key = f"{link.operator}/{link.account}".encode()
        row = self._rows.get(key)
        known = row is not None
        row = row or Account(link.operator, link.account)
        if row.next_due <= link.cause.time and seen.find(row.seen, link.identity) == seen.NOT_THERE:
            left = self._catch_up(key, row, link.cause.time, left, produce)
            if left < 0:
                return left
        queued = row.next_due
        for turn in self._engine.apply_link(row, link):
            self._write(turn, key, None if turn.cause.is_due else link, produce)
        if known:  # an account that no event has named keeps nothing of having been asked
            self._rows.keep(key, row, queued)
        return left

    def _catch_up(self, key: bytes, row: Account, until: int, left: int, produce: Outbox) -> int:
        """Let what is due in a row up to `until` act; returns how many more may act, or `UNFINISHED`."""
        while row.next_due <= until:
            if left == 0:
                return UNFINISHED
            self._act(key, row, produce)
            left -= 1
        return left

    def _act(self, key: bytes, row: Account, produce: Outbox) -> None:
        queued = row.next_due
        self._write(self._engine.act(row), key, None, produce)
        self._rows.keep(key, row, queued)

    def _advance(self, until: int, left: int, produce: Outbox) -> int:
        """Let what is due up to `until` act, at most `left` moments; returns how many may still act."""
        while left > 0 and (key := self._rows.queue.first(until)) is not None:
            row = self._rows.get(key)
            assert row is not None, "a row in the queue is in the store"
            self._act(key, row, produce)
            left -= 1
        return left

    def _new_row(self, event: Event) -> Account:
        if self._any_forgotten is None:  # none is added while a worker runs (docs/privacy.md)
            self._any_forgotten = self._store.has_any(self._engine.forgotten_keys)
        if self._any_forgotten and self._is_forgotten(event):
            raise Unreadable(
                ACCOUNT_FORGOTTEN, "subject: this account was forgotten; nothing is kept of the record"
            )
        return Account(event.operator, event.account)

    def _is_forgotten(self, event: Event) -> bool:
        return self._store.get(self._engine.forgotten.key(event.operator, event.account)) is not None

    def _write(self, turn: Turn, key: bytes, applied: Event | Link | None, produce: Outbox) -> None:
        """Add outcomes and links of one decision, and its journal entry; `applied` None: a due moment."""
        outcomes = self._publish(turn, key, produce)
        if applied is None:
            entry = journal.due_entry(turn, outcomes)
        elif isinstance(applied, Event):
            entry = journal.event_entry(turn, applied, outcomes)
        else:
            entry = journal.link_entry(turn, applied, outcomes)
        produce.add(_JOURNAL, key, entry, turn.time // 1000)

    def _publish(self, turn: Turn, key: bytes, produce: Outbox) -> list[bytes]:
        """Add outcomes and links of one decision; returns the outcomes as bytes, for the journal."""
        timestamp = turn.time // 1000
        encoded: list[bytes] = []
        for outcome in turn.outcomes:
            value = outcome.encoded()
            encoded.append(value)
            produce.add(_TOPIC_OF_TYPE[outcome.type], key, value, timestamp)
        for link in turn.links:
            target = f"{link.operator}/{link.account}".encode()
            produce.add(_LINKS, target, link.encoded(), link.cause.time // 1000)
        return encoded


def _read_link(record: Record) -> Link:
    if record.value is None:
        raise Unreadable(NOT_JSON, "value: empty; the link topic is written by workers only")
    try:
        link = Link.decoded(record.value)
    except ValueError as error:
        raise Unreadable(NOT_JSON, f"value: {error}; the link topic is written by workers only") from error
    if record.key != f"{link.operator}/{link.account}".encode():
        raise Unreadable(
            WRONG_KEY, "key: not the account of the link; the link topic is written by workers only"
        )
    return link
