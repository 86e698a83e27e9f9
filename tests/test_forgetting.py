"""Forgetting in memory: whoever is forgotten after whatever history, journal and rows agree, the others go on as
they would have, no point is missing, and the name is nowhere."""

from __future__ import annotations

import json
import random
from collections import Counter
from datetime import datetime, timedelta
from typing import Any, Final

import orjson
import pytest

from agents.replay import Replay
from loyalty.forgetting.books import Books
from loyalty.forgetting.person import Person
from loyalty.forgetting.redaction import Redaction
from loyalty.row_fields import fields
from schemas.account_codec import decode
from schemas.journal_erasure import count
from schemas.topics import ALL, JOURNAL
from tests.auditor import Auditor
from tests.case_runner import new_engine
from tests.fold_world import FoldWorld
from tests.histories import History

ENGINE: Final = new_engine()
TOPICS: Final = {topic.name: topic for topic in ALL}
SENDERS: Final = {"mts": ("mts-cashback",)}
OPERATORS: Final = ("orgtechservice", "mts", "mts-2019", "mts-cashback", "spasibo", "mega-line", "t2-pbx")


def person_of(operator: str, account: str, secret: bytes = b"s" * 32) -> Person:
    """Somebody to be forgotten."""
    return Person(operator, account, secret, ENGINE.codes, ENGINE.forgotten, SENDERS.get(operator, ()))


class Erased:
    """What forgetting leaves of a world of one task: its journal, its rows, and how records are redacted."""

    def __init__(self, world: FoldWorld, person: Person) -> None:
        self.redaction = Redaction(person)
        books = Books(self.redaction, ENGINE)
        entries = [(key_of(entry), entry) for entry in world.journal]
        for key, entry in entries:
            books.look(key, entry)
        self.journal = [books.closing("2025-12-01")]
        for offset, (key, entry) in enumerate(entries):
            kept = books.kept(key, entry, offset)
            self.journal += [] if kept is None else [kept]
        rows = world.rows()
        self.rows = {**rows, **dict(books.rows(rows)), person.books_key: books.closed_row()}
        self.rows.pop(person.key, None)


def key_of(entry: bytes) -> bytes:
    """The key of a journal entry."""
    fields = orjson.loads(entry)
    return f"{fields['operator']}/{fields['account']}".encode()


def lived(seed: int, person: Person, halves: int) -> tuple[FoldWorld, list[tuple[datetime, bytes, bytes]]]:
    """A world in which somebody was closed after part of a history, and the rest of it."""
    records = History(seed, ENGINE.codes.code, events=40).records
    middle = len(records) * halves // 4
    world = FoldWorld(ENGINE)
    feed(world, records[:middle])
    row = world.stores[0].get(person.key)
    clock = records[middle - 1][0]
    if row is not None:
        seen = decode(person.operator, person.account, row).clock
        clock = max(clock, datetime.fromtimestamp(seen / 1e6, clock.tzinfo) + timedelta(seconds=1))
    closing = {"specversion": "1.0", "id": "close", "source": "/loyalty/forget", "type": "account.closed"}
    closing |= {"subject": person.account, "operator": person.operator, "time": clock.isoformat()}
    world.event(person.key, json.dumps(closing).encode())
    world.settle()
    rest = [record for record in records[middle:] if record[1] != person.key]
    return world, rest


def feed(world: FoldWorld, records: list[tuple[datetime, bytes, bytes]]) -> None:
    """Let a history happen, with a tick now and then."""
    ticked = records[0][0] if records else None
    for moment, key, value in records:
        if ticked is not None and moment - ticked > timedelta(days=30):
            world.clock(moment)
            ticked = moment
        world.event(key, value)
    world.settle()


def replayed(journal: list[bytes]) -> Replay:
    """The replay of these entries."""
    replay = Replay(ENGINE)
    for offset, entry in enumerate(journal):
        replay.take(key_of(entry), entry, offset)
    return replay


def totals(journal: list[bytes]) -> Counter[str]:
    """What all outcomes and closed books of a journal moved, by type."""
    found: Counter[str] = Counter()
    for entry in journal:
        count(found, orjson.loads(entry))
    return found


@pytest.mark.parametrize("operator", OPERATORS)
@pytest.mark.parametrize("seed", range(8))
def test_whoever_is_forgotten_the_books_and_everybody_else_are_as_before(operator: str, seed: int) -> None:
    account = f"{random.Random(seed).choice('ABC')}-{seed}"
    person = person_of(operator, account)
    world, rest = lived(seed, person, 1 + seed % 4)
    control, _ = lived(seed, person, 1 + seed % 4)
    erased = Erased(world, person)

    # Journal and rows agree, and no point is missing.
    replay = replayed(erased.journal)
    assert replay.problems == []
    assert {key: replay.row(key) for key in replay.rows} == erased.rows
    before, after = totals(world.journal), totals(erased.journal)
    assert after - Counter({"written-off": after["written-off"]}) == before
    auditor = Auditor()
    auditor.read(erased.journal)
    assert auditor.finish() == []

    # The name is nowhere, and whoever is called the same elsewhere is still there.
    for topic, key, value in all_records(world):
        kept = erased.redaction.record(TOPICS[topic], key, value)
        fields = orjson.loads(kept or b"{}")
        if fields.get("operator") == operator == fields.get("sender_operator", operator):
            assert kept is not None and not person.is_named(kept), (topic, kept)
    for entry in erased.journal:
        fields = orjson.loads(entry)
        sender = fields.get("link", {}).get("sender_operator", operator)
        assert (fields["operator"], sender) != (operator, operator) or not person.is_named(entry), entry
    assert not any(
        person.is_named(row) for key, row in erased.rows.items() if key.startswith(f"{operator}/".encode())
    )
    assert erased.redaction.left == 0
    stranger = f"spasibo/{account}" if operator == "mts" else f"mts/{account}"
    assert without_identities(erased.rows, stranger) == without_identities(world.rows(), stranger)

    # Everybody else goes on: the same outcomes with the same ids, but for the name.
    world.stores[0].clear()
    world.stores[0].update(erased.rows)
    world.forget_tasks()
    del world.produced[:], control.produced[:]
    feed(world, rest)
    feed(control, rest)
    assert others(world, person) == others(control, person)


def without_identities(rows: dict[bytes, bytes], key: str) -> dict[str, Any]:
    """A row but for the hashes of what it has seen, among which may be steps from the forgotten account."""
    found = fields(rows.get(key.encode()))
    found.pop("seen", None)
    return found


def all_records(world: FoldWorld) -> list[tuple[str, bytes | None, bytes | None]]:
    """Everything that was written to any topic but the journal, inbound topics included."""
    fed = [(record.topic, record.key, record.value) for task in world.fed for record in task]
    return [one for one in [*fed, *world.produced] if one[0] != JOURNAL.name and json_object(one[2])]


def json_object(value: bytes | None) -> bool:
    """Whether it can be looked into."""
    try:
        return isinstance(orjson.loads(value or b""), dict)
    except orjson.JSONDecodeError:
        return False


def others(world: FoldWorld, person: Person) -> dict[str, list[str]]:
    """The outcomes of everybody else, with one name for the forgotten whatever they are called."""
    code, alias = (ENGINE.codes.code(person.operator, name) for name in (person.account, person.alias))
    found = {}
    for key, outcomes in world.outcomes().items():
        if key.encode() != person.key and not key.startswith(f"{person.operator}/~"):
            text = [json.dumps(outcome, sort_keys=True) for outcome in outcomes]
            found[key] = [
                line.replace(alias, code).replace(f'"{person.alias}"', f'"{person.account}"') for line in text
            ]
    return found
